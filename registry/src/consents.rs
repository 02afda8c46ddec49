//! What patients wished, as the policy looks at it: FHIR Consents (`iti108_access_consent`), and
//! documents in which they acknowledge privacy policies (BPPC).
//!
//! Everything is looked up when it is to be decided, so that what was withdrawn a moment ago counts no
//! more. A merge makes the wishes of both patients those of the survivor.

use anyhow::anyhow;
use hilum_security::access::{BPPC_FORMATS, Consent, Policy};
use uuid::Uuid;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::metadata::{Code, DocumentEntry, PatientId, Timestamp};

use crate::db::consents::{self, Kept};
use crate::db::registry_objects::{self, Row, SUPERSEDED, Status, Wanted, split};
use crate::db::{Connection, entry_uuids, patients};
use crate::failure::Failure;

/// The patient with this number as it is known now (CX), and its wishes.
pub(crate) fn of_patient(
    conn: &mut Connection,
    policy: &Policy,
    number: i64,
) -> Result<(String, Vec<Consent>), Failure> {
    let survivor = patients::survivor(conn, number)?;
    let patient_id = patients::patient_id(conn, survivor)?;
    if !policy.heeds_consents() {
        return Ok((patient_id, Vec::new()));
    }
    let everybody: Vec<i64> = patients::known_as(conn, survivor)?.into_iter().collect();
    let mut wishes = Vec::new();
    for kept in consents::of_patients(conn, &everybody)? {
        wishes.push(read(&kept)?);
    }
    let documents = acknowledgements(conn, policy, &everybody, &patient_id)?;
    wishes.extend(documents.into_iter().map(|(_, wish)| wish));
    for wish in &mut wishes {
        wish.patient_id.clone_from(&patient_id);
    }
    Ok((patient_id, wishes))
}

/// The wishes of the patient with this identifier (CX); none if nobody knows the patient.
pub(crate) fn of_patient_id(
    conn: &mut Connection,
    policy: &Policy,
    patient_id: &str,
) -> Result<Vec<Consent>, Failure> {
    let Some(patient) = patients::find(conn, patient_id)? else {
        return Ok(Vec::new());
    };
    let (survivor, mut wishes) = of_patient(conn, policy, patient.number)?;
    // What is decided may still name the patient as it was known.
    if survivor != patient_id {
        for wish in &mut wishes {
            patient_id.clone_into(&mut wish.patient_id);
        }
    }
    Ok(wishes)
}

/// A consent that is kept was understood when it came. If that is so no more, nothing is decided:
/// it may be a denial.
pub(crate) fn read(kept: &Kept) -> Result<Consent, Failure> {
    Consent::from_fhir(kept.resource.as_bytes()).map_err(|error| {
        let (id, version) = (&kept.id, kept.version);
        Failure::Internal(anyhow!(
            "the consent {id}, version {version}, cannot be understood: {error}"
        ))
    })
}

/// Whether this is the entry of a document in which somebody acknowledges something.
pub(crate) fn is_acknowledgement(row: &Row) -> bool {
    let format = row.format_code.as_deref().unwrap_or_default();
    let code = format.split("^^").next().unwrap_or_default();
    row.kind.is_document_entry() && BPPC_FORMATS.contains(&code)
}

/// What these patients, who are known by one identifier, acknowledged in documents: those that are not
/// in force any more are inactive. Of several versions of an entry, the newest counts.
pub(crate) fn acknowledgements(
    conn: &mut Connection,
    policy: &Policy,
    patients: &[i64],
    patient_id: &str,
) -> Result<Vec<(Row, Consent)>, Failure> {
    let keys = consents::documents(conn, patients)?;
    let found = registry_objects::by_keys(conn, &keys, Wanted::Rows)?;
    let newest = found.into_iter().map(|it| it.row);
    let newest = newest.filter(|row| row.hidden & SUPERSEDED == 0);
    let meant = newest.filter_map(|row| {
        let consent = policy.acknowledged(&entry(&row, patient_id))?;
        Some((row, consent))
    });
    Ok(meant.collect())
}

/// What is acknowledged in the document with this entryUUID.
pub(crate) fn acknowledgement(
    conn: &mut Connection,
    policy: &Policy,
    uuid: Uuid,
) -> Result<Option<(Row, Consent)>, Failure> {
    let keys = entry_uuids::find(conn, &[uuid])?;
    let found = registry_objects::by_keys(conn, &keys, Wanted::Rows)?;
    let Some(found) = found.into_iter().next() else {
        return Ok(None);
    };
    let row = found.row;
    if !is_acknowledgement(&row) || row.hidden & SUPERSEDED != 0 {
        return Ok(None);
    }
    let survivor = patients::survivor(conn, row.patient)?;
    let patient_id = patients::patient_id(conn, survivor)?;
    let consent = policy.acknowledged(&entry(&row, &patient_id));
    Ok(consent.map(|consent| (row, consent)))
}

/// As much of an entry as its acknowledgement depends on: its ebRIM need not be read.
fn entry(row: &Row, patient_id: &str) -> DocumentEntry {
    let code = |written: &str| {
        let (code, scheme) = written.split_once("^^").unwrap_or((written, ""));
        Code::new(code, scheme, "")
    };
    let time = |column: &Option<String>| Timestamp::parse(column.as_deref()?).ok();
    let unique_id = row.unique_id.as_deref().unwrap_or_default();
    DocumentEntry {
        availability_status: Some(match row.status {
            Status::Approved => AvailabilityStatus::Approved,
            Status::Deprecated => AvailabilityStatus::Deprecated,
        }),
        format_code: row.format_code.as_deref().map(code),
        event_codes: split(&row.event_codes).map(code).collect(),
        creation_time: time(&row.time),
        service_start_time: time(&row.service_start_time),
        service_stop_time: time(&row.service_stop_time),
        patient_id: PatientId::parse(patient_id).ok(),
        ..DocumentEntry::new(row.entry_uuid.as_str(), unique_id, "")
    }
}
