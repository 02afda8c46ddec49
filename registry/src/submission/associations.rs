//! What associations may connect (ITI TF-3 4.2.2, ITI TF-2 3.42.4.1.3.3.1).

use std::collections::HashMap;

use uuid::Uuid;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{AssociationType, EntryUuid, SubmissionSetStatus};

use super::identifiers::describe;
use super::{Link, Prepared, Reference};
use crate::db::links::{self, Link as Touch};
use crate::db::patients::{self, Patient};
use crate::db::registry_objects::{self, Kind, Row, Status, Wanted};
use crate::db::{Connection, entry_uuids, patient_of};
use crate::failure::Failure;
use crate::sight::Sight;

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

    pub(super) const fn registered(self) -> Option<&'e Row> {
        match self {
            Self::Submitted(_) => None,
            Self::Registered(row) => Some(row),
        }
    }
}

/// What of the registry the associations of a submission refer to.
pub(super) struct Ends {
    registered: HashMap<Uuid, Row>,
}

impl Ends {
    /// Looks everything up; what the sender does not see is not there. Other patients' objects stay as they are until the transaction ends.
    pub(super) fn find(
        conn: &mut Connection,
        prepared: &Prepared,
        patient: Option<Patient>,
        sight: Option<&Sight>,
    ) -> Result<Self, Failure> {
        let ends = prepared
            .links
            .iter()
            .flat_map(|link| [&link.source, &link.target]);
        let mut uuids: Vec<Uuid> = ends
            .filter_map(|end| match end {
                Reference::Submitted(_) => None,
                Reference::Registered(name) => parse(name),
            })
            .collect();
        uuids.sort_unstable();
        uuids.dedup();
        let mut registered = HashMap::new();
        if !uuids.is_empty() {
            let keys = entry_uuids::find(conn, &uuids)?;
            let ours = patient.map(|patient| patient.number);
            let mut owners: Vec<i64> = keys.iter().map(|key| patient_of(*key)).collect();
            owners.retain(|owner| Some(*owner) != ours);
            if !owners.is_empty() {
                patients::lock(conn, &owners)?;
            }
            let mut all = registry_objects::by_keys(conn, &keys, Wanted::Rows)?;
            if let Some(sight) = sight {
                sight.keep(conn, &mut all)?;
            }
            for found in all {
                let uuid = parse(&EntryUuid::from(found.row.entry_uuid.as_str()));
                registered.extend(uuid.map(|uuid| (uuid, found.row)));
            }
        }
        Ok(Self { registered })
    }

    /// What is meant, if there is such a thing.
    pub(super) fn of<'e>(
        &'e self,
        reference: &Reference,
        objects: &'e [(Row, String)],
    ) -> Option<End<'e>> {
        match reference {
            Reference::Submitted(at) => Some(End::Submitted(&objects[*at].0)),
            Reference::Registered(name) => self.registered.get(&parse(name)?).map(End::Registered),
        }
    }
}

fn parse(name: &EntryUuid) -> Option<Uuid> {
    Uuid::parse_str(name.as_str())
        .ok()
        .filter(|_| !name.is_symbolic())
}

/// Judges what reading the submission could not: whatever has an end that was registered before.
pub(super) fn judge(
    conn: &mut Connection,
    prepared: &Prepared,
    objects: &[(Row, String)],
    ends: &Ends,
    patient: Option<Patient>,
    errors: &mut Vec<RegistryError>,
) -> Result<(), Failure> {
    let names = &prepared.names[prepared.first_association()..];
    for (link, name) in prepared.links.iter().zip(names) {
        let Some((source, target)) = judge_link(conn, link, name, objects, ends, errors)? else {
            continue;
        };
        let by_reference =
            source.row().kind == Kind::SubmissionSet && target.row().kind.is_document_entry();
        let (Some(patient), false) = (patient, by_reference) else {
            continue;
        };
        for row in [source, target].into_iter().filter_map(End::registered) {
            if !same_patient(conn, row.patient, patient.number)? {
                let (kind, uuid) = (describe(row.kind), &row.entry_uuid);
                // The sender's is told (ITI TF-3 Table 4.2.4.1-2); whose the other is, is not
                // the sender's to know.
                let ours = patients::patient_id(conn, patient.number)?;
                let problem =
                    format!("the patient of {kind} {uuid} is not that of the submission, {ours}");
                errors.push(refusal(ErrorCode::PatientIdDoesNotMatch, name, &problem));
            }
        }
    }
    Ok(())
}

fn refusal(code: ErrorCode, name: &EntryUuid, problem: &str) -> RegistryError {
    let context = format!("Association {name}: {problem}");
    RegistryError::error(code, context).at(name.as_str())
}

