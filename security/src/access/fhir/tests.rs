use proptest::prelude::*;

use xds_schemas::affinity_codes::AffinityCodes;

use super::*;
use crate::access::{Policy, Provision, Status, Vocabulary, Wish};

/// What somebody else's software would send.
const NOT_THIS_ORGANISATION: &str = r#"{
  "resourceType": "Consent", "id": "c1", "status": "active",
  "meta": {"profile": ["https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentBasic"]},
  "text": {"status": "generated", "div": "<div>…</div>"},
  "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
  "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
  "patient": {"reference": "Patient/7", "identifier": {"system": "urn:oid:1.2.3", "value": "P&1"}},
  "dateTime": "2026-11-27",
  "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
  "provision": {
    "type": "deny",
    "period": {"start": "2026", "end": "2027-06"},
    "actor": [{
      "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
      "reference": {"reference": "Organization/2", "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.1"}}
    }],
    "provision": [{
      "type": "permit",
      "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "ETREAT"}],
      "securityLabel": [{"code": "N"}],
      "data": [{"meaning": "instance", "reference": {"identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3.4"}}}]
    }]
  }
}"#;

#[test]
fn a_consent_of_another_system_is_understood() {
    let consent = Consent::from_fhir(NOT_THIS_ORGANISATION.as_bytes()).unwrap();
    assert_eq!(consent.id, "c1");
    assert_eq!(consent.patient_id, r"P\T\1^^^&1.2.3&ISO");
    assert_eq!(consent.base, Some(Wish::Permit));
    let [deny] = consent.provisions.as_slice() else {
        panic!("{consent:?}");
    };
    assert_eq!(deny.wish, Wish::Deny);
    assert_eq!(deny.organisations, ["urn:oid:1.1"]);
    assert!(deny.actors.is_empty());
    let [permit] = deny.provisions.as_slice() else {
        panic!("{deny:?}");
    };
    let purpose = "ETREAT^^http://terminology.hl7.org/CodeSystem/v3-ActReason";
    assert_eq!(permit.purposes, [purpose]);
    assert_eq!(permit.confidentiality_codes, ["N"]);
    assert_eq!(permit.documents, ["1.2.3.4"]);
    // The whole of June is within.
    let until = crate::access::moment::fhir("2027-07").unwrap().0;
    assert_eq!(deny.period.until, Some(until));
}

