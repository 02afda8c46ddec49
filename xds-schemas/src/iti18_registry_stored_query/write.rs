//! From a [`StoredQuery`] to slots, for those who ask.

use super::parameters::slot;
use super::{
    AllOf, AnyOf, ContentFilter, DocumentFilter, FindDocuments, GetAll, Names, Pattern, QueryKind,
    StoredQuery, syntax,
};
use crate::codes::ebrim_uuids::object_type;
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::Slot;
use crate::ebrs::{AdhocQueryRequest, ReturnType};
use crate::metadata::timestamp::TimeRange;
use crate::metadata::{DocumentEntryType, EntryUuid, UniqueId};

impl StoredQuery {
    /// The query as it is asked; [`StoredQuery::read`] gives it back.
    pub fn to_request(&self, return_type: ReturnType) -> AdhocQueryRequest {
        let mut slots = Slots(Vec::new());
        match self {
            Self::FindDocuments(query) | Self::FindDocumentsByReferenceId(query) => {
                slots.find_documents(query);
            }
            Self::FindSubmissionSets(query) => {
                slots.one(slot::SS_PATIENT, &query.patient.to_string());
                slots.statuses(slot::SS_STATUS, &query.statuses);
                slots.any_of(slot::SOURCE_ID, &query.source_ids);
                slots.time_range(
                    slot::SUBMISSION_FROM,
                    slot::SUBMISSION_TO,
                    &query.submission_time,
                );
                for person in &query.author_person.0 {
                    slots.one(slot::SS_AUTHOR, person.as_str());
                }
                slots.any_of(slot::CONTENT_TYPE, &query.content_type_codes);
            }
            Self::FindFolders(query) => {
                slots.one(slot::FD_PATIENT, &query.patient.to_string());
                slots.statuses(slot::FD_STATUS, &query.statuses);
                slots.time_range(slot::UPDATE_FROM, slot::UPDATE_TO, &query.last_update_time);
                slots.all_of(slot::FD_CODES, &query.codes);
            }
            Self::GetAll(query) => slots.get_all(query),
            Self::GetDocuments(names) | Self::GetDocumentsAndAssociations(names) => {
                slots.names(slot::DE_UUID, slot::DE_UNIQUE_ID, names);
            }
            Self::GetFolders(names) => slots.names(slot::FD_UUID, slot::FD_UNIQUE_ID, names),
            Self::GetAssociations(uuids) | Self::GetSubmissionSets(uuids) => {
                slots.list(slot::UUID, uuids.iter().map(EntryUuid::as_str));
            }
            Self::GetSubmissionSetAndContents(query) => {
                slots.name(slot::SS_UUID, slot::SS_UNIQUE_ID, &query.of);
                slots.content_filter(&query.filter);
            }
            Self::GetFolderAndContents(query) => {
                slots.name(slot::FD_UUID, slot::FD_UNIQUE_ID, &query.of);
                slots.content_filter(&query.filter);
            }
            Self::GetFoldersForDocument(names) => {
                slots.name(slot::DE_UUID, slot::DE_UNIQUE_ID, names);
            }
            Self::GetRelatedDocuments(query) => {
                slots.name(slot::DE_UUID, slot::DE_UNIQUE_ID, &query.of);
                let types = query.association_types.iter().map(|one| one.as_str());
                slots.list(slot::ASSOCIATION_TYPES, types);
                slots.entry_types(&query.entry_types);
            }
        }
        AdhocQueryRequest {
            return_type,
            id: QueryKind::id(self.kind()).to_owned(),
            home: None,
            slots: slots.0,
        }
    }
}

struct Slots(Vec<Slot>);

