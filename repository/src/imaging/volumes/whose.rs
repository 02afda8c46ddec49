//! Whose a volume is, which its file does not say.

use std::collections::BTreeMap;
use std::path::Path;

use xds_schemas::metadata::PatientId;

/// What begins the name of a folder or file of one subject (BIDS).
const SUBJECT: &str = "sub-";

/// What is known of whose volumes are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Whose {
    /// Nothing: they are left out.
    #[default]
    Unknown,
    /// All are this patient's.
    Patient(PatientId),
    /// By the subjects that their folders and files are named after, as BIDS has it: `01` for
    /// `sub-01/anat/sub-01_T1w.nii.gz`.
    Subjects(BTreeMap<String, PatientId>),
}

impl Whose {
    /// The patient of a volume.
    pub(super) fn is(&self, volume: &Path) -> Result<&PatientId, &'static str> {
        match self {
            Self::Unknown => Err(
                "a volume does not say whose it is: name the patient with --patient, \
                 or the patients of subjects with --patient-map",
            ),
            Self::Patient(patient) => Ok(patient),
            Self::Subjects(subjects) => of_subject(volume, subjects),
        }
    }
}

/// The patient of the subjects that stand in a path. They must agree.
fn of_subject<'s>(
    volume: &Path,
    subjects: &'s BTreeMap<String, PatientId>,
) -> Result<&'s PatientId, &'static str> {
    let names = volume.iter().filter_map(|name| name.to_str());
    let mut patients = names
        .filter_map(subject)
        .filter_map(|subject| subjects.get(subject));
    let Some(patient) = patients.next() else {
        return Err("it is in no folder of a subject that --patient-map maps to a patient");
    };
    match patients.all(|other| other == patient) {
        true => Ok(patient),
        false => Err("its path names two subjects, of different patients"),
    }
}

/// The subject of `sub-01` and `sub-01_ses-2_T1w.nii.gz`.
fn subject(name: &str) -> Option<&str> {
    let subject = name.strip_prefix(SUBJECT)?;
    subject.split(['_', '.']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects() -> Whose {
        let patient = |id: &str| PatientId::new(id, "1.2.3");
        let subjects = [("01", "P-1"), ("02", "P-2"), ("2nd", "P-2")];
        let subjects = subjects.map(|(subject, id)| (subject.to_owned(), patient(id)));
        Whose::Subjects(subjects.into())
    }

    #[test]
    fn subjects_are_told_by_folders_and_files() {
        let whose = subjects();
        let is = |path: &str| whose.is(Path::new(path)).map(|patient| patient.id.clone());
        assert_eq!(is("/data/sub-01/anat/sub-01_T1w.nii.gz").unwrap(), "P-1");
        assert_eq!(is("/data/sub-02/anat/T1w.nii").unwrap(), "P-2");
        assert_eq!(is("/data/sub-02_bold.nii").unwrap(), "P-2");
        assert_eq!(is("/data/sub-studies/sub-01/T1w.nii").unwrap(), "P-1");
        assert_eq!(is("/data/sub-02/sub-2nd_T1w.nii").unwrap(), "P-2");
    }

    #[test]
    fn doubt_is_no_answer() {
        let whose = subjects();
        let refused = |path: &str| whose.is(Path::new(path)).unwrap_err();
        assert!(refused("/data/sub-01/sub-02_T1w.nii").contains("two subjects"));
        assert!(refused("/data/sub-03/sub-03_T1w.nii").contains("no folder of a subject"));
        assert!(refused("/data/01/T1w.nii").contains("no folder of a subject"));
        let unknown = Whose::Unknown;
        assert!(
            unknown
                .is(Path::new("a.nii"))
                .unwrap_err()
                .contains("--patient")
        );
    }
}
