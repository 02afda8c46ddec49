//! A study of any size passes from an archive through the imaging source in little memory, also if
//! whoever wants it is slow. Alone in its process, so that nobody else uses any.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(dead_code, reason = "made for other tests, which use all of it")]

#[path = "imaging/files.rs"]
mod files;
#[path = "archive/node.rs"]
mod node;
#[path = "archive/pretended.rs"]
mod pretended;
#[path = "vault/mod.rs"]
mod vault;
/// What `files` wants of it, and nobody here.
mod site {
    pub(crate) fn sha256(_: &[u8]) -> String {
        String::new()
    }
}

use std::time::{Duration, Instant};

use hilum_dicom::{json, walk};
use hilum_transport::{Client, HttpRequest, Limits};

use crate::files::Made;
use crate::node::{EXPLICIT, Node};
use crate::pretended::{Does, Pretended, multipart};

const STUDY: &str = "2.25.1";
const SERIES: &str = "2.25.1.1";
const MIB: usize = 1 << 20;
/// What imaging source, archive and consumer together may grow by.
const GROWTH: usize = 32 * MIB;

/// Mebibytes that pass through: each in an instance of its own.
fn mebibytes() -> usize {
    let given = std::env::var("HILUM_LARGE_MIB").ok();
    given.map_or(96, |given| given.parse().unwrap())
}

fn made(number: usize, pixels: usize) -> Vec<u8> {
    let made = Made {
        syntax: EXPLICIT,
        study: STUDY,
        series: SERIES,
        instance: &format!("{SERIES}.{number}"),
        patient: "P-1",
        pixels,
    };
    made.bytes()
}

/// An archive with one study of so many instances.
fn does(path: &str, count: usize) -> Vec<Does> {
    let of = |tag: &str, value: &str, counted: &str| {
        pretended::json(&format!(
            r#"[{{"{tag}":{{"vr":"UI","Value":["{value}"]}},
            "{counted}":{{"vr":"IS","Value":[{count}]}}}}]"#
        ))
    };
    match path {
        _ if path.starts_with("/studies?") && path.ends_with("offset=0") => {
            of("0020000D", STUDY, "00201208")
        }
        _ if path.contains("/series?") && path.ends_with("offset=0") => {
            of("0020000E", SERIES, "00201209")
        }
        _ if path.ends_with("/metadata") => {
            let one = |number| {
                let file = walk::whole(&made(number, 4)).unwrap();
                json::metadata(&file, &|_| "http://127.0.0.1/bulk".to_owned())
            };
            let all: Vec<String> = (0..count).map(one).collect();
            pretended::json(&format!("[{}]", all.join(",")))
        }
        _ => match path.rsplit('.').next().and_then(|it| it.parse().ok()) {
            Some(number) if path.contains("/instances/") => multipart(&[&made(number, MIB)]),
            _ => pretended::json("[]"),
        },
    }
}

/// Resident memory of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Takes a study by WADO-RS: how many bytes it has, and what memory grew by meanwhile. After every
/// mebibyte, the consumer pauses.
async fn take(node: &Node, pause: Duration) -> (usize, usize) {
    let accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
    let request = HttpRequest {
        method: "GET",
        url: &format!("{}/dicom-web/studies/{STUDY}", node.imaging),
        headers: &[("accept", accept.to_owned())],
        body: Default::default(),
    };
    let before = resident();
    let (mut bytes, mut highest, mut paused) = (0, before, 0);
    let client = Client::new(None, Limits::default());
    let mut answer = client.open_http(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    while let Some(chunk) = answer.chunk().await.unwrap() {
        bytes += chunk.len();
        highest = highest.max(resident());
        if bytes / MIB > paused {
            paused = bytes / MIB;
            tokio::time::sleep(pause).await;
        }
    }
    (bytes, highest - before)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_of_any_size_passes_in_little_memory() {
    let count = mebibytes();
    let archive = Pretended::start(move |path| does(path, count)).await;
    let mut config = archive.config("PACS");
    config.patience = Duration::from_secs(20);
    let node = Node::beside(vec![config]).await;
    let uids = (0..count).map(|number| format!("{SERIES}.{number}"));
    node.until_listed("P-1", uids.collect()).await;
    // What is allocated once.
    take(&node, Duration::ZERO).await;
    for pause in [Duration::ZERO, Duration::from_millis(10)] {
        let began = Instant::now();
        let (bytes, growth) = take(&node, pause).await;
        assert!(bytes > count * MIB);
        assert!(growth < GROWTH, "{} KiB", growth / 1024);
        let (mib, taken) = (bytes / MIB, began.elapsed());
        println!("{mib} MiB in {taken:?}, {} KiB more memory", growth / 1024);
    }
}
