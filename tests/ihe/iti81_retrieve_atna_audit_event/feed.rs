//! ITI-20 with FHIR: events that are fed are found, and given back as they were.

use serde_json::{Value, json};

use super::{JSON, XML, ask, event, get, json_of, total, town};

#[tokio::test]
async fn what_was_fed_is_given_back_as_it_was() {
    let town = town();
    let sent = event("2026-11-21T08:00:00Z");
    let headers = [("content-type", JSON), ("accept", XML)];
    let answer = ask(&town, "POST", "/fhir/AuditEvent", &headers, &sent).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let location = answer.header("location").unwrap().to_owned();
    let id = location.split('/').nth_back(2).unwrap();
    let answer = ask(&town, "GET", &format!("/fhir/AuditEvent/{id}"), &[], "").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("\"valueDecimal\": 1.10"), "{text}");
    let mut got: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(got["meta"]["profile"][0], "urn:x:profile");
    assert_eq!(got["meta"]["versionId"], "1");
    assert_eq!(got["id"], id);
    let mut expected: Value = serde_json::from_str(&sent).unwrap();
    for value in [&mut got, &mut expected] {
        value
            .as_object_mut()
            .unwrap()
            .retain(|name, _| name != "id" && name != "meta");
    }
    assert_eq!(got, expected);
    for query in [
        "patient=Patient/p77",
        "agent=Practitioner/7",
        "user=ruth",
        "address=192.0.2",
    ] {
        assert_eq!(total(&town, query).await, 1, "{query}");
    }
    // It is no syslog message.
    assert_eq!(get(&town, "/syslog?date=ge2000").await, json!([]));
    // As XML, and fed again as XML.
    let path = format!("/fhir/AuditEvent/{id}?_format=xml");
    let xml = ask(&town, "GET", &path, &[], "").await;
    let xml = String::from_utf8(xml.body.to_vec()).unwrap();
    let answer = ask(
        &town,
        "POST",
        "/fhir/AuditEvent",
        &[("content-type", XML)],
        &xml,
    )
    .await;
    assert_eq!(answer.status, 201, "{answer:?} {xml}");
    let id = answer
        .header("location")
        .unwrap()
        .split('/')
        .nth_back(2)
        .unwrap()
        .to_owned();
    let mut again = get(&town, &format!("/fhir/AuditEvent/{id}")).await;
    again
        .as_object_mut()
        .unwrap()
        .retain(|name, _| name != "id" && name != "meta");
    assert_eq!(again, expected);
}

#[tokio::test]
async fn bundles_are_taken_as_far_as_they_can_be() {
    let town = town();
    let good = event("2026-11-21T08:00:00Z");
    let entry = |resource: &str| {
        format!(
            "{{\"resource\":{resource},\"request\":{{\"method\":\"POST\",\"url\":\"AuditEvent\"}}}}"
        )
    };
    let bundle = |kind: &str, entries: &[String]| {
        format!(
            "{{\"resourceType\":\"Bundle\",\"type\":\"{kind}\",\"entry\":[{}]}}",
            entries.join(",")
        )
    };
    let bad = "{\"resourceType\":\"AuditEvent\",\"recorded\":\"yesterday\"}";
    let mixed = [entry(&good), entry(bad), entry(&good)];
    let headers = [("content-type", JSON)];
    let answer = ask(&town, "POST", "/fhir", &headers, &bundle("batch", &mixed)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = json_of(&answer);
    assert_eq!(answer["type"], "batch-response");
    let status = |at: usize| answer["entry"][at]["response"]["status"].as_str().unwrap();
    assert_eq!(
        [status(0), status(1), status(2)],
        ["201 Created", "400 Bad Request", "201 Created"]
    );
    assert_eq!(
        answer["entry"][1]["response"]["outcome"]["resourceType"],
        "OperationOutcome"
    );
    assert_eq!(total(&town, "type=rest").await, 2);
    let location = answer["entry"][2]["response"]["location"].as_str().unwrap();
    let id = location.split('/').nth_back(2).unwrap();
    assert_eq!(
        get(&town, &format!("/fhir/AuditEvent/{id}")).await["id"],
        id
    );
    // A transaction is all or nothing.
    let answer = ask(
        &town,
        "POST",
        "/fhir",
        &headers,
        &bundle("transaction", &mixed),
    )
    .await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let answer = ask(
        &town,
        "POST",
        "/fhir",
        &headers,
        &bundle("transaction", &mixed[2..]),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(total(&town, "type=rest").await, 3);
    for wrong in [
        bundle("batch", &[]),
        bundle("searchset", &mixed),
        good,
        "[".to_owned(),
    ] {
        let answer = ask(&town, "POST", "/fhir", &headers, &wrong).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    // What was refused is in our own records.
    let records = town.messages();
    let refused = records.iter().filter(|it| it.contains("Refused Content"));
    assert_eq!(refused.count(), 6);
}
