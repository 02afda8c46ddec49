//! Messages that say something, and messages that do not.

use super::*;

const DOMAIN: &str = "1.2.9";

fn domain() -> PatientDomain {
    PatientDomain {
        namespace: Some("XAD".to_owned()),
        ..PatientDomain::new(DOMAIN)
    }
}

fn patient(id: &str) -> PatientId {
    PatientId::new(id, DOMAIN)
}

fn reread(text: &str) -> Result<Announcement, Refusal> {
    let message = Message::read(text.as_bytes()).unwrap();
    read(&message, &Header::of(&message), &domain())
}

fn adt(trigger: &str, pid3: &str, more: &str) -> String {
    format!(
        "MSH|^~\\&|ADT|HOSPITAL|REG|XDS|20260101||ADT^{trigger}|M1|P|2.3.1\rEVN|{trigger}|20260101\r\
         PID|||{pid3}||Doe^Jane\r{more}"
    )
}

const PV1: &str = "PV1||I\r";

/// 3.8.4.1.1: A01, A04 and A05 create; 3.8.4.1.2.1: the third component of MSH-9 may be there.
#[test]
fn patients_are_added() {
    for trigger in ["A01", "A04", "A05", "A01^ADT_A01", "A05^ADT_A05"] {
        let read = reread(&adt(trigger, "P-1^^^&1.2.9&ISO", PV1));
        assert_eq!(
            read,
            Ok(Announcement::Add(vec![patient("P-1")])),
            "{trigger}"
        );
    }
}

/// 3.8.4.1.4: only identifiers of the affinity domain are kept, wherever they stand in the list, and
/// what the namespace names gets the universal ID of the configuration.
#[test]
fn identifiers_are_those_of_the_domain() {
    for pid3 in [
        "L^^^HOSPITAL~P^^^&1.2.9&ISO~X^^^&1.2.8&ISO",
        "P^^^XAD",
        "P^^^XAD&1.2.9&ISO",
        "P^4^M10^ELSE&1.2.9&ISO^PI~P^^^XAD",
        " P ^^^&1.2.9&ISO",
    ] {
        let read = reread(&adt("A04", pid3, PV1));
        assert_eq!(read, Ok(Announcement::Add(vec![patient("P")])), "{pid3}");
    }
    for pid3 in [
        "P^^^HOSPITAL",
        "P",
        "P^^^",
        "P^^^XAD&1.2.8&ISO",
        "P^^^&1.2.9",
        "P^^^&1.2.9&DNS",
        "P^^^XAD&1.2.9&L",
    ] {
        let refusal = reread(&adt("A04", pid3, PV1)).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::UnknownKey, "{pid3}");
        assert_eq!(refusal.acknowledgement_code(), "AE");
        assert!(refusal.reason.contains("&1.2.9&ISO"), "{}", refusal.reason);
    }
}

/// Whatever delimiters and escapes a sender uses, the identifier is what it means.
#[test]
fn identifiers_are_normalised() {
    let odd = "MSH*:+!@*ADT*H*R*X*2026**ADT:A04*M1*P*2.3.1\rEVN*A04\rPID***P!T!1^&:::@1.2.9@ISO\rPV1**I\r";
    assert_eq!(reread(odd), Ok(Announcement::Add(vec![patient("P@1^&")])));
    let Ok(Announcement::Add(found)) = reread(odd) else {
        panic!("a patient")
    };
    assert_eq!(found[0].to_string(), "P@1\\S\\\\T\\^^^&1.2.9&ISO");
}

#[test]
fn identifiers_that_are_none_are_refused() {
    let long = "P".repeat(251);
    for id in ["", "\"\"", "A\\X07\\B", "\\X0A\\", &long] {
        let refusal = reread(&adt("A04", &format!("{id}^^^&1.2.9&ISO"), PV1)).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::DataType, "{id}");
    }
    let many: Vec<String> = (0..101).map(|at| format!("P{at}^^^&1.2.9&ISO")).collect();
    let refusal = reread(&adt("A04", &many.join("~"), PV1)).unwrap_err();
    assert!(
        refusal.reason.contains("more than 100"),
        "{}",
        refusal.reason
    );
    let refusal = reread(&adt("A04", "", PV1)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::RequiredFieldMissing);
    // Some eight-bit character set that nobody knows: who is meant is not certain.
    let mut bytes = adt("A04", "P?^^^&1.2.9&ISO", PV1).into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xe4;
    let message = Message::read(&bytes).unwrap();
    let refusal = read(&message, &Header::of(&message), &domain()).unwrap_err();
    assert!(refusal.reason.contains("MSH-18"), "{}", refusal.reason);
}

