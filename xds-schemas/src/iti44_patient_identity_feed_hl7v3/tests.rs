//! Messages that say something, and messages that do not.

use super::*;
use crate::xml::{ToXml, Writer};

fn domain() -> PatientDomain {
    PatientDomain::new("1.2.9")
}

fn written(announcement: &Announcement) -> PatientRecordMessage {
    let transmission = Transmission {
        id: InstanceId::new("2.25.77"),
        processing_code: "P".to_owned(),
        sender: InstanceId::new("1.2.4"),
        receiver: InstanceId::new("1.2.5"),
        ..Transmission::default()
    };
    let now = Timestamp::from_unix(1_700_000_000);
    PatientRecordMessage::of(announcement, transmission, &now)
}

fn xml(message: &PatientRecordMessage) -> String {
    let mut writer = Writer::default();
    message.to_xml(&mut writer);
    writer.finish()
}

fn read(xml: &str) -> Result<PatientRecordMessage, XmlError> {
    let mut reader = Reader::new(xml.as_bytes())?;
    let root = reader.root()?;
    PatientRecordMessage::from_xml(&mut reader, &root)
}

fn all() -> Vec<Announcement> {
    let patient = |id: &str| PatientId::new(id, "1.2.9");
    vec![
        Announcement::Add(vec![patient("P-1 & Söhne"), patient("P-2")]),
        Announcement::Revise(vec![patient("P-1")]),
        Announcement::Merge {
            subsumed: patient("OLD"),
            survivor: patient("NEW"),
        },
    ]
}

#[test]
fn what_was_written_is_read() {
    for announcement in all() {
        let message = written(&announcement);
        let read = read(&xml(&message)).unwrap();
        assert_eq!(read, message);
        assert_eq!(read.announcement(&domain()), Ok(announcement));
    }
}

/// 3.44.4.1.4: identifiers of other domains, if present, are ignored.
#[test]
fn other_domains_are_ignored() {
    let mut message = written(&all()[0]);
    message.subjects.truncate(1);
    message.subjects[0].ids.insert(
        0,
        InstanceId {
            root: "1.2.7".to_owned(),
            extension: Some("L".to_owned()),
        },
    );
    let expected = Announcement::Add(vec![PatientId::new("P-1 & Söhne", "1.2.9")]);
    assert_eq!(message.announcement(&domain()), Ok(expected));
    message.subjects[0].ids.truncate(1);
    let problem = message.announcement(&domain()).unwrap_err();
    assert!(
        problem.contains("1.2.9") && !problem.contains('L'),
        "{problem}"
    );
}

#[test]
fn a_message_names_so_many_patients() {
    let patients = (0..101).map(|at| PatientId::new(format!("P{at}"), "1.2.9"));
    let message = written(&Announcement::Add(patients.collect()));
    let problem = message.announcement(&domain()).unwrap_err();
    assert!(problem.contains("more than 100"), "{problem}");
}

/// 3.44.4.2.2.3 and 3.44.4.2.4.
#[test]
fn merges_name_one_pair_of_the_domain() {
    let merge = xml(&written(&all()[2]));
    for (from, to, said) in [
        (
            r#"root="1.2.9" extension="OLD""#,
            r#"root="1.2.8" extension="OLD""#,
            "priorRegisteredRole/id",
        ),
        (
            r#"<id root="1.2.9" extension="OLD"/>"#,
            "",
            "no priorRegisteredRole/id",
        ),
        (
            r#"<id root="1.2.9" extension="OLD"/>"#,
            r#"<id root="1.2.9" extension="A"/><id root="1.2.9" extension="B"/>"#,
            "several",
        ),
        (
            r#"root="1.2.9" extension="NEW""#,
            r#"root="1.2.8" extension="NEW""#,
            "patient/id",
        ),
        (r#"extension="NEW""#, r#"nullFlavor="UNK""#, "is empty"),
        (
            r#"extension="PRPA_IN201304UV02""#,
            r#"extension="PRPA_IN201301UV02""#,
            "interactionId",
        ),
    ] {
        assert!(merge.contains(from), "{from} in {merge}");
        let message = read(&merge.replace(from, to)).unwrap();
        let problem = message.announcement(&domain()).unwrap_err();
        assert!(problem.contains(said), "{from}: {problem}");
    }
}

#[test]
fn what_is_no_such_message_is_refused() {
    let good = xml(&written(&all()[0]));
    for bad in [
        good.replace("PRPA_IN201301UV02 ", "PRPA_IN201305UV02 "),
        good.replace("urn:hl7-org:v3", "urn:hl7-org:v4"),
        good.replace(r#"<id root="2.25.77"/>"#, ""),
    ] {
        assert!(read(&bad).is_err(), "{bad}");
    }
}
