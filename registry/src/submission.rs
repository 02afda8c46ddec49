//! What every submission must satisfy against the registry, and what it changes there
//! (ITI TF-2 3.42.4.1.3, ITI TF-3 4.2.2).
//!
//! A submission is [prepared](Prepared::new) before the database is asked, so that the one writer
//! does only what nobody else can. [`register`] then judges and stores it in the transaction of
//! its caller: everything that is wrong is said at once, and then nothing of it stays.

mod associations;
mod consequences;
mod identifiers;
pub(crate) mod link_change;
pub(crate) mod rows;
pub(crate) mod update;

use std::collections::HashMap;

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{
    Association, AssociationType, EntryUuid, HomeCommunityId, Submission, SubmissionSetStatus,
    Timestamp,
};

use crate::config::UnknownPatients;
use crate::consents;
use crate::db::registry_objects::{self, Row};
use crate::db::{self, Connection, links, patients};
use crate::failure::Failure;
use crate::imaging::Indexed;
use crate::sight::Sight;
use crate::subscriptions::{self, Changed, Happened};

/// The first version of every object (ITI TF-3 4.2.3, logicalID and version).
const FIRST_VERSION: &str = "1";

/// A submission that is ready to be stored.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// CX.
    patient_id: String,
    /// The submission set first, then document entries, folders and associations.
    objects: Vec<(Row, String)>,
    /// How the sender called them.
    names: Vec<EntryUuid>,
    /// What the last of the objects are.
    links: Vec<Link>,
    /// What is to be indexed of which of the objects.
    indexed: Vec<(usize, Indexed)>,
    /// What is to be said when it is registered.
    remarks: Vec<RegistryError>,
    /// What is wrong with it already.
    errors: Vec<RegistryError>,
    /// The community of what is made on this occasion.
    home: HomeCommunityId,
    /// When this happens.
    now: Timestamp,
    /// The same in seconds since 1970.
    now_seconds: i64,
}

/// An association of the submission, as far as rules look at it.
#[derive(Debug)]
struct Link {
    association_type: AssociationType,
    submission_set_status: Option<SubmissionSetStatus>,
    source: Reference,
    target: Reference,
}

/// What an association refers to.
#[derive(Debug)]
enum Reference {
    /// One of the objects of the submission.
    Submitted(usize),
    /// Something that must be registered.
    Registered(EntryUuid),
}

impl Prepared {
    /// Prepares a submission: names become UUIDs, and everything is as it will be answered.
    pub(crate) fn new(
        mut submission: Submission,
        errors: Vec<RegistryError>,
        home: &HomeCommunityId,
        now_seconds: u64,
    ) -> Self {
        let names = submission.entry_uuids();
        submission.resolve(&mut || EntryUuid(uuid::Uuid::now_v7().urn().to_string()));
        let now = Timestamp::from_unix(now_seconds);
        complete(&mut submission, home, &now);
        let mut objects = Vec::with_capacity(names.len());
        let set = &submission.submission_set;
        objects.push((rows::of_submission_set(set), rows::ebrim(&set.to_ebrim())));
        let (mut indexed, mut remarks) = (Vec::new(), Vec::new());
        for entry in &submission.document_entries {
            let (of_images, remark) = Indexed::of(entry);
            indexed.extend(of_images.map(|of_images| (objects.len(), of_images)));
            remarks.extend(remark);
            let row = rows::of_document_entry(entry);
            objects.push((row, rows::ebrim(&entry.to_ebrim())));
        }
        for folder in &submission.folders {
            objects.push((rows::of_folder(folder), rows::ebrim(&folder.to_ebrim())));
        }
        for association in &submission.associations {
            let row = rows::of_association(association);
            objects.push((row, rows::ebrim(&association.to_ebrim())));
        }
        let patient_id = set.patient_id.as_ref().map(ToString::to_string);
        let places: HashMap<&str, usize> = objects
            .iter()
            .enumerate()
            .map(|(at, (row, _))| (row.entry_uuid.as_str(), at))
            .collect();
        let reference = |name: EntryUuid| match places.get(name.as_str()) {
            Some(at) => Reference::Submitted(*at),
            None => Reference::Registered(name),
        };
        let link = |association: Association| Link {
            association_type: association.association_type,
            submission_set_status: association.submission_set_status,
            source: reference(association.source),
            target: reference(association.target),
        };
        let links = submission.associations.into_iter().map(link).collect();
        Self {
            patient_id: patient_id.unwrap_or_default(),
            objects,
            names,
            links,
            indexed,
            remarks,
            errors,
            home: home.clone(),
            now,
            now_seconds: i64::try_from(now_seconds).unwrap_or(i64::MAX),
        }
    }

