//! Whose volumes are: one patient's, or by a table of subjects.

use std::collections::BTreeMap;
use std::path::Path;

use hilum_repository::imaging::Whose;
use xds_schemas::metadata::PatientId;

use crate::domain::Domain;
use crate::status::Usage;

/// What a table may have as the head of its first column.
const HEADS: [&str; 2] = ["subject", "participant_id"];

/// What the options say.
pub(super) fn whose(
    domain: &Domain,
    patient: Option<&str>,
    map: Option<&Path>,
) -> anyhow::Result<Whose> {
    if let Some(patient) = patient {
        return Ok(Whose::Patient(domain.patient(patient)?));
    }
    let Some(map) = map else {
        return Ok(Whose::Unknown);
    };
    let text = std::fs::read_to_string(map)
        .map_err(|error| Usage(format!("--patient-map: {}: {error}", map.display())))?;
    let subjects = subjects(&text, &|id| domain.patient(id));
    let subjects = subjects
        .map_err(|problem| Usage(format!("--patient-map: {}: {problem}", map.display())))?;
    Ok(Whose::Subjects(subjects))
}

/// Reads lines of a subject, a comma and a patient ID. Subjects may stand with or without `sub-`.
fn subjects(
    text: &str,
    patient: &dyn Fn(&str) -> Result<PatientId, Usage>,
) -> Result<BTreeMap<String, PatientId>, String> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut subjects = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = || format!("line {number} is not a subject, a comma and a patient ID");
        let (subject, id) = line.split_once(',').ok_or_else(wrong)?;
        let (subject, id) = (subject.trim(), id.trim());
        if at == 0 && HEADS.contains(&subject) {
            continue;
        }
        let subject = subject.strip_prefix("sub-").unwrap_or(subject);
        if subject.is_empty() || id.is_empty() || line.contains('"') || id.contains(',') {
            return Err(wrong());
        }
        let patient = patient(id).map_err(|problem| format!("line {number}: {problem}"))?;
        let before = subjects.insert(subject.to_owned(), patient.clone());
        if before.is_some_and(|before| before != patient) {
            return Err(format!(
                "line {number} maps a subject again, to another patient"
            ));
        }
    }
    Ok(subjects)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, PatientId>, String> {
        subjects(text, &|id| Ok(PatientId::new(id, "1.2.3")))
    }

    #[test]
    fn a_table_of_subjects() {
        let read = read("subject,patient\r\n01, P-1\nsub-02,P-2\n\nsub-02,P-2\n").unwrap();
        let ids: Vec<_> = read.iter().map(|(name, it)| (&**name, &*it.id)).collect();
        assert_eq!(ids, [("01", "P-1"), ("02", "P-2")]);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line() {
        for text in [
            "01,P-1\n02",
            "01,P-1\n,P-2",
            "01,P-1\n02,",
            "01,P-1\n\"02\",P-2",
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains("line 2"), "{text}: {problem}");
        }
        assert!(
            read("01,P-1\n01,P-2")
                .unwrap_err()
                .contains("another patient")
        );
    }
}
