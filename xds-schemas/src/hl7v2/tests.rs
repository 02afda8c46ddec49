//! Messages as senders write them, and bytes that are none.

use proptest::prelude::*;

use super::*;
use crate::metadata::Timestamp;

const MESSAGE: &str = "MSH|^~\\&|ADT^1.2.3^ISO|HOSPITAL|REG|XDS|20260101120000||ADT^A04^ADT_A01|M\\F\\1|P|2.5\r\
    EVN|A04|20260101120000\rPID|1||A^^^&1.2.9&ISO~B\\T\\C^^^HERE||Doe^Jane\\R\\\\.br\\\\X41\\||19700101\rPV1||I\r";

fn read(text: &str) -> Message {
    Message::read(text.as_bytes()).unwrap()
}

#[test]
fn a_message_is_taken_apart() {
    for text in [
        MESSAGE.to_owned(),
        MESSAGE.replace('\r', "\n"),
        MESSAGE.replace('\r', "\r\n"),
        format!("\u{feff}{MESSAGE}\r\n"),
    ] {
        let message = read(&text);
        let names: Vec<&str> = message.segments().map(|one| one.name()).collect();
        assert_eq!(names, ["MSH", "EVN", "PID", "PV1"]);
        let pid = message.segment("PID").unwrap();
        let ids: Vec<String> = pid
            .field(3)
            .repetitions()
            .map(|it| it.component(1).text())
            .collect();
        assert_eq!(ids, ["A", "B&C"]);
        assert_eq!(pid.field(3).component(4).part(2), "1.2.9");
        assert_eq!(pid.field(5).component(2).text(), "Jane~\nA");
        assert_eq!(pid.field(7).component(1).text(), "19700101");
        assert!(pid.field(99).is_empty() && pid.field(5).component(9).text().is_empty());
    }
}

#[test]
fn the_header_is_read_from_the_first_segment() {
    let header = Header::read(MESSAGE.as_bytes()).unwrap();
    assert_eq!(header.sending_application, "ADT^1.2.3^ISO");
    assert_eq!(header.receiving_facility, "XDS");
    assert_eq!((&*header.message_type, &*header.trigger), ("ADT", "A04"));
    assert_eq!((&*header.structure, &*header.version), ("ADT_A01", "2.5"));
    assert_eq!(header.control_id, "M|1");
}

/// ITI TF-2 C.2.2.
#[test]
fn headers_are_judged() {
    let good = Header::read(MESSAGE.as_bytes()).unwrap();
    assert_eq!(good.judge(Some("REG"), Some("XDS")), Ok(()));
    let wrong = |change: fn(&mut Header)| {
        let mut header = good.clone();
        change(&mut header);
        let refusal = header.judge(Some("REG"), None).unwrap_err();
        assert_eq!(refusal.acknowledgement_code(), "AR");
        refusal.code
    };
    assert_eq!(
        wrong(|it| it.control_id.clear()),
        ErrorCode::RequiredFieldMissing
    );
    assert_eq!(
        wrong(|it| it.processing_id.clear()),
        ErrorCode::RequiredFieldMissing
    );
    assert_eq!(
        wrong(|it| it.version = "3.0".to_owned()),
        ErrorCode::UnsupportedVersion
    );
    assert_eq!(
        wrong(|it| it.receiving_application = "OTHER".to_owned()),
        ErrorCode::TableValueNotFound
    );
}

#[test]
fn what_is_no_message_is_refused() {
    let many = format!("MSH|^~\\&|\r{}", "ZZZ|\r".repeat(MAX_SEGMENTS));
    for text in [
        "",
        "MSH",
        "MSH|",
        "MSH|^~\\",
        "MSH|^~^&|",
        "MSH|||||",
        "MSHA^~\\&A",
        "PID|1",
        "GET / HTTP/1.1\r\n",
        "MSH|^~\\&toolong|",
        "MSH|^~\\&|A\rlower|case",
        "MSH|^~\\&|A\rPI",
        "MSH|^~\\&|A\rPIDX",
        &many,
    ] {
        let refused = Message::read(text.as_bytes());
        assert!(refused.is_err(), "{text}");
    }
}

