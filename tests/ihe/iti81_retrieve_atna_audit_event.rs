//! ITI-81 and ITI-82, and the FHIR feed of ITI-20: what comes to the Audit Record Repository is found
//! there, over the wire.

mod feed;
mod people;
mod syslog;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hilum_tests::Town;
use hilum_tests::town::Setup;
use hilum_transport::{HttpAnswer, HttpRequest};
use serde_json::{Value, json};

const JSON: &str = "application/fhir+json";
const XML: &str = "application/fhir+xml";

fn town() -> Town {
    Town::found(Setup {
        audit_repository: true,
        uncounted: true,
        ..Setup::default()
    })
}

async fn ask(
    town: &Town,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> HttpAnswer {
    let url = format!("{}{path}", town.audit_repository());
    let headers: Vec<(&str, String)> = headers
        .iter()
        .map(|(name, it)| (*name, (*it).to_owned()))
        .collect();
    let request = HttpRequest {
        method,
        url: &url,
        headers: &headers,
        body: Bytes::from(body.to_owned()),
    };
    town.client.exchange_http(request, 1 << 24).await.unwrap()
}

fn json_of(answer: &HttpAnswer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

async fn get(town: &Town, path: &str) -> Value {
    let answer = ask(town, "GET", path, &[], "").await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    json_of(&answer)
}

/// How many events a search finds.
async fn total(town: &Town, query: &str) -> u64 {
    let bundle = get(town, &format!("/fhir/AuditEvent?date=ge2026-01-01&{query}")).await;
    bundle["total"].as_u64().unwrap()
}

fn audit_message(time: &str, patient: &str, user: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><AuditMessage><EventIdentification \
         EventActionCode=\"E\" EventDateTime=\"{time}\" EventOutcomeIndicator=\"0\"><EventID \
         csd-code=\"110112\" codeSystemName=\"DCM\" originalText=\"Query\"/><EventTypeCode \
         csd-code=\"ITI-18\" codeSystemName=\"IHE Transactions\" originalText=\"Registry Stored \
         Query\"/></EventIdentification><ActiveParticipant UserID=\"{user}\" \
         AlternativeUserID=\"4711\" UserName=\"Dr Müller\" UserIsRequestor=\"true\" \
         NetworkAccessPointID=\"viewer.example\" NetworkAccessPointTypeCode=\"1\"><RoleIDCode \
         csd-code=\"110153\" codeSystemName=\"DCM\" originalText=\"Source Role ID\"/>\
         </ActiveParticipant><AuditSourceIdentification AuditSourceID=\"viewer\" \
         AuditEnterpriseSiteID=\"ward\"/><ParticipantObjectIdentification \
         ParticipantObjectID=\"{patient}^^^&amp;1.2.3&amp;ISO\" ParticipantObjectTypeCode=\"1\" \
         ParticipantObjectTypeCodeRole=\"1\"><ParticipantObjectIDTypeCode csd-code=\"2\" \
         codeSystemName=\"RFC-3881\" originalText=\"Patient Number\"/>\
         </ParticipantObjectIdentification><ParticipantObjectIdentification \
         ParticipantObjectID=\"urn:uuid:14d4debf\" ParticipantObjectTypeCode=\"2\" \
         ParticipantObjectTypeCodeRole=\"24\"><ParticipantObjectQuery>PGE+PC9hPg==\
         </ParticipantObjectQuery></ParticipantObjectIdentification></AuditMessage>"
    )
}

/// Sends messages over UDP, and waits until they can be found.
async fn send(town: &Town, messages: &[String]) {
    let before = get(town, "/syslogsearch?date=ge2000")
        .await
        .as_array()
        .unwrap()
        .len();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for message in messages {
        socket
            .send_to(message.as_bytes(), ("127.0.0.1", town.port(9)))
            .unwrap();
    }
    let began = Instant::now();
    loop {
        let now = get(town, "/syslogsearch?date=ge2000")
            .await
            .as_array()
            .unwrap()
            .len();
        if now >= before + messages.len() {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{now} of {before} and more"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn event(time: &str) -> String {
    // With a number and spaces as somebody wrote them.
    format!(
        "{{ \"resourceType\": \"AuditEvent\", \"id\": \"mine\",\n  \"extension\": [{{\"url\": \
         \"urn:x:y\", \"valueDecimal\": 1.10}}],\n  \"meta\": {{\"profile\": [\"urn:x:profile\"]}},\n\
         \"type\": {{\"system\": \"http://terminology.hl7.org/CodeSystem/audit-event-type\", \"code\": \
         \"rest\"}}, \"subtype\": [{{\"system\": \"http://hl7.org/fhir/restful-interaction\", \"code\": \
         \"read\"}}], \"action\": \"R\", \"recorded\": \"{time}\", \"outcome\": \"0\", \"agent\": \
         [{{\"who\": {{\"reference\": \"Practitioner/7\"}}, \"name\": \"Ruth\", \"requestor\": true, \
         \"network\": {{\"address\": \"192.0.2.7\", \"type\": \"2\"}}}}], \"source\": {{\"observer\": \
         {{\"identifier\": {{\"value\": \"app\"}}}}}}, \"entity\": [{{\"what\": {{\"reference\": \
         \"Patient/p77\"}}, \"type\": {{\"system\": \
         \"http://terminology.hl7.org/CodeSystem/audit-entity-type\", \"code\": \"1\"}}}}] }}"
    )
}

#[tokio::test]
async fn what_was_sent_by_syslog_is_found_by_everything_it_says() {
    let town = town();
    let header = "<85>1 2026-11-20T10:00:00Z viewer.example viewer 12 IHE+RFC-3881 - ";
    let messages = [
        format!(
            "{header}{}",
            audit_message("2026-11-20T10:00:00Z", "P1", "alice")
        ),
        format!(
            "{header}\u{feff}{}",
            audit_message("2026-11-20T11:00:00Z", "P2", "bob")
        ),
        format!("{header}<AuditMessage><EventIdentification"),
        "<38>1 2026-11-20T12:00:00Z gate sshd 99 - - nothing of audit".to_owned(),
    ];
    send(&town, &messages).await;
    for (query, expected) in [
        ("", 3),
        ("patient.identifier=urn:oid:1.2.3|P1", 1),
        ("patient:identifier=P1", 1),
        ("patient.identifier=P1%5E%5E%5E%261.2.3%26ISO", 1),
        ("patient.identifier=urn:oid:1.2.4|P1", 0),
        ("patient.identifier=P1,P2", 2),
        ("patient.identifier=P1&patient.identifier=P2", 0),
        ("entity.identifier=urn:uuid:14d4debf", 2),
        ("entity-id=14d4debf", 2),
        ("agent.identifier=alice", 1),
        ("altid=4711", 2),
        ("user=alice", 1),
        ("user=m%C3%BCller", 2),
        ("agent-name=dr", 2),
        ("agent-name:contains=LLER", 2),
        ("agent-name:exact=dr", 0),
        ("address=VIEWER", 2),
        ("agent-role=110153", 2),
        (
            "agent-role=http://dicom.nema.org/resources/ontology/DCM|110153",
            2,
        ),
        ("source.identifier=viewer", 2),
        ("site=ward", 2),
        (
            "type=http://dicom.nema.org/resources/ontology/DCM|110112",
            2,
        ),
        ("type=DCM|110112", 2),
        ("type=urn:hilum:audit-event-type|unreadable", 1),
        ("subtype=urn:ihe:event-type-code|ITI-18", 2),
        ("subtype=ITI-43,ITI-18", 2),
        ("subtype=urn:other|ITI-18", 0),
        ("action=E", 2),
        ("outcome=0", 2),
        ("outcome=8", 0),
        ("entity-type=1", 2),
        ("entity-role=24", 2),
        ("date=lt2026-11-20T11:00:00Z", 1),
        ("date=2026-11-20T11:00Z", 1),
        ("_lastUpdated=gt2026-11-26", 3),
        ("_lastUpdated=lt2026-11-26", 0),
        ("unknown-name=1", 3),
    ] {
        assert_eq!(total(&town, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn an_event_says_what_the_message_said() {
    let town = town();
    let message = audit_message("2026-11-20T10:00:00.5+01:00", "P1", "alice");
    send(&town, &[format!("<85>1 - - - - IHE+RFC-3881 - {message}")]).await;
    let bundle = get(&town, "/fhir/AuditEvent?date=2026-11-20").await;
    let event = &bundle["entry"][0]["resource"];
    assert_eq!(
        event["type"]["system"],
        "http://dicom.nema.org/resources/ontology/DCM"
    );
    assert_eq!(event["subtype"][0]["code"], "ITI-18");
    assert_eq!(event["subtype"][0]["system"], "urn:ihe:event-type-code");
    assert_eq!(event["recorded"], "2026-11-20T09:00:00.500Z");
    let agent = &event["agent"][0];
    assert_eq!(agent["who"]["identifier"]["value"], "alice");
    assert_eq!(agent["altId"], "4711");
    assert_eq!(agent["type"]["coding"][0]["code"], "110153");
    assert_eq!(
        agent["network"],
        json!({ "address": "viewer.example", "type": "1" })
    );
    assert_eq!(agent["requestor"], true);
    assert_eq!(event["source"]["site"], "ward");
    let patient = &event["entity"][0]["what"];
    assert_eq!(patient["identifier"]["system"], "urn:oid:1.2.3");
    assert_eq!(patient["identifier"]["value"], "P1");
    assert_eq!(event["entity"][1]["query"], "PGE+PC9hPg==");
    // By itself, and as XML.
    let id = event["id"].as_str().unwrap();
    assert_eq!(&get(&town, &format!("/fhir/AuditEvent/{id}")).await, event);
    let path = format!("/fhir/AuditEvent/{id}");
    let answer = ask(&town, "GET", &path, &[("accept", XML)], "").await;
    assert!(answer.header("content-type").unwrap().starts_with(XML));
    let xml = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(
        xml.contains("<AuditEvent xmlns=\"http://hl7.org/fhir\"><id value="),
        "{xml}"
    );
    assert!(xml.contains("<query value=\"PGE+PC9hPg==\"/>"), "{xml}");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "tables of what is refused")]
async fn what_is_wrong_is_refused_and_recorded() {
    let town = town();
    for (query, status) in [
        ("", 400),
        ("patient.identifier=1", 400),
        ("date=yesterday", 400),
        ("date=ge2026&_count=many", 400),
        ("date=ge2026&type=|", 400),
        ("date=ge2026&type:not=1", 400),
        ("date=ge2026&_sort=name", 400),
        ("date=ge2026&_page=1", 400),
        ("date=ge2026&a=%ff", 400),
        ("date=ge2026&_format=turtle", 406),
        ("date=ge2026", 200),
    ] {
        let path = format!("/fhir/AuditEvent?{query}");
        let answer = ask(&town, "GET", &path, &[], "").await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
        if status != 200 {
            let outcome = json_of(&answer);
            assert_eq!(outcome["resourceType"], "OperationOutcome");
        }
    }
    let strict = [("prefer", "handling=strict")];
    let path = "/fhir/AuditEvent?date=ge2026&unknown=1";
    assert_eq!(ask(&town, "GET", path, &strict, "").await.status, 400);
    let lenient = json_of(&ask(&town, "GET", path, &[], "").await);
    assert_eq!(lenient["entry"][0]["search"]["mode"], "outcome");
    assert!(
        !lenient["link"][0]["url"]
            .as_str()
            .unwrap()
            .contains("unknown")
    );
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = ask(
        &town,
        "POST",
        "/fhir/AuditEvent/_search",
        &form,
        "date=ge2026",
    )
    .await;
    assert_eq!(answer.status, 200);
    for (method, path, status) in [
        ("PUT", "/fhir/AuditEvent", 405),
        ("DELETE", "/fhir/AuditEvent/1", 405),
        ("GET", "/fhir", 405),
        ("GET", "/fhir/AuditEvent/999", 404),
        ("GET", "/fhir/AuditEvent/01", 404),
        ("GET", "/fhir/Patient", 404),
        ("GET", "/syslogsearch", 400),
        ("POST", "/syslogsearch?date=ge2026", 405),
    ] {
        let answer = ask(&town, method, path, &[], "").await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let image = [("accept", "image/png")];
    assert_eq!(
        ask(&town, "GET", "/syslogsearch?date=ge2026", &image, "")
            .await
            .status,
        415
    );
    let xml = [("accept", XML)];
    let answer = ask(&town, "GET", "/fhir/AuditEvent", &xml, "").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(
        text.contains(
            "<OperationOutcome xmlns=\"http://hl7.org/fhir\"><issue><severity value=\"error\"/>"
        ),
        "{text}"
    );
    let statement = get(&town, "/fhir/metadata").await;
    assert_eq!(statement["fhirVersion"], "4.0.1");
    // Each search is an event, whether it was answered or not.
    let used = town
        .records()
        .iter()
        .filter(|it| it["event"] == "Audit Log Used")
        .count();
    assert!(used >= 16, "{used}");
}

#[tokio::test]
async fn pages_stay_the_same_while_events_come() {
    let town = town();
    let headers = [("content-type", JSON)];
    for second in 0..25 {
        let event = event(&format!("2026-11-21T08:00:{second:02}Z"));
        let answer = ask(&town, "POST", "/fhir/AuditEvent", &headers, &event).await;
        assert_eq!(answer.status, 201);
    }
    for sort in ["date", "-date"] {
        let mut path = format!("/fhir/AuditEvent?date=2026-11-21&_count=4&_sort={sort}");
        let mut seen = Vec::new();
        loop {
            let page = get(&town, &path).await;
            let entries = page["entry"].as_array().unwrap();
            assert!(entries.len() <= 4);
            seen.extend(entries.iter().map(|it| it["resource"]["recorded"].clone()));
            // One that comes now is on none of the pages.
            let event = event("2026-11-21T08:00:05.5Z");
            ask(&town, "POST", "/fhir/AuditEvent", &headers, &event).await;
            let links = page["link"].as_array().unwrap();
            let Some(next) = links.iter().find(|it| it["relation"] == "next") else {
                break;
            };
            let url = next["url"].as_str().unwrap();
            path = url
                .strip_prefix(&town.audit_repository())
                .unwrap()
                .to_owned();
        }
        let mut sorted = seen.clone();
        // The half second is after the whole one.
        sorted.sort_by_key(|it| it.as_str().unwrap().replace("05Z", "05.0Z"));
        if sort == "-date" {
            sorted.reverse();
        }
        assert_eq!(seen, sorted);
        let there = if sort == "date" { 25 } else { 25 + 7 };
        assert_eq!(seen.len(), there);
    }
    let count = get(&town, "/fhir/AuditEvent?date=2026-11-21&_summary=count").await;
    assert_eq!(count["entry"], Value::Null);
    assert!(count["total"].as_u64().unwrap() > 32);
}
