//! What is not asked with SOAP: methods, headers, streams in both directions.

use std::fmt::Write as _;

use bytes::Bytes;
use hilum_security::Permission;
use hilum_transport::rest::{Accept, Ranged};
use hilum_transport::{
    Client, HttpRequest, Limits, PartSource, Refused, RelatedPart, Reply, Request, Stream, Trouble,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::large::{MEMORY, resident};
use crate::site::{HELLO, SOAP, Site};

/// What the room answers, by the last segment of the path.
pub(crate) async fn answer(request: Request) -> Reply {
    match request.path() {
        "/rest/panic" => panic!("as asked"),
        "/rest/unread" => return Reply::plain(403, "text/plain", "not here"),
        "/rest/options" => {
            return Reply::empty(204)
                .and_header("access-control-allow-methods", "GET")
                .and_header("access-control-allow-origin", "bad\r\nX: y");
        }
        "/rest/written" => return written(3_000_000, None),
        "/rest/announced" => return written(3_000_000, Some(3_000_000)),
        "/rest/short" => return written(300_000, Some(600_000)),
        "/rest/file" => return file(&request),
        "/rest/many" => return many(&request),
        _ => {}
    }
    let refused =
        |trouble: Trouble| Reply::plain(trouble.status(), "text/plain", trouble.to_string());
    if request.path() == "/rest/parts" {
        return parts(request).await.unwrap_or_else(refused);
    }
    echo(request).await.unwrap_or_else(refused)
}

/// Says what was asked.
async fn echo(request: Request) -> Result<Reply, Trouble> {
    let mut text = format!("{} {}\n", request.method(), request.origin());
    writeln!(text, "{:?}", request.segments()?).unwrap();
    writeln!(text, "{:?}", request.parameters()?).unwrap();
    let accept = request.header("accept").unwrap_or_default();
    for range in Accept::parse(&accept).wanted() {
        writeln!(text, "{} {}", range.media.essence, range.quality).unwrap();
    }
    let mut permitted = request.permitted(Permission::Query).unwrap();
    let body = permitted.collect(1000).await?;
    writeln!(text, "{}", body.len()).unwrap();
    Ok(Reply::plain(200, "text/plain", text).and_header("etag", "\"1\""))
}

/// Says what came, part by part.
async fn parts(request: Request) -> Result<Reply, Trouble> {
    let permitted = request.permitted(Permission::Provide).unwrap();
    let mut parts = permitted.into_parts()?;
    let mut text = String::new();
    let mut count = 0;
    while let Some(mut part) = parts.next().await? {
        count += 1;
        let mut length = 0;
        let (kind, location) = (part.content_type(), part.content_location());
        let described = format!("{kind:?} {location:?}");
        // The second is left to be passed over.
        while count != 2
            && let Some(chunk) = part.chunk().await?
        {
            length += chunk.len();
        }
        if count < 4 {
            writeln!(text, "{described} {length}").unwrap();
        }
    }
    writeln!(text, "{count} parts").unwrap();
    Ok(Reply::plain(200, "text/plain", text))
}

fn written(length: u64, announced: Option<u64>) -> Reply {
    let stream = Stream::written(announced, move |out| {
        let mut left = length;
        while left > 0 {
            let now = left.min(70_001);
            out.write_all(&vec![b'w'; usize::try_from(now).unwrap()])?;
            left -= now;
        }
        Ok(())
    });
    Reply::content(200, "text/plain", PartSource::Stream(stream))
}

fn file(request: &Request) -> Reply {
    let path = request.query().into();
    let length = std::fs::metadata(request.query()).unwrap().len();
    let range = Ranged::of(request.header("range").as_deref(), length);
    let (status, offset, part) = match range {
        Ranged::All => (200, 0, length),
        Ranged::Part(range) => (206, range.offset, range.length),
        Ranged::Nothing => return Reply::empty(416),
    };
    let source = PartSource::File {
        path,
        offset,
        length: part,
    };
    let reply = Reply::content(status, "application/octet-stream", source);
    match range {
        Ranged::Part(range) => reply.and_header("content-range", &range.content_range(length)),
        _ => reply,
    }
}

fn many(request: &Request) -> Reply {
    let (path, count) = request.query().split_once('*').unwrap();
    let length = std::fs::metadata(path).unwrap().len();
    let part = |at: usize| RelatedPart {
        content_type: "application/dicom; transfer-syntax=1.2".to_owned(),
        content_location: (at == 0).then(|| "http://x/1\r\nX: y".to_owned()),
        source: match at % 3 {
            0 => PartSource::File {
                path: path.into(),
                offset: 0,
                length,
            },
            1 => PartSource::Bytes(Bytes::from_static(b"memory")),
            _ => PartSource::Stream(Stream::written(None, |out| out.write_all(b"\r\n--made"))),
        },
    };
    let parts = (0..count.parse().unwrap()).map(part).collect();
    Reply::related(200, "application/dicom", parts)
}

fn get<'a>(url: &'a str, headers: &'a [(&'a str, String)]) -> HttpRequest<'a> {
    HttpRequest {
        method: "GET",
        url,
        headers,
        body: Bytes::new(),
    }
}

