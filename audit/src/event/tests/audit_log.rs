//! What is recorded of the log of an Audit Record Repository.

use super::*;
use crate::event::removed_records;

const LOG: &str = "https://audit.example:18404/fhir/AuditEvent";

pub(super) fn all() -> Vec<Event> {
    let (parties, ok) = (answered(), &Outcome::Success);
    let used = |how, query| Event::audit_log_used(how, &parties, LOG, query, ok);
    vec![
        used(AuditLogUse::RetrieveAuditEvent, Some("date=ge2026&type=x")),
        used(AuditLogUse::RetrieveSyslogEvent, Some("date=le2026")),
        used(AuditLogUse::Record, None),
        Event::records_removed(0, 1000),
        Event::audit_log_changed(LOG, "the first 7 records are not those of yesterday"),
    ]
}

/// DICOM PS3.15 A.5.3.2: the log is an object with a name of its own, and who reads it is named.
#[test]
fn reading_the_log_is_told() {
    let xml = written(&all()[0]).remove(0);
    for said in [
        r#"EventActionCode="R""#,
        r#"<EventID csd-code="110101" codeSystemName="DCM" originalText="Audit Log Used"/>"#,
        r#"<EventTypeCode csd-code="ITI-81" codeSystemName="IHE Transactions""#,
        r#"UserName="CN=viewer.example, O=Example &amp; Sons""#,
        r#"<ParticipantObjectName>Security Audit Log</ParticipantObjectName>"#,
        r#"ParticipantObjectTypeCodeRole="13""#,
        &BASE64.encode("date=ge2026&type=x"),
    ] {
        assert!(xml.contains(said), "{said}: {xml}");
    }
}

#[test]
fn what_was_removed_can_be_read_again() {
    let xml = written(&all()[3]).remove(0);
    let summary = Summary::read(xml.as_bytes()).unwrap();
    assert_eq!(summary.action, "D");
    assert_eq!(removed_records(&summary.objects[0]), Some(0..1000));
    for other in [
        "",
        "urn:hilum:audit:records:",
        "urn:hilum:audit:records:1-x",
    ] {
        assert_eq!(removed_records(other), None);
    }
    let endless = format!("urn:hilum:audit:records:0-{}", u64::MAX);
    assert_eq!(removed_records(&endless), None);
}
