//! What is written for each happening, checked as text and against the schema.

mod audit_log;
mod node;

use std::sync::Arc;

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hilum_security::{Caller, NodeName, Shown, User, UserCode};
use xds_schemas::iti8_patient_identity_feed::Announcement;
use xds_schemas::iti64_notify_xad_pid_link_change::LinkChange;
use xds_schemas::metadata::PatientId;
use xds_schemas::soap::Fault;

use super::*;
use crate::moment::Moment;
use crate::summary::Summary;

const ENDPOINT: &str = "https://xds.example:18401/registry";
const PATIENT: &str = "P1^^^&1.2.3&ISO";
const P2: &str = "P2^^^&1.2.3&ISO";

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
            certificate: Shown::default(),
        }),
        user: Some(Arc::new(User {
            name: "dr.who".to_owned(),
            issuer: "idp.example".to_owned(),
            ..User::default()
        })),
        address,
        ae_title: None,
        reply_to: None,
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

fn asked(kind: PatientQueryKind, patients: &[String]) -> PatientQuery<'_> {
    PatientQuery {
        kind,
        message: "2.25.1",
        query: "<queryByParameter/>",
        patients,
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

fn patient(id: &str) -> PatientId {
    PatientId::new(id, "1.2.3")
}

fn changes() -> [Option<Announcement>; 4] {
    [
        Some(Announcement::Add(vec![patient("P1")])),
        Some(Announcement::Revise(vec![patient("P1")])),
        Some(Announcement::Merge {
            subsumed: patient("P2"),
            survivor: patient("P1"),
        }),
        None,
    ]
}

fn link() -> LinkChange {
    LinkChange {
        local: patient("L1"),
        subsumed_local: Some(patient("L2")),
        new: patient("P1"),
        previous: patient("P2"),
        source_id: "1.2.4".to_owned(),
    }
}

/// Every happening, from both sides.
#[expect(clippy::too_many_lines, reason = "a table of every event")]
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
        all.push(Event::sending_begun(&parties, Some(PATIENT), &study()));
        all.push(Event::images_sent(&parties, None, &study(), success));
        all.push(Event::imaging_retrieved(
            &parties,
            None,
            &[study()],
            success,
        ));
        all.push(Event::images_stored(
            &parties,
            Some(PATIENT),
            &[study()],
            partial,
        ));
        all.push(Event::storing_begun(&parties, None, &study()));
        all.push(Event::images_queried(
            &parties,
            "/studies",
            "/studies?PatientName=<&",
            success,
        ));
        for feed in [
            PatientFeed::PatientIdentityFeed,
            PatientFeed::PatientIdentityFeedHl7v3,
        ] {
            for change in changes() {
                let event =
                    Event::patients_announced(feed, &parties, "M1", change.as_ref(), success);
                all.push(event);
            }
        }
        all.push(Event::link_changed(&parties, "M1", &link(), success));
        for kind in [
            PatientQueryKind::Identifiers,
            PatientQueryKind::Demographics,
        ] {
            let patients = [PATIENT.to_owned(), P2.to_owned()];
            all.push(Event::patients_queried(
                &parties,
                asked(kind, &patients),
                success,
            ));
        }
        for what in [
            InboxUse::Listed,
            InboxUse::Fetched(set()),
            InboxUse::Deleted(set()),
        ] {
            all.push(Event::inbox_used(&parties, what, success));
        }
    }
    all.extend(on_media());
    all.extend(of_subscriptions());
    all.extend(node::all());
    all.extend(audit_log::all());
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

/// The XML of every message there can be.
pub(crate) fn every_message() -> Vec<String> {
    let parties = answered();
    let (how, ok) = (AuditLogUse::RetrieveAuditEvent, &Outcome::Success);
    let mut events = all();
    events.extend([
        Event::audit_log_used(how, &parties, ENDPOINT, Some("date=2026"), ok),
        Event::audit_log_used(AuditLogUse::Record, &parties, ENDPOINT, None, ok),
        Event::records_removed(3, 9),
        Event::audit_log_changed("/log", "the first 3 records are not those"),
        Event::feed_refused(&parties, "it is no JSON", b"\xff{"),
    ]);
    events.iter().flat_map(written).collect()
}

/// Every kind of medium, from both sides.
fn on_media() -> Vec<Event> {
    let success = &Outcome::Success;
    let media = [
        Medium::Usb,
        Medium::Email,
        Medium::Cd,
        Medium::Dvd,
        Medium::Uri,
    ];
    let both = |medium| {
        [
            Event::media_written("x", medium, set(), success),
            Event::media_read("x", medium, set(), success),
        ]
    };
    media.into_iter().flat_map(both).collect()
}

