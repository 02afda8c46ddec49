//! `hilum remove --study`: a study of the node's imaging source goes, with all manifests that list it.
//!
//! First the registry forgets the manifests, so that nobody finds what is gone; then the repository
//! removes them; then the imaging source forgets the study and removes what was sent to it. Files in
//! folders that were imported are their owner's, and stay.

use anyhow::bail;
use hilum_audit::Audit;
use hilum_repository::imaging::removal::{Forgotten, Removal};
use serde_json::json;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, DocumentFilter, FindDocuments, Pattern, StoredQuery,
};
use xds_schemas::iti43_retrieve_document_set::DocumentRequest;
use xds_schemas::metadata::{DocumentEntry, DocumentEntryType, PatientId, ReferenceId};
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

/// Removes a study.
pub(super) async fn remove(
    node: &Node,
    ledger: &Audit,
    study: &str,
) -> anyhow::Result<StudyRemoval> {
    let imaging = Removal::open(&node.config.imaging_store())?;
    let Some(known) = imaging.study(study)? else {
        bail!("study {study} is not in the imaging source of this node");
    };
    let mut removal = StudyRemoval {
        study: study.to_owned(),
        objects: 0,
        manifests: 0,
        forgotten: None,
        errors: Vec::new(),
    };
    if let Some(patient) = known.patient_id {
        let patient = PatientId::parse(&patient).map_err(anyhow::Error::msg)?;
        let entries = manifests(node, ledger, &patient, study).await?;
        if !entries.is_empty() {
            match metadata::remove(node, ledger, &entries).await? {
                Ok(objects) => removal.objects = objects,
                Err(errors) => {
                    removal.errors = errors;
                    return Ok(removal);
                }
            }
            let documents = located(&entries);
            let asked = documents.len();
            let patient = patient.to_string();
            let errors = documents::remove(node, ledger, documents, Some(&patient)).await?;
            removal.manifests = asked.saturating_sub(errors.len());
            removal.errors = errors;
        }
    }
    removal.forgotten = Some(imaging.forget(study)?);
    Ok(removal)
}

/// All versions of all manifests that list the study, in force or not.
async fn manifests(
    node: &Node,
    ledger: &Audit,
    patient: &PatientId,
    study: &str,
) -> anyhow::Result<Vec<DocumentEntry>> {
    let format = format!("{FORMAT_CODE}^^{FORMAT_CODE_SCHEME}");
    let reference = ReferenceId::study(study).to_string();
    let query = StoredQuery::FindDocumentsByReferenceId(FindDocuments {
        patient: patient.clone(),
        statuses: vec![AvailabilityStatus::Approved, AvailabilityStatus::Deprecated],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            format_codes: AnyOf(vec![Pattern::exact(format)]),
            reference_ids: AllOf(vec![AnyOf(vec![Pattern::like(reference)])]),
            ..DocumentFilter::default()
        },
    });
    let question = Question::from(&query).with_versions();
    Ok(query::find(node, ledger, &question).await?.documents)
}

/// Where the manifests are, each once.
fn located(entries: &[DocumentEntry]) -> Vec<DocumentRequest> {
    let mut documents: Vec<DocumentRequest> = Vec::new();
    for entry in entries {
        let Some(repository) = entry.repository_unique_id.clone() else {
            continue;
        };
        if documents
            .iter()
            .all(|it| it.document_unique_id != entry.unique_id)
        {
            documents.push(DocumentRequest {
                home_community_id: entry.home_community_id.clone(),
                repository_unique_id: repository,
                document_unique_id: entry.unique_id.clone(),
            });
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
