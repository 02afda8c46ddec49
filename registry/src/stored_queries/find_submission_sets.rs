//! FindSubmissionSets: the submission sets of a patient.

use xds_schemas::iti18_registry_stored_query::FindSubmissionSets;

use super::{Search, filter};
use crate::db::Connection;
use crate::db::registry_objects::{self, Found, Kind};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &FindSubmissionSets,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let Some(patient) = search.patient(conn, &query.patient)? else {
        return Ok(Vec::new());
    };
    Ok(registry_objects::of_patient(
        conn,
        patient.number,
        Kind::SubmissionSet..=Kind::SubmissionSet,
        filter::statuses(&query.statuses),
        search.wanted,
        search.limit(),
        |row| filter::submission_set(row, query),
    )?)
}
