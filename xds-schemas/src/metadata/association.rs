//! Association: how two objects belong together (ITI TF-3 4.2.2).

use super::{Code, EntryUuid, Extra};
use crate::codes::status::AvailabilityStatus;

/// `@associationType`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AssociationType {
    /// Membership in a submission set or folder.
    HasMember,
    /// The source replaces the target.
    Replace,
    /// The source is a transformation of the target.
    Transform,
    /// The source is an addendum to the target.
    Append,
    /// The source replaces the target by a transformation of it.
    TransformAndReplace,
    /// The source signs the target.
    Signs,
    /// The source is what the on-demand target said at one moment.
    IsSnapshotOf,
    /// A type of another profile, kept as it came.
    Other(String),
}

/// Slot `SubmissionSetStatus` of a submission set's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubmissionSetStatus {
    /// The document comes with this submission.
    Original,
    /// The document was registered before.
    Reference,
}

/// A link between two objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    /// `entryUUID`, symbolic in a submission. Empty if the sender left it out.
    pub entry_uuid: EntryUuid,
    /// `associationType`.
    pub association_type: AssociationType,
    /// `sourceObject`.
    pub source: EntryUuid,
    /// `targetObject`.
    pub target: EntryUuid,
    /// `availabilityStatus`.
    pub availability_status: Option<AvailabilityStatus>,
    /// `submissionSetStatus`.
    pub submission_set_status: Option<SubmissionSetStatus>,
    /// Why the two belong together: the association's documentation.
    pub documentation: Option<Code>,
    /// Slot `PreviousVersion` (metadata update).
    pub previous_version: Option<String>,
    /// Everything else.
    pub extra: Extra,
}
