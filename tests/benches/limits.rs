//! What this machine can do at best: the same door without rooms, and the disk without us.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use hilum_security::development_ca::Identity;
use hilum_security::iti19_authenticate_node::{self as iti19, TlsFiles};
use hilum_tests::calls::{Raw, Register};
use hilum_tests::words::{Document, Submission};
use hilum_transport::{Client, Incoming, Limits, Reply};
use sha1::{Digest, Sha1};
use tokio::net::TcpListener;

use crate::load::closed_loop;
use crate::{Bench, row};

const SUCCESS: &str = r#"<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"/>"#;

pub(crate) async fn run(bench: &Bench) {
    if bench.wants("limit: door") {
        door(bench).await;
    }
    let folder = tempfile::tempdir().unwrap();
    if bench.wants("limit: disk") {
        appends(bench, folder.path());
        durable_files(bench, folder.path());
        sequential(folder.path());
    }
    if bench.wants("limit: SHA-1") {
        let block = vec![7; 64 << 20];
        let began = Instant::now();
        std::hint::black_box(Sha1::digest(&block));
        let rate = block.len() as f64 / began.elapsed().as_secs_f64() / 1e6;
        row("limit: SHA-1", &format!("{rate:>7.0} MB/s"), "");
    }
}

/// The door with a room that answers at once: mutual TLS, HTTP, SOAP header, nothing else.
async fn door(bench: &Bench) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Identity::authority("bench", 1).unwrap();
    let file = |name: &str| folder.path().join(name);
    authority.write(&file("ca.pem"), &file("ca.key")).unwrap();
    let node = authority.issue("node", &[], 1).unwrap();
    node.write(&file("node.pem"), &file("node.key")).unwrap();
    let files = TlsFiles {
        certificate: file("node.pem"),
        key: file("node.key"),
        trust: vec![file("ca.pem")],
        client_certificate_required: true,
        check_server_name: true,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/x", listener.local_addr().unwrap());
    let acceptor = iti19::server_config(&files).unwrap();
    let answer = |incoming: Incoming| async move {
        match incoming {
            Incoming::Call(_) => Reply::soap::<Register>(SUCCESS.to_owned()),
            _ => Reply::plain(404, "text/plain", "no"),
        }
    };
    let serving = tokio::spawn(hilum_transport::serve(
        listener,
        Some(acceptor),
        Limits::default(),
        answer,
        std::future::pending(),
    ));
    let mut submission = Submission::new("P-1", vec![Document::text("one")]);
    submission.repository = true;
    let request = submission.submit_objects_request();
    for connections in [1, 16, 64] {
        let pid = std::process::id();
        let client = |_| {
            let client = Client::new(
                Some(iti19::client_config(&files).unwrap()),
                Limits::default(),
            );
            let (url, request) = (url.clone(), request.clone());
            move || {
                let (client, url, request) = (client.clone(), url.clone(), request.clone());
                async move {
                    let request = Raw(request);
                    let sent = client.send::<Register>(&url, &request, Vec::new());
                    sent.await.unwrap();
                }
            }
        };
        let load = closed_loop(connections, bench.time, pid, client).await;
        let what = format!("limit: door, {connections} connections");
        let beside = format!("CPU of both sides, {} bytes each", request.len());
        row(&what, &load.told(), &beside);
    }
    serving.abort();
}

/// Appends of 4 KiB made durable, alone and in groups: what a commit costs.
fn appends(bench: &Bench, folder: &Path) {
    for group in [1, 64] {
        let mut file = File::create(folder.join("log")).unwrap();
        let record = vec![b'x'; 4096 * group];
        let began = Instant::now();
        let mut done = 0;
        while began.elapsed() < bench.time {
            file.write_all(&record).unwrap();
            file.sync_data().unwrap();
            done += group;
        }
        let rate = done as f64 / began.elapsed().as_secs_f64();
        let what = format!("limit: disk, durable 4 KiB, {group} at once");
        row(&what, &format!("{rate:>7.0}/s"), "");
    }
}

/// Files of 35 KB, each durable under its name, by 16 threads.
fn durable_files(bench: &Bench, folder: &Path) {
    let began = Instant::now();
    let write = |thread: usize| {
        let content = vec![b'x'; 35_000];
        let mut done = 0;
        while began.elapsed() < bench.time {
            let (new, named) = (
                folder.join(format!("{thread}-{done}.new")),
                folder.join(format!("{thread}-{done}")),
            );
            let mut file = File::create(&new).unwrap();
            file.write_all(&content).unwrap();
            file.sync_data().unwrap();
            fs::rename(new, named).unwrap();
            File::open(folder).unwrap().sync_all().unwrap();
            done += 1;
        }
        done
    };
    let done: usize = std::thread::scope(|scope| {
        let threads = (0..16).map(|thread| scope.spawn(move || write(thread)));
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|it| it.join().unwrap()).sum()
    });
    let rate = done as f64 / began.elapsed().as_secs_f64();
    let what = "limit: disk, durable 35 KB files, 16 threads";
    row(what, &format!("{rate:>7.0}/s"), "");
}

fn sequential(folder: &Path) {
    let block = vec![7; 1 << 20];
    let mut file = File::create(folder.join("large")).unwrap();
    let began = Instant::now();
    for _ in 0..1024 {
        file.write_all(&block).unwrap();
    }
    file.sync_data().unwrap();
    let rate = (1 << 30) as f64 / began.elapsed().as_secs_f64() / 1e6;
    row(
        "limit: disk, 1 GiB and fdatasync",
        &format!("{rate:>7.0} MB/s"),
        "",
    );
}
