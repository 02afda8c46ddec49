//! What changes when a local patient is another one of the affinity domain than it was thought to be
//! (ITI TF-2 3.64.4.1.3.1): its documents, and the folders that hold nothing else, get new versions
//! with the new patientId, in a submission set that the registry makes. Everything is kept as it was
//! in the versions before, so that a change can be taken back by another one.
//!
//! Of the two approaches to conflicts that the framework proposes (3.64.4.1.3.2), this is the second:
//! if documents that stay behind are related to one that moves, or in one folder with it, nothing is
//! changed.

use std::collections::BTreeSet;

use uuid::Uuid;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::iti57_update_document_set::{NewVersion, Operation, Update, Versioned};
use xds_schemas::iti64_notify_xad_pid_link_change::LinkChange;
use xds_schemas::metadata::{
    AssociationType, Code, DocumentEntry, EntryUuid, Folder, HomeCommunityId, PatientId,
    Submission, SubmissionSet, Timestamp,
};

use super::rows;
use super::update::{self, By, PreparedUpdate};
use crate::config::UnknownPatients;
use crate::db::registry_objects::{self, FIRST, Found, Kind, SUPERSEDED, Scope, Status, Wanted};
use crate::db::{Connection, links, patients};
use crate::demographics;
use crate::failure::Failure;
use crate::patients::{Objection, Which};

/// A change of links, and what it is judged by.
#[derive(Debug)]
pub(crate) struct PreparedLinkChange {
    pub(crate) change: LinkChange,
    pub(crate) home: HomeCommunityId,
    /// Documents that may move at once.
    pub(crate) most: usize,
    pub(crate) now_seconds: u64,
    /// Whether it is kept by which local identifiers patients are known.
    pub(crate) demographics: bool,
}

/// Carries out a change of links, whole or not at all. Refused, as an update is, if what is linked
/// would not be about one patient any more. Gives how many notifications wait because of it.
pub(crate) fn carry_out(
    conn: &mut Connection,
    prepared: &PreparedLinkChange,
) -> Result<Result<usize, Objection>, Failure> {
    let change = &prepared.change;
    let active = |conn: &mut Connection, id: &PatientId, which| -> Result<_, Failure> {
        let found = patients::find(conn, &id.to_string())?;
        Ok(match found {
            None => Err(Objection::Unknown(which)),
            Some(patient) if patient.merged_into.is_some() => Err(Objection::Merged(which)),
            Some(patient) => Ok(patient.number),
        })
    };
    let new = active(conn, &change.new, Which::Surviving)?;
    let previous = active(conn, &change.previous, Which::Subsumed)?;
    let (new, previous) = match (new, previous) {
        (Ok(new), Ok(previous)) => (new, previous),
        (Err(objection), _) | (_, Err(objection)) => return Ok(Err(objection)),
    };
    // Until this is done, nothing is registered for any of them.
    let of_previous: Vec<i64> = patients::known_as(conn, previous)?.into_iter().collect();
    let mut all = of_previous.clone();
    all.push(new);
    patients::lock(conn, &all)?;
    if prepared.demographics {
        let now = i64::try_from(prepared.now_seconds).unwrap_or(i64::MAX);
        demographics::link(conn, change, now)?;
    }
    let moved = documents(conn, prepared, &of_previous)?;
    if moved.is_empty() {
        return Ok(Ok(0));
    }
    let folders = match change.new == change.previous {
        // Only the documents say something else.
        true => Vec::new(),
        false => folders(conn, &moved)?,
    };
    let update = update(prepared, &moved, &folders)?;
    let home = &prepared.home;
    let prepared_update = PreparedUpdate::new(
        update,
        By::LinkChange,
        Vec::new(),
        home,
        prepared.now_seconds,
    );
    update::carry_out(conn, &prepared_update, UnknownPatients::Refuse, None).map(Ok)
}

/// The documents in force, in their newest versions, that the change is about: those of the local
/// patient, and those of the one that is merged into it. What is deprecated does not change
/// (3.64.4.1.3.1.3).
fn documents(
    conn: &mut Connection,
    prepared: &PreparedLinkChange,
    of_previous: &[i64],
) -> Result<Vec<Found>, Failure> {
    let change = &prepared.change;
    let moves = change.new != change.previous;
    let scope = Scope {
        kinds: Kind::Stable..=Kind::OnDemand,
        statuses: Status::Approved..=Status::Approved,
        hidden_too: true,
        after: FIRST,
    };
    let newest = |row: &registry_objects::Row| row.hidden & SUPERSEDED == 0;
    let mut found = Vec::new();
    for patient in of_previous {
        let all = registry_objects::of_patient(
            conn,
            *patient,
            &scope,
            Wanted::Ebrim,
            usize::MAX,
            Some(&newest),
        )?;
        for document in all {
            let local = entry(&document)?.source_patient_id;
            let is_subsumed = local.is_some() && local == change.subsumed_local;
            if is_subsumed || (moves && local.as_ref() == Some(&change.local)) {
                found.push(document);
            }
            if found.len() > prepared.most {
                let context = format!("more than {} documents would change", prepared.most);
                return Err(Failure::refused(ErrorCode::RegistryOutOfResources, context));
            }
        }
    }
    Ok(found)
}

