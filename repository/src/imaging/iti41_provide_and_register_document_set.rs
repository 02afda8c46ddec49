//! ITI-41 Provide and Register Document Set-b: hand in a volume.
//!
//! Asked by this source; answered by the Document Repository.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-41.html>

use hilum_audit::{Event, Parties, SubmissionSet};
use hilum_transport::{Part, PartSource};
use xds_schemas::ebrs::SubmitObjectsRequest;
use xds_schemas::iti41_provide_and_register_document_set::{
    Document, ProvideAndRegisterDocumentSet, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::metadata::Submission;
use xds_schemas::mtom::Content;

use super::import::Importing;
use super::rad68_provide_and_register_imaging_document_set::{self as rad68, Handover};

/// How the document is called within its message.
const CONTENT_ID: &str = "volume@hilum";

/// Hands a submission of one document in and records that.
pub(super) async fn send(
    importing: &Importing<'_>,
    submission: &Submission,
    document: PartSource,
) -> anyhow::Result<Handover> {
    let url = importing.repository;
    let entries = submission.document_entries.iter();
    let documents = entries.map(|entry| Document {
        id: entry.entry_uuid.to_string(),
        content: Content::Include(CONTENT_ID.to_owned()),
    });
    let mime_type = submission.document_entries.first().map(|it| &it.mime_type);
    let request = ProvideAndRegisterDocumentSetRequest {
        documents: documents.collect(),
        submit: SubmitObjectsRequest {
            slots: Vec::new(),
            objects: submission.to_ebrim(),
        },
    };
    let part = Part {
        content_id: CONTENT_ID.to_owned(),
        content_type: mime_type.cloned().unwrap_or_default(),
        source: document,
    };
    let answer = importing
        .client
        .send::<ProvideAndRegisterDocumentSet>(url, &request, vec![part]);
    let (sent, how) = match answer.await {
        Ok(answer) => rad68::judged(answer.response),
        Err(error) => rad68::unanswered(&error),
    };
    let patient = submission.submission_set.patient_id.as_ref();
    let patient = patient.map(ToString::to_string);
    let set = SubmissionSet {
        unique_id: submission.submission_set.unique_id.as_str(),
        patient: patient.as_deref(),
    };
    let event = Event::provided(&Parties::asked(url), set, &how);
    Ok(importing.audit.record(event, sent).await?.into_inner())
}
