//! Requests without a response: what counts as taken, and what does not.

use std::io::{Read, Write};
use std::net::TcpListener;

use hilum_transport::{Client, ClientError, Limits};
use xds_schemas::soap::{self, Fault, Header};

use crate::site::{Echo, Words};

/// A peer that answers one request with this; gives its URL and what it was asked.
fn peer(answer: String) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut buffer = [0; 4096];
        while !asked.windows(11).any(|it| it == b"v:Envelope>") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the request ended early");
            asked.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(asked).unwrap()
    });
    (url, asked)
}

async fn told(status: &str, kind: &str, content: &str) -> (Result<(), ClientError>, String) {
    let (url, asked) = peer(format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{content}",
        content.len()
    ));
    let client = Client::new(None, Limits::default());
    let told = client
        .send_one_way::<Echo>(&url, Some("http://me/"), &Words::of("news"))
        .await;
    (told, asked.join().unwrap())
}

/// SOAP 1.2 part 2, 7.5.1.2, and what stacks do: 202, 200 and 204 without content, and an envelope
/// with nothing in it.
#[tokio::test]
async fn what_counts_as_taken() {
    let header = Header::answer("urn:x", "urn:uuid:1".to_owned(), None);
    let empty = soap::write_around(&header, "");
    for (status, kind, content) in [
        ("202 Accepted", "text/plain", ""),
        ("200 OK", "text/plain", ""),
        ("204 No Content", "text/plain", ""),
        ("200 OK", "application/soap+xml", &*empty),
        ("202 Accepted", "text/html", "<p>thanks"),
    ] {
        let (told, asked) = told(status, kind, content).await;
        assert!(told.is_ok(), "{status} {content}: {told:?}");
        assert!(asked.contains("news"), "{asked}");
        assert!(
            asked.contains("<wsa:From><wsa:Address>http://me/<"),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn what_does_not() {
    let fault = Fault::receiver("not now");
    let header = Header::answer(fault.action(), "urn:uuid:1".to_owned(), None);
    let fault = soap::write_fault(&header, &fault);
    for status in ["500 Internal Server Error", "400 Bad Request", "200 OK"] {
        let (told, _) = told(status, "application/soap+xml", &fault).await;
        let Err(ClientError::Fault { fault, .. }) = told else {
            panic!("{status}: a fault was expected: {told:?}")
        };
        assert_eq!(fault.reason, "not now");
    }
    for status in [
        "500 Internal Server Error",
        "404 Not Found",
        "302 Found",
        "401 Unauthorized",
    ] {
        let (told, _) = told(status, "text/plain", "").await;
        assert!(
            matches!(told, Err(ClientError::Garbled { .. })),
            "{status}: {told:?}"
        );
    }
}
