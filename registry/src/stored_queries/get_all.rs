//! GetAll: everything of a patient, and the associations that touch any of it.

use xds_schemas::iti18_registry_stored_query::GetAll;

use super::{Search, filter, in_order, keys_of};
use crate::db::Connection;
use crate::db::registry_objects::{self, Found, Kind, Row, Status};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &GetAll,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let Some(patient) = search.patient(conn, &query.patient)? else {
        return Ok(Vec::new());
    };
    let objects = registry_objects::of_patient(
        conn,
        patient.number,
        Kind::Stable..=Kind::SubmissionSet,
        Status::Approved..=Status::Deprecated,
        search.wanted,
        search.limit(),
        |row| is_wanted(row, query),
    )?;
    search.bounded(objects.len())?;
    let associations = search.touching(conn, &keys_of(&objects))?;
    Ok(in_order([objects, associations]))
}

fn is_wanted(row: &Row, query: &GetAll) -> bool {
    match row.kind {
        Kind::Stable | Kind::OnDemand => {
            filter::has_status(row, &query.document_entry_statuses)
                && filter::content(row, &query.filter)
        }
        Kind::SubmissionSet => filter::has_status(row, &query.submission_set_statuses),
        Kind::Folder => filter::has_status(row, &query.folder_statuses),
        Kind::Association => false,
    }
}
