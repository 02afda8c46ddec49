//! GetDocuments: document entries by name.

use xds_schemas::iti18_registry_stored_query::Names;

use super::Search;
use crate::db::Connection;
use crate::db::registry_objects::Found;
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    names: &Names,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    search.named(conn, names, |row| row.kind.is_document_entry())
}
