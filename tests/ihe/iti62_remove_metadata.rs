//! ITI-62: what was registered by mistake is forgotten.

use hilum_tests::Town;
use hilum_tests::calls::RemoveMetadata;
use hilum_tests::words::{self, queries};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryResponse;

use crate::codes;
use crate::iti57_update_document_set::{next, registered};

const REGREP: &str = "urn:oasis:names:tc:ebxml-regrep";

/// Asks to forget these objects.
pub(crate) async fn remove(town: &Town, uuids: &[String], more: &str) -> RegistryResponse {
    let references = uuids
        .iter()
        .map(|uuid| format!(r#"<rim:ObjectRef id="{uuid}"/>"#));
    let request = format!(
        r#"<lcm:RemoveObjectsRequest xmlns:lcm="{REGREP}:xsd:lcm:3.0" xmlns:rim="{REGREP}:xsd:rim:3.0">{more}<rim:ObjectRefList>{}</rim:ObjectRefList></lcm:RemoveObjectsRequest>"#,
        references.collect::<String>()
    );
    let recorded = ("ITI-62", "Patient Record");
    let sent = town.ask_registry::<RemoveMetadata>(request, recorded).await;
    sent.unwrap()
}

async fn everything(town: &Town, patient: &str) -> Vec<String> {
    let all = format!("('{REGREP}:StatusType:Approved','{REGREP}:StatusType:Deprecated')");
    let request = words::query(
        queries::GET_ALL,
        "ObjectRef",
        &[
            ("$patientId", &format!("'{}'", words::patient(patient))),
            ("$XDSDocumentEntryStatus", &all),
            ("$XDSSubmissionSetStatus", &all),
            ("$XDSFolderStatus", &all),
            ("$MetadataLevel", "2"),
        ],
    );
    let found = town.query(request).await.unwrap();
    found.objects.into_iter().map(|object| object.id).collect()
}

/// Remove metadata 3.62.4.1.3: all or nothing; each refusal names its object.
#[tokio::test]
async fn all_or_nothing() {
    let town = Town::secure();
    let submission = registered(&town, "P-1").await;
    registered(&town, "P-2").await;
    let response = town
        .ask_registry::<hilum_tests::calls::Update>(
            next(&submission, "1", "Corrected"),
            ("ITI-57", "Import"),
        )
        .await
        .unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let all = everything(&town, "P-1").await;
    assert_eq!(all.len(), 6);
    let document = submission.documents[0].id.clone();
    let response = remove(&town, std::slice::from_ref(&document), "").await;
    assert_eq!(codes(&response), ["ReferencesExistException"]);
    assert!(
        response.errors[0].context.contains(&document),
        "{response:?}"
    );
    let stranger = words::new_uuid();
    let mut more = all.clone();
    more.push(stranger.clone());
    let response = remove(&town, &more, "").await;
    assert_eq!(codes(&response), ["UnresolvedReferenceException"]);
    assert!(
        response.errors[0].context.contains(&stranger),
        "{response:?}"
    );
    let query = r#"<rim:AdhocQuery id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"/>"#;
    assert_eq!(
        codes(&remove(&town, &all, query).await),
        ["XDSRegistryError"]
    );
    assert_eq!(everything(&town, "P-1").await, all);
    let response = remove(&town, &all, "").await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(response.errors, []);
    assert_eq!(everything(&town, "P-1").await, Vec::<String>::new());
    assert_eq!(everything(&town, "P-2").await.len(), 3);
    // What was forgotten may be registered again as it was.
    let response = town.register(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
}
