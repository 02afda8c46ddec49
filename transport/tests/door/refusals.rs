//! What is refused, and in which words.

use std::time::Duration;

use hilum_transport::{Limits, Refused};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{Echo, HELLO, Panic, SOAP, Site, envelope};
use xds_schemas::transaction::Transaction;

#[tokio::test]
async fn a_call_is_answered() {
    let site = Site::plain(Limits::default()).await;
    let answer = site
        .post(SOAP, envelope(Echo::ACTION, HELLO).as_bytes())
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: application/soap+xml"),
        "{answer}"
    );
    assert!(
        answer.contains("<wsa:RelatesTo>uuid:1</wsa:RelatesTo>"),
        "{answer}"
    );
    assert!(answer.contains("<text>hello</text>"), "{answer}");
}

#[tokio::test]
async fn an_unknown_action_is_named() {
    let site = Site::plain(Limits::default()).await;
    let answer = site
        .post(SOAP, envelope("urn:unheard", HELLO).as_bytes())
        .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("wsa:ActionNotSupported"), "{answer}");
    assert!(
        answer.contains("<wsa:Action>urn:unheard</wsa:Action>"),
        "{answer}"
    );
    assert!(
        answer.contains("<wsa:RelatesTo>uuid:1</wsa:RelatesTo>"),
        "{answer}"
    );
}

#[tokio::test]
async fn only_soap_is_taken_and_only_by_post() {
    let site = Site::plain(Limits::default()).await;
    let answer = site.post("application/json", b"{}").await;
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    let (what, reason) = site.refusal().await;
    assert_eq!(what, Refused::Message);
    assert!(reason.contains("application/soap+xml"), "{reason}");
    let answer = site
        .post("text/xml", envelope(Echo::ACTION, HELLO).as_bytes())
        .await;
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    let answer = site
        .exchange(
            b"PUT /room HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("allow: GET, HEAD, POST"), "{answer}");
}

#[tokio::test]
async fn soap11_is_told_so_in_soap11() {
    let site = Site::plain(Limits::default()).await;
    let old =
        "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body/></e:Envelope>";
    let answer = site.post("text/xml; charset=utf-8", old.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.contains("content-type: text/xml"), "{answer}");
    assert!(
        answer.contains("<faultcode>env:VersionMismatch"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let site = Site::plain(Limits::default()).await;
    let security = "<Security xmlns='urn:sec' s:mustUnderstand='1'/></s:Header>";
    let message = envelope(Echo::ACTION, HELLO).replace("</s:Header>", security);
    let answer = site.post(SOAP, message.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.contains("env:MustUnderstand"), "{answer}");
    let elsewhere = envelope(Echo::ACTION, HELLO).replace(
        "http://www.w3.org/2005/08/addressing/anonymous",
        "http://elsewhere/",
    );
    let answer = site.post(SOAP, elsewhere.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("wsa:OnlyAnonymousAddressSupported"),
        "{answer}"
    );
    let answer = site.post(SOAP, b"<a>\n<b></a>").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let answer = site
        .post(SOAP, envelope(Echo::ACTION, "<words><").as_bytes())
        .await;
    assert!(answer.contains("line 1, column "), "{answer}");
}

#[tokio::test]
async fn too_long_an_envelope_is_refused() {
    let site = Site::plain(Limits {
        root_bytes: 10_000,
        ..Limits::default()
    })
    .await;
    let message = envelope(Echo::ACTION, &"x".repeat(5_000_000));
    let answer = site.post(SOAP, message.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("longer than 10000 bytes"), "{answer}");
    assert!(site.refusal().await.1.contains("longer than 10000 bytes"));
}

#[tokio::test]
async fn too_long_headers_are_refused() {
    let site = Site::plain(Limits::default()).await;
    let header = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
        "x".repeat(60_000)
    );
    let answer = site.exchange(header.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn slow_senders_are_given_up() {
    let limits = Limits {
        idle_seconds: 1,
        progress_seconds: 1,
        ..Limits::default()
    };
    let site = Site::plain(limits).await;
    let mut slow = TcpStream::connect(site.address).await.unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("200"), "the headers never ended: {answer}");

    let mut slow = TcpStream::connect(site.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/soap+xml\r\n\
                Content-Length: 100000\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = slow.into_split();
    let dripping = tokio::spawn(async move {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut answer = vec![0; 4096];
    let length = reading.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("too slowly"), "{answer}");
    dripping.abort();
}

#[tokio::test]
async fn a_panic_loses_one_call_and_is_recorded() {
    let site = Site::plain(Limits::default()).await;
    let answer = site
        .post(SOAP, envelope(Panic::ACTION, HELLO).as_bytes())
        .await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.contains("env:Receiver"), "{answer}");
    assert_eq!(site.refusal().await.0, Refused::Lost);
    let answer = site
        .post(SOAP, envelope(Echo::ACTION, HELLO).as_bytes())
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn stopping_waits_for_idle_and_busy_connections() {
    let site = Site::plain(Limits {
        drain_seconds: 1,
        ..Limits::default()
    })
    .await;
    let idle = TcpStream::connect(site.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(site.stop().await, "an idle connection is closed at once");
    drop(idle);
    let site = Site::plain(Limits {
        drain_seconds: 1,
        ..Limits::default()
    })
    .await;
    let mut busy = TcpStream::connect(site.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/soap+xml\r\n\
                Content-Length: 100000\r\n\r\nx";
    busy.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(
        !site.stop().await,
        "a call that never ends is waited for only so long"
    );
}
