//! FindFolders: the folders of a patient.

use xds_schemas::iti18_registry_stored_query::FindFolders;

use super::{Search, filter};
use crate::db::Connection;
use crate::db::registry_objects::{self, Found, Kind};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &FindFolders,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let Some(patient) = search.patient(conn, &query.patient)? else {
        return Ok(Vec::new());
    };
    Ok(registry_objects::of_patient(
        conn,
        patient.number,
        Kind::Folder..=Kind::Folder,
        filter::statuses(&query.statuses),
        search.wanted,
        search.limit(),
        |row| filter::folder(row, query),
    )?)
}
