//! What is recorded of what concerns a node itself.

use super::*;

const POLICY: &str = "urn:hilum:policy";

/// Alerts and decisions of those who run the node.
pub(super) fn all() -> Vec<Event> {
    let (caller, study, ok) = (caller(), study(), &Outcome::Success);
    let decided = |what, instances: &[&str]| {
        let subject = Subject::Study(&study, instances);
        Event::images_decided(what, "hilum reject", Some(PATIENT), subject, ok)
    };
    vec![
        Event::configuration_changed(true, "changed: tls"),
        Event::configuration_changed(false, "changed: limits"),
        Event::permissions_changed(Some(&caller), POLICY, "version 2"),
        Event::permissions_changed(None, POLICY, "version 3"),
        Event::emergency_access(
            &caller,
            Some(PATIENT),
            &["1.2.3.5", "1.2.3.6"],
            "unconscious",
        ),
        Event::user_not_authenticated(&caller, "the assertion has expired"),
        Event::server_not_authenticated("https://xds.example:1/x", "self-signed certificate"),
        decided(Decided::Removed, &[]),
        decided(Decided::Rejected("quality"), &["1.2.3.10.1"]),
        decided(Decided::Released, &["1.2.3.10.1"]),
        decided(Decided::Discarded, &["1.2.3.10.1"]),
        Event::images_decided(
            Decided::Released,
            "hilum quarantine",
            None,
            Subject::Document("1.2.3.11"),
            ok,
        ),
    ]
}

/// PS3.15 A.5.3.2, A.5.3.5, A.5.3.11 and A.5.3.12, with the codes of PS3.16 CID 401.
#[test]
fn what_concerns_the_node_itself() {
    let told: Vec<String> = all()
        .iter()
        .map(|event| {
            let it = summary(event);
            let code = it.transaction.unwrap_or_default();
            format!("{code} {} {} {}", it.event, it.action, it.outcome)
        })
        .collect();
    let expected = [
        "110129 Security Alert E 0",
        "110131 Security Alert E 0",
        "110136 Security Alert E 0",
        "110136 Security Alert E 0",
        "110127 Security Alert E 0",
        "110122 User Authentication E 8",
        "110126 Security Alert E 8",
        "study removal DICOM Study Deleted D 0",
        "rejection DICOM Instances Accessed U 0",
        "quarantine release DICOM Instances Accessed U 0",
        "quarantine discard DICOM Instances Accessed D 0",
        "quarantine release DICOM Instances Accessed U 0",
    ];
    assert_eq!(told, expected);
}

/// A broken glass names the patient, the documents, the node and the person, and the reason.
#[test]
fn emergencies_name_everybody() {
    let event = Event::emergency_access(&caller(), Some(PATIENT), &["1.2.3.5"], "unconscious");
    let xml = written(&event).remove(0);
    let gist = Summary::read(xml.as_bytes()).unwrap();
    assert_eq!(gist.patient.as_deref(), Some(PATIENT));
    assert_eq!(gist.objects, ["192.0.2.7", "1.2.3.5"]);
    let node = "CN=viewer.example, O=Example & Sons";
    assert_eq!(gist.participants[0], node);
    assert!(gist.participants[1].contains("dr.who@idp.example"), "{xml}");
    assert!(xml.contains(&BASE64.encode("unconscious")), "{xml}");
}

/// A server is a participant where it was called, and nobody's certificate is known.
#[test]
fn servers_that_are_not_authenticated() {
    let event = Event::server_not_authenticated("https://xds.example:1/x", "self-signed");
    let xml = written(&event).remove(0);
    let gist = Summary::read(xml.as_bytes()).unwrap();
    assert_eq!(gist.participants, ["hilum", "https://xds.example:1/x"]);
    assert_eq!(gist.objects, ["xds.example"]);
    assert_eq!(gist.outcome_description.as_deref(), Some("self-signed"));
}
