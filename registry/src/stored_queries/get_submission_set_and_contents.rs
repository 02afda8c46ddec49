//! GetSubmissionSetAndContents: a submission set, its documents and folders, how they are members
//! of it, and the associations that came with it between what is returned.

use std::collections::BTreeSet;

use xds_schemas::iti18_registry_stored_query::GetContents;

use super::{Search, filter, in_order, is_membership, keys_of};
use crate::db::Connection;
use crate::db::registry_objects::{Found, Kind};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    query: &GetContents,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let sets = search.named(conn, &query.of, |row| row.kind == Kind::SubmissionSet)?;
    let set_keys = keys_of(&sets);
    let mut memberships = search.touching(conn, &set_keys)?;
    memberships.retain(|found| {
        let source = found.row.source_key;
        is_membership(&found.row) && source.is_some_and(|source| set_keys.contains(&source))
    });
    let targets: Vec<i64> = memberships
        .iter()
        .filter_map(|it| it.row.target_key)
        .collect();
    let mut members = search.with_keys(conn, &targets, |row| match row.kind {
        Kind::Stable | Kind::OnDemand => filter::content(row, &query.filter),
        Kind::Folder | Kind::Association => true,
        Kind::SubmissionSet => false,
    })?;
    let mut returned: BTreeSet<i64> = set_keys.into_iter().collect();
    let objects = members.iter().filter(|it| it.row.kind != Kind::Association);
    returned.extend(objects.map(|found| found.row.key));
    // An association needs both ends, and may itself be an end.
    let mut left: Vec<Found> = Vec::new();
    for member in std::mem::take(&mut members) {
        let ends = [member.row.source_key, member.row.target_key];
        let is_association = member.row.kind == Kind::Association;
        if !is_association || ends.iter().flatten().all(|end| returned.contains(end)) {
            returned.insert(member.row.key);
            left.push(member);
        }
    }
    memberships.retain(|it| it.row.target_key.is_some_and(|to| returned.contains(&to)));
    Ok(in_order([sets, left, memberships]))
}
