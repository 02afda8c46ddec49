//! FindDocuments and FindDocumentsByReferenceId: the document entries of a patient.

use xds_schemas::iti18_registry_stored_query::FindDocuments;

use super::{Search, filter};
use crate::db::Connection;
use crate::db::registry_objects::{self, Found};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &FindDocuments,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let Some(patient) = search.patient(conn, &query.patient)? else {
        return Ok(Vec::new());
    };
    Ok(registry_objects::of_patient(
        conn,
        patient.number,
        filter::kinds(&query.filter.entry_types),
        filter::statuses(&query.statuses),
        search.wanted,
        search.limit(),
        |row| filter::document(row, &query.filter),
    )?)
}
