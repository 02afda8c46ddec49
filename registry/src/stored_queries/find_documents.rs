//! FindDocuments and FindDocumentsByReferenceId: the document entries of a patient.

use xds_schemas::iti18_registry_stored_query::FindDocuments;

use super::{Search, filter};
use crate::db::Connection;
use crate::db::registry_objects::{self, Found, Row, Scope};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &FindDocuments,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let Some(patient) = search.patient(conn, &query.patient)? else {
        return Ok(Vec::new());
    };
    let scope = Scope {
        patient: patient.number,
        kinds: filter::kinds(&query.filter.entry_types),
        statuses: filter::statuses(&query.statuses),
    };
    let judge = |row: &Row| filter::document(row, &query.filter);
    let asks_more = filter::asks_more(&query.filter);
    let judge: Option<&dyn Fn(&Row) -> bool> = asks_more.then_some(&judge);
    let (wanted, limit) = (search.wanted, search.limit());
    Ok(registry_objects::of_patient(
        conn, &scope, wanted, limit, judge,
    )?)
}
