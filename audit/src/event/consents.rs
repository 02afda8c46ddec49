//! The constructors of events about patients' consents (ITI-108 Access Consent): a consent is part of
//! the patient's record.

use crate::event::happenings::{PATIENT_RECORD, QUERY, happened, object, patient};
use crate::event::message::{Coded, Object};
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

const ACCESS_CONSENT: Coded = Coded::ihe("ITI-108", "Access Consent");
const CONSENT: Coded = Coded {
    code: "Consent",
    system: "http://hl7.org/fhir/resource-types",
    text: "Consent",
};

/// What was done with a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentUse {
    /// It was recorded.
    Create,
    /// It was looked at, or its history was.
    Read,
    /// It was changed, perhaps withdrawn.
    Update,
}

impl Event {
    /// ITI-108: something was done with a consent. It is named as `Consent/ID`, if it has a name, with
    /// its version and its status, if they are known.
    pub fn consent_used(
        what: ConsentUse,
        parties: &Parties,
        of_patient: Option<&str>,
        consent: Option<&str>,
        details: &[(&'static str, &str)],
        outcome: &Outcome,
    ) -> Self {
        let (action, direction) = match what {
            ConsentUse::Create => ("C", Direction::ToResponder),
            ConsentUse::Read => ("R", Direction::ToInitiator),
            ConsentUse::Update => ("U", Direction::ToResponder),
        };
        let mut objects: Vec<Object> = of_patient.map(patient).into_iter().collect();
        objects.extend(consent.map(|name| {
            let mut named = object("3", name, CONSENT);
            let details = details.iter();
            let details = details.map(|(name, value)| (*name, (*value).to_owned()));
            named.details.extend(details);
            named
        }));
        let participants = parties.participants(direction);
        let code = ACCESS_CONSENT;
        happened(PATIENT_RECORD, action, code, outcome, participants, objects)
    }

    /// ITI-108: somebody asked which consents there are. `query` is what followed the question mark.
    pub fn consents_queried(
        parties: &Parties,
        of_patient: Option<&str>,
        query: &str,
        outcome: &Outcome,
    ) -> Self {
        let mut asked = object("24", "Consent", ACCESS_CONSENT);
        asked.query = Some(query.as_bytes().to_vec());
        asked.details.push(("QueryEncoding", "UTF-8".to_owned()));
        let mut objects: Vec<Object> = of_patient.map(patient).into_iter().collect();
        objects.push(asked);
        let participants = parties.participants(Direction::ToResponder);
        happened(QUERY, "E", ACCESS_CONSENT, outcome, participants, objects)
    }
}
