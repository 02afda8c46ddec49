//! What an update must satisfy against the registry, and what it changes there (metadata update
//! 3.57.4.1.3, restricted metadata update 3.92.4.1.3).
//!
//! New versions come first ([`versions`]); then what they were linked with is linked with them
//! ([`propagation`]), statuses change ([`statuses`]), and in the end whatever is in force and linked
//! must be about one patient ([`reconciliation`]). All of it is in the transaction of the caller.

mod propagation;
mod reconciliation;
mod restriction;
mod statuses;
mod telling;
mod versions;

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti57_update_document_set::{NewVersion, Operation, Update, Versioned};
use xds_schemas::metadata::{AssociationType, HomeCommunityId};

use super::associations::{self, Ends};
use super::{Prepared, consequences, identifiers, take_keys, unknown_patient};
use crate::config::UnknownPatients;
use crate::db::patients::Patient;
use crate::db::registry_objects::{self, Kind, Row};
use crate::db::{Connection, links};
use crate::failure::Failure;
use crate::sight::Sight;
use crate::subscriptions::Changed;
use versions::Change;

/// By which transaction an update came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// ITI-57.
    Administrator,
    /// ITI-92.
    Initiator,
    /// ITI-64.
    LinkChange,
}

/// An update that is ready to be carried out.
#[derive(Debug)]
pub(crate) struct PreparedUpdate {
    submission: Prepared,
    operations: Vec<Operation>,
    /// How many document entries there are: folders stand behind them.
    entries: usize,
    by: By,
}

impl PreparedUpdate {
    /// Prepares an update, as [`Prepared::new`] does a submission.
    pub(crate) fn new(
        update: Update,
        by: By,
        mut errors: Vec<RegistryError>,
        home: &HomeCommunityId,
        now_seconds: u64,
    ) -> Self {
        let Update {
            mut submission,
            operations,
        } = update;
        for operation in &operations {
            let Operation::NewVersion(new) = operation else {
                continue;
            };
            let next = new.previous_version.parse::<i32>().ok();
            let next = next.and_then(|previous| previous.checked_add(1));
            let (version, id) = match new.of {
                Versioned::DocumentEntry(at) => {
                    let entry = &mut submission.document_entries[at];
                    (&mut entry.version, &entry.entry_uuid)
                }
                Versioned::Folder(at) => {
                    let folder = &mut submission.folders[at];
                    (&mut folder.version, &folder.entry_uuid)
                }
            };
            *version = next.map(|next| next.to_string());
            if next.is_none() {
                let context = format!("The object {id}: its PreviousVersion is not a number");
                let error = RegistryError::error(ErrorCode::MetadataVersionError, context);
                errors.push(error.at(id.as_str()));
            }
        }
        let entries = submission.document_entries.len();
        Self {
            submission: Prepared::new(submission, errors, home, now_seconds),
            operations,
            entries,
            by,
        }
    }

    /// What is to be said when it is carried out.
    pub(crate) fn remarks(&self) -> &[RegistryError] {
        self.submission.remarks()
    }

    /// Where among the objects this one is.
    fn place(&self, of: Versioned) -> usize {
        match of {
            Versioned::DocumentEntry(at) => 1 + at,
            Versioned::Folder(at) => 1 + self.entries + at,
        }
    }

    fn new_versions(&self) -> impl Iterator<Item = &NewVersion> {
        self.operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::NewVersion(new) => Some(new),
                _ => None,
            })
    }
}

/// What an update does, while it is done.
struct InProgress<'a> {
    prepared: &'a PreparedUpdate,
    objects: Vec<(Row, String)>,
    ends: &'a Ends,
    changes: Vec<Change>,
    patient: Patient,
}

