//! GetSubmissionSets: the submission sets that objects came with or were referred to by, and those
//! memberships.

use xds_schemas::metadata::EntryUuid;

use super::{Search, in_order, is_membership, keys};
use crate::db::Connection;
use crate::db::registry_objects::{Found, Kind};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    uuids: &[EntryUuid],
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let members = keys(conn, uuids)?;
    let mut memberships = search.touching(conn, &members)?;
    memberships.retain(|found| {
        let target = found.row.target_key;
        is_membership(&found.row) && target.is_some_and(|target| members.contains(&target))
    });
    let sources: Vec<i64> = memberships
        .iter()
        .filter_map(|it| it.row.source_key)
        .collect();
    let sets = search.with_keys(conn, &sources, |row| row.kind == Kind::SubmissionSet)?;
    // The others are memberships in folders.
    memberships.retain(|it| {
        sets.iter()
            .any(|set| Some(set.row.key) == it.row.source_key)
    });
    Ok(in_order([sets, memberships]))
}
