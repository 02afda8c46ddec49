//! RAD-68 Provide and Register Imaging Document Set: hand in the manifest of a study.
//!
//! Asked by this source; answered by the Document Repository.
//! <https://www.ihe.net/resources/technical_frameworks/#radiology> (RAD TF-2: 4.68)

use bytes::Bytes;
use hilum_audit::{Event, Outcome, Parties, SubmissionSet};
use hilum_transport::{ClientError, Part, PartSource};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{RegistryError, RegistryResponse, SubmitObjectsRequest};
use xds_schemas::iti41_provide_and_register_document_set::{
    Document, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::metadata::PatientId;
use xds_schemas::mtom::Content;
use xds_schemas::rad68_provide_and_register_imaging_document_set::{
    MIME_TYPE, ProvideAndRegisterImagingDocumentSet,
};
use xds_schemas::soap::FaultCode;

use super::document_entry::{document_entry, submission};
use super::import::Importing;
use super::manifest::Manifest;
use crate::iti42_register_document_set::outcome;
use hilum_dicom::scan::Study;

/// How the manifest is called within its message.
const CONTENT_ID: &str = "manifest@hilum";

/// What became of a manifest.
#[derive(Debug)]
pub(super) enum Handover {
    /// It is registered; the repository may have remarked something.
    Registered(Vec<RegistryError>),
    /// It is not registered, for these reasons.
    Refused(Vec<RegistryError>),
    /// It was not sent.
    NotSent(String),
    /// It may be registered or not.
    Unknown(String),
}

/// Hands a manifest in and records that.
pub(super) async fn send(
    importing: &Importing<'_>,
    patient: &PatientId,
    study: &Study,
    manifest: &Manifest,
) -> anyhow::Result<Handover> {
    let (config, url) = (importing.config, importing.repository);
    let document = manifest.document(config, study)?;
    let entry = document_entry(config, importing.codes, patient, study, manifest, &document);
    let request = ProvideAndRegisterDocumentSetRequest {
        documents: vec![Document {
            id: entry.entry_uuid.to_string(),
            content: Content::Include(CONTENT_ID.to_owned()),
        }],
        submit: SubmitObjectsRequest {
            slots: Vec::new(),
            objects: submission(config, entry, manifest).to_ebrim(),
        },
    };
    let part = Part {
        content_id: CONTENT_ID.to_owned(),
        content_type: MIME_TYPE.to_owned(),
        source: PartSource::Bytes(Bytes::from(document)),
    };
    let answer = importing
        .client
        .send::<ProvideAndRegisterImagingDocumentSet>(url, &request, vec![part]);
    let (sent, how) = match answer.await {
        Ok(answer) => judged(answer.response),
        Err(error) => unanswered(&error),
    };
    let patient = patient.to_string();
    let set = SubmissionSet {
        unique_id: manifest.submission_set_uid.as_str(),
        patient: Some(&patient),
    };
    let event = Event::imaging_provided(&Parties::asked(url), set, &how);
    Ok(importing.audit.record(event, sent).await?.into_inner())
}

pub(super) fn judged(response: RegistryResponse) -> (Handover, Outcome) {
    let how = outcome(response.status, &response.errors);
    let sent = match response.status {
        ResponseStatus::Success => Handover::Registered(response.errors),
        ResponseStatus::Failure => Handover::Refused(response.errors),
        // ITI TF-3 4.2.4.2: a submission is registered whole or not at all.
        ResponseStatus::PartialSuccess => Handover::Unknown(
            "the repository answered with PartialSuccess, which means nothing here".to_owned(),
        ),
    };
    (sent, how)
}

pub(super) fn unanswered(error: &ClientError) -> (Handover, Outcome) {
    let text = error.to_string();
    let how = Outcome::Failure(text.clone());
    let sent = match error {
        ClientError::Url { .. } | ClientError::Unreachable { sent: false, .. } => {
            Handover::NotSent(text)
        }
        ClientError::Fault { fault, .. } if fault.code != FaultCode::Receiver => {
            Handover::Refused(vec![RegistryError::error(ErrorCode::RepositoryError, text)])
        }
        _ => Handover::Unknown(text),
    };
    (sent, how)
}
