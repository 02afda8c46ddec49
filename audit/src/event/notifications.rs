//! Document metadata subscription: who asked to be told, and who was told of what.
//!
//! ITI TF-2 3.52.6.1, 3.53.5.1, 3.54.5.1; Extensions to the Document Metadata Subscription
//! profile, 3.69.5.1 and 3.70.5.1.

use crate::event::happenings::{happened, object, patient};
use crate::event::message::{Coded, Object};
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

const APPLICATION_ACTIVITY: Coded = Coded::dcm("110100", "Application Activity");
const EXPORT: Coded = Coded::dcm("110106", "Export");
const IMPORT: Coded = Coded::dcm("110107", "Import");
const QUERY: Coded = Coded::dcm("110112", "Query");

const SUBSCRIBE: Coded = Coded::ihe("ITI-52", "Document Metadata Subscribe");
const NOTIFY: Coded = Coded::ihe("ITI-53", "Document Metadata Notify");
const PUBLISH: Coded = Coded::ihe("ITI-54", "Document Metadata Publish");
const PULL_POINT: Coded = Coded::ihe("ITI-69", "Create Destroy Pull Point");
const PULL: Coded = Coded::ihe("ITI-70", "Pull Notification");

/// Detail of an object that comes from a community.
const HOME: &str = "urn:ihe:iti:xca:2010:homeCommunityId";

/// What was subscribed to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subscribing<'a> {
    /// The address of the subscription, once there is one.
    pub reference: Option<&'a str>,
    /// The patient as CX, if the filter names one.
    pub patient: Option<&'a str>,
    /// The id of the filter.
    pub filter: Option<&'a str>,
    /// The whole `wsnt:Subscribe`, in UTF-8.
    pub request: &'a str,
}

/// An object that was told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// What it is.
    pub kind: NotifiedKind,
    /// Its `entryUUID`.
    pub entry_uuid: String,
    /// The community it belongs to.
    pub home_community_id: Option<String>,
}

/// What an object is that was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifiedKind {
    /// A stable document entry.
    Stable,
    /// An on-demand document entry.
    OnDemand,
    /// A folder.
    Folder,
    /// A submission set.
    SubmissionSet,
    /// An object of which nothing but its name is known.
    Reference,
}

impl NotifiedKind {
    const fn code(self) -> Coded {
        let (code, text) = match self {
            Self::Stable => (
                "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
                "document entry object type",
            ),
            Self::OnDemand => (
                "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248",
                "on-demand document entry object type",
            ),
            Self::Folder => (
                "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2",
                "folder classification node",
            ),
            Self::SubmissionSet => (
                "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
                "submission set classification node",
            ),
            Self::Reference => ("urn:ihe:iti:2017:ObjectRef", "registry object reference"),
        };
        Coded {
            code,
            system: "IHE XDS Metadata",
            text,
        }
    }
}

impl Notified {
    fn object(&self) -> Object {
        let mut object = object("3", &self.entry_uuid, self.kind.code());
        let home = self.home_community_id.clone();
        object.details.extend(home.map(|home| (HOME, home)));
        object
    }
}

impl Event {
    /// ITI-52: somebody asked to be told. Both sides record the same.
    pub fn subscribed(parties: &Parties, what: Subscribing<'_>, outcome: &Outcome) -> Self {
        let mut objects: Vec<Object> = what.reference.map(subscription).into_iter().collect();
        objects.extend(what.patient.map(patient));
        if let Some(filter) = what.filter {
            let mut asked = object("24", filter, SUBSCRIBE);
            asked.query = Some(what.request.as_bytes().to_vec());
            asked.details.push(("QueryEncoding", "UTF-8".to_owned()));
            objects.push(asked);
        }
        let participants = parties.participants(Direction::ToResponder);
        happened(QUERY, "C", SUBSCRIBE, outcome, participants, objects)
    }

    /// ITI-52: somebody asked not to be told any more at this address. Both sides record the same.
    pub fn unsubscribed(parties: &Parties, reference: &str, outcome: &Outcome) -> Self {
        let participants = parties.participants(Direction::ToResponder);
        let objects = vec![subscription(reference)];
        happened(QUERY, "D", SUBSCRIBE, outcome, participants, objects)
    }

    /// ITI-53: somebody was told: an export for the one who tells, an import for the one who is
    /// told. Only the latter names the patient (3.53.5.1.1).
    pub fn notified(
        parties: &Parties,
        of_patient: Option<&str>,
        told: &[Notified],
        outcome: &Outcome,
    ) -> Self {
        told_of(NOTIFY, parties, of_patient, told, outcome)
    }

    /// ITI-54: a broker was told what happened.
    pub fn published(
        parties: &Parties,
        of_patient: Option<&str>,
        told: &[Notified],
        outcome: &Outcome,
    ) -> Self {
        told_of(PUBLISH, parties, of_patient, told, outcome)
    }

    /// ITI-69: a pull point was made, or could not be. Both sides record the same.
    pub fn pull_point_created(parties: &Parties, address: &str, outcome: &Outcome) -> Self {
        pull_point(parties, "C", address, outcome)
    }

    /// ITI-69: a pull point was removed, or could not be. Both sides record the same.
    pub fn pull_point_destroyed(parties: &Parties, address: &str, outcome: &Outcome) -> Self {
        pull_point(parties, "D", address, outcome)
    }

    /// ITI-70: notifications were fetched. Both sides record the same.
    pub fn pulled(
        parties: &Parties,
        of_patient: Option<&str>,
        told: &[Notified],
        outcome: &Outcome,
    ) -> Self {
        let mut objects: Vec<Object> = of_patient.map(patient).into_iter().collect();
        objects.extend(told.iter().map(Notified::object));
        let participants = parties.participants(Direction::ToResponder);
        happened(QUERY, "E", PULL, outcome, participants, objects)
    }
}

fn told_of(
    code: Coded,
    parties: &Parties,
    of_patient: Option<&str>,
    told: &[Notified],
    outcome: &Outcome,
) -> Event {
    let (id, action) = if parties.asked {
        (EXPORT, "R")
    } else {
        (IMPORT, "C")
    };
    let mut objects: Vec<Object> = of_patient.map(patient).into_iter().collect();
    objects.extend(told.iter().map(Notified::object));
    let participants = parties.participants(Direction::ToResponder);
    happened(id, action, code, outcome, participants, objects)
}

fn pull_point(parties: &Parties, action: &'static str, address: &str, outcome: &Outcome) -> Event {
    let participants = parties.participants(Direction::ToResponder);
    let objects = vec![object("20", address, PULL_POINT)];
    happened(
        APPLICATION_ACTIVITY,
        action,
        PULL_POINT,
        outcome,
        participants,
        objects,
    )
}

fn subscription(reference: &str) -> Object {
    object("20", reference, SUBSCRIBE)
}
