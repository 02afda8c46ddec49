//! STOW-RS: what is taken, what is answered, what is recorded.

use hilum_transport::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{DICOM, File, JSON, Site, text, values};

pub(crate) const STORED: &str = "00081199";
const FAILED: &str = "00081198";
const OTHER: &str = "0008119A";

fn bytes(files: &[File]) -> Vec<&[u8]> {
    files.iter().map(|file| file.bytes.as_slice()).collect()
}

#[tokio::test]
async fn what_is_stored_is_found_and_given_as_it_was() {
    let site = Site::open().await;
    let files = site.phantoms().remove(0);
    let answer = site.store("/dicom-web/studies", &bytes(&files)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.content_type, JSON);
    let json = answer.json();
    let url = format!("{}{}", site.server, files[0].study_url());
    assert_eq!(text(&json, "00081190"), url);
    let stored = values(&json, STORED);
    assert_eq!(stored.len(), files.len());
    for item in &stored {
        let uid = text(item, "00081155");
        let file = files
            .iter()
            .find(|it| it.instance.sop_instance_uid.as_str() == uid)
            .unwrap();
        assert_eq!(text(item, "00081150"), file.instance.sop_class_uid.as_str());
        assert_eq!(
            text(item, "00081190"),
            format!("{}{}", site.server, file.url())
        );
    }
    assert!(values(&json, FAILED).is_empty());
    let found = site.get("/dicom-web/studies", JSON).await.json();
    assert_eq!(text(&found[0], "00201208"), files.len().to_string());
    let any = format!("{DICOM}; transfer-syntax=*");
    let (_, parts) = site.parts(&files[0].url(), &any).await;
    assert!(parts[0].bytes == files[0].bytes);
    let patient = files[0].instance.patient.id.clone().unwrap();
    assert_eq!(
        site.records()[..2],
        [
            "RAD-108 Begin Transferring DICOM Instances 0 ".to_owned(),
            format!("RAD-108 DICOM Instances Transferred 0 {patient}^^^&1.2.3.7&ISO")
        ]
    );
    // Once more: it is there already, which is as good.
    let again = site.store(&files[0].study_url(), &bytes(&files[..1])).await;
    assert_eq!(
        (again.status, values(&again.json(), STORED).len()),
        (200, 1)
    );
}

#[tokio::test]
async fn each_instance_has_its_own_fate() {
    let site = Site::open().await;
    let mut phantoms = site.phantoms();
    let (other, files) = (phantoms.remove(1), phantoms.remove(0));
    let garbage = b"no DICOM at all".as_slice();
    let sent = [files[0].bytes.as_slice(), &other[0].bytes, garbage];
    let answer = site.store(&files[0].study_url(), &sent).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let json = answer.json();
    assert_eq!(values(&json, STORED).len(), 1);
    let failed = values(&json, FAILED);
    assert_eq!(failed.len(), 1);
    assert_eq!(
        text(&failed[0], "00081155"),
        other[0].instance.sop_instance_uid.as_str()
    );
    assert_eq!(text(&failed[0], "00081197"), 0xC409.to_string());
    let garbled = values(&json, OTHER);
    assert_eq!(text(&garbled[0], "00081197"), 0xC000.to_string());
    assert!(
        answer.warnings.contains("an instance is of another study"),
        "{}",
        answer.warnings
    );
    let found = site.get("/dicom-web/studies", JSON).await.json();
    assert_eq!(found.as_array().unwrap().len(), 1);
    let records = site.records();
    assert!(
        records
            .iter()
            .any(|it| it.starts_with("RAD-108 DICOM Instances Transferred 8 ")),
        "{records:?}"
    );

    let answer = site.store("/dicom-web/studies", &[garbage]).await;
    assert_eq!(answer.status, 409);
    assert!(values(&answer.json(), STORED).is_empty());
}

