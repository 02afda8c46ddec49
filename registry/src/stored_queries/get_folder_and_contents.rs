//! GetFolderAndContents: a folder, its documents, and how they are members of it.

use xds_schemas::iti18_registry_stored_query::GetContents;

use super::{Search, filter, get_folders, in_order, is_membership, keys_of};
use crate::db::Connection;
use crate::db::registry_objects::Found;
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &GetContents,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let folders = get_folders::find(conn, &query.of, search)?;
    let folder_keys = keys_of(&folders);
    let mut memberships = search.touching(conn, &folder_keys)?;
    memberships.retain(|found| {
        let source = found.row.source_key;
        is_membership(&found.row) && source.is_some_and(|source| folder_keys.contains(&source))
    });
    let targets: Vec<i64> = memberships
        .iter()
        .filter_map(|it| it.row.target_key)
        .collect();
    let is_wanted = |row: &_| filter::content(row, &query.filter);
    let documents = search.with_keys(conn, &targets, is_wanted)?;
    memberships.retain(|it| {
        documents
            .iter()
            .any(|to| Some(to.row.key) == it.row.target_key)
    });
    Ok(in_order([folders, documents, memberships]))
}
