//! A study of two thousand instances comes in little memory, and fast. Alone in its process, so
//! that nobody else uses any.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(
    dead_code,
    reason = "made for the tests of the imaging source, which use all of it"
)]

#[path = "imaging/files.rs"]
mod files;
#[path = "room/link.rs"]
mod link;
#[path = "imaging/site.rs"]
mod site;
#[path = "vault/mod.rs"]
mod vault;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hilum_repository::imaging::{Fate, ImagingConfig};
use hilum_transport::Client;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::rad69_retrieve_imaging_document_set::{
    RetrieveImagingDocumentSet, RetrieveImagingDocumentSetRequest,
};

use crate::files::Made;
use crate::site::{AUTHORITY, EXPLICIT, REPOSITORY, Site, open_source, request, retrieve, sha256};

const STUDY: &str = "2.25.1";
const SERIES: &str = "2.25.1.1";
const INSTANCES: usize = 2_000;
/// What imaging source and client together may grow by.
const GROWTH: usize = 16 << 20;
/// Tells the process that prepares where, and how large the images are.
const FOLDER: &str = "HILUM_TEST_FOLDER";
const PIXELS: &str = "HILUM_TEST_PIXELS";

fn uid(number: usize) -> String {
    format!("{SERIES}.{number}")
}

fn made(number: usize, pixels: usize) -> Vec<u8> {
    let made = Made {
        syntax: EXPLICIT,
        study: STUDY,
        series: SERIES,
        instance: &uid(number),
        patient: "P-1",
        pixels,
    };
    made.bytes()
}

fn asked(numbers: std::ops::Range<usize>) -> RetrieveImagingDocumentSetRequest {
    let uids: Vec<String> = numbers.map(uid).collect();
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    request(STUDY, SERIES, &uids, &[EXPLICIT])
}

/// Files and index. In a process of its own: memory that is free again hides what is used later.
fn prepare(folder: &Path, pixels: usize) {
    let prepared = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "in_a_process_of_its_own"])
        .env(FOLDER, folder)
        .env(PIXELS, pixels.to_string())
        .output()
        .unwrap();
    assert!(prepared.status.success(), "{prepared:?}");
}

#[tokio::test]
#[ignore = "called by the other tests of this file"]
async fn in_a_process_of_its_own() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let pixels = std::env::var(PIXELS).unwrap().parse().unwrap();
    let dicom = folder.join("dicom");
    fs::create_dir(&dicom).unwrap();
    for number in 0..INSTANCES {
        fs::write(dicom.join(uid(number)), made(number, pixels)).unwrap();
    }
    let mut site = Site::open().await;
    site.config.store = store(folder);
    let imported = site.import_one(&dicom).await;
    assert!(matches!(imported.fate, Fate::Registered { .. }));
    assert_eq!(imported.instances, INSTANCES);
}

fn store(folder: &Path) -> String {
    format!("file:{}", folder.join("images").display())
}

fn config(folder: &Path) -> ImagingConfig {
    ImagingConfig::new(REPOSITORY.into(), AUTHORITY, store(folder))
}

/// Resident memory of this process.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Follows resident memory while something is done, and says how much it grew.
async fn growth<T>(doing: impl Future<Output = T>) -> (usize, T) {
    let before = resident();
    let mut highest = before;
    let mut doing = std::pin::pin!(doing);
    loop {
        let tick = tokio::time::sleep(Duration::from_millis(5));
        tokio::select! {
            done = &mut doing => return (highest.max(resident()) - before, done),
            () = tick => highest = highest.max(resident()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_instances_in_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    let pixels = 32 << 10;
    prepare(folder.path(), pixels);
    let (url, client) = open_source(folder.path(), config(folder.path()), false).await;
    // The first calls of a process need memory of their own.
    retrieve(&client, &url, &asked(0..5)).await;
    let everything = asked(0..INSTANCES);
    let (grown, (response, got)) = growth(retrieve(&client, &url, &everything)).await;
    assert_eq!(response.status, ResponseStatus::Success);
    assert_eq!(got.len(), INSTANCES);
    for (number, (instance, hash)) in got.iter().enumerate() {
        assert_eq!(*instance, uid(number));
        assert_eq!(*hash, sha256(&made(number, pixels)));
    }
    eprintln!("{INSTANCES} instances: grown by {} KiB", grown >> 10);
    assert!(grown < GROWTH, "grew by {grown} bytes");
}

/// Takes instances without looking at them; says how many bytes came.
async fn taken(client: &Client, url: &str, numbers: std::ops::Range<usize>) -> u64 {
    let request = asked(numbers);
    let answer = client.send::<RetrieveImagingDocumentSet>(url, &request, Vec::new());
    let mut attachments = answer.await.unwrap().attachments;
    let mut bytes = 0;
    while let Some(mut attachment) = attachments.next().await.unwrap() {
        while let Some(chunk) = attachment.chunk().await.unwrap() {
            bytes += chunk.len() as u64;
        }
    }
    bytes
}

/// Figures, for a build with optimisation: client and source share the cores.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures: cargo test --release --test imaging_many -- --ignored throughput --nocapture"]
async fn throughput() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), 525 << 10);
    for secure in [false, true] {
        let node = tempfile::tempdir().unwrap();
        let (url, client) = open_source(node.path(), config(folder.path()), secure).await;
        taken(&client, &url, 0..INSTANCES).await;
        for (connections, at_once) in [(1, INSTANCES), (4, INSTANCES / 4), (1, 100), (1, 1)] {
            let rounds = if at_once == 1 { 400 } else { 1 };
            let began = Instant::now();
            let mut running = Vec::new();
            for part in 0..connections {
                let (client, url) = (client.clone(), url.clone());
                running.push(tokio::spawn(async move {
                    let mut bytes = 0;
                    for round in 0..rounds {
                        let first = part * at_once + round;
                        bytes += taken(&client, &url, first..first + at_once).await;
                    }
                    bytes
                }));
            }
            let mut bytes = 0;
            for one in running {
                bytes += one.await.unwrap();
            }
            let seconds = began.elapsed().as_secs_f64();
            let calls = connections * rounds;
            eprintln!(
                "{}: {connections} connection(s), {at_once} instances a call: {:.0} MB/s, {:.0} \
                 instances/s, {:.2} ms a call",
                if secure { "mutual TLS" } else { "plain" },
                bytes as f64 / seconds / 1e6,
                (calls * at_once) as f64 / seconds,
                seconds * 1e3 * connections as f64 / calls as f64,
            );
        }
    }
}
