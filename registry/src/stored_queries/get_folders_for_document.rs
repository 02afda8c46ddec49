//! GetFoldersForDocument: the folders that hold a document.

use xds_schemas::iti18_registry_stored_query::Names;

use super::{Search, get_documents, is_membership, keys_of};
use crate::db::Connection;
use crate::db::registry_objects::{Found, Kind};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    names: &Names,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let documents = keys_of(&get_documents::find(conn, names, search)?);
    let memberships = search.touching(conn, &documents)?;
    let memberships = memberships.iter().filter(|found| {
        let target = found.row.target_key;
        is_membership(&found.row) && target.is_some_and(|target| documents.contains(&target))
    });
    let holders: Vec<i64> = memberships.filter_map(|it| it.row.source_key).collect();
    search.with_keys(conn, &holders, |row| row.kind == Kind::Folder)
}
