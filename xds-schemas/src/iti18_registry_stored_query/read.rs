//! From slots to a [`StoredQuery`]: everything that is wrong is said at once
//! (ITI TF-2 3.18.4.1.3, 3.18.4.1.2.3.5).

use super::asked::Asked;
use super::parameters::slot;
use super::{
    ContentFilter, DocumentFilter, FindDocuments, FindDocumentsForMultiplePatients, FindFolders,
    FindFoldersForMultiplePatients, FindImaging, FindSubmissionSets, GetAll, GetContents,
    GetRelatedDocuments, MetadataLevel, Names, Pattern, QueryKind, StoredQuery, Visibility,
};
use crate::codes::error_code::ErrorCode;
use crate::ebrs::{AdhocQueryRequest, RegistryError, ReturnType};

impl StoredQuery {
    /// Reads a query of ITI-18. Parameters that it does not have are ignored, as are statuses that
    /// nobody knows.
    ///
    /// # Errors
    /// `XDSUnknownStoredQuery`; `XDSStoredQueryMissingParam`; `XDSStoredQueryParamNumber` for too
    /// many values or slots, or several of names that exclude each other; `XDSRegistryError` for values that
    /// cannot be read. Context and location name the parameter and never quote its value.
    pub fn read(request: &AdhocQueryRequest) -> Result<Self, Vec<RegistryError>> {
        Self::read_visible(request).map(|(query, _)| query)
    }

    /// The same, with how much the query may see.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_visible(
        request: &AdhocQueryRequest,
    ) -> Result<(Self, Visibility), Vec<RegistryError>> {
        let kind = QueryKind::parse(&request.id).filter(|kind| !kind.is_of_several_patients());
        Self::read_kind(request, kind, "no stored query of ITI-18 has this id")
    }

    /// Reads a query of ITI-51.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_of_several_patients(
        request: &AdhocQueryRequest,
    ) -> Result<Self, Vec<RegistryError>> {
        let kind = QueryKind::parse(&request.id).filter(|kind| kind.is_of_several_patients());
        let unknown = "no stored query of ITI-51 has this id";
        Self::read_kind(request, kind, unknown).map(|(query, _)| query)
    }

    fn read_kind(
        request: &AdhocQueryRequest,
        kind: Option<QueryKind>,
        unknown: &str,
    ) -> Result<(Self, Visibility), Vec<RegistryError>> {
        let Some(kind) = kind else {
            let code = ErrorCode::UnknownStoredQuery;
            return Err(vec![RegistryError::error(code, unknown).at(&request.id)]);
        };
        let mut asked = Asked::collect(kind, request)?;
        if matches!(request.return_type, ReturnType::Other(_)) {
            let problem = "returnType must be LeafClass or ObjectRef";
            asked.say(ErrorCode::RegistryError, "returnType", problem);
        }
        asked.judge_needs();
        let visibility = asked.visibility();
        let query = asked.query();
        match query {
            Some(query) if asked.errors.is_empty() => Ok((query, visibility)),
            _ => Err(asked.errors),
        }
    }
}

impl Asked {
    fn query(&mut self) -> Option<StoredQuery> {
        Some(match self.kind {
            QueryKind::FindDocuments => StoredQuery::FindDocuments(self.find_documents()?),
            QueryKind::FindDocumentsByReferenceId => {
                StoredQuery::FindDocumentsByReferenceId(self.find_documents()?)
            }
            QueryKind::FindDocumentsExclude => {
                let found = self.find_documents();
                let unwanted = self.excluded();
                StoredQuery::FindDocumentsExclude(found?, Box::new(unwanted))
            }
            QueryKind::FindDocumentsForMultiplePatients => {
                StoredQuery::FindDocumentsForMultiplePatients(self.documents_of_several())
            }
            QueryKind::FindDocumentsByReferenceIdForMultiplePatients => {
                let found = self.documents_of_several();
                StoredQuery::FindDocumentsByReferenceIdForMultiplePatients(found)
            }
            QueryKind::FindFoldersForMultiplePatients => self.folders_of_several(),
            QueryKind::FindDocumentsByAcquisition => {
                StoredQuery::FindDocumentsByAcquisition(self.imaging())
            }
            QueryKind::FindDocumentsByMeasurement => {
                StoredQuery::FindDocumentsByMeasurement(self.imaging())
            }
            QueryKind::FindDocumentsBySpecimen => {
                StoredQuery::FindDocumentsBySpecimen(self.imaging())
            }
            QueryKind::FindDocumentsForCohort => {
                StoredQuery::FindDocumentsForCohort(self.imaging())
            }
            QueryKind::FindSubmissionSets => self.find_submission_sets()?,
            QueryKind::FindFolders => self.find_folders()?,
            QueryKind::GetAll => self.get_all()?,
            QueryKind::GetAssociations => StoredQuery::GetAssociations(self.uuids(slot::UUID)),
            QueryKind::GetSubmissionSets => StoredQuery::GetSubmissionSets(self.uuids(slot::UUID)),
            QueryKind::GetDocuments => StoredQuery::GetDocuments(self.documents()),
            QueryKind::GetDocumentsAndAssociations => {
                StoredQuery::GetDocumentsAndAssociations(self.documents())
            }
            QueryKind::GetFoldersForDocument => {
                StoredQuery::GetFoldersForDocument(self.documents())
            }
            QueryKind::GetFolders => StoredQuery::GetFolders(self.folders()),
            QueryKind::GetSubmissionSetAndContents => {
                StoredQuery::GetSubmissionSetAndContents(GetContents {
                    of: self.names(slot::SS_UUID, slot::SS_UNIQUE_ID, ""),
                    filter: self.content_filter(),
                })
            }
            QueryKind::GetFolderAndContents => StoredQuery::GetFolderAndContents(GetContents {
                of: self.folders(),
                filter: self.content_filter(),
            }),
            QueryKind::GetRelatedDocuments => {
                StoredQuery::GetRelatedDocuments(GetRelatedDocuments {
                    of: self.documents(),
                    association_types: self.association_types(),
                    entry_types: self.entry_types(),
                })
            }
        })
    }

