//! ITI-8 over MLLP, as an operator's node takes it: with TLS and without, and what follows.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hilum_security::development_ca::Identity;
use hilum_security::iti19_authenticate_node::{TlsFiles, client_config};
use hilum_tests::words::{self, Document, Submission, queries};
use hilum_tests::{Setup, Town, feed};
use hilum_transport::Limits;
use hilum_transport::mllp::Connection;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::RegistryObject;

use crate::codes;

const PATIENT_ID: &str = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427";

fn strict(plain: bool) -> Town {
    Town::found(Setup {
        plain,
        refuse_unknown_patients: true,
        ..Setup::default()
    })
}

async fn registered(town: &Town, patient: &str) -> Submission {
    let submission = Submission::new(patient, vec![Document::text(patient)]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    submission
}

async fn refused(town: &Town, patient: &str) {
    let submission = Submission::new(patient, vec![Document::text(patient)]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(codes(&response), ["XDSUnknownPatientId"]);
}

async fn found(town: &Town, patient: &str) -> Vec<RegistryObject> {
    let request = words::find_documents(patient, "LeafClass");
    let found = town.query(request).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    let references = words::find_documents(patient, "ObjectRef");
    let references = town.query(references).await.unwrap();
    assert_eq!(references.objects.len(), found.objects.len());
    found.objects
}

/// ITI TF-2 3.8.4.1.4, 3.8.4.2.4: from an unknown patient to a merged one, with mutual TLS and
/// without, in HL7 v2 by a sender that knows its delimiters.
#[tokio::test]
async fn patients_are_announced_and_merged() {
    for plain in [false, true] {
        let town = strict(plain);
        refused(&town, "P-1").await;
        let mut source = feed::Source::of(&town).await;
        for (event, id) in [("A01", "P-1"), ("A04", "P-2"), ("A05", "P-3")] {
            assert_eq!(source.tell(&feed::add(event, id)).await.code, "AA");
        }
        town.expected.add("ITI-8", "Patient Record", 3);
        let documents = [
            registered(&town, "P-1").await,
            registered(&town, "P-2").await,
        ];
        assert_eq!(source.tell(&feed::merge("P-2", "P-1")).await.code, "AA");
        assert_eq!(source.tell(&feed::merge("P-1", "P-3")).await.code, "AA");
        town.expected.add("ITI-8", "Patient Record", 4);
        let of_survivor = found(&town, "P-3").await;
        assert_eq!(of_survivor.len(), 2);
        for object in &of_survivor {
            let shown = object.external_identifier(PATIENT_ID).unwrap();
            assert_eq!(shown, words::patient("P-3"));
        }
        for id in ["P-1", "P-2"] {
            assert_eq!(found(&town, id).await, []);
            refused(&town, id).await;
        }
        // The documents themselves stay where they are.
        for submission in &documents {
            let got = town
                .retrieve(&[&submission.documents[0].unique_id])
                .await
                .unwrap();
            assert_eq!(got.documents.len(), 1);
        }
        let again = source.tell(&feed::merge("P-2", "P-3")).await;
        assert_eq!(again.code, "AE");
        assert!(
            again.reasons[0].contains("subsumed by an earlier message"),
            "{again:?}"
        );
        town.expected.add("ITI-8", "Patient Record", 2);
    }
}

/// What was announced and merged is still so after a power cut.
#[tokio::test]
async fn what_was_acknowledged_is_kept() {
    let mut town = strict(true);
    let mut source = feed::Source::of(&town).await;
    for id in ["P-1", "P-2"] {
        assert_eq!(source.tell(&feed::add("A04", id)).await.code, "AA");
    }
    registered(&town, "P-2").await;
    assert_eq!(source.tell(&feed::merge("P-2", "P-1")).await.code, "AA");
    town.expected.add("ITI-8", "Patient Record", 4);
    town.kill();
    town.start();
    assert_eq!(found(&town, "P-1").await.len(), 1);
    refused(&town, "P-2").await;
}

/// ITI TF-2 3.18.4.1.2.3.9: whether queries for patients who are not known, or not any more, are
/// refused, the affinity domain decides.
#[tokio::test]
async fn queries_for_unknown_patients_are_answered_as_configured() {
    for (policy, status) in [
        ("empty", ResponseStatus::Success),
        ("refuse", ResponseStatus::Failure),
    ] {
        let key = "HILUM_AFFINITY_DOMAIN__UNKNOWN_PATIENTS_IN_QUERIES";
        let town = Town::found(Setup {
            plain: true,
            environment: vec![(key.into(), policy.into())],
            ..Setup::default()
        });
        let mut source = feed::Source::of(&town).await;
        assert_eq!(source.tell(&feed::merge("P-2", "P-1")).await.code, "AA");
        town.expected.add("ITI-8", "Patient Record", 2);
        for id in ["P-2", "P-9"] {
            for wanted in ["LeafClass", "ObjectRef"] {
                let answer = town.query(words::find_documents(id, wanted)).await.unwrap();
                assert_eq!(answer.status, status, "{id}");
            }
        }
        assert_eq!(found(&town, "P-1").await, []);
    }
}

/// Objects of two patients in one answer are refused, but not when they are one patient.
#[tokio::test]
async fn merged_patients_are_one() {
    let town = Town::plain();
    let mut uuids = Vec::new();
    for id in ["P-1", "P-2"] {
        registered(&town, id).await;
        uuids.push(format!("'{}'", found(&town, id).await[0].id));
    }
    let both = || {
        let list = format!("({})", uuids.join(","));
        words::query(
            queries::GET_DOCUMENTS,
            "LeafClass",
            &[("$XDSDocumentEntryEntryUUID", &list)],
        )
    };
    let answer = town.query(both()).await.unwrap();
    assert_eq!(answer.errors[0].code.as_str(), "XDSResultNotSinglePatient");
    let mut source = feed::Source::of(&town).await;
    assert_eq!(source.tell(&feed::merge("P-2", "P-1")).await.code, "AA");
    town.expected.add("ITI-8", "Patient Record", 2);
    let answer = town.query(both()).await.unwrap();
    assert_eq!(answer.errors, []);
    assert_eq!(answer.objects.len(), 2);
}

/// ITI-19: strangers are not listened to, and it is recorded that they tried.
#[tokio::test]
async fn strangers_announce_nobody() {
    let town = strict(false);
    let stranger = Identity::authority("Stranger", 1).unwrap();
    let path = |name: &str| town.folder().join(name);
    stranger
        .write(&path("stranger.pem"), &path("stranger.key"))
        .unwrap();
    let files = TlsFiles {
        certificate: path("stranger.pem"),
        key: path("stranger.key"),
        trust: vec![town.node().join("certs/ca.pem")],
        client_certificate_required: true,
        check_server_name: true,
    };
    let tls = client_config(&files).unwrap();
    let limits = Limits::default();
    // TLS 1.3 tells of a refusal only afterwards.
    if let Ok(mut connection) = Connection::open(&town.feed(), Some(&tls), &limits).await {
        let told = connection
            .exchange(feed::add("A04", "P-1").as_bytes())
            .await;
        told.unwrap_err();
    }
    refused(&town, "P-1").await;
    let alert = |record: &serde_json::Value| record["event"] == "Security Alert";
    assert_eq!(town.records().iter().filter(|it| alert(it)).count(), 1);
}

/// Whatever comes, the node answers or hangs up, and goes on.
#[tokio::test]
async fn what_is_no_message_does_no_harm() {
    let environment = [
        ("HILUM_LIMITS__MESSAGE_BYTES", "5000"),
        ("HILUM_LIMITS__PROGRESS_SECONDS", "1"),
    ];
    let mut town = Town::found(Setup {
        plain: true,
        environment: environment
            .map(|(key, value)| (key.into(), value.into()))
            .to_vec(),
        ..Setup::default()
    });
    let framed = |text: &[u8]| [b"\x0b", text, b"\x1c\r"].concat();
    let long = framed(&[b'A'; 6000]);
    for (bytes, answer) in [
        (framed(b"no message"), "MSA|AR"),
        (framed(b""), "MSA|AR"),
        (framed(b"MSH|^~\\&|\r"), "MSA|AR"),
        (
            framed(b"MSH|^~\\&|A|B|C|D|||ADT^A04|1|P|2.3.1\r\xff\xfe|\r"),
            "MSA|AR|1",
        ),
        (framed(feed::add("A04", "P\\X00\\").as_bytes()), "MSA|AE|"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), ""),
        (long, ""),
        (b"\x0bMSH|^~\\&|".to_vec(), ""),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", town.port(5))).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream.write_all(&bytes).unwrap();
        let mut said = Vec::new();
        if answer.is_empty() {
            // It may be cut off hard, since not all of it was read.
            let _ = stream.read_to_end(&mut said);
            assert_eq!(said, b"");
        } else {
            let mut byte = [0];
            while byte[0] != 0x1c {
                stream.read_exact(&mut byte).unwrap();
                said.push(byte[0]);
            }
            let said = String::from_utf8_lossy(&said);
            assert!(said.contains(answer), "{said}");
        }
    }
    assert!(town.alive());
    let alerts = town.records();
    let alerts = alerts
        .iter()
        .filter(|record| record["event"] == "Security Alert");
    assert_eq!(alerts.count(), 8);
    registered(&town, "P-1").await;
}

/// The command says the same things, and its exit status tells how it went.
#[tokio::test]
async fn the_command_announces_and_merges() {
    for plain in [false, true] {
        let mut town = strict(plain);
        let done = town.run(&["feed", "add", "P-1", "P-2"]);
        assert!(done.status.success(), "{done:?}");
        assert!(
            String::from_utf8_lossy(&done.stdout).contains("P-1^^^"),
            "{done:?}"
        );
        registered(&town, "P-2").await;
        let done = town.run(&["feed", "merge", "P-2", "P-1", "--json"]);
        assert!(done.status.success(), "{done:?}");
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(json["messages"][0]["acknowledgement"], "AA");
        assert_eq!(found(&town, "P-1").await.len(), 1);
        let done = town.run(&["feed", "merge", "P-2", "P-1"]);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        assert!(
            String::from_utf8_lossy(&done.stderr).contains("subsumed by an earlier"),
            "{done:?}"
        );
        // With HL7 v3, too.
        let done = town.run(&["feed", "add", "P-3", "--hl7v3"]);
        assert!(done.status.success(), "{done:?}");
        let done = town.run(&["feed", "merge", "P-1", "P-3", "--hl7v3"]);
        assert!(done.status.success(), "{done:?}");
        assert_eq!(found(&town, "P-3").await.len(), 1);
        let done = town.run(&["feed", "merge", "P-9", "P-3", "--hl7v3"]);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        // A message of one's own, with the line ends of an editor.
        let file = town.folder().join("a05.hl7");
        std::fs::write(&file, feed::add("A05", "P-4").replace('\r', "\n")).unwrap();
        let done = town.run(&["feed", "send", file.to_str().unwrap()]);
        assert!(done.status.success(), "{done:?}");
        registered(&town, "P-4").await;
        // Recorded by the node and by the command.
        for (transaction, records) in [("ITI-8", 7), ("ITI-44", 5)] {
            town.expected
                .add(transaction, "Patient Record", 2 * records);
        }
        town.stop();
        let done = town.run(&["feed", "add", "P-5"]);
        assert_eq!(done.status.code(), Some(3), "{done:?}");
        town.expected.add("ITI-8", "Patient Record", 1);
    }
}

/// A node that stops answers what it has taken.
#[tokio::test]
async fn it_stops_gracefully() {
    let mut town = strict(true);
    let mut source = feed::Source::of(&town).await;
    assert_eq!(source.tell(&feed::add("A04", "P-1")).await.code, "AA");
    town.expected.add("ITI-8", "Patient Record", 1);
    // The connection is open and idle.
    town.stop();
}
