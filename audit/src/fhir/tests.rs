//! Events of FHIR, of our own messages and of others', against rules that are written down here anew.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use xds_schemas::audit_message::AuditMessage;

use super::{balp, from_dicom, judged, read, written};
use crate::event::tests::every_message;
use crate::fhir::from_dicom::Received;
use crate::record_repository::understood_for_tests as understood;

fn received() -> Received {
    Received {
        at: 1_795_000_000_000,
        from: "192.0.2.1".to_owned(),
        sender: Some("CN=sender".to_owned()),
        written: None,
    }
}

fn mapped(xml: &str) -> Value {
    let message = AuditMessage::read(xml.as_bytes()).unwrap();
    let event = from_dicom::event("1", &message, &received());
    serde_json::to_value(event).unwrap()
}

/// What R4 says of an AuditEvent, without a look at how the program knows it.
fn check(event: &Value) {
    everywhere(event);
    for path in [
        "/type/code",
        "/recorded",
        "/source/observer",
        "/agent/0/requestor",
    ] {
        assert!(
            event.pointer(path).is_some_and(|it| !it.is_null()),
            "{path}: {event}"
        );
    }
    let recorded = event["recorded"].as_str().unwrap();
    assert_eq!(
        (recorded.len(), &recorded[10..11], &recorded[23..]),
        (24, "T", "Z")
    );
    let is = |value: &Value, known: &[&str]| value.is_null() || known.iter().any(|it| value == it);
    assert!(is(&event["action"], &["C", "R", "U", "D", "E"]));
    assert!(is(&event["outcome"], &["0", "4", "8", "12"]));
    for agent in event["agent"].as_array().unwrap() {
        assert!(agent["requestor"].is_boolean());
        assert!(is(&agent["network"]["type"], &["1", "2", "3", "4", "5"]));
    }
    for entity in event["entity"].as_array().into_iter().flatten() {
        // sev-1
        assert!(entity["name"].is_null() || entity["query"].is_null());
        for detail in entity["detail"].as_array().into_iter().flatten() {
            assert!(detail["type"].is_string());
            let values = [&detail["valueString"], &detail["valueBase64Binary"]];
            assert_eq!(values.iter().filter(|it| it.is_string()).count(), 1);
        }
    }
}

/// Nothing is empty, and every coding with a code says of which system by a URI.
fn everywhere(value: &Value) {
    match value {
        Value::Null => panic!("nothing stands somewhere"),
        Value::String(text) => assert!(!text.trim().is_empty()),
        Value::Array(values) => {
            assert!(!values.is_empty());
            values.iter().for_each(everywhere);
        }
        Value::Object(object) => {
            assert!(!object.is_empty());
            if let Some(system) = object.get("system") {
                assert!(system.as_str().unwrap().contains(':'), "{system}");
            }
            object.values().for_each(everywhere);
        }
        _ => {}
    }
}

#[test]
fn every_message_of_ours_is_an_audit_event() {
    let messages = every_message();
    assert!(messages.len() > 80, "{}", messages.len());
    for xml in messages {
        let event = mapped(&xml);
        check(&event);
        assert_eq!(judged::event(&event), [], "{xml}");
        // In XML it says the same.
        let document = written::xml(&event);
        let again = read::resource(document.as_bytes()).unwrap();
        assert_eq!(again, event, "{document}");
        // What the message names is in the event.
        let text = event.to_string();
        for code in xml.split("csd-code=\"").skip(1) {
            let code = code.split('"').next().unwrap();
            assert!(text.contains(code), "{code}: {text}");
        }
    }
}

#[test]
fn messages_that_say_little_are_events_too() {
    for xml in [
        "<AuditMessage/>",
        "<AuditMessage><EventIdentification EventActionCode='X' EventOutcomeIndicator='1' \
         EventDateTime='soon'/></AuditMessage>",
        "<AuditMessage><ActiveParticipant UserName='n'/><ParticipantObjectIdentification>\
         <ParticipantObjectName>n</ParticipantObjectName><ParticipantObjectQuery>no base64 !\
         </ParticipantObjectQuery><ParticipantObjectDetail value='?'/><ParticipantObjectDetail \
         type='t'/></ParticipantObjectIdentification></AuditMessage>",
        "<AuditMessage><AuditSourceIdentification/><AuditSourceIdentification AuditSourceID='b'/>\
         <ActiveParticipant UserID='a' NetworkAccessPointTypeCode='9'><RoleIDCode code='x' \
         codeSystemName='my codes'/></ActiveParticipant></AuditMessage>",
    ] {
        let event = mapped(xml);
        check(&event);
        assert_eq!(judged::event(&event), [], "{event}");
    }
    let event = from_dicom::unreadable("7", "line 1", &received());
    let event = serde_json::to_value(event).unwrap();
    check(&event);
    assert_eq!(judged::event(&event), []);
}

