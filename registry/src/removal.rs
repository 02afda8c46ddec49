//! Forgetting what is registered (remove metadata 3.62.4.1.3): nothing that stays may refer to what
//! goes, nothing may stay that no submission set holds, and no submission set that holds nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{AssociationType, EntryUuid, HomeCommunityId};

use crate::consents;
use crate::db::links::Link;
use crate::db::registry_objects::{self, Found, Kind, Row, SUPERSEDED, Wanted};
use crate::db::{self, Connection, entry_uuids, links, patient_of, patients, unique_ids, versions};
use crate::failure::Failure;
use crate::imaging;
use crate::sight::Sight;
use crate::subscriptions::{self, Change, Changed, Happened};

/// What was forgotten of one patient.
#[derive(Debug)]
pub(crate) struct Removed {
    /// CX.
    pub(crate) patient_id: String,
    /// The entryUUIDs.
    pub(crate) entry_uuids: Vec<String>,
}

/// Forgets objects, or says of all of them why not. Gives how many notifications there are to send
/// about it, too. `home` is this community, and `now` in seconds since 1970. What the caller does not
/// see is not there, and what refers to it or is held by it is not named.
pub(crate) fn remove(
    conn: &mut Connection,
    names: &[EntryUuid],
    home: &HomeCommunityId,
    now: i64,
    sight: Option<&Sight>,
) -> Result<(Vec<Removed>, usize), Failure> {
    let mut errors = Vec::new();
    let going = find(conn, names, sight, &mut errors)?;
    for row in going.values() {
        judge(conn, row, &going, sight, &mut errors)?;
    }
    if !errors.is_empty() {
        return Err(Failure::Refused(errors));
    }
    let mut changed = deleted(conn, &going)?;
    for row in going.values() {
        forget(conn, row)?;
    }
    let keys: Vec<i64> = going.keys().copied().collect();
    registry_objects::remove(conn, &keys)?;
    imaging::remove(conn, going.values())?;
    for row in going.values() {
        uncover(conn, row)?;
    }
    changed.extend(emptied(conn, &going)?);
    subscriptions::show_survivors(conn, &mut changed)?;
    let notifications = tell(conn, &changed, home, now)?;
    let mut removed: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for row in going.into_values() {
        removed.entry(row.patient).or_default().push(row.entry_uuid);
    }
    let removed = removed.into_iter().map(|(patient, entry_uuids)| {
        Ok(Removed {
            patient_id: patients::patient_id(conn, patient)?,
            entry_uuids,
        })
    });
    let removed: Result<_, Failure> = removed.collect();
    Ok((removed?, notifications))
}

/// What goes of that of which one can be told, as it is before it goes.
fn deleted(conn: &mut Connection, going: &BTreeMap<i64, Row>) -> Result<Vec<Changed>, Failure> {
    let told = going.values().filter(|row| is_held(row));
    let keys: Vec<i64> = told.map(|row| row.key).collect();
    let found = registry_objects::by_keys(conn, &keys, Wanted::Ebrim)?;
    let deleted = |found| Changed(Change::Deleted, found);
    Ok(found.into_iter().map(deleted).collect())
}

/// Folders that stay and have lost a member.
fn emptied(conn: &mut Connection, going: &BTreeMap<i64, Row>) -> Result<Vec<Changed>, Failure> {
    let memberships = going.values().filter(|row| is_membership(row));
    let holders: BTreeSet<i64> = memberships.filter_map(|row| row.source_key).collect();
    let holders: Vec<i64> = holders
        .into_iter()
        .filter(|key| !going.contains_key(key))
        .collect();
    let found = registry_objects::by_keys(conn, &holders, Wanted::Ebrim)?;
    let folders = found.into_iter().filter(|it| it.row.kind == Kind::Folder);
    Ok(folders
        .map(|found| Changed(Change::DocumentRemoved, found))
        .collect())
}

/// Matches what has gone against the subscriptions, patient by patient.
fn tell(
    conn: &mut Connection,
    changed: &[Changed],
    home: &HomeCommunityId,
    now: i64,
) -> Result<usize, Failure> {
    let mut of_patients: BTreeMap<i64, Vec<Happened<'_>>> = BTreeMap::new();
    for changed in changed {
        let happened = changed.happened(Some(home.as_str()));
        of_patients
            .entry(happened.row.patient)
            .or_default()
            .push(happened);
    }
    let mut notifications = 0;
    for (patient, happened) in of_patients {
        let survivor = patients::survivor(conn, patient)?;
        let patient_id = patients::patient_id(conn, survivor)?;
        notifications += subscriptions::tell(conn, Some(&patient_id), &happened, now)?;
    }
    Ok(notifications)
}