#[test]
fn a_provision_without_conditions_says_what_is_wished_of_everything() {
    let with = |rest: &str| {
        let json = format!(
            r#"{{"resourceType": "Consent", "status": "active",
                "patient": {{"identifier": {{"system": "urn:oid:1.2.3", "value": "P1"}}}}{rest}}}"#
        );
        Consent::from_fhir(json.as_bytes())
    };
    let read = with(r#", "provision": {"type": "deny"}"#).unwrap();
    assert_eq!((read.base, read.provisions.len()), (Some(Wish::Deny), 0));
    let opted = r#", "policyRule": {"coding": [{"code": "OPTOUT"}]}"#;
    assert_eq!(with(opted).unwrap().base, Some(Wish::Deny));
    // A permission with a condition is silent on the rest.
    let purpose = r#", "provision": {"type": "permit", "purpose": [{"code": "TREAT"}]}"#;
    let read = with(purpose).unwrap();
    assert_eq!((read.base, read.provisions.len()), (None, 1));
    let refused = |rest: &str| with(rest).unwrap_err().0;
    assert!(refused("").starts_with("provision.type"));
    assert!(refused(r#", "provision": {"purpose": [{"code": "TREAT"}]}"#).contains("type"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn what_would_change_the_meaning_and_is_not_understood_is_refused() {
    let whole: serde_json::Value = serde_json::from_str(NOT_THIS_ORGANISATION).unwrap();
    let changed = |path: &str, value: serde_json::Value| {
        let mut changed = whole.clone();
        let (parent, key) = path.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[key] = value;
        Consent::from_fhir(changed.to_string().as_bytes())
            .unwrap_err()
            .0
    };
    let json = |text: &str| serde_json::from_str(text).unwrap();
    let cases = [
        ("/resourceType", r#""Patient""#, "resourceType"),
        ("/status", r#""valid""#, "status"),
        (
            "/modifierExtension",
            r#"[{"url": "urn:x"}]"#,
            "modifierExtension",
        ),
        ("/implicitRules", r#""urn:x""#, "implicitRules"),
        ("/dateTime", r#""yesterday""#, "dateTime"),
        (
            "/patient",
            r#"{"reference": "Patient/7"}"#,
            "patient.identifier",
        ),
        ("/provision/type", r#""allow""#, "provision.type"),
        (
            "/provision/dataPeriod",
            r#"{"start": "2026"}"#,
            "dataPeriod",
        ),
        (
            "/provision/period",
            r#"{"start": "soon"}"#,
            "provision.period.start",
        ),
        (
            "/provision/action",
            r#"[{"coding": [{"code": "correct"}]}]"#,
            "provision.action",
        ),
        (
            "/provision/purpose",
            r#"[{"display": "research"}]"#,
            "provision.purpose",
        ),
        (
            "/provision/actor",
            r#"[{"reference": {"reference": "Organization/1"}}]"#,
            "identifier",
        ),
        (
            "/provision/data",
            r#"[{"meaning": "related", "reference": {}}]"#,
            "meaning",
        ),
        (
            "/provision/data",
            r#"[{"meaning": "instance", "reference": {}}]"#,
            "identifier",
        ),
        (
            "/provision/provision",
            r#"[{}]"#,
            "provision.provision.type",
        ),
        ("/provision/actor", r#""nobody""#, "line 1"),
    ];
    for (path, value, expected) in cases {
        let refused = changed(path, json(value));
        assert!(refused.contains(expected), "{path}: {refused}");
        assert!(!refused.contains("P&1"), "{refused}");
    }
    let mut deep = json(r#"{"type": "deny"}"#);
    for _ in 0..20 {
        deep = serde_json::json!({"type": "deny", "provision": [deep]});
    }
    assert!(changed("/provision", deep).contains("too many"));
}

#[test]
fn bundles_hold_all_consents_of_a_patient() {
    let entry = |resource: &str| format!(r#"{{"resource": {resource}}}"#);
    let bundle = |entries: &[String], more: &str| {
        let entries = entries.join(",");
        format!(r#"{{"resourceType": "Bundle", "type": "searchset"{more}, "entry": [{entries}]}}"#)
    };
    let two = [
        entry(NOT_THIS_ORGANISATION),
        entry(r#"{"resourceType": "OperationOutcome"}"#),
    ];
    let found = consents_of(bundle(&two, "").as_bytes()).unwrap();
    assert_eq!(found.len(), 1);
    let none = consents_of(br#"{"resourceType": "Bundle", "total": 0}"#).unwrap();
    assert!(none.is_empty());
    // Some of them would be worse than none.
    let next = r#", "link": [{"relation": "next", "url": "?page=2"}]"#;
    assert!(consents_of(bundle(&two, next).as_bytes()).is_err());
    let strange = [entry(r#"{"resourceType": "Patient"}"#)];
    assert!(consents_of(bundle(&strange, "").as_bytes()).is_err());
    assert!(consents_of(NOT_THIS_ORGANISATION.as_bytes()).is_err());
}

#[test]
fn consents_are_asked_for_where_the_registry_is() {
    let url = consents_url("https://localhost:18401/registry");
    assert_eq!(url, "https://localhost:18401/fhir/Consent");
    assert_eq!(consents_url("http://a"), "http://a/fhir/Consent");
    let patient = PatientId::new("P&1 ü", "1.2.3");
    let search = search_of(&patient);
    assert_eq!(
        search,
        "patient:identifier=urn%3Aoid%3A1.2.3%7CP%261%20%C3%BC"
    );
    for name in ["patient", "patient:identifier", "patient.identifier"] {
        let read = searched_patient(name, "urn:oid:1.2.3|P&1 ü");
        assert_eq!(read.unwrap().unwrap(), patient);
    }
    assert!(searched_patient("status", "active").is_none());
    assert!(searched_patient("patient", "Patient/7").unwrap().is_err());
    assert!(
        searched_patient("patient", "urn:oid:1.2.3|")
            .unwrap()
            .is_err()
    );
}

fn provisions(depth: u32) -> BoxedStrategy<Provision> {
    let texts = |pattern: &'static str| prop::collection::vec(pattern, 0..3);
    let wish = prop_oneof![Just(Wish::Permit), Just(Wish::Deny)];
    let moment = prop::option::of(
        (1_u64..4_000_000_000)
            .prop_map(|seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)),
    );
    let within = match depth {
        0 => Just(Vec::new()).boxed(),
        _ => prop::collection::vec(provisions(depth - 1), 0..3).boxed(),
    };
    let names = "[a-z]{1,6}(\\|[a-z]{1,6})?";
    let codes = "[A-Z]{1,4}(\\^\\^[0-9]{1,2}\\.[0-9]{1,2})?";
    let who = (texts(names), texts(names), texts(codes), texts(codes));
    let what = (texts(codes), texts(codes), texts("1(\\.[1-9][0-9]?){1,4}"));
    (wish, moment.clone(), moment, who, what, within)
        .prop_map(|(wish, from, until, who, what, provisions)| Provision {
            wish,
            period: crate::access::Period { from, until },
            organisations: who.0,
            actors: who.1,
            roles: who.2,
            purposes: who.3,
            confidentiality_codes: what.0,
            class_codes: what.1,
            documents: what.2,
            provisions,
        })
        .boxed()
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        base in prop_oneof![Just(Wish::Permit), Just(Wish::Deny)],
        provisions in prop::collection::vec(provisions(2), 0..3),
        status in prop::sample::select(Status::ALL.to_vec()),
    ) {
        let consent = Consent {
            status,
            base: Some(base),
            provisions,
            ..Consent::of("c-1", "P1^^^&1.2.3&ISO", base)
        };
        let read = Consent::from_fhir(consent.to_fhir().as_bytes()).unwrap();
        prop_assert_eq!(read, consent);
    }

    #[test]
    fn bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Consent::from_fhir(&bytes);
        let _ = consents_of(&bytes);
    }

    #[test]
    fn mutilated_consents_are_read_or_refused(at in 0..2_000_usize, byte in any::<u8>()) {
        let mut bytes = NOT_THIS_ORGANISATION.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Consent::from_fhir(&bytes);
    }
}

/// What can never be about anything is refused when it is handed in, with its place and the nearest word.
#[test]
#[expect(clippy::too_many_lines, reason = "a list of what nobody could heed")]
fn what_nobody_could_heed_is_refused() {
    let rules = "[known]\npurpose = [\"AUDIT\"]\nrole = [\"physician\", \"nurse^^1.9\"]\n";
    let policy = Policy::parse(rules, &Vocabulary::default()).unwrap();
    let codes = AffinityCodes::parse(
        r#"<Codes>
        <CodeType name="confidentialityCode" classScheme="">
          <Code code="N" display="" codingScheme="2.16.840.1.113883.5.25"/>
        </CodeType>
        <CodeType name="classCode" classScheme=""><Code code="REPORTS" display="" codingScheme="1.3"/></CodeType>
        <CodeType name="typeCode" classScheme=""><Code code="18748-4" display="" codingScheme="2.16.840.1.113883.6.1"/></CodeType>
        <CodeType name="formatCode" classScheme=""><Code code="urn:f" display="" codingScheme="1.4"/></CodeType>
        </Codes>"#,
    );
    let codes = codes.unwrap();
    let known = Known {
        policy: Some(&policy),
        codes: Some(&codes),
    };
    let json = |provision: &str| {
        format!(
            r#"{{"resourceType": "Consent", "status": "active",
            "patient": {{"identifier": {{"system": "urn:oid:1.2.3", "value": "P-1"}}}},
            "provision": {{"type": "permit", "provision": [{{"type": "deny", {provision}}}]}}}}"#
        )
    };
    const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    let actor = |kind: &str, value: &str| {
        format!(
            r#""actor": [{{"reference": {{"type": "{kind}", "identifier": {{"value": "{value}"}}}}}}]"#
        )
    };
    let role = |code: &str| {
        format!(
            r#""actor": [{{"reference": {{"type": "PractitionerRole"}}, "role": {{"coding": [{{"code": "{code}"}}]}}}}]"#
        )
    };
    for taken in [
        format!(r#""purpose": [{{"system": "{ACT_REASON}", "code": "TREAT"}}]"#),
        r#""purpose": [{"code": "AUDIT"}]"#.to_owned(),
        r#""purpose": [{"system": "urn:oid:1.2.3", "code": "whatever"}]"#.to_owned(),
        r#""securityLabel": [{"code": "N"}]"#.to_owned(),
        r#""class": [{"code": "REPORTS"}]"#.to_owned(),
        r#""code": [{"coding": [{"system": "http://loinc.org", "code": "18748-4"}]}]"#.to_owned(),
        actor("Organization", "urn:oid:1.2.3"),
        actor("Practitioner", "dr.welby"),
        role("nurse"),
    ] {
        let read = Consent::from_fhir_knowing(json(&taken).as_bytes(), &known);
        assert!(read.is_ok(), "{taken}: {read:?}");
    }
    let within = "provision.provision";
    for (refused, place, hint) in [
        (
            format!(r#""purpose": [{{"system": "{ACT_REASON}", "code": "TRAET"}}]"#),
            "purpose",
            "did you mean TREAT?",
        ),
        (
            r#""purpose": [{"code": "AUDI"}]"#.to_owned(),
            "purpose",
            "AUDIT?",
        ),
        (
            r#""securityLabel": [{"code": "V"}]"#.to_owned(),
            "securityLabel",
            "N?",
        ),
        (
            r#""securityLabel": [{"system": "1.2.3", "code": "N"}]"#.to_owned(),
            "securityLabel",
            "N?",
        ),
        (
            r#""class": [{"code": "REPORT"}]"#.to_owned(),
            "class",
            "REPORTS?",
        ),
        (
            r#""code": [{"coding": [{"code": "18748-5"}]}]"#.to_owned(),
            "code",
            "18748-4?",
        ),
        (
            actor("Organisation", "urn:oid:1.2.3"),
            "actor.reference.type",
            "Organization?",
        ),
        (
            actor("Organization", "urn:oid:1.2.x"),
            "actor.reference.identifier",
            "no OID",
        ),
        (
            r#""purpose": [{"system": "urn:oid:2.16.840.1.113883.5.8x", "code": "TREAT"}]"#
                .to_owned(),
            "purpose",
            "no OID",
        ),
        (
            r#""code": [{"coding": [{"system": "urn:oid:", "code": "18748-4"}]}]"#.to_owned(),
            "code",
            "no OID",
        ),
        (role("physican"), "actor.role", "physician?"),
        (
            r#""period": {"start": "2027", "end": "2026"}"#.to_owned(),
            "period",
            "ends before",
        ),
    ] {
        let read = Consent::from_fhir_knowing(json(&refused).as_bytes(), &known);
        let error = read.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{within}.{place}: ")),
            "{refused}: {error}"
        );
        assert!(error.contains(hint), "{refused}: {error}");
        let withdrawn = json(&refused).replace("active", "inactive");
        assert!(
            Consent::from_fhir_knowing(withdrawn.as_bytes(), &known).is_ok(),
            "{refused}"
        );
        // What is kept already counts as it did.
        assert!(
            Consent::from_fhir(json(&refused).as_bytes()).is_ok(),
            "{refused}"
        );
    }
    let rule = |code: &str| {
        format!(
            r#"{{"resourceType": "Consent", "status": "active",
            "patient": {{"identifier": {{"system": "urn:oid:1.2.3", "value": "P-1"}}}},
            "policyRule": {{"coding": [{{"code": "{code}"}}]}}, "provision": {{"type": "deny"}}}}"#
        )
    };
    let read = |code: &str| Consent::from_fhir_knowing(rule(code).as_bytes(), &known);
    assert!(read("OPTOUT").is_ok());
    assert!(
        read("OPTOUTE")
            .unwrap_err()
            .to_string()
            .starts_with("policyRule: ")
    );
}
