//! Identifiers that must be free: entryUUID and uniqueId (ITI TF-2 3.42.4.1.3.3).

use uuid::Uuid;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;

use super::Prepared;
use crate::db::registry_objects::{self, Kind, Row, Wanted};
use crate::db::{Connection, entry_uuids, unique_ids};
use crate::failure::Failure;
use crate::sight::Sight;

/// Takes the entryUUIDs; one that is taken cannot be given again.
pub(super) fn claim_entry_uuids(
    conn: &mut Connection,
    prepared: &Prepared,
    objects: &[(Row, String)],
    errors: &mut Vec<RegistryError>,
) -> Result<(), Failure> {
    for ((row, _), name) in objects.iter().zip(&prepared.names) {
        let problem = match Uuid::parse_str(&row.entry_uuid) {
            Err(_) => "is no UUID",
            Ok(uuid) if entry_uuids::claim(conn, uuid, row.key)? => continue,
            Ok(_) => "is that of an object that is registered",
        };
        let context = format!("{} {name}: its entryUUID {problem}", describe(row.kind));
        errors.push(
            RegistryError::error(ErrorCode::RegistryMetadataError, context).at(name.as_str()),
        );
    }
    Ok(())
}

/// Takes the uniqueIds. Those of submission sets and folders must be new; a document entry may
/// have that of another if it is the same document. A later version has that of the versions before.
/// What the sender does not see takes uniqueIds all the same: two documents with one uniqueId would be
/// worse than to let somebody learn who knows it already that it is taken.
pub(super) fn claim_unique_ids(
    conn: &mut Connection,
    prepared: &Prepared,
    objects: &[(Row, String)],
    sight: Option<&Sight>,
    errors: &mut Vec<RegistryError>,
) -> Result<(), Failure> {
    for ((row, _), name) in objects.iter().zip(&prepared.names) {
        let Some(unique_id) = &row.unique_id else {
            continue;
        };
        let is_later = row.logical_uuid.is_some();
        let mut found = Vec::new();
        let mut copy = 0;
        // Each round finds what took the copy of the round before.
        while !unique_ids::claim(conn, unique_id, copy, row.key)? {
            found = unique_ids::find(conn, &[unique_id])?;
            copy = i32::try_from(found.len()).unwrap_or(i32::MAX).max(copy + 1);
            if !row.kind.is_document_entry() && !is_later {
                let what = describe(row.kind);
                let context = format!("{what} {name}: its uniqueId {unique_id} is registered");
                let code = ErrorCode::DuplicateUniqueIdInRegistry;
                errors.push(RegistryError::error(code, context).at(name.as_str()));
                break;
            }
        }
        if row.kind.is_document_entry() && !found.is_empty() {
            let registered = registry_objects::by_keys(conn, &found, Wanted::Rows)?;
            // Versions may differ: a document may be assembled later.
            let others = registered
                .iter()
                .map(|found| &found.row)
                .filter(|other| !is_later || other.logical_uuid() != row.logical_uuid());
            let of_another =
                |other: &&Row| other.kind.is_document_entry() && other.kind != row.kind;
            if let Some(other) = others.clone().find(of_another) {
                let shown = match sight {
                    Some(sight) => sight.sees(conn, other)?,
                    None => true,
                };
                let other = shown.then_some(other);
                errors.push(of_another_kind(row, other, unique_id).at(name.as_str()));
                continue;
            }
            errors.extend(differences(row, others).map(|(code, what)| {
                let context = format!("the document {unique_id} is registered with another {what}");
                RegistryError::error(code, context).at(name.as_str())
            }));
        }
    }
    Ok(())
}

/// An on-demand entry may share the uniqueId of other on-demand entries, but never that of a
/// document that there is (ITI TF-2 3.61.4.1.3), since it stands for no document (3.61.4.1.2). The
/// other one is named if the sender sees it.
fn of_another_kind(row: &Row, other: Option<&Row>, unique_id: &str) -> RegistryError {
    let (mine, theirs) = match row.kind {
        Kind::OnDemand => ("on-demand", "stable"),
        _ => ("stable", "on-demand"),
    };
    let context = format!(
        "the uniqueId {unique_id} of the {mine} document entry is that of the {theirs} one{}",
        other.map_or_else(String::new, |other| format!(" {}", other.entry_uuid))
    );
    RegistryError::error(ErrorCode::DuplicateUniqueIdInRegistry, context)
}

/// In what a document differs from those registered under its uniqueId. On-demand documents have
/// neither hash nor size.
fn differences<'r>(
    row: &Row,
    others: impl Iterator<Item = &'r Row>,
) -> impl Iterator<Item = (ErrorCode, &'static str)> {
    let (mut hash, mut size) = (false, false);
    for other in others.filter(|other| other.kind == Kind::Stable) {
        hash |= match (&row.hash, &other.hash) {
            (Some(mine), Some(theirs)) => !mine.eq_ignore_ascii_case(theirs),
            _ => false,
        };
        size |= row.size.is_some() && other.size.is_some() && row.size != other.size;
    }
    [
        (hash, ErrorCode::NonIdenticalHash, "hash"),
        (size, ErrorCode::NonIdenticalSize, "size"),
    ]
    .into_iter()
    .filter_map(|(differs, code, what)| differs.then_some((code, what)))
}

/// What an object is, for people.
pub(super) const fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Stable | Kind::OnDemand => "DocumentEntry",
        Kind::Folder => "Folder",
        Kind::SubmissionSet => "SubmissionSet",
        Kind::Association => "Association",
    }
}
