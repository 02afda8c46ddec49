//! Registry and repository on hosts of their own, which know each other by certificates and URLs
//! only.
//!
//! ```text
//! source ── ITI-41 ──▶ B: repository ── ITI-42 ──▶ A: registry ◀── ITI-18 ── consumer
//! ```

use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use xds_schemas::codes::status::ResponseStatus;

#[tokio::test]
async fn a_repository_registers_at_a_registry_elsewhere() {
    let mut registry = Town::found(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let mut repository = Town::set_up(Setup {
        uncounted: true,
        environment: vec![("HILUM_REPOSITORY__REGISTRY".into(), registry.registry())],
        ..Setup::default()
    });
    // Each trusts the authority of the other.
    for (one, other) in [(&registry, &repository), (&repository, &registry)] {
        let trusted = one.node().join("certs/ca.pem");
        let more = std::fs::read(other.node().join("certs/ca.pem")).unwrap();
        let mut own = std::fs::read(&trusted).unwrap();
        own.extend(more);
        std::fs::write(trusted, own).unwrap();
    }
    registry.stop();
    registry.start();
    repository.start();

    let submission = Submission::new("P-1", vec![Document::text("far away")]);
    let response = repository.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let request = words::find_documents("P-1", "LeafClass");
    let found = registry.query(request.clone()).await.unwrap();
    assert_eq!(found.objects.len(), 1);
    // The registry beside the repository was not asked.
    assert!(repository.query(request).await.unwrap().objects.is_empty());
    let id = &*submission.documents[0].unique_id;
    let got = repository.retrieve(&[id]).await.unwrap();
    assert_eq!(got.documents[0].content, b"far away");

    let imports = |town: &Town| {
        let records = town.records();
        let found = records
            .iter()
            .filter(|it| it["transaction"] == "ITI-42" && it["event"] == "Import");
        found.count()
    };
    assert_eq!((imports(&registry), imports(&repository)), (1, 0));

    // While the registry is away, nothing is promised.
    registry.stop();
    let late = Submission::new("P-1", vec![Document::text("too late")]);
    let response = repository.provide(&late).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(response.errors[0].code.as_str(), "XDSRegistryNotAvailable");
    registry.start();
    let response = repository.provide(&late).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
}
