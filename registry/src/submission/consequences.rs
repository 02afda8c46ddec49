//! What a submission changes of what was registered before (ITI TF-2 3.42.4.1.3.3, ITI TF-3
//! 4.2.2.2): replaced documents, what hangs on them, and the folders they are in.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::metadata::{Association, AssociationType, EntryUuid};

use super::associations::{End, Ends, touches};
use super::{Prepared, rows, too_many_objects};
use crate::db::links;
use crate::db::patients::{self, Patient};
use crate::db::registry_objects::{self, Found, Kind, Row, Status, Wanted};
use crate::db::{Connection, entry_uuids};
use crate::failure::Failure;
use crate::subscriptions::{Change, Changed};

/// Does everything that follows from the associations of the submission. Gives what changed of what
/// was registered before.
pub(super) fn follow(
    conn: &mut Connection,
    prepared: &Prepared,
    objects: &[(Row, String)],
    ends: &Ends,
    patient: Patient,
) -> Result<Vec<Changed>, Failure> {
    let mut changed = Vec::new();
    let mut changed_folders: BTreeSet<i64> = BTreeSet::new();
    let mut carried: BTreeMap<(i64, i64), (Row, Row)> = BTreeMap::new();
    let replacing = prepared.links.iter();
    let replacing = replacing.filter(|link| link.association_type.replaces());
    let replacements: BTreeSet<i64> = replacing
        .filter_map(|link| Some(ends.of(&link.source, objects)?.row().key))
        .collect();
    for link in &prepared.links {
        let (Some(source), Some(target)) = (
            ends.of(&link.source, objects),
            ends.of(&link.target, objects),
        ) else {
            continue;
        };
        if link.association_type == AssociationType::HasMember {
            if let End::Registered(folder) = source {
                changed_folders.insert(folder.key);
            }
        } else if link.association_type.replaces() {
            for folder in replace(conn, target.row(), &replacements, &mut changed)? {
                changed_folders.insert(folder.key);
                let pair = (folder.key, source.row().key);
                carried.insert(pair, (folder, source.row().clone()));
            }
        }
    }
    // The submission may put the replacement into the folder itself.
    for link in &prepared.links {
        let found = (
            ends.of(&link.source, objects),
            ends.of(&link.target, objects),
        );
        if let (Some(folder), Some(member)) = found {
            carried.remove(&(folder.row().key, member.row().key));
        }
    }
    if !carried.is_empty() {
        let carried: Vec<_> = carried.into_values().collect();
        carry_over(conn, prepared, &objects[0].0, &carried, patient)?;
    }
    changed.extend(update_folders(conn, prepared, changed_folders)?);
    Ok(changed)
}

/// Deprecates a document and everything that was appended to it or made from it, and that again.
/// What replaces something stays approved, though it may say that it was made from that as well
/// (ITI TF-2 3.42.4.1.3.3.5). Gives the folders that the document itself is in.
fn replace(
    conn: &mut Connection,
    parent: &Row,
    replacements: &BTreeSet<i64>,
    changed: &mut Vec<Changed>,
) -> Result<Vec<Row>, Failure> {
    let mut folders = Vec::new();
    let mut deprecated = BTreeSet::new();
    let mut next = vec![parent.key];
    while let Some(key) = next.pop() {
        if replacements.contains(&key) || !deprecated.insert(key) {
            continue;
        }
        let touching = links::associations_of(conn, &[key])?;
        let touching = registry_objects::by_keys(conn, &touching, Wanted::Rows)?;
        for Found { row, .. } in touching {
            let (Some(source), true) = (row.source_key, row.target_key == Some(key)) else {
                continue;
            };
            let association_type = row.association_type.as_deref().unwrap_or_default();
            match AssociationType::parse(association_type) {
                AssociationType::Append | AssociationType::Transform => next.push(source),
                AssociationType::HasMember
                    if key == parent.key && row.status == Status::Approved =>
                {
                    folders.push(source);
                }
                _ => {}
            }
        }
    }
    let deprecated: Vec<i64> = deprecated.into_iter().collect();
    for mut found in registry_objects::by_keys(conn, &deprecated, Wanted::Ebrim)? {
        if found.row.status == Status::Approved {
            rows::deprecate(&mut found.row, &mut found.ebrim);
            registry_objects::update(conn, &found)?;
            changed.push(Changed(Change::Deprecated, found));
        }
    }
    let holders = registry_objects::by_keys(conn, &folders, Wanted::Rows)?;
    let rows = holders.into_iter().map(|found| found.row);
    Ok(rows
        .filter(|row| row.kind == Kind::Folder && row.status == Status::Approved)
        .collect())
}

