use proptest::prelude::*;

use super::*;
use crate::codes::error_code::ErrorCode;
use crate::codes::status::{APPROVED, DEPRECATED};
use crate::ebrim::Slot;
use crate::metadata::{
    Association, AssociationType, Code, DocumentEntry, EntryUuid, Folder, PatientId, SubmissionSet,
    SubmissionSetStatus, Timestamp,
};

const LOGICAL_ID: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";
const OTHER: &str = "urn:uuid:00000000-0000-4000-8000-000000000002";

fn code(text: &str) -> Code {
    Code::new(text, "1.2.3", text)
}

fn empty() -> Submission {
    Submission::new(SubmissionSet {
        content_type_code: Some(code("content")),
        patient_id: Some(PatientId::new("P", "1.2.3")),
        submission_time: Timestamp::parse("2026").ok(),
        ..SubmissionSet::new("Set", "1.2.3.4", "1.2.3.5")
    })
}

fn member(target: &str, previous: &str) -> Association {
    let original = SubmissionSetStatus::Original;
    Association {
        previous_version: Some(previous.to_owned()),
        ..Association::member("Set", target, original)
    }
}

fn folder(name: &str, logical_id: &str, unique_id: &str) -> Folder {
    Folder {
        codes: vec![code("folder")],
        patient_id: Some(PatientId::new("P", "1.2.3")),
        logical_id: Some(logical_id.into()),
        ..Folder::new(name, unique_id, "Title")
    }
}

fn status(target: &str, from: &str, to: &str) -> Association {
    let kind = AssociationType::UpdateAvailabilityStatus;
    let mut trigger = Association::new(kind, "Set", target);
    trigger.extra.slots = vec![
        Slot::single("OriginalStatus", from),
        Slot::single("NewStatus", to),
    ];
    trigger
}

fn codes(submission: &Submission) -> Vec<ErrorCode> {
    match Update::read(&submission.to_ebrim()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| error.code).collect(),
    }
}

/// Metadata update 3.57.4.1.3.3: each object asks for one operation.
#[test]
fn operations_are_found() {
    let mut submission = empty();
    submission
        .folders
        .push(folder("Folder", LOGICAL_ID, "1.2.3.6"));
    submission.associations = vec![
        member("Folder", "3"),
        status(OTHER, APPROVED, DEPRECATED),
        Association {
            entry_uuid: EntryUuid::from("Brought"),
            ..Association::new(AssociationType::HasMember, LOGICAL_ID, OTHER)
        },
        Association::new(AssociationType::SubmitAssociation, "Set", "Brought"),
    ];
    let update = Update::read(&submission.to_ebrim()).unwrap();
    assert_eq!(
        update.operations,
        [
            Operation::NewVersion(NewVersion {
                of: Versioned::Folder(0),
                membership: 0,
                previous_version: "3".to_owned(),
                propagates: true,
            }),
            Operation::ChangeStatus(ChangeStatus {
                trigger: 1,
                original: AvailabilityStatus::Approved,
                new: AvailabilityStatus::Deprecated,
            }),
            Operation::SubmitAssociation {
                trigger: 3,
                association: 2,
            },
        ]
    );
}

/// Metadata update 3.57.4.1.2: of one object at most one new version and one new status.
#[test]
fn nothing_is_asked_twice() {
    let mut submission = empty();
    for (name, unique_id) in [("One", "1.2.3.6"), ("Two", "1.2.3.7")] {
        submission.folders.push(folder(name, LOGICAL_ID, unique_id));
        submission.associations.push(member(name, "1"));
    }
    assert_eq!(
        codes(&submission),
        [ErrorCode::MetadataUpdateOperationError]
    );
    let mut submission = empty();
    for _ in 0..3 {
        submission
            .associations
            .push(status(OTHER, APPROVED, DEPRECATED));
    }
    assert_eq!(
        codes(&submission),
        [ErrorCode::MetadataUpdateOperationError]
    );
}

/// Only the submission set asks.
#[test]
fn triggers_begin_at_the_submission_set() {
    let mut submission = empty();
    let mut trigger = status(OTHER, APPROVED, DEPRECATED);
    trigger.source = LOGICAL_ID.into();
    submission.associations.push(trigger);
    assert_eq!(
        codes(&submission),
        [ErrorCode::MetadataUpdateOperationError]
    );
}

proptest! {
    /// Whatever is linked in whatever way: it is read or refused, each object at most a few times.
    #[test]
    fn nothing_makes_reading_panic(links in prop::collection::vec(
        (0..9_usize, 0..5_usize, 0..5_usize, prop::option::of("[0-9a-z]{0,3}")), 0..8,
    )) {
        const ENDS: [&str; 5] = ["Set", "Entry", "Folder", OTHER, "Nowhere"];
        let mut submission = empty();
        submission.folders.push(folder("Folder", LOGICAL_ID, "1.2.3.6"));
        submission.document_entries.push(DocumentEntry::new("Entry", "1.2.3.8", "text/plain"));
        for (at, (kind, source, target, slot)) in links.into_iter().enumerate() {
            let kinds = [
                AssociationType::HasMember,
                AssociationType::Replace,
                AssociationType::Transform,
                AssociationType::Append,
                AssociationType::TransformAndReplace,
                AssociationType::Signs,
                AssociationType::IsSnapshotOf,
                AssociationType::UpdateAvailabilityStatus,
                AssociationType::SubmitAssociation,
            ];
            let mut link = Association::new(kinds[kind].clone(), ENDS[source], ENDS[target]);
            link.entry_uuid = EntryUuid(format!("Link{at}"));
            if let Some(text) = slot {
                link.previous_version = Some(text.clone());
                link.extra.slots.push(Slot::single("NewStatus", text));
            }
            submission.associations.push(link);
        }
        drop(Update::read(&submission.to_ebrim()));
        let here = "urn:oid:1.2".into();
        drop(crate::iti92_restricted_update_document_set::read(&submission.to_ebrim(), &here));
    }
}
