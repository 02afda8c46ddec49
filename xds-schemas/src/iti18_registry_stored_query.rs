//! ITI-18 Registry Stored Query: find what is registered for a patient.
//!
//! Asked by Document Consumers and gateways; answered by the Document Registry. A query is a
//! [`StoredQuery`] here; on the wire it is an [`AdhocQueryRequest`] with slots. [`parameters`] is
//! the table of what each query may be asked with, and the one place that knows it.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-18.html>

mod asked;
pub mod bounds;
pub mod conditions;
pub mod filter;
pub mod parameters;
mod read;
pub(crate) mod syntax;
#[cfg(test)]
mod tests;
mod write;

use crate::codes::status::{AvailabilityStatus, DocumentAvailability};
use crate::ebrs::{AdhocQueryRequest, AdhocQueryResponse};
use crate::metadata::timestamp::TimeRange;
use crate::metadata::{AssociationType, DocumentEntryType, EntryUuid, PatientId, UniqueId};
use crate::transaction::Transaction;

pub use conditions::{AcquisitionCondition, MeasurementCondition};
pub use filter::{AllOf, AnyOf, Pattern};
pub use parameters::QueryKind;

/// ITI-18.
#[derive(Debug, Clone, Copy)]
pub struct RegistryStoredQuery;

impl Transaction for RegistryStoredQuery {
    const ACTION: &'static str = "urn:ihe:iti:2007:RegistryStoredQuery";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2007:RegistryStoredQueryResponse";
    const MTOM: bool = false;
    const ASYNCHRONOUS: bool = true;
    type Request = AdhocQueryRequest;
    type Response = AdhocQueryResponse;
}

/// What is asked. Each query returns what ITI TF-2 3.18.4.1.2.3.7 says; filters that are empty let
/// everything pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredQuery {
    /// The patient's document entries that pass the filter.
    FindDocuments(FindDocuments),
    /// The same for those with a reference id: [`DocumentFilter::reference_ids`] is not empty.
    FindDocumentsByReferenceId(FindDocuments),
    /// The same without those that have something of what the second filter asks for: one of its
    /// parameters is enough.
    FindDocumentsExclude(FindDocuments, Box<DocumentFilter>),
    /// The patient's submission sets that pass the filter.
    FindSubmissionSets(FindSubmissionSets),
    /// The patient's folders that pass the filter.
    FindFolders(FindFolders),
    /// Everything of the patient.
    GetAll(GetAll),
    /// Document entries by name.
    GetDocuments(Names),
    /// Folders by name.
    GetFolders(Names),
    /// Associations whose source or target is one of these objects.
    GetAssociations(Vec<EntryUuid>),
    /// Document entries by name, and the associations that touch them.
    GetDocumentsAndAssociations(Names),
    /// Submission sets that have one of these objects as a member, and those memberships.
    GetSubmissionSets(Vec<EntryUuid>),
    /// A submission set and what it holds.
    GetSubmissionSetAndContents(GetContents),
    /// A folder and what it holds.
    GetFolderAndContents(GetContents),
    /// The folders that hold a document entry.
    GetFoldersForDocument(Names),
    /// The document entries that a document entry is related to, and how.
    GetRelatedDocuments(GetRelatedDocuments),
    /// FindDocuments for several patients or all (ITI-51).
    FindDocumentsForMultiplePatients(FindDocumentsForMultiplePatients),
    /// FindDocumentsByReferenceId for several patients or all (ITI-51).
    FindDocumentsByReferenceIdForMultiplePatients(FindDocumentsForMultiplePatients),
    /// FindFolders for several patients or all (ITI-51).
    FindFoldersForMultiplePatients(FindFoldersForMultiplePatients),
    /// The document entries with a series that was made in some way (ours):
    /// [`FindImaging::acquisition`] is not empty.
    FindDocumentsByAcquisition(FindImaging),
    /// The document entries with measured values (ours): [`FindImaging::measurements`] is not empty.
    FindDocumentsByMeasurement(FindImaging),
    /// The document entries about specimens (ours): [`FindImaging::specimens`] is not empty.
    FindDocumentsBySpecimen(FindImaging),
    /// The document entries that pass all of these (ours): one of them is not empty.
    FindDocumentsForCohort(FindImaging),
}

/// `$MetadataLevel`: whether a consumer knows of versions (metadata update, 3.18.4.1.2.3.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetadataLevel {
    /// It does not: old versions, what is offline, and folders and associations that were deprecated
    /// are hidden from it.
    #[default]
    One,
    /// It does, and sees everything.
    Two,
}

