//! Whatever is in force and linked is about one patient (metadata update 3.57.4.1.3.3.7).

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{Association, SubmissionSetStatus};

use super::InProgress;
use crate::db::Connection;
use crate::db::registry_objects::{self, Found, Kind, Row, Status, Wanted};
use crate::failure::Failure;
use crate::sight::Sight;
use crate::submission::associations::same_patient;
use crate::submission::rows;

/// Judges these associations, now that everything else has been done. Submission sets may refer to
/// documents of other patients.
pub(super) fn judge(
    conn: &mut Connection,
    update: &InProgress<'_>,
    associations: &[i64],
    sight: Option<&Sight>,
    errors: &mut Vec<RegistryError>,
) -> Result<(), Failure> {
    for link in registry_objects::by_keys(conn, associations, Wanted::Ebrim)? {
        let (Some(source), Some(target)) = (link.row.source_key, link.row.target_key) else {
            continue;
        };
        let ends = registry_objects::by_keys(conn, &[source, target], Wanted::Rows)?;
        let [one, other] = &ends[..] else {
            continue;
        };
        let in_force = |found: &Found| found.row.status == Status::Approved;
        let has_patient = |found: &Found| found.row.kind != Kind::Association;
        let judged = [one, other]
            .into_iter()
            .all(|it| in_force(it) && has_patient(it));
        if !in_force(&link) || !judged || is_by_reference(&link, &ends)? {
            continue;
        }
        if !same_patient(conn, one.row.patient, other.row.patient)? {
            let name = &link.row.entry_uuid;
            // What the registry made has a name that the sender does not know.
            let known = update
                .objects
                .iter()
                .any(|(row, _)| row.key == link.row.key);
            let location = if known { name } else { &other.row.entry_uuid };
            let code = ErrorCode::PatientIdReconciliationError;
            if let Some(shown) = shown_alone(conn, sight, [&one.row, &other.row])? {
                let context = "something of another patient is linked with it";
                errors.push(RegistryError::error(code, context).at(&shown.entry_uuid));
                continue;
            }
            let context = format!(
                "Association {name} would link {} and {}, which are of different patients",
                one.row.entry_uuid, other.row.entry_uuid
            );
            errors.push(RegistryError::error(code, context).at(location));
        }
    }
    Ok(())
}

/// If the sender does not see both ends: the one that may be named.
fn shown_alone<'r>(
    conn: &mut Connection,
    sight: Option<&Sight>,
    [one, other]: [&'r Row; 2],
) -> Result<Option<&'r Row>, Failure> {
    let Some(sight) = sight else {
        return Ok(None);
    };
    Ok(match (sight.sees(conn, one)?, sight.sees(conn, other)?) {
        (true, true) => None,
        (false, true) => Some(other),
        _ => Some(one),
    })
}

fn is_by_reference(link: &Found, ends: &[Found]) -> Result<bool, Failure> {
    if ends.iter().all(|end| end.row.kind != Kind::SubmissionSet) {
        return Ok(false);
    }
    let association = Association::from_ebrim(&rows::read(&link.ebrim)?);
    let association = association.map_err(Failure::Refused)?;
    Ok(association.submission_set_status == Some(SubmissionSetStatus::Reference))
}