/// Judges an update against what is registered, and carries it out.
///
/// Gives how many notifications there are to send about it. Refused with what is wrong; what the
/// sender does not see counts as not registered, and what was
/// written until then is for the caller's transaction to undo.
pub(crate) fn carry_out(
    conn: &mut Connection,
    prepared: &PreparedUpdate,
    unknown_patients: UnknownPatients,
    sight: Option<&Sight>,
) -> Result<usize, Failure> {
    let submission = &prepared.submission;
    let mut errors = submission.errors.clone();
    let patient = super::patient(conn, submission, unknown_patients)?;
    let mut objects = submission.objects.clone();
    match patient {
        Some(patient) => take_keys(&mut objects, patient),
        None => errors.push(unknown_patient(submission)),
    }
    identifiers::claim_entry_uuids(conn, submission, &objects, &mut errors)?;
    identifiers::claim_unique_ids(conn, submission, &objects, sight, &mut errors)?;
    let changes = versions::judge(conn, prepared, &mut objects, patient, sight, &mut errors)?;
    let ends = Ends::find(conn, submission, patient, sight)?;
    judge_associations(conn, prepared, &objects, &ends, &changes, &mut errors)?;
    let (Some(patient), true) = (patient, errors.is_empty()) else {
        return Err(Failure::Refused(errors));
    };
    let touched = associations::connect(submission, &mut objects, &ends);
    registry_objects::insert(conn, &objects)?;
    submission.index(conn, &objects)?;
    links::insert(conn, &touched)?;
    let update = InProgress {
        prepared,
        objects,
        ends: &ends,
        changes,
        patient,
    };
    versions::supersede(conn, &update, &mut errors)?;
    let (mut linked, mut folders) = propagation::propagate(conn, &update, &mut errors)?;
    linked.extend(statuses::change(conn, &update, &mut errors)?);
    linked.extend(submitted(&update));
    reconciliation::judge(conn, &update, &linked, sight, &mut errors)?;
    if !errors.is_empty() {
        return Err(Failure::Refused(errors));
    }
    folders.extend(touch_folders(conn, &update)?);
    telling::tell(conn, &update, folders)
}

/// Judges the associations that an update brings. What says what is to be done, and the membership
/// of what is new, was judged when the message was read.
fn judge_associations(
    conn: &mut Connection,
    prepared: &PreparedUpdate,
    objects: &[(Row, String)],
    ends: &Ends,
    changes: &[Change],
    errors: &mut Vec<RegistryError>,
) -> Result<(), Failure> {
    let submission = &prepared.submission;
    let first = submission.first_association();
    let of_new_version = |at| prepared.new_versions().any(|new| new.membership == at);
    for (at, link) in submission.links.iter().enumerate() {
        let name = &submission.names[first + at];
        if link.association_type.is_trigger() {
            associations::resolve(link, name, objects, ends, errors);
        } else if !of_new_version(at) {
            let found = associations::judge_link(conn, link, name, objects, ends, errors)?;
            let Some((source, target)) = found else {
                continue;
            };
            let superseded = |key| changes.iter().any(|change| change.old.row.key == key);
            if [source.row().key, target.row().key]
                .into_iter()
                .any(superseded)
            {
                let context = format!(
                    "Association {name}: it refers to a version that is replaced in the same update"
                );
                let code = ErrorCode::RegistryDeprecatedDocumentError;
                errors.push(RegistryError::error(code, context).at(name.as_str()));
            }
        }
    }
    Ok(())
}

/// The keys of the associations that came with the update and link objects.
fn submitted(update: &InProgress<'_>) -> Vec<i64> {
    let associations = update.objects.iter().map(|(row, _)| row);
    let linking = associations.filter(|row| row.kind == Kind::Association && row.hidden == 0);
    linking.map(|row| row.key).collect()
}

/// Sets lastUpdateTime of the folders that got a member by an association of the update.
fn touch_folders(conn: &mut Connection, update: &InProgress<'_>) -> Result<Vec<Changed>, Failure> {
    let has_member = AssociationType::HasMember;
    let members = update.objects.iter().map(|(row, _)| row).filter(|row| {
        row.association_type.as_deref() == Some(has_member.as_str())
            && row.source_key != Some(update.objects[0].0.key)
    });
    let folders = members.filter_map(|row| row.source_key).collect();
    consequences::update_folders(conn, &update.prepared.submission, folders)
}
