//! From a [`StoredQuery`] to slots, for those who ask.

use super::parameters::slot;
use super::{
    AllOf, AnyOf, ContentFilter, DocumentFilter, FindDocuments, FindImaging, GetAll, MetadataLevel,
    Names, Pattern, QueryKind, StoredQuery, Visibility, syntax,
};
use crate::codes::ebrim_uuids::object_type;
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::Slot;
use crate::ebrs::{AdhocQueryRequest, ReturnType};
use crate::metadata::timestamp::TimeRange;
use crate::metadata::{DocumentEntryType, EntryUuid, PatientId, UniqueId};

impl StoredQuery {
    /// The query as it is asked; [`StoredQuery::read`] gives it back.
    pub fn to_request(&self, return_type: ReturnType) -> AdhocQueryRequest {
        self.to_visible_request(return_type, &Visibility::default())
    }

    /// The same with how much it may see; [`StoredQuery::read_visible`] gives both back.
    pub fn to_visible_request(
        &self,
        return_type: ReturnType,
        visibility: &Visibility,
    ) -> AdhocQueryRequest {
        let mut slots = Slots(Vec::new());
        slots.query(self);
        if visibility.level == MetadataLevel::Two {
            slots.0.push(Slot::single(slot::METADATA_LEVEL, "2"));
        }
        if !visibility.association_statuses.is_empty() {
            slots.statuses(slot::ASSOCIATION_STATUS, &visibility.association_statuses);
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
    fn query(&mut self, query: &StoredQuery) {
        match query {
            StoredQuery::FindDocuments(query) | StoredQuery::FindDocumentsByReferenceId(query) => {
                self.find_documents(query);
            }
            StoredQuery::FindDocumentsExclude(query, unwanted) => {
                self.find_documents(query);
                self.excluded(unwanted);
            }
            StoredQuery::FindDocumentsForMultiplePatients(query)
            | StoredQuery::FindDocumentsByReferenceIdForMultiplePatients(query) => {
                self.patients(slot::DE_PATIENT, &query.patients);
                self.statuses(slot::DE_STATUS, &query.statuses);
                self.document_filter(&query.filter);
            }
            StoredQuery::FindFoldersForMultiplePatients(query) => {
                self.patients(slot::FD_PATIENT, &query.patients);
                self.folders(&query.statuses, &query.last_update_time, &query.codes);
            }
            StoredQuery::FindDocumentsByAcquisition(query)
            | StoredQuery::FindDocumentsByMeasurement(query)
            | StoredQuery::FindDocumentsBySpecimen(query)
            | StoredQuery::FindDocumentsForCohort(query) => self.imaging(query),
            StoredQuery::FindSubmissionSets(query) => {
                self.one(slot::SS_PATIENT, &query.patient.to_string());
                self.statuses(slot::SS_STATUS, &query.statuses);
                self.any_of(slot::SOURCE_ID, &query.source_ids);
                self.time_range(
                    slot::SUBMISSION_FROM,
                    slot::SUBMISSION_TO,
                    &query.submission_time,
                );
                for person in &query.author_person.0 {
                    self.one(slot::SS_AUTHOR, person.as_str());
                }
                self.any_of(slot::CONTENT_TYPE, &query.content_type_codes);
            }
            StoredQuery::FindFolders(query) => {
                self.one(slot::FD_PATIENT, &query.patient.to_string());
                self.folders(&query.statuses, &query.last_update_time, &query.codes);
            }
            StoredQuery::GetAll(query) => self.get_all(query),
            StoredQuery::GetDocuments(names) | StoredQuery::GetDocumentsAndAssociations(names) => {
                self.names(DOCUMENTS, names);
            }
            StoredQuery::GetFolders(names) => self.names(FOLDERS, names),
            StoredQuery::GetAssociations(uuids) | StoredQuery::GetSubmissionSets(uuids) => {
                self.list(slot::UUID, uuids.iter().map(EntryUuid::as_str));
            }
            StoredQuery::GetSubmissionSetAndContents(query) => {
                self.name(SUBMISSION_SETS, &query.of);
                self.content_filter(&query.filter);
            }
            StoredQuery::GetFolderAndContents(query) => {
                self.name(FOLDERS, &query.of);
                self.content_filter(&query.filter);
            }
            StoredQuery::GetFoldersForDocument(names) => {
                self.name(DOCUMENTS, names);
            }
            StoredQuery::GetRelatedDocuments(query) => {
                self.name(DOCUMENTS, &query.of);
                let types = query.association_types.iter().map(|one| one.as_str());
                self.list(slot::ASSOCIATION_TYPES, types);
                self.entry_types(&query.entry_types);
            }
        }
    }

    fn find_documents(&mut self, query: &FindDocuments) {
        self.one(slot::DE_PATIENT, &query.patient.to_string());
        self.statuses(slot::DE_STATUS, &query.statuses);
        self.document_filter(&query.filter);
    }

    fn imaging(&mut self, query: &FindImaging) {
        self.patients(slot::DE_PATIENT, &query.patients);
        self.statuses(slot::DE_STATUS, &query.statuses);
        self.document_filter(&query.filter);
        self.conditions(slot::ACQUISITION, &query.acquisition);
        self.conditions(slot::MEASUREMENT, &query.measurements);
        self.all_of(slot::SPECIMEN, &query.specimens);
    }

    fn conditions(&mut self, name: &str, slots: &[Vec<impl ToString>]) {
        for conditions in slots.iter().filter(|conditions| !conditions.is_empty()) {
            let written: Vec<String> = conditions.iter().map(ToString::to_string).collect();
            self.list(name, written.iter().map(String::as_str));
        }
    }

    fn document_filter(&mut self, filter: &DocumentFilter) {
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
            availabilities,
        } = filter;
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
        if !availabilities.is_empty() {
            let urns = availabilities.iter().map(|one| one.as_str());
            self.list(slot::DE_AVAILABILITY, urns);
        }
    }

    fn excluded(&mut self, unwanted: &DocumentFilter) {
        self.any_of(slot::NOT_CLASS_CODE, &unwanted.class_codes);
        self.any_of(slot::NOT_TYPE_CODE, &unwanted.type_codes);
        let settings = &unwanted.practice_setting_codes;
        self.any_of(slot::NOT_PRACTICE_SETTING_CODE, settings);
        let facilities = &unwanted.healthcare_facility_type_codes;
        self.any_of(slot::NOT_FACILITY_TYPE_CODE, facilities);
        self.any_of(slot::NOT_FORMAT_CODE, &unwanted.format_codes);
        self.all_of(slot::NOT_EVENT_CODES, &unwanted.event_codes);
        let confidentiality = &unwanted.confidentiality_codes;
        self.all_of(slot::NOT_CONFIDENTIALITY_CODE, confidentiality);
        self.any_of(slot::NOT_DE_AUTHOR, &unwanted.author_persons);
        self.all_of(slot::NOT_REFERENCE_IDS, &unwanted.reference_ids);
    }

    fn folders(&mut self, statuses: &[AvailabilityStatus], updated: &TimeRange, codes: &AllOf) {
        self.statuses(slot::FD_STATUS, statuses);
        self.time_range(slot::UPDATE_FROM, slot::UPDATE_TO, updated);
        self.all_of(slot::FD_CODES, codes);
    }

    fn patients(&mut self, name: &str, patients: &[PatientId]) {
        if !patients.is_empty() {
            let ids: Vec<String> = patients.iter().map(ToString::to_string).collect();
            self.list(name, ids.iter().map(String::as_str));
        }
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

    fn names(&mut self, by: By, names: &Names) {
        let (name, values) = by.of(names);
        self.list(name, values.into_iter());
    }

    /// The same where only one name may be given.
    fn name(&mut self, by: By, names: &Names) {
        let (name, values) = by.of(names);
        for value in values {
            self.one(name, value);
        }
    }
}

/// The parameters by which objects of one kind are named.
#[derive(Clone, Copy)]
struct By {
    uuid: &'static str,
    unique_id: &'static str,
    logical_id: &'static str,
}

const DOCUMENTS: By = By {
    uuid: slot::DE_UUID,
    unique_id: slot::DE_UNIQUE_ID,
    logical_id: slot::DE_LOGICAL_ID,
};
const FOLDERS: By = By {
    uuid: slot::FD_UUID,
    unique_id: slot::FD_UNIQUE_ID,
    logical_id: slot::FD_LOGICAL_ID,
};
/// Submission sets have no versions.
const SUBMISSION_SETS: By = By {
    uuid: slot::SS_UUID,
    unique_id: slot::SS_UNIQUE_ID,
    logical_id: slot::SS_UUID,
};

impl By {
    fn of(self, names: &Names) -> (&'static str, Vec<&str>) {
        match names {
            Names::EntryUuids(ids) => (self.uuid, ids.iter().map(EntryUuid::as_str).collect()),
            Names::UniqueIds(ids) => (self.unique_id, ids.iter().map(UniqueId::as_str).collect()),
            Names::LogicalIds(ids) => {
                let ids = ids.iter().map(EntryUuid::as_str).collect();
                (self.logical_id, ids)
            }
        }
    }
}
