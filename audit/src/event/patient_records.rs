//! The constructors of "Patient Record" events: what was said of patients (ITI-8, ITI-44, ITI-64).

use xds_schemas::iti8_patient_identity_feed::Announcement;
use xds_schemas::iti64_notify_xad_pid_link_change::LinkChange;
use xds_schemas::metadata::PatientId;

use crate::event::happenings::{happened, patient};
use crate::event::message::{Coded, Object};
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

const PATIENT_RECORD: Coded = Coded::dcm("110110", "Patient Record");

/// What stands for a patient whom nobody named.
const NOBODY: &str = "none";
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

impl Event {
    /// ITI-8 and ITI-44: something was said of patients, in the message of this name. Each has a record
    /// of its own; a merge is the deletion of one record and the update of another (ITI TF-2
    /// 3.44.5.1). A message may name nobody who is known here, or not be understood.
    pub fn patients_announced(
        feed: PatientFeed,
        parties: &Parties,
        message: &str,
        announcement: Option<&Announcement>,
        outcome: &Outcome,
    ) -> Self {
        let record = |action, id: &str| {
            let mut object = patient(id);
            object.details.push((feed.detail(), message.to_owned()));
            let participants = parties.participants(Direction::ToResponder);
            let objects = vec![object];
            let code = feed.code();
            happened(PATIENT_RECORD, action, code, outcome, participants, objects)
        };
        let each = |action, patients: &[PatientId]| {
            let events = patients.iter().map(|id| record(action, &id.to_string()));
            events.reduce(Self::and)
        };
        let event = match announcement {
            Some(Announcement::Add(patients)) => each("C", patients),
            Some(Announcement::Revise(patients)) => each("U", patients),
            Some(Announcement::Merge { subsumed, survivor }) => {
                let deleted = record("D", &subsumed.to_string());
                Some(deleted.and(record("U", &survivor.to_string())))
            }
            None => None,
        };
        event.unwrap_or_else(|| record("U", NOBODY))
    }

    /// ITI-64: a local patient is another one than it was thought to be. One message names all of
    /// them.
    pub fn link_changed(
        parties: &Parties,
        message: &str,
        link: &LinkChange,
        outcome: &Outcome,
    ) -> Self {
        let object = |id: &PatientId, kind: &str, life_cycle| {
            let mut object = patient(&id.to_string());
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
        objects.push(object(&link.local, "localPatientId", of_local));
        let subsumed = link.subsumed_local.as_ref();
        objects.extend(subsumed.map(|id| object(id, "subsumedPatientId", deletion)));
        objects.push(object(
            &link.new,
            "newPatientId",
            origination.filter(|_| moved),
        ));
        objects.push(object(
            &link.previous,
            "previousPatientId",
            deletion.filter(|_| moved),
        ));
        let code = Coded::ihe("ITI-64", "Notify XAD-PID Link Change");
        let participants = parties.participants(Direction::ToResponder);
        happened(PATIENT_RECORD, "U", code, outcome, participants, objects)
    }
}
