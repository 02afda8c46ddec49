//! BPPC: documents in which patients acknowledge policies are consents.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hilum_security::access::{BPPC_FORMATS, Consent, Policy, Status, Vocabulary, Wish};
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::metadata::{Code, DocumentEntry, PatientId, Timestamp};

const RULES: &str = r#"
[policies."1.2.3.1"]
name = "share everything"
wish = "permit"
otherwise = "permit"

[policies."urn:oid:1.2.3.2"]
name = "research by the institute"
wish = "permit"
purpose = "HRESCH"
organisation = "urn:oid:1.9"

[policies."1.2.3.3"]
wish = "deny"
otherwise = "deny"
"#;

fn entry(policies: &[&str]) -> DocumentEntry {
    let code = |code: &str| Code::new(code, "1.3.6.1.4.1.19376.1.2.3", code);
    let time = |text: &str| Timestamp::parse(text).ok();
    DocumentEntry {
        patient_id: Some(PatientId::new("P-1", "1.2.3")),
        format_code: Some(code(BPPC_FORMATS[0])),
        event_codes: policies.iter().map(|it| code(it)).collect(),
        creation_time: time("20261127080000"),
        service_start_time: time("20261201"),
        service_stop_time: time("202612"),
        ..DocumentEntry::new("urn:uuid:1", "1.2.3.4", "text/xml")
    }
}

fn consent(entry: &DocumentEntry) -> Option<Consent> {
    let policy = Policy::parse(RULES, &Vocabulary::default()).unwrap();
    policy.acknowledged(entry)
}

fn seconds(moment: Option<SystemTime>) -> u64 {
    moment
        .unwrap()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

#[test]
fn an_acknowledgement_says_what_its_policy_says() {
    let shared = consent(&entry(&["1.2.3.1"])).unwrap();
    assert_eq!(shared.id, "1.2.3.4");
    assert_eq!(shared.patient_id, "P-1^^^&1.2.3&ISO");
    assert_eq!(
        (shared.status, shared.base),
        (Status::Active, Some(Wish::Permit))
    );
    assert_eq!(seconds(shared.given), 1_795_766_400);
    // From the first of December to the end of the month.
    assert_eq!(seconds(shared.period.from), 1_796_083_200);
    assert_eq!(
        shared.period.until,
        shared
            .period
            .from
            .map(|from| from + Duration::from_secs(31 * 86_400))
    );

    let research = consent(&entry(&["urn:oid:1.2.3.2"])).unwrap();
    assert_eq!(research.base, None);
    assert_eq!(research.provisions[0].purposes, ["HRESCH"]);
    assert_eq!(research.provisions[0].organisations, ["urn:oid:1.9"]);

    // What one policy denies, another does not permit.
    let both = consent(&entry(&["1.2.3.1", "1.2.3.3", "1.2.3.99"])).unwrap();
    assert_eq!((both.base, both.provisions.len()), (Some(Wish::Deny), 2));
}

#[test]
fn only_approved_acknowledgements_of_known_policies_count() {
    let mut withdrawn = entry(&["1.2.3.1"]);
    withdrawn.availability_status = Some(AvailabilityStatus::Deprecated);
    assert_eq!(consent(&withdrawn).unwrap().status, Status::Inactive);
    assert_eq!(consent(&entry(&["1.2.3.99"])), None);
    assert_eq!(consent(&entry(&[])), None);
    let mut report = entry(&["1.2.3.1"]);
    report.format_code = Some(Code::new("urn:ihe:rad:TEXT", "1.3", "Report"));
    assert_eq!(consent(&report), None);
    let mut scanned = entry(&["1.2.3.1"]);
    scanned.format_code = Some(Code::new(BPPC_FORMATS[1], "1.3", "Scanned"));
    assert!(consent(&scanned).is_some());
}
