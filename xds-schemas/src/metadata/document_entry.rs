//! DocumentEntry: what is known of a document without looking into it (ITI TF-3 4.2.3.2).

use super::{
    Author, Code, EntryUuid, Extra, HomeCommunityId, PatientId, ReferenceId, RepositoryUniqueId,
    Timestamp, UniqueId,
};
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::InternationalString;

/// `objectType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentEntryType {
    /// The content is fixed.
    Stable,
    /// The content is made when it is retrieved.
    OnDemand,
}

/// The metadata of one document. Attributes that some senders may leave out are optional here;
/// [`submission`](super::submission) judges what must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentEntry {
    /// `entryUUID`, symbolic in a submission.
    pub entry_uuid: EntryUuid,
    /// `logicalID`.
    pub logical_id: Option<EntryUuid>,
    /// `version`.
    pub version: Option<String>,
    /// `homeCommunityId`.
    pub home_community_id: Option<HomeCommunityId>,
    /// `availabilityStatus`.
    pub availability_status: Option<AvailabilityStatus>,
    /// `objectType`.
    pub entry_type: DocumentEntryType,
    /// `mimeType`.
    pub mime_type: String,
    /// `title`.
    pub title: Option<InternationalString>,
    /// `comments`.
    pub comments: Option<InternationalString>,
    /// `author`.
    pub authors: Vec<Author>,
    /// `classCode`.
    pub class_code: Option<Code>,
    /// `confidentialityCode`.
    pub confidentiality_codes: Vec<Code>,
    /// `eventCodeList`.
    pub event_codes: Vec<Code>,
    /// `formatCode`.
    pub format_code: Option<Code>,
    /// `healthcareFacilityTypeCode`.
    pub healthcare_facility_type_code: Option<Code>,
    /// `practiceSettingCode`.
    pub practice_setting_code: Option<Code>,
    /// `typeCode`.
    pub type_code: Option<Code>,
    /// `creationTime`.
    pub creation_time: Option<Timestamp>,
    /// `hash`: SHA-1 in hexadecimal, as it was sent.
    pub hash: Option<String>,
    /// `size` in bytes.
    pub size: Option<u64>,
    /// `languageCode`.
    pub language_code: Option<String>,
    /// `legalAuthenticator`: XCN.
    pub legal_authenticator: Option<String>,
    /// `patientId`: who this is about, in the affinity domain.
    pub patient_id: Option<PatientId>,
    /// `sourcePatientId`: who this is about, where it was made.
    pub source_patient_id: Option<PatientId>,
    /// `sourcePatientInfo`: PID fields.
    pub source_patient_info: Vec<String>,
    /// `referenceIdList`.
    pub reference_ids: Vec<ReferenceId>,
    /// `repositoryUniqueId`.
    pub repository_unique_id: Option<RepositoryUniqueId>,
    /// `serviceStartTime`.
    pub service_start_time: Option<Timestamp>,
    /// `serviceStopTime`.
    pub service_stop_time: Option<Timestamp>,
    /// `uniqueId`.
    pub unique_id: UniqueId,
    /// `URI`.
    pub uri: Option<String>,
    /// `documentAvailability` (metadata update).
    pub document_availability: Option<String>,
    /// `limitedMetadata`.
    pub limited_metadata: bool,
    /// Everything else.
    pub extra: Extra,
}
