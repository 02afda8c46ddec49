//! ITI-57 and ITI-92: what is registered is changed, version by version.

use hilum_tests::Town;
use hilum_tests::calls::{RestrictedUpdate, Update};
use hilum_tests::words::{self, Document, HOME, Submission, queries};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{AdhocQueryResponse, RegistryResponse};

use crate::codes;

const STATUS: &str = "urn:oasis:names:tc:ebxml-regrep:StatusType";

/// A document that is registered, and what was submitted for it.
pub(crate) async fn registered(town: &Town, patient: &str) -> Submission {
    let mut submission = Submission::new(patient, vec![Document::text("first")]);
    submission.repository = true;
    submission.documents[0].id = words::new_uuid();
    let response = town.register(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    submission
}

/// The message that makes the next version of what was registered.
pub(crate) fn next(registered: &Submission, previous: &str, title: &str) -> String {
    let mut update = registered.clone();
    update.unique_id = words::new_oid();
    let logical_id = std::mem::replace(&mut update.documents[0].id, "Next".to_owned());
    update.documents[0].title = title.to_owned();
    let version = format!(
        r#"targetObject="Next"><rim:Slot name="PreviousVersion"><rim:ValueList><rim:Value>{previous}</rim:Value></rim:ValueList></rim:Slot>"#
    );
    update
        .submit_objects_request()
        .replace(
            r#"<rim:ExtrinsicObject id="Next""#,
            &format!(r#"<rim:ExtrinsicObject id="Next" lid="{logical_id}""#),
        )
        .replace(r#"targetObject="Next">"#, &version)
}

async fn update(town: &Town, request: String) -> RegistryResponse {
    let recorded = ("ITI-57", "Import");
    town.ask_registry::<Update>(request, recorded)
        .await
        .unwrap()
}

async fn by_unique_id(town: &Town, submission: &Submission, level: &str) -> AdhocQueryResponse {
    let unique_id = format!("('{}')", submission.documents[0].unique_id);
    let request = words::query(
        queries::GET_DOCUMENTS,
        "LeafClass",
        &[
            ("$XDSDocumentEntryUniqueId", &unique_id),
            ("$MetadataLevel", level),
        ],
    );
    town.query(request).await.unwrap()
}

/// Metadata update 3.57.4.1.3.3.1: a new version, seen by everybody; the one before it, by those who
/// ask for it.
#[tokio::test]
async fn a_title_is_corrected() {
    let town = Town::secure();
    let submission = registered(&town, "P-1").await;
    let response = update(&town, next(&submission, "1", "Corrected")).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let found = by_unique_id(&town, &submission, "1").await;
    assert_eq!(found.objects.len(), 1);
    let newest = &found.objects[0];
    assert_eq!(newest.name.as_ref().unwrap().first(), Some("Corrected"));
    assert_eq!(newest.version.as_deref(), Some("2"));
    assert_eq!(newest.lid.as_deref(), Some(&*submission.documents[0].id));
    let found = by_unique_id(&town, &submission, "2").await;
    let statuses = found.objects.iter().map(|it| it.status.as_deref().unwrap());
    let expected = [format!("{STATUS}:Deprecated"), format!("{STATUS}:Approved")];
    assert_eq!(statuses.collect::<Vec<_>>(), expected);
    let response = update(&town, next(&submission, "1", "Again")).await;
    assert_eq!(codes(&response), ["XDSMetadataVersionError"]);
    assert_eq!(response.errors[0].location.as_deref(), Some("Next"));
}

/// Metadata update 3.57.4.1.3.3.2: a document is deprecated without another one.
#[tokio::test]
async fn a_status_changes() {
    let town = Town::plain();
    let submission = registered(&town, "P-1").await;
    let mut change = Submission::new("P-1", Vec::new());
    let slot = |name: &str, status: &str| {
        format!(
            r#"<rim:Slot name="{name}"><rim:ValueList><rim:Value>{STATUS}:{status}</rim:Value></rim:ValueList></rim:Slot>"#
        )
    };
    change.more = format!(
        r#"<rim:Association id="Change" associationType="urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus" sourceObject="SubmissionSet" targetObject="{}">{}{}</rim:Association>"#,
        submission.documents[0].id,
        slot("OriginalStatus", "Approved"),
        slot("NewStatus", "Deprecated"),
    );
    let response = update(&town, change.submit_objects_request()).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let approved = words::find_documents("P-1", "ObjectRef");
    assert_eq!(town.query(approved).await.unwrap().objects, []);
}

/// Restricted metadata update 3.92.4.1.3: a correction with the community in every object; without it,
/// or of another community, it is refused.
#[tokio::test]
async fn a_restricted_update() {
    let town = Town::secure();
    let submission = registered(&town, "P-1").await;
    let with_home = |home: &str| {
        let home = format!(r#" home="urn:oid:{home}""#);
        next(&submission, "1", "Corrected")
            .replace(
                r#"<rim:ExtrinsicObject id="Next""#,
                &format!(r#"<rim:ExtrinsicObject id="Next"{home}"#),
            )
            .replace(
                r#"<rim:RegistryPackage "#,
                &format!("<rim:RegistryPackage{home} "),
            )
    };
    let send = async |request: String| {
        let recorded = ("ITI-92", "Import");
        let sent = town
            .ask_registry::<RestrictedUpdate>(request, recorded)
            .await;
        sent.unwrap()
    };
    let response = send(next(&submission, "1", "Corrected")).await;
    let missing = ["XDSMissingHomeCommunityId"; 2];
    assert_eq!(codes(&response), missing);
    assert_eq!(
        codes(&send(with_home("2.999.66")).await),
        ["XDSUnknownCommunity"; 2]
    );
    let response = send(with_home(HOME)).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let found = by_unique_id(&town, &submission, "1").await;
    assert_eq!(found.objects[0].version.as_deref(), Some("2"));
}
