//! From slots to a [`StoredQuery`]: everything that is wrong is said at once
//! (ITI TF-2 3.18.4.1.3, 3.18.4.1.2.3.5).

use super::parameters::{Multiplicity, Need, Parameter, slot};
use super::{
    AllOf, AnyOf, ContentFilter, DocumentFilter, FindDocuments, FindFolders, FindSubmissionSets,
    GetAll, GetContents, GetRelatedDocuments, Names, Pattern, QueryKind, StoredQuery, syntax,
};
use crate::codes::ebrim_uuids::object_type;
use crate::codes::error_code::ErrorCode;
use crate::codes::status::AvailabilityStatus;
use crate::ebrs::{AdhocQueryRequest, RegistryError, ReturnType};
use crate::metadata::timestamp::TimeRange;
use crate::metadata::{
    AssociationType, DocumentEntryType, EntryUuid, PatientId, Timestamp, UniqueId,
};

impl StoredQuery {
    /// Reads a query. Parameters that it does not have are ignored, as are statuses that nobody
    /// knows.
    ///
    /// # Errors
    /// `XDSUnknownStoredQuery`; `XDSStoredQueryMissingParam`; `XDSStoredQueryParamNumber` for too
    /// many values, or both of two names; `XDSRegistryError` for values that cannot be read.
    /// The context names the parameter and never quotes its value.
    pub fn read(request: &AdhocQueryRequest) -> Result<Self, Vec<RegistryError>> {
        let Some(kind) = QueryKind::parse(&request.id) else {
            let context = "no stored query of ITI-18 has this id";
            return Err(vec![RegistryError::error(
                ErrorCode::UnknownStoredQuery,
                context,
            )]);
        };
        let mut asked = Asked::collect(kind, request);
        if matches!(request.return_type, ReturnType::Other(_)) {
            let problem = "returnType must be LeafClass or ObjectRef";
            asked.say(ErrorCode::RegistryError, problem);
        }
        asked.judge_needs();
        let query = asked.query();
        match query {
            Some(query) if asked.errors.is_empty() => Ok(query),
            _ => Err(asked.errors),
        }
    }
}

/// The parameters of one query: for each slot that was given its values.
struct Asked {
    kind: QueryKind,
    slots: Vec<(&'static str, Vec<String>)>,
    errors: Vec<RegistryError>,
}

impl Asked {
    fn collect(kind: QueryKind, request: &AdhocQueryRequest) -> Self {
        let mut asked = Self {
            kind,
            slots: Vec::new(),
            errors: Vec::new(),
        };
        for given in &request.slots {
            let Some(parameter) = kind.all_parameters().find(|one| one.name == given.name) else {
                continue;
            };
            match syntax::read(&given.values) {
                Ok(values) => asked.add(parameter, values),
                Err(problem) => {
                    asked.wrong(parameter.name, problem);
                    // It was given, so it is not missing too.
                    asked.slots.push((parameter.name, Vec::new()));
                }
            }
        }
        asked
    }

    fn add(&mut self, parameter: &Parameter, values: Vec<String>) {
        if values.is_empty() {
            return;
        }
        if parameter.multiplicity != Multiplicity::Lists && self.has(parameter.name) {
            let problem = format!("{} may be given only once", parameter.name);
            return self.say(ErrorCode::StoredQueryParamNumber, &problem);
        }
        if parameter.multiplicity == Multiplicity::One && values.len() > 1 {
            let problem = format!("{} may have one value only", parameter.name);
            self.say(ErrorCode::StoredQueryParamNumber, &problem);
        }
        self.slots.push((parameter.name, values));
    }

    fn judge_needs(&mut self) {
        let kind = self.kind;
        for parameter in kind.all_parameters() {
            if parameter.need == Need::Required && !self.has(parameter.name) {
                self.missing(parameter.name);
            }
        }
        let pair: Vec<&str> = kind
            .all_parameters()
            .filter(|parameter| parameter.need == Need::OneOfTwo)
            .map(|parameter| parameter.name)
            .collect();
        let given = pair.iter().filter(|name| self.has(name)).count();
        match given {
            0 if !pair.is_empty() => self.missing(&pair.join(" or ")),
            0 | 1 => {}
            _ => {
                let problem = format!("{} exclude each other", pair.join(" and "));
                self.say(ErrorCode::StoredQueryParamNumber, &problem);
            }
        }
    }

    fn say(&mut self, code: ErrorCode, problem: &str) {
        let context = format!("{}: {problem}", self.kind.name());
        self.errors.push(RegistryError::error(code, context));
    }

    fn missing(&mut self, name: &str) {
        self.say(
            ErrorCode::StoredQueryMissingParam,
            &format!("{name} is missing"),
        );
    }

    fn wrong(&mut self, name: &str, problem: &str) {
        self.say(ErrorCode::RegistryError, &format!("{name}: {problem}"));
    }

