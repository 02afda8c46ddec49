//! Attachments, as they come and go.

use hilum_transport::{Limits, Part, PartSource};
use xds_schemas::transaction::Transaction;

use crate::large::MEMORY;
use crate::site::{Echo, Fetch, HELLO, SOAP, Site, Words, envelope};

const MTOM: &str = "multipart/related; type=\"application/xop+xml\"; boundary=b; start=\"<r@x>\"; \
                    start-info=\"application/soap+xml\"";

fn part(id: &str, content: &str) -> String {
    format!("--b\r\nContent-Type: a/b\r\nContent-ID: <{id}>\r\n\r\n{content}\r\n")
}

fn root() -> String {
    part("r@x", &envelope(Echo::ACTION, HELLO))
}

#[tokio::test]
async fn attachments_come_in_any_order() {
    let site = Site::plain(Limits::default()).await;
    let long = "y".repeat(200_000);
    for body in [
        format!(
            "{}{}{}--b--\r\n",
            root(),
            part("1", "abc"),
            part("2", &long)
        ),
        format!(
            "{}{}{}--b--\r\n",
            part("1", "abc"),
            root(),
            part("2", &long)
        ),
        format!(
            "{}{}{}--b--\r\n",
            part("1", "abc"),
            part("2", &long),
            root()
        ),
    ] {
        let answer = site.post(MTOM, body.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.contains("content-type: multipart/related"),
            "{answer}"
        );
        assert!(
            answer.contains("<text>hello 1=3 2=200000</text>"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn garbled_messages_are_refused() {
    let site = Site::plain(Limits {
        early_bytes: 1000,
        ..Limits::default()
    })
    .await;
    let early = format!("{}{}--b--", part("1", &"z".repeat(2000)), root());
    for (body, status, reason) in [
        (
            format!("{}{}", root(), "--b\r\nContent-ID: <1>\r\n\r\nab"),
            400,
            "ends in part 2",
        ),
        (root()[..50].to_owned(), 400, "ends in part 1"),
        (root().replace("--b\r", "--c\r"), 400, "boundary \"b\""),
        (format!("{}--b--", part("1", "a")), 400, "parameter start"),
        (
            format!("{}{}{}--b--", root(), part("1", "a"), part("1", "b")),
            400,
            "same Content-ID",
        ),
        (
            format!("{}{}--b--", root(), part("r@x", "b")),
            400,
            "same Content-ID",
        ),
        (early, 413, "before the envelope"),
    ] {
        let answer = site.post(MTOM, body.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{reason}: {answer}"
        );
        assert!(answer.contains(reason), "{reason}: {answer}");
    }
}

#[tokio::test]
async fn limits_on_attachments_hold() {
    let limits = Limits {
        attachments: 1,
        attachment_bytes: 10,
        root_bytes: 5000,
        ..Limits::default()
    };
    let site = Site::plain(limits).await;
    for (body, reason) in [
        (
            format!("{}{}{}--b--", root(), part("1", "a"), part("2", "b")),
            "more than 2 parts",
        ),
        (
            format!("{}{}--b--", root(), part("1", "elevenbytes")),
            "longer than 10 bytes",
        ),
        (part("r@x", &"x".repeat(6000)), "longer than 5000 bytes"),
    ] {
        let answer = site.post(MTOM, body.as_bytes()).await;
        assert!(answer.contains(reason), "{reason}: {answer}");
    }
}

#[tokio::test]
async fn a_call_without_mtom_is_answered_without() {
    let site = Site::plain(Limits::default()).await;
    let path = site.folder.path().join("file");
    let content: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&path, &content).unwrap();
    let ask = format!(
        "<words xmlns='urn:x'><text>{}</text></words>",
        path.display()
    );
    let answer = site
        .post(SOAP, envelope(Fetch::ACTION, &ask).as_bytes())
        .await;
    assert!(
        answer.contains("content-type: application/soap+xml"),
        "{}",
        &answer[..500]
    );
    use base64::Engine;
    let inline = base64::engine::general_purpose::STANDARD.encode(&content[1..]);
    assert!(
        answer.contains(&format!("<content>{inline}</content>")),
        "{}",
        &answer[..1500]
    );
}

#[tokio::test]
async fn our_client_and_our_server_understand_each_other() {
    let site = Site::secure().await;
    let client = site.client("viewer");
    let path = site.folder.path().join("file");
    let content: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&path, &content).unwrap();
    let parts = vec![
        Part {
            content_id: "1@x".into(),
            content_type: "text/plain".into(),
            source: PartSource::Bytes("abc".into()),
        },
        Part {
            content_id: "2@x".into(),
            content_type: "text/plain".into(),
            source: PartSource::File {
                path: path.clone(),
                offset: 0,
                length: 700_001,
            },
        },
        Part {
            content_id: "3@x".into(),
            content_type: "text/plain".into(),
            source: PartSource::Bytes("".into()),
        },
    ];
    let answer = client
        .send::<Echo>(&site.url(), &Words::of("hi"), parts)
        .await
        .unwrap();
    assert_eq!(answer.response.text, "hi 1@x=3 2@x=700001 3@x=0");
    let ask = Words::of(&path.display().to_string());
    let mut answer = client
        .send::<Fetch>(&site.url(), &ask, vec![])
        .await
        .unwrap();
    assert_eq!(answer.response.refers_to, ["one file@test"]);
    let attachment = answer.attachments.next().await.unwrap().unwrap();
    assert_eq!(attachment.content_id(), "one file@test");
    assert_eq!(attachment.content_type(), "application/dicom");
    assert!(attachment.collect(1_000_000).await.unwrap() == content[1..]);
    assert!(answer.attachments.next().await.unwrap().is_none());
}

#[tokio::test]
async fn names_of_parts_are_not_kept_without_end() {
    let _alone = MEMORY.lock().await;
    let site = Site::plain(Limits::default()).await;
    let many = |name: usize| -> String {
        let parts = (0..2_400).map(|at| part(&format!("{at}-{}", "n".repeat(name)), "abc"));
        parts.collect()
    };
    for (body, answered) in [
        (format!("{}{}--b--\r\n", root(), many(1_000)), "200 OK"),
        (
            format!("{}{}--b--\r\n", root(), many(15_000)),
            "400 Bad Request",
        ),
        (
            format!("{}{}--b--\r\n", many(15_000), root()),
            "413 Payload Too Large",
        ),
    ] {
        let answer = site.post(MTOM, body.as_bytes()).await;
        let head = answer.lines().next().unwrap_or_default();
        assert_eq!(head, format!("HTTP/1.1 {answered}"));
    }
}
