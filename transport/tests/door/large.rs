//! Large attachments need little memory.

use std::time::{Duration, Instant};

use hilum_transport::{Client, Limits, Part, PartSource};
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;

use crate::site::{Echo, Fetch, Site, Words};

/// Held by tests that measure the memory of this process, and by those that need much of it.
pub(crate) static MEMORY: Mutex<()> = Mutex::const_new(());

/// Resident memory of this process, in KiB.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn there_and_back(length: u64) {
    let _alone = MEMORY.lock().await;
    let site = Site::secure().await;
    let client = site.client("viewer");
    let path = site.folder.path().join("large");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(length)
        .unwrap();
    client
        .send::<Echo>(&site.url(), &Words::of("warm"), vec![])
        .await
        .unwrap();
    let before = resident();
    let began = Instant::now();
    let part = Part {
        content_id: "1@x".into(),
        content_type: "application/octet-stream".into(),
        source: PartSource::File {
            path: path.clone(),
            offset: 0,
            length,
        },
    };
    let answer = client
        .send::<Echo>(&site.url(), &Words::of("hi"), vec![part])
        .await
        .unwrap();
    assert_eq!(answer.response.text, format!("hi 1@x={length}"));
    let there = began.elapsed();
    let ask = Words::of(&path.display().to_string());
    let mut answer = client
        .send::<Fetch>(&site.url(), &ask, vec![])
        .await
        .unwrap();
    let mut attachment = answer.attachments.next().await.unwrap().unwrap();
    let mut received = 0;
    while let Some(chunk) = attachment.chunk().await.unwrap() {
        received += chunk.len() as u64;
    }
    assert_eq!(received, length - 1);
    let growth = resident().saturating_sub(before);
    println!(
        "there in {there:?}, back in {:?}, {growth} KiB more",
        began.elapsed() - there
    );
    assert!(growth < 64 * 1024, "{growth} KiB more");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_megabytes_there_and_back() {
    there_and_back(200_000_000).await;
}

/// `cargo test --release -p hilum-transport -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a while"]
async fn four_gigabytes_there_and_back() {
    there_and_back(4_300_000_000).await;
}

/// A peer that takes long to read, and one that never answers: only the second is given up.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_may_take_longer_than_an_answer() {
    let limits = Limits {
        answer_seconds: 1,
        ..Limits::default()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/slow", listener.local_addr().unwrap());
    let length: u64 = 40_000_000;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut taken = 0;
        let mut buffer = vec![0; 1_000_000];
        while taken < length {
            tokio::time::sleep(Duration::from_millis(60)).await;
            let read = stream.read_exact(&mut buffer).await.unwrap();
            taken += read as u64;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(length).unwrap();
    let part = Part {
        content_id: "1@x".into(),
        content_type: "application/octet-stream".into(),
        source: PartSource::File {
            path,
            offset: 0,
            length,
        },
    };
    let began = Instant::now();
    let client = Client::new(None, limits);
    let words = Words::of("hi");
    let given_up = client.send::<Echo>(&url, &words, vec![part]);
    let reason = given_up.await.unwrap_err().to_string();
    assert!(reason.contains("no answer within 1 seconds"), "{reason}");
    let after = began.elapsed();
    assert!(
        after > Duration::from_millis(2400) && after < Duration::from_secs(30),
        "{after:?}"
    );
}