/// How much of what there is a query may see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visibility {
    /// `$MetadataLevel`.
    pub level: MetadataLevel,
    /// `$XDSAssociationStatus`: associations of these statuses; all if it is empty.
    pub association_statuses: Vec<AvailabilityStatus>,
}

/// Parameters of FindDocuments and FindDocumentsByReferenceId.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindDocuments {
    /// Whose documents.
    pub patient: PatientId,
    /// Of these statuses; at least one.
    pub statuses: Vec<AvailabilityStatus>,
    /// Which documents.
    pub filter: DocumentFilter,
}

/// Parameters of FindDocumentsForMultiplePatients and FindDocumentsByReferenceIdForMultiplePatients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindDocumentsForMultiplePatients {
    /// Whose documents; everybody's if it is empty.
    pub patients: Vec<PatientId>,
    /// Of these statuses; at least one.
    pub statuses: Vec<AvailabilityStatus>,
    /// Which documents.
    pub filter: DocumentFilter,
}

/// Parameters of our own queries. Of several lists each must be satisfied, by one of what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindImaging {
    /// Whose documents; everybody's if it is empty.
    pub patients: Vec<PatientId>,
    /// Of these statuses; at least one.
    pub statuses: Vec<AvailabilityStatus>,
    /// Which documents.
    pub filter: DocumentFilter,
    /// How one of its series was made: one series satisfies all of it.
    pub acquisition: Vec<Vec<AcquisitionCondition>>,
    /// What was measured. Each list may be satisfied by another value.
    pub measurements: Vec<Vec<MeasurementCondition>>,
    /// Specimens, by identifier or by `ID^^^&OID&ISO`, with wildcards.
    pub specimens: AllOf,
}

/// Parameters of FindFoldersForMultiplePatients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindFoldersForMultiplePatients {
    /// Whose folders; everybody's if it is empty.
    pub patients: Vec<PatientId>,
    /// Of these statuses; at least one.
    pub statuses: Vec<AvailabilityStatus>,
    /// `lastUpdateTime`.
    pub last_update_time: TimeRange,
    /// `codeList`.
    pub codes: AllOf,
}

/// Which document entries pass. Codes are compared as `code^^scheme`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DocumentFilter {
    /// `objectType`; at least one. Stable if the query does not say.
    pub entry_types: Vec<DocumentEntryType>,
    /// `classCode`.
    pub class_codes: AnyOf,
    /// `typeCode`.
    pub type_codes: AnyOf,
    /// `practiceSettingCode`.
    pub practice_setting_codes: AnyOf,
    /// `healthcareFacilityTypeCode`.
    pub healthcare_facility_type_codes: AnyOf,
    /// `formatCode`.
    pub format_codes: AnyOf,
    /// `eventCodeList`.
    pub event_codes: AllOf,
    /// `confidentialityCode`.
    pub confidentiality_codes: AllOf,
    /// `author.authorPerson`, with wildcards.
    pub author_persons: AnyOf,
    /// `referenceIdList`, with wildcards.
    pub reference_ids: AllOf,
    /// `creationTime`; on-demand entries have none and pass.
    pub creation_time: TimeRange,
    /// `serviceStartTime`.
    pub service_start_time: TimeRange,
    /// `serviceStopTime`.
    pub service_stop_time: TimeRange,
    /// `documentAvailability`; all if it is empty.
    pub availabilities: Vec<DocumentAvailability>,
}

/// Parameters of FindSubmissionSets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindSubmissionSets {
    /// Whose submission sets.
    pub patient: PatientId,
    /// Of these statuses; at least one.
    pub statuses: Vec<AvailabilityStatus>,
    /// `sourceId`.
    pub source_ids: AnyOf,
    /// `submissionTime`.
    pub submission_time: TimeRange,
    /// `author.authorPerson`, with wildcards.
    pub author_person: AnyOf,
    /// `contentTypeCode`.
    pub content_type_codes: AnyOf,
}

/// Parameters of FindFolders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindFolders {
    /// Whose folders.
    pub patient: PatientId,
    /// Of these statuses; at least one.
    pub statuses: Vec<AvailabilityStatus>,
    /// `lastUpdateTime`.
    pub last_update_time: TimeRange,
    /// `codeList`.
    pub codes: AllOf,
}

/// Parameters of GetAll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetAll {
    /// Whose objects.
    pub patient: PatientId,
    /// Document entries of these statuses; at least one.
    pub document_entry_statuses: Vec<AvailabilityStatus>,
    /// Submission sets of these statuses; at least one.
    pub submission_set_statuses: Vec<AvailabilityStatus>,
    /// Folders of these statuses; at least one.
    pub folder_statuses: Vec<AvailabilityStatus>,
    /// Which document entries.
    pub filter: ContentFilter,
}