fn client() -> Client {
    Client::new(None, Limits::default())
}

#[tokio::test]
async fn any_method_brings_path_query_and_headers() {
    let site = Site::plain(Limits::default()).await;
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
        let request = format!(
            "{method} /rest/a%20b?c=d+e&f HTTP/1.1\r\nHost: here:1\r\nAccept: x/y;q=0.5\r\n\
             Accept: z/*\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"
        );
        let answer = site.exchange(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("etag: \"1\"\r\n"), "{answer}");
        let told = format!(
            "{method} http://here:1\n[\"rest\", \"a b\"]\n[(\"c\", \"d e\"), (\"f\", \"\")]\n\
             z/* 1000\nx/y 500\n3\n"
        );
        assert!(answer.ends_with(&told), "{answer}");
    }
    assert_eq!(site.log.lock().unwrap().callers.len(), 5);
    let answer = site
        .exchange(b"GET /rest/%zz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn soap_stays_soap_beside_it() {
    let site = Site::plain(Limits::default()).await;
    let answer = site.post("application/json", b"{}").await;
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    let answer = site
        .exchange(b"PUT /restless HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    let answer = site.post(SOAP, HELLO.as_bytes()).await;
    assert!(answer.contains("Envelope"), "{answer}");
}

#[tokio::test]
async fn a_head_has_the_headers_and_no_content() {
    let site = Site::plain(Limits::default()).await;
    let path = site.folder.path().join("file");
    std::fs::write(&path, "0123456789").unwrap();
    let request = format!(
        "HEAD /rest/file?{} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        path.display()
    );
    let answer = site.exchange(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-length: 10\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn what_cannot_be_a_header_is_left_out() {
    let site = Site::plain(Limits::default()).await;
    let answer = site
        .exchange(b"OPTIONS /rest/options HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert!(
        answer.contains("access-control-allow-methods: GET"),
        "{answer}"
    );
    assert!(!answer.contains("allow-origin"), "{answer}");
}

#[tokio::test]
async fn a_lost_request_is_recorded_and_answered_in_plain_words() {
    let site = Site::plain(Limits::default()).await;
    let answer = site
        .exchange(b"GET /rest/panic HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.contains("content-type: text/plain"), "{answer}");
    assert!(
        answer.ends_with("the call was lost by an internal error\n"),
        "{answer}"
    );
    assert_eq!(site.refusal().await.0, Refused::Lost);
}

#[tokio::test]
async fn a_body_is_not_asked_for_before_it_is_read() {
    let site = Site::plain(Limits::default()).await;
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\n\
             Content-Length: 3\r\n\r\n"
        )
    };
    let answer = site.exchange(head("/rest/unread").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(head("/rest/x").as_bytes()).await.unwrap();
    let mut buffer = vec![0; 1000];
    let length = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..length].starts_with(b"HTTP/1.1 100 "));
    stream.write_all(b"abc").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\n3\n"), "{answer}");
}

#[tokio::test]
async fn too_much_is_refused() {
    let limits = Limits {
        parts: 3,
        part_bytes: 2000,
        body_bytes: 5000,
        part_header_bytes: 200,
        ..Limits::default()
    };
    let site = Site::plain(limits).await;
    let url = format!("http://{}/rest/parts", site.address);
    let part = |length: usize, kind: &str| RelatedPart {
        content_type: kind.to_owned(),
        content_location: None,
        source: PartSource::Bytes(vec![b'x'; length].into()),
    };
    let long = "x".repeat(300);
    for (parts, reason) in [
        (vec![part(2001, "a/b")], "longer than 2000 bytes"),
        (
            (0..4).map(|_| part(1, "a/b")).collect(),
            "more than 3 parts",
        ),
        (
            vec![part(1, &long)],
            "headers of part 1 are longer than 200",
        ),
        (
            (0..3).map(|_| part(1900, "a/b")).collect(),
            "the body is too long",
        ),
    ] {
        let answer = client()
            .post_related(&url, &[], "a/b", parts)
            .await
            .unwrap();
        let answer = answer.collect(1000).await.unwrap();
        assert_eq!(answer.status, 413, "{reason}");
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(told.contains(reason), "{told}");
    }
    let request = format!(
        "POST /rest/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1001\r\n\r\n{}",
        "x".repeat(1001)
    );
    let answer = site.exchange(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("longer than 1000 bytes"), "{answer}");
}

#[tokio::test]
async fn what_is_no_multipart_body_is_refused() {
    let site = Site::plain(Limits::default()).await;
    let post = async |kind: &str, body: &str| {
        let request = format!(
            "POST /rest/parts HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{kind}\
             Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        );
        site.exchange(request.as_bytes()).await
    };
    let related = "Content-Type: multipart/related; boundary=\"==x/+\"; type=a/b\r\n";
    for (kind, body, status) in [
        ("", "x", 415),
        ("Content-Type: application/dicom\r\n", "x", 415),
        ("Content-Type: multipart/related\r\n", "x", 400),
        (related, "x", 400),
        (related, "--==x/+\r\nA: b\r\n\r\nabc", 400),
        (related, "--==x/+\r\n\r\nabc\r\n--==x/+--", 200),
    ] {
        let answer = post(kind, body).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "{body}: {answer}");
    }
}

#[tokio::test]
async fn parts_go_there_with_their_headers() {
    let site = Site::plain(Limits::default()).await;
    let url = format!("http://{}/rest/parts", site.address);
    let path = site.folder.path().join("file");
    std::fs::write(&path, vec![7; 700_000]).unwrap();
    let part = |location: Option<&str>, source| RelatedPart {
        content_type: "application/dicom".to_owned(),
        content_location: location.map(str::to_owned),
        source,
    };
    let file = |length| PartSource::File {
        path: path.clone(),
        offset: 0,
        length,
    };
    let made = Stream::written(None, |out| out.write_all(&[b'\r'; 250_000]));
    let mut parts = vec![
        part(Some("bulk/1"), file(700_000)),
        part(None, file(300_000)),
        part(None, PartSource::Stream(made)),
    ];
    parts.extend((0..3000).map(|_| part(None, PartSource::Bytes(Bytes::from_static(b"12")))));
    let headers = [("authorization", "Bearer x".to_owned())];
    let answer = client()
        .post_related(&url, &headers, "application/dicom", parts)
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    let answer = answer.collect(10_000).await.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&answer.body),
        "Some(\"application/dicom\") Some(\"bulk/1\") 700000\n\
         Some(\"application/dicom\") None 0\n\
         Some(\"application/dicom\") None 250000\n3003 parts\n"
    );
}

