//! FindSubmissionSets: the submission sets of a patient.

use xds_schemas::iti18_registry_stored_query::FindSubmissionSets;

use super::{Search, filter};
use crate::db::Connection;
use crate::db::registry_objects::{FIRST, Found, Kind, Row, Scope};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &FindSubmissionSets,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let whose = search.patient(conn, &query.patient)?;
    let scope = Scope {
        kinds: Kind::SubmissionSet..=Kind::SubmissionSet,
        statuses: filter::statuses(&query.statuses),
        hidden_too: search.hidden_too(),
        after: FIRST,
    };
    let judge = |row: &Row| filter::submission_set(row, query);
    search.of(conn, &whose, &scope, Some(&judge))
}
