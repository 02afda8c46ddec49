//! FindDocuments and FindDocumentsByReferenceId: the document entries of a patient.

use xds_schemas::iti18_registry_stored_query::FindDocuments;

use super::{Search, filter};
use crate::db::Connection;
use crate::db::registry_objects::{Found, Row, Scope};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &FindDocuments,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let patients = search.patients(conn, &query.patient)?;
    let scope = Scope {
        kinds: filter::kinds(&query.filter.entry_types),
        statuses: filter::statuses(&query.statuses),
        hidden_too: search.hidden_too(),
    };
    let judge = |row: &Row| filter::document(row, &query.filter);
    let asks_more = filter::asks_more(&query.filter);
    let judge: Option<&dyn Fn(&Row) -> bool> = asks_more.then_some(&judge);
    search.of_patients(conn, &patients, &scope, judge)
}
