//! What is written for each happening, checked as text and against the schema.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hilum_security::{Caller, NodeName, User};
use xds_schemas::soap::Fault;

use super::*;
use crate::moment::Moment;
use crate::summary::Summary;

const ENDPOINT: &str = "https://xds.example:18401/registry";
const PATIENT: &str = "P1^^^&1.2.3&ISO";

fn source() -> Source {
    Source {
        id: "hilum@xds.example".to_owned(),
        enterprise_site: Some("1.2.3.4".to_owned()),
        host: "xds.example".to_owned(),
        process: "4711".to_owned(),
    }
}

fn written(event: &Event) -> Vec<String> {
    let moment = Moment::of(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    event.xml(&source(), moment)
}

fn caller() -> Caller {
    let address: SocketAddr = "192.0.2.7:50000".parse().unwrap();
    Caller {
        node: Some(NodeName {
            subject: "CN=viewer.example, O=Example & Sons".to_owned(),
            fingerprint: "ab".repeat(32),
        }),
        user: Some(User {
            name: "dr.who".to_owned(),
            issuer: "idp.example".to_owned(),
        }),
        address,
    }
}

fn answered() -> Parties {
    Parties::answered(&caller(), ENDPOINT)
}

fn set() -> SubmissionSet<'static> {
    SubmissionSet {
        unique_id: "1.2.3.9",
        patient: Some(PATIENT),
    }
}

fn document() -> Document {
    Document {
        unique_id: "1.2.3.5".to_owned(),
        repository_unique_id: "1.2.3.6".to_owned(),
        home_community_id: Some("urn:oid:1.2.3.7".to_owned()),
    }
}

fn study() -> Study {
    Study {
        instance_uid: "1.2.3.10".to_owned(),
        sop_classes: vec![("1.2.840.10008.5.1.4.1.1.2".to_owned(), 90)],
        repository_unique_id: Some("1.2.3.6".to_owned()),
        home_community_id: None,
    }
}