fn entry(document: &Found) -> Result<DocumentEntry, Failure> {
    DocumentEntry::from_ebrim(&rows::read(&document.ebrim)?).map_err(Failure::Refused)
}

/// The folders that hold nothing in force but documents that move (3.64.4.1.3.1.6).
fn folders(conn: &mut Connection, moved: &[Found]) -> Result<Vec<Found>, Failure> {
    let moved: BTreeSet<i64> = moved.iter().map(|document| document.row.key).collect();
    let keys: Vec<i64> = moved.iter().copied().collect();
    let holders: Vec<i64> = memberships(conn, &keys)?
        .into_iter()
        .map(|(holder, _)| holder)
        .collect();
    let holders = registry_objects::by_keys(conn, &holders, Wanted::Ebrim)?;
    let mut found = Vec::new();
    for holder in holders {
        let row = &holder.row;
        let in_force = row.status == Status::Approved && row.hidden & SUPERSEDED == 0;
        if row.kind != Kind::Folder || !in_force {
            continue;
        }
        let held = memberships(conn, &[row.key])?.into_iter();
        let held: Vec<i64> = held
            .filter(|(holder, _)| *holder == row.key)
            .map(|(_, member)| member)
            .collect();
        let held = registry_objects::by_keys(conn, &held, Wanted::Rows)?;
        let mut staying = held.iter().filter(|member| {
            member.row.status == Status::Approved && !moved.contains(&member.row.key)
        });
        if staying.next().is_none() {
            found.push(holder);
        }
    }
    Ok(found)
}

/// Memberships in force that touch these objects: what holds, and what is held.
fn memberships(conn: &mut Connection, objects: &[i64]) -> Result<Vec<(i64, i64)>, Failure> {
    let touching = links::associations_of(conn, objects)?;
    let touching = registry_objects::by_keys(conn, &touching, Wanted::Rows)?;
    let has_member = AssociationType::HasMember;
    let memberships = touching.iter().map(|found| &found.row).filter(|row| {
        row.status == Status::Approved
            && row.association_type.as_deref() == Some(has_member.as_str())
    });
    Ok(memberships
        .filter_map(|row| Some((row.source_key?, row.target_key?)))
        .collect())
}

/// The update that an administrator would have sent, one by one.
fn update(
    prepared: &PreparedLinkChange,
    moved: &[Found],
    folders: &[Found],
) -> Result<Update, Failure> {
    let change = &prepared.change;
    let mut submission = Submission::new(submission_set(prepared));
    let mut operations = Vec::with_capacity(moved.len() + folders.len());
    for (at, document) in moved.iter().enumerate() {
        let mut next = entry(document)?;
        next.entry_uuid = EntryUuid(format!("Document{at}"));
        next.logical_id = Some(EntryUuid::from(document.row.logical_uuid()));
        next.patient_id = Some(change.new.clone());
        next.source_patient_id = Some(change.local.clone());
        submission.add_document(next);
        let of = Versioned::DocumentEntry(at);
        operations.push(new_version(&mut submission, of, document));
    }
    for (at, folder) in folders.iter().enumerate() {
        let next = Folder::from_ebrim(&rows::read(&folder.ebrim)?).map_err(Failure::Refused)?;
        submission.add_folder(Folder {
            entry_uuid: EntryUuid(format!("Folder{at}")),
            logical_id: Some(EntryUuid::from(folder.row.logical_uuid())),
            patient_id: Some(change.new.clone()),
            ..next
        });
        let of = Versioned::Folder(at);
        operations.push(new_version(&mut submission, of, folder));
    }
    Ok(Update {
        submission,
        operations,
    })
}

/// The new version of what was added last.
fn new_version(submission: &mut Submission, of: Versioned, old: &Found) -> Operation {
    let previous_version = old.row.version.to_string();
    let membership = submission.associations.len() - 1;
    let association = &mut submission.associations[membership];
    association.previous_version = Some(previous_version.clone());
    Operation::NewVersion(NewVersion {
        of,
        membership,
        previous_version,
        propagates: true,
    })
}

/// Table 3.64.4.1.3.1.1-1. The affinity domain may give contentTypeCode another meaning than this
/// one: that of the transaction.
fn submission_set(prepared: &PreparedLinkChange) -> SubmissionSet {
    let unique_id = format!("2.25.{}", Uuid::new_v4().as_u128());
    let source_id = prepared.change.source_id.as_str();
    let title = "Notify XAD-PID Link Change";
    SubmissionSet {
        content_type_code: Some(Code::new("ITI-64", "1.3.6.1.4.1.19376.1.2", title)),
        patient_id: Some(prepared.change.new.clone()),
        submission_time: Some(Timestamp::from_unix(prepared.now_seconds)),
        ..SubmissionSet::new("LinkChange", unique_id, source_id)
    }
}