fn subscribing() -> Subscribing<'static> {
    Subscribing {
        reference: Some("https://xds.example:18401/registry/subscriptions/1"),
        patient: Some(PATIENT),
        filter: Some("urn:uuid:aa2332d0-f8fe-11e0-be50-0800200c9a66"),
        request: "<wsnt:Subscribe/>",
    }
}

fn told() -> Vec<Notified> {
    [
        NotifiedKind::Stable,
        NotifiedKind::OnDemand,
        NotifiedKind::Folder,
        NotifiedKind::SubmissionSet,
        NotifiedKind::Reference,
    ]
    .map(|kind| Notified {
        kind,
        entry_uuid: "urn:uuid:7edca82f-0000-4000-8000-000000000000".to_owned(),
        home_community_id: Some("urn:oid:1.2.3.7".to_owned()),
    })
    .to_vec()
}

/// Document metadata subscription, from both sides.
fn of_subscriptions() -> Vec<Event> {
    let success = &Outcome::Success;
    let both = [answered(), Parties::asked(ENDPOINT)];
    both.iter()
        .flat_map(|parties| {
            [
                Event::subscribed(parties, subscribing(), success),
                Event::subscribed(parties, Subscribing::default(), success),
                Event::unsubscribed(parties, ENDPOINT, success),
                Event::notified(parties, Some(PATIENT), &told(), success),
                Event::published(parties, None, &told(), success),
                Event::pull_point_created(parties, ENDPOINT, success),
                Event::pull_point_destroyed(parties, ENDPOINT, success),
                Event::pulled(parties, Some(PATIENT), &told(), success),
            ]
        })
        .collect()
}

/// ITI TF-2 3.52.6.1, 3.53.5.1, 3.54.5.1; DSUB Extensions 3.69.5.1, 3.70.5.1.
#[test]
fn subscriptions_and_notifications() {
    let gists: Vec<String> = of_subscriptions()
        .iter()
        .map(|event| {
            let it = summary(event);
            let transaction = it.transaction.unwrap_or_default();
            format!("{transaction} {} {}", it.event, it.action)
        })
        .collect();
    let both_sides = |told: &str, published: &str| {
        [
            "ITI-52 Query C".to_owned(),
            "ITI-52 Query C".to_owned(),
            "ITI-52 Query D".to_owned(),
            format!("ITI-53 {told}"),
            format!("ITI-54 {published}"),
            "ITI-69 Application Activity C".to_owned(),
            "ITI-69 Application Activity D".to_owned(),
            "ITI-70 Query E".to_owned(),
        ]
    };
    let here = both_sides("Import C", "Import C");
    let there = both_sides("Export R", "Export R");
    assert_eq!(gists, [here, there].concat());
    let xml = written(&of_subscriptions()[0]).remove(0);
    let request = BASE64.encode("<wsnt:Subscribe/>");
    assert!(
        xml.contains(&format!("<ParticipantObjectQuery>{request}<")),
        "{xml}"
    );
    assert!(
        xml.contains("ParticipantObjectTypeCodeRole=\"20\""),
        "{xml}"
    );
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
#[expect(clippy::too_many_lines, reason = "a table of every event")]
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
    let sent = |parties| of(Event::images_sent(parties, None, &study(), ok));
    assert_eq!(sent(&there), "RAD-8 DICOM Instances Transferred R");
    assert_eq!(sent(&here), "RAD-8 DICOM Instances Transferred C");
    assert_eq!(
        of(Event::sending_begun(&here, None, &study())),
        "RAD-8 Begin Transferring DICOM Instances E"
    );
    let images = |parties| of(Event::imaging_retrieved(parties, None, &[study()], ok));
    assert_eq!(images(&there), "RAD-69 DICOM Instances Accessed C");
    assert_eq!(images(&here), "RAD-69 DICOM Instances Transferred R");
    let over_the_web =
        |parties, how| of(Event::images_retrieved(how, parties, None, &[study()], ok));
    let (wado, wado_rs) = (ImagesRetrieved::Wado, ImagesRetrieved::WadoRs);
    assert_eq!(
        over_the_web(&there, wado),
        "RAD-55 DICOM Instances Accessed C"
    );
    assert_eq!(
        over_the_web(&here, wado_rs),
        "RAD-107 DICOM Instances Transferred R"
    );
    let stored = |parties| of(Event::images_stored(parties, None, &[study()], ok));
    assert_eq!(stored(&there), "RAD-108 DICOM Instances Transferred R");
    assert_eq!(stored(&here), "RAD-108 DICOM Instances Transferred C");
    assert_eq!(
        of(Event::storing_begun(&here, None, &study())),
        "RAD-108 Begin Transferring DICOM Instances E"
    );
    assert_eq!(
        of(Event::images_queried(&here, "/studies", "/studies?", ok)),
        "RAD-129 Query E"
    );
    assert_eq!(
        of(Event::application_started("x")),
        "110120 Application Activity E"
    );
    assert_eq!(
        of(Event::application_stopped("x")),
        "110121 Application Activity E"
    );
}

