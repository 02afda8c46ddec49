//! What the version before was linked with is linked with the new one (metadata update
//! 3.57.4.1.3.3.1.5 and .3.3.3; restricted metadata update 3.92.4.1.3).

use std::collections::{BTreeSet, HashMap};

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{Association, AssociationType, SubmissionSetStatus};

use super::versions::Change;
use super::{By, InProgress};
use crate::db::registry_objects::{self, Found, Kind, Row, Status, Wanted};
use crate::db::{Connection, links, patients};
use crate::failure::Failure;
use crate::submission::associations::same_patient;
use crate::submission::{consequences, rows, too_many_objects};
use crate::subscriptions::Changed;

/// A link that is to be made.
struct Link {
    association: Association,
    source: Row,
    target: Row,
    /// Whether the submission set gets it as a member.
    is_member: bool,
}

struct Propagation<'a, 'u> {
    update: &'u InProgress<'a>,
    /// The new versions, by the keys of those before.
    newer: HashMap<i64, &'u Row>,
    /// What is linked already: type, source and target.
    seen: BTreeSet<(String, i64, i64)>,
    links: Vec<Link>,
    folders: BTreeSet<i64>,
}

/// Makes the links; gives the keys of those that must agree in their patient, and the folders that
/// got members.
pub(super) fn propagate(
    conn: &mut Connection,
    update: &InProgress<'_>,
    errors: &mut Vec<RegistryError>,
) -> Result<(Vec<i64>, Vec<Changed>), Failure> {
    let newer = update.changes.iter();
    let mut it = Propagation {
        update,
        newer: newer
            .map(|change| (change.old.row.key, &update.objects[change.new].0))
            .collect(),
        seen: update
            .objects
            .iter()
            .filter_map(|(row, _)| identity(row))
            .collect(),
        links: Vec::new(),
        folders: BTreeSet::new(),
    };
    for change in update.changes.iter().filter(|change| change.propagates) {
        it.carry_over(conn, change, errors)?;
    }
    it.make(conn)
}

/// What two associations must not have in common.
fn identity(row: &Row) -> Option<(String, i64, i64)> {
    Some((
        row.association_type.clone()?,
        row.source_key?,
        row.target_key?,
    ))
}

impl Propagation<'_, '_> {
    fn carry_over(
        &mut self,
        conn: &mut Connection,
        change: &Change,
        errors: &mut Vec<RegistryError>,
    ) -> Result<(), Failure> {
        let old = change.old.row.key;
        let touching = links::associations_of(conn, &[old])?;
        for found in registry_objects::by_keys(conn, &touching, Wanted::Ebrim)? {
            let row = &found.row;
            let (Some(source), Some(target)) = (row.source_key, row.target_key) else {
                continue;
            };
            // What came with this very update links the new versions already.
            let is_new = self
                .update
                .objects
                .iter()
                .any(|(new, _)| new.key == row.key);
            if row.status == Status::Deprecated || is_new {
                continue;
            }
            let ends = registry_objects::by_keys(conn, &[source, target], Wanted::Rows)?;
            let end = |key: i64| {
                let found = ends.iter().map(|found| &found.row).find(|it| it.key == key);
                self.newer.get(&key).copied().or(found).cloned()
            };
            let (Some(from), Some(to)) = (end(source), end(target)) else {
                continue;
            };
            let is_left_alone =
                |it: &&Change| !it.propagates && [source, target].contains(&it.old.row.key);
            if let Some(other) = self.update.changes.iter().find(is_left_alone) {
                errors.push(self.disagreement(change, other));
                continue;
            }
            self.link(conn, change, found, from, to)?;
        }
        Ok(())
    }

