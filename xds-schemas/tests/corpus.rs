//! The kept corpus of the fuzzer (`fuzz/corpus`): messages as we write them and inputs that once
//! broke a promise. Each is given to its target here too, so that no fuzzer is needed to see it.
//!
//! `HILUM_WRITE_CORPUS=1 cargo test -p xds-schemas --test corpus` writes our own messages anew.

#![allow(clippy::unwrap_used, reason = "these are tests")]

#[allow(unreachable_pub, reason = "the fuzzer uses them from outside")]
#[path = "../fuzz/src/lib.rs"]
mod targets;
#[path = "words/hl7v3.rs"]
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrim::{InternationalString, Slot};
use xds_schemas::ebrs::{
    AdhocQueryResponse, RegistryError, RegistryResponse, ReturnType, SubmitObjectsRequest,
};
use xds_schemas::hl7v2;
use xds_schemas::iti8_patient_identity_feed::Announcement;
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, ContentFilter, DocumentFilter, FindDocuments, GetContents, GetRelatedDocuments,
    Names, Pattern, QueryKind, StoredQuery,
};
use xds_schemas::iti41_provide_and_register_document_set::{
    Document, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::metadata::{
    AssociationType, Author, Code, DocumentEntry, DocumentEntryType, EntryUuid, Folder, PatientId,
    ReferenceId, RepositoryUniqueId, Submission, SubmissionSet, Timestamp, UniqueId,
};
use xds_schemas::mtom::{self, Content};
use xds_schemas::soap::{self, Fault, Header};
use xds_schemas::xml::ToXml;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 7] = [
    ("xml", targets::xml),
    ("submission", targets::submission),
    ("answers", targets::answers),
    ("query", targets::query),
    ("mtom", targets::mtom),
    ("hl7", targets::hl7),
    ("hl7v3", targets::hl7v3),
];

fn folder_of(target: &str) -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    fuzz.join(target)
}

fn code(code: &str) -> Code {
    Code::new(code, "1.2.3.8", format!("Display of {code}"))
}

fn time(digits: &str) -> Option<Timestamp> {
    Timestamp::parse(digits).ok()
}

fn uuid(number: u32) -> EntryUuid {
    EntryUuid(format!("urn:uuid:00000000-0000-4000-8000-{number:012}"))
}

