//! `hilum remove --study`: a study of the node's imaging source goes, with all manifests that list it.
//!
//! First the registry forgets the manifests, so that nobody finds what is gone; then the repository
//! removes them; then the imaging source forgets the study and removes what was sent to it. Files in
//! folders that were imported are their owner's, and stay.

use anyhow::bail;
use hilum_audit::{Audit, Decided, Event, Outcome, Study, Subject};
use hilum_repository::imaging::removal::{Forgotten, KnownStudy, Removal};
use serde_json::json;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, DocumentFilter, FindDocuments, Pattern, StoredQuery,
};
use xds_schemas::iti43_retrieve_document_set::DocumentRequest;
use xds_schemas::metadata::{DocumentEntry, DocumentEntryType, PatientId, ReferenceId, UniqueId};
use xds_schemas::rad68_provide_and_register_imaging_document_set::{
    FORMAT_CODE, FORMAT_CODE_SCHEME,
};

use super::{documents, metadata};
use crate::client::Node;
use crate::query::{self, Question};
use crate::refusal;

/// What became of one study.
#[derive(Debug)]
pub(super) struct StudyRemoval {
    study: String,
    /// Objects that the registry has forgotten.
    objects: usize,
    /// Manifests that the repository has removed.
    manifests: usize,
    /// What the imaging source has forgotten; nothing if something was refused before.
    forgotten: Option<Forgotten>,
    pub(super) errors: Vec<RegistryError>,
}

/// Removes a study. What was removed before, when a removal was cut short, is not missed.
pub(super) async fn remove(
    node: &Node,
    ledger: &Audit,
    study: &str,
) -> anyhow::Result<StudyRemoval> {
    let imaging = Removal::open(&node.config.imaging_store())?;
    let Some(known) = imaging.study(study).await? else {
        bail!("study {study} is not in the imaging source of this node");
    };
    let mut removal = StudyRemoval {
        study: study.to_owned(),
        objects: 0,
        manifests: 0,
        forgotten: None,
        errors: Vec::new(),
    };
    let patient = known.patient_id.clone();
    let done = manifests_go(node, ledger, &imaging, known, &mut removal).await;
    if done.is_err() || !removal.errors.is_empty() {
        imaging.leave(study)?;
        return done.map(|()| removal);
    }
    let forgotten = imaging.forget(study);
    let event = recorded(node, study, patient.as_deref(), forgotten.as_ref().err());
    removal.forgotten = Some(ledger.record(event, forgotten).await?.into_inner()?);
    Ok(removal)
}

/// What is recorded of the removal: of the manifests, registry and repository record it.
fn recorded(
    node: &Node,
    study: &str,
    patient: Option<&str>,
    error: Option<&anyhow::Error>,
) -> Event {
    let study = Study {
        instance_uid: study.to_owned(),
        sop_classes: Vec::new(),
        repository_unique_id: node.config.imaging_unique_id(),
        home_community_id: None,
    };
    let outcome = match error {
        None => Outcome::Success,
        Some(error) => Outcome::Failure(format!("{error:#}")),
    };
    let subject = Subject::Study(&study, &[]);
    Event::images_decided(Decided::Removed, "hilum remove", patient, subject, &outcome)
}

/// A manifest that must go, and the repository where it is.
type Located = (String, String);

