//! ITI-57 Update Document Set: withdraw a manifest of which nothing is left.
//!
//! Asked by this source when all that a manifest lists was rejected (IHE Imaging Object Change
//! Management); answered by the Document Registry, which deprecates it.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-57.html>

use hilum_audit::{Event, Outcome, Parties, SubmissionSet as Recorded, Transaction};
use uuid::Uuid;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrim::Slot;
use xds_schemas::ebrs::SubmitObjectsRequest;
use xds_schemas::iti57_update_document_set::UpdateDocumentSet;
use xds_schemas::metadata::{
    Association, AssociationType, EntryUuid, PatientId, Submission, SubmissionSet,
};

use super::document_entry::utc;
use super::import::Importing;
use super::manifest::Manifest;
use crate::iti42_register_document_set::outcome;
use hilum_dicom::Uid;

/// Deprecates the version of a manifest's entry that is in force. The inner error says why the
/// registry did not.
pub(super) async fn withdraw(
    importing: &Importing<'_>,
    registry: &str,
    patient: &PatientId,
    manifest: &Manifest,
    current: &str,
) -> anyhow::Result<Result<(), String>> {
    let set_uid = Uid::from_uuid(Uuid::new_v4());
    let config = importing.config;
    let mut submission = Submission::new(SubmissionSet {
        content_type_code: Some(config.department.content_type_code.clone()),
        patient_id: Some(patient.clone()),
        submission_time: utc(importing.now),
        ..SubmissionSet::new(
            "SubmissionSet",
            set_uid.as_str(),
            config.repository_unique_id.as_str(),
        )
    });
    let kind = AssociationType::UpdateAvailabilityStatus;
    let mut trigger = Association::new(kind, "SubmissionSet", EntryUuid::from(current));
    trigger.extra.slots = vec![
        Slot::single("OriginalStatus", AvailabilityStatus::Approved.as_str()),
        Slot::single("NewStatus", AvailabilityStatus::Deprecated.as_str()),
    ];
    submission.associations.push(trigger);
    let request = SubmitObjectsRequest {
        slots: Vec::new(),
        objects: submission.to_ebrim(),
    };
    let sent = importing
        .client
        .send::<UpdateDocumentSet>(registry, &request, Vec::new());
    let (done, how) = match sent.await {
        Ok(answer) => {
            let how = outcome(answer.response.status, &answer.response.errors);
            let codes: Vec<&str> = answer
                .response
                .errors
                .iter()
                .map(|it| it.code.as_str())
                .collect();
            let done = match answer.response.status {
                ResponseStatus::Success => Ok(()),
                _ => Err(format!(
                    "manifest {} was not withdrawn: {}",
                    manifest.sop_instance_uid,
                    codes.join(" ")
                )),
            };
            (done, how)
        }
        Err(error) => (Err(error.to_string()), Outcome::Failure(error.to_string())),
    };
    let patient = patient.to_string();
    let set = Recorded {
        unique_id: set_uid.as_str(),
        patient: Some(&patient),
    };
    let event = Event::submitted(Transaction::Update, &Parties::asked(registry), set, &how);
    Ok(importing.audit.record(event, done).await?.into_inner())
}
