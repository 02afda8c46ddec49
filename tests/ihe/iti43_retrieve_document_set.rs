//! ITI-43: what is there comes, and what is not there is told one by one.

use hilum_tests::Town;
use hilum_tests::words::{self, Document, Submission};
use xds_schemas::codes::status::ResponseStatus;

use crate::codes;

#[tokio::test]
async fn some_and_none() {
    let town = Town::secure();
    let submission = Submission::new("P-1", vec![Document::text("here")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let here = &*submission.documents[0].unique_id;

    let some = town.retrieve(&[here, "2.999.404"]).await.unwrap();
    assert_eq!(some.response.status, ResponseStatus::PartialSuccess);
    assert_eq!(codes(&some.response), ["XDSDocumentUniqueIdError"]);
    let location = some.response.errors[0].location.as_deref();
    assert_eq!(location, Some("2.999.404"));
    assert_eq!(some.documents.len(), 1);
    assert_eq!(some.documents[0].content, b"here");

    let none = town.retrieve(&["2.999.404", "2.999.405"]).await.unwrap();
    assert_eq!(none.response.status, ResponseStatus::Failure);
    assert_eq!(codes(&none.response), ["XDSDocumentUniqueIdError"; 2]);
    assert!(none.documents.is_empty());

    let request = words::retrieve("2.999.33", &[here]);
    let elsewhere = town.retrieve_as(request).await.unwrap();
    assert_eq!(elsewhere.response.status, ResponseStatus::Failure);
    assert_eq!(codes(&elsewhere.response), ["XDSUnknownRepositoryId"]);
}

/// An identifier is a name, never a path.
#[tokio::test]
async fn identifiers_lead_nowhere_else() {
    let town = Town::plain();
    for id in [
        "../../hilum.toml",
        "/etc/passwd",
        "..%2f..%2fhilum.toml",
        "a/../../b",
        "\u{202e}",
        "x".repeat(5000).as_str(),
    ] {
        let got = town.retrieve(&[id]).await.unwrap();
        assert_eq!(got.response.status, ResponseStatus::Failure, "{id}");
        assert!(got.documents.is_empty(), "{id}");
    }
}

/// Who does not speak MTOM gets the documents in the envelope.
#[tokio::test]
async fn without_mtom_the_content_stands_in_the_envelope() {
    let town = Town::plain();
    let submission = Submission::new("P-1", vec![Document::text("in base64")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let request = words::retrieve(words::REPOSITORY, &[&submission.documents[0].unique_id]);
    let envelope = words::envelope("urn:ihe:iti:2007:RetrieveDocumentSet", &request);
    let answer = hilum_tests::raw::soap(town.port(2), "/repository", &envelope);
    town.expected.add("ITI-43", "Export", 1);
    assert_eq!(answer.status, 200);
    let kind = "content-type: application/soap+xml";
    assert!(answer.head.to_lowercase().contains(kind), "{}", answer.head);
    // "in base64" in base64
    assert!(
        answer.text().contains(">aW4gYmFzZTY0<"),
        "{}",
        answer.text()
    );
}
