//! Association: how two objects belong together (ITI TF-3 4.2.2).

use super::judge::{Concern, Judge};
use super::reading::Reading;
use super::writing::Writing;
use super::{Code, EntryUuid, Extra, HomeCommunityId, formats};
use crate::codes::ebrim_uuids::association as scheme;
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::{self, Body, RegistryObject};
use crate::ebrs::RegistryError;

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
    /// The submission set changes the status of the target (metadata update).
    UpdateAvailabilityStatus,
    /// The submission set brings an association between registered objects (metadata update).
    SubmitAssociation,
    /// A type of another profile, kept as it came.
    Other(String),
}

impl AssociationType {
    /// Whether it relates two document entries (ITI TF-3 4.2.2.2); membership does not.
    pub fn is_relationship(&self) -> bool {
        !matches!(self, Self::HasMember | Self::Other(_)) && !self.is_trigger()
    }

    /// Whether it says what an update is to do, rather than that two objects belong together.
    pub fn is_trigger(&self) -> bool {
        matches!(
            self,
            Self::UpdateAvailabilityStatus | Self::SubmitAssociation
        )
    }

    /// Whether the target is deprecated by it.
    pub fn replaces(&self) -> bool {
        matches!(self, Self::Replace | Self::TransformAndReplace)
    }
}

/// Slot `SubmissionSetStatus` of a submission set's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubmissionSetStatus {
    /// The document comes with this submission.
    Original,
    /// The document was registered before.
    Reference,
}

impl SubmissionSetStatus {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Original => "Original",
            Self::Reference => "Reference",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "Original" => Ok(Self::Original),
            "Reference" => Ok(Self::Reference),
            _ => Err("is neither Original nor Reference".to_owned()),
        }
    }
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
    /// `logicalID` (metadata update).
    pub logical_id: Option<EntryUuid>,
    /// `homeCommunityId`, in answers of other communities.
    pub home_community_id: Option<HomeCommunityId>,
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

impl Association {
    /// A link without an id; resolving the submission gives it one.
    pub fn new(
        association_type: AssociationType,
        source: impl Into<EntryUuid>,
        target: impl Into<EntryUuid>,
    ) -> Self {
        Self {
            entry_uuid: EntryUuid::from(""),
            association_type,
            source: source.into(),
            target: target.into(),
            logical_id: None,
            home_community_id: None,
            availability_status: None,
            submission_set_status: None,
            documentation: None,
            previous_version: None,
            extra: Extra::default(),
        }
    }

    /// Membership of a document in a submission set.
    pub fn member(
        submission_set: impl Into<EntryUuid>,
        document: impl Into<EntryUuid>,
        status: SubmissionSetStatus,
    ) -> Self {
        Self {
            submission_set_status: Some(status),
            ..Self::new(AssociationType::HasMember, submission_set, document)
        }
    }

    /// Reads an association of an answer. Attributes that cannot be read stay in [`Extra`].
    ///
    /// # Errors
    /// If it is no association.
    pub fn from_ebrim(object: &RegistryObject) -> Result<Self, Vec<RegistryError>> {
        let mut judge = Judge::lenient();
        Self::read(object, &mut judge).ok_or(judge.offences)
    }

    /// Reads an association; the judge hears what offends. None if it is none.
    pub(super) fn read(object: &RegistryObject, judge: &mut Judge) -> Option<Self> {
        let mut reading = Reading::new("Association", object, judge);
        let Body::Association {
            association_type,
            source,
            target,
        } = &object.body
        else {
            reading.offend(Concern::Everybody, "the element", "is not an Association");
            return None;
        };
        // Several clients leave the id out; resolving gives one.
        let logical_id = object.lid.as_deref().map(EntryUuid::from);
        if object.id.starts_with("urn:uuid:") {
            reading.identities(object);
        }
        let association_type = AssociationType::parse(association_type);
        let mut association = Self {
            entry_uuid: EntryUuid(object.id.clone()),
            logical_id,
            home_community_id: Reading::home(object),
            availability_status: Reading::status(object),
            ..Self::new(association_type, source.as_str(), target.as_str())
        };
        for slot in &object.slots {
            match slot.name.as_str() {
                "SubmissionSetStatus" => {
                    let target = &mut association.submission_set_status;
                    reading.typed(Concern::Registry, slot, target, SubmissionSetStatus::parse);
                }
                "PreviousVersion" => {
                    reading.text(
                        Concern::Registry,
                        slot,
                        &mut association.previous_version,
                        formats::any,
                    );
                }
                // Metadata update (ITI-57): kept, and judged there.
                "AssociationPropagation" | "OriginalStatus" | "NewStatus" => {
                    reading.extra.slots.push(slot.clone());
                }
                _ => reading.unclaimed(slot),
            }
        }
        for classification in &object.classifications {
            match classification.scheme.as_deref() {
                Some(scheme::DOCUMENTATION) => {
                    let target = &mut association.documentation;
                    reading.one_code("documentation", classification, target);
                }
                _ => reading.unclaimed_classification(classification),
            }
        }
        for identifier in &object.external_identifiers {
            reading.unclaimed_identifier(identifier);
        }
        association.extra = reading.extra;
        Some(association)
    }

    /// The association as it travels.
    pub fn to_ebrim(&self) -> RegistryObject {
        let body = Body::Association {
            association_type: self.association_type.as_str().to_owned(),
            source: self.source.to_string(),
            target: self.target.to_string(),
        };
        let mut it = Writing::new(&self.entry_uuid, ebrim::ASSOCIATION, body);
        it.common(
            self.logical_id.as_ref(),
            self.home_community_id.as_ref(),
            self.availability_status,
        );
        it.slot(
            "SubmissionSetStatus",
            self.submission_set_status.map(SubmissionSetStatus::as_str),
        );
        it.slot("PreviousVersion", self.previous_version.as_deref());
        it.codes(scheme::DOCUMENTATION, &self.documentation);
        it.finish(&self.extra)
    }
}
