//! What happens to documents outside of registries: on media (ITI-32), and in the inbox of a
//! Document Recipient.

use crate::event::happenings::{
    EXPORT, IMPORT, PATIENT_RECORD, QUERY, SUBMISSION_SET, SubmissionSet, happened, object, patient,
};
use crate::event::message::{Coded, Object, Participant};
use crate::event::parties::{DESTINATION, Direction, Parties, SOURCE};
use crate::event::{Event, Outcome};

const DISTRIBUTE: Coded = Coded::ihe("ITI-32", "Distribute Document Set on Media");

/// A kind of medium (DICOM PS3.16 CID 405).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// USB sticks and disks.
    Usb,
    /// An attachment of an e-mail.
    Email,
    /// CD.
    Cd,
    /// DVD.
    Dvd,
    /// Something that is fetched from an address.
    Uri,
}

impl Medium {
    const fn code(self) -> Coded {
        match self {
            Self::Usb => Coded::dcm("110030", "USB Disk Emulation"),
            Self::Email => Coded::dcm("110031", "Email"),
            Self::Cd => Coded::dcm("110032", "CD"),
            Self::Dvd => Coded::dcm("110033", "DVD"),
            Self::Uri => Coded::dcm("110037", "URI"),
        }
    }
}

/// What was done with the inbox of a Document Recipient.
#[derive(Debug, Clone, Copy)]
pub enum InboxUse<'a> {
    /// It was listed.
    Listed,
    /// A submission was given out.
    Fetched(SubmissionSet<'a>),
    /// A submission was removed.
    Deleted(SubmissionSet<'a>),
}

impl Event {
    /// ITI-32, Portable Media Creator: `program` put a submission set on a medium.
    pub fn media_written(
        program: &str,
        medium: Medium,
        set: SubmissionSet<'_>,
        outcome: &Outcome,
    ) -> Self {
        let participants = vec![process(program, SOURCE), on(medium, DESTINATION)];
        let objects = on_media(set);
        happened(EXPORT, "R", DISTRIBUTE, outcome, participants, objects)
    }

    /// ITI-32, Portable Media Importer: `program` took a submission set from a medium.
    pub fn media_read(
        program: &str,
        medium: Medium,
        set: SubmissionSet<'_>,
        outcome: &Outcome,
    ) -> Self {
        let participants = vec![on(medium, SOURCE), process(program, DESTINATION)];
        let objects = on_media(set);
        happened(IMPORT, "C", DISTRIBUTE, outcome, participants, objects)
    }

    /// Somebody who runs a Document Recipient looked into its inbox, or cleared it. There is no
    /// transaction of IHE for that.
    pub fn inbox_used(parties: &Parties, what: InboxUse<'_>, outcome: &Outcome) -> Self {
        let (id, action, code, direction) = match what {
            InboxUse::Listed => (QUERY, "E", inbox("inbox list"), Direction::ToResponder),
            InboxUse::Fetched(_) if parties.asked => {
                (IMPORT, "C", inbox("inbox fetch"), Direction::ToInitiator)
            }
            InboxUse::Fetched(_) => (EXPORT, "R", inbox("inbox fetch"), Direction::ToInitiator),
            InboxUse::Deleted(_) => (
                PATIENT_RECORD,
                "D",
                inbox("inbox delete"),
                Direction::ToResponder,
            ),
        };
        let objects = match what {
            InboxUse::Listed => Vec::new(),
            InboxUse::Fetched(set) | InboxUse::Deleted(set) => {
                let mut objects: Vec<Object> = set.patient.map(patient).into_iter().collect();
                objects.push(object("20", set.unique_id, SUBMISSION_SET));
                objects
            }
        };
        let participants = parties.participants(direction);
        happened(id, action, code, outcome, participants, objects)
    }
}

const fn inbox(what: &'static str) -> Coded {
    Coded {
        code: what,
        system: "Hilum Inbox",
        text: "Inbox of the Document Recipient",
    }
}

/// ITI TF-2 3.32.5.1: the type of the submission set's ID is the transaction.
fn on_media(set: SubmissionSet<'_>) -> Vec<Object> {
    let mut objects: Vec<Object> = set.patient.map(patient).into_iter().collect();
    objects.push(object("20", set.unique_id, DISTRIBUTE));
    objects
}

/// The program that reads or writes, which is this process.
fn process(program: &str, role: Coded) -> Participant {
    Participant {
        user_id: program.to_owned(),
        user_name: None,
        requestor: role.code == SOURCE.code,
        role: Some(role),
        address: None,
        own: true,
        medium: None,
        person: None,
    }
}

/// The medium. It is where it is read or written, which is this machine.
fn on(medium: Medium, role: Coded) -> Participant {
    Participant {
        user_id: "medium".to_owned(),
        user_name: None,
        requestor: false,
        role: Some(role),
        address: None,
        own: false,
        medium: Some(medium.code()),
        person: None,
    }
}
