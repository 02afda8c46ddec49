//! Archives beside the imaging source, such as a hospital's PACS: their studies are indexed and
//! published like those that are here, and stay where they are. When an instance is asked for, it is
//! fetched and passed on.
//!
//! An archive is asked by DICOMweb (QIDO-RS, WADO-RS), or by DICOM's own protocol (C-FIND, C-MOVE).
//! Nobody gets anything from it but through the same gates as what is here, and nothing that it says
//! is believed: an instance is passed on only if it is the one that was asked for.

mod fetching;
mod fleet;
mod identity;
mod indexing;
mod keeping;
mod listing;
mod moving;
mod passing;
mod reading;
mod told;
mod wanted;
mod web;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hilum_dicom::Uid;
use hilum_security::at_rest::Vault;
use hilum_security::iti19_authenticate_node::ClientTls;
use hilum_transport::{Client, Limits};
use tokio::sync::Semaphore;

use super::ImagingSource;
use super::dimse::{Peer, Requestor};

use keeping::Keeping;

pub use web::Credentials;

pub(super) use keeping::Kept;
pub(super) use wanted::{Fetched, NotGiven, Telling, Wanted};

/// Seconds between two looks for new studies.
pub const INTERVAL_SECONDS: u64 = 300;
/// Seconds between two looks at everything, which find what has vanished.
pub const SWEEP_SECONDS: u64 = 86_400;
/// Days of Study Date that a look for new studies covers: nearly all that change are young.
pub const RECENT_DAYS: u32 = 7;
/// Requests that an archive gets at one time.
pub const PARALLEL_REQUESTS: usize = 16;
/// Seconds that an archive has for the beginning of an answer.
pub const ANSWER_SECONDS: u64 = 30;

/// An archive and what is wanted of it.
#[derive(Debug, Clone)]
pub struct ArchiveConfig {
    /// By which the index knows it: forever the same.
    pub name: String,
    /// How it is asked.
    pub road: Road,
    /// Only studies with a series of one of these modalities; of any, if there is none.
    pub modalities: Vec<String>,
    /// Only studies of this Study Date or later, `YYYYMMDD`.
    pub since: Option<String>,
    /// Only studies of the last so many days.
    pub days: Option<u32>,
    /// [`INTERVAL_SECONDS`]
    pub interval: Duration,
    /// [`SWEEP_SECONDS`]
    pub sweep: Duration,
    /// [`RECENT_DAYS`]
    pub recent_days: u32,
    /// [`PARALLEL_REQUESTS`]
    pub parallel_requests: usize,
    /// [`ANSWER_SECONDS`]
    pub patience: Duration,
    /// Bytes of instances that were fetched and stay here for a while, in case they are wanted again.
    /// With 0, none stays.
    pub keep_bytes: u64,
}

/// How an archive is asked.
#[derive(Debug, Clone)]
pub enum Road {
    /// By QIDO-RS and WADO-RS (PS3.18).
    DicomWeb {
        /// What stands before `/studies`.
        url: String,
        /// Who we are there.
        credentials: Credentials,
    },
    /// By C-FIND and C-MOVE (PS3.4 annex C). What it sends comes to the provider of this node, which
    /// must run ([`ImagingSource::dimse`]).
    Dimse {
        /// Its application entity.
        peer: Peer,
        /// The AE title of our provider, by which the archive knows where to send.
        own_ae_title: String,
    },
}

impl std::fmt::Display for Road {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DicomWeb { url, .. } => out.write_str(url),
            Self::Dimse { peer, .. } => peer.fmt(out),
        }
    }
}

impl ArchiveConfig {
    /// An archive of which everything is indexed.
    pub fn new(name: impl Into<String>, road: Road) -> Self {
        Self {
            name: name.into(),
            road,
            modalities: Vec::new(),
            since: None,
            days: None,
            interval: Duration::from_secs(INTERVAL_SECONDS),
            sweep: Duration::from_secs(SWEEP_SECONDS),
            recent_days: RECENT_DAYS,
            parallel_requests: PARALLEL_REQUESTS,
            patience: Duration::from_secs(ANSWER_SECONDS),
            keep_bytes: 0,
        }
    }
}

/// The archives of an imaging source, by name.
#[derive(Debug, Default)]
pub(super) struct Archives(BTreeMap<String, Arc<Archive>>);

/// An archive that can be asked.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) config: ArchiveConfig,
    asking: Asking,
    keeping: Keeping,
    /// Of requests that may run.
    permits: Arc<Semaphore>,
}

/// How an archive is asked.
#[derive(Debug)]
enum Asking {
    Web(web::Web),
    Moving(moving::Moving),
}

/// Why an archive did not give what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// It says that there is no such thing.
    #[error("it is not there any more")]
    Gone,
    /// It gave no answer, or none that can be used. The text is for people.
    #[error("{0}")]
    Failed(String),
    /// It sends something that is not the instance it was asked for, and will again.
    #[error("{0}")]
    Wrong(String),
}