    /// What is to be said when it is registered.
    pub(crate) fn remarks(&self) -> &[RegistryError] {
        &self.remarks
    }

    /// Adds what the new entries say of images to its index, and remembers which of them are consents.
    fn index(&self, conn: &mut Connection, objects: &[(Row, String)]) -> Result<(), Failure> {
        for (row, _) in objects {
            if consents::is_acknowledgement(row) {
                db::consents::insert_document(conn, row.patient, row.key)?;
            }
        }
        let mut indexed = self.indexed.iter();
        indexed.try_for_each(|(at, of_images)| of_images.insert(conn, objects[*at].0.key))
    }

    /// Where among the objects the associations begin.
    fn first_association(&self) -> usize {
        self.objects.len() - self.links.len()
    }
}

/// What the registry adds: everything is approved, in its first version and of this community,
/// and folders are new (ITI TF-2 3.42.4.1.3.3).
///
/// Later versions keep the logicalID and version that they have.
fn complete(submission: &mut Submission, home: &HomeCommunityId, now: &Timestamp) {
    let first =
        |uuid: &EntryUuid, logical_id: &mut Option<EntryUuid>, version: &mut Option<String>| {
            if logical_id
                .as_ref()
                .is_none_or(|logical_id| logical_id == uuid)
            {
                *logical_id = Some(uuid.clone());
                *version = Some(FIRST_VERSION.to_owned());
            }
        };
    let approved = Some(AvailabilityStatus::Approved);
    let home = || home.clone();
    let set = &mut submission.submission_set;
    set.availability_status = approved;
    set.logical_id = Some(set.entry_uuid.clone());
    set.home_community_id.get_or_insert_with(home);
    for entry in &mut submission.document_entries {
        entry.availability_status = approved;
        first(&entry.entry_uuid, &mut entry.logical_id, &mut entry.version);
        entry.home_community_id.get_or_insert_with(home);
    }
    for folder in &mut submission.folders {
        folder.availability_status = approved;
        first(
            &folder.entry_uuid,
            &mut folder.logical_id,
            &mut folder.version,
        );
        folder.home_community_id.get_or_insert_with(home);
        folder.last_update_time = Some(now.clone());
    }
    for association in &mut submission.associations {
        association.availability_status = approved;
        association.logical_id = Some(association.entry_uuid.clone());
        association.home_community_id.get_or_insert_with(home);
    }
}

/// Judges a submission against what is registered, and registers it.
///
/// Gives how many notifications there are to send about it. Refused with everything that is wrong;
/// what the sender does not see counts as not registered, and what was written until then is for the caller's transaction to undo.
pub(crate) fn register(
    conn: &mut Connection,
    prepared: &Prepared,
    unknown_patients: UnknownPatients,
    sight: Option<&Sight>,
) -> Result<usize, Failure> {
    let mut errors = prepared.errors.clone();
    let patient = patient(conn, prepared, unknown_patients)?;
    let mut objects = prepared.objects.clone();
    match patient {
        Some(patient) => take_keys(&mut objects, patient),
        None => errors.push(unknown_patient(prepared)),
    }
    identifiers::claim_entry_uuids(conn, prepared, &objects, &mut errors)?;
    identifiers::claim_unique_ids(conn, prepared, &objects, sight, &mut errors)?;
    let ends = associations::Ends::find(conn, prepared, patient, sight)?;
    associations::judge(conn, prepared, &objects, &ends, patient, &mut errors)?;
    let (Some(patient), true) = (patient, errors.is_empty()) else {
        return Err(Failure::Refused(errors));
    };
    let touched = associations::connect(prepared, &mut objects, &ends);
    registry_objects::insert(conn, &objects)?;
    prepared.index(conn, &objects)?;
    links::insert(conn, &touched)?;
    let mut changed = consequences::follow(conn, prepared, &objects, &ends, patient)?;
    subscriptions::show_survivors(conn, &mut changed)?;
    tell_subscribers(conn, prepared, &objects, &changed)
}

