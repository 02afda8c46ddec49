//! FindFolders: the folders of a patient.

use xds_schemas::iti18_registry_stored_query::FindFolders;

use super::{Search, filter};
use crate::db::Connection;
use crate::db::registry_objects::{Found, Kind, Row, Scope};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &FindFolders,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let patients = search.patients(conn, &query.patient)?;
    let scope = Scope {
        kinds: Kind::Folder..=Kind::Folder,
        statuses: filter::statuses(&query.statuses),
        hidden_too: search.hidden_too(),
    };
    let judge = |row: &Row| filter::folder(row, query);
    search.of_patients(conn, &patients, &scope, Some(&judge))
}
