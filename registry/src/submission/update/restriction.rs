//! What a restricted update may not change (restricted metadata update 3.92.4.1.3).

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{DocumentEntry, EntryUuid};

use super::versions::refusal;
use crate::db::Connection;
use crate::db::patients::Patient;
use crate::db::registry_objects::{Found, Row};
use crate::failure::Failure;
use crate::submission::associations::same_patient;
use crate::submission::rows;

/// Judges a new version by the one before it.
pub(super) fn judge(
    conn: &mut Connection,
    row: &Row,
    ebrim: &str,
    name: &EntryUuid,
    old: &Found,
    patient: Option<Patient>,
    errors: &mut Vec<RegistryError>,
) -> Result<(), Failure> {
    if !row.kind.is_document_entry() || !old.row.kind.is_document_entry() {
        return Ok(());
    }
    if let Some(patient) = patient
        && !same_patient(conn, patient.number, old.row.patient)?
    {
        let problem = "its patientId is not that of the version before";
        let code = ErrorCode::PatientIdReconciliationError;
        errors.push(refusal(code, row.kind, name, problem));
    }
    let read = |ebrim| DocumentEntry::from_ebrim(&rows::read(ebrim)?).map_err(Failure::Refused);
    let (new, old) = (read(ebrim)?, read(&old.ebrim)?);
    let hash = |entry: &DocumentEntry| entry.hash.as_ref().map(|hash| hash.to_lowercase());
    let unmodifiable = [
        (
            "sourcePatientId",
            new.source_patient_id != old.source_patient_id,
        ),
        (
            "repositoryUniqueId",
            new.repository_unique_id != old.repository_unique_id,
        ),
        (
            "documentAvailability",
            new.document_availability != old.document_availability,
        ),
        ("hash", hash(&new) != hash(&old)),
        ("size", new.size != old.size),
    ];
    for (attribute, _) in unmodifiable.into_iter().filter(|(_, changed)| *changed) {
        let problem = format!("its {attribute} is not that of the version before");
        let code = ErrorCode::UnmodifiableMetadataError;
        errors.push(refusal(code, row.kind, name, &problem));
    }
    Ok(())
}
