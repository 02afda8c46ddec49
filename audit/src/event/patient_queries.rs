//! The constructors of "Query" events about who patients are (ITI-45, ITI-47).

use crate::event::happenings::{QUERY, happened, object, patient};
use crate::event::message::{Coded, Object};
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

/// The transaction with which it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatientQueryKind {
    /// ITI-45: other identifiers of a patient.
    Identifiers,
    /// ITI-47: patients with these demographics.
    Demographics,
}

/// What was asked of patients, and who is in the answer.
#[derive(Debug, Clone, Copy)]
pub struct PatientQuery<'a> {
    /// With which transaction.
    pub kind: PatientQueryKind,
    /// What names the message that asked.
    pub message: &'a str,
    /// The `queryByParameter`, in UTF-8. An answer that is continued has none.
    pub query: &'a str,
    /// Patients in the answer, as CX; and the one who was asked for.
    pub patients: &'a [String],
}

impl PatientQueryKind {
    const fn code(self) -> Coded {
        match self {
            Self::Identifiers => Coded::ihe("ITI-45", "PIX Query"),
            Self::Demographics => Coded::ihe("ITI-47", "Patient Demographics Query"),
        }
    }
}

impl Event {
    /// ITI-45 and ITI-47: somebody asked who patients are. Both sides record the same: one message, which
    /// names everybody whom the answer names (ITI TF-2 3.45.5.1, 3.47.5.1: "Patient (0..n)").
    pub fn patients_queried(parties: &Parties, query: PatientQuery<'_>, outcome: &Outcome) -> Self {
        let mut asked = object("24", query.message, query.kind.code());
        asked.query = Some(query.query.as_bytes().to_vec());
        asked.details.push(("QueryEncoding", "UTF-8".to_owned()));
        let mut objects: Vec<Object> = query.patients.iter().map(|id| patient(id)).collect();
        objects.push(asked);
        let participants = parties.participants(Direction::ToResponder);
        let code = query.kind.code();
        happened(QUERY, "E", code, outcome, participants, objects)
    }
}