fn query<'a>(patients: &'a [&'a str]) -> Query<'a> {
    Query {
        id: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
        request: "<query:AdhocQueryRequest/>",
        patients,
        home_community_id: Some("urn:oid:1.2.3.7"),
    }
}

/// Every happening, from both sides.
fn all() -> Vec<Event> {
    let success = &Outcome::Success;
    let partial = &Outcome::Partial("XDSDocumentUniqueIdError".to_owned());
    let fault = Fault::not_permitted("a caller without a certificate may not query here");
    let mut all = Vec::new();
    for parties in [answered(), Parties::asked(ENDPOINT)] {
        all.push(Event::provided(&parties, set(), success));
        all.push(Event::registered(&parties, set(), partial));
        all.push(Event::imaging_provided(&parties, set(), success));
        all.push(Event::queried(&parties, query(&[PATIENT, "P2"]), success));
        all.push(Event::queried(&parties, query(&[]), partial));
        all.push(Event::retrieved(
            &parties,
            Some(PATIENT),
            &[document()],
            success,
        ));
        all.push(Event::submitted(
            Transaction::RegisterOnDemand,
            &parties,
            set(),
            success,
        ));
        all.push(Event::documents_removed(
            &parties,
            Some(PATIENT),
            &[document()],
            partial,
        ));
        all.push(Event::imaging_retrieved(
            &parties,
            None,
            &[study()],
            success,
        ));
    }
    all.push(Event::application_started("hilum registry"));
    all.push(Event::application_stopped("hilum registry"));
    all.push(Event::node_not_authenticated(
        &Caller::unknown(caller().address),
        &fault,
    ));
    all.push(Event::refused(&caller(), &fault));
    all.push(Event::refused(&caller(), &Fault::receiver("lost")));
    all.push(Event::refused(
        &caller(),
        &Fault::action_not_supported("urn:none"),
    ));
    all
}

fn summary(event: &Event) -> Summary {
    Summary::read(written(event)[0].as_bytes()).unwrap()
}

#[test]
fn a_query_as_the_registry_records_it() {
    let event = Event::queried(&answered(), query(&[PATIENT]), &Outcome::Success);
    let request = BASE64.encode("<query:AdhocQueryRequest/>");
    let home = BASE64.encode("urn:oid:1.2.3.7");
    let encoding = BASE64.encode("UTF-8");
    let expected = [
        r#"<AuditMessage><EventIdentification EventActionCode="E" EventDateTime="2023-11-14T22:13:20.000Z" EventOutcomeIndicator="0">"#,
        r#"<EventID csd-code="110112" codeSystemName="DCM" originalText="Query"/>"#,
        r#"<EventTypeCode csd-code="ITI-18" codeSystemName="IHE Transactions" originalText="Registry Stored Query"/>"#,
        r#"</EventIdentification>"#,
        r#"<ActiveParticipant UserID="http://www.w3.org/2005/08/addressing/anonymous" UserName="CN=viewer.example, O=Example &amp; Sons" UserIsRequestor="true" NetworkAccessPointID="192.0.2.7" NetworkAccessPointTypeCode="2">"#,
        r#"<RoleIDCode csd-code="110153" codeSystemName="DCM" originalText="Source Role ID"/></ActiveParticipant>"#,
        r#"<ActiveParticipant UserID="https://xds.example:18401/registry" AlternativeUserID="4711" UserIsRequestor="false" NetworkAccessPointID="xds.example" NetworkAccessPointTypeCode="1">"#,
        r#"<RoleIDCode csd-code="110152" codeSystemName="DCM" originalText="Destination Role ID"/></ActiveParticipant>"#,
        r#"<ActiveParticipant UserID="&lt;dr.who@idp.example&gt;" UserName="&lt;dr.who@idp.example&gt;" UserIsRequestor="true" NetworkAccessPointID="192.0.2.7" NetworkAccessPointTypeCode="2"/>"#,
        r#"<AuditSourceIdentification AuditEnterpriseSiteID="1.2.3.4" AuditSourceID="hilum@xds.example">"#,
        r#"<AuditSourceTypeCode csd-code="4" codeSystemName="DCM" originalText="Application Server process or thread"/></AuditSourceIdentification>"#,
        r#"<ParticipantObjectIdentification ParticipantObjectID="P1^^^&amp;1.2.3&amp;ISO" ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1">"#,
        r#"<ParticipantObjectIDTypeCode csd-code="2" codeSystemName="RFC-3881" originalText="Patient Number"/></ParticipantObjectIdentification>"#,
        r#"<ParticipantObjectIdentification ParticipantObjectID="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d" ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="24">"#,
        r#"<ParticipantObjectIDTypeCode csd-code="ITI-18" codeSystemName="IHE Transactions" originalText="Registry Stored Query"/>"#,
        &format!("<ParticipantObjectQuery>{request}</ParticipantObjectQuery>"),
        &format!(r#"<ParticipantObjectDetail type="QueryEncoding" value="{encoding}"/>"#),
        &format!(
            r#"<ParticipantObjectDetail type="urn:ihe:iti:xca:2010:homeCommunityId" value="{home}"/>"#
        ),
        "</ParticipantObjectIdentification></AuditMessage>",
    ]
    .concat();
    assert_eq!(written(&event), [expected]);
}

#[test]
fn events_and_actions_of_both_sides() {
    let of = |event: Event| {
        let summary = summary(&event);
        let transaction = summary.transaction.unwrap_or_default();
        format!("{transaction} {} {}", summary.event, summary.action)
    };
    let (here, there) = (answered(), Parties::asked(ENDPOINT));
    let ok = &Outcome::Success;
    assert_eq!(of(Event::provided(&there, set(), ok)), "ITI-41 Export R");
    assert_eq!(of(Event::provided(&here, set(), ok)), "ITI-41 Import C");
    assert_eq!(of(Event::registered(&there, set(), ok)), "ITI-42 Export R");
    assert_eq!(of(Event::registered(&here, set(), ok)), "ITI-42 Import C");
    assert_eq!(
        of(Event::imaging_provided(&there, set(), ok)),
        "RAD-68 Export R"
    );
    assert_eq!(of(Event::queried(&there, query(&[]), ok)), "ITI-18 Query E");
    assert_eq!(
        of(Event::retrieved(&there, None, &[document()], ok)),
        "ITI-43 Import C"
    );
    assert_eq!(
        of(Event::retrieved(&here, None, &[document()], ok)),
        "ITI-43 Export R"
    );
    let removed = |parties| of(Event::documents_removed(parties, None, &[document()], ok));
    assert_eq!(removed(&there), "ITI-86 Patient Record D");
    assert_eq!(removed(&here), "ITI-86 Patient Record D");
    let on_demand = |parties| {
        of(Event::submitted(
            Transaction::RegisterOnDemand,
            parties,
            set(),
            ok,
        ))
    };
    assert_eq!(on_demand(&there), "ITI-61 Export R");
    assert_eq!(on_demand(&here), "ITI-61 Import C");
    let images = |parties| of(Event::imaging_retrieved(parties, None, &[study()], ok));
    assert_eq!(images(&there), "RAD-69 DICOM Instances Accessed C");
    assert_eq!(images(&here), "RAD-69 DICOM Instances Transferred R");
    assert_eq!(
        of(Event::application_started("x")),
        "110120 Application Activity E"
    );
    assert_eq!(
        of(Event::application_stopped("x")),
        "110121 Application Activity E"
    );
}

#[test]
fn roles_follow_the_data() {
    let event = Event::retrieved(&answered(), Some(PATIENT), &[document()], &Outcome::Success);
    let xml = written(&event).remove(0);
    let (consumer, repository) = (xml.find("192.0.2.7").unwrap(), xml.find("18401").unwrap());
    let destination = xml.find("\"110152\"").unwrap();
    let source = xml.find("\"110153\"").unwrap();
    assert!(consumer < destination && destination < repository && repository < source);
    assert!(xml.contains(r#"type="Repository Unique Id""#));
    assert!(xml.contains(r#"type="ihe:homeCommunityID""#));
}

#[test]
fn own_records_of_a_client_state_its_process() {
    let event = Event::provided(&Parties::asked(ENDPOINT), set(), &Outcome::Success);
    let xml = written(&event).remove(0);
    let initiator = r#"anonymous" AlternativeUserID="4711" UserIsRequestor="true" NetworkAccessPointID="xds.example""#;
    assert!(xml.contains(initiator), "{xml}");
    assert_eq!(xml.matches("AlternativeUserID").count(), 1);
}

#[test]
fn one_message_for_each_patient_and_outcome() {
    let partial = Outcome::Partial("XDSUnknownCommunity".to_owned());
    let event = Event::queried(&answered(), query(&["P1", "P2"]), &partial);
    let summaries: Vec<(Option<String>, String)> = written(&event)
        .iter()
        .map(|xml| Summary::read(xml.as_bytes()).unwrap())
        .map(|summary| (summary.patient, summary.outcome))
        .collect();
    let expected = [("P1", "0"), ("P1", "8"), ("P2", "0"), ("P2", "8")];
    let expected =
        expected.map(|(patient, outcome)| (Some(patient.to_owned()), outcome.to_owned()));
    assert_eq!(summaries, expected);
}

#[test]
fn outcomes_of_responses() {
    let of = |status, any_error| Outcome::of(status, any_error, "X");
    let why = || "X".to_owned();
    assert_eq!(of(ResponseStatus::Success, false), Outcome::Success);
    assert_eq!(of(ResponseStatus::Failure, true), Outcome::Failure(why()));
    assert_eq!(
        of(ResponseStatus::Failure, false),
        Outcome::MinorFailure(why())
    );
    assert_eq!(
        of(ResponseStatus::PartialSuccess, true),
        Outcome::Partial(why())
    );
}

#[test]
fn refusals_are_alerts() {
    let not_permitted = Fault::not_permitted("who are you?");
    let refused = summary(&Event::refused(&caller(), &not_permitted));
    assert_eq!(refused.transaction.as_deref(), Some("110132"));
    assert_eq!(refused.outcome, "8");
    assert_eq!(refused.outcome_description.as_deref(), Some("who are you?"));
    let wrong = summary(&Event::refused(&caller(), &Fault::sender("garbled")));
    assert_eq!(wrong.outcome, "4");
    let stranger = Event::node_not_authenticated(&caller(), &not_permitted);
    let stranger = summary(&stranger);
    assert_eq!(stranger.event, "Security Alert");
    assert_eq!(stranger.transaction.as_deref(), Some("110126"));
}

#[test]
fn every_message_is_valid() {
    // The schema of the IPF project (Apache License 2.0), which adds what IHE adds to DICOM's.
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dicom-audit-2017c.xsd");
    if Command::new("xmllint").arg("--version").output().is_err() {
        eprintln!("NOT CHECKED: messages were not validated, because xmllint is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (at, xml) in all().iter().flat_map(written).enumerate() {
        let file = folder.path().join(format!("{at}.xml"));
        std::fs::write(&file, xml).unwrap();
        files.push(file);
    }
    assert!(files.len() > 20);
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema", schema])
        .args(&files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    eprintln!("{} messages are valid", files.len());
}
