//! From the objects of a message to what they ask for: each of them must ask for one thing that
//! there is (ITI TF-2 3.57.4.1.3).

use std::collections::{HashMap, HashSet};

use super::{ChangeStatus, NewVersion, Operation, Update, Versioned};
use crate::codes::error_code::ErrorCode;
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::RegistryObjectList;
use crate::ebrs::RegistryError;
use crate::metadata::{Association, AssociationType, EntryUuid, Rules, Submission};

impl Update {
    /// Reads an update and judges everything that the message alone can tell.
    ///
    /// # Errors
    /// Every offence with the object concerned as its location: those of the metadata
    /// (`XDSRegistryMetadataError`), `XDSPatientIDReconciliationError`,
    /// `UnresolvedReferenceException`, `XDSInvalidRequestException` for what is no later version,
    /// and `XDSMetadataUpdateOperationError` for what asks for nothing that there is.
    pub fn read(objects: &RegistryObjectList) -> Result<Self, Vec<RegistryError>> {
        let submission = Submission::read(objects, Rules::Update)?;
        let mut decoding = Decoding {
            submission: &submission,
            operations: Vec::new(),
            explained: HashSet::new(),
            errors: Vec::new(),
        };
        decoding.new_versions();
        decoding.triggers();
        decoding.memberships();
        decoding.leftovers();
        decoding.one_operation_each();
        let Decoding {
            operations, errors, ..
        } = decoding;
        match errors.is_empty() {
            true => Ok(Self {
                submission,
                operations,
            }),
            false => Err(errors),
        }
    }
}

/// Whether this may stand for a later version: it has a logicalID of its own.
fn is_later(entry_uuid: &EntryUuid, logical_id: Option<&EntryUuid>) -> bool {
    logical_id.is_some_and(|logical_id| logical_id != entry_uuid)
}

struct Decoding<'a> {
    submission: &'a Submission,
    operations: Vec<Operation>,
    /// Associations of which it is known what they are for.
    explained: HashSet<usize>,
    errors: Vec<RegistryError>,
}

impl<'a> Decoding<'a> {
    fn refuse(&mut self, code: ErrorCode, kind: &str, id: &EntryUuid, problem: &str) {
        let context = format!("{kind} {id}: {problem}");
        self.errors
            .push(RegistryError::error(code, context).at(id.as_str()));
    }

    /// An association that asks for nothing that there is.
    fn odd(&mut self, at: usize, problem: &str) {
        let id = &self.submission.associations[at].entry_uuid;
        let code = ErrorCode::MetadataUpdateOperationError;
        self.refuse(code, "Association", id, problem);
        self.explained.insert(at);
    }

    /// Document entries and folders: all are new versions (3.57.4.1.3.3.1, 3.57.4.1.3.3.3).
    fn new_versions(&mut self) {
        let submission = self.submission;
        for (at, entry) in submission.document_entries.iter().enumerate() {
            let later = is_later(&entry.entry_uuid, entry.logical_id.as_ref());
            let of = Versioned::DocumentEntry(at);
            self.new_version(of, "DocumentEntry", &entry.entry_uuid, later);
        }
        for (at, folder) in submission.folders.iter().enumerate() {
            let later = is_later(&folder.entry_uuid, folder.logical_id.as_ref());
            let of = Versioned::Folder(at);
            self.new_version(of, "Folder", &folder.entry_uuid, later);
        }
    }

    fn new_version(&mut self, of: Versioned, kind: &str, id: &EntryUuid, is_later: bool) {
        let set = &self.submission.submission_set.entry_uuid;
        let is_membership = |it: &Association| {
            it.association_type == AssociationType::HasMember
                && it.source == *set
                && it.target == *id
        };
        let all = self.submission.associations.iter().enumerate();
        let memberships: Vec<_> = all.filter(|(_, it)| is_membership(it)).collect();
        self.explained.extend(memberships.iter().map(|(at, _)| *at));
        if !is_later {
            let problem = "it is no later version: its logicalID must be that of a registered \
                           object; what is new is registered by ITI-42 or ITI-61";
            return self.refuse(ErrorCode::InvalidRequestException, kind, id, problem);
        }
        let [(membership, association)] = memberships[..] else {
            let problem = "it must be the target of one HasMember of the SubmissionSet";
            return self.refuse(ErrorCode::MetadataUpdateOperationError, kind, id, problem);
        };
        let Some(previous_version) = &association.previous_version else {
            let problem = "its membership in the SubmissionSet has no slot PreviousVersion with \
                           one value";
            return self.refuse(ErrorCode::MetadataUpdateOperationError, kind, id, problem);
        };
        let propagates = match association.text("AssociationPropagation") {
            Ok(None | Some("yes")) => true,
            Ok(Some("no")) => false,
            _ => {
                return self.odd(
                    membership,
                    "its AssociationPropagation is neither yes nor no",
                );
            }
        };
        self.operations.push(Operation::NewVersion(NewVersion {
            of,
            membership,
            previous_version: previous_version.clone(),
            propagates,
        }));
    }

