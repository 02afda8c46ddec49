//! Large documents, and the memory of a node.

use std::fs::File;
use std::time::{Duration, Instant};

use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use hilum_transport::{Part, PartSource};
use xds_schemas::codes::status::ResponseStatus;

use crate::{Bench, row};

const SIZE: u64 = 1 << 30;
/// Connections that do nothing.
const IDLE: u64 = 500;

pub(crate) async fn run(bench: &Bench) {
    for plain in [false, true] {
        let kind = if plain { "plain" } else { "mutual TLS" };
        if bench.wants(&format!("large (1 GiB), {kind}")) {
            large(plain, kind).await;
        }
    }
    if bench.wants("memory") {
        memory().await;
    }
}

async fn large(plain: bool, kind: &str) {
    let town = Town::found(Setup {
        plain,
        uncounted: true,
        ..Setup::default()
    });
    let path = town.folder().join("large");
    File::create(&path).unwrap().set_len(SIZE).unwrap();
    let mut document = Document::of("application/dicom", Vec::new());
    (document.hash, document.size) = (None, None);
    let submission = Submission::new("P-1", vec![document]);
    let part = Part {
        content_id: words::content_id(0),
        content_type: "application/dicom".to_owned(),
        source: PartSource::File {
            path,
            offset: 0,
            length: SIZE,
        },
    };
    let began = Instant::now();
    let response = town.provide_parts(&submission, vec![part]).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let what = format!("ITI-41 large (1 GiB), {kind}");
    row(&what, &rate(began.elapsed()), "target 400 MB/s");

    let id = &*submission.documents[0].unique_id;
    let request = hilum_tests::calls::Raw(words::retrieve(words::REPOSITORY, &[id]));
    let began = Instant::now();
    let url = town.repository();
    let answer = town
        .client
        .send::<hilum_tests::calls::Retrieve>(&url, &request, Vec::new());
    let mut attachments = answer.await.unwrap().attachments;
    let mut attachment = attachments.next().await.unwrap().unwrap();
    let mut size = 0;
    while let Some(bytes) = attachment.chunk().await.unwrap() {
        size += bytes.len() as u64;
    }
    assert_eq!(size, SIZE);
    let what = format!("ITI-43 large (1 GiB), {kind}");
    let target = if plain {
        "target 1,800 MB/s"
    } else {
        "target 800 MB/s"
    };
    row(&what, &rate(began.elapsed()), target);
}

fn rate(time: Duration) -> String {
    format!("{:>7.0} MB/s", SIZE as f64 / time.as_secs_f64() / 1e6)
}

async fn memory() {
    let town = Town::found(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let idle = town.memory();
    let figure = format!("{:>7.1} MiB", idle as f64 / f64::from(1 << 20));
    row("memory of all rooms, idle", &figure, "target 80 MiB");
    let wsdl = format!("{}?wsdl", town.registry());
    let mut clients = Vec::new();
    for _ in 0..IDLE {
        let client = town.client_named("client");
        client.fetch(&wsdl).await.unwrap();
        clients.push(client);
    }
    let each = (town.memory() - idle) as f64 / IDLE as f64 / 1024.0;
    let figure = format!("{each:>7.1} KiB");
    row(
        "memory of an idle mutual TLS connection",
        &figure,
        "target 32 KiB",
    );
}
