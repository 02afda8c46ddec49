use proptest::prelude::*;
use serde_json::Value;
use xds_schemas::ebrim::InternationalString;
use xds_schemas::metadata::{
    Code, DocumentEntryType, EntryUuid, PatientId, ReferenceId, SubmissionSet, Timestamp,
};
use xds_schemas::xml::Reader;

use super::*;

fn time(digits: &str) -> Option<Timestamp> {
    Timestamp::parse(digits).ok()
}

fn entry() -> DocumentEntry {
    DocumentEntry {
        entry_type: DocumentEntryType::OnDemand,
        ..DocumentEntry::new("urn:uuid:1", "2.25.1", "application/fhir+json")
    }
}

fn set() -> SubmissionSet {
    SubmissionSet {
        submission_time: time("20260101000000"),
        ..SubmissionSet::new("urn:uuid:2", "2.25.2", "1.2.3")
    }
}

fn made(documents: &[DocumentEntry]) -> Document {
    let (entry, set, patient) = (entry(), set(), PatientId::new("P-1", "1.2.3"));
    document(&Summary::of(&entry, &set, &patient, documents))
}

fn json(made: &Document) -> Value {
    serde_json::from_slice(&made.bytes).unwrap()
}

fn of_kind(bundle: &Value, kind: &str) -> Vec<Value> {
    let entries = bundle["entry"].as_array().unwrap().iter();
    let resources = entries.map(|entry| entry["resource"].clone());
    resources.filter(|it| it["resourceType"] == kind).collect()
}

/// A report on a study of this UID, if there is one.
fn report(number: usize, study: Option<&str>, made: &str) -> DocumentEntry {
    DocumentEntry {
        creation_time: time(made),
        format_code: Some(Code::new(
            "urn:ihe:rad:PDF",
            "1.3.6.1.4.1.19376.1.2.3",
            "PDF",
        )),
        reference_ids: study.map(ReferenceId::study).into_iter().collect(),
        ..DocumentEntry::new(
            format!("urn:uuid:0000000{number}"),
            format!("1.2.3.{number}"),
            "application/pdf",
        )
    }
}

#[test]
fn documents_of_an_order_are_those_of_its_study() {
    let accession = ReferenceId::accession("A-1", "1.2.3.6");
    let mut of_study = report(1, Some("1.2.7"), "2026");
    of_study.reference_ids.push(accession.clone());
    let mut of_order = report(2, None, "2026");
    of_order.format_code = None;
    of_order.reference_ids.push(accession);
    let mut of_laboratory = report(3, None, "2026");
    of_laboratory.format_code = None;
    let other = ReferenceId::accession("L-1", "1.2.3.6");
    of_laboratory.reference_ids.push(other);
    let of_nothing = report(4, None, "2026");
    let bundle = json(&made(&[of_study, of_order, of_laboratory, of_nothing]));
    let studies = of_kind(&bundle, "ImagingStudy");
    assert_eq!(studies.len(), 1);
    assert_eq!(studies[0]["identifier"][1]["value"], "A-1");
    assert_eq!(studies[0]["identifier"][1]["system"], "urn:oid:1.2.3.6");
    let documents = of_kind(&bundle, "DocumentReference");
    let names = documents
        .iter()
        .map(|it| it["masterIdentifier"]["value"].as_str().unwrap());
    let expected = ["urn:oid:1.2.3.1", "urn:oid:1.2.3.2", "urn:oid:1.2.3.4"];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    let sections = of_kind(&bundle, "Composition")[0]["section"].clone();
    assert_eq!(sections.as_array().unwrap().len(), 2);
}

#[test]
fn a_document_of_two_studies_is_described_once() {
    let mut both = report(1, Some("1.2.7"), "2026");
    both.reference_ids.push(ReferenceId::study("1.2.8"));
    let bundle = json(&made(&[both]));
    assert_eq!(of_kind(&bundle, "ImagingStudy").len(), 2);
    assert_eq!(of_kind(&bundle, "DocumentReference").len(), 1);
}

