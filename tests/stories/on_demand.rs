//! A patient's imaging summary: registered once, made from what there is whenever it is retrieved,
//! and, if the node is told so, kept as it was.

use std::time::{Duration, UNIX_EPOCH};

use hilum_dicom::phantoms::{self, Detail};
use hilum_tests::words;
use hilum_tests::{Setup, Town};
use serde_json::Value;
use xds_schemas::codes::status::ResponseStatus;

/// What a command says that must succeed.
fn said(town: &Town, arguments: &[&str]) -> String {
    let output = town.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(town: &Town, arguments: &[&str]) -> Value {
    serde_json::from_str(&said(town, arguments)).unwrap()
}

fn town(on_demand: &str) -> Town {
    Town::found(Setup {
        environment: vec![(
            "HILUM_REPOSITORY__ON_DEMAND".to_owned(),
            on_demand.to_owned(),
        )],
        // Commands and the repository itself ask the registry, too.
        uncounted: true,
        ..Setup::default()
    })
}

/// Imports studies; gives one of the patients, and the Study Instance UIDs of that one.
fn import(town: &Town) -> (String, Vec<String>) {
    let folder = town.folder().join("phantoms");
    let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    phantoms::write(&folder, "summary", now, Detail::Small).unwrap();
    let report = json(town, &["import", folder.to_str().unwrap(), "--json"]);
    let studies = report["studies"].as_array().unwrap();
    let patient = studies[0]["patientId"].as_str().unwrap().to_owned();
    let of_patient = studies.iter().filter(|it| it["patientId"] == *patient);
    let uids = of_patient.map(|it| it["studyInstanceUID"].as_str().unwrap().to_owned());
    (patient.clone(), uids.collect())
}

#[tokio::test]
async fn a_summary_of_what_was_imported() {
    let town = town("transient");
    let (patient, studies) = import(&town);
    let id = said(&town, &["summary", "--patient", &patient])
        .trim()
        .to_owned();
    assert_eq!(said(&town, &["summary", "--patient", &patient]).trim(), id);
    let found = said(
        &town,
        &["query", "--patient", &patient, "--type", "on-demand"],
    );
    assert!(found.contains(&id), "{found}");
    let got = json(&town, &["retrieve", &id, "--out", "got", "--json"]);
    let document = &got["documents"][0];
    let new = document["newUniqueId"].as_str().unwrap();
    assert_ne!(new, id);
    assert_eq!(document["newRepositoryUniqueId"], Value::Null);
    let file = document["file"].as_str().unwrap();
    let summary = std::fs::read_to_string(town.node().join(file)).unwrap();
    for study in &studies {
        assert!(summary.contains(&format!("urn:oid:{study}")), "{study}");
    }
    let shown = said(&town, &["retrieve", &id, "--out", "got"]);
    assert!(shown.contains(new), "{shown}");
    // Each side of every transaction is on record.
    let records = town.records();
    for (transaction, event) in [
        ("ITI-61", "Export"),
        ("ITI-61", "Import"),
        ("ITI-43", "Export"),
        ("ITI-43", "Import"),
    ] {
        let is_it = |it: &&Value| it["transaction"] == transaction && it["event"] == event;
        assert!(records.iter().any(|it| is_it(&it)), "{transaction} {event}");
    }
    // What is forgotten is not made any more.
    said(&town, &["remove", &id]);
    let gone = town.retrieve(&[&id]).await.unwrap();
    assert_eq!(gone.response.status, ResponseStatus::Failure);
    assert_eq!(
        gone.response.errors[0].code.as_str(),
        "XDSDocumentUniqueIdError"
    );
}

/// ITI TF-2 3.43.4.2.3. A snapshot is a document like any other, also when the node was killed.
#[tokio::test]
async fn a_snapshot_outlives_what_it_shows() {
    let mut town = town("persist");
    let (patient, _) = import(&town);
    let id = said(&town, &["summary", "--patient", &patient])
        .trim()
        .to_owned();
    let made = town.retrieve(&[&id]).await.unwrap();
    assert_eq!(made.response.status, ResponseStatus::Success, "{made:?}");
    let first = &made.documents[0];
    assert_eq!(first.unique_id, id);
    assert_eq!(first.new_repository.as_deref(), Some(words::REPOSITORY));
    let snapshot = first.new_unique_id.clone().unwrap();
    town.kill();
    town.start();
    town.client = town.client_named("client");
    let again = town.retrieve(&[&id, &snapshot]).await.unwrap();
    assert_eq!(again.response.status, ResponseStatus::Success, "{again:?}");
    assert_eq!(again.documents[0].new_unique_id.as_ref(), Some(&snapshot));
    for document in &again.documents {
        assert_eq!(document.content, first.content);
    }
    assert_eq!(again.documents[1].new_unique_id, None);
    let found = town
        .query(words::find_documents(&patient, "LeafClass"))
        .await;
    let found = found.unwrap().objects;
    let snapshots = found.iter().filter(|it| {
        it.external_identifier("urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab")
            == Some(snapshot.as_str())
    });
    assert_eq!(snapshots.count(), 1);
}
