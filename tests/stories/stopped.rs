//! A node that is asked to stop finishes what it has begun.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use hilum_tests::raw::{self, Answer, Multipart};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use xds_schemas::codes::status::ResponseStatus;

const PROVIDE: &str = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b";

/// Who has asked nothing, or not yet said what, does not hold up a stop.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_question_is_not_waited_for() {
    let mut town = Town::found(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let port = town.port(1);
    let envelope = words::envelope(
        "urn:ihe:iti:2007:RegistryStoredQuery",
        &words::find_documents("P-1", "ObjectRef"),
    );
    let length = format!("Content-Length: {}", envelope.len());
    let head = raw::head("/registry", "application/soap+xml; charset=UTF-8", &length);
    let begun: Vec<_> = ["P", &head[..head.len() - 4]]
        .map(|part| {
            let mut stream = raw::connect(port);
            stream.write_all(part.as_bytes()).unwrap();
            stream
        })
        .into();
    // One that was answered before.
    let mut kept = raw::connect(port);
    kept.write_all((head + &envelope).as_bytes()).unwrap();
    assert!(kept.read(&mut [0; 64]).unwrap() > 0);
    std::thread::sleep(Duration::from_millis(300));
    kept.write_all(b"POST /reg").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    town.stop();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop((begun, kept));
}

/// The rest of a submission comes after the repository has closed its listener. It still finds the
/// registry, and is answered with Success.
#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_has_begun_is_registered() {
    let mut town = Town::found(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let submission = Submission::new("Patient", vec![Document::text(&"a line\n".repeat(9_999))]);
    let envelope = words::envelope(PROVIDE, &submission.provide_request());
    let content: &[u8] = &submission.documents[0].content;
    let message = Multipart::of(&envelope, &[(&words::content_id(0), content)]);
    let body = message.body();
    let port = town.port(2);
    let length = format!("Content-Length: {}", body.len());
    let head = raw::head("/repository", &message.content_type(), &length);
    let mut stream = raw::connect(port);
    stream.write_all(head.as_bytes()).unwrap();
    let (now, later) = body.split_at(body.len() - 1000);
    stream.write_all(now).unwrap();
    std::thread::sleep(Duration::from_millis(300));

    let later = later.to_vec();
    let rest = std::thread::spawn(move || {
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            assert!(began.elapsed() < Duration::from_secs(10), "it goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
        // Time enough for a registry that does not wait to be gone.
        std::thread::sleep(Duration::from_millis(300));
        stream.write_all(&later).unwrap();
        Answer::read(&mut stream).unwrap()
    });
    town.stop();
    let answer = rest.join().unwrap().response();
    assert_eq!(answer.status, ResponseStatus::Success, "{answer:?}");

    town.start();
    let id = &*submission.documents[0].unique_id;
    let got = town.retrieve(&[id]).await.unwrap();
    assert_eq!(got.documents[0].sha1, words::sha1_of(content));
}