/// Names of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) study: Uid,
    pub(super) series: Uid,
    pub(super) instance: Uid,
}

impl Archive {
    /// `folder` is where what is fetched lies for a while.
    fn open(
        config: ArchiveConfig,
        tls: Option<ClientTls>,
        limits: &Limits,
        (folder, vault): (&Path, &Vault),
    ) -> Arc<Self> {
        let limits = Limits {
            answer_seconds: config.patience.as_secs().max(1),
            pooled_connections: config.parallel_requests,
            ..limits.clone()
        };
        let asking = match &config.road {
            Road::DicomWeb { url, credentials } => {
                Asking::Web(web::Web::new(url, credentials, Client::new(tls, limits)))
            }
            Road::Dimse { peer, own_ae_title } => {
                let requestor = Requestor::new(own_ae_title, tls, limits);
                Asking::Moving(moving::Moving::new(peer.clone(), requestor))
            }
        };
        let permits = Arc::new(Semaphore::new(config.parallel_requests.max(1)));
        let keeping = Keeping::new(folder.join(&config.name), config.keep_bytes, vault.clone());
        Arc::new(Self {
            config,
            asking,
            keeping,
            permits,
        })
    }

    /// If it is asked by DICOM's own protocol.
    const fn moving(&self) -> Option<&moving::Moving> {
        match &self.asking {
            Asking::Moving(moving) => Some(moving),
            Asking::Web(_) => None,
        }
    }

    /// If it is asked by the web.
    fn web(&self) -> Result<&web::Web, Trouble> {
        match &self.asking {
            Asking::Web(web) => Ok(web),
            Asking::Moving(_) => Err(Trouble::Failed("it is not asked by the web".to_owned())),
        }
    }

    /// Whether it tells all that its instances say without sending them.
    pub(super) const fn tells(&self) -> bool {
        matches!(self.asking, Asking::Web(_))
    }

    /// Which archive it is, in front of what is wrong with it.
    fn says(&self, problem: impl std::fmt::Display) -> String {
        format!("archive {}: {problem}", self.config.name)
    }
}

impl Archive {
    /// An instance that was awaited has been sent here: this file, which is taken away.
    ///
    /// # Errors
    /// If it cannot be kept.
    pub(super) fn arrived(&self, instance: &Uid, file: &Path) -> std::io::Result<()> {
        let kept = self.keeping.adopt(file)?;
        let kept = self.keeping.keep(instance, kept);
        if let Some(moving) = self.moving() {
            moving.settle(instance, &kept);
        }
        Ok(())
    }
}

impl Archives {
    /// The archive of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Arc<Archive>> {
        self.0.get(name)
    }

    /// The archive from which this instance is awaited, if `calling` is its application entity.
    pub(super) fn awaiting(&self, calling: &str, instance: &Uid) -> Option<&Arc<Archive>> {
        let mut all = self.0.values();
        all.find(|archive| {
            let moving = archive.moving();
            moving.is_some_and(|it| it.awaits(calling, instance))
        })
    }
}

/// Asks an archive whether it can be used, without changing anything.
///
/// # Errors
/// Says what is wrong, and what to do about it as far as one can tell.
pub async fn check(
    config: ArchiveConfig,
    tls: Option<ClientTls>,
    limits: &Limits,
) -> Result<(), String> {
    // Nothing is fetched.
    let archive = Archive::open(
        config,
        tls,
        limits,
        (Path::new("/nonexistent"), &Vault::default()),
    );
    match &archive.asking {
        Asking::Web(web) => web.probe().await,
        Asking::Moving(moving) => moving.probe().await,
    }
}

impl ImagingSource {
    /// Stands beside these archives from now on: their studies are indexed, and their instances
    /// fetched when they are asked for. They are reached over `tls`. Must be called in a tokio runtime,
    /// and once; what runs in it ends with the source.
    pub fn stand_beside(
        &self,
        archives: Vec<ArchiveConfig>,
        tls: Option<&ClientTls>,
        limits: &Limits,
    ) {
        let folder = self.room.studies.index().fetched();
        let vault = self.room.studies.index().vault();
        let open = |config: ArchiveConfig| {
            let name = config.name.clone();
            let archive = Archive::open(config, tls.cloned(), limits, (&folder, vault));
            archive.keeping.clear();
            (name, archive)
        };
        let archives = Archives(archives.into_iter().map(open).collect());
        let all: Vec<_> = archives.0.values().cloned().collect();
        if self.room.archives.set(archives).is_err() {
            tracing::error!("the archives of an imaging source are named once only");
            return;
        }
        for archive in all {
            tokio::spawn(indexing::run(archive, Arc::downgrade(&self.room)));
        }
    }
}