fn document(name: &str, unique_id: &str) -> DocumentEntry {
    DocumentEntry {
        title: Some(InternationalString::of("Befund <1> & \"mehr\"")),
        authors: vec![Author {
            person: Some("1^Welby^Marcus^J^Jr^Dr^^^&1.2.3.7&ISO".to_owned()),
            institutions: vec!["Hospital^^^^^&1.2.3&ISO^^^^45".to_owned()],
            telecommunications: vec!["^^Internet^a@b".to_owned()],
            ..Author::default()
        }],
        class_code: Some(code("class")),
        confidentiality_codes: vec![code("N"), code("R")],
        event_codes: vec![code("event")],
        format_code: Some(code("format")),
        healthcare_facility_type_code: Some(code("facility")),
        practice_setting_code: Some(code("practice")),
        type_code: Some(code("type")),
        creation_time: time("20240102030405"),
        hash: Some("da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned()),
        size: Some(0),
        language_code: Some("de-AT".to_owned()),
        patient_id: Some(PatientId::new("P\\1^", "1.2.3.9")),
        source_patient_id: Some(PatientId::new("L1", "1.2.3.7")),
        source_patient_info: vec!["PID-8|M".to_owned()],
        reference_ids: vec![ReferenceId::accession("A 1", "1.2.3.6")],
        repository_unique_id: Some(RepositoryUniqueId::from("1.2.3.6")),
        service_start_time: time("2023"),
        ..DocumentEntry::new(name, unique_id, "text/plain")
    }
}

fn submission() -> Submission {
    let mut submission = Submission::new(SubmissionSet {
        content_type_code: Some(code("content")),
        intended_recipients: vec!["Hospital|^Welby".to_owned()],
        patient_id: Some(PatientId::new("P\\1^", "1.2.3.9")),
        submission_time: time("20240102030405"),
        ..SubmissionSet::new("Set", "1.2.3.10", "1.2.3.5")
    });
    submission.add_document(document("Document", "1.2.3.11"));
    submission.document_entries[0]
        .extra
        .slots
        .push(Slot::single("urn:x:dose", " 1\n2 "));
    submission.add_folder(Folder {
        codes: vec![code("folder")],
        patient_id: Some(PatientId::new("P\\1^", "1.2.3.9")),
        ..Folder::new("Folder", "1.2.3.12", "A folder")
    });
    submission.put_into_folder("Folder".into(), "Document".into());
    submission.relate("Document".into(), AssociationType::Replace, uuid(1));
    submission
}

fn envelope(action: &str, body: &dyn ToXml) -> Vec<u8> {
    let header = Header::request(action, uuid(7).to_string(), "http://localhost/x");
    soap::write(&header, body).into_bytes()
}

fn submit() -> SubmitObjectsRequest {
    SubmitObjectsRequest {
        slots: Vec::new(),
        objects: submission().to_ebrim(),
    }
}

/// The next version of a document.
fn update() -> SubmitObjectsRequest {
    let mut submission = submission();
    submission.document_entries[0].logical_id = Some(uuid(2));
    submission.associations[0].previous_version = Some("1".to_owned());
    SubmitObjectsRequest {
        slots: Vec::new(),
        objects: submission.to_ebrim(),
    }
}

fn provide() -> ProvideAndRegisterDocumentSetRequest {
    let document = |id: &str, content| Document {
        id: id.to_owned(),
        content,
    };
    ProvideAndRegisterDocumentSetRequest {
        submit: submit(),
        documents: vec![
            document("Document", Content::Inline(b"a document".to_vec())),
            document("Other", Content::Include("x@y".to_owned())),
        ],
    }
}

fn errors() -> Vec<RegistryError> {
    vec![
        RegistryError::error(
            ErrorCode::RegistryMetadataError,
            "Document: hash is missing",
        )
        .at("x"),
        RegistryError::warning(ErrorCode::ExtraMetadataNotSaved, "urn:x"),
    ]
}

/// One of each kind of question, in the form of slots.
fn questions() -> Vec<StoredQuery> {
    let filter = DocumentFilter {
        entry_types: vec![DocumentEntryType::Stable, DocumentEntryType::OnDemand],
        class_codes: AnyOf(vec![
            Pattern::exact("a''b^^1.2.3"),
            Pattern::exact("c^^1.2.3"),
        ]),
        event_codes: AllOf(vec![
            AnyOf(vec![Pattern::exact("e^^1.2.3")]),
            AnyOf(vec![Pattern::exact("f^^1.2.3")]),
        ]),
        author_persons: AnyOf(vec![Pattern::like("%O'Hara_%")]),
        ..DocumentFilter::default()
    };
    let content = ContentFilter {
        entry_types: vec![DocumentEntryType::Stable],
        ..ContentFilter::default()
    };
    vec![
        StoredQuery::FindDocuments(FindDocuments {
            patient: PatientId::new("O'Hara", "1.2.3.9"),
            statuses: vec![AvailabilityStatus::Approved, AvailabilityStatus::Deprecated],
            filter,
        }),
        StoredQuery::GetDocuments(Names::UniqueIds(vec![UniqueId("1.2.3".to_owned())])),
        StoredQuery::GetAssociations(vec![uuid(1), uuid(2)]),
        StoredQuery::GetFolderAndContents(GetContents {
            of: Names::EntryUuids(vec![uuid(1)]),
            filter: content,
        }),
        StoredQuery::GetRelatedDocuments(GetRelatedDocuments {
            of: Names::EntryUuids(vec![uuid(1)]),
            association_types: vec![AssociationType::Replace, AssociationType::Append],
            entry_types: vec![DocumentEntryType::Stable],
        }),
    ]
}

/// As the target reads it.
fn as_lines(query: &StoredQuery) -> Vec<u8> {
    let place = QueryKind::ALL.iter().position(|kind| *kind == query.kind());
    let mut bytes = vec![u8::try_from(place.unwrap()).unwrap()];
    for slot in query.to_request(ReturnType::LeafClass).slots {
        bytes.extend(format!("{}={}\n", slot.name, slot.values.join("\t")).bytes());
    }
    bytes
}

fn multipart() -> Vec<u8> {
    let boundary = "a-boundary";
    let mut bytes = mtom::message_content_type(boundary, "root@x", Some("urn:x")).into_bytes();
    bytes.extend(b"\n7\n");
    for (id, content) in [
        ("root@x", "<a/>"),
        ("one@x", "\r\n--a-bound\r\n"),
        ("two@x", ""),
    ] {
        bytes.extend(mtom::part_opening(boundary, id, "text/plain").bytes());
        bytes.extend(content.bytes());
    }
    bytes.extend(mtom::message_closing(boundary).bytes());
    bytes
}

fn announcements() -> [(&'static str, Announcement); 3] {
    let patient = |id: &str| PatientId::new(id, "1.2.3.9");
    let merge = Announcement::Merge {
        subsumed: patient("P|1"),
        survivor: patient("P^2"),
    };
    [
        (
            "add",
            Announcement::Add(vec![patient("P-1"), patient("Ä&2")]),
        ),
        ("revise", Announcement::Revise(vec![patient("P-1")])),
        ("merge", merge),
    ]
}

/// Everything that our own writers give to the corpus.
fn ours() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |target, name: &str, bytes| all.push((target, name.to_owned(), bytes));
    add("xml", "submit.xml", envelope("urn:x", &submit()));
    let fault = soap::write_fault(
        &Header::request("urn:x", uuid(7).to_string(), "http://localhost/x"),
        &Fault::action_not_supported("urn:y"),
    );
    add("xml", "fault.xml", fault.clone().into_bytes());
    let odd = "<?xml version=\"1.0\"?><!-- c --><a:b xmlns:a=\"urn:a\" id=\"&lt;&#10;\">\
               <![CDATA[<x>]]>&amp;<c xmlns=\"urn:c\"/>\r\n</a:b>";
    add("xml", "odd.xml", odd.as_bytes().to_vec());
    add("submission", "submit.xml", envelope("urn:x", &submit()));
    add("submission", "update.xml", envelope("urn:x", &update()));
    add("submission", "provide.xml", envelope("urn:x", &provide()));
    let response = RegistryResponse::failure(errors());
    add("answers", "registry.xml", envelope("urn:x", &response));
    let found = AdhocQueryResponse {
        status: ResponseStatus::PartialSuccess,
        errors: errors(),
        objects: submission().to_ebrim().objects,
    };
    add("answers", "query.xml", envelope("urn:x", &found));
    add("answers", "fault.xml", fault.into_bytes());
    for query in questions() {
        let name = query.kind().name();
        add("query", name, as_lines(&query));
        let request = query.to_request(ReturnType::ObjectRef);
        add("query", &format!("{name}.xml"), envelope("urn:x", &request));
    }
    add("mtom", "three_parts", multipart());
    for (name, announcement) in announcements() {
        let header = hl7v2::Header {
            sending_application: "ADT".to_owned(),
            sending_facility: "HOSPITAL^1.2.3^ISO".to_owned(),
            control_id: "M-1".to_owned(),
            processing_id: "P".to_owned(),
            ..hl7v2::Header::default()
        };
        let message = announcement.to_message(&header, &time("20260101").unwrap());
        add("hl7", name, message.into_bytes());
    }
    add("hl7", "demographics", DEMOGRAPHICS.as_bytes().to_vec());
    let patients: [(&str, &dyn ToXml); 9] = [
        ("question.xml", &words::question()),
        ("deferred.xml", &words::deferred()),
        ("found.xml", &words::found()),
        ("wanting.xml", &words::wanting()),
        ("refusing.xml", &words::refusing()),
        ("identifiers_wanted.xml", &words::identifiers_wanted()),
        ("identifiers.xml", &words::identifiers()),
        ("no_identifiers.xml", &words::no_identifiers()),
        ("more.xml", &words::more()),
    ];
    for (name, message) in patients {
        add("hl7v3", name, envelope("urn:x", message));
    }
    for (name, record) in ["record.xml", "merge.xml"]
        .into_iter()
        .zip(words::records())
    {
        add("hl7v3", name, envelope("urn:x", &record));
    }
    all
}

/// A message that says of a patient what there is to say.
const DEMOGRAPHICS: &str = "MSH|^~\\&|ADT|HOSPITAL|||20260101||ADT^A04|M-2|P|2.3.1||||||UNICODE UTF-8\r\
    EVN|A04|20260101\r\
    PID|||P-1^^^&1.2.3.9&ISO~L1^^^&1.2.3.7&ISO||Müller^Anna^Maria^Jr^Dr.^^L|Svoboda^Eva|19730228|F|\
    Mueller^Anna||Street 1^^Wien^W^1010^AUT^H~^^Graz^^^AUT^N||(01)4711^PRN^PH~^NET^Internet^a@b.example|\
    ^WPN^CP^^43^664^12345||||||||AKH|Y|2||||202401|Y\rPV1||N\r";

#[test]
fn our_messages_are_in_it() {
    let write = std::env::var_os("HILUM_WRITE_CORPUS").is_some();
    for (target, name, bytes) in ours() {
        let path = folder_of(target).join(name);
        if write {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &bytes).unwrap();
        }
        let kept = fs::read(&path).unwrap_or_default();
        assert!(
            kept == bytes,
            "{} is not as we write it now",
            path.display()
        );
    }
}

#[test]
fn it_breaks_no_promise() {
    for (target, check) in TARGETS {
        let files: Vec<_> = fs::read_dir(folder_of(target)).unwrap().collect();
        assert!(!files.is_empty(), "{target}");
        for file in files {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            check(&bytes);
            // Cut short, and with one byte changed, it is hostile enough for a start.
            for at in (0..bytes.len()).step_by(97) {
                check(&bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 0x15;
                check(&changed);
            }
        }
    }
}
