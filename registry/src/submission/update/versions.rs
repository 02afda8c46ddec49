//! New versions of document entries and folders (metadata update 3.57.4.1.3.3.1 and .3).

use uuid::Uuid;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::EntryUuid;

use super::{By, InProgress, PreparedUpdate, restriction};
use crate::db::patients::{self, Patient};
use crate::db::registry_objects::{self, Found, Kind, Row, SUPERSEDED, Status, Wanted};
use crate::db::{Connection, entry_uuids, patient_of, versions};
use crate::failure::Failure;
use crate::sight::Sight;
use crate::submission::identifiers::describe;
use crate::submission::rows;

/// A new version, and the one before it.
pub(super) struct Change {
    /// Where the new version is among the objects of the update.
    pub(super) new: usize,
    /// Its logicalID.
    pub(super) logical_uuid: Uuid,
    /// What was the newest version until now.
    pub(super) old: Found,
    /// Whether links are carried over.
    pub(super) propagates: bool,
}

/// Finds what there are new versions of, and judges them. A new version takes the status of the one
/// before.
pub(super) fn judge(
    conn: &mut Connection,
    prepared: &PreparedUpdate,
    objects: &mut [(Row, String)],
    patient: Option<Patient>,
    sight: Option<&Sight>,
    errors: &mut Vec<RegistryError>,
) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    for operation in prepared.new_versions() {
        let new = prepared.place(operation.of);
        let name = &prepared.submission.names[new];
        let (row, ebrim) = &mut objects[new];
        let Some((logical_uuid, old)) = newest(conn, row, sight)? else {
            let problem = "no object is registered with its logicalID";
            let code = ErrorCode::UnresolvedReferenceException;
            errors.push(refusal(code, row.kind, name, problem));
            continue;
        };
        judge_one(prepared, row, name, &old, errors);
        if prepared.by == By::Initiator {
            restriction::judge(conn, row, ebrim, name, &old, patient, errors)?;
        }
        // The least telling of all reasons comes last (3.57.4.1.3.3.1.3).
        let is_number = operation.previous_version.parse::<i32>().is_ok();
        if is_number && row.version != old.row.version + 1 {
            let problem = format!(
                "its PreviousVersion is {}, but the newest version is {}",
                operation.previous_version, old.row.version
            );
            let code = ErrorCode::MetadataVersionError;
            errors.push(refusal(code, row.kind, name, &problem));
        }
        if old.row.status == Status::Deprecated {
            rows::deprecate(row, ebrim);
        }
        changes.push(Change {
            new,
            logical_uuid,
            old,
            propagates: operation.propagates,
        });
    }
    let mut owners: Vec<i64> = changes
        .iter()
        .map(|it| patient_of(it.old.row.key))
        .collect();
    owners.retain(|owner| Some(*owner) != patient.map(|patient| patient.number));
    if !owners.is_empty() {
        patients::lock(conn, &owners)?;
    }
    Ok(changes)
}

pub(super) fn refusal(
    code: ErrorCode,
    kind: Kind,
    name: &EntryUuid,
    problem: &str,
) -> RegistryError {
    let context = format!("{} {name}: {problem}", describe(kind));
    RegistryError::error(code, context).at(name.as_str())
}

/// The newest version of what a new version names by its logicalID, if the sender sees it.
fn newest(
    conn: &mut Connection,
    new: &Row,
    sight: Option<&Sight>,
) -> Result<Option<(Uuid, Found)>, Failure> {
    let Ok(logical_uuid) = Uuid::parse_str(new.logical_uuid()) else {
        return Ok(None);
    };
    let mut keys = entry_uuids::find(conn, &[logical_uuid])?;
    keys.extend(versions::find(conn, &[logical_uuid])?);
    let found = registry_objects::by_keys(conn, &keys, Wanted::Ebrim)?;
    // The entryUUID of a later version is nobody's logicalID.
    let is_version = |it: &Found| Uuid::parse_str(it.row.logical_uuid()) == Ok(logical_uuid);
    let is_versioned = |it: &Found| it.row.kind.is_document_entry() || it.row.kind == Kind::Folder;
    let versions = found
        .into_iter()
        .filter(|it| is_version(it) && is_versioned(it));
    let newest = versions.max_by_key(|it| it.row.version);
    if let (Some(sight), Some(newest)) = (sight, &newest)
        && !sight.sees(conn, &newest.row)?
    {
        return Ok(None);
    }
    Ok(newest.map(|newest| (logical_uuid, newest)))
}

/// What all versions share (metadata update 4.1.5).
fn judge_one(
    prepared: &PreparedUpdate,
    row: &Row,
    name: &EntryUuid,
    old: &Found,
    errors: &mut Vec<RegistryError>,
) {
    let mut refuse = |code, problem: &str| errors.push(refusal(code, row.kind, name, problem));
    if row.unique_id != old.row.unique_id {
        let problem = "its uniqueId is not that of the versions before";
        refuse(ErrorCode::MetadataIdentifierError, problem);
    }
    if row.kind != old.row.kind {
        let code = match prepared.by {
            By::Administrator | By::LinkChange => ErrorCode::MetadataIdentifierError,
            By::Initiator => ErrorCode::ObjectTypeError,
        };
        refuse(code, "its objectType is not that of the versions before");
    }
    if row.kind == Kind::Folder && old.row.status == Status::Deprecated {
        let problem = "the folder that it is a version of is deprecated";
        refuse(ErrorCode::MetadataUpdateError, problem);
    }
}

/// The versions before are deprecated, and hidden from those who know nothing of versions.
pub(super) fn supersede(
    conn: &mut Connection,
    update: &InProgress<'_>,
    errors: &mut Vec<RegistryError>,
) -> Result<(), Failure> {
    for change in &update.changes {
        let (row, _) = &update.objects[change.new];
        if !versions::claim(conn, change.logical_uuid, row.version, row.key)? {
            let name = &update.prepared.submission.names[change.new];
            let problem = "somebody else was faster with this version";
            let code = ErrorCode::MetadataVersionError;
            errors.push(refusal(code, row.kind, name, problem));
        }
        let mut old = change.old.clone();
        rows::deprecate(&mut old.row, &mut old.ebrim);
        old.row.hidden |= SUPERSEDED;
        registry_objects::update(conn, &old)?;
    }
    Ok(())
}
