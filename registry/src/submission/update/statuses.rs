//! Changes of availabilityStatus (metadata update 3.57.4.1.3.3.2, .4 and .5).

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti57_update_document_set::{ChangeStatus, Operation};
use xds_schemas::metadata::AssociationType;

use super::InProgress;
use crate::db::registry_objects::{self, Found, Kind, Row, SUPERSEDED, Status, Wanted};
use crate::db::{Connection, links};
use crate::failure::Failure;
use crate::submission::identifiers::describe;
use crate::submission::rows;

/// Changes the statuses that are to change. Gives the associations of what is in force again, by
/// their keys.
pub(super) fn change(
    conn: &mut Connection,
    update: &InProgress<'_>,
    errors: &mut Vec<RegistryError>,
) -> Result<Vec<i64>, Failure> {
    let mut linked = Vec::new();
    for operation in &update.prepared.operations {
        let Operation::ChangeStatus(change) = operation else {
            continue;
        };
        let Some(key) = target(update, *change) else {
            continue;
        };
        for mut found in registry_objects::by_keys(conn, &[key], Wanted::Ebrim)? {
            if let Err(problem) = may_change(conn, &found, *change)? {
                let name = &found.row.entry_uuid;
                let context = format!("{} {name}: {problem}", describe(found.row.kind));
                let code = ErrorCode::MetadataUpdateError;
                errors.push(RegistryError::error(code, context).at(name));
                continue;
            }
            rows::set_status(&mut found.row, &mut found.ebrim, status(change.new));
            registry_objects::update(conn, &found)?;
            if change.new == AvailabilityStatus::Approved {
                match found.row.kind {
                    Kind::Association => linked.push(key),
                    _ => linked.extend(links::associations_of(conn, &[key])?),
                }
            }
        }
    }
    Ok(linked)
}

/// The key of what is meant. After a new version in the same update, that one is.
pub(super) fn target(update: &InProgress<'_>, change: ChangeStatus) -> Option<i64> {
    let link = &update.prepared.submission.links[change.trigger];
    let key = update.ends.of(&link.target, &update.objects)?.row().key;
    let newer = update.changes.iter().find(|it| it.old.row.key == key);
    Some(newer.map_or(key, |it| update.objects[it.new].0.key))
}

const fn status(status: AvailabilityStatus) -> Status {
    match status {
        AvailabilityStatus::Approved => Status::Approved,
        AvailabilityStatus::Deprecated => Status::Deprecated,
    }
}

fn may_change(
    conn: &mut Connection,
    found: &Found,
    change: ChangeStatus,
) -> Result<Result<(), String>, Failure> {
    let row = &found.row;
    if row.status != status(change.original) {
        let problem = "its status is not the OriginalStatus";
        return Ok(Err(problem.to_owned()));
    }
    Ok(match row.kind {
        Kind::SubmissionSet => Err("the status of a submission set does not change".to_owned()),
        Kind::Association if !has_status(conn, row)? => {
            Err("the status of memberships in submission sets does not change".to_owned())
        }
        _ if row.hidden & SUPERSEDED != 0 => {
            Err("it is not the newest version, and only the status of that may change".to_owned())
        }
        _ => Ok(()),
    })
}

/// Whether the status of an association may change: of memberships in folders and of relationships.
fn has_status(conn: &mut Connection, row: &Row) -> Result<bool, Failure> {
    let urn = row.association_type.as_deref().unwrap_or_default();
    let association_type = AssociationType::parse(urn);
    if association_type != AssociationType::HasMember {
        return Ok(association_type.is_relationship());
    }
    let source: Vec<i64> = row.source_key.into_iter().collect();
    let found = registry_objects::by_keys(conn, &source, Wanted::Rows)?;
    Ok(found.iter().any(|source| source.row.kind == Kind::Folder))
}
