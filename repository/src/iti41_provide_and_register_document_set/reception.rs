//! The documents of a submission as they come: from attachments, or from the envelope.

use std::collections::{HashMap, VecDeque};
use std::io;

use hilum_transport::Attachments;
use tokio::task::JoinHandle;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::DocumentEntry;
use xds_schemas::mtom::Content;

use crate::blob_store::container::{SAID_BYTES, Said};
use crate::blob_store::{Arrival, BlobStore, Receiving};
use crate::failure::Failure;

/// Documents of one submission that are being made durable while the next ones come.
const SEALING: usize = 8;

/// Takes the document of each entry, in the order of the entries.
pub(super) async fn receive(
    store: &BlobStore,
    entries: &[DocumentEntry],
    contents: Vec<Content>,
    mut attachments: Attachments,
) -> Result<Vec<Arrival>, Failure> {
    let said = entries.iter().map(said).collect::<Result<Vec<_>, _>>()?;
    let mut reception = Reception {
        said: said.into_iter().map(Some).collect(),
        sealing: VecDeque::new(),
        arrivals: entries.iter().map(|_| None).collect(),
    };
    let mut expected = HashMap::new();
    for (at, content) in contents.into_iter().enumerate() {
        match content {
            Content::Inline(bytes) => {
                let mut receiving = store.receive();
                receiving.write(bytes.into()).await?;
                reception.seal(at, receiving).await?;
            }
            Content::Include(id) => {
                if expected.insert(id, at).is_some() {
                    let context = "two documents refer to the same attachment";
                    let error = RegistryError::error(ErrorCode::MissingDocument, context);
                    return Err(error.at(entries[at].entry_uuid.as_str()).into());
                }
            }
        }
    }
    while let Some(mut attachment) = attachments.next().await? {
        let Some(at) = expected.remove(attachment.content_id()) else {
            let context = "an attachment belongs to no document";
            let code = ErrorCode::MissingDocumentMetadata;
            let error = RegistryError::error(code, context).at(attachment.content_id());
            return Err(error.into());
        };
        let mut receiving = store.receive();
        while let Some(chunk) = attachment.chunk().await? {
            receiving.write(chunk).await?;
        }
        reception.seal(at, receiving).await?;
    }
    let missing = expected.into_values().map(|at| {
        let context = format!(
            "the attachment with the document {} is missing",
            entries[at].unique_id
        );
        RegistryError::error(ErrorCode::MissingDocument, context)
            .at(entries[at].entry_uuid.as_str())
    });
    let missing: Vec<RegistryError> = missing.collect();
    if !missing.is_empty() {
        return Err(Failure::Refused(missing));
    }
    Ok(reception.finish().await?)
}

fn said(entry: &DocumentEntry) -> Result<Said, Failure> {
    let said = Said {
        unique_id: entry.unique_id.0.clone(),
        entry_uuid: entry.entry_uuid.0.clone(),
        mime_type: entry.mime_type.clone(),
        patient_id: entry.patient_id.as_ref().map(ToString::to_string),
    };
    if said.fits() {
        return Ok(said);
    }
    let context = format!(
        "uniqueId, mimeType and patientId of {} are longer than {SAID_BYTES} bytes",
        entry.entry_uuid
    );
    let error = RegistryError::error(ErrorCode::RepositoryMetadataError, context);
    Err(error.at(entry.entry_uuid.as_str()).into())
}

/// Documents on their way to the disk.
struct Reception {
    /// What the entries say, until their documents have come.
    said: Vec<Option<Said>>,
    sealing: VecDeque<(usize, JoinHandle<io::Result<Arrival>>)>,
    arrivals: Vec<Option<Arrival>>,
}

impl Reception {
    /// Has the document of entry `at` made durable.
    async fn seal(&mut self, at: usize, receiving: Receiving) -> io::Result<()> {
        let said = self.said[at].take().expect("each entry has one document");
        self.sealing.push_back((at, receiving.seal(said).await?));
        if self.sealing.len() >= SEALING {
            self.sealed().await?;
        }
        Ok(())
    }

    /// Waits for the first of those that are being made durable.
    async fn sealed(&mut self) -> io::Result<()> {
        if let Some((at, sealing)) = self.sealing.pop_front() {
            let arrival = sealing.await.map_err(io::Error::other)??;
            self.arrivals[at] = Some(arrival);
        }
        Ok(())
    }

    async fn finish(mut self) -> io::Result<Vec<Arrival>> {
        while !self.sealing.is_empty() {
            self.sealed().await?;
        }
        Ok(self.arrivals.into_iter().flatten().collect())
    }
}