    /// Associations that say what is to be done (3.57.4.1.3.3.2, .4, .5 and .6).
    fn triggers(&mut self) {
        let submission = self.submission;
        let associations = submission.associations.iter().enumerate();
        for (at, trigger) in associations.filter(|(_, it)| it.association_type.is_trigger()) {
            if trigger.source != submission.submission_set.entry_uuid {
                self.odd(at, "its sourceObject is not the SubmissionSet");
            } else if trigger.association_type == AssociationType::SubmitAssociation {
                self.submit_association(at, trigger);
            } else {
                self.change_status(at, trigger);
            }
        }
    }

    fn change_status(&mut self, trigger: usize, association: &Association) {
        let status = |name| match association.text(name) {
            Ok(Some(urn)) => AvailabilityStatus::parse(urn),
            _ => None,
        };
        let (Some(original), Some(new)) = (status("OriginalStatus"), status("NewStatus")) else {
            let problem = "its slots OriginalStatus and NewStatus must each be the URN of \
                           Approved or Deprecated";
            return self.odd(trigger, problem);
        };
        self.explained.insert(trigger);
        self.operations.push(Operation::ChangeStatus(ChangeStatus {
            trigger,
            original,
            new,
        }));
    }

    fn submit_association(&mut self, trigger: usize, by: &Association) {
        let submission = self.submission;
        let all = submission.associations.iter();
        let brought = all.clone().position(|it| it.entry_uuid == by.target);
        let Some(association) = brought.filter(|_| !by.target.as_str().is_empty()) else {
            return self.odd(
                trigger,
                "its targetObject is no Association of the submission",
            );
        };
        let brought = &submission.associations[association];
        let set = &submission.submission_set.entry_uuid;
        if brought.association_type.is_trigger() || brought.source == *set {
            let problem = "the Association that it brings does not link two registered objects";
            return self.odd(trigger, problem);
        }
        if matches!(brought.association_type, AssociationType::Other(_)) {
            let problem = "its associationType is not one that an update may bring";
            return self.odd(association, problem);
        }
        self.explained.extend([trigger, association]);
        self.operations.push(Operation::SubmitAssociation {
            trigger,
            association,
        });
    }

    /// The submission set may have members besides: what was registered before, by reference, and
    /// associations that it brings.
    fn memberships(&mut self) {
        let submission = self.submission;
        let set = &submission.submission_set.entry_uuid;
        for (at, it) in submission.associations.iter().enumerate() {
            if it.association_type == AssociationType::HasMember && it.source == *set {
                self.explained.insert(at);
            }
        }
    }

    fn leftovers(&mut self) {
        for at in 0..self.submission.associations.len() {
            if !self.explained.contains(&at) {
                let problem = "it asks for no operation; a new association needs a \
                               SubmitAssociation of the SubmissionSet";
                self.odd(at, problem);
            }
        }
        if self.errors.is_empty() && self.operations.is_empty() {
            let set = &self.submission.submission_set.entry_uuid;
            let code = ErrorCode::MetadataUpdateOperationError;
            let problem = "nothing that it came with asks for an operation";
            self.refuse(code, "SubmissionSet", set, problem);
        }
    }

    /// Of one object there is at most one new version and one new status.
    fn one_operation_each(&mut self) {
        let submission = self.submission;
        let mut versions: HashMap<&EntryUuid, usize> = HashMap::new();
        let mut statuses: HashMap<&EntryUuid, usize> = HashMap::new();
        let mut twice: Vec<&'a EntryUuid> = Vec::new();
        for operation in &self.operations {
            let (seen, id, subject) = match operation {
                Operation::NewVersion(new) => {
                    let (id, logical_id) = match new.of {
                        Versioned::DocumentEntry(at) => {
                            let entry = &submission.document_entries[at];
                            (&entry.entry_uuid, &entry.logical_id)
                        }
                        Versioned::Folder(at) => {
                            let folder = &submission.folders[at];
                            (&folder.entry_uuid, &folder.logical_id)
                        }
                    };
                    (&mut versions, logical_id.as_ref().unwrap_or(id), id)
                }
                Operation::ChangeStatus(change) => {
                    let trigger = &submission.associations[change.trigger];
                    (&mut statuses, &trigger.target, &trigger.entry_uuid)
                }
                Operation::SubmitAssociation { .. } => continue,
            };
            let count = seen.entry(id).or_default();
            *count += 1;
            if *count == 2 {
                twice.push(subject);
            }
        }
        for id in twice {
            let code = ErrorCode::MetadataUpdateOperationError;
            let problem = "the same is asked for an object that another object asks it for";
            self.refuse(code, "The object", id, problem);
        }
    }
}

impl Association {
    /// The one value of a slot that is kept for updates; nothing if there is no such slot.
    fn text(&self, name: &str) -> Result<Option<&str>, ()> {
        let Some(slot) = self.extra.slot(name) else {
            return Ok(None);
        };
        match &slot.values[..] {
            [value] => Ok(Some(value)),
            _ => Err(()),
        }
    }
}