/// Removes what leads to an object. Whatever referred to it goes, too.
fn forget(conn: &mut Connection, row: &Row) -> Result<(), Failure> {
    let ends = row.source_key.into_iter().chain(row.target_key);
    let links: Vec<Link> = ends
        .map(|object| Link {
            object,
            association: row.key,
        })
        .collect();
    links::remove(conn, &links)?;
    if consents::is_acknowledgement(row) {
        db::consents::remove_document(conn, row.patient, row.key)?;
    }
    if let Some(unique_id) = &row.unique_id {
        unique_ids::remove(conn, unique_id, row.key)?;
    }
    if let Ok(uuid) = Uuid::parse_str(&row.entry_uuid) {
        entry_uuids::remove(conn, uuid)?;
    }
    if let (Some(logical_uuid), version) = (&row.logical_uuid, row.version)
        && let Ok(logical_uuid) = Uuid::parse_str(logical_uuid)
    {
        versions::remove(conn, logical_uuid, version)?;
    }
    Ok(())
}

fn refusal(code: ErrorCode, name: &str, problem: &str) -> RegistryError {
    let context = format!("The object {name}: {problem}");
    RegistryError::error(code, context).at(name)
}

/// What is to go, by its keys. Nobody else registers anything for these patients from now on.
fn find(
    conn: &mut Connection,
    names: &[EntryUuid],
    sight: Option<&Sight>,
    errors: &mut Vec<RegistryError>,
) -> Result<BTreeMap<i64, Row>, Failure> {
    let mut uuids: HashMap<Uuid, &EntryUuid> = HashMap::new();
    for name in names {
        match Uuid::parse_str(name.as_str()) {
            Ok(uuid) if !name.is_symbolic() => _ = uuids.insert(uuid, name),
            _ => {
                let code = ErrorCode::UnresolvedReferenceException;
                errors.push(refusal(code, name.as_str(), "its name is no urn:uuid:"));
            }
        }
    }
    let wanted: Vec<Uuid> = uuids.keys().copied().collect();
    let keys = entry_uuids::find(conn, &wanted)?;
    let owners: Vec<i64> = keys.iter().map(|key| patient_of(*key)).collect();
    patients::lock(conn, &owners)?;
    let mut found = registry_objects::by_keys(conn, &keys, Wanted::Rows)?;
    if let Some(sight) = sight {
        sight.keep(conn, &mut found)?;
    }
    for Found { row, .. } in &found {
        if let Ok(uuid) = Uuid::parse_str(&row.entry_uuid) {
            uuids.remove(&uuid);
        }
    }
    let mut missing: Vec<&str> = uuids.into_values().map(EntryUuid::as_str).collect();
    missing.sort_unstable();
    for name in missing {
        let code = ErrorCode::UnresolvedReferenceException;
        errors.push(refusal(code, name, "no such object is registered"));
    }
    Ok(found.into_iter().map(|it| (it.row.key, it.row)).collect())
}

