//! ITI-61: what is made on demand is registered, and found by those who ask for it.

use hilum_tests::Town;
use hilum_tests::calls::{Provide, Raw};
use hilum_tests::words::{self, Document, Submission};
use hilum_transport::{Part, PartSource};
use xds_schemas::codes::status::ResponseStatus;

use crate::codes;

fn message(submission: &Submission) -> String {
    words::on_demand(&submission.submit_objects_request())
}

fn submission() -> Submission {
    let mut submission = Submission::new("P-1", vec![Document::text("never sent")]);
    submission.repository = true;
    submission
}

/// ITI TF-2 3.61.4.1.3 and 3.18.4.1.2.3.7.1: it is found by $XDSDocumentEntryType alone.
#[tokio::test]
async fn registered_and_found_by_type() {
    let town = Town::secure();
    let first = submission();
    // A stable entry is none of this transaction.
    let stable = first.submit_objects_request();
    let refused = town.register_on_demand(stable).await.unwrap();
    assert_eq!(refused.status, ResponseStatus::Failure);
    assert_eq!(codes(&refused), ["XDSRegistryMetadataError"]);
    // 3.61.4.2.2: creationTime, hash and size are errors.
    let described = first
        .submit_objects_request()
        .replace(words::STABLE, words::ON_DEMAND);
    let refused = town.register_on_demand(described).await.unwrap();
    assert_eq!(codes(&refused), ["XDSRegistryMetadataError"; 3]);

    let response = town.register_on_demand(message(&first)).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let find = |object_type| town.query(words::find_documents_of("P-1", object_type));
    assert!(find(words::STABLE).await.unwrap().objects.is_empty());
    assert_eq!(find(words::ON_DEMAND).await.unwrap().objects.len(), 1);
    let usual = town.query(words::find_documents("P-1", "LeafClass")).await;
    assert!(usual.unwrap().objects.is_empty());

    // Once more under the same uniqueId: another entry (3.61.4.1.3).
    let mut second = submission();
    second.documents[0]
        .unique_id
        .clone_from(&first.documents[0].unique_id);
    let response = town.register_on_demand(message(&second)).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(find(words::ON_DEMAND).await.unwrap().objects.len(), 2);
    // Under that of a document that is there: never.
    let there = Submission::new("P-1", vec![Document::text("there")]);
    town.provide(&there).await.unwrap();
    let mut third = submission();
    third.documents[0]
        .unique_id
        .clone_from(&there.documents[0].unique_id);
    let refused = town.register_on_demand(message(&third)).await.unwrap();
    assert_eq!(codes(&refused), ["XDSDuplicateUniqueIdInRegistry"]);
    // This source did not make it, so it makes nothing of it.
    let got = town
        .retrieve(&[&first.documents[0].unique_id])
        .await
        .unwrap();
    assert_eq!(codes(&got.response), ["XDSDocumentUniqueIdError"]);
}

/// ITI TF-2 3.41.4.1.2 and 3.42.4.1.2: neither ITI-41 nor ITI-42 carries on-demand entries.
#[tokio::test]
async fn nothing_else_registers_it() {
    let town = Town::plain();
    let mut submission = Submission::new("P-1", vec![Document::text("on demand")]);
    let request = Raw(words::on_demand(&submission.provide_request()));
    let part = Part {
        content_id: words::content_id(0),
        content_type: "text/plain".to_owned(),
        source: PartSource::Bytes("on demand".into()),
    };
    let url = town.repository();
    let answer = town
        .client
        .send::<Provide>(&url, &request, vec![part])
        .await;
    town.expected.add("ITI-41", "Import", 1);
    let response = answer.unwrap().response;
    assert_eq!(response.status, ResponseStatus::Failure);
    assert!(
        codes(&response).contains(&"XDSRegistryMetadataError"),
        "{response:?}"
    );
    let id = submission.documents[0].unique_id.clone();
    let got = town.retrieve(&[&id]).await.unwrap();
    assert_eq!(codes(&got.response), ["XDSDocumentUniqueIdError"]);

    submission.repository = true;
    submission.documents[0].hash = None;
    submission.documents[0].size = None;
    submission.documents[0].slots.clear();
    let request = Raw(message(&submission));
    let url = town.registry();
    let answer = town
        .client
        .send::<hilum_tests::calls::Register>(&url, &request, Vec::new())
        .await;
    town.expected.add("ITI-42", "Import", 1);
    assert_eq!(
        codes(&answer.unwrap().response),
        ["XDSRegistryMetadataError"]
    );
    let found = town
        .query(words::find_documents_of("P-1", words::ON_DEMAND))
        .await;
    assert!(found.unwrap().objects.is_empty());
}
