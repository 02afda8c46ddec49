//! What comes from the wire in one order and is wanted in another.

use std::io::{Read, Write};
use std::net::TcpListener;

use hilum_transport::{Client, Limits};
use xds_schemas::iti43_retrieve_document_set::{RetrieveDocumentSet, RetrieveDocumentSetRequest};

use super::*;

/// Attachments that somebody sends, each of so many bytes, which are its number.
async fn sent(attachments: &[(&str, usize)]) -> Attachments {
    let mut body = String::from(
        "--B\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\n\
         Content-ID: <root>\r\n\r\n\
         <s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header>\
         <a:Action xmlns:a=\"http://www.w3.org/2005/08/addressing\" s:mustUnderstand=\"1\">\
         urn:ihe:iti:2007:RetrieveDocumentSetResponse</a:Action></s:Header><s:Body>\
         <x:RetrieveDocumentSetResponse xmlns:x=\"urn:ihe:iti:xds-b:2007\">\
         <r:RegistryResponse xmlns:r=\"urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0\" \
         status=\"urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success\"/>\
         </x:RetrieveDocumentSetResponse></s:Body></s:Envelope>\r\n",
    )
    .into_bytes();
    for (number, (name, length)) in (0..).zip(attachments) {
        let head = format!(
            "--B\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\
             Content-ID: <{name}>\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend(std::iter::repeat_n(b'0' + number, *length));
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--B--\r\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        while !String::from_utf8_lossy(&asked).contains("Envelope>") {
            let mut some = [0; 4096];
            let length = stream.read(&mut some).unwrap();
            asked.extend_from_slice(&some[..length]);
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: multipart/related; type=\"application/xop+xml\"; \
             start=\"<root>\"; start-info=\"application/soap+xml\"; boundary=\"B\"\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // Whoever takes it may go.
        let _ = stream.write_all(&body);
    });
    let client = Client::new(None, Limits::default());
    let request = RetrieveDocumentSetRequest {
        documents: Vec::new(),
    };
    let answer = client.send::<RetrieveDocumentSet>(&url, &request, Vec::new());
    answer.await.unwrap().attachments
}

/// Takes one, and counts its bytes, which are all this digit.
async fn take(relay: &Relay, name: &str, is_last: bool, digit: u8) -> io::Result<usize> {
    let (to, mut chunks) = mpsc::channel(CHUNKS);
    let wanted = Wanted {
        content_id: name.to_owned(),
        is_last,
        to,
    };
    relay.orders.send(Order::One(wanted)).unwrap();
    let mut count = 0;
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk?;
        assert!(chunk.iter().all(|it| *it == digit), "{name}");
        count += chunk.len();
    }
    Ok(count)
}

fn promised(names: &[&str]) -> HashSet<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

#[tokio::test]
async fn what_is_left_over_breaks_the_last_off() {
    for stray in [0, 2] {
        let mut all = vec![("one", 500_000), ("two", 10)];
        all.insert(stray, ("stray", 100));
        let budget = Budget::of(ASIDE_BYTES);
        let relay = Relay::of(sent(&all).await, promised(&["one", "two"]), (), budget);
        let one = take(&relay, "one", false, if stray == 0 { b'1' } else { b'0' });
        assert_eq!(one.await.unwrap(), 500_000);
        let two = take(&relay, "two", true, if stray == 0 { b'2' } else { b'1' });
        assert!(two.await.is_err());
        assert_eq!(relay.problem(), Some(Problem::LeftOver("stray".to_owned())));
    }
}

#[tokio::test]
async fn what_did_not_come_is_missing() {
    let attachments = sent(&[("one", 10)]).await;
    let budget = Budget::of(ASIDE_BYTES);
    let relay = Relay::of(attachments, promised(&["one", "two"]), (), budget);
    assert!(take(&relay, "two", true, b'1').await.is_err());
    assert_eq!(relay.problem(), Some(Problem::Missing("two".to_owned())));
}

/// What was put aside comes in any order, and gives its room back; what is too much is not.
#[tokio::test]
async fn everything_is_put_aside() {
    let all = [("one", 400_000), ("nobody's", 3_000_000), ("two", 500_000)];
    let budget = Budget::of(900_000);
    let relay = Relay::of(
        sent(&all).await,
        promised(&["one", "two"]),
        (),
        budget.clone(),
    );
    relay.put_aside().await.unwrap();
    let more = Relay::of(
        sent(&[("x", 1)]).await,
        promised(&["x"]),
        (),
        budget.clone(),
    );
    assert!(more.put_aside().await.is_err(), "there is no room");
    assert_eq!(take(&relay, "two", false, b'2').await.unwrap(), 500_000);
    assert_eq!(take(&relay, "one", false, b'0').await.unwrap(), 400_000);
    let more = Relay::of(sent(&[("x", 900_000)]).await, promised(&["x"]), (), budget);
    more.put_aside().await.unwrap();
}

/// A little is taken while nothing is wanted, and nothing of what comes is lost: neither if there is no room
/// for it, nor if something else is wanted then.
#[tokio::test]
async fn what_nobody_wants_yet_waits() {
    let all = [("one", 6_000_000), ("two", 100_000)];
    let names = ["one", "two"];
    let some = Relay::of(
        sent(&all).await,
        promised(&names),
        (),
        Budget::of(ASIDE_BYTES),
    );
    let none = Relay::of(sent(&all).await, promised(&names), (), Budget::of(1000));
    let other = Relay::of(
        sent(&all).await,
        promised(&names),
        (),
        Budget::of(ASIDE_BYTES),
    );
    sleep(PAUSE + PAUSE / 2).await;
    for relay in [some, none] {
        assert_eq!(take(&relay, "one", false, b'0').await.unwrap(), 6_000_000);
        assert_eq!(take(&relay, "two", true, b'1').await.unwrap(), 100_000);
        assert_eq!(relay.problem(), None);
    }
    assert_eq!(take(&other, "two", false, b'1').await.unwrap(), 100_000);
    assert_eq!(take(&other, "one", false, b'0').await.unwrap(), 6_000_000);
}

#[test]
fn chunks_are_whole_in_base64_and_nothing_is_lost() {
    let all: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let mut even = Even::default();
    let (mut passed, mut rest) = (Vec::new(), &all[..]);
    for length in [1, 1, 1, 2, 5, 100, 4096, 3, 0, 1].into_iter().cycle() {
        let (now, later) = rest.split_at(length.min(rest.len()));
        if let Some(chunk) = even.take(Bytes::copy_from_slice(now)) {
            assert_eq!(chunk.len() % 3, 0);
            passed.extend_from_slice(&chunk);
        }
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    passed.extend_from_slice(&even.0);
    assert_eq!(passed, all);
}
