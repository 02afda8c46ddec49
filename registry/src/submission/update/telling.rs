//! What subscribers are told of an update (Extensions to the Document Metadata Subscription profile,
//! tables 3.53.4.3.2-1 and 3.53.4.3.2-2).

use std::collections::BTreeSet;

use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti57_update_document_set::Operation;
use xds_schemas::metadata::AssociationType;

use super::{InProgress, statuses};
use crate::db::Connection;
use crate::db::registry_objects::{self, Found, Kind, Wanted};
use crate::failure::Failure;
use crate::subscriptions::{self, Change, Changed, Happened};

/// Matches what an update changed against the subscriptions, `folders` among it, which got members.
pub(super) fn tell(
    conn: &mut Connection,
    update: &InProgress<'_>,
    folders: Vec<Changed>,
) -> Result<usize, Failure> {
    let submission = &update.prepared.submission;
    let new: BTreeSet<i64> = update.objects.iter().map(|(row, _)| row.key).collect();
    let versions: Vec<i64> = update
        .changes
        .iter()
        .map(|change| update.objects[change.new].0.key)
        .collect();
    let versions = registry_objects::by_keys(conn, &versions, Wanted::Ebrim)?;
    let mut changed: Vec<Changed> = versions
        .into_iter()
        .map(|found| Changed(Change::MetadataUpdated, found))
        .collect();
    changed.extend(statuses_changed(conn, update)?);
    // The new version of a folder is told as such.
    let held = folders
        .into_iter()
        .filter(|it| !new.contains(&it.1.row.key));
    changed.extend(held);
    subscriptions::show_survivors(conn, &mut changed)?;
    let home = Some(submission.home.as_str());
    let (set, ebrim) = &update.objects[0];
    let mut happened = vec![Happened::registered(set, ebrim, home)];
    happened.extend(changed.iter().map(|changed| changed.happened(home)));
    let patient_id = Some(submission.patient_id.as_str());
    subscriptions::tell(conn, patient_id, &happened, submission.now_seconds)
}

/// The tables have a name for what goes out of force; what comes into force again has other metadata
/// than before.
fn statuses_changed(
    conn: &mut Connection,
    update: &InProgress<'_>,
) -> Result<Vec<Changed>, Failure> {
    let mut changed = Vec::new();
    for operation in &update.prepared.operations {
        let Operation::ChangeStatus(change) = operation else {
            continue;
        };
        let Some(key) = statuses::target(update, *change) else {
            continue;
        };
        let deprecated = change.new == AvailabilityStatus::Deprecated;
        for found in registry_objects::by_keys(conn, &[key], Wanted::Ebrim)? {
            if found.row.kind == Kind::Association {
                changed.extend(membership(conn, &found, deprecated)?);
            } else {
                let change = match deprecated {
                    true => Change::Deprecated,
                    false => Change::MetadataUpdated,
                };
                changed.push(Changed(change, found));
            }
        }
    }
    Ok(changed)
}

/// A membership in a folder that goes out of force takes the document out of it, and one that comes
/// into force puts it in.
fn membership(
    conn: &mut Connection,
    association: &Found,
    deprecated: bool,
) -> Result<Option<Changed>, Failure> {
    let row = &association.row;
    let has_member = AssociationType::HasMember;
    if row.association_type.as_deref() != Some(has_member.as_str()) {
        return Ok(None);
    }
    let holder: Vec<i64> = row.source_key.into_iter().collect();
    let holder = registry_objects::by_keys(conn, &holder, Wanted::Ebrim)?;
    let folder = holder.into_iter().find(|it| it.row.kind == Kind::Folder);
    let change = match deprecated {
        true => Change::DocumentRemoved,
        false => Change::ContentUpdated,
    };
    Ok(folder.map(|folder| Changed(change, folder)))
}