#[tokio::test]
async fn parts_come_back_from_files_memory_and_makers() {
    let site = Site::plain(Limits::default()).await;
    let path = site.folder.path().join("file");
    let content: Vec<u8> = (0..600_000_u32)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();
    std::fs::write(&path, &content).unwrap();
    let url = format!("http://{}/rest/many?{}*31", site.address, path.display());
    let client = client();
    let answer = client.open_http(get(&url, &[])).await.unwrap();
    let kind = answer.header("content-type").unwrap();
    assert!(
        kind.starts_with("multipart/related; type=\"application/dicom\"; boundary="),
        "{kind}"
    );
    assert_eq!(
        answer.header("content-length"),
        None,
        "nobody knows how long it is"
    );
    let mut parts = answer.into_parts().unwrap();
    for at in 0..31 {
        let part = parts.next().await.unwrap().unwrap();
        assert_eq!(
            part.content_type(),
            Some("application/dicom; transfer-syntax=1.2")
        );
        let location = (at == 0).then_some("http://x/1X: y");
        assert_eq!(part.content_location(), location);
        let found = part.collect(1_000_000).await.unwrap();
        let wanted: &[u8] = match at % 3 {
            0 => &content,
            1 => b"memory",
            _ => b"\r\n--made",
        };
        assert!(found == wanted, "part {at} has {} bytes", found.len());
    }
    assert!(parts.next().await.unwrap().is_none());
    let answer = client
        .exchange_http(get(&url, &[]), 1000)
        .await
        .unwrap_err();
    assert!(
        answer.to_string().contains("longer than 1000 bytes"),
        "{answer}"
    );
    let url = format!("http://{}/rest/x", site.address);
    let answer = client.open_http(get(&url, &[])).await.unwrap();
    let refused = answer.into_parts().unwrap_err().to_string();
    assert!(
        refused.contains("it is text/plain, not multipart"),
        "{refused}"
    );
}

