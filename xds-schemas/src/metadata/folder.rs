//! Folder: documents that somebody put together for a purpose (ITI TF-3 4.2.3.4).

use super::{Code, EntryUuid, Extra, HomeCommunityId, PatientId, Timestamp, UniqueId};
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::InternationalString;

/// A named group of documents of one patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
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
    /// `title`.
    pub title: Option<InternationalString>,
    /// `comments`.
    pub comments: Option<InternationalString>,
    /// `codeList`.
    pub codes: Vec<Code>,
    /// `lastUpdateTime`: the registry sets it.
    pub last_update_time: Option<Timestamp>,
    /// `patientId`.
    pub patient_id: Option<PatientId>,
    /// `uniqueId`.
    pub unique_id: UniqueId,
    /// `limitedMetadata`.
    pub limited_metadata: bool,
    /// Everything else.
    pub extra: Extra,
}