fn rest(of_patient: bool) -> String {
    let patient = "<ParticipantObjectIdentification ParticipantObjectID='P1^^^&amp;1.2.3&amp;ISO' \
        ParticipantObjectTypeCode='1' ParticipantObjectTypeCodeRole='1'/>";
    format!(
        "<AuditMessage><EventIdentification EventActionCode='R' EventOutcomeIndicator='0' \
         EventDateTime='2026-11-27T09:00:00Z'><EventID csd-code='rest' \
         codeSystemName='http://terminology.hl7.org/CodeSystem/audit-event-type'/><EventTypeCode \
         csd-code='read' codeSystemName='http://hl7.org/fhir/restful-interaction'/>\
         </EventIdentification><ActiveParticipant UserID='c' NetworkAccessPointID='192.0.2.1' \
         NetworkAccessPointTypeCode='2'><RoleIDCode csd-code='110152' codeSystemName='DCM'/>\
         </ActiveParticipant><ActiveParticipant UserID='s' NetworkAccessPointID='192.0.2.2' \
         NetworkAccessPointTypeCode='2'><RoleIDCode csd-code='110153' codeSystemName='DCM'/>\
         </ActiveParticipant><AuditSourceIdentification AuditSourceID='s'/>\
         <ParticipantObjectIdentification ParticipantObjectID='Observation/1' \
         ParticipantObjectTypeCode='2' ParticipantObjectTypeCodeRole='4'/>{}</AuditMessage>",
        if of_patient { patient } else { "" }
    )
}

#[test]
fn profiles_are_claimed_where_they_are_followed() {
    let profiles = |xml: &str| mapped(xml)["meta"]["profile"].clone();
    let base = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit";
    assert_eq!(profiles(&rest(false)), json!([format!("{base}.Read")]));
    assert_eq!(
        profiles(&rest(true)),
        json!([format!("{base}.PatientRead")])
    );
    for (good, bad) in [
        ("EventActionCode='R'", "EventActionCode='C'"),
        ("EventOutcomeIndicator='0'", "EventOutcomeIndicator='4'"),
        ("csd-code='rest'", "csd-code='110112'"),
        ("csd-code='read'", "csd-code='create'"),
        ("csd-code='110152'", "csd-code='110150'"),
        (
            "NetworkAccessPointID='192.0.2.2' NetworkAccessPointTypeCode='2'",
            "",
        ),
        ("UserID='s'", ""),
        (
            "ParticipantObjectTypeCodeRole='4'",
            "ParticipantObjectTypeCodeRole='13'",
        ),
    ] {
        assert_eq!(
            profiles(&rest(true).replace(good, bad)),
            Value::Null,
            "{bad}"
        );
    }
    let mut query: crate::fhir::audit_event::AuditEvent =
        serde_json::from_value(mapped(&rest(true))).unwrap();
    query.action = Some("E".to_owned());
    query.subtype[0].code = Some("search-type".to_owned());
    let parts = [("110153", 0), ("110152", 1)];
    for (part, at) in parts {
        query.agent[at].kind.as_mut().unwrap().coding[0].code = Some(part.to_owned());
    }
    let asked = &mut query.entity[0];
    asked.role.as_mut().unwrap().code = Some("24".to_owned());
    asked.query = Some("QQ==".to_owned());
    assert!(balp::profiles(&query).is_empty());
    query.entity[0].what = None;
    assert_eq!(balp::profiles(&query), [format!("{base}.PatientQuery")]);
}

