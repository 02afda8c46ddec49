//! ITI-42: a submission is registered whole or refused with every reason at once.

use hilum_tests::Town;
use hilum_tests::calls::{Raw, Register};
use hilum_tests::words::{self, Document, Submission, queries};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::Body;

use crate::{codes, unharmed};

const UNIQUE_ID: &str = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab";

fn submission(patient: &str) -> Submission {
    let mut submission = Submission::new(patient, vec![Document::text("elsewhere")]);
    submission.repository = true;
    submission
}

/// Everything that was registered comes back: also slots that nobody knows, and characters that
/// XML must escape.
#[tokio::test]
async fn what_was_registered_comes_back() {
    let town = Town::secure();
    let mut submission = submission("P-1");
    let odd = "Müller & Söhne <\"wards\"> 'A'\u{1F600}";
    submission.documents[0].title = odd.to_owned();
    let values = vec!["first".to_owned(), " second & last ".to_owned()];
    let slot = ("urn:example:measured".to_owned(), values.clone());
    submission.documents[0].slots.push(slot);
    let response = town.register(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let request = words::find_documents("P-1", "LeafClass");
    let found = town.query(request).await.unwrap();
    assert_eq!(found.objects.len(), 1);
    let object = &found.objects[0];
    assert!(object.id.starts_with("urn:uuid:"), "{}", object.id);
    assert_eq!(
        object.external_identifier(UNIQUE_ID).unwrap(),
        submission.documents[0].unique_id
    );
    assert_eq!(object.name.as_ref().unwrap().first(), Some(odd));
    assert_eq!(object.slot("urn:example:measured").unwrap().values, values);
    assert_eq!(
        object.status.as_deref(),
        Some("urn:oasis:names:tc:ebxml-regrep:StatusType:Approved")
    );
    assert_eq!(object.classifications.len(), 7);
}

/// Symbolic names are replaced everywhere by the same new identifier.
#[tokio::test]
async fn symbolic_names_are_resolved() {
    let town = Town::plain();
    let submission = submission("P-1");
    let response = town.register(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let approved = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";
    let everything = words::query(
        queries::GET_ALL,
        "LeafClass",
        &[
            ("$patientId", &format!("'{}'", words::patient("P-1"))),
            ("$XDSDocumentEntryStatus", approved),
            ("$XDSSubmissionSetStatus", approved),
            ("$XDSFolderStatus", approved),
        ],
    );
    let found = town.query(everything).await.unwrap();
    assert_eq!(found.objects.len(), 3, "{:?}", found.objects);
    let ids: Vec<&str> = found.objects.iter().map(|object| &*object.id).collect();
    for object in &found.objects {
        if let Body::Association { source, target, .. } = &object.body {
            assert!(ids.contains(&&**source), "{source}");
            assert!(ids.contains(&&**target), "{target}");
        }
        for classification in &object.classifications {
            assert_eq!(classification.classified_object, object.id);
        }
        for identifier in &object.external_identifiers {
            assert_eq!(identifier.registry_object, object.id);
        }
    }
}

/// Every offence is told at once, so that a developer needs one attempt and not seven.
#[tokio::test]
async fn all_offences_are_told_at_once() {
    let mut town = Town::plain();
    let mut submission = submission("Nobody-Yet");
    submission.documents.push(Document::text("another"));
    submission.documents[0].hash = None;
    submission.documents[1].size = None;
    let request = submission.submit_objects_request();
    let request = request.replacen("20240229101500", "2024-02-29", 1);
    let answer = hilum_tests::raw::soap(
        town.port(1),
        "/registry",
        &words::envelope("urn:ihe:iti:2007:RegisterDocumentSet-b", &request),
    );
    town.expected.add("ITI-42", "Import", 1);
    let response = answer.response();
    assert_eq!(response.status, ResponseStatus::Failure);
    let contexts: Vec<&str> = response
        .errors
        .iter()
        .map(|error| &*error.context)
        .collect();
    for offence in ["hash", "size", "creationTime"] {
        assert!(
            contexts.iter().any(|context| context.contains(offence)),
            "{offence}: {contexts:?}"
        );
    }
    for error in &response.errors {
        assert_eq!(error.code.as_str(), "XDSRegistryMetadataError");
    }
    unharmed(&mut town, "Nobody-Yet").await;
}

#[tokio::test]
async fn a_submission_set_is_taken_once() {
    let town = Town::plain();
    let first = submission("P-1");
    let response = town.register(&first).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let mut second = submission("P-1");
    second.unique_id = first.unique_id.clone();
    let response = town.register(&second).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(codes(&response), ["XDSDuplicateUniqueIdInRegistry"]);
    assert!(response.errors[0].context.contains(&first.unique_id));
}

/// Of many who come at once with the same identifier, one is taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_submission_set_is_taken_once_in_a_race_too() {
    let town = Town::plain();
    let first = submission("P-1");
    let rivals: Vec<_> = (0..24)
        .map(|_| {
            let mut rival = submission("P-1");
            rival.unique_id = first.unique_id.clone();
            rival
        })
        .collect();
    let mut calls = tokio::task::JoinSet::new();
    for rival in rivals {
        let (client, url) = (town.client.clone(), town.registry());
        let request = Raw(rival.submit_objects_request());
        calls.spawn(async move {
            let answer = client.send::<Register>(&url, &request, Vec::new()).await;
            answer.unwrap().response
        });
    }
    let responses = calls.join_all().await;
    town.expected.add("ITI-42", "Import", responses.len());
    let successes = responses.iter();
    let successes = successes.filter(|it| it.status == ResponseStatus::Success);
    assert_eq!(successes.count(), 1);
    for response in &responses {
        if response.status != ResponseStatus::Success {
            assert_eq!(codes(response), ["XDSDuplicateUniqueIdInRegistry"]);
        }
    }
    let request = words::find_documents("P-1", "ObjectRef");
    assert_eq!(town.query(request).await.unwrap().objects.len(), 1);
}

/// A replacement deprecates what it replaces, in the same moment.
#[tokio::test]
async fn a_replacement_takes_the_place() {
    let town = Town::plain();
    let first = submission("P-1");
    let response = town.register(&first).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let request = words::find_documents("P-1", "ObjectRef");
    let old = town.query(request.clone()).await.unwrap().objects[0]
        .id
        .clone();
    let mut second = submission("P-1");
    second.more = format!(
        r#"<rim:Association id="Replaces" associationType="urn:ihe:iti:2007:AssociationType:RPLC" sourceObject="{}" targetObject="{old}"/>"#,
        second.documents[0].id
    );
    let response = town.register(&second).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let found = town.query(request).await.unwrap();
    assert_eq!(found.objects.len(), 1);
    assert_ne!(found.objects[0].id, old);
    // What was replaced cannot be replaced again.
    let mut third = submission("P-1");
    third.more = second
        .more
        .replace(&second.documents[0].id, &third.documents[0].id);
    let response = town.register(&third).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(codes(&response), ["XDSRegistryDeprecatedDocumentError"]);
}
