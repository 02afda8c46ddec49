//! Which of our patients is meant, and what is said of them.
//!
//! The registry finds people who are like the one who is asked for (ITI-47); how sure it is that one of them
//! is meant, and whether that is enough, says the rule of [`xds_schemas::person::matching`]. Whoever is not
//! meant is not spoken of.

use xds_schemas::hl7v3::InstanceId;
use xds_schemas::hl7v3::find_candidates::{Candidate, FindCandidatesQuery, Parameters, Wanted};
use xds_schemas::metadata::PatientId;
use xds_schemas::person::matching::{Choice, choose, degree, wanted};
use xds_schemas::person::{Person, PersonName, SEARCH, words_of};

use crate::Room;
use crate::discovery::registered;
use crate::patients::Demographics;

/// Who is meant.
#[derive(Debug)]
pub(super) enum Matched {
    /// Nobody.
    Nobody,
    /// This one.
    One(Box<Found>),
    /// It cannot be said who; this would help to say it.
    Several(Vec<Wanted>),
}

/// One of ours.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) own: PatientId,
    /// What is said of them.
    pub(super) person: Person,
    /// How sure it is.
    pub(super) degree: u8,
}

/// Identifiers by which both sides may know the patient: all but the one of the community that asks.
pub(super) fn shared_ids(question: &FindCandidatesQuery) -> Vec<InstanceId> {
    let of_asker = question.patient_of_asker();
    let ids = question.query.parameters.ids.iter();
    let is_shared = |id: &&InstanceId| {
        let patient = id.patient();
        patient.is_some() && patient != of_asker
    };
    ids.filter(is_shared).cloned().collect()
}

/// Whom the own registry finds.
pub(super) async fn find(room: &Room, question: &FindCandidatesQuery) -> Result<Matched, String> {
    let asked = Parameters {
        ids: shared_ids(question),
        ..question.query.parameters.clone()
    };
    let people = registered(room, like(&asked)).await?;
    let mut judged = Vec::with_capacity(people.len());
    for candidate in people {
        let degree = degree(&asked, &candidate.person);
        judged.push(((candidate, degree), degree));
    }
    let (candidate, degree) = match choose(judged, question.query.minimum_degree) {
        Choice::Nobody => return Ok(Matched::Nobody),
        Choice::Ambiguous(several) => {
            let people = several.iter().map(|(candidate, _)| &candidate.person);
            return Ok(Matched::Several(wanted(&asked, people)));
        }
        Choice::One(found) => found,
    };
    let mut ids = candidate.ids.iter().chain(&candidate.person.ids);
    // Who has no identifier here cannot be asked for.
    let Some(own) = ids.find(|id| room.patients.is_own(id)).cloned() else {
        return Ok(Matched::Nobody);
    };
    Ok(Matched::One(Box::new(Found {
        person: told(room.patients.config.demographics, &own, &candidate, &asked),
        degree,
        own,
    })))
}

/// What the registry is asked: less than is known, since it leaves out whom anything does not fit. Whoever
/// is described is found by name and birth, and otherwise by identifiers.
fn like(asked: &Parameters) -> Parameters {
    if asked.names.is_empty() || asked.birth_time.is_none() {
        return Parameters {
            ids: asked.ids.clone(),
            ..Parameters::default()
        };
    }
    let name = |name: &PersonName| PersonName {
        usage: Some(SEARCH.to_owned()),
        ..name.clone()
    };
    Parameters {
        names: asked.names.iter().map(name).collect(),
        birth_time: asked.birth_time.clone(),
        ..Parameters::default()
    }
}

/// Of a name, the family name and those given names with which it was asked. Of who was asked for by a name as a
/// whole, nobody can say which word of it is what.
fn asked_with(name: &PersonName, asked: &[PersonName]) -> PersonName {
    let is_whole = asked.iter().any(|asked| asked.text.is_some());
    let words = words_of(asked.iter().flat_map(|asked| &asked.given));
    let is_initial = |short: &String, long: &String| {
        short.chars().count() == 1 && long.starts_with(short.as_str())
    };
    // Whoever is asked for by an initial, or is known by one, may be meant.
    let is_asked = |given: &&String| {
        let given = words_of([*given]);
        let fits = |word: &String| {
            let of_initials = |asked| is_initial(asked, word) || is_initial(word, asked);
            words.contains(word) || words.iter().any(of_initials)
        };
        is_whole || given.iter().any(fits)
    };
    PersonName {
        family: name.family.clone(),
        given: name.given.iter().filter(is_asked).cloned().collect(),
        ..PersonName::default()
    }
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
    let names = person.names.iter().take(1);
    let names = names.map(|name| asked_with(name, &asked.names));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_given_name_is_said_with_which_nobody_asked() {
        let known = PersonName {
            given: ["Anna", "Maria", "José"].map(str::to_owned).to_vec(),
            ..PersonName::of("Doe", "")
        };
        for (asked, told) in [
            ("ANNA", &["Anna"][..]),
            ("jose", &["José"]),
            ("M", &["Maria"]),
            ("Berta", &[]),
            ("", &[]),
        ] {
            let told_now = asked_with(&known, &[PersonName::of("Doe", asked)]);
            assert_eq!(told_now.given, told, "{asked}");
            assert_eq!(told_now.family, ["Doe"]);
        }
        let whole = PersonName {
            text: Some("Anna Doe".to_owned()),
            ..PersonName::default()
        };
        assert_eq!(asked_with(&known, &[whole]).given, known.given);
    }
}
