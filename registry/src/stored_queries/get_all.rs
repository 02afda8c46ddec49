//! GetAll: everything of a patient, and the associations that touch any of it.

use xds_schemas::iti18_registry_stored_query::GetAll;

use super::{Search, filter, in_order, keys_of};
use crate::db::Connection;
use crate::db::registry_objects::{FIRST, Found, Kind, Row, Scope, Status};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &GetAll,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let whose = search.patient(conn, &query.patient)?;
    let scope = Scope {
        kinds: Kind::Stable..=Kind::SubmissionSet,
        statuses: Status::Approved..=Status::Deprecated,
        hidden_too: search.hidden_too(),
        after: FIRST,
    };
    let judge = |row: &Row| is_wanted(row, query);
    let objects = search.of(conn, &whose, &scope, Some(&judge))?;
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