    fn has(&self, name: &str) -> bool {
        self.slots.iter().any(|(given, _)| *given == name)
    }

    /// The values of the first slot of this name.
    fn values(&self, name: &str) -> &[String] {
        let found = self.slots.iter().find(|(given, _)| *given == name);
        found.map_or(&[], |(_, values)| values)
    }

    fn query(&mut self) -> Option<StoredQuery> {
        Some(match self.kind {
            QueryKind::FindDocuments => StoredQuery::FindDocuments(self.find_documents()?),
            QueryKind::FindDocumentsByReferenceId => {
                StoredQuery::FindDocumentsByReferenceId(self.find_documents()?)
            }
            QueryKind::FindSubmissionSets => self.find_submission_sets()?,
            QueryKind::FindFolders => self.find_folders()?,
            QueryKind::GetAll => self.get_all()?,
            QueryKind::GetDocuments => {
                StoredQuery::GetDocuments(self.names(slot::DE_UUID, slot::DE_UNIQUE_ID))
            }
            QueryKind::GetFolders => {
                StoredQuery::GetFolders(self.names(slot::FD_UUID, slot::FD_UNIQUE_ID))
            }
            QueryKind::GetAssociations => StoredQuery::GetAssociations(self.uuids(slot::UUID)),
            QueryKind::GetDocumentsAndAssociations => StoredQuery::GetDocumentsAndAssociations(
                self.names(slot::DE_UUID, slot::DE_UNIQUE_ID),
            ),
            QueryKind::GetSubmissionSets => StoredQuery::GetSubmissionSets(self.uuids(slot::UUID)),
            QueryKind::GetSubmissionSetAndContents => {
                StoredQuery::GetSubmissionSetAndContents(GetContents {
                    of: self.names(slot::SS_UUID, slot::SS_UNIQUE_ID),
                    filter: self.content_filter(),
                })
            }
            QueryKind::GetFolderAndContents => StoredQuery::GetFolderAndContents(GetContents {
                of: self.names(slot::FD_UUID, slot::FD_UNIQUE_ID),
                filter: self.content_filter(),
            }),
            QueryKind::GetFoldersForDocument => {
                StoredQuery::GetFoldersForDocument(self.names(slot::DE_UUID, slot::DE_UNIQUE_ID))
            }
            QueryKind::GetRelatedDocuments => {
                StoredQuery::GetRelatedDocuments(GetRelatedDocuments {
                    of: self.names(slot::DE_UUID, slot::DE_UNIQUE_ID),
                    association_types: self.association_types(),
                    entry_types: self.entry_types(),
                })
            }
        })
    }

    fn find_documents(&mut self) -> Option<FindDocuments> {
        let patient = self.patient(slot::DE_PATIENT);
        let statuses = self.statuses(slot::DE_STATUS);
        let filter = DocumentFilter {
            entry_types: self.entry_types(),
            class_codes: self.codes(slot::CLASS_CODE),
            type_codes: self.codes(slot::TYPE_CODE),
            practice_setting_codes: self.codes(slot::PRACTICE_SETTING_CODE),
            healthcare_facility_type_codes: self.codes(slot::FACILITY_TYPE_CODE),
            format_codes: self.codes(slot::FORMAT_CODE),
            event_codes: self.all_codes(slot::EVENT_CODES),
            confidentiality_codes: self.all_codes(slot::CONFIDENTIALITY_CODE),
            author_persons: self.any_of(slot::DE_AUTHOR, Pattern::like),
            reference_ids: self.all_of(slot::REFERENCE_IDS, Pattern::like),
            creation_time: self.time_range(slot::CREATION_FROM, slot::CREATION_TO),
            service_start_time: self.time_range(slot::SERVICE_START_FROM, slot::SERVICE_START_TO),
            service_stop_time: self.time_range(slot::SERVICE_STOP_FROM, slot::SERVICE_STOP_TO),
        };
        Some(FindDocuments {
            patient: patient?,
            statuses,
            filter,
        })
    }

    fn find_submission_sets(&mut self) -> Option<StoredQuery> {
        let patient = self.patient(slot::SS_PATIENT);
        let query = FindSubmissionSets {
            statuses: self.statuses(slot::SS_STATUS),
            source_ids: self.any_of(slot::SOURCE_ID, Pattern::exact),
            submission_time: self.time_range(slot::SUBMISSION_FROM, slot::SUBMISSION_TO),
            author_person: self.any_of(slot::SS_AUTHOR, Pattern::like),
            content_type_codes: self.codes(slot::CONTENT_TYPE),
            patient: patient?,
        };
        Some(StoredQuery::FindSubmissionSets(query))
    }

