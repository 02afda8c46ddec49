//! MTOM messages that are wrong, and those that only look so.

use hilum_tests::Town;
use hilum_tests::raw::{Answer, Multipart, post};
use hilum_tests::words::{self, Document, Submission};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::soap::FaultCode;

use crate::{codes, unharmed};

const PROVIDE: &str = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b";
const PATIENT: &str = "Nobody-Yet";

/// A good ITI-41 request with two documents.
fn good() -> (Submission, Multipart) {
    let documents = vec![Document::text("the first"), Document::text("the second")];
    let submission = Submission::new(PATIENT, documents);
    let envelope = words::envelope(PROVIDE, &submission.provide_request());
    let (first, second) = (words::content_id(0), words::content_id(1));
    let parts = [(&*first, &b"the first"[..]), (&*second, b"the second")];
    let multipart = Multipart::of(&envelope, &parts);
    (submission, multipart)
}

/// A fault of the sender, or a failure that says what is missing.
fn refused(answer: &Answer) -> String {
    match answer.status {
        200 => {
            let response = answer.response();
            assert_eq!(response.status, ResponseStatus::Failure);
            codes(&response).join(" ")
        }
        _ => {
            let fault = answer.fault();
            assert_eq!(fault.code, FaultCode::Sender, "{fault}");
            fault.reason
        }
    }
}

#[tokio::test]
async fn a_message_that_ends_too_soon_leaves_nothing() {
    let mut town = Town::plain();
    let (_, multipart) = good();
    let body = multipart.body();
    let last = body.len() - "\r\n--a-boundary--\r\n".len();
    let second = body.windows(10).position(|at| at == b"the second").unwrap();
    // In the second document, before it, between the two, and just before the closing boundary.
    for end in [second + 4, second, second - 40, last] {
        let answer = post(
            town.port(2),
            "/repository",
            &multipart.content_type(),
            &body[..end],
        );
        refused(&answer);
    }
    unharmed_but_recorded(&mut town).await;
}

/// The peer goes away in the middle of a document.
#[tokio::test]
async fn a_peer_that_goes_away_leaves_nothing() {
    use std::io::Write;
    let mut town = Town::plain();
    let (submission, multipart) = good();
    let body = multipart.body();
    for part in [3, 5, 9] {
        let length = format!("Content-Length: {}", body.len());
        let head = hilum_tests::raw::head("/repository", &multipart.content_type(), &length);
        let mut stream = hilum_tests::raw::connect(town.port(2));
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body[..body.len() * part / 10]).unwrap();
        drop(stream);
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let ids: Vec<&str> = submission
        .documents
        .iter()
        .map(|document| &*document.unique_id)
        .collect();
    let got = town.retrieve(&ids).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Failure);
    unharmed_but_recorded(&mut town).await;
}

#[tokio::test]
async fn parts_that_are_missing_or_ambiguous_are_refused() {
    let mut town = Town::plain();
    let good = good().1;
    let send = |multipart: &Multipart| refused(&multipart.post(town.port(2), "/repository"));

    let mut missing = good.clone();
    missing.parts.pop();
    send(&missing);
    let mut twice = good.clone();
    twice.parts[2].0 = twice.parts[1].0.clone();
    assert!(send(&twice).contains("same Content-ID"));
    let mut root_twice = good.clone();
    root_twice.parts[2].0 = root_twice.parts[0].0.clone();
    assert!(send(&root_twice).contains("same Content-ID"));
    let mut no_root = good.clone();
    no_root.start = "elsewhere@tests.hilum".to_owned();
    assert!(send(&no_root).contains("start"));
    let mut another_boundary = good.clone();
    let body = good.body();
    another_boundary.boundary = "another".to_owned();
    let answer = post(
        town.port(2),
        "/repository",
        &another_boundary.content_type(),
        &body,
    );
    refused(&answer);
    let without = good.content_type().replace("; boundary=\"a-boundary\"", "");
    let answer = post(town.port(2), "/repository", &without, &body);
    refused(&answer);
    unharmed_but_recorded(&mut town).await;
}

