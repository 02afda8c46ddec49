//! A valid submission, and what becomes of it.

mod rules;

use super::*;
use crate::affinity_codes::AffinityCodes;
use crate::ebrim::InternationalString;
use crate::metadata::{Author, Code, PatientId, ReferenceId, RepositoryUniqueId, Timestamp};
use crate::xml::{FromXml, Reader, ToXml, Writer};

fn code(code: &str) -> Code {
    Code::new(
        code,
        "1.3.6.1.4.1.21367.100.1",
        format!("Display of {code}"),
    )
}

fn patient() -> PatientId {
    PatientId::new("P-1", "1.2.3.4")
}

fn author() -> Author {
    Author {
        person: Some("11375^Welby^Marcus^J^Jr. MD^Dr^^^&1.2.840.113619.6.197&ISO".to_owned()),
        institutions: vec!["Some Hospital^^^^^^^^^1.2.3.9".to_owned()],
        roles: vec!["attending".to_owned()],
        specialties: vec!["Radiology".to_owned()],
        telecommunications: vec!["^^Internet^welby@example.org".to_owned()],
        ..Author::default()
    }
}

fn document(name: &str, unique_id: &str) -> DocumentEntry {
    DocumentEntry {
        title: Some(InternationalString::of("A report")),
        comments: Some(InternationalString::of("Of no interest")),
        authors: vec![author()],
        class_code: Some(code("REPORTS")),
        confidentiality_codes: vec![code("N"), code("R")],
        event_codes: vec![code("T-1"), code("T-2")],
        format_code: Some(code("urn:ihe:rad:TEXT")),
        healthcare_facility_type_code: Some(code("HOSP")),
        practice_setting_code: Some(code("RAD")),
        type_code: Some(code("18748-4")),
        creation_time: Timestamp::parse("20240102").ok(),
        hash: Some("da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned()),
        size: Some(0),
        language_code: Some("de-AT".to_owned()),
        legal_authenticator: Some("^Welby^Marcus".to_owned()),
        patient_id: Some(patient()),
        source_patient_id: Some(PatientId::new("L-1", "1.2.3.5")),
        source_patient_info: vec!["PID-3|L-1^^^&1.2.3.5&ISO".to_owned(), "PID-8|M".to_owned()],
        reference_ids: vec![
            ReferenceId::study("1.2.3.77"),
            ReferenceId::accession("A 1", "1.2.3.6"),
        ],
        repository_unique_id: Some(RepositoryUniqueId::from("1.2.3.8")),
        service_start_time: Timestamp::parse("2023").ok(),
        service_stop_time: Timestamp::parse("20230101").ok(),
        uri: Some("report.txt".to_owned()),
        ..DocumentEntry::new(name, unique_id, "text/plain")
    }
}

/// A submission set, two new documents, one registered, a folder with one of each, a replacement.
fn valid() -> Submission {
    let mut submission = Submission::new(SubmissionSet {
        title: Some(InternationalString::of("A submission")),
        authors: vec![author()],
        content_type_code: Some(code("Report")),
        intended_recipients: vec!["Some Hospital|^Welby^Marcus".to_owned()],
        patient_id: Some(patient()),
        submission_time: Timestamp::parse("20240102030405").ok(),
        ..SubmissionSet::new("Set", "1.2.3.10", "1.2.3.11")
    });
    submission.add_document(document("Document1", "1.2.3.21"));
    submission.add_document(document("Document2", "1.2.3.22"));
    submission.add_folder(Folder {
        codes: vec![code("FOLDER")],
        patient_id: Some(patient()),
        ..Folder::new("Folder1", "1.2.3.31", "A folder")
    });
    submission.put_into_folder("Folder1".into(), "Document1".into());
    submission.put_into_folder("Folder1".into(), REGISTERED.into());
    let by_reference = Association::member("Set", REGISTERED, SubmissionSetStatus::Reference);
    submission.associations.push(by_reference);
    submission.relate("Document2".into(), AssociationType::Replace, OTHER.into());
    submission
}

const REGISTERED: &str = "urn:uuid:b9e0bd2a-1a5c-4e6c-9e0c-6b3f6b6d1c01";
const OTHER: &str = "urn:uuid:b9e0bd2a-1a5c-4e6c-9e0c-6b3f6b6d1c02";

fn through_xml(objects: &RegistryObjectList) -> RegistryObjectList {
    let mut writer = Writer::default();
    writer.raw("<x xmlns:rim=\"urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0\">");
    objects.to_xml(&mut writer);
    writer.raw("</x>");
    let xml = writer.finish();
    let mut reader = Reader::new(xml.as_bytes()).unwrap();
    reader.root().unwrap();
    let list = reader.child().unwrap().unwrap();
    RegistryObjectList::from_xml(&mut reader, &list).unwrap()
}

fn numbered() -> impl FnMut() -> EntryUuid {
    let mut last = 0;
    move || {
        last += 1;
        EntryUuid(format!("urn:uuid:00000000-0000-4000-8000-{last:012x}"))
    }
}

#[test]
fn a_valid_submission_is_read_as_it_was_written() {
    let submission = valid();
    for rules in [Rules::Provide, Rules::Register] {
        let mut read = Submission::read(&through_xml(&submission.to_ebrim()), rules).unwrap();
        // Associations without an id were given one in order to be written.
        for (read, written) in read.associations.iter_mut().zip(&submission.associations) {
            read.entry_uuid.clone_from(&written.entry_uuid);
        }
        assert_eq!(read, submission);
    }
}

/// ITI TF-3 4.2.1.5.
#[test]
fn resolving_follows_every_name() {
    let mut submission = valid();
    submission.document_entries[0].logical_id = Some("Document1".into());
    submission.resolve(&mut numbered());
    let objects = submission.to_ebrim();
    let set = &submission.submission_set.entry_uuid;
    assert_eq!(
        submission.document_entries[0].logical_id.as_ref(),
        Some(&submission.document_entries[0].entry_uuid)
    );
    assert_eq!(submission.associations[0].source, *set);
    assert_eq!(
        submission.associations[0].target,
        submission.document_entries[0].entry_uuid
    );
    assert_eq!(
        submission.associations.last().unwrap().target.as_str(),
        OTHER
    );
    let mut ids = Vec::new();
    for object in &objects.objects {
        ids.push(object.id.as_str());
        ids.extend(object.classifications.iter().map(|it| it.id.as_str()));
        ids.extend(object.external_identifiers.iter().map(|it| it.id.as_str()));
    }
    assert!(
        ids.iter()
            .all(|id| crate::metadata::formats::uuid_urn(id).is_ok()),
        "{ids:?}"
    );
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "every part has an id of its own");
    let again = Submission::read(&objects, Rules::Register).unwrap();
    assert!(
        again.to_ebrim() == objects,
        "parts keep the UUIDs that they have"
    );
}

