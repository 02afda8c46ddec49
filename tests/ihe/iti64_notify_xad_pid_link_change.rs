//! ITI-64 over MLLP with TLS: a local patient turns out to be somebody else, and turns out not to be.

use hilum_tests::words::{self, Document, PATIENT_AUTHORITY, Submission};
use hilum_tests::{Town, feed};
use xds_schemas::codes::status::ResponseStatus;

/// The source of the documents in these tests.
const LOCAL: &str = "DEPT-1^^^&2.999.9&ISO";

/// The local patient of every document in these tests is `new` and not `previous`.
fn change(new: &str, previous: &str) -> String {
    format!(
        "MSH|^~\\&|2.999.43|PIX|REGISTRY|XDS|20260101120000||ADT^A43^ADT_A43|M-43|P|2.5\r\
         EVN||20260101120000\r\
         PID|||{new}^^^&{PATIENT_AUTHORITY}&ISO~{LOCAL}|| \r\
         MRG|{previous}^^^&{PATIENT_AUTHORITY}&ISO\r"
    )
}

async fn found(town: &Town, patient: &str) -> Vec<String> {
    let found = town
        .query(words::find_documents(patient, "ObjectRef"))
        .await
        .unwrap();
    assert_eq!(found.status, ResponseStatus::Success);
    found.objects.into_iter().map(|object| object.id).collect()
}

/// ITI TF-2 3.64.4.1.3: queries for the new XAD-PID find the documents, those for the previous one do
/// not; the document itself is where it was.
#[tokio::test]
async fn documents_move_and_move_back() {
    let town = Town::secure();
    let submission = Submission::new("P-1", vec![Document::text("whose?")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let mut manager = feed::Source::of(&town).await;
    assert_eq!(manager.tell(&feed::add("A04", "P-2")).await.code, "AA");
    town.expected.add("ITI-8", "Patient Record", 1);
    let first = found(&town, "P-1").await;
    let mut versions = vec![first[0].clone()];
    for (new, previous) in [("P-2", "P-1"), ("P-1", "P-2")] {
        let answer = manager.tell(&change(new, previous)).await;
        assert_eq!(answer.code, "AA", "{:?}", answer.reasons);
        assert!(found(&town, previous).await.is_empty());
        let moved = found(&town, new).await;
        assert_eq!(moved.len(), 1);
        assert!(!versions.contains(&moved[0]), "it is a new version");
        versions.extend(moved);
        let unique_id = &submission.documents[0].unique_id;
        let got = town.retrieve(&[unique_id]).await.unwrap();
        assert_eq!(got.documents[0].content, b"whose?");
    }
    let answer = manager.tell(&change("P-9", "P-1")).await;
    assert_eq!(answer.code, "AE");
    assert!(
        answer.reasons[0].contains("not known"),
        "{:?}",
        answer.reasons
    );
    // The command sends it as it is, and records it on its side, too.
    let file = town.folder().join("a43.hl7");
    std::fs::write(&file, change("P-2", "P-1")).unwrap();
    let done = town.run(&["feed", "send", file.to_str().unwrap()]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(found(&town, "P-2").await.len(), 1);
    town.expected.add("ITI-64", "Patient Record", 5);
}
