//! The documents of a submission as they come: from attachments, or from the envelope.

use std::collections::HashMap;

use hilum_transport::Attachments;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::DocumentEntry;
use xds_schemas::mtom::Content;

use crate::blob_store::Measured;
use crate::failure::Failure;
use crate::recipient::inbox::Arriving;

/// Takes the document of each entry into its file, and gives hash and size of each in the order of
/// the entries.
pub(super) async fn receive(
    arriving: &Arriving,
    entries: &[DocumentEntry],
    files: &[String],
    contents: Vec<Content>,
    mut attachments: Attachments,
) -> Result<Vec<Measured>, Failure> {
    let mut measured: Vec<Option<Measured>> = entries.iter().map(|_| None).collect();
    let mut expected = HashMap::new();
    for (at, content) in contents.into_iter().enumerate() {
        match content {
            Content::Inline(bytes) => {
                let mut file = arriving.file(&files[at]);
                file.write(bytes.into()).await?;
                measured[at] = Some(file.close(arriving.place_of(&files[at])).await?);
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
            let error = RegistryError::error(code, context);
            return Err(error.at(attachment.content_id()).into());
        };
        let mut file = arriving.file(&files[at]);
        while let Some(chunk) = attachment.chunk().await? {
            file.write(chunk).await?;
        }
        measured[at] = Some(file.close(arriving.place_of(&files[at])).await?);
    }
    let missing = expected.into_values().map(|at| {
        let context = format!(
            "the attachment with the document {} is missing",
            entries[at].unique_id
        );
        let error = RegistryError::error(ErrorCode::MissingDocument, context);
        error.at(entries[at].entry_uuid.as_str())
    });
    let missing: Vec<RegistryError> = missing.collect();
    match missing.is_empty() {
        true => Ok(measured.into_iter().flatten().collect()),
        false => Err(Failure::Refused(missing)),
    }
}
