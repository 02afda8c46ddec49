//! What is recorded of patients across communities: ITI-55, ITI-56, and correlations that are revoked.

use crate::event::happenings::{
    HOME_OF_DOCUMENT, PATIENT_RECORD, QUERY, happened, object, patient,
};
use crate::event::message::{Coded, Object};
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

const DISCOVERY: Coded = Coded::ihe("ITI-55", "Cross Gateway Patient Discovery");
const LOCATION: Coded = Coded::ihe("ITI-56", "Patient Location Query");

/// A question about patients.
#[derive(Debug, Clone, Copy)]
pub struct AboutPatients<'a> {
    /// What names the question.
    pub id: &'a str,
    /// The question itself: in ITI-55 its `queryByParameter`, in ITI-56 all of it.
    pub query: &'a str,
    /// Patients of whom something was said, as CX.
    pub patients: &'a [String],
    /// The community that was asked, or that asked.
    pub home_community_id: Option<&'a str>,
}

impl Event {
    /// ITI-55: a community was asked for a patient. The one who asks names nobody but in the query
    /// (ITI TF-2 3.55.5.1.1); the one who answers names whom it found (3.55.5.1.2).
    pub fn patient_discovered(
        parties: &Parties,
        asked: AboutPatients<'_>,
        outcome: &Outcome,
    ) -> Self {
        about_patients(DISCOVERY, parties, asked, outcome)
    }

    /// ITI-56: a community was asked where a patient is known. Both sides record the same.
    pub fn patient_located(parties: &Parties, asked: AboutPatients<'_>, outcome: &Outcome) -> Self {
        about_patients(LOCATION, parties, asked, outcome)
    }

    /// A community was told that it is not to ask for a patient any more (XCPD, Revoke option). For whoever
    /// is told, a record of the patient goes.
    pub fn correlation_revoked(
        parties: &Parties,
        message: &str,
        of_patient: &str,
        outcome: &Outcome,
    ) -> Self {
        let mut object = patient(of_patient);
        object.details.push(("II", message.to_owned()));
        let participants = parties.participants(Direction::ToResponder);
        happened(
            PATIENT_RECORD,
            "D",
            DISCOVERY,
            outcome,
            participants,
            vec![object],
        )
    }
}

fn about_patients(
    code: Coded,
    parties: &Parties,
    asked: AboutPatients<'_>,
    outcome: &Outcome,
) -> Event {
    let mut query = object("24", asked.id, code.clone());
    query.query = Some(asked.query.as_bytes().to_vec());
    let home = asked.home_community_id.map(str::to_owned);
    // 3.55.5.1.1 keeps this spelling on purpose.
    query
        .details
        .extend(home.map(|home| (HOME_OF_DOCUMENT, home)));
    let patients = asked.patients.iter().map(|id| patient(id));
    let mut objects: Vec<Object> = patients.collect();
    objects.push(query);
    let participants = parties.participants(Direction::ToResponder);
    happened(QUERY, "E", code, outcome, participants, objects)
}