/// Has registry and repository remove the manifests. What the repository has to remove is remembered
/// before, since the registry does not know it any more afterwards.
async fn manifests_go(
    node: &Node,
    ledger: &Audit,
    imaging: &Removal,
    known: KnownStudy,
    removal: &mut StudyRemoval,
) -> anyhow::Result<()> {
    let mut going: Vec<Located> = match &known.begun {
        Some(begun) => serde_json::from_str(begun)?,
        None => Vec::new(),
    };
    let entries = manifests(node, ledger, &known, &removal.study).await?;
    let patient = entries.iter().find_map(|entry| entry.patient_id.as_ref());
    let patient = patient.map_or(known.patient_id, |patient| Some(patient.to_string()));
    for located in located(&entries) {
        if !going.contains(&located) {
            going.push(located);
        }
    }
    if going.is_empty() {
        return Ok(());
    }
    imaging.begin(&removal.study, &serde_json::to_string(&going)?)?;
    if !entries.is_empty() {
        match metadata::remove(node, ledger, &entries).await? {
            Ok(objects) => removal.objects = objects,
            Err(errors) => {
                removal.errors = errors;
                return Ok(());
            }
        }
    }
    let asked = going.len();
    let going = going
        .into_iter()
        .map(|(document, repository)| DocumentRequest {
            home_community_id: None,
            repository_unique_id: repository.as_str().into(),
            document_unique_id: document.as_str().into(),
        });
    let errors = documents::remove(node, ledger, going.collect(), patient.as_deref()).await?;
    removal.manifests = asked.saturating_sub(errors.len());
    let is_gone = |error: &RegistryError| error.code == ErrorCode::DocumentUniqueIdError;
    removal.errors = errors.into_iter().filter(|it| !is_gone(it)).collect();
    Ok(())
}

/// All versions of all manifests that list the study, in force or not, as far as they are this node's:
/// another source may have published the same study.
async fn manifests(
    node: &Node,
    ledger: &Audit,
    known: &KnownStudy,
    study: &str,
) -> anyhow::Result<Vec<DocumentEntry>> {
    let Some(manifest) = &known.manifest else {
        return Ok(Vec::new());
    };
    // The last one says whose it is now: patients may have been merged since it was handed in.
    let mut entries = super::entries(node, ledger, &UniqueId::from(manifest.as_str())).await?;
    let last = entries.first();
    let repository = last.and_then(|entry| entry.repository_unique_id.clone());
    let patient = last.and_then(|entry| entry.patient_id.clone());
    let patient = match (patient, &known.patient_id) {
        (Some(patient), _) => patient,
        (None, Some(patient)) => PatientId::parse(patient).map_err(anyhow::Error::msg)?,
        (None, None) => return Ok(entries),
    };
    let format = format!("{FORMAT_CODE}^^{FORMAT_CODE_SCHEME}");
    let reference = ReferenceId::study(study);
    let query = StoredQuery::FindDocumentsByReferenceId(FindDocuments {
        patient,
        statuses: vec![AvailabilityStatus::Approved, AvailabilityStatus::Deprecated],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            format_codes: AnyOf(vec![Pattern::exact(format)]),
            reference_ids: AllOf(vec![AnyOf(vec![Pattern::like(reference.to_string())])]),
            ..DocumentFilter::default()
        },
    });
    let question = Question::from(&query).with_versions();
    let found = query::find(node, ledger, &question).await?.documents;
    let own = node.config.repository_unique_id().map(Into::into);
    let repository = repository.or(own);
    for entry in found {
        let is_ours = repository.is_none() || entry.repository_unique_id == repository;
        let is_new = entries.iter().all(|it| it.entry_uuid != entry.entry_uuid);
        if is_ours && is_new && entry.reference_ids.contains(&reference) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Where the manifests are, each once.
fn located(entries: &[DocumentEntry]) -> Vec<Located> {
    let mut documents: Vec<Located> = Vec::new();
    for entry in entries {
        let Some(repository) = &entry.repository_unique_id else {
            continue;
        };
        let located = (entry.unique_id.to_string(), repository.to_string());
        if !documents.contains(&located) {
            documents.push(located);
        }
    }
    documents
}

impl StudyRemoval {
    pub(super) fn json(&self) -> serde_json::Value {
        json!({
            "studyInstanceUID": self.study,
            "objects": self.objects,
            "manifests": self.manifests,
            "instances": self.forgotten.as_ref().map(|it| it.instances),
            "files": self.forgotten.as_ref().map(|it| it.files),
            "errors": refusal::json(&self.errors),
        })
    }

    /// A row of the table: what was asked, metadata, documents and images.
    pub(super) fn row(&self) -> Vec<String> {
        let forgotten = self.forgotten.as_ref();
        let images = forgotten.map_or_else(String::new, |it| {
            format!(
                "; {} images forgotten, {} files removed",
                it.instances, it.files
            )
        });
        vec![
            self.study.clone(),
            format!("{} objects removed", self.objects),
            format!("{} manifests removed{images}", self.manifests),
        ]
    }
}
