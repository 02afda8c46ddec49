//! FindDocumentsByAcquisition, FindDocumentsByMeasurement, FindDocumentsBySpecimen and
//! FindDocumentsForCohort: document entries by what they say of images.
//!
//! Where patients are named, what their documents say is judged; otherwise the indexes
//! [narrow](narrowing) the question down first.

mod narrowing;

use std::collections::BTreeSet;

use xds_schemas::iti18_registry_stored_query::FindImaging;

use super::{Search, Whose, filter};
use crate::db::registry_objects::{FIRST, Found, Row, Scope};
use crate::db::{Connection, acquisitions, measurements, patients};
use crate::failure::Failure;
use crate::imaging::{self, facts};

/// Documents that are looked at together.
const AT_ONCE: usize = 1000;

/// The document entries that pass.
pub(super) fn find(
    conn: &mut Connection,
    query: &FindImaging,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let whose = search.patients(conn, &query.patients)?;
    let scope = Scope {
        kinds: filter::kinds(&query.filter.entry_types),
        statuses: filter::statuses(&query.statuses),
        hidden_too: search.hidden_too(),
        after: FIRST,
    };
    let judge = |row: &Row| {
        filter::has_status(row, &query.statuses)
            && filter::document(row, &query.filter)
            && imaging::is_about(row, &query.specimens)
    };
    let asks_more = filter::asks_more(&query.filter) || !query.specimens.is_empty();
    let judge: Option<&dyn Fn(&Row) -> bool> = asks_more.then_some(&judge);
    let candidates = match &whose {
        Whose::Patients(patients) => match of_patients(conn, patients, query)? {
            Some(candidates) => candidates,
            None => return search.of(conn, &whose, &scope, judge),
        },
        Whose::Everybody => narrowing::candidates(conn, query)?,
    };
    let mut found = Vec::new();
    for keys in candidates.chunks(AT_ONCE) {
        let keys = passing(conn, keys, query)?;
        let limit = search.limit() - found.len();
        found.extend(search.among(conn, &keys, &scope, limit, judge)?);
        if found.len() >= search.limit() {
            break;
        }
    }
    Ok(found)
}

/// The documents of these patients that say anything of what is asked; none if that is only known
/// from the entries themselves.
fn of_patients(
    conn: &mut Connection,
    patients: &BTreeSet<i64>,
    query: &FindImaging,
) -> Result<Option<Vec<i64>>, Failure> {
    let mut keys = Vec::new();
    for patient in patients {
        let limit = patients::MOST_OBJECTS;
        keys.extend(match (&query.acquisition[..], &query.measurements[..]) {
            ([], []) => return Ok(None),
            ([], _) => measurements::of_patient(conn, *patient, limit)?,
            _ => acquisitions::all(conn, Some(*patient), limit)?,
        });
    }
    Ok(Some(keys))
}

/// Those of the documents whose series and measured values pass.
fn passing(conn: &mut Connection, keys: &[i64], query: &FindImaging) -> Result<Vec<i64>, Failure> {
    let mut keys = keys.to_vec();
    if !query.acquisition.is_empty() {
        let said = acquisitions::by_keys(conn, &keys)?;
        let passing = said.iter().filter(|it| {
            let series = usize::try_from(it.series).unwrap_or_default();
            facts::accept(&it.facts, series, &query.acquisition)
        });
        keys = passing.map(|it| it.key).collect();
    }
    if !query.measurements.is_empty() {
        let conditions = query.measurements.iter().flatten();
        let concepts: BTreeSet<&str> = conditions.map(|it| it.concept.as_str()).collect();
        let concepts: Vec<&str> = concepts.into_iter().collect();
        let measured = measurements::by_keys(conn, &keys, &concepts)?;
        let by_document = measured.chunk_by(|one, other| one.key == other.key);
        let passing = by_document.filter(|values| {
            query.measurements.iter().all(|alternatives| {
                let passes = |condition| {
                    values
                        .iter()
                        .any(|value| imaging::measured_as(value, condition))
                };
                alternatives.iter().any(passes)
            })
        });
        keys = passing.map(|values| values[0].key).collect();
    }
    Ok(keys)
}