#[tokio::test]
async fn what_is_kept_back_is_answered_with_a_warning() {
    let site = Site::open().await;
    let files = site.one_study().await;
    // Another object of the same name.
    let mut changed = files[0].bytes.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let answer = site.store("/dicom-web/studies", &[&changed]).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let item = &values(&answer.json(), STORED)[0];
    assert_eq!(text(item, "00081196"), 0xB007.to_string());
    assert!(
        values(item, "00081190").is_empty(),
        "it cannot be retrieved"
    );
    assert!(answer.warnings.contains("kept back"), "{}", answer.warnings);
    let any = format!("{DICOM}; transfer-syntax=*");
    let (_, parts) = site.parts(&files[0].url(), &any).await;
    assert!(parts[0].bytes == files[0].bytes, "the first one is given");
}

#[tokio::test]
async fn what_is_no_multipart_request_is_refused() {
    let site = Site::open().await;
    for (kind, body, status) in [
        ("application/dicom", "x", 415),
        (
            "multipart/related; boundary=b; type=\"application/dicom+json\"",
            "--b--",
            415,
        ),
        ("multipart/form-data; boundary=b", "--b--", 415),
        ("multipart/related; type=\"application/dicom\"", "x", 400),
        (
            "multipart/related; boundary=b; type=application/dicom",
            "--b--",
            400,
        ),
        ("multipart/related; boundary=b", "no boundary", 400),
        (
            &format!("multipart/related; boundary={}", "b".repeat(201)),
            "",
            400,
        ),
    ] {
        let request = format!(
            "POST /dicom-web/studies HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(&site, request.as_bytes()).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "{kind}: {answer}");
    }
    assert_eq!(
        site.ask("POST", "/dicom-web/studies", &[]).await.status,
        415
    );
    assert_eq!(site.ask("PUT", "/dicom-web/studies", &[]).await.status, 405);
    assert_eq!(
        site.ask("DELETE", "/dicom-web/studies/1.2", &[])
            .await
            .status,
        405
    );
    assert!(
        site.records()
            .iter()
            .all(|it| it.starts_with("110132 Security Alert "))
    );
}

async fn exchange(site: &Site, bytes: &[u8]) -> String {
    let address = site.server.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request as some client writes it: chunked, without lengths, and cut off behind its second part.
#[tokio::test]
async fn what_came_before_the_connection_broke_is_stored_and_told() {
    let site = Site::with(
        Limits {
            progress_seconds: 1,
            ..Limits::default()
        },
        &[],
    )
    .await;
    let files = site.phantoms().remove(0);
    let mut body = Vec::new();
    for file in &files[..2] {
        body.extend(b"--=_x/+\r\nContent-Type: application/dicom\r\n\r\n");
        body.extend(&file.bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--=_x/+\r\nContent-Type: application/dicom\r\n\r\nDI");
    let mut request = format!(
        "POST /dicom-web/studies HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
         Content-Type: multipart/related; type=\"application/dicom\"; boundary=\"=_x/+\"\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(&body);
    request.extend(b"\r\n");
    let answer = exchange(&site, &request).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert!(answer.contains("too slowly"), "{answer}");
    let found = site.get("/dicom-web/studies", JSON).await.json();
    assert_eq!(text(&found[0], "00201208"), "2");
}

#[tokio::test]
async fn many_parts_are_stored_in_one_request() {
    let site = Site::open().await;
    let phantoms = site.phantoms();
    let all: Vec<&[u8]> = phantoms.iter().flat_map(|it| bytes(it)).collect();
    let answer = site.store("/dicom-web/studies", &all).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    assert_eq!(values(&json, STORED).len(), all.len());
    assert!(
        values(&json, "00081190").is_empty(),
        "there are several studies"
    );
    let found = site.get("/dicom-web/instances", JSON).await.json();
    assert_eq!(found.as_array().unwrap().len(), all.len());
    let begun = site
        .records()
        .iter()
        .filter(|it| it.starts_with("RAD-108 Begin Transferring DICOM Instances"))
        .count();
    assert_eq!(begun, 4);
}
