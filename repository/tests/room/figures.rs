//! How fast it is: `cargo test --release -p hilum-repository --test room -- --ignored --nocapture`
//! on a machine that has nothing else to do. Client, repository and registry share it, over plain
//! HTTP; the whole node over mutual TLS is measured by the benchmark in `tests/`.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hilum_security::at_rest::Vault;
use hilum_transport::{Client, Limits, Part, PartSource};
use tokio::task::JoinSet;
use uuid::Uuid;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::iti41_provide_and_register_document_set::ProvideAndRegisterDocumentSet;
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, RetrieveDocumentSet, RetrieveDocumentSetRequest,
};

use crate::real_registry;
use crate::site::{REPOSITORY, Site};
use crate::submissions::{Draft, content_id};

const CONNECTIONS: usize = 64;
const SMALL: usize = 35_000;
const TIME: Duration = Duration::from_secs(5);
const LARGE: u64 = 1 << 30;

#[ignore = "figures"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures() {
    let folder = tempfile::tempdir().unwrap();
    let limit = durable_files(folder.path(), 16);
    eprintln!("limit: durable files of {SMALL} bytes, 16 threads: {limit:.0}/s");
    let site = Site::open().await;
    for connections in [1, CONNECTIONS] {
        small(&site, "stand-in", connections).await;
    }
    let (real, _) = real_registry::site().await;
    for connections in [1, CONNECTIONS] {
        small(&real, "SQLite", connections).await;
    }
    large(&site).await;
}

/// What encryption costs: `figures_at_rest` instead of `figures`. Plain and encrypted in turns, so that
/// both have the same machine.
#[ignore = "figures"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_at_rest() {
    let mut site = Site::open().await;
    let ring = crate::vault::ring();
    for round in 0..6 {
        site.stop().await;
        let encrypted = round % 2 == 1;
        site.vault = match encrypted {
            // Whoever has keys opens a store that has none, but not the other way round.
            false => Vault::default(),
            true => Vault::with(ring.clone()),
        };
        fs::remove_file(site.store().join("at-rest")).ok();
        site.start().await;
        let kind = if encrypted { "encrypted" } else { "plain" };
        eprintln!("{kind}:");
        large(&site).await;
    }
}

/// How many files of the size can be made durable in a second: written and synced beside their
/// place, renamed, and the folder synced.
fn durable_files(folder: &Path, threads: usize) -> f64 {
    let done = AtomicUsize::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (done, folder) = (&done, folder.join(thread.to_string()));
            scope.spawn(move || {
                fs::create_dir(&folder).unwrap();
                let content = vec![7; SMALL];
                while began.elapsed() < TIME {
                    let path = folder.join(Uuid::new_v4().to_string());
                    let mut file = File::create_new(path.with_extension("new")).unwrap();
                    file.write_all(&content).unwrap();
                    file.sync_data().unwrap();
                    fs::rename(path.with_extension("new"), path).unwrap();
                    File::open(&folder).unwrap().sync_all().unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

/// What this process has used of the CPU: client, repository and registry together.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = |at: usize| fields.split(' ').nth(at).unwrap().parse::<u64>().unwrap();
    // User and system time, in hundredths of a second.
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

/// ITI-41 of small documents.
async fn small(site: &Site, registry: &str, connections: usize) {
    let limits = Limits {
        pooled_connections: connections,
        ..Limits::default()
    };
    let client = Client::new(None, limits);
    let content: Arc<Vec<u8>> = Arc::new((0..=255).cycle().take(SMALL).collect());
    let mut sources = JoinSet::new();
    let (began, cpu_before) = (Instant::now(), cpu());
    for _ in 0..connections {
        let (client, url, content) = (client.clone(), site.url(), Arc::clone(&content));
        sources.spawn(async move {
            let mut times = Vec::new();
            while began.elapsed() < TIME {
                let draft = Draft::of([&content[..]]);
                let (request, parts) = (draft.request(), draft.parts());
                let sent = Instant::now();
                let answer = client
                    .send::<ProvideAndRegisterDocumentSet>(&url, &request, parts)
                    .await;
                times.push(sent.elapsed());
                assert_eq!(answer.unwrap().response.status, ResponseStatus::Success);
            }
            times
        });
    }
    let mut times = sources.join_all().await.concat();
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    times.sort_unstable();
    let each = (cpu() - cpu_before).as_secs_f64() * 1e6 / times.len() as f64;
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    eprintln!(
        "ITI-41 of {SMALL} bytes, {registry}, {connections} connections: \
         {rate:.0}/s, p50 {p50:.1?}, p99 {p99:.1?}, {each:.0} µs of CPU each"
    );
}

/// One large document in and out.
async fn large(site: &Site) {
    let path = site.folder.path().join("large");
    let file = File::create(&path).unwrap();
    file.set_len(LARGE).unwrap();
    let megabytes = LARGE as f64 / 1e6;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let draft = Draft::text("");
        let part = Part {
            content_id: content_id(0),
            content_type: "application/octet-stream".to_owned(),
            source: PartSource::File {
                path: path.clone(),
                offset: 0,
                length: LARGE,
            },
        };
        let (began, cpu_before) = (Instant::now(), cpu());
        let response = site.send(&draft.request(), vec![part]).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success);
        let (rate, used) = (
            megabytes / began.elapsed().as_secs_f64(),
            cpu() - cpu_before,
        );
        eprintln!("ITI-41 of {megabytes:.0} MB: {rate:.0} MB/s, {used:.2?} of CPU");
        ids.push(draft.id(0));
    }
    for id in ids {
        let request = RetrieveDocumentSetRequest {
            documents: vec![DocumentRequest {
                home_community_id: None,
                repository_unique_id: REPOSITORY.into(),
                document_unique_id: id.as_str().into(),
            }],
        };
        let (began, cpu_before) = (Instant::now(), cpu());
        let (client, url) = (&site.client, site.url());
        let answer = client.send::<RetrieveDocumentSet>(&url, &request, Vec::new());
        let mut attachments = answer.await.unwrap().attachments;
        let mut attachment = attachments.next().await.unwrap().unwrap();
        let mut size = 0;
        let mut first = None;
        while let Some(chunk) = attachment.chunk().await.unwrap() {
            first.get_or_insert_with(|| began.elapsed());
            size += chunk.len() as u64;
        }
        assert_eq!(size, LARGE);
        let rate = megabytes / began.elapsed().as_secs_f64();
        let (first, used) = (first.unwrap_or_default(), cpu() - cpu_before);
        eprintln!(
            "ITI-43 of {megabytes:.0} MB: {rate:.0} MB/s, first bytes after {first:.1?}, \
             {used:.2?} of CPU"
        );
    }
}
