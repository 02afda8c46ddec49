//! SubmissionSet: what was submitted together, by whom and when (ITI TF-3 4.2.3.3).

use super::{Author, Code, EntryUuid, Extra, HomeCommunityId, PatientId, Timestamp, UniqueId};
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::InternationalString;

/// The envelope of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionSet {
    /// `entryUUID`, symbolic in a submission.
    pub entry_uuid: EntryUuid,
    /// `logicalID`.
    pub logical_id: Option<EntryUuid>,
    /// `homeCommunityId`.
    pub home_community_id: Option<HomeCommunityId>,
    /// `availabilityStatus`.
    pub availability_status: Option<AvailabilityStatus>,
    /// `title`.
    pub title: Option<InternationalString>,
    /// `comments`.
    pub comments: Option<InternationalString>,
    /// `author`.
    pub authors: Vec<Author>,
    /// `contentTypeCode`.
    pub content_type_code: Option<Code>,
    /// `intendedRecipient`: `XON|XCN|XTN`.
    pub intended_recipients: Vec<String>,
    /// `patientId`.
    pub patient_id: Option<PatientId>,
    /// `sourceId`: the OID of the sender.
    pub source_id: String,
    /// `submissionTime`.
    pub submission_time: Option<Timestamp>,
    /// `uniqueId`.
    pub unique_id: UniqueId,
    /// `limitedMetadata`.
    pub limited_metadata: bool,
    /// Everything else.
    pub extra: Extra,
}
