//! What associations may connect (ITI TF-3 4.2.2, ITI TF-2 3.42.4.1.3.3.1).

use std::collections::HashMap;

use uuid::Uuid;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{AssociationType, EntryUuid, SubmissionSetStatus};

use super::identifiers::describe;
use super::{Link, Prepared};
use crate::db::links::{self, Link as Touch};
use crate::db::patients::{self, Patient};
use crate::db::registry_objects::{self, Kind, Row, Status, Wanted};
use crate::db::{Connection, entry_uuids, patient_of};
use crate::failure::Failure;

/// One end of an association.
#[derive(Debug, Clone, Copy)]
pub(super) enum End<'e> {
    /// It comes with the submission.
    Submitted(&'e Row),
    /// It was registered before.
    Registered(&'e Row),
}

impl<'e> End<'e> {
    pub(super) const fn row(self) -> &'e Row {
        match self {
            Self::Submitted(row) | Self::Registered(row) => row,
        }
    }

    const fn registered(self) -> Option<&'e Row> {
        match self {
            Self::Submitted(_) => None,
            Self::Registered(row) => Some(row),
        }
    }
}

/// What the associations of a submission can refer to: what comes with it, and what of the
/// registry they name.
pub(super) struct Ends {
    submitted: HashMap<String, Row>,
    registered: HashMap<Uuid, Row>,
}

impl Ends {
    /// Looks everything up. Other patients' objects stay as they are until the transaction ends.
    pub(super) fn find(
        conn: &mut Connection,
        prepared: &Prepared,
        objects: &[(Row, String)],
        patient: Option<Patient>,
    ) -> Result<Self, Failure> {
        let submitted: HashMap<String, Row> = objects
            .iter()
            .map(|(row, _)| (row.entry_uuid.clone(), row.clone()))
            .collect();
        let ends = prepared
            .links
            .iter()
            .flat_map(|it| [&it.source, &it.target]);
        let mut others: Vec<Uuid> = ends
            .filter(|end| !submitted.contains_key(end.as_str()))
            .filter_map(parse)
            .collect();
        others.sort_unstable();
        others.dedup();
        let mut registered = HashMap::new();
        if !others.is_empty() {
            let keys = entry_uuids::find(conn, &others)?;
            let ours = patient.map(|patient| patient.number);
            let mut owners: Vec<i64> = keys.iter().map(|key| patient_of(*key)).collect();
            owners.retain(|owner| Some(*owner) != ours);
            if !owners.is_empty() {
                patients::lock(conn, &owners)?;
            }
            for found in registry_objects::by_keys(conn, &keys, Wanted::Rows)? {
                let uuid = parse(&EntryUuid::from(found.row.entry_uuid.as_str()));
                registered.extend(uuid.map(|uuid| (uuid, found.row)));
            }
        }
        Ok(Self {
            submitted,
            registered,
        })
    }

    /// What has this name.
    pub(super) fn named(&self, name: &EntryUuid) -> Option<End<'_>> {
        let submitted = self.submitted.get(name.as_str()).map(End::Submitted);
        submitted.or_else(|| self.registered.get(&parse(name)?).map(End::Registered))
    }
}

fn parse(name: &EntryUuid) -> Option<Uuid> {
    Uuid::parse_str(name.as_str())
        .ok()
        .filter(|_| !name.is_symbolic())
}

/// Judges every association.
pub(super) fn judge(
    conn: &mut Connection,
    prepared: &Prepared,
    ends: &Ends,
    patient: Option<Patient>,
    errors: &mut Vec<RegistryError>,
) -> Result<(), Failure> {
    let names = &prepared.names[prepared.first_association()..];
    for (link, name) in prepared.links.iter().zip(names) {
        let mut refuse = |code: ErrorCode, problem: &str| {
            let context = format!("Association {name}: {problem}");
            errors.push(RegistryError::error(code, context).at(name.as_str()));
        };
        let mut resolved = |which: &str, end: &EntryUuid| {
            let found = ends.named(end);
            if found.is_none() {
                let problem = format!("its {which} {end} is neither submitted nor registered");
                refuse(ErrorCode::UnresolvedReferenceException, &problem);
            }
            found
        };
        let source = resolved("sourceObject", &link.source);
        let target = resolved("targetObject", &link.target);
        let (Some(source), Some(target)) = (source, target) else {
            continue;
        };
        if let Err(problem) = fits(link, source, target) {
            refuse(ErrorCode::RegistryMetadataError, &problem);
            continue;
        }
        let membership_of_submission = source.row().kind == Kind::SubmissionSet;
        let of_registered = [source, target].into_iter().filter_map(End::registered);
        if of_registered
            .clone()
            .any(|row| row.status == Status::Deprecated)
        {
            let problem = "it refers to a deprecated object";
            refuse(ErrorCode::RegistryDeprecatedDocumentError, problem);
        }
        let by_reference = membership_of_submission && target.row().kind.is_document_entry();
        if let (Some(patient), false) = (patient, by_reference) {
            for row in of_registered {
                if !same_patient(conn, row.patient, patient.number)? {
                    let problem = format!(
                        "the patient of {} {} is not that of the submission",
                        describe(row.kind),
                        row.entry_uuid
                    );
                    refuse(ErrorCode::PatientIdDoesNotMatch, &problem);
                }
            }
        }
        if link.association_type == AssociationType::Append
            && is_transformation(conn, prepared, target)?
        {
            refuse(
                ErrorCode::RegistryMetadataError,
                "a transformation cannot be appended to",
            );
        }
    }
    Ok(())
}