/// Objects by name: by the registry's, by the one the sender gave, or by that of all versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// By `entryUUID`.
    EntryUuids(Vec<EntryUuid>),
    /// By `uniqueId`, which several document entries may share.
    UniqueIds(Vec<UniqueId>),
    /// By `logicalID`, which all versions share (metadata update).
    LogicalIds(Vec<EntryUuid>),
}

/// Parameters of GetSubmissionSetAndContents and GetFolderAndContents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetContents {
    /// Which submission set or folder: one name.
    pub of: Names,
    /// Which of its document entries.
    pub filter: ContentFilter,
}

/// Which document entries of a submission set, folder or patient are returned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContentFilter {
    /// `objectType`; at least one. Stable if the query does not say.
    pub entry_types: Vec<DocumentEntryType>,
    /// `formatCode`.
    pub format_codes: AnyOf,
    /// `confidentialityCode`.
    pub confidentiality_codes: AllOf,
}

/// Parameters of GetRelatedDocuments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRelatedDocuments {
    /// To which document entry: one name.
    pub of: Names,
    /// Related in these ways; at least one.
    pub association_types: Vec<AssociationType>,
    /// `objectType` of what is returned; at least one. Stable if the query does not say.
    pub entry_types: Vec<DocumentEntryType>,
}

impl StoredQuery {
    /// Which query this is.
    pub fn kind(&self) -> QueryKind {
        match self {
            Self::FindDocuments(_) => QueryKind::FindDocuments,
            Self::FindDocumentsByReferenceId(_) => QueryKind::FindDocumentsByReferenceId,
            Self::FindDocumentsExclude(..) => QueryKind::FindDocumentsExclude,
            Self::FindSubmissionSets(_) => QueryKind::FindSubmissionSets,
            Self::FindFolders(_) => QueryKind::FindFolders,
            Self::GetAll(_) => QueryKind::GetAll,
            Self::GetDocuments(_) => QueryKind::GetDocuments,
            Self::GetFolders(_) => QueryKind::GetFolders,
            Self::GetAssociations(_) => QueryKind::GetAssociations,
            Self::GetDocumentsAndAssociations(_) => QueryKind::GetDocumentsAndAssociations,
            Self::GetSubmissionSets(_) => QueryKind::GetSubmissionSets,
            Self::GetSubmissionSetAndContents(_) => QueryKind::GetSubmissionSetAndContents,
            Self::GetFolderAndContents(_) => QueryKind::GetFolderAndContents,
            Self::GetFoldersForDocument(_) => QueryKind::GetFoldersForDocument,
            Self::GetRelatedDocuments(_) => QueryKind::GetRelatedDocuments,
            Self::FindDocumentsForMultiplePatients(_) => {
                QueryKind::FindDocumentsForMultiplePatients
            }
            Self::FindDocumentsByReferenceIdForMultiplePatients(_) => {
                QueryKind::FindDocumentsByReferenceIdForMultiplePatients
            }
            Self::FindFoldersForMultiplePatients(_) => QueryKind::FindFoldersForMultiplePatients,
            Self::FindDocumentsByAcquisition(_) => QueryKind::FindDocumentsByAcquisition,
            Self::FindDocumentsByMeasurement(_) => QueryKind::FindDocumentsByMeasurement,
            Self::FindDocumentsBySpecimen(_) => QueryKind::FindDocumentsBySpecimen,
            Self::FindDocumentsForCohort(_) => QueryKind::FindDocumentsForCohort,
        }
    }

    /// The patients whom the query names.
    pub fn patients(&self) -> &[PatientId] {
        match self {
            Self::FindDocuments(query)
            | Self::FindDocumentsByReferenceId(query)
            | Self::FindDocumentsExclude(query, _) => std::slice::from_ref(&query.patient),
            Self::FindSubmissionSets(query) => std::slice::from_ref(&query.patient),
            Self::FindFolders(query) => std::slice::from_ref(&query.patient),
            Self::GetAll(query) => std::slice::from_ref(&query.patient),
            Self::FindDocumentsForMultiplePatients(query)
            | Self::FindDocumentsByReferenceIdForMultiplePatients(query) => &query.patients,
            Self::FindFoldersForMultiplePatients(query) => &query.patients,
            Self::FindDocumentsByAcquisition(query)
            | Self::FindDocumentsByMeasurement(query)
            | Self::FindDocumentsBySpecimen(query)
            | Self::FindDocumentsForCohort(query) => &query.patients,
            _ => &[],
        }
    }
}
