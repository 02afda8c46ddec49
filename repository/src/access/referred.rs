//! Whether what is handed in refers to something of which the sender may not know.
//!
//! The registry is told of a submission by this repository, not by the sender, so it cannot see to that.

use hilum_security::Permission;
use hilum_security::access::{Described, Level};
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti18_registry_stored_query::{ContentFilter, GetContents, Names, StoredQuery};
use xds_schemas::metadata::{DocumentEntry, DocumentEntryType, EntryUuid};

use super::Guard;
use crate::iti18_registry_stored_query as iti18;

impl Guard<'_> {
    /// Those of these objects of which the caller may not know: documents, and folders and submission sets
    /// with nothing in them but such documents. All of them, if the registry does not say what they are.
    pub(crate) async fn hidden(&mut self, uuids: Vec<EntryUuid>) -> Vec<EntryUuid> {
        let mut hidden = Vec::new();
        let mut others = uuids.clone();
        for entry in self.documents_among(&uuids).await {
            others.retain(|it| !it.as_str().eq_ignore_ascii_case(entry.entry_uuid.as_str()));
            if !self.may_know(&entry).await {
                hidden.push(entry.entry_uuid);
            }
        }
        for uuid in others {
            let mut is_hidden = false;
            for entry in self.inside(&uuid).await {
                is_hidden = !self.may_know(&entry).await;
                if !is_hidden {
                    break;
                }
            }
            if is_hidden {
                hidden.push(uuid);
            }
        }
        match self.in_the_dark {
            true => uuids,
            false => hidden,
        }
    }

    async fn documents_among(&mut self, uuids: &[EntryUuid]) -> Vec<DocumentEntry> {
        let everything = &iti18::EVERYTHING;
        let together = self.ask_for(Names::EntryUuids(uuids.to_vec()), everything);
        if let Some(entries) = together.await {
            return entries;
        }
        let mut entries = Vec::new();
        for uuid in uuids {
            let one = self.ask_for(Names::EntryUuids(vec![uuid.clone()]), everything);
            entries.extend(one.await.unwrap_or_default());
        }
        entries
    }

    /// The documents in a folder or submission set.
    async fn inside(&mut self, uuid: &EntryUuid) -> Vec<DocumentEntry> {
        let contents = || GetContents {
            of: Names::EntryUuids(vec![uuid.clone()]),
            filter: ContentFilter {
                entry_types: vec![DocumentEntryType::Stable, DocumentEntryType::OnDemand],
                ..ContentFilter::default()
            },
        };
        let mut entries = Vec::new();
        for query in [
            StoredQuery::GetFolderAndContents(contents()),
            StoredQuery::GetSubmissionSetAndContents(contents()),
        ] {
            let found = self.put((&query, &iti18::EVERYTHING)).await;
            entries.extend(found.unwrap_or_default());
        }
        entries
    }

    /// As the registry sees it: of a version that was superseded knows who knows of the newest one, too.
    async fn may_know(&mut self, entry: &DocumentEntry) -> bool {
        if !self.may_know_version(entry).await {
            return false;
        }
        if entry.availability_status == Some(AvailabilityStatus::Approved) {
            return true;
        }
        let logical = entry.logical_id.as_ref().unwrap_or(&entry.entry_uuid);
        let everything = &iti18::EVERYTHING;
        let versions = self.ask_for(Names::LogicalIds(vec![logical.clone()]), everything);
        let number = |it: &DocumentEntry| it.version.as_deref().map_or(Ok(1), str::parse::<u64>);
        let newest = versions.await.unwrap_or_default();
        match newest.iter().max_by_key(|it| number(it).unwrap_or(1)) {
            Some(newest) => self.may_know_version(newest).await,
            None => true,
        }
    }

    async fn may_know_version(&mut self, entry: &DocumentEntry) -> bool {
        let described = Described::of(entry);
        let decision = self.decide(Permission::Provide, &described);
        decision.await.is_some_and(|it| it.level >= Level::Metadata)
    }
}
