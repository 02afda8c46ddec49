//! Large attachments need little memory.

use std::time::Instant;

use hilum_transport::{Part, PartSource};

use crate::site::{Echo, Fetch, Site, Words};

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn there_and_back(length: u64) {
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