    fn visibility(&mut self) -> Visibility {
        let level = match self
            .values(slot::METADATA_LEVEL)
            .first()
            .map(String::as_str)
        {
            None | Some("1") => MetadataLevel::One,
            Some("2") => MetadataLevel::Two,
            Some(_) => {
                self.wrong(slot::METADATA_LEVEL, "it is 1 or 2");
                MetadataLevel::One
            }
        };
        Visibility {
            level,
            association_statuses: self.known_statuses(slot::ASSOCIATION_STATUS),
        }
    }

    fn documents(&self) -> Names {
        self.names(slot::DE_UUID, slot::DE_UNIQUE_ID, slot::DE_LOGICAL_ID)
    }

    fn folders(&self) -> Names {
        self.names(slot::FD_UUID, slot::FD_UNIQUE_ID, slot::FD_LOGICAL_ID)
    }

    fn find_documents(&mut self) -> Option<FindDocuments> {
        let patient = self.patient(slot::DE_PATIENT);
        let statuses = self.statuses(slot::DE_STATUS);
        let filter = self.document_filter();
        Some(FindDocuments {
            patient: patient?,
            statuses,
            filter,
        })
    }

    fn documents_of_several(&mut self) -> FindDocumentsForMultiplePatients {
        FindDocumentsForMultiplePatients {
            patients: self.patients(slot::DE_PATIENT),
            statuses: self.statuses(slot::DE_STATUS),
            filter: self.document_filter(),
        }
    }

    fn imaging(&mut self) -> FindImaging {
        FindImaging {
            patients: self.patients(slot::DE_PATIENT),
            statuses: self.statuses(slot::DE_STATUS),
            filter: self.document_filter(),
            acquisition: self.conditions(slot::ACQUISITION),
            measurements: self.conditions(slot::MEASUREMENT),
            specimens: self.all_of(slot::SPECIMEN, Pattern::like),
        }
    }

    fn document_filter(&mut self) -> DocumentFilter {
        DocumentFilter {
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
            availabilities: self.availabilities(),
        }
    }

    /// What documents must not have. Types that are not wanted were taken out of those that are.
    fn excluded(&mut self) -> DocumentFilter {
        DocumentFilter {
            class_codes: self.codes(slot::NOT_CLASS_CODE),
            type_codes: self.codes(slot::NOT_TYPE_CODE),
            practice_setting_codes: self.codes(slot::NOT_PRACTICE_SETTING_CODE),
            healthcare_facility_type_codes: self.codes(slot::NOT_FACILITY_TYPE_CODE),
            format_codes: self.codes(slot::NOT_FORMAT_CODE),
            event_codes: self.all_codes(slot::NOT_EVENT_CODES),
            confidentiality_codes: self.all_codes(slot::NOT_CONFIDENTIALITY_CODE),
            author_persons: self.any_of(slot::NOT_DE_AUTHOR, Pattern::like),
            reference_ids: self.all_of(slot::NOT_REFERENCE_IDS, Pattern::like),
            ..DocumentFilter::default()
        }
    }

    fn folders_of_several(&mut self) -> StoredQuery {
        StoredQuery::FindFoldersForMultiplePatients(FindFoldersForMultiplePatients {
            patients: self.patients(slot::FD_PATIENT),
            statuses: self.statuses(slot::FD_STATUS),
            last_update_time: self.time_range(slot::UPDATE_FROM, slot::UPDATE_TO),
            codes: self.all_codes(slot::FD_CODES),
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
}
