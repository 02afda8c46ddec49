//! ITI-61 Register On-Demand Document Entry: a summary becomes known.
//!
//! Asked by this source, in whichever process makes a summary known; answered by the Document
//! Registry. A patient has one imaging summary in a repository; it is registered once.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-61.html>

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use hilum_audit::{Audit, Event, Outcome, Parties, SubmissionSet as Audited, Transaction};
use hilum_transport::Client;
use uuid::Uuid;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrim::InternationalString;
use xds_schemas::ebrs::{RegistryError, SubmitObjectsRequest};
use xds_schemas::iti18_registry_stored_query::{DocumentFilter, FindDocuments, StoredQuery};
use xds_schemas::iti61_register_on_demand_document_entry::RegisterOnDemandDocumentEntry;
use xds_schemas::metadata::{
    Code, DocumentEntry, DocumentEntryType, PatientId, RepositoryUniqueId, Submission,
    SubmissionSet, Timestamp, UniqueId,
};

use super::{MIME_TYPE, bundle, names};
use crate::imaging::Department;
use crate::iti18_registry_stored_query::{self as iti18, Silence};
use crate::iti42_register_document_set::outcome;

/// What it takes to make a summary known.
#[derive(Debug, Clone, Copy)]
pub struct Registering<'a> {
    /// The repository that makes the summary.
    pub repository_unique_id: &'a RepositoryUniqueId,
    /// Codes of the entry that the summary does not decide itself.
    pub department: &'a Department,
    /// `formatCode`.
    pub format_code: &'a Code,
    /// The URL of the registry.
    pub registry: &'a str,
    /// How to reach it.
    pub client: &'a Client,
    /// Where to record what was sent.
    pub audit: &'a Audit,
    /// When this happens.
    pub now: SystemTime,
}

/// What became of it.
#[derive(Debug)]
pub enum Fate {
    /// The patient has a summary now, of this uniqueId.
    Registered(UniqueId),
    /// The patient had one already.
    Known(UniqueId),
    /// The registry did not take it, for these reasons.
    Refused(Vec<RegistryError>),
}

/// Makes a patient's imaging summary known, unless it is.
///
/// # Errors
/// If the registry gives no answer (a [`ClientError`](hilum_transport::ClientError)), or something
/// cannot be recorded.
pub async fn register(
    registering: &Registering<'_>,
    patient: &PatientId,
    title: Option<&str>,
) -> anyhow::Result<Fate> {
    match known(registering, patient).await? {
        Ok(Some(unique_id)) => return Ok(Fate::Known(unique_id)),
        Ok(None) => {}
        Err(errors) => return Ok(Fate::Refused(errors)),
    }
    let entry = entry(registering, patient, title);
    let unique_id = entry.unique_id.clone();
    let submission = submission(registering, entry);
    let refused = send(registering, patient, &submission).await?;
    Ok(match refused {
        Some(errors) => Fate::Refused(errors),
        None => Fate::Registered(unique_id),
    })
}

/// The summary that the patient has already; the inner error is the registry's.
async fn known(
    registering: &Registering<'_>,
    patient: &PatientId,
) -> anyhow::Result<Result<Option<UniqueId>, Vec<RegistryError>>> {
    let query = StoredQuery::FindDocuments(FindDocuments {
        patient: patient.clone(),
        statuses: vec![AvailabilityStatus::Approved],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::OnDemand],
            ..DocumentFilter::default()
        },
    });
    let registry = (registering.client, registering.registry);
    let (found, event) = iti18::send(
        registry,
        None,
        (&query, &iti18::USUAL),
        &[&patient.to_string()],
    )
    .await;
    let found = registering.audit.record(event, found).await?.into_inner();
    let objects = match found {
        Ok(objects) => objects,
        Err(Silence::Refused(errors)) => return Ok(Err(errors)),
        Err(Silence::Away(error)) => return Err(error.into()),
    };
    let here = Some(registering.repository_unique_id);
    let ours = iti18::document_entries(&objects)
        .filter(|entry| entry.repository_unique_id.as_ref() == here)
        .find(|entry| names::is_on_demand(&entry.unique_id));
    Ok(Ok(ours.map(|entry| entry.unique_id)))
}

/// The on-demand entry: it describes no content, so it has no creationTime, hash and size
/// (ITI TF-2 3.61.4.1.2).
fn entry(registering: &Registering<'_>, patient: &PatientId, title: Option<&str>) -> DocumentEntry {
    let department = registering.department;
    DocumentEntry {
        entry_type: DocumentEntryType::OnDemand,
        title: Some(InternationalString::of(title.unwrap_or(bundle::TITLE))),
        class_code: Some(department.class_code.clone()),
        confidentiality_codes: vec![department.confidentiality_code.clone()],
        format_code: Some(registering.format_code.clone()),
        healthcare_facility_type_code: Some(department.healthcare_facility_type_code.clone()),
        practice_setting_code: Some(department.practice_setting_code.clone()),
        type_code: Some(department.type_code.clone()),
        language_code: Some(department.language_code.clone()),
        patient_id: Some(patient.clone()),
        source_patient_id: Some(patient.clone()),
        repository_unique_id: Some(registering.repository_unique_id.clone()),
        ..DocumentEntry::new("Summary", names::new_imaging_summary(), MIME_TYPE)
    }
}

fn submission(registering: &Registering<'_>, entry: DocumentEntry) -> Submission {
    let now = registering.now.duration_since(UNIX_EPOCH);
    let now = Timestamp::from_unix(now.unwrap_or_default().as_secs());
    let unique_id = format!("2.25.{}", Uuid::new_v4().as_u128());
    let mut submission = Submission::new(SubmissionSet {
        title: entry.title.clone(),
        content_type_code: Some(registering.department.content_type_code.clone()),
        patient_id: entry.patient_id.clone(),
        submission_time: Some(now),
        ..SubmissionSet::new(
            "SubmissionSet",
            unique_id,
            registering.repository_unique_id.as_str(),
        )
    });
    submission.add_document(entry);
    submission
}

/// Sends it and records that; gives the reasons if it was refused.
async fn send(
    registering: &Registering<'_>,
    patient: &PatientId,
    submission: &Submission,
) -> anyhow::Result<Option<Vec<RegistryError>>> {
    let url = registering.registry;
    let request = SubmitObjectsRequest {
        slots: Vec::new(),
        objects: submission.to_ebrim(),
    };
    let answer = registering
        .client
        .send::<RegisterOnDemandDocumentEntry>(url, &request, Vec::new())
        .await;
    let how = match &answer {
        Ok(answer) => outcome(answer.response.status, &answer.response.errors),
        Err(error) => Outcome::Failure(error.to_string()),
    };
    let patient = patient.to_string();
    let set = Audited {
        unique_id: submission.submission_set.unique_id.as_str(),
        patient: Some(&patient),
    };
    let transaction = Transaction::RegisterOnDemand;
    let event = Event::submitted(transaction, &Parties::asked(url), set, &how);
    let answer = registering.audit.record(event, answer).await?.into_inner();
    let response = answer
        .context("the summary may be registered or not; to ask again does no harm")?
        .response;
    let is_registered = response.status == ResponseStatus::Success;
    Ok((!is_registered).then_some(response.errors))
}