impl Slots {
    fn find_documents(&mut self, query: &FindDocuments) {
        self.one(slot::DE_PATIENT, &query.patient.to_string());
        self.statuses(slot::DE_STATUS, &query.statuses);
        let DocumentFilter {
            entry_types,
            class_codes,
            type_codes,
            practice_setting_codes,
            healthcare_facility_type_codes,
            format_codes,
            event_codes,
            confidentiality_codes,
            author_persons,
            reference_ids,
            creation_time,
            service_start_time,
            service_stop_time,
        } = &query.filter;
        self.entry_types(entry_types);
        self.any_of(slot::CLASS_CODE, class_codes);
        self.any_of(slot::TYPE_CODE, type_codes);
        self.any_of(slot::PRACTICE_SETTING_CODE, practice_setting_codes);
        self.any_of(slot::FACILITY_TYPE_CODE, healthcare_facility_type_codes);
        self.any_of(slot::FORMAT_CODE, format_codes);
        self.all_of(slot::EVENT_CODES, event_codes);
        self.all_of(slot::CONFIDENTIALITY_CODE, confidentiality_codes);
        self.any_of(slot::DE_AUTHOR, author_persons);
        self.all_of(slot::REFERENCE_IDS, reference_ids);
        self.time_range(slot::CREATION_FROM, slot::CREATION_TO, creation_time);
        self.time_range(
            slot::SERVICE_START_FROM,
            slot::SERVICE_START_TO,
            service_start_time,
        );
        self.time_range(
            slot::SERVICE_STOP_FROM,
            slot::SERVICE_STOP_TO,
            service_stop_time,
        );
    }

    fn get_all(&mut self, query: &GetAll) {
        self.one(slot::PATIENT, &query.patient.to_string());
        self.statuses(slot::DE_STATUS, &query.document_entry_statuses);
        self.statuses(slot::SS_STATUS, &query.submission_set_statuses);
        self.statuses(slot::FD_STATUS, &query.folder_statuses);
        self.content_filter(&query.filter);
    }

    fn content_filter(&mut self, filter: &ContentFilter) {
        self.entry_types(&filter.entry_types);
        self.any_of(slot::FORMAT_CODE, &filter.format_codes);
        self.all_of(slot::CONFIDENTIALITY_CODE, &filter.confidentiality_codes);
    }

    fn one(&mut self, name: &str, value: &str) {
        self.0.push(Slot::single(name, syntax::quoted(value)));
    }

    fn list<'v>(&mut self, name: &str, values: impl Iterator<Item = &'v str>) {
        self.0.push(Slot::single(name, syntax::list(values)));
    }

    fn statuses(&mut self, name: &str, statuses: &[AvailabilityStatus]) {
        self.list(name, statuses.iter().map(|status| status.as_str()));
    }

    /// What is asked for by default is not written.
    fn entry_types(&mut self, types: &[DocumentEntryType]) {
        if types == [DocumentEntryType::Stable] || types.is_empty() {
            return;
        }
        let uuid = |one: &DocumentEntryType| match one {
            DocumentEntryType::Stable => object_type::STABLE,
            DocumentEntryType::OnDemand => object_type::ON_DEMAND,
        };
        self.list(slot::DE_TYPE, types.iter().map(uuid));
    }

    fn any_of(&mut self, name: &str, any: &AnyOf) {
        if !any.is_empty() {
            self.list(name, any.0.iter().map(Pattern::as_str));
        }
    }

    fn all_of(&mut self, name: &str, all: &AllOf) {
        all.0.iter().for_each(|any| self.any_of(name, any));
    }

    /// Times are numbers, which have no quotes.
    fn time_range(&mut self, from: &str, to: &str, range: &TimeRange) {
        for (name, time) in [(from, &range.from), (to, &range.to)] {
            if let Some(time) = time {
                self.0.push(Slot::single(name, time.as_str()));
            }
        }
    }

    fn names(&mut self, by_uuid: &str, by_unique_id: &str, names: &Names) {
        match names {
            Names::EntryUuids(uuids) => self.list(by_uuid, uuids.iter().map(EntryUuid::as_str)),
            Names::UniqueIds(ids) => self.list(by_unique_id, ids.iter().map(UniqueId::as_str)),
        }
    }

    /// The same where only one name may be given.
    fn name(&mut self, by_uuid: &str, by_unique_id: &str, names: &Names) {
        match names {
            Names::EntryUuids(uuids) => {
                uuids
                    .iter()
                    .for_each(|uuid| self.one(by_uuid, uuid.as_str()));
            }
            Names::UniqueIds(ids) => ids
                .iter()
                .for_each(|id| self.one(by_unique_id, id.as_str())),
        }
    }
}
