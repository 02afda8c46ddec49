//! ITI-41: what is provided is registered and can be retrieved, or nothing of it is there.

use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use xds_schemas::codes::status::ResponseStatus;

use crate::{codes, unharmed};

/// ITI TF-2 3.41.4.1.3.
#[tokio::test]
async fn documents_are_found_and_come_back_byte_for_byte() {
    let town = Town::secure();
    let every_byte: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let contents: [&[u8]; 5] = [
        b"",
        b"\r\n--boundary--\r\n",
        "Größe: 3 µm\u{0}".as_bytes(),
        &every_byte,
        b"<xop:Include/>&amp;",
    ];
    let documents =
        contents.map(|content| Document::of("application/octet-stream", content.into()));
    let mut submission = Submission::new("P-1", documents.to_vec());
    for document in &mut submission.documents {
        document.mime_type = "text/plain".to_owned();
    }
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(codes(&response), [""; 0]);
    let ids: Vec<&str> = submission
        .documents
        .iter()
        .map(|document| &*document.unique_id)
        .collect();
    let got = town.retrieve(&ids).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Success);
    assert_eq!(got.documents.len(), contents.len());
    for (document, sent) in got.documents.iter().zip(&submission.documents) {
        assert_eq!(document.unique_id, sent.unique_id);
        assert_eq!(document.repository, words::REPOSITORY);
        assert_eq!(document.mime_type, sent.mime_type);
        assert_eq!(document.content, sent.content);
    }
    let found = town.query(words::get_documents(&ids)).await.unwrap();
    assert_eq!(found.objects.len(), contents.len());
    for object in &found.objects {
        let unique_id = object
            .external_identifier("urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab")
            .unwrap();
        let sent = submission.documents.iter();
        let sent = sent
            .clone()
            .find(|document| document.unique_id == unique_id)
            .unwrap();
        let value = |name: &str| object.slot(name).unwrap().values.clone();
        assert_eq!(value("hash"), [sent.hash.clone().unwrap()]);
        assert_eq!(value("size"), [sent.content.len().to_string()]);
        assert_eq!(value("repositoryUniqueId"), [words::REPOSITORY]);
    }
}

/// Hash and size may be left out; the repository fills them in.
/// ITI TF-2 3.41.4.1.3.
#[tokio::test]
async fn hash_and_size_are_added() {
    let town = Town::plain();
    let mut document = Document::text("measure me");
    (document.hash, document.size) = (None, None);
    let submission = Submission::new("P-1", vec![document]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let id = &*submission.documents[0].unique_id;
    let found = town.query(words::get_documents(&[id])).await.unwrap();
    let value = |name: &str| found.objects[0].slot(name).unwrap().values.clone();
    assert_eq!(value("hash"), [words::sha1_of(b"measure me")]);
    assert_eq!(value("size"), ["10"]);
}

/// All errors of the registry are told to the source, and the documents are gone again.
/// ITI TF-2 3.41.4.1.3.
#[tokio::test]
async fn what_the_registry_refuses_is_not_kept() {
    let mut town = Town::found(Setup {
        plain: true,
        refuse_unknown_patients: true,
        ..Setup::default()
    });
    let submission = Submission::new("Unknown", vec![Document::text("of nobody")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert!(
        codes(&response).contains(&"XDSUnknownPatientId"),
        "{response:?}"
    );
    let id = &*submission.documents[0].unique_id;
    let got = town.retrieve(&[id]).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Failure);
    assert!(got.documents.is_empty());
    assert!(town.alive());
}

/// A document may be submitted again as it is, and never with other bytes.
#[tokio::test]
async fn a_unique_id_stands_for_the_same_bytes_for_ever() {
    let mut town = Town::plain();
    let first = Submission::new("P-1", vec![Document::text("version one")]);
    let response = town.provide(&first).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");

    let mut again = Submission::new("P-1", vec![Document::text("version one")]);
    again.documents[0].unique_id = first.documents[0].unique_id.clone();
    let response = town.provide(&again).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");

    let mut changed = Submission::new("Nobody-Yet", vec![Document::text("version two")]);
    changed.documents[0].unique_id = first.documents[0].unique_id.clone();
    let response = town.provide(&changed).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert!(
        codes(&response).contains(&"XDSNonIdenticalHash"),
        "{response:?}"
    );
    let id = &*first.documents[0].unique_id;
    let got = town.retrieve(&[id]).await.unwrap();
    assert_eq!(got.documents[0].content, b"version one");
    unharmed(&mut town, "Nobody-Yet").await;
}

/// A registry that does not answer is named as the reason, and the repository keeps nothing.
/// ITI TF-2 3.41.4.1.3.
#[tokio::test]
async fn without_a_registry_nothing_is_provided() {
    let nobody = "http://127.0.0.1:1/registry".to_owned();
    let mut town = Town::found(Setup {
        plain: true,
        environment: vec![("HILUM_REPOSITORY__REGISTRY".into(), nobody)],
        uncounted: true,
        ..Setup::default()
    });
    let submission = Submission::new("Nobody-Yet", vec![Document::text("not registered")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(codes(&response), ["XDSRegistryNotAvailable"]);
    let id = &*submission.documents[0].unique_id;
    let got = town.retrieve(&[id]).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Failure);
    assert!(town.alive());
}
