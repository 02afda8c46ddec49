//! Which of our patients is meant, and what is said of them.
//!
//! The registry finds people who are like the one who is asked for, and says how much (its matching rule);
//! here it is decided who is meant. It is the one person who is sure enough, and of whom no identifier
//! says that it is another one. Whoever shares an identifier that the question names comes before those who
//! are only alike.

use xds_schemas::hl7v3::InstanceId;
use xds_schemas::hl7v3::find_candidates::{Candidate, FindCandidatesQuery, Parameters};
use xds_schemas::metadata::PatientId;
use xds_schemas::person::{Person, PersonName};

use crate::Room;
use crate::discovery::registered;
use crate::patients::Demographics;

/// How much a person must be like the one who is asked for, of 100.
const SURE: u8 = 90;
/// How sure it is if an identifier says so.
const CERTAIN: u8 = 100;

/// Who is meant.
#[derive(Debug)]
pub(super) enum Matched {
    /// Nobody.
    Nobody,
    /// This one.
    One(Box<Found>),
    /// It cannot be said who.
    Several,
}

/// One of ours.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) own: PatientId,
    /// What is said of them.
    pub(super) person: Person,
    /// How sure it is.
    pub(super) degree: Option<u8>,
}

/// Identifiers by which both sides may know the patient: all but the one of the community that asks.
pub(super) fn shared_ids(question: &FindCandidatesQuery) -> Vec<PatientId> {
    let mut ids = question.query.parameters.patient_ids();
    let of_asker = question.patient_of_asker();
    ids.retain(|id| Some(id) != of_asker.as_ref());
    ids
}

/// Whom the own registry finds.
pub(super) async fn find(room: &Room, question: &FindCandidatesQuery) -> Result<Matched, String> {
    let asked = &question.query.parameters;
    let ids = shared_ids(question);
    let degree = question.query.minimum_degree.unwrap_or(0).max(SURE);
    let is_described = !asked.names.is_empty() && asked.birth_time.is_some();
    // Identifiers that nobody knows here do not make somebody another person.
    let parameters = Parameters {
        ids: match is_described {
            true => Vec::new(),
            false => ids.iter().map(InstanceId::of).collect(),
        },
        domains: Vec::new(),
        others: Vec::new(),
        ..asked.clone()
    };
    let mut candidates = registered(room, parameters, Some(degree)).await?;
    for candidate in &mut candidates {
        if shares(candidate, &ids) {
            candidate.degree = Some(CERTAIN);
        }
    }
    candidates.retain(|it| it.degree.unwrap_or(0) >= degree && !is_another(it, &ids));
    if candidates.iter().any(|it| shares(it, &ids)) {
        candidates.retain(|it| shares(it, &ids));
    }
    let mut candidates = candidates.into_iter();
    let (found, more) = (candidates.next(), candidates.next().is_some());
    let Some(found) = found else {
        return Ok(Matched::Nobody);
    };
    let mut own = found.person.ids.iter().chain(&found.ids);
    let own = own.find(|id| room.patients.is_own(id)).cloned();
    match (own, more) {
        (Some(own), false) => Ok(Matched::One(Box::new(Found {
            person: told(room.patients.config.demographics, &own, &found, asked),
            degree: found.degree,
            own,
        }))),
        // Who has no identifier here cannot be asked for.
        (None, false) => Ok(Matched::Nobody),
        (_, true) => Ok(Matched::Several),
    }
}

/// Whether one of the identifiers is the candidate's.
fn shares(candidate: &Candidate, ids: &[PatientId]) -> bool {
    let mut own = candidate.person.ids.iter().chain(&candidate.ids);
    own.any(|id| ids.contains(id))
}

/// Whether the candidate has other identifiers in a domain in which the question names one.
fn is_another(candidate: &Candidate, ids: &[PatientId]) -> bool {
    let own = || candidate.person.ids.iter().chain(&candidate.ids);
    ids.iter()
        .any(|id| own().any(|it| it.authority == id.authority) && !own().any(|it| it == id))
}

/// What another community is told of a person.
fn told(
    demographics: Demographics,
    own: &PatientId,
    found: &Candidate,
    asked: &Parameters,
) -> Person {
    if demographics == Demographics::Full {
        return found.person.clone();
    }
    let person = &found.person;
    let name = |name: &PersonName| PersonName {
        family: name.family.clone(),
        given: name.given.clone(),
        ..PersonName::default()
    };
    let names = person.names.iter().take(1).map(name);
    Person {
        ids: vec![own.clone()],
        names: match asked.names.is_empty() {
            true => Vec::new(),
            false => names.collect(),
        },
        gender: asked.gender.and(person.gender),
        birth_time: match asked.birth_time {
            Some(_) => person.birth_time.clone(),
            None => None,
        },
        ..Person::default()
    }
}
