//! ITI-86: what is answered as removed is on no disk any more, and the metadata goes first.

use std::path::Path;

use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use xds_schemas::codes::status::ResponseStatus;

use crate::codes;

/// Whether a file below the folder has this in it.
fn is_below(folder: &Path, content: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_below(&path, content);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(content.len()).any(|part| part == content)
    })
}

fn stored(town: &Town, content: &[u8]) -> bool {
    is_below(&town.node().join("data/documents"), content)
}

async fn provided(town: &Town, texts: &[&str]) -> Submission {
    let documents = texts.iter().map(|text| Document::text(text)).collect();
    let submission = Submission::new("P-1", documents);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    submission
}

/// RMD supplement 3.86.4.1.3 and 3.86.4.2.2: each document is removed or named.
#[tokio::test]
async fn all_some_or_none() {
    let town = Town::secure();
    let submission = provided(&town, &["the first secret", "the second secret"]).await;
    let [first, second] = [0, 1].map(|at| &*submission.documents[at].unique_id);
    let response = town.remove(&[first, "2.999.404"]).await.unwrap();
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    assert_eq!(codes(&response), ["XDSDocumentUniqueIdError"]);
    assert!(response.errors[0].context.contains("2.999.404"));
    assert!(!stored(&town, b"the first secret"));
    assert!(stored(&town, b"the second secret"));
    let got = town.retrieve(&[first, second]).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::PartialSuccess);
    assert_eq!(codes(&got.response), ["XDSDocumentUniqueIdError"]);

    let elsewhere = words::remove("2.999.33", &[second]);
    let response = town.remove_as(elsewhere).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(codes(&response), ["XDSUnknownRepositoryId"]);
    let response = town.remove(&[second]).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert!(response.errors.is_empty());
    assert!(!stored(&town, b"the second secret"));
}

/// RMD supplement 3.86.5: the Content-Type of the response shall carry the action.
#[tokio::test]
async fn the_content_type_names_the_action() {
    let town = Town::plain();
    let request = words::remove(words::REPOSITORY, &["2.999.404"]);
    let envelope = words::envelope("urn:ihe:iti:2017:RemoveDocuments", &request);
    let answer = hilum_tests::raw::soap(town.port(2), "/repository", &envelope);
    town.expected.add("ITI-86", "Patient Record", 1);
    assert_eq!(answer.status, 200);
    let named = "action=\"urn:ihe:iti:2017:RemoveDocumentsResponse\"";
    assert!(answer.head.contains(named), "{}", answer.head);
    assert!(
        answer.head.contains("application/soap+xml"),
        "{}",
        answer.head
    );
    assert_eq!(codes(&answer.response()), ["XDSDocumentUniqueIdError"]);
    // A request that names nothing asks for nothing.
    let nothing = words::remove(words::REPOSITORY, &[]);
    let envelope = words::envelope("urn:ihe:iti:2017:RemoveDocuments", &nothing);
    let answer = hilum_tests::raw::soap(town.port(2), "/repository", &envelope);
    assert_eq!(answer.status, 400);
    assert!(answer.fault().reason.contains("names no document"));
}

/// RMD supplement, order of removal: an operator may have it enforced. `hilum remove` keeps to it.
#[tokio::test]
async fn metadata_goes_first() {
    let town = Town::found(Setup {
        environment: vec![(
            "HILUM_REPOSITORY__REMOVE_REGISTERED".to_owned(),
            "refuse".to_owned(),
        )],
        // Commands and the repository itself ask the registry, too.
        uncounted: true,
        ..Setup::default()
    });
    let submission = provided(&town, &["kept in order", "and another"]).await;
    let [first, second] = [0, 1].map(|at| &*submission.documents[at].unique_id);
    let response = town.remove(&[first]).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(codes(&response), ["XDSRemoveDocumentsError"]);
    assert!(stored(&town, b"kept in order"));

    let removed = town.run(&["remove", first]);
    assert!(removed.status.success(), "{removed:?}");
    assert!(!stored(&town, b"kept in order"));
    let found = town.query(words::get_documents(&[first, second])).await;
    assert_eq!(
        found.unwrap().objects.len(),
        1,
        "only the other one is left"
    );
    let got = town.retrieve(&[second]).await.unwrap();
    assert_eq!(got.documents[0].content, b"and another");

    // What is gone is told, and the last document takes its submission set along.
    let again = town.run(&["remove", first]);
    assert_eq!(again.status.code(), Some(1));
    let told = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(told.contains("XDSDocumentUniqueIdError"), "{told}");
    let removed = town.run(&["remove", second, "--json"]);
    assert!(removed.status.success(), "{removed:?}");
    let told: serde_json::Value = serde_json::from_slice(&removed.stdout).unwrap();
    // The entry, its membership, and the submission set.
    assert_eq!(told[0]["objects"], 3, "{told}");
    assert_eq!(told[0]["documents"], 1, "{told}");
    let records = town.records();
    let of = |transaction: &str| {
        let of = records.iter().filter(|it| it["transaction"] == transaction);
        of.filter(|it| it["outcome"] == "0").count()
    };
    // Both sides of two removals.
    assert_eq!((of("ITI-62"), of("ITI-86")), (4, 4));
}

/// What hangs on a document goes with it, and nothing else: ITI-62 refuses whatever would be left
/// with a link that leads nowhere, or without a submission set.
#[tokio::test]
async fn what_hangs_on_a_document_goes_with_it() {
    let town = Town::found(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let said = |arguments: &[&str]| -> serde_json::Value {
        let output = town.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let submitted = |name: &str, more: &[&str]| {
        std::fs::write(town.node().join(name), name).unwrap();
        let arguments = ["submit", name, "--patient", "P-1", "--json"];
        let answer = said(&[&arguments, more].concat());
        answer["documents"][0]["uniqueId"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let old = submitted("old.txt", &["--new-folder", "A folder"]);
    let new = submitted("new.txt", &["--replaces", &old]);
    let addendum = submitted("addendum.txt", &["--appends-to", &new]);
    let all = || {
        said(&[
            "query",
            "all",
            "--patient",
            "P-1",
            "--status",
            "all",
            "--json",
        ])
    };
    let number = |all: &serde_json::Value, kind: &str| all[kind].as_array().unwrap().len();
    let before = all();
    assert_eq!(number(&before, "documents"), 3);

    // Of a version that was replaced: the relation goes, the folder stays.
    said(&["remove", &old, "--json"]);
    let left = all();
    assert_eq!(number(&left, "documents"), 2);
    assert_eq!(number(&left, "folders"), 1);
    assert_eq!(
        number(&left, "submissionSets"),
        3,
        "the first one has the folder"
    );
    for document in [&new, &addendum] {
        let got = town.retrieve(&[document]).await.unwrap();
        assert_eq!(got.response.status, ResponseStatus::Success);
    }
    // Of the one in force: its addendum is a document of its own.
    said(&["remove", &new, &addendum, "--json"]);
    let left = all();
    assert_eq!(number(&left, "documents"), 0);
    assert_eq!(number(&left, "folders"), 1);
    assert_eq!(number(&left, "submissionSets"), 1);
    assert_eq!(
        number(&left, "associations"),
        1,
        "the folder is held: {left}"
    );
    for name in ["old.txt", "new.txt", "addendum.txt"] {
        assert!(!stored(&town, name.as_bytes()), "{name}");
    }
}