/// ITI TF-2 C.2.2: MSH-18 names the character set.
#[test]
fn characters_are_what_msh_18_says() {
    let name = |charset: &str, bytes: &[u8]| {
        let mut message =
            format!("MSH|^~\\&|A|B|C|D|E||ADT^A04|1|P|2.5||||||{charset}\rPID|||").into_bytes();
        message.extend_from_slice(bytes);
        let message = Message::read(&message).unwrap();
        let text = message.segment("PID").unwrap().field(3).component(1).text();
        (text, message.charset_known())
    };
    let latin1 = b"M\xfcller";
    assert_eq!(name("8859/1", latin1), ("Müller".to_owned(), true));
    assert_eq!(
        name("UNICODE UTF-8", "Müller".as_bytes()),
        ("Müller".to_owned(), true)
    );
    assert_eq!(name("", "Müller".as_bytes()), ("Müller".to_owned(), true));
    assert_eq!(name("", latin1), ("Müller".to_owned(), false));
    assert!(!name("8859/7", b"\xcc").1);
    assert!(name("8859/7", b"plain").1);
}

fn refusal() -> Refusal {
    Refusal::new(
        ErrorCode::UnknownKey,
        Place::component("PID", 3, 4),
        "nobody | knows\rthat & this",
    )
}

/// ITI TF-2 C.2.3: sender and receiver change places, MSA-2 is the control ID, and MSA-3 is not used.
#[test]
fn acknowledgements_say_what_was_wrong() {
    let header = Header::read(MESSAGE.as_bytes()).unwrap();
    let now = Timestamp::from_unix(1_700_000_000);
    for version in ["2.3.1", "2.5"] {
        let header = Header {
            version: version.to_owned(),
            ..header.clone()
        };
        let accepted = acknowledgement::write(&header, Ok(()), (None, None), &now, "A1");
        let expected = format!(
            "MSH|^~\\&|REG|XDS|ADT^1.2.3^ISO|HOSPITAL|20231114221320||ACK^A04^ACK|A1|P|{version}\rMSA|AA|M\\F\\1\r"
        );
        assert_eq!(accepted, expected);
        let read = Acknowledgement::read(accepted.as_bytes()).unwrap();
        assert!(read.is_accepted() && read.reasons.is_empty());
        let refused = acknowledgement::write(
            &header,
            Err(&refusal()),
            (Some("ME"), Some("HERE")),
            &now,
            "A1",
        );
        assert!(refused.starts_with("MSH|^~\\&|ME|HERE|"), "{refused}");
        let err = match version {
            "2.5" => {
                "ERR||PID^1^3^1^4|204^Unknown key identifier^HL70357|E||||nobody \\F\\ knows that \\T\\ this\r"
            }
            _ => "ERR|PID^1^3^204&nobody \\F\\ knows that \\T\\ this&HL70357\r",
        };
        assert!(
            refused.ends_with(&format!("MSA|AE|M\\F\\1\r{err}")),
            "{refused}"
        );
        let read = Acknowledgement::read(refused.as_bytes()).unwrap();
        assert_eq!((&*read.code, &*read.control_id), ("AE", "M|1"));
        assert_eq!(read.reasons, ["nobody | knows that & this"]);
    }
}

proptest! {
    /// Whatever comes, nothing panics, and what was read can be answered.
    #[test]
    fn nothing_makes_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        everything(&bytes);
        let mut message = b"MSH|^~\\&|".to_vec();
        message.extend_from_slice(&bytes);
        everything(&message);
    }

    /// The same with bytes that mean something.
    #[test]
    fn no_structure_makes_reading_panic(text in "MSH[|*][\\^~\\\\&|]{0,6}[A-Z0-9|^~\\\\&\r\n.X]{0,300}") {
        everything(text.as_bytes());
    }

    #[test]
    fn escapes_are_undone(text in "[ -~äöü]{0,60}") {
        prop_assert_eq!(Delimiters::STANDARD.unescape(&encode(&text)), text);
    }
}

fn everything(bytes: &[u8]) {
    let _ = Acknowledgement::read(bytes);
    let _ = Header::read(bytes);
    let Ok(message) = Message::read(bytes) else {
        return;
    };
    for segment in message.segments() {
        for number in 0..8 {
            let field = segment.field(number);
            let _ = field.written(20);
            for repetition in field.repetitions() {
                for component in 0..6 {
                    let _ = repetition.component(component).part(component);
                }
            }
        }
    }
    let header = Header::of(&message);
    let domain = PatientDomain::new("1.2.9");
    let read = crate::iti8_patient_identity_feed::read(&message, &header, &domain);
    let _ = crate::iti64_notify_xad_pid_link_change::read(&message, &header, &domain);
    let now = Timestamp::from_unix(0);
    let answer = acknowledgement::write(&header, read.as_ref().map(drop), (None, None), &now, "1");
    Acknowledgement::read(answer.as_bytes()).expect("what is written can be read");
}