#[tokio::test]
async fn ranges_of_files_are_given() {
    let site = Site::plain(Limits::default()).await;
    let path = site.folder.path().join("file");
    std::fs::write(&path, "0123456789").unwrap();
    let url = format!("http://{}/rest/file?{}", site.address, path.display());
    for (range, status, content) in [
        ("bytes=2-4", 206, "234"),
        ("bytes=8-", 206, "89"),
        ("bytes=10-", 416, ""),
        ("lines=1-", 200, "0123456789"),
    ] {
        let headers = [("range", range.to_owned())];
        let answer = client()
            .exchange_http(get(&url, &headers), 100)
            .await
            .unwrap();
        assert_eq!(
            (answer.status, &answer.body[..]),
            (status, content.as_bytes()),
            "{range}"
        );
        let told = answer.header("content-range").is_some();
        assert_eq!(told, status == 206, "{range}");
    }
}

#[tokio::test]
async fn what_is_written_meanwhile_comes_whole_or_breaks_off() {
    let site = Site::plain(Limits::default()).await;
    let url = |path: &str| format!("http://{}/rest/{path}", site.address);
    let client = client();
    for (path, length) in [("written", None), ("announced", Some("3000000"))] {
        let url = url(path);
        let mut answer = client.open_http(get(&url, &[])).await.unwrap();
        assert_eq!(answer.header("content-length"), length);
        let mut received = 0;
        while let Some(chunk) = answer.chunk().await.unwrap() {
            assert!(chunk.iter().all(|byte| *byte == b'w'));
            received += chunk.len();
        }
        assert_eq!(received, 3_000_000, "{path}");
    }
    let short = url("short");
    let broken = client
        .exchange_http(get(&short, &[]), 1_000_000)
        .await
        .unwrap_err();
    assert!(
        broken.to_string().contains("ended before the message did"),
        "{broken}"
    );
    // HTTP/1.0 has no chunks: the end of the connection is the end of the content.
    let answer = site
        .exchange(b"GET /rest/written HTTP/1.0\r\nHost: h\r\n\r\n")
        .await;
    assert!(answer.ends_with("wwww"), "{}", &answer[..200]);
    assert!(!answer.contains("chunked"), "{}", &answer[..200]);
    assert!(answer.len() > 3_000_000 && answer.len() < 3_001_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_instances_need_little_memory_either_way() {
    let _alone = MEMORY.lock().await;
    let site = Site::plain(Limits::default()).await;
    let client = client();
    let path = site.folder.path().join("large");
    let length: u64 = 2_000_000;
    std::fs::File::create(&path)
        .unwrap()
        .set_len(length)
        .unwrap();
    let there = format!("http://{}/rest/parts", site.address);
    let back = format!("http://{}/rest/many?{}*300", site.address, path.display());
    let warm = client.exchange_http(get(&there, &[]), 1000).await.unwrap();
    assert_eq!(warm.status, 415);
    let before = resident();
    let part = |_| RelatedPart {
        content_type: "application/dicom".to_owned(),
        content_location: None,
        source: PartSource::File {
            path: path.clone(),
            offset: 0,
            length,
        },
    };
    let parts = (0..100).map(part).collect();
    let answer = client
        .post_related(&there, &[], "application/dicom", parts)
        .await
        .unwrap();
    let answer = answer.collect(1000).await.unwrap();
    assert!(answer.body.ends_with(b"100 parts\n"));
    let answer = client.open_http(get(&back, &[])).await.unwrap();
    let mut parts = answer.into_parts().unwrap();
    let mut received = 0;
    while let Some(mut part) = parts.next().await.unwrap() {
        while let Some(chunk) = part.chunk().await.unwrap() {
            received += chunk.len() as u64;
        }
    }
    assert_eq!(received, 100 * (length + 6 + 8));
    let growth = resident().saturating_sub(before);
    assert!(growth < 32 * 1024, "{growth} KiB more for {received} bytes");
}
