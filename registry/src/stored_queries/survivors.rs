//! Patients who were merged: what is found of them shows the patient that they are known as now
//! (ITI TF-2 3.8.4.2.3). What is kept stays as it was, so that a merge can be taken back.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use xds_schemas::codes::ebrim_uuids::{document_entry, folder, submission_set};
use xds_schemas::xml::escape;

use crate::db::registry_objects::{Found, Kind, Row};
use crate::db::{Connection, patients};
use crate::failure::Failure;

/// Writes the survivors into what was found.
pub(crate) fn show<'a>(
    conn: &mut Connection,
    found: impl IntoIterator<Item = &'a mut Found>,
) -> Result<(), Failure> {
    let mut survivors: HashMap<i64, Option<String>> = HashMap::new();
    for Found { row, ebrim } in found {
        let Some(scheme) = scheme_of(row) else {
            continue;
        };
        let shown = match survivors.entry(row.patient) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(survivor_of(conn, row.patient)?),
        };
        if let Some(patient_id) = shown {
            replace(ebrim, scheme, patient_id);
        }
    }
    Ok(())
}

/// The identifier of the patient that this one was merged into, if it was.
fn survivor_of(conn: &mut Connection, patient: i64) -> Result<Option<String>, Failure> {
    let survivor = patients::survivor(conn, patient)?;
    match survivor == patient {
        true => Ok(None),
        false => Ok(Some(patients::patient_id(conn, survivor)?)),
    }
}

const fn scheme_of(row: &Row) -> Option<&'static str> {
    match row.kind {
        Kind::Stable | Kind::OnDemand => Some(document_entry::PATIENT_ID),
        Kind::Folder => Some(folder::PATIENT_ID),
        Kind::SubmissionSet => Some(submission_set::PATIENT_ID),
        Kind::Association => None,
    }
}

/// Replaces the value of the external identifier that names the patient. Nothing that a sender
/// wrote can look like its beginning, because quotes are escaped in attributes.
fn replace(ebrim: &mut String, scheme: &str, patient_id: &str) {
    let opening = format!("<rim:ExternalIdentifier identificationScheme=\"{scheme}\" value=\"");
    let start = ebrim.find(&opening).map(|at| at + opening.len());
    let range = start.and_then(|start| Some(start..start + ebrim[start..].find('"')?));
    if let Some(range) = range {
        let mut escaped = String::with_capacity(patient_id.len() + 16);
        escape(&mut escaped, patient_id, true);
        ebrim.replace_range(range, &escaped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_patient_changes() {
        let scheme = document_entry::PATIENT_ID;
        let mut ebrim = format!(
            "<rim:Slot name=\"x\"><rim:Value>&lt;rim:ExternalIdentifier identificationScheme=\"{scheme}\" value=\"no</rim:Value></rim:Slot>\
             <rim:ExternalIdentifier identificationScheme=\"{scheme}\" value=\"A^^^&amp;1.2&amp;ISO\" id=\"y\"/>"
        );
        let expected = ebrim.replace("A^^^&amp;1.2&amp;ISO", "B&lt;^^^&amp;1.2&amp;ISO");
        replace(&mut ebrim, scheme, "B<^^^&1.2&ISO");
        assert_eq!(ebrim, expected);
    }
}
