//! ITI-43: what is there comes, and what is not there is told one by one.

use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryResponse;
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, RetrieveDocumentSet, RetrieveDocumentSetRequest, RetrieveDocumentSetResponse,
};
use xds_schemas::metadata::PatientId;
use xds_schemas::mtom::Content;
use xds_schemas::transaction::Transaction;

use crate::site::{REPOSITORY, Site, refusal};
use crate::submissions::{Draft, PATIENT};

fn asked(home: Option<&str>, repository: &str, id: &str) -> DocumentRequest {
    DocumentRequest {
        home_community_id: home.map(Into::into),
        repository_unique_id: repository.into(),
        document_unique_id: id.into(),
    }
}

/// ITI TF-2 3.43.4.2.2.
#[tokio::test]
async fn all_some_or_none() {
    let site = Site::open().await;
    let draft = Draft::of([&b"one"[..], b"two"]);
    site.accepted(&draft).await;
    let (one, two) = (draft.id(0), draft.id(1));

    let (response, got) = site.retrieve(&[&two, &one, &two]).await;
    assert_eq!(response, RegistryResponse::success(Vec::new()));
    let contents: Vec<&[u8]> = got.iter().map(|(_, content)| &content[..]).collect();
    assert_eq!(contents, [&b"two"[..], b"one", b"two"]);

    let some = vec![
        asked(Some("urn:oid:1.9"), REPOSITORY, &one),
        asked(None, REPOSITORY, "2.999.404"),
        asked(None, "1.2.3.100", &two),
    ];
    let (response, got) = site.retrieve_as(some).await;
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].1, b"one");
    let home = got[0].0.home_community_id.as_ref().unwrap();
    assert_eq!(home.as_str(), "urn:oid:1.9");
    let errors: Vec<(&str, Option<&str>)> = response
        .errors
        .iter()
        .map(|error| (error.code.as_str(), error.location.as_deref()))
        .collect();
    let expected = [
        ("XDSDocumentUniqueIdError", Some("2.999.404")),
        ("XDSUnknownRepositoryId", Some(&*two)),
    ];
    assert_eq!(errors, expected);

    let (response, got) = site.retrieve(&["2.999.404", "2.999.405"]).await;
    refusal(response, &["XDSDocumentUniqueIdError"; 2]);
    assert!(got.is_empty());
    let expected = [
        format!("ITI-43 Export 0 {PATIENT}"),
        format!("ITI-43 Export 0 {PATIENT}"),
        "ITI-43 Export 8 ".to_owned(),
        "ITI-43 Export 8 ".to_owned(),
    ];
    assert_eq!(site.records()[2..], expected);
}

/// More than are open at a time.
#[tokio::test]
async fn many_documents_in_one_answer() {
    let site = Site::open().await;
    let texts: Vec<String> = (0..40).map(|at| format!("document number {at}")).collect();
    let draft = Draft::of(texts.iter().map(String::as_bytes));
    site.accepted(&draft).await;
    let ids: Vec<String> = (0..40).map(|at| draft.id(at)).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (response, got) = site.retrieve(&ids).await;
    assert_eq!(response, RegistryResponse::success(Vec::new()));
    for ((_, content), text) in got.iter().zip(&texts) {
        assert_eq!(content, text.as_bytes());
    }
    assert_eq!(got.len(), 40);
}

#[tokio::test]
async fn each_patient_is_recorded() {
    let site = Site::open().await;
    let first = Draft::text("one");
    let mut second = Draft::text("two");
    let other = Some(PatientId::parse("P-2^^^&1.2.3&ISO").unwrap());
    second.entry(0).patient_id.clone_from(&other);
    second.metadata.submission_set.patient_id = other;
    let mut nobody = Draft::text("three");
    nobody.entry(0).patient_id = None;
    nobody.metadata.submission_set.patient_id = None;
    for draft in [&first, &second, &nobody] {
        site.accepted(draft).await;
    }
    let (response, _) = site
        .retrieve(&[&second.id(0), &first.id(0), &nobody.id(0), "2.999.404"])
        .await;
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    let mut records = site.records().split_off(6);
    records.sort();
    let expected = [
        "ITI-43 Export 0 ".to_owned(),
        format!("ITI-43 Export 0 {PATIENT}"),
        "ITI-43 Export 0 P-2^^^&1.2.3&ISO".to_owned(),
        "ITI-43 Export 8 ".to_owned(),
    ];
    assert_eq!(records, expected);
}

