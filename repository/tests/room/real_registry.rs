//! The same beside the registry of this project, so that both mean the same by what they say.

use std::sync::Arc;
use std::time::Duration;

use hilum_audit::{Audit, AuditConfig};
use hilum_registry::{Registry, RegistryConfig, UnknownPatients};
use hilum_transport::Limits;
use tokio::net::TcpListener;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{RegistryResponse, ReturnType};
use xds_schemas::iti18_registry_stored_query::{Names, RegistryStoredQuery, StoredQuery};
use xds_schemas::metadata::{Association, AssociationType, DocumentEntry, PatientId};

use crate::site::{REPOSITORY, Site, refusal};
use crate::stand_in::StandIn;
use crate::submissions::{Draft, sha1};

/// A site beside a registry, and the port of that.
pub(crate) async fn site() -> (Site, u16) {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(AuditConfig {
        spool: folder.path().join("audit of the registry"),
        source_id: "registry".to_owned(),
        enterprise_site: None,
        host: "localhost".to_owned(),
        segment_bytes: 1 << 24,
    });
    let database = format!("sqlite:{}", folder.path().join("registry.db").display());
    let mut config = RegistryConfig::new(database, "urn:oid:1.2.3".into());
    config.unknown_patients = UnknownPatients::Accept;
    let registry = Registry::open(config, audit.unwrap()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let routes = move |incoming| {
        let registry = registry.clone();
        async move { hilum_registry::routes::serve(&registry, incoming).await }
    };
    let forever = std::future::pending();
    tokio::spawn(hilum_transport::serve(
        listener,
        None,
        Limits::default(),
        routes,
        forever,
    ));
    let unused = Arc::new(StandIn::default());
    let site = Site::beside(folder, unused, port, Duration::from_secs(60)).await;
    (site, port)
}

async fn entries(site: &Site, port: u16, ids: &[&str]) -> Vec<DocumentEntry> {
    let ids = ids.iter().map(|id| (*id).into()).collect();
    let query = StoredQuery::GetDocuments(Names::UniqueIds(ids));
    let request = query.to_request(ReturnType::LeafClass);
    let answer = site
        .client
        .send::<RegistryStoredQuery>(
            &format!("http://127.0.0.1:{port}/registry"),
            &request,
            Vec::new(),
        )
        .await
        .unwrap();
    assert_eq!(answer.response.status, ResponseStatus::Success);
    crate::stand_in::entries(&answer.response.objects).collect()
}

#[tokio::test]
async fn provided_is_registered_and_found_and_retrieved() {
    let (site, port) = site().await;
    let draft = Draft::of([&b"one"[..], b"two"]);
    site.accepted(&draft).await;
    let (one, two) = (draft.id(0), draft.id(1));
    let found = entries(&site, port, &[&one, &two]).await;
    assert_eq!(found.len(), 2);
    for entry in found {
        assert_eq!(entry.repository_unique_id, Some(REPOSITORY.into()));
        let content = site.content(entry.unique_id.as_str()).await;
        assert_eq!(entry.hash, Some(sha1(&content)));
        assert_eq!(entry.size, Some(content.len() as u64));
    }
}

#[tokio::test]
async fn refused_is_nowhere() {
    let (site, port) = site().await;
    let mut draft = Draft::of([&b"one"[..], b"two"]);
    let (source, unknown) = ("document0", "urn:uuid:00000000-0000-4000-8000-000000000000");
    let replaces = Association::new(AssociationType::Replace, source, unknown);
    draft.metadata.associations.push(replaces);
    let errors = site
        .refused(&draft, &["UnresolvedReferenceException"])
        .await;
    assert!(errors[0].context.contains(unknown), "{errors:?}");
    let (one, two) = (draft.id(0), draft.id(1));
    assert!(entries(&site, port, &[&one, &two]).await.is_empty());
    site.missing(&one).await;
    site.missing(&two).await;
    site.nothing_left().await;
}

#[tokio::test]
async fn the_registrys_errors_use_the_names_of_the_source() {
    let (site, _) = site().await;
    let mut draft = Draft::text("without a language");
    draft.entry(0).language_code = None;
    let errors = site.refused(&draft, &["XDSRegistryMetadataError"]).await;
    assert_eq!(errors[0].location.as_deref(), Some("document0"));
    let context = &errors[0].context;
    assert!(
        context.contains("document0") && !context.contains("urn:uuid:"),
        "{context}"
    );
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for() {
    let (mut site, _) = site().await;
    site.link.cut_answers();
    let draft = Draft::of([&b"one"[..], b"two"]);
    let mut of_another = Draft::text("of another patient");
    let another = PatientId::parse("P-2^^^&1.2.3&ISO").ok();
    let entry = of_another.entry(0);
    entry.patient_id.clone_from(&another);
    of_another.metadata.submission_set.patient_id = another;
    for draft in [&draft, &of_another] {
        site.refused(draft, &["XDSRegistryNotAvailable"]).await;
    }
    site.stop().await;
    site.link.pass();
    site.start().await;
    assert_eq!(site.content(&draft.id(0)).await, b"one");
    assert_eq!(site.content(&draft.id(1)).await, b"two");
    let content = site.content(&of_another.id(0)).await;
    assert_eq!(content, b"of another patient");
    site.nothing_undecided().await;
    // What is sent again is the same submission set, which the registry has already.
    let again = site.provide(&draft).await;
    refusal(again, &["XDSDuplicateUniqueIdInRegistry"]);
}

#[tokio::test]
async fn a_document_may_be_submitted_again_as_it_is() {
    let (site, port) = site().await;
    let first = Draft::text("the same");
    site.accepted(&first).await;
    let id = first.id(0);
    let mut again = Draft::text("the same");
    again.entry(0).unique_id = id.as_str().into();
    let response = site.provide(&again).await;
    assert_eq!(response, RegistryResponse::success(Vec::new()));
    assert_eq!(entries(&site, port, &[&id]).await.len(), 2);
    assert_eq!(site.content(&id).await, b"the same");
}