/// Matches what was registered, and what changed with it, against the subscriptions.
fn tell_subscribers(
    conn: &mut Connection,
    prepared: &Prepared,
    objects: &[(Row, String)],
    changed: &[Changed],
) -> Result<usize, Failure> {
    let home = Some(prepared.home.as_str());
    let new = objects.iter().take(prepared.first_association());
    let new = new.map(|(row, ebrim)| Happened::registered(row, ebrim, home));
    let happened = new.chain(changed.iter().map(|changed| changed.happened(home)));
    let happened: Vec<Happened<'_>> = happened.collect();
    let patient_id = Some(prepared.patient_id.as_str());
    subscriptions::tell(conn, patient_id, &happened, prepared.now_seconds)
}

/// The patient, with as many keys as there are objects. One who was merged into another is not
/// known any more (ITI TF-2 3.8.4.2.3).
fn patient(
    conn: &mut Connection,
    prepared: &Prepared,
    unknown_patients: UnknownPatients,
) -> Result<Option<patients::Patient>, Failure> {
    let (id, count) = (&prepared.patient_id, prepared.objects.len());
    let mut patient = patients::find_and_take_keys(conn, id, count)?;
    if patient.is_none() && unknown_patients == UnknownPatients::Accept {
        patients::add(conn, id, prepared.now_seconds)?;
        patient = patients::find_and_take_keys(conn, id, count)?;
    }
    if patient.is_some_and(|patient| patient.next_seq > patients::MOST_OBJECTS) {
        return Err(too_many_objects());
    }
    Ok(patient.filter(|patient| patient.merged_into.is_none()))
}

fn too_many_objects() -> Failure {
    let context = format!(
        "nothing more can be registered for this patient: {} objects are the most",
        patients::MOST_OBJECTS
    );
    Failure::refused(ErrorCode::RegistryOutOfResources, context)
}

/// The framework wants the id in the context (ITI TF-3 Table 4.2.4.1-2).
fn unknown_patient(prepared: &Prepared) -> RegistryError {
    let context = format!(
        "the patient id {} of the submission is not known",
        prepared.patient_id
    );
    RegistryError::error(ErrorCode::UnknownPatientId, context).at(prepared.names[0].as_str())
}

fn take_keys(objects: &mut [(Row, String)], patient: patients::Patient) {
    let first = patients::key(patient.number, patient.next_seq) - objects.len() as i64;
    for ((row, _), key) in objects.iter_mut().zip(first..) {
        row.key = key;
        row.patient = patient.number;
    }
}

#[cfg(test)]
mod tests {
    use xds_schemas::metadata::{PatientId, SubmissionSet};

    use super::*;

    /// ITI TF-3 4.2.4.1, Table 4.2.4.1-2: XDSRegistryOutOfResources is for a registry that has no room left.
    #[test]
    fn a_patient_with_too_many_objects_gets_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("registry.db").display());
        let mut connection = Connection::open(&url).unwrap();
        connection.migrate().unwrap();
        let patient = PatientId::new("A", "1.2.3");
        patients::add(&mut connection, &patient.to_string(), 0).unwrap();
        let most = usize::try_from(patients::MOST_OBJECTS).unwrap();
        patients::find_and_take_keys(&mut connection, &patient.to_string(), most).unwrap();
        let submission = Submission::new(SubmissionSet {
            patient_id: Some(patient),
            ..SubmissionSet::new("Set", "1.2.3.4", "1.2.3.5")
        });
        let home = HomeCommunityId::from("urn:oid:1.2.3");
        let prepared = Prepared::new(submission, Vec::new(), &home, 0);
        let registered = register(&mut connection, &prepared, UnknownPatients::Refuse, None);
        let Err(Failure::Refused(errors)) = registered else {
            panic!("{registered:?}");
        };
        assert_eq!(errors[0].code, ErrorCode::RegistryOutOfResources);
    }
}