#[test]
fn codes_of_other_domains_are_named() {
    let file = r#"<Codes>
        <CodeType name="classCode"><Code code="REPORTS" codingScheme="1.3.6.1.4.1.21367.100.1"/></CodeType>
        <CodeType name="typeCode"><Code code="18748-4" codingScheme="2.16.840.1.113883.6.1"/></CodeType>
        <CodeType name="folderCodeList"><Code code="OTHER" codingScheme="1.3.6.1.4.1.21367.100.1"/></CodeType>
        <CodeType name="mimeType"><Code code="text/html"/></CodeType>
    </Codes>"#;
    let errors = valid().judge_codes(&AffinityCodes::parse(file).unwrap());
    let mut found: Vec<(&str, &str)> = errors
        .iter()
        .map(|it| {
            (
                it.location.as_deref().unwrap(),
                it.context
                    .split(": ")
                    .nth(1)
                    .unwrap()
                    .split(' ')
                    .next()
                    .unwrap(),
            )
        })
        .collect();
    found.sort_unstable();
    let expected = [
        ("Document1", "mimeType"),
        ("Document1", "typeCode"),
        ("Document2", "mimeType"),
        ("Document2", "typeCode"),
        ("Folder1", "folderCodeList"),
    ];
    assert_eq!(found, expected);
    assert!(
        errors
            .iter()
            .all(|it| it.code == ErrorCode::RegistryMetadataError)
    );
}