/// An affinity domain may have no better format for a summary than one of radiology.
#[test]
fn a_summary_does_not_speak_of_itself() {
    let format = Code::new("urn:ihe:rad:TEXT", "1.3.6.1.4.1.19376.1.2.3", "text");
    let snapshot = DocumentEntry {
        format_code: Some(format.clone()),
        ..DocumentEntry::new("urn:uuid:3", "2.25.3", "application/fhir+json")
    };
    let mut other = snapshot.clone();
    other.mime_type = "text/xml".to_owned();
    let documents = [snapshot, other];
    let (set, patient) = (set(), PatientId::new("P-1", "1.2.3"));
    let entry = DocumentEntry {
        format_code: Some(format),
        ..entry()
    };
    let summary = Summary::of(&entry, &set, &patient, &documents);
    assert_eq!(summary.others.len(), 1);
    assert_eq!(summary.others[0].mime_type, "text/xml");
}

/// The time of a summary is that of the newest thing in it.
#[test]
fn what_has_not_changed_is_as_old_as_it_was() {
    let timestamp = |documents: &[DocumentEntry]| json(&made(documents))["timestamp"].clone();
    assert_eq!(timestamp(&[]), "2026-01-01T00:00:00Z");
    let old = report(1, Some("1.2.7"), "2025");
    assert_eq!(
        timestamp(std::slice::from_ref(&old)),
        "2026-01-01T00:00:00Z"
    );
    let new = report(2, Some("1.2.7"), "202602031213");
    assert_eq!(timestamp(&[old, new]), "2026-02-03T12:13:00Z");
}

fn hostile_document() -> impl Strategy<Value = DocumentEntry> {
    let text = || proptest::option::of(".{0,40}");
    let number = 0..1_000_usize;
    (number, text(), text(), ".{0,20}", ".{0,20}", any::<bool>()).prop_map(
        |(number, title, study, code, scheme, manifest)| {
            let mut document = report(number, study.as_deref(), "20260203");
            document.title = title.map(InternationalString::of);
            document.type_code = Some(Code::new(code.as_str(), scheme.as_str(), code.as_str()));
            document.event_codes = vec![Code::new(code.as_str(), "1.2.840.10008.2.16.4", "")];
            document.hash = Some(scheme.clone());
            document.source_patient_info = vec![
                format!("PID-5|{code}^{scheme}"),
                format!("PID-7|{code}"),
                format!("PID-8|{scheme}"),
            ];
            if manifest {
                document.mime_type = "application/dicom".to_owned();
            }
            document
        },
    )
}

/// FHIR has no null, no blank text and no empty list, and narratives are XHTML.
fn judged(value: &Value) {
    match value {
        Value::Null => panic!("null"),
        Value::String(text) => assert!(!text.trim().is_empty()),
        Value::Array(values) => {
            assert!(!values.is_empty());
            values.iter().for_each(judged);
        }
        Value::Object(values) => {
            if let Some(Value::String(div)) = values.get("div") {
                let mut reader = Reader::new(div.as_bytes()).unwrap();
                assert_eq!(reader.root().unwrap().name(), "div");
                while let Some(line) = reader.child().unwrap() {
                    assert_eq!(line.name(), "p");
                    reader.skip().unwrap();
                }
                reader.end().unwrap();
            }
            values.values().for_each(judged);
        }
        Value::Bool(_) | Value::Number(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_metadata_says_the_document_is_sound(
        mut documents in proptest::collection::vec(hostile_document(), 0..6)
    ) {
        for (at, document) in documents.iter_mut().enumerate() {
            document.entry_uuid = EntryUuid(format!("urn:uuid:{at}"));
        }
        let one = made(&documents);
        let bundle = json(&one);
        judged(&bundle);
        let name = format!("urn:oid:{}", one.unique_id);
        prop_assert_eq!(&bundle["identifier"]["value"], &Value::String(name));
        // The order in which a registry answers says nothing.
        documents.reverse();
        let other = made(&documents);
        prop_assert_eq!(one.bytes, other.bytes);
        prop_assert_eq!(one.unique_id, other.unique_id);
    }
}