#[tokio::test]
async fn documents_and_metadata_must_match() {
    let mut town = Town::plain();
    let (submission, _) = good();
    let send = |submission: &Submission, request: &str| {
        let (first, second) = (words::content_id(0), words::content_id(1));
        let parts = [(&*first, &b"the first"[..]), (&*second, b"the second")];
        let _ = submission;
        let envelope = words::envelope(PROVIDE, request);
        let answer = Multipart::of(&envelope, &parts).post(town.port(2), "/repository");
        town.expected.add("ITI-41", "Import", 1);
        let response = answer.response();
        assert_eq!(response.status, ResponseStatus::Failure);
        codes(&response).join(" ")
    };
    let request = submission.provide_request();
    let at = request.rfind("<xds:Document ").unwrap();
    let end = request.rfind("</xds:Provide").unwrap();
    let without_document = format!("{}{}", &request[..at], &request[end..]);
    assert_eq!(send(&submission, &without_document), "XDSMissingDocument");
    let mut fewer = submission.clone();
    let removed = fewer.documents.pop().unwrap();
    let without_entry = request.replace(
        &submission.submit_objects_request(),
        &fewer.submit_objects_request(),
    );
    assert!(without_entry.contains(&format!("Document id=\"{}\"", removed.id)));
    assert_eq!(
        send(&submission, &without_entry),
        "XDSMissingDocumentMetadata"
    );
    let mut lying = submission.clone();
    lying.documents[1].hash = Some(words::sha1_of(b"something else"));
    let codes = send(&lying, &lying.provide_request());
    assert_eq!(codes, "XDSRepositoryMetadataError");
    let mut lying = submission.clone();
    lying.documents[1].size = Some(1);
    let codes = send(&lying, &lying.provide_request());
    assert_eq!(codes, "XDSRepositoryMetadataError");
    unharmed(&mut town, PATIENT).await;
}

/// Habits of other stacks that mean nothing (documents before the envelope, no quotes, odd
/// boundaries, `start` without angle brackets).
#[tokio::test]
async fn habits_of_other_stacks_are_taken() {
    let town = Town::plain();
    let habits: [fn(&mut Multipart) -> String; 6] = [
        |message| {
            message.parts.reverse();
            message.content_type()
        },
        |message| message.content_type().replace(['<', '>'], ""),
        |message| {
            message.boundary = "==ZMM0+/=:?uuid'()".to_owned();
            message.content_type()
        },
        |message| {
            let plain = message.content_type();
            plain.replace("boundary=\"a-boundary\"", "boundary=a-boundary")
        },
        |message| {
            let plain = message.content_type();
            plain.replace(
                "start-info=\"application/soap+xml\"",
                r#"start-info="application/soap+xml;action=\"urn:x\"""#,
            )
        },
        |message| {
            let plain = message.content_type();
            plain.replace(
                "start-info=\"application/soap+xml\"",
                "start-info=\"text/xml\"",
            )
        },
    ];
    for habit in habits {
        let (_, mut message) = good();
        let content_type = habit(&mut message);
        let answer = post(town.port(2), "/repository", &content_type, &message.body());
        town.expected.add("ITI-41", "Import", 1);
        let response = answer.response();
        assert_eq!(
            response.status,
            ResponseStatus::Success,
            "{content_type}: {response:?}"
        );
    }
}

/// Whether a message was refused by the door or by the room, it was recorded once; which of the
/// two it was is the node's affair.
async fn unharmed_but_recorded(town: &mut Town) {
    let records = town.records();
    let count = |key: &str, value: &str| {
        let found = records.iter().filter(|record| record[key] == value);
        found.count()
    };
    let provided = count("transaction", "ITI-41");
    let alerts = count("transaction", "110132");
    town.expected.add("ITI-41", "Import", provided);
    town.expected.add("110132", "Security Alert", alerts);
    assert!(provided + alerts >= 3, "refusals were not recorded");
    unharmed(town, PATIENT).await;
}
