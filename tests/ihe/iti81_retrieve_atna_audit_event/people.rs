//! What people and rooms do is found: `hilum audit search`, and the records of a node itself.

use std::time::{Duration, Instant};

use hilum_tests::Town;
use hilum_tests::town::Setup;
use hilum_tests::words::{self, Document, Submission};
use serde_json::Value;
use xds_schemas::codes::status::ResponseStatus;

use super::{JSON, ask, event, get, total, town};

#[tokio::test]
async fn a_person_searches_with_the_command() {
    let mut town = town();
    let headers = [("content-type", JSON)];
    for second in 0..3 {
        let event = event(&format!("2026-11-21T08:00:0{second}Z"));
        ask(&town, "POST", "/fhir/AuditEvent", &headers, &event).await;
    }
    let search = |arguments: &[&str]| {
        let output = town.run(&[&["audit", "search"], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let table = search(&["--user", "ruth", "--from", "2026-11-21", "--limit", "2"]);
    assert!(table.contains("2026-11-21T08:00:02Z"), "{table}");
    assert!(!table.contains("2026-11-21T08:00:00Z"), "{table}");
    assert!(table.contains("the last 2 of 3"), "{table}");
    let lines = search(&["--patient", "Patient/p77", "--json"]);
    let times = lines.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["recorded"].as_str().unwrap()[17..19].to_owned()
    });
    assert_eq!(times.collect::<Vec<_>>(), ["00", "01", "02"]);
    assert_eq!(search(&["--user", "nobody"]).trim(), "nothing was found");
    let wrong = town.run(&["audit", "search", "--from", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    // On both sides.
    let used = town
        .records()
        .iter()
        .filter(|it| it["transaction"] == "ITI-81")
        .count();
    assert_eq!(used, 8);
    // An index that is made anew knows the same.
    town.stop();
    let made = town.run(&["audit", "index", "--rebuild"]);
    assert_eq!(made.stdout, b"3 records are indexed\n", "{made:?}");
    town.start();
    // Its connections led to the node that was.
    town.client = town.client_named("client");
    assert_eq!(total(&town, "user=ruth").await, 3);
}

/// What the rooms of a node record goes to its own repository, and is found there.
#[tokio::test]
async fn what_was_done_in_the_rooms_is_found() {
    let mut town = Town::set_up(Setup {
        audit_repository: true,
        uncounted: true,
        ..Setup::default()
    });
    let file = town.config();
    let text = std::fs::read_to_string(&file).unwrap();
    let to = format!("syslog+tls://localhost:{}", town.port(8));
    let send = format!("\n[[audit.send]]\nto = \"{to}\"\n");
    std::fs::write(&file, text + &send).unwrap();
    town.start();
    let submission = Submission::new("Audited", vec![Document::text("a report")]);
    let unique_id = submission.documents[0].unique_id.clone();
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    town.retrieve(&[&unique_id]).await.unwrap();
    let patient = words::patient("Audited");
    let (id, oid) = patient.split_once("^^^&").unwrap();
    let oid = oid.strip_suffix("&ISO").unwrap();
    let of_patient = format!("patient.identifier=urn:oid:{oid}%7C{id}");
    let began = Instant::now();
    for (query, expected) in [
        // Repository and registry both tell of it.
        (format!("{of_patient}&subtype=ITI-42"), 2),
        (format!("{of_patient}&subtype=ITI-41"), 1),
        (format!("entity.identifier={unique_id}&subtype=ITI-43"), 1),
        (
            "type=110100&subtype=DCM%7C110120&user=hilum%20registry".to_owned(),
            1,
        ),
    ] {
        while total(&town, &query).await < expected {
            let late = began.elapsed() > Duration::from_secs(60);
            assert!(
                !late,
                "{query}: {:?}",
                get(&town, "/syslogsearch?date=ge2026").await
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(total(&town, &query).await, expected, "{query}");
    }
    assert_eq!(total(&town, "type=unreadable").await, 0);
}