fn good() -> Value {
    mapped(&rest(true))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of what may be wrong")]
fn what_breaks_the_rules_is_refused() {
    assert_eq!(judged::event(&good()), []);
    let mut count = 0;
    for (path, value) in [
        ("/type", Value::Null),
        ("/recorded", json!("2026-11-27")),
        ("/recorded", json!("2026-11-27T09:00:00")),
        ("/recorded", json!(7)),
        ("/agent", json!([])),
        ("/agent", json!({ "requestor": true })),
        ("/agent/0/requestor", json!("true")),
        ("/agent/0/network/type", json!("6")),
        ("/action", json!("X")),
        ("/outcome", json!("1")),
        ("/outcome", json!(["0"])),
        ("/source/observer", json!({})),
        ("/source", json!({ "site": "s" })),
        ("/entity/0/query", json!("no base64 !")),
        ("/entity/0/detail", json!([{ "type": "t" }])),
        (
            "/entity/0/detail",
            json!([{ "type": "t", "valueString": "a", "valueBase64Binary": "QQ==" }]),
        ),
        ("/entity/0/what/display", json!(" ")),
        ("/entity/0/what/display", json!("\u{7}")),
        ("/extension", json!([{ "url": "urn:x" }])),
        ("/extension", json!([{ "valueString": "x" }])),
        (
            "/extension",
            json!([{ "url": "urn:x", "valueString": "x", "valueCode": "y" }]),
        ),
        (
            "/text",
            json!({ "status": "generated", "div": "<div>not XHTML</div>" }),
        ),
        (
            "/text",
            json!({ "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p></div>" }),
        ),
        ("/subtype", json!([null])),
        ("/nonsense", json!(1)),
        ("/resourceType", json!("Patient")),
    ] {
        let mut event = good();
        set(&mut event, path, value.clone());
        assert_ne!(judged::event(&event), [], "{path} {value}");
        count += 1;
    }
    assert_eq!(count, 26);
    let mut event = good();
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">a <b>b</b> &amp; c</div>";
    set(
        &mut event,
        "/text",
        json!({ "status": "generated", "div": div }),
    );
    set(
        &mut event,
        "/_recorded",
        json!({ "extension": [{ "url": "urn:x", "valueDateTime": "2026" }] }),
    );
    set(
        &mut event,
        "/extension",
        json!([{ "url": "urn:x", "extension": [{ "url": "a", "valueInteger": 3 }] }]),
    );
    set(&mut event, "/agent/0/policy", json!(["urn:a", "urn:b"]));
    set(&mut event, "/agent/0/_policy", json!([null, { "id": "p" }]));
    assert_eq!(judged::event(&event), []);
    let document = written::xml(&event);
    assert!(document.contains(div), "{document}");
    assert_eq!(
        read::resource(document.as_bytes()).unwrap(),
        event,
        "{document}"
    );
}

fn set(event: &mut Value, path: &str, value: Value) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    let parent = event.pointer_mut(parent).unwrap();
    match value {
        Value::Null => {
            _ = parent
                .as_object_mut()
                .map(|it: &mut Map<_, _>| it.remove(name))
        }
        value => parent[name] = value,
    }
}

const NAMES: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "type",
    "agent",
    "entity",
    "extension",
    "url",
    "what",
    "_id",
    "text",
    "div",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("AuditEvent")),
        Just(json!("Bundle")),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let name = prop::sample::select(NAMES).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn hostile_resources_are_judged(mut resource in any_json()) {
        if resource.is_object() {
            resource["resourceType"] = json!("AuditEvent");
        }
        let sound = judged::event(&resource).is_empty();
        let document = written::xml(&resource);
        if sound {
            prop_assert!(read::resource(document.as_bytes()).is_ok(), "{}", document);
        }
    }

    #[test]
    fn whatever_is_fed_ends(bytes: Vec<u8>, resource in any_json(), place in 0..2000_usize, byte: u8) {
        understood(&bytes);
        understood(resource.to_string().as_bytes());
        let bundle = json!({ "resourceType": "Bundle", "type": "batch", "entry": [resource, { "resource": good() }] });
        let mut bytes = bundle.to_string().into_bytes();
        understood(&bytes);
        if let Some(at) = bytes.get_mut(place) {
            *at = byte;
        }
        understood(&bytes);
        let mut xml = written::xml(&good()).into_bytes();
        if let Some(at) = xml.get_mut(place) {
            *at = byte;
        }
        understood(&xml);
    }
}
