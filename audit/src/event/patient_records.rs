//! The constructors of "Patient Record" events: what was said of patients (ITI-8, ITI-44, ITI-64).

use crate::event::happenings::{happened, patient};
use crate::event::message::{Coded, Object};
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

const PATIENT_RECORD: Coded = Coded::dcm("110110", "Patient Record");

/// Detail of a patient that says which part it plays in a change of links (ITI TF-2 3.64.5.1).
const IDENTIFIER_TYPE: &str = "urn:ihe:iti:xpid:2017:patientIdentifierType";

/// The feed by which something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatientFeed {
    /// ITI-8: HL7 v2.
    PatientIdentityFeed,
    /// ITI-44: HL7 v3.
    PatientIdentityFeedHl7v3,
}

impl PatientFeed {
    const fn code(self) -> Coded {
        match self {
            Self::PatientIdentityFeed => Coded::ihe("ITI-8", "Patient Identity Feed"),
            Self::PatientIdentityFeedHl7v3 => Coded::ihe("ITI-44", "Patient Identity Feed"),
        }
    }

    /// What names the message in details of its patients.
    const fn detail(self) -> &'static str {
        match self {
            Self::PatientIdentityFeed => "MSH-10",
            Self::PatientIdentityFeedHl7v3 => "II",
        }
    }
}

/// What became of a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatientChange<'a> {
    /// It became known, as CX.
    Created(&'a str),
    /// Something else was said of it.
    Updated(&'a str),
    /// It was merged into another.
    Merged {
        /// The one that is no more.
        subsumed: &'a str,
        /// The one that is both.
        survivor: &'a str,
    },
}

/// Whose link changed (ITI TF-2 3.64.5.1), as CX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedLink<'a> {
    /// The local patient.
    pub local: &'a str,
    /// A local patient that is no more.
    pub subsumed_local: Option<&'a str>,
    /// The patient of the affinity domain that it is now.
    pub new: &'a str,
    /// The one that it was thought to be.
    pub previous: &'a str,
}

impl Event {
    /// ITI-8 and ITI-44: something was said of a patient, in the message of this name. A merge is the
    /// deletion of one record and the update of another, in one message each (ITI TF-2 3.44.5.1).
    pub fn patient_record(
        feed: PatientFeed,
        parties: &Parties,
        message: &str,
        change: PatientChange<'_>,
        outcome: &Outcome,
    ) -> Self {
        let record = |action, id: &str| {
            let mut object = patient(id);
            object.details.push((feed.detail(), message.to_owned()));
            let participants = parties.participants(Direction::ToResponder);
            let objects = vec![object];
            happened(
                PATIENT_RECORD,
                action,
                feed.code(),
                outcome,
                participants,
                objects,
            )
        };
        match change {
            PatientChange::Created(id) => record("C", id),
            PatientChange::Updated(id) => record("U", id),
            PatientChange::Merged { subsumed, survivor } => {
                record("D", subsumed).and(record("U", survivor))
            }
        }
    }

    /// ITI-64: a local patient is another one than it was thought to be. One message names all of
    /// them.
    pub fn link_changed(
        parties: &Parties,
        message: &str,
        link: ChangedLink<'_>,
        outcome: &Outcome,
    ) -> Self {
        let object = |id: &str, kind: &str, life_cycle| {
            let mut object = patient(id);
            object.life_cycle = life_cycle;
            object.details.push(("MSH-10", message.to_owned()));
            object.details.push((IDENTIFIER_TYPE, kind.to_owned()));
            object
        };
        let (origination, deletion) = (Some("1"), Some("14"));
        let moved = link.new != link.previous;
        let merged = link.subsumed_local.is_some();
        let mut objects: Vec<Object> = Vec::with_capacity(4);
        let of_local = origination.filter(|_| merged);
        objects.push(object(link.local, "localPatientId", of_local));
        let subsumed = link.subsumed_local;
        objects.extend(subsumed.map(|id| object(id, "subsumedPatientId", deletion)));
        objects.push(object(
            link.new,
            "newPatientId",
            origination.filter(|_| moved),
        ));
        objects.push(object(
            link.previous,
            "previousPatientId",
            deletion.filter(|_| moved),
        ));
        let code = Coded::ihe("ITI-64", "Notify XAD-PID Link Change");
        let participants = parties.participants(Direction::ToResponder);
        happened(PATIENT_RECORD, "U", code, outcome, participants, objects)
    }
}
