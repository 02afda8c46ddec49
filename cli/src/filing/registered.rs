//! What the registry has of a submission from elsewhere, and how the rest is called then.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::iti18_registry_stored_query::{ContentFilter, GetContents, Names, StoredQuery};
use xds_schemas::metadata::{
    AssociationType, DocumentEntry, EntryUuid, Folder, Submission, UniqueId,
};

use super::{Filed, Filing};
use crate::query::{self, Found, Question};
use crate::refusal::Refused;

impl Filing<'_> {
    /// Whether the registry has the submission set, with these documents and for this patient.
    pub(super) async fn known(&self, submission: &Submission) -> anyhow::Result<Option<Filed>> {
        let set = &submission.submission_set;
        let query = StoredQuery::GetSubmissionSetAndContents(GetContents {
            of: Names::UniqueIds(vec![set.unique_id.clone()]),
            filter: ContentFilter::default(),
        });
        // What was corrected since is still what was submitted.
        let question = Question::from(&query).with_versions();
        let found = query::find(self.node, self.ledger, &question).await?;
        let Some(there) = found.submission_sets.first() else {
            return Ok(None);
        };
        let id = &set.unique_id;
        if there.patient_id != set.patient_id {
            let reason = format!("submission set {id} is registered for another patient");
            return Ok(Some(Filed::Unsuitable(vec![reason])));
        }
        match same_documents(submission, &found) {
            true => Ok(Some(Filed::Known)),
            false => {
                let reason =
                    format!("submission set {id} is registered, but not with these documents");
                Ok(Some(Filed::Unsuitable(vec![reason])))
            }
        }
    }

    /// Those of the entryUUIDs under which document entries are registered.
    async fn registered(&self, uuids: Vec<EntryUuid>) -> anyhow::Result<Vec<EntryUuid>> {
        if uuids.is_empty() {
            return Ok(uuids);
        }
        let found = match self.documents(uuids.clone()).await {
            // The registry does not mix patients in one answer (ITI TF-2 3.18.4.1.3).
            Err(error) if is_mixed(&error) => {
                let mut all = Vec::new();
                for uuid in uuids {
                    all.extend(self.documents(vec![uuid]).await?);
                }
                all
            }
            found => found?,
        };
        Ok(found.into_iter().map(|entry| entry.entry_uuid).collect())
    }

    async fn documents(&self, uuids: Vec<EntryUuid>) -> anyhow::Result<Vec<DocumentEntry>> {
        let query = StoredQuery::GetDocuments(Names::EntryUuids(uuids));
        let found = query::find(self.node, self.ledger, &Question::from(&query)).await?;
        Ok(found.documents)
    }

    /// The registered folders that are called as folders of the submission are, by the names that the
    /// submission has for them.
    async fn folders(
        &self,
        submission: &Submission,
    ) -> anyhow::Result<BTreeMap<EntryUuid, EntryUuid>> {
        if submission.folders.is_empty() {
            return Ok(BTreeMap::new());
        }
        let unique_ids = submission.folders.iter().map(|it| it.unique_id.clone());
        let query = StoredQuery::GetFolders(Names::UniqueIds(unique_ids.collect()));
        let found = query::find(self.node, self.ledger, &Question::from(&query)).await?;
        let patient = &submission.submission_set.patient_id;
        let here = |folder: &Folder| {
            let mut there = found.folders.iter();
            let is_it =
                |it: &&Folder| it.unique_id == folder.unique_id && it.patient_id == *patient;
            there.find(is_it).map(|there| there.entry_uuid.clone())
        };
        let folders = submission.folders.iter();
        let pairs = folders.filter_map(|folder| Some((folder.entry_uuid.clone(), here(folder)?)));
        Ok(pairs.collect())
    }

    /// Fits a submission in with what is registered. Folders that are there already take the new
    /// documents; everything that would have a name twice gets another one.
    pub(super) async fn fit_in(&self, submission: &mut Submission) -> anyhow::Result<()> {
        let folders = self.folders(submission).await?;
        let entries = submission.document_entries.iter().map(|it| &it.entry_uuid);
        let uuids = entries.filter(|uuid| !uuid.is_symbolic()).cloned();
        let known = self.registered(uuids.collect()).await?;
        let fresh = || EntryUuid(Uuid::new_v4().urn().to_string());
        // To submission sets and associations, nothing outside of the submission refers.
        let set = submission.submission_set.entry_uuid.clone();
        let associations = submission.associations.iter().map(|it| &it.entry_uuid);
        let associations = associations
            .filter(|uuid| !uuid.as_str().is_empty())
            .cloned();
        let renamed: BTreeSet<EntryUuid> =
            known.into_iter().chain(associations).chain([set]).collect();
        let mut names: BTreeMap<EntryUuid, EntryUuid> =
            renamed.into_iter().map(|old| (old, fresh())).collect();
        let set = submission.submission_set.entry_uuid.clone();
        submission
            .folders
            .retain(|folder| !folders.contains_key(&folder.entry_uuid));
        submission.associations.retain(|it| {
            let is_membership = it.association_type == AssociationType::HasMember;
            !(is_membership && it.source == set && folders.contains_key(&it.target))
        });
        names.extend(folders);
        let rename = |id: &mut EntryUuid| {
            if let Some(name) = names.get(id) {
                id.clone_from(name);
            }
        };
        rename(&mut submission.submission_set.entry_uuid);
        for entry in &mut submission.document_entries {
            rename(&mut entry.entry_uuid);
        }
        for association in &mut submission.associations {
            rename(&mut association.entry_uuid);
            rename(&mut association.source);
            rename(&mut association.target);
        }
        Ok(())
    }
}

/// Whether the registry refused because the answer would concern several patients.
fn is_mixed(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| {
        let mut errors = refused.errors.iter();
        errors.any(|error| error.code == ErrorCode::ResultNotSinglePatient)
    })
}

/// Whether every document of the submission is among those that were found, byte for byte.
fn same_documents(submission: &Submission, found: &Found) -> bool {
    let facts = |id: &UniqueId, hash: &Option<String>| {
        let hash = hash.as_ref().map(|hash| hash.to_ascii_lowercase());
        (id.clone(), hash)
    };
    submission.document_entries.iter().all(|entry| {
        let wanted = facts(&entry.unique_id, &entry.hash);
        let mut there = found.documents.iter();
        there.any(|there| facts(&there.unique_id, &there.hash) == wanted)
    })
}