/// ITI TF-2 3.8.5.1, 3.8.5.2: facility and application name the ends, MSH-10 the message, and a
/// merge is a deletion and an update.
#[test]
fn patients_are_created_updated_and_merged() {
    let parties = answered().named("H|ADT".to_owned(), "X|REG".to_owned());
    let feed = PatientFeed::PatientIdentityFeed;
    let record = |change: Option<Announcement>| {
        let event =
            Event::patients_announced(feed, &parties, "M1", change.as_ref(), &Outcome::Success);
        written(&event)
    };
    let detail = format!(
        r#"<ParticipantObjectDetail type="MSH-10" value="{}"/>"#,
        BASE64.encode("M1")
    );
    let mut told = Vec::new();
    for xml in changes().into_iter().flat_map(record) {
        assert!(
            xml.contains(r#"UserID="H|ADT""#) && xml.contains(r#"UserID="X|REG""#),
            "{xml}"
        );
        assert!(xml.contains(&detail), "{xml}");
        let summary = Summary::read(xml.as_bytes()).unwrap();
        assert_eq!(summary.event, "Patient Record");
        assert_eq!(summary.transaction.as_deref(), Some("ITI-8"));
        told.push((summary.action, summary.patient.unwrap()));
    }
    let told: Vec<(&str, &str)> = told.iter().map(|(action, id)| (&**action, &**id)).collect();
    assert_eq!(
        told,
        [
            ("C", PATIENT),
            ("U", PATIENT),
            ("D", P2),
            ("U", PATIENT),
            ("U", "none")
        ]
    );
}

/// ITI TF-2 3.64.5.1: one message names all identifiers and what became of them.
#[test]
fn changed_links_name_everybody() {
    let xml = written(&Event::link_changed(
        &answered(),
        "M1",
        &link(),
        &Outcome::Success,
    ));
    assert_eq!(xml.len(), 1);
    let value = |text: &str| BASE64.encode(text);
    for (id, kind, life_cycle) in [
        ("L1", "localPatientId", "1"),
        ("L2", "subsumedPatientId", "14"),
        ("P1", "newPatientId", "1"),
        ("P2", "previousPatientId", "14"),
    ] {
        let object = format!(
            r#"ParticipantObjectID="{id}^^^&amp;1.2.3&amp;ISO" ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1" ParticipantObjectDataLifeCycle="{life_cycle}""#
        );
        assert!(xml[0].contains(&object), "{}", xml[0]);
        assert!(xml[0].contains(&value(kind)), "{kind}");
    }
    let still = LinkChange {
        previous: patient("P1"),
        subsumed_local: None,
        ..link()
    };
    let xml = written(&Event::link_changed(
        &answered(),
        "M1",
        &still,
        &Outcome::Success,
    ));
    assert!(
        !xml[0].contains("ParticipantObjectDataLifeCycle"),
        "{}",
        xml[0]
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

/// ITI TF-2 3.32.5.1: an export for the Portable Media Creator, an import for the Portable Media
/// Importer, each naming the medium by DICOM's CID 405 on its side.
#[test]
fn media_are_named_where_the_data_is() {
    let ok = &Outcome::Success;
    let written_there = Event::media_written("hilum export", Medium::Cd, set(), ok);
    let read_here = Event::media_read("hilum media", Medium::Email, set(), ok);
    for (event, kind, of_medium, of_process, medium) in [
        (&written_there, "110106", "110152", "110153", "110032"),
        (&read_here, "110107", "110153", "110152", "110031"),
    ] {
        let xml = written(event).remove(0);
        assert!(
            xml.contains(&format!("<EventID csd-code=\"{kind}\"")),
            "{xml}"
        );
        let transaction = r#"csd-code="ITI-32" codeSystemName="IHE Transactions" originalText="Distribute Document Set on Media"/>"#;
        assert!(
            xml.contains(&format!("<EventTypeCode {transaction}")),
            "{xml}"
        );
        let id_type = format!("<ParticipantObjectIDTypeCode {transaction}");
        assert!(xml.contains(&id_type), "{xml}");
        let participants: Vec<&str> = xml.split("<ActiveParticipant").skip(1).collect();
        assert_eq!(participants.len(), 2, "{xml}");
        for participant in participants {
            let is_medium = participant.contains("<MediaIdentifier>");
            let role = if is_medium { of_medium } else { of_process };
            assert!(
                participant.contains(&format!("<RoleIDCode csd-code=\"{role}\"")),
                "{xml}"
            );
            assert_eq!(participant.contains("AlternativeUserID"), !is_medium);
            let code = format!("<MediaType csd-code=\"{medium}\" codeSystemName=\"DCM\"");
            assert_eq!(participant.contains(&code), is_medium, "{xml}");
        }
    }
}

/// ITI TF-2 3.40.4.2: records name the user as alias<user@issuer>.
#[test]
fn people_are_recorded_as_assertions_name_them() {
    let code = |code: &str, system: &str, display: Option<&str>| UserCode {
        code: code.to_owned(),
        system: system.to_owned(),
        display: display.map(str::to_owned),
    };
    let user = Arc::new(User {
        name: "John.Doe".to_owned(),
        issuer: "example.com".to_owned(),
        alias: Some("JD".to_owned()),
        roles: vec![
            code("46255001", "2.16.840.1.113883.6.96", Some("Pharmacist")),
            code("nurse", "", None),
        ],
        purposes: vec![code("12", "1.0.14265.1", Some("Law Enforcement"))],
        ..User::default()
    });
    let caller = Caller {
        user: Some(Arc::clone(&user)),
        ..caller()
    };
    let parties = Parties::answered(&caller, ENDPOINT);
    let event = Event::queried(&parties, query(&[PATIENT]), &Outcome::Success);
    let xml = &written(&event)[0];
    for expected in [
        // ITI-20 (DICOM PS3.15 A.5.1): behind the type of the event, before who took part.
        r#"<PurposeOfUse csd-code="12" codeSystemName="1.0.14265.1" originalText="Law Enforcement"/></EventIdentification>"#,
        r#"UserID="JD&lt;John.Doe@example.com&gt;" UserName="JD&lt;John.Doe@example.com&gt;" UserIsRequestor="true""#,
        r#"<RoleIDCode csd-code="46255001" codeSystemName="2.16.840.1.113883.6.96" originalText="Pharmacist"/><RoleIDCode csd-code="nurse" codeSystemName="unspecified" originalText="nurse"/></ActiveParticipant>"#,
    ] {
        assert!(xml.contains(expected), "{expected}: {xml}");
    }
    // A program that a person runs records the same of every message, and nobody twice.
    let asked = Event::queried(
        &Parties::asked(ENDPOINT),
        query(&[PATIENT]),
        &Outcome::Success,
    );
    let own = &written(&asked.on_behalf_of(&user))[0];
    assert!(
        own.contains(r#"UserName="JD&lt;John.Doe@example.com&gt;""#),
        "{own}"
    );
    assert!(own.contains("PurposeOfUse"));
    let again = &written(&event.on_behalf_of(&user))[0];
    assert_eq!(again, xml);
}

/// ITI TF-2 3.45.5.1 and 3.47.5.1.
#[test]
fn who_is_in_an_answer_about_patients_is_recorded_with_the_question() {
    for (kind, transaction) in [
        (PatientQueryKind::Identifiers, "ITI-45"),
        (PatientQueryKind::Demographics, "ITI-47"),
    ] {
        let patients = [PATIENT.to_owned(), P2.to_owned()];
        let event = Event::patients_queried(&answered(), asked(kind, &patients), &Outcome::Success);
        let [xml] = written(&event).try_into().unwrap();
        assert_eq!(
            xml.matches(r#"ParticipantObjectTypeCodeRole="1""#).count(),
            2
        );
        assert!(xml.contains(&BASE64.encode("<queryByParameter/>")), "{xml}");
        assert!(xml.contains(r#"csd-code="110112""#), "{xml}");
        let summary = Summary::read(xml.as_bytes()).unwrap();
        assert_eq!(summary.transaction.as_deref(), Some(transaction));
    }
}