/// Judges one association, apart from whose its ends are. Gives the ends if there are both.
pub(super) fn judge_link<'e>(
    conn: &mut Connection,
    link: &Link,
    name: &EntryUuid,
    objects: &'e [(Row, String)],
    ends: &'e Ends,
    errors: &mut Vec<RegistryError>,
) -> Result<Option<(End<'e>, End<'e>)>, Failure> {
    let Some((source, target)) = resolve(link, name, objects, ends, errors) else {
        return Ok(None);
    };
    if let Err((code, problem)) = fits(link, source, target) {
        errors.push(refusal(code, name, &problem));
        return Ok(None);
    }
    let mut of_registered = [source, target].into_iter().filter_map(End::registered);
    if of_registered.any(|row| row.status == Status::Deprecated) {
        let problem = "it refers to a deprecated object";
        let code = ErrorCode::RegistryDeprecatedDocumentError;
        errors.push(refusal(code, name, problem));
    }
    if link.association_type == AssociationType::Append && is_transformation(conn, target)? {
        let problem = "a transformation cannot be appended to";
        errors.push(refusal(ErrorCode::RegistryMetadataError, name, problem));
    }
    Ok(Some((source, target)))
}

/// The ends of an association, if there are both.
pub(super) fn resolve<'e>(
    link: &Link,
    name: &EntryUuid,
    objects: &'e [(Row, String)],
    ends: &'e Ends,
    errors: &mut Vec<RegistryError>,
) -> Option<(End<'e>, End<'e>)> {
    let mut resolved = |which: &str, reference: &Reference| {
        let found = ends.of(reference, objects);
        if let (None, Reference::Registered(uuid)) = (found, reference) {
            let problem = format!("its {which} {uuid} is neither submitted nor registered");
            let code = ErrorCode::UnresolvedReferenceException;
            errors.push(refusal(code, name, &problem));
        }
        found
    };
    let source = resolved("sourceObject", &link.source);
    let target = resolved("targetObject", &link.target);
    Some((source?, target?))
}

/// Whether an association of this type may connect these. A relationship to what is registered as
/// something else than a document resolves to nothing (ITI TF-2 3.42.4.1.3.5).
fn fits(link: &Link, source: End<'_>, target: End<'_>) -> Result<(), (ErrorCode, String)> {
    let metadata = |problem: String| (ErrorCode::RegistryMetadataError, problem);
    let (from, to) = (source.row(), target.row());
    if link.association_type == AssociationType::HasMember {
        return fits_membership(link, source, target).map_err(metadata);
    }
    if !link.association_type.is_relationship() {
        let problem = "its associationType is none that a submission may have";
        return Err(metadata(problem.to_owned()));
    }
    if !from.kind.is_document_entry() {
        let problem = format!("its sourceObject is a {}", describe(from.kind));
        return Err(metadata(format!("{problem}, not a DocumentEntry")));
    }
    if !to.kind.is_document_entry() {
        let (uuid, kind) = (&to.entry_uuid, describe(to.kind));
        let problem = format!("its targetObject {uuid} is a {kind}, not a DocumentEntry");
        return Err((ErrorCode::UnresolvedReferenceException, problem));
    }
    if link.association_type == AssociationType::IsSnapshotOf
        && (from.kind != Kind::Stable || to.kind != Kind::OnDemand)
    {
        let problem = "a snapshot is a stable document entry of an on-demand one";
        return Err(metadata(problem.to_owned()));
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
pub(super) fn same_patient(conn: &mut Connection, one: i64, other: i64) -> Result<bool, Failure> {
    Ok(one == other || patients::survivor(conn, one)? == patients::survivor(conn, other)?)
}

/// Whether a registered document was made from another. Those that come with the submission were
/// judged when it was read.
fn is_transformation(conn: &mut Connection, document: End<'_>) -> Result<bool, Failure> {
    let Some(document) = document.registered() else {
        return Ok(false);
    };
    let touching = links::associations_of(conn, &[document.key])?;
    let touching = registry_objects::by_keys(conn, &touching, Wanted::Rows)?;
    let transform = AssociationType::Transform;
    Ok(touching.iter().any(|found| {
        found.row.source_key == Some(document.key)
            && found.row.association_type.as_deref() == Some(transform.as_str())
    }))
}

/// Writes the keys of the ends into the associations' rows; gives what touches what.
pub(super) fn connect(
    prepared: &Prepared,
    objects: &mut [(Row, String)],
    ends: &Ends,
) -> Vec<Touch> {
    let first = prepared.first_association();
    let mut touched = Vec::with_capacity(2 * prepared.links.len());
    for (at, link) in (first..).zip(&prepared.links) {
        let key_of = |reference| ends.of(reference, objects).map(|end| end.row().key);
        let (source, target) = (key_of(&link.source), key_of(&link.target));
        let row = &mut objects[at].0;
        (row.source_key, row.target_key) = (source, target);
        touched.extend(touches(row));
    }
    touched
}

/// What an association touches.
pub(super) fn touches(association: &Row) -> impl Iterator<Item = Touch> + use<> {
    let key = association.key;
    let ends = association
        .source_key
        .into_iter()
        .chain(association.target_key);
    ends.map(move |object| Touch {
        object,
        association: key,
    })
}