    fn find_folders(&mut self) -> Option<StoredQuery> {
        let patient = self.patient(slot::FD_PATIENT);
        let query = FindFolders {
            statuses: self.statuses(slot::FD_STATUS),
            last_update_time: self.time_range(slot::UPDATE_FROM, slot::UPDATE_TO),
            codes: self.all_codes(slot::FD_CODES),
            patient: patient?,
        };
        Some(StoredQuery::FindFolders(query))
    }

    fn get_all(&mut self) -> Option<StoredQuery> {
        let patient = self.patient(slot::PATIENT);
        let query = GetAll {
            document_entry_statuses: self.statuses(slot::DE_STATUS),
            submission_set_statuses: self.statuses(slot::SS_STATUS),
            folder_statuses: self.statuses(slot::FD_STATUS),
            filter: self.content_filter(),
            patient: patient?,
        };
        Some(StoredQuery::GetAll(query))
    }

    fn content_filter(&mut self) -> ContentFilter {
        ContentFilter {
            entry_types: self.entry_types(),
            format_codes: self.codes(slot::FORMAT_CODE),
            confidentiality_codes: self.all_codes(slot::CONFIDENTIALITY_CODE),
        }
    }

    fn patient(&mut self, name: &'static str) -> Option<PatientId> {
        let read = PatientId::parse(self.values(name).first()?);
        read.map_err(|problem| self.wrong(name, &problem)).ok()
    }

    /// Statuses that are known. If none is, the parameter is as good as missing.
    fn statuses(&mut self, name: &'static str) -> Vec<AvailabilityStatus> {
        let given = self.values(name);
        let known: Vec<_> = given
            .iter()
            .filter_map(|urn| AvailabilityStatus::parse(urn))
            .collect();
        if known.is_empty() && !given.is_empty() {
            self.missing(name);
        }
        known
    }

    /// On-demand entries are found by those who ask for them (ITI TF-2 3.18.4.1.2.3.6.2).
    fn entry_types(&mut self) -> Vec<DocumentEntryType> {
        let given = self.values(slot::DE_TYPE);
        if given.is_empty() {
            return vec![DocumentEntryType::Stable];
        }
        let read = |uuid: &String| match uuid.as_str() {
            object_type::STABLE => Some(DocumentEntryType::Stable),
            object_type::ON_DEMAND => Some(DocumentEntryType::OnDemand),
            _ => None,
        };
        let known: Vec<_> = given.iter().filter_map(read).collect();
        if known.len() < given.len() {
            self.wrong(
                slot::DE_TYPE,
                "it has values that are no types of document entries",
            );
        }
        known
    }

    /// Older senders leave out the prefixes of the framework's types.
    fn association_types(&mut self) -> Vec<AssociationType> {
        let given = self.values(slot::ASSOCIATION_TYPES);
        given
            .iter()
            .map(|urn| AssociationType::parse_lenient(urn))
            .collect()
    }

    fn any_of(&self, name: &str, pattern: fn(String) -> Pattern) -> AnyOf {
        AnyOf(self.values(name).iter().cloned().map(pattern).collect())
    }

    fn all_of(&self, name: &str, pattern: fn(String) -> Pattern) -> AllOf {
        let slots = self.slots.iter().filter(|(given, _)| *given == name);
        AllOf(
            slots
                .map(|(_, values)| AnyOf(values.iter().cloned().map(pattern).collect()))
                .collect(),
        )
    }

    fn codes(&mut self, name: &'static str) -> AnyOf {
        let codes = self.any_of(name, Pattern::exact);
        self.judge_codes(name, &codes);
        codes
    }

    fn all_codes(&mut self, name: &'static str) -> AllOf {
        let codes = self.all_of(name, Pattern::exact);
        codes.0.iter().for_each(|any| self.judge_codes(name, any));
        codes
    }

    fn judge_codes(&mut self, name: &'static str, codes: &AnyOf) {
        let is_code = |code: &Pattern| {
            code.as_str()
                .split_once("^^")
                .is_some_and(|(code, scheme)| {
                    !code.is_empty() && !scheme.is_empty() && !scheme.contains('^')
                })
        };
        if !codes.0.iter().all(is_code) {
            self.wrong(name, "codes are written as 'code^^codingScheme'");
        }
    }

    fn time_range(&mut self, from: &'static str, to: &'static str) -> TimeRange {
        TimeRange {
            from: self.time(from),
            to: self.time(to),
        }
    }

    fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        let read = Timestamp::parse(self.values(name).first()?);
        read.map_err(|problem| self.wrong(name, &problem)).ok()
    }

    fn uuids(&self, name: &str) -> Vec<EntryUuid> {
        self.values(name).iter().cloned().map(EntryUuid).collect()
    }

    fn names(&self, by_uuid: &str, by_unique_id: &str) -> Names {
        if self.has(by_uuid) {
            return Names::EntryUuids(self.uuids(by_uuid));
        }
        Names::UniqueIds(
            self.values(by_unique_id)
                .iter()
                .cloned()
                .map(UniqueId)
                .collect(),
        )
    }
}
