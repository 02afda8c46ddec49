//! An instance that somebody wants of an archive, and what becomes of that.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hilum_dicom::Uid;
use hilum_dicom::walk::DataSet;
use hilum_transport::{PartSource, Stream};
use tokio::sync::{Semaphore, mpsc};

use super::fleet::Arriving;
use super::keeping::Kept;
use super::{Archive, Names, Trouble};
use crate::imaging::Room;

/// An instance that somebody wants.
#[derive(Debug, Clone)]
pub(in crate::imaging) struct Wanted {
    pub(in crate::imaging) names: Names,
    pub(in crate::imaging) sop_class_uid: Uid,
    /// In which transfer syntax it is, as far as the index knows.
    pub(in crate::imaging) stored_in: Uid,
    /// In which it may be given; in any, if there is none.
    pub(in crate::imaging) syntaxes: Arc<[String]>,
    /// Its patient in the affinity domain, as CX.
    pub(in crate::imaging) patient: Option<String>,
}

impl Wanted {
    /// Whether it may be given as it is written.
    pub(super) async fn judge_syntax(
        &self,
        room: &Arc<Room>,
        written: &Uid,
    ) -> Result<(), Trouble> {
        if self.stored_in != *written {
            // The next one who asks is told at once.
            let (here, written) = (Arc::clone(room), written.clone());
            let names = self.names.clone();
            let corrected = tokio::task::spawn_blocking(move || {
                let index = here.studies.index();
                index.correct_syntax(&names.study, &names.instance, &written)
            });
            if let Ok(Err(error)) = corrected.await {
                let error = format!("{error:#}");
                tracing::error!(error, "a transfer syntax cannot be corrected");
            }
        }
        let syntaxes = &self.syntaxes;
        if syntaxes.is_empty() || syntaxes.iter().any(|it| it == written.as_str()) {
            return Ok(());
        }
        Err(Trouble::Failed(format!(
            "it is stored in transfer syntax {written}, which the request does not name"
        )))
    }
}

/// An instance that is on its way.
#[derive(Debug)]
pub(in crate::imaging) enum Fetched {
    /// It passes through.
    Passing {
        coming: mpsc::Receiver<io::Result<Bytes>>,
        /// Lets another one come ahead when the turn of this one has come.
        next: Arc<Semaphore>,
    },
    /// The archive sends it here; the name is the archive's.
    Arriving(Arriving, String),
}

impl Fetched {
    /// As something that is sent.
    pub(in crate::imaging) fn into_source(self) -> PartSource {
        match self {
            Self::Passing { coming, next } => {
                PartSource::Stream(Stream::of_unknown_length(move || {
                    next.add_permits(1);
                    coming
                }))
            }
            Self::Arriving(arriving, archive) => arriving.into_source(archive),
        }
    }

    /// As a file. Fails if it breaks off, or nothing can be written.
    pub(super) async fn into_file(
        self,
        archive: &Archive,
        instance: &Uid,
    ) -> Result<Arc<Kept>, Trouble> {
        let (mut coming, next) = match self {
            Self::Passing { coming, next } => (coming, next),
            Self::Arriving(arriving, _) => return arriving.file().await,
        };
        next.add_permits(1);
        let unwritten = |error: io::Error| {
            tracing::error!(%instance, %error, "an archived instance cannot be kept for a while");
            Trouble::Failed("it cannot be kept while it is read".to_owned())
        };
        let mut writing = archive.keeping.begin().map_err(unwritten)?;
        while let Some(chunk) = coming.recv().await {
            let chunk = chunk.map_err(|error| Trouble::Failed(error.to_string()))?;
            let written = tokio::task::spawn_blocking(move || {
                writing.write(&chunk)?;
                Ok::<_, io::Error>(writing)
            });
            let written = written.await.map_err(io::Error::other).and_then(|it| it);
            writing = written.map_err(unwritten)?;
        }
        let kept = writing.finish().map_err(unwritten)?;
        Ok(archive.keeping.keep(instance, kept))
    }
}

/// What an archive tells of a study.
pub(in crate::imaging) struct Telling {
    pub(super) archive: Arc<Archive>,
    pub(super) study: Uid,
}

impl Telling {
    /// Has it told: data set after data set.
    pub(in crate::imaging) async fn tell(
        self,
        each: impl FnMut(DataSet) -> Result<(), String>,
    ) -> Result<(), String> {
        let told = match self.archive.web() {
            Ok(web) => web.metadata(&self.study, each).await,
            Err(trouble) => Err(trouble),
        };
        told.map_err(|trouble| {
            let problem = self.archive.says(&trouble);
            tracing::warn!(study = %self.study, problem, "metadata breaks off");
            problem
        })
    }
}

/// Why an instance cannot be given: whether it is not there, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imaging) struct NotGiven {
    /// The archive says that it does not have it.
    pub(in crate::imaging) gone: bool,
    /// Names the archive.
    pub(in crate::imaging) reason: String,
}
