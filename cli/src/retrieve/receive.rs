//! Documents as they come: streamed into files that get their names when all is well.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use hilum_transport::{Answer, ClientError};
use indicatif::ProgressBar;
use sha1::{Digest, Sha1};
use tempfile::{NamedTempFile, TempPath};
use xds_schemas::codes::status::Severity;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, DocumentResponse, RetrieveDocumentSetResponse,
};
use xds_schemas::metadata::{RepositoryUniqueId, UniqueId};
use xds_schemas::mtom::Content;

/// A document that came whole.
#[derive(Debug)]
pub(crate) struct Received {
    /// Which of the documents that were asked for.
    pub(crate) place: usize,
    pub(super) mime_type: String,
    /// Its content, which vanishes unless it is kept.
    file: TempPath,
    pub(crate) size: u64,
    /// SHA-1 in hexadecimal.
    pub(crate) hash: String,
    /// How an on-demand document is called from now on.
    pub(super) new_unique_id: Option<UniqueId>,
    /// Where it is kept under that name, if it is.
    pub(super) new_repository: Option<RepositoryUniqueId>,
}

impl Received {
    /// Where the content is until it is kept.
    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// Gives the content its name.
    pub(crate) fn keep(self, path: &Path) -> anyhow::Result<()> {
        let kept = self.file.persist(path);
        kept.with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok(())
    }
}

/// What came of what was asked for.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) received: Vec<Received>,
    /// What the peer says about the rest.
    pub(crate) errors: Vec<RegistryError>,
    /// Why nothing more came.
    pub(crate) broken: Option<anyhow::Error>,
}

impl Delivery {
    /// Whether this one came.
    pub(super) fn has(&self, place: usize) -> bool {
        self.received.iter().any(|received| received.place == place)
    }

    /// Codes and reasons, for the audit.
    pub(super) fn reasons(&self) -> String {
        let errors = self.errors.iter();
        let errors = errors.filter(|error| error.severity == Severity::Error);
        let mut reasons: Vec<String> = errors.map(|error| error.code.to_string()).collect();
        reasons.dedup();
        reasons.extend(self.broken.as_ref().map(ToString::to_string));
        reasons.join(" ")
    }
}

/// Takes what comes of `wanted` into files in `folder`. Documents that nobody asked for are passed
/// over.
pub(super) async fn receive(
    answer: Result<Answer<RetrieveDocumentSetResponse>, ClientError>,
    wanted: &[DocumentRequest],
    folder: &Path,
    progress: &ProgressBar,
) -> Delivery {
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            return Delivery {
                broken: Some(error.into()),
                ..Delivery::default()
            };
        }
    };
    let response = &answer.response;
    let mut delivery = Delivery {
        errors: response.registry_response.errors.clone(),
        ..Delivery::default()
    };
    let mut taking = Taking::of(wanted, folder, progress);
    let taken = async {
        for document in &response.documents {
            if let Content::Inline(bytes) = &document.content
                && let Some(mut open) = taking.open(document)?
            {
                open.write(bytes)?;
                delivery.received.push(open.finish(document));
            }
        }
        let attached = response
            .documents
            .iter()
            .filter_map(|document| match &document.content {
                Content::Include(id) => Some((id.as_str(), document)),
                Content::Inline(_) => None,
            });
        let attached: HashMap<&str, &DocumentResponse> = attached.collect();
        let broken = |fault: xds_schemas::soap::Fault| {
            anyhow::anyhow!("the answer ended early: {}", fault.reason)
        };
        while let Some(mut attachment) = answer.attachments.next().await.map_err(broken)? {
            let Some(document) = attached.get(attachment.content_id()) else {
                continue;
            };
            let Some(mut open) = taking.open(document)? else {
                continue;
            };
            while let Some(chunk) = attachment.chunk().await.map_err(broken)? {
                open.write(&chunk)?;
            }
            delivery.received.push(open.finish(document));
        }
        anyhow::Ok(())
    };
    delivery.broken = taken.await.err();
    delivery
}

/// What is still to come.
struct Taking<'a> {
    /// By repository and uniqueId: the place among what was asked for.
    places: HashMap<(RepositoryUniqueId, UniqueId), usize>,
    folder: PathBuf,
    progress: &'a ProgressBar,
}

impl<'a> Taking<'a> {
    fn of(wanted: &[DocumentRequest], folder: &Path, progress: &'a ProgressBar) -> Self {
        let place = |(place, one): (usize, &DocumentRequest)| {
            let repository = one.repository_unique_id.clone();
            ((repository, one.document_unique_id.clone()), place)
        };
        Self {
            places: wanted.iter().enumerate().map(place).collect(),
            folder: folder.to_owned(),
            progress,
        }
    }

    /// A file for the document, unless nobody asked for it or it came before.
    fn open(&mut self, document: &DocumentResponse) -> anyhow::Result<Option<Open<'a>>> {
        let repository = document.repository_unique_id.clone();
        let names = (repository, document.document_unique_id.clone());
        let Some(place) = self.places.remove(&names) else {
            return Ok(None);
        };
        // As any file that a program writes: the umask decides who may read it.
        let file = tempfile::Builder::new()
            .prefix(".hilum-")
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(&self.folder)
            .with_context(|| format!("{}: cannot be written into", self.folder.display()))?;
        Ok(Some(Open {
            place,
            file,
            size: 0,
            hash: Sha1::new(),
            progress: self.progress,
        }))
    }
}

/// A document that is coming.
struct Open<'a> {
    place: usize,
    file: NamedTempFile,
    size: u64,
    hash: Sha1,
    progress: &'a ProgressBar,
}

impl Open<'_> {
    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.file
            .write_all(bytes)
            .context("the content cannot be written")?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        self.progress.inc(bytes.len() as u64);
        Ok(())
    }

    fn finish(self, document: &DocumentResponse) -> Received {
        let hash = self.hash.finalize();
        Received {
            place: self.place,
            mime_type: document.mime_type.clone(),
            file: self.file.into_temp_path(),
            size: self.size,
            hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            new_unique_id: document.new_document_unique_id.clone(),
            new_repository: document.new_repository_unique_id.clone(),
        }
    }
}