/// Whether an association of this type may connect these.
fn fits(link: &Link, source: End<'_>, target: End<'_>) -> Result<(), String> {
    let (from, to) = (source.row().kind, target.row().kind);
    if link.association_type == AssociationType::HasMember {
        return fits_membership(link, source, target);
    }
    if !link.association_type.is_relationship() {
        return Err("its associationType is none that a submission may have".to_owned());
    }
    if !from.is_document_entry() || !to.is_document_entry() {
        let (from, to) = (describe(from), describe(to));
        return Err(format!("it relates a {from} to a {to}, not two documents"));
    }
    if source.registered().is_some() {
        return Err("its sourceObject is not part of the submission".to_owned());
    }
    if link.association_type == AssociationType::IsSnapshotOf
        && (from != Kind::Stable || to != Kind::OnDemand)
    {
        return Err("a snapshot is a stable document entry of an on-demand one".to_owned());
    }
    Ok(())
}

fn fits_membership(link: &Link, source: End<'_>, target: End<'_>) -> Result<(), String> {
    let (from, to) = (source.row().kind, target.row().kind);
    match (from, to) {
        (Kind::SubmissionSet, _) if source.registered().is_some() => {
            Err("a submission set gets no members after its submission".to_owned())
        }
        (Kind::SubmissionSet, Kind::Stable | Kind::OnDemand) => {
            let (status, right) = match target {
                End::Submitted(_) => (SubmissionSetStatus::Original, "Original"),
                End::Registered(_) => (SubmissionSetStatus::Reference, "Reference"),
            };
            match link.submission_set_status == Some(status) {
                true => Ok(()),
                false => Err(format!("its SubmissionSetStatus is not {right}")),
            }
        }
        (Kind::SubmissionSet, Kind::Folder | Kind::Association)
        | (Kind::Folder, Kind::Stable | Kind::OnDemand) => Ok(()),
        _ => {
            let (from, to) = (describe(from), describe(to));
            Err(format!("a {to} cannot be a member of a {from}"))
        }
    }
}

/// Whether two patients are the same, perhaps because they were merged.
fn same_patient(conn: &mut Connection, one: i64, other: i64) -> Result<bool, Failure> {
    Ok(one == other || patients::survivor(conn, one)? == patients::survivor(conn, other)?)
}

/// Whether a document was made from another.
fn is_transformation(
    conn: &mut Connection,
    prepared: &Prepared,
    document: End<'_>,
) -> Result<bool, Failure> {
    let is_transform = |urn: &str| {
        matches!(
            AssociationType::parse(urn),
            AssociationType::Transform | AssociationType::TransformAndReplace
        )
    };
    Ok(match document {
        End::Submitted(row) => prepared.links.iter().any(|link| {
            link.source.as_str() == row.entry_uuid && is_transform(link.association_type.as_str())
        }),
        End::Registered(row) => {
            let touching = links::associations_of(conn, &[row.key])?;
            let touching = registry_objects::by_keys(conn, &touching, Wanted::Rows)?;
            touching.iter().any(|found| {
                found.row.source_key == Some(row.key)
                    && found
                        .row
                        .association_type
                        .as_deref()
                        .is_some_and(is_transform)
            })
        }
    })
}

/// Writes the keys of the ends into the associations' rows; gives what touches what.
pub(super) fn connect(
    prepared: &Prepared,
    objects: &mut [(Row, String)],
    ends: &Ends,
) -> Vec<Touch> {
    let associations = &mut objects[prepared.first_association()..];
    let mut touched = Vec::with_capacity(2 * associations.len());
    for ((row, _), link) in associations.iter_mut().zip(&prepared.links) {
        row.source_key = ends.named(&link.source).map(|end| end.row().key);
        row.target_key = ends.named(&link.target).map(|end| end.row().key);
        let association = row.key;
        let keys = row.source_key.into_iter().chain(row.target_key);
        touched.extend(keys.map(|object| Touch {
            object,
            association,
        }));
    }
    touched
}