    /// Two new versions that are linked must say the same of their links.
    fn disagreement(&self, change: &Change, other: &Change) -> RegistryError {
        let names = &self.update.prepared.submission.names;
        let (one, other) = (&names[change.new], &names[other.new]);
        let context = format!(
            "The objects {one} and {other} are linked, but their AssociationPropagation differs"
        );
        RegistryError::error(ErrorCode::MetadataUpdateError, context).at(one.as_str())
    }

    /// Repeats one association between the newest versions of its ends.
    fn link(
        &mut self,
        conn: &mut Connection,
        change: &Change,
        found: Found,
        source: Row,
        target: Row,
    ) -> Result<(), Failure> {
        let association = Association::from_ebrim(&rows::read(&found.ebrim)?);
        let association = association.map_err(Failure::Refused)?;
        let is_membership = association.association_type == AssociationType::HasMember;
        let of_folder = is_membership && source.kind == Kind::Folder;
        let by_reference =
            association.submission_set_status == Some(SubmissionSetStatus::Reference);
        if source.kind == Kind::SubmissionSet {
            // Restricted metadata update 3.92.4.1.3; ITI TF-2 3.64.4.1.3.1.4.
            let by = self.update.prepared.by;
            if by_reference && matches!(by, By::Initiator | By::LinkChange) {
                let mut old = found;
                rows::deprecate(&mut old.row, &mut old.ebrim);
                registry_objects::update(conn, &old)?;
                self.push(association, source, target, false);
            }
        } else if of_folder {
            // A folder takes over only what is in force (3.57.4.1.3.3.3).
            let is_folder = change.old.row.kind == Kind::Folder;
            let other = if is_folder { &target } else { &source };
            if other.status == Status::Approved {
                self.folders.insert(source.key);
                self.push(association, source, target, true);
            }
        } else if association.association_type.is_relationship()
            && !self.is_lost(conn, &source, &target)?
        {
            self.push(association, source, target, false);
        }
        Ok(())
    }

    /// A change of links leaves behind what was replaced, and so loses its relationship: "To trace
    /// RPLC and XFRM_RPLC Associations each of the previous versions of the new DocumentEntry must be
    /// examined" (ITI TF-2 3.64.4.1.3.1.5).
    fn is_lost(&self, conn: &mut Connection, source: &Row, target: &Row) -> Result<bool, Failure> {
        let deprecated = [source, target]
            .iter()
            .any(|it| it.status == Status::Deprecated);
        Ok(self.update.prepared.by == By::LinkChange
            && deprecated
            && !same_patient(conn, source.patient, target.patient)?)
    }

    fn push(&mut self, association: Association, source: Row, target: Row, is_member: bool) {
        let association_type = association.association_type.as_str().to_owned();
        if self.seen.insert((association_type, source.key, target.key)) {
            self.links.push(Link {
                association,
                source,
                target,
                is_member,
            });
        }
    }

    fn make(self, conn: &mut Connection) -> Result<(Vec<i64>, Vec<Changed>), Failure> {
        if self.links.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let (update, patient) = (self.update, self.update.patient);
        let submission = &update.prepared.submission;
        let set = &update.objects[0].0;
        let count = self
            .links
            .iter()
            .map(|link| 1 + usize::from(link.is_member))
            .sum();
        let key = patients::take_keys(conn, patient.number, count)?;
        let mut key = key.ok_or_else(too_many_objects)?;
        let mut objects = Vec::with_capacity(count);
        let mut linked = Vec::new();
        for link in self.links {
            let (source, target) = (&link.source, &link.target);
            let made =
                consequences::made(submission, link.association, source, target, key, patient);
            if source.kind != Kind::SubmissionSet {
                linked.push(key);
            }
            key += 1;
            if link.is_member {
                objects.push(consequences::member(submission, set, &made.0, key, patient));
                key += 1;
            }
            objects.push(made);
        }
        objects.sort_by_key(|(row, _)| row.key);
        consequences::add(conn, &objects)?;
        let changed = consequences::update_folders(conn, submission, self.folders)?;
        Ok((linked, changed))
    }
}
