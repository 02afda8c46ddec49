//! Metadata that is valid, to be made invalid in one respect each.

use std::sync::atomic::{AtomicU64, Ordering};

use xds_schemas::metadata::{
    AssociationType, Author, Code, DocumentEntry, EntryUuid, Folder, PatientId, RepositoryUniqueId,
    Submission, SubmissionSet, Timestamp,
};

static LAST: AtomicU64 = AtomicU64::new(0);

/// A uniqueId that nobody else in this process has.
pub(crate) fn new_oid() -> String {
    format!("1.2.3.4.{}", LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

/// An entryUUID that nobody else has.
pub(crate) fn new_uuid() -> EntryUuid {
    EntryUuid(uuid::Uuid::new_v4().urn().to_string())
}

pub(crate) fn patient(id: &str) -> PatientId {
    PatientId::new(id, "1.2.3.9")
}

pub(crate) fn code(code: &str) -> Code {
    Code::new(code, "1.2.3.8", format!("Display of {code}"))
}

pub(crate) fn time(digits: &str) -> Timestamp {
    Timestamp::parse(digits).unwrap()
}

/// A document of a patient, of the entryUUID `name`.
pub(crate) fn document(of: &PatientId, name: &str) -> DocumentEntry {
    DocumentEntry {
        authors: vec![Author {
            person: Some("^Welby^Marcus".to_owned()),
            ..Author::default()
        }],
        class_code: Some(code("class")),
        confidentiality_codes: vec![code("N")],
        format_code: Some(code("format")),
        healthcare_facility_type_code: Some(code("facility")),
        practice_setting_code: Some(code("practice")),
        type_code: Some(code("type")),
        creation_time: Some(time("20240102030405")),
        hash: Some("da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned()),
        size: Some(0),
        language_code: Some("en".to_owned()),
        patient_id: Some(of.clone()),
        source_patient_id: Some(PatientId::new("L1", "1.2.3.7")),
        repository_unique_id: Some(RepositoryUniqueId::from("1.2.3.6")),
        ..DocumentEntry::new(name, new_oid(), "text/plain")
    }
}

pub(crate) fn folder(of: &PatientId, name: &str) -> Folder {
    Folder {
        codes: vec![code("folder")],
        patient_id: Some(of.clone()),
        ..Folder::new(name, new_oid(), "A folder")
    }
}

/// A submission of nothing yet.
pub(crate) fn empty(of: &PatientId) -> Submission {
    Submission::new(SubmissionSet {
        content_type_code: Some(code("content")),
        patient_id: Some(of.clone()),
        submission_time: Some(time("20240102030405")),
        ..SubmissionSet::new("Set", new_oid(), "1.2.3.5")
    })
}

/// A submission of one document with a new entryUUID, which is given too.
pub(crate) fn one(of: &PatientId) -> (Submission, EntryUuid) {
    let uuid = new_uuid();
    let mut submission = empty(of);
    submission.add_document(document(of, uuid.as_str()));
    (submission, uuid)
}

/// A submission of one document that replaces another.
pub(crate) fn replacement(of: &PatientId, old: &EntryUuid) -> Submission {
    let (mut submission, uuid) = one(of);
    submission.relate(uuid, AssociationType::Replace, old.clone());
    submission
}