#[tokio::test]
async fn an_identifier_is_a_name_and_never_a_path() {
    let site = Site::open().await;
    let long = "x".repeat(100_000);
    for id in [
        "../lock",
        "/etc/passwd",
        "..",
        "",
        "a/../../b",
        "\u{202e}",
        &long,
    ] {
        site.missing(id).await;
    }
    let mut draft = Draft::text("odd");
    draft.entry(0).unique_id = "../../lock".into();
    site.accepted(&draft).await;
    assert_eq!(site.content("../../lock").await, b"odd");
}

/// ITI-43 as those send it who do not speak MTOM.
struct Plain;

impl Transaction for Plain {
    const ACTION: &'static str = RetrieveDocumentSet::ACTION;
    const RESPONSE_ACTION: &'static str = RetrieveDocumentSet::RESPONSE_ACTION;
    const MTOM: bool = false;
    type Request = RetrieveDocumentSetRequest;
    type Response = RetrieveDocumentSetResponse;
}

#[tokio::test]
async fn documents_may_come_in_the_envelope() {
    let site = Site::open().await;
    let every_byte: Vec<u8> = (0..=255).cycle().take(300_001).collect();
    let draft = Draft::of([b"", &every_byte[..]]);
    site.accepted(&draft).await;
    let documents = [0, 1].map(|at| asked(None, REPOSITORY, &draft.id(at)));
    let request = RetrieveDocumentSetRequest {
        documents: documents.to_vec(),
    };
    let answer = site
        .client
        .send::<Plain>(&site.url(), &request, Vec::new())
        .await;
    let documents = answer.unwrap().response.documents;
    assert_eq!(documents[0].content, Content::Inline(Vec::new()));
    assert_eq!(documents[1].content, Content::Inline(every_byte));
}

/// Longer than what is read, sent or kept at once, whatever that is.
#[tokio::test]
async fn long_documents_come_back_in_either_form() {
    let site = Site::open().await;
    let bytes = |length: u32| -> Vec<u8> { (0..length).map(|n| (n % 253) as u8).collect() };
    let (long, longer) = (bytes(5_000_001), bytes(20_000_003));
    let draft = Draft::of([&long[..], &longer]);
    site.accepted(&draft).await;
    assert!(site.content(&draft.id(0)).await == long);
    assert!(site.content(&draft.id(1)).await == longer);
    let request = RetrieveDocumentSetRequest {
        documents: vec![asked(None, REPOSITORY, &draft.id(0))],
    };
    let url = site.url();
    let sent = site.client.send::<Plain>(&url, &request, Vec::new());
    let documents = sent.await.unwrap().response.documents;
    assert!(documents[0].content == Content::Inline(long));
}

#[tokio::test]
async fn a_damaged_file_is_not_sent_and_keeps_nothing_else_back() {
    let site = Site::open().await;
    let draft = Draft::of([&b"one"[..], b"two"]);
    site.accepted(&draft).await;
    let mut folders = vec![site.store().join("documents")];
    let mut damaged = false;
    // The document itself, or in an object store its label.
    let is_of_first = |bytes: &[u8]| match site.has_objects() {
        true => String::from_utf8_lossy(bytes).contains(&draft.id(0)),
        false => bytes.starts_with(b"one"),
    };
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if is_of_first(&std::fs::read(&path).unwrap()) {
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                file.set_len(20).unwrap();
                damaged = true;
            }
        }
    }
    assert!(damaged);
    let (response, got) = site.retrieve(&[&draft.id(0), &draft.id(1)]).await;
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    assert_eq!(response.errors[0].code.as_str(), "XDSRepositoryError");
    let context = &response.errors[0].context;
    assert!(!context.contains("store"), "{context}");
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].1, b"two");
}