/// 3.8.4.1.4: "A08 – Update Patient Information, if received shall be ignored", so nothing in it is
/// wrong for us.
#[test]
fn updates_are_read_as_such() {
    let read = reread(&adt("A08", "P^^^&1.2.9&ISO", PV1));
    assert_eq!(read, Ok(Announcement::Revise(vec![patient("P")])));
    let read = reread(&adt("A08", "L^^^&1.2.8&ISO", PV1));
    assert_eq!(read, Ok(Announcement::Revise(Vec::new())));
}

/// 3.8.4.2.2: PID-3 survives, MRG-1 is subsumed; PV1 is optional.
#[test]
fn merges_are_read() {
    let expected = Ok(Announcement::Merge {
        subsumed: patient("OLD"),
        survivor: patient("NEW"),
    });
    let pid3 = "L^^^HOSPITAL~NEW^^^&1.2.9&ISO";
    for more in ["MRG|OLD^^^&1.2.9&ISO\r", "MRG|OLD^^^XAD~L2^^^H\rPV1||I\r"] {
        assert_eq!(reread(&adt("A40", pid3, more)), expected);
        assert_eq!(reread(&adt("A40^ADT_A39", pid3, more)), expected);
    }
    for (pid3, more, code) in [
        (pid3, "PV1||I\r", ErrorCode::SegmentSequence),
        (pid3, "MRG|\r", ErrorCode::RequiredFieldMissing),
        (pid3, "MRG|OLD^^^&1.2.8&ISO\r", ErrorCode::UnknownKey),
        (
            "NEW^^^&1.2.8&ISO",
            "MRG|OLD^^^&1.2.9&ISO\r",
            ErrorCode::UnknownKey,
        ),
        (
            pid3,
            "MRG|A^^^&1.2.9&ISO~B^^^&1.2.9&ISO\r",
            ErrorCode::DuplicateKey,
        ),
        (
            pid3,
            "MRG|A^^^&1.2.9&ISO\rPID|||X^^^&1.2.9&ISO\rMRG|B^^^&1.2.9&ISO\r",
            ErrorCode::SegmentSequence,
        ),
    ] {
        let refusal = reread(&adt("A40", pid3, more)).unwrap_err();
        assert_eq!(refusal.code, code, "{more}");
        assert_eq!(refusal.acknowledgement_code(), "AE");
    }
}

/// Table 3.8-1: MSH, EVN, PID and PV1 are required.
#[test]
fn segments_must_be_there() {
    let good = adt("A04", "P^^^&1.2.9&ISO", PV1);
    for name in ["EVN", "PID", "PV1"] {
        let without: Vec<&str> = good
            .split('\r')
            .filter(|it| !it.starts_with(name))
            .collect();
        let refusal = reread(&without.join("\r")).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::SegmentSequence);
        assert!(refusal.reason.contains(name), "{}", refusal.reason);
    }
}

/// ITI TF-2 C.2.3: what is not recognised is rejected, and ERR names the place in MSH-9.
#[test]
fn other_messages_are_rejected() {
    for (from, to, code) in [
        ("ADT^A04", "ORU^R01", ErrorCode::UnsupportedMessageType),
        ("ADT^A04", "ADT^A28", ErrorCode::UnsupportedEvent),
        ("ADT^A04", "ADT", ErrorCode::UnsupportedEvent),
        (
            "ADT^A04",
            "ADT^A04^ADT_A39",
            ErrorCode::UnsupportedMessageType,
        ),
    ] {
        let message = adt("A04", "P^^^&1.2.9&ISO", PV1).replace(from, to);
        let refusal = reread(&message).unwrap_err();
        assert_eq!((refusal.code, refusal.acknowledgement_code()), (code, "AR"));
    }
}

#[test]
fn what_was_written_is_read() {
    let now = Timestamp::from_unix(1_700_000_000);
    let header = Header {
        control_id: "M|1".to_owned(),
        processing_id: "P".to_owned(),
        ..Header::default()
    };
    for announcement in [
        Announcement::Add(vec![patient("P^1"), patient("Jürgen")]),
        Announcement::Revise(vec![patient("P-1")]),
        Announcement::Merge {
            subsumed: patient("A~B"),
            survivor: patient("C\\D"),
        },
    ] {
        let text = announcement.to_message(&header, &now);
        assert_eq!(text.is_ascii(), !text.contains("UNICODE UTF-8"), "{text}");
        assert_eq!(reread(&text), Ok(announcement));
        let read = Header::read(text.as_bytes()).unwrap();
        assert_eq!(read.control_id, "M|1");
        assert_eq!(read.judge(None, None), Ok(()));
    }
}