/// Puts replacements into the folders of what they replace: the membership, and its membership in
/// the submission set of the replacement.
fn carry_over(
    conn: &mut Connection,
    prepared: &Prepared,
    submission_set: &Row,
    carried: &[(Row, Row)],
    patient: Patient,
) -> Result<(), Failure> {
    let key = patients::take_keys(conn, patient.number, 2 * carried.len())?;
    let mut key = key.ok_or_else(too_many_objects)?;
    let mut objects = Vec::with_capacity(2 * carried.len());
    for (folder, replacement) in carried {
        let membership = member(prepared, folder, replacement, key, patient);
        let of_submission = member(prepared, submission_set, &membership.0, key + 1, patient);
        objects.extend([membership, of_submission]);
        key += 2;
    }
    add(conn, &objects)
}

/// Adds associations that the registry made.
pub(super) fn add(conn: &mut Connection, associations: &[(Row, String)]) -> Result<(), Failure> {
    let mut touched = Vec::with_capacity(2 * associations.len());
    for (row, _) in associations {
        if let Ok(uuid) = Uuid::parse_str(&row.entry_uuid) {
            entry_uuids::claim(conn, uuid, row.key)?;
        }
        touched.extend(touches(row));
    }
    registry_objects::insert(conn, associations)?;
    links::insert(conn, &touched)?;
    Ok(())
}

/// A membership that the registry makes.
pub(super) fn member(
    prepared: &Prepared,
    source: &Row,
    target: &Row,
    key: i64,
    patient: Patient,
) -> (Row, String) {
    let association = Association::new(
        AssociationType::HasMember,
        source.entry_uuid.as_str(),
        target.entry_uuid.as_str(),
    );
    made(prepared, association, source, target, key, patient)
}

/// An association that the registry makes between these.
pub(super) fn made(
    prepared: &Prepared,
    association: Association,
    source: &Row,
    target: &Row,
    key: i64,
    patient: Patient,
) -> (Row, String) {
    let uuid = EntryUuid(Uuid::now_v7().urn().to_string());
    let association = Association {
        entry_uuid: uuid.clone(),
        logical_id: Some(uuid),
        home_community_id: Some(prepared.home.clone()),
        availability_status: Some(AvailabilityStatus::Approved),
        source: source.entry_uuid.as_str().into(),
        target: target.entry_uuid.as_str().into(),
        ..association
    };
    let row = Row {
        key,
        patient: patient.number,
        source_key: Some(source.key),
        target_key: Some(target.key),
        ..rows::of_association(&association)
    };
    (row, rows::ebrim(&association.to_ebrim()))
}

/// Sets lastUpdateTime of the folders that got a member.
pub(super) fn update_folders(
    conn: &mut Connection,
    prepared: &Prepared,
    folders: BTreeSet<i64>,
) -> Result<Vec<Changed>, Failure> {
    let folders: Vec<i64> = folders.into_iter().collect();
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let mut changed = Vec::with_capacity(folders.len());
    for mut folder in registry_objects::by_keys(conn, &folders, Wanted::Ebrim)? {
        if folder.row.kind == Kind::Folder {
            rows::set_last_update_time(&mut folder.row, &mut folder.ebrim, &prepared.now);
            registry_objects::update(conn, &folder)?;
            changed.push(Changed(Change::ContentUpdated, folder));
        }
    }
    Ok(changed)
}
