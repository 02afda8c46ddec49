//! Patients who fit what is asked: keys narrow, one function decides.

use xds_schemas::hl7v3::find_candidates::Parameters;
use xds_schemas::person::Person;
use xds_schemas::person::matching::{degree, fits};

use crate::db::demographics::{self, condition};
use crate::db::{Connection, patients};
use crate::failure::Failure;

/// Patients that are looked at for one question.
pub(crate) const MOST_LOOKED_AT: usize = 10_000;
/// Patients whose demographics are held at once.
const AT_ONCE: usize = 500;

/// A patient who fits, and how sure it is that it is the one who is meant: 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) patient: i64,
    pub(crate) degree: u8,
}

/// What is known of a patient, and the identifier by which it is known here.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) person: Person,
}

/// More patients would have to be looked at than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Finds who fits and has at least this degree. The surest come first.
pub(crate) fn find(
    conn: &mut Connection,
    asked: &Parameters,
    least: u8,
) -> Result<Result<Vec<Match>, TooMany>, Failure> {
    let limit = i64::try_from(MOST_LOOKED_AT + 1).unwrap_or(i64::MAX);
    let mut fewest: Option<(i64, Vec<demographics::Key>)> = None;
    for keys in condition(asked) {
        let count = demographics::count(conn, &keys, limit)?;
        if fewest.as_ref().is_none_or(|(fewest, _)| count < *fewest) {
            fewest = Some((count, keys));
        }
    }
    let patients = match fewest {
        Some((_, keys)) => demographics::with_any(conn, &keys, limit)?,
        None => demographics::everybody(conn, limit)?,
    };
    if patients.len() > MOST_LOOKED_AT {
        return Ok(Err(TooMany));
    }
    let mut found = Vec::new();
    for some in patients.chunks(AT_ONCE) {
        for (patient, person) in demographics::of_patients(conn, some)? {
            if !fits(asked, &person) {
                continue;
            }
            let degree = degree(asked, &person);
            if degree >= least {
                found.push(Match { patient, degree });
            }
        }
    }
    found.sort_by_key(|one| (std::cmp::Reverse(one.degree), one.patient));
    Ok(Ok(found))
}

/// What is known of these patients now, in the same order. Who was merged or forgotten since is left out.
pub(crate) fn known(
    conn: &mut Connection,
    matches: &[Match],
) -> Result<Vec<(Match, Known)>, Failure> {
    let numbers: Vec<i64> = matches.iter().map(|one| one.patient).collect();
    let people = demographics::of_patients(conn, &numbers)?;
    let mut all = Vec::with_capacity(people.len());
    for one in matches {
        let person = people.iter().find(|(number, _)| *number == one.patient);
        if let Some((number, person)) = person {
            let id = patients::patient_id(conn, *number)?;
            let person = person.clone();
            all.push((*one, Known { id, person }));
        }
    }
    Ok(all)
}
