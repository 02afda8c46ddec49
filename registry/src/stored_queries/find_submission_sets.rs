//! FindSubmissionSets: the submission sets of a patient.

use xds_schemas::iti18_registry_stored_query::FindSubmissionSets;

use super::{Search, filter};
use crate::db::Connection;
use crate::db::registry_objects::{self, Found, Kind, Row, Scope};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &FindSubmissionSets,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let Some(patient) = search.patient(conn, &query.patient)? else {
        return Ok(Vec::new());
    };
    let scope = Scope {
        patient: patient.number,
        kinds: Kind::SubmissionSet..=Kind::SubmissionSet,
        statuses: filter::statuses(&query.statuses),
    };
    let judge = |row: &Row| filter::submission_set(row, query);
    let (wanted, limit) = (search.wanted, search.limit());
    Ok(registry_objects::of_patient(
        conn,
        &scope,
        wanted,
        limit,
        Some(&judge),
    )?)
}