/// Judges one object that is to go by those that stay.
fn judge(
    conn: &mut Connection,
    row: &Row,
    going: &BTreeMap<i64, Row>,
    sight: Option<&Sight>,
    errors: &mut Vec<RegistryError>,
) -> Result<(), Failure> {
    let stays = |key: &i64| !going.contains_key(key);
    let touching = links::associations_of(conn, &[row.key])?;
    let touching: Vec<i64> = touching.into_iter().filter(stays).collect();
    let touching = registry_objects::by_keys(conn, &touching, Wanted::Rows)?;
    if !touching.is_empty() {
        let problem = match first_seen(conn, &touching, sight)? {
            Some(uuid) => format!("the association {uuid} refers to it"),
            None => "something refers to it".to_owned(),
        };
        let code = ErrorCode::ReferencesExistException;
        errors.push(refusal(code, &row.entry_uuid, &problem));
    }
    // What only this membership holds would be an orphan.
    let ends: BTreeSet<i64> = row.source_key.into_iter().chain(row.target_key).collect();
    let ends: Vec<i64> = ends.into_iter().filter(stays).collect();
    for end in registry_objects::by_keys(conn, &ends, Wanted::Rows)? {
        let end = &end.row;
        let problem = match end.kind {
            Kind::SubmissionSet if is_membership(row) && !has_members(conn, end, going)? => {
                "nothing would be in it any more, so it has to be named, too"
            }
            // A membership in a folder is held as well (ITI TF-3 4.2.2.1.3).
            Kind::Association if is_membership(row) && !has_holder(conn, end, going)? => {
                "no submission set would hold it any more"
            }
            _ if is_held(end) && !has_holder(conn, end, going)? => {
                "no submission set would hold it any more"
            }
            _ => continue,
        };
        let code = ErrorCode::UnreferencedObjectException;
        let refused = match sees(conn, end, sight)? {
            true => refusal(code, &end.entry_uuid, problem),
            false => refusal(
                code,
                &row.entry_uuid,
                "something would not be held any more",
            ),
        };
        if !errors.contains(&refused) {
            errors.push(refused);
        }
    }
    Ok(())
}

fn sees(conn: &mut Connection, row: &Row, sight: Option<&Sight>) -> Result<bool, Failure> {
    match sight {
        Some(sight) => sight.sees(conn, row),
        None => Ok(true),
    }
}

/// The entryUUID of the first of these that the caller sees.
fn first_seen<'f>(
    conn: &mut Connection,
    found: &'f [Found],
    sight: Option<&Sight>,
) -> Result<Option<&'f str>, Failure> {
    for Found { row, .. } in found {
        if sees(conn, row, sight)? {
            return Ok(Some(&row.entry_uuid));
        }
    }
    Ok(None)
}

fn is_membership(row: &Row) -> bool {
    let has_member = AssociationType::HasMember;
    row.association_type.as_deref() == Some(has_member.as_str())
}

/// Whether anything will still lead from a submission set.
fn has_members(
    conn: &mut Connection,
    set: &Row,
    going: &BTreeMap<i64, Row>,
) -> Result<bool, Failure> {
    let touching = links::associations_of(conn, &[set.key])?;
    Ok(touching.iter().any(|key| !going.contains_key(key)))
}

/// Whether submission sets hold such objects.
const fn is_held(row: &Row) -> bool {
    matches!(row.kind, Kind::Stable | Kind::OnDemand | Kind::Folder)
}

/// Whether a submission set will still have this object as a member.
fn has_holder(
    conn: &mut Connection,
    row: &Row,
    going: &BTreeMap<i64, Row>,
) -> Result<bool, Failure> {
    let touching = links::associations_of(conn, &[row.key])?;
    let touching: Vec<i64> = touching
        .into_iter()
        .filter(|key| !going.contains_key(key))
        .collect();
    let memberships = registry_objects::by_keys(conn, &touching, Wanted::Rows)?;
    let holders: Vec<i64> = memberships
        .into_iter()
        .filter(|it| is_membership(&it.row) && it.row.target_key == Some(row.key))
        .filter_map(|it| it.row.source_key)
        .collect();
    let holders = registry_objects::by_keys(conn, &holders, Wanted::Rows)?;
    Ok(holders.iter().any(|it| it.row.kind == Kind::SubmissionSet))
}

/// When the newest version has gone, the one before it is the newest.
fn uncover(conn: &mut Connection, gone: &Row) -> Result<(), Failure> {
    let Ok(logical_uuid) = Uuid::parse_str(gone.logical_uuid()) else {
        return Ok(());
    };
    if gone.hidden & SUPERSEDED != 0 || !is_held(gone) || gone.version < 2 {
        return Ok(());
    }
    let mut keys = entry_uuids::find(conn, &[logical_uuid])?;
    keys.extend(versions::find(conn, &[logical_uuid])?);
    let left = registry_objects::by_keys(conn, &keys, Wanted::Ebrim)?;
    let left = left
        .into_iter()
        .filter(|it| Uuid::parse_str(it.row.logical_uuid()) == Ok(logical_uuid));
    if let Some(mut newest) = left.max_by_key(|it| it.row.version) {
        newest.row.hidden &= !SUPERSEDED;
        registry_objects::update(conn, &newest)?;
    }
    Ok(())
}
