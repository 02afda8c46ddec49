//! How fast the Audit Record Repository receives: audit messages over mutual TLS, until all of them are
//! durable; then how long it takes to verify its log. Senders and repository share the machine.
//!
//! `cargo run --release -p hilum-audit --example ingest -- [messages] [connections] [encrypted]`

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use hilum_audit::event::{Query, Source};
use hilum_audit::moment::Moment;
use hilum_audit::record_repository::verify::verify;
use hilum_audit::record_repository::{RecordRepository, RecordRepositoryConfig, Via};
use hilum_audit::{Audit, AuditConfig, Event, Outcome, Parties, syslog};
use hilum_security::at_rest::{KeyRing, Vault};
use hilum_security::development_ca::Identity;
use hilum_security::iti19_authenticate_node::{ClientTls, TlsFiles, client_config, server_config};
use hilum_security::signing::SigningKey;
use hilum_transport::{Limits, streams};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let is_encrypted = std::env::args().any(|it| it == "encrypted");
    let numbers = std::env::args().skip(1).filter(|it| it != "encrypted");
    let mut arguments = numbers.map(|it| it.parse::<u64>());
    let messages = arguments.next().transpose()?.unwrap_or(200_000);
    let connections = arguments.next().transpose()?.unwrap_or(4);
    let folder = tempfile::tempdir_in(".")?;
    let files = certificates(&folder)?;
    let key = SigningKey::generate()?;
    let repository = repository(&folder, &key, is_encrypted)?;
    let port = listen(&repository, &files).await?;
    let frame = frame();
    let bytes = frame.len() as u64 * messages;
    println!(
        "{messages} messages of {} bytes over {connections} connections, {}",
        frame.len(),
        if is_encrypted { "encrypted" } else { "plain" }
    );
    let took = written(&folder, &frame, messages)?;
    told(
        "written to a file and synced, as a limit",
        messages,
        bytes,
        took,
    );
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for sender in 0..connections {
        let share = messages / connections + u64::from(sender < messages % connections);
        let (frame, tls) = (frame.clone(), client_config(&files)?);
        senders.spawn(send(frame, share, tls, port));
    }
    let mut end = repository.log().changes();
    end.wait_for(|end| *end >= messages).await?;
    let took = began.elapsed();
    told("received over mutual TLS, durable", messages, bytes, took);
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    repository.sign().await;
    let began = Instant::now();
    let found = verify(&folder.path().join("log"), &key.public()?, &[])?;
    told("verified", messages, bytes, began.elapsed());
    assert!(
        found.findings.is_empty() && found.covered == messages,
        "{found:?}"
    );
    Ok(())
}

fn certificates(folder: &TempDir) -> Result<TlsFiles, Failure> {
    let path = |name: &str| folder.path().join(name);
    let authority = Identity::authority("CA", 1)?;
    authority.write(&path("ca.pem"), &path("ca.key"))?;
    let node = authority.issue("node", &[], 1)?;
    node.write(&path("node.pem"), &path("node.key"))?;
    Ok(TlsFiles {
        certificate: path("node.pem"),
        key: path("node.key"),
        trust: vec![path("ca.pem")],
        client_certificate_required: true,
        check_server_name: true,
    })
}

fn repository(
    folder: &TempDir,
    key: &SigningKey,
    is_encrypted: bool,
) -> Result<RecordRepository, Failure> {
    let path = |name: &str| folder.path().join(name);
    key.write(&path("audit.key"))?;
    let audit = Audit::open(AuditConfig {
        spool: path("spool"),
        source_id: "ingest".to_owned(),
        enterprise_site: None,
        host: "localhost".to_owned(),
        segment_bytes: 1 << 26,
    })?;
    let mut config = RecordRepositoryConfig::new(path("log"), path("audit.key"));
    if is_encrypted {
        KeyRing::generate(&path("keys"), None)?;
        let ring = KeyRing::open(&path("keys"), None)?;
        ring.install();
        config.log.vault = Vault::with(ring).sealing_fields();
    }
    Ok(RecordRepository::open(config, audit)?)
}

/// Receives at a port of this machine.
async fn listen(repository: &RecordRepository, files: &TlsFiles) -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let repository = repository.clone();
    let handle = move |incoming| {
        let repository = repository.clone();
        async move { repository.receive(Via::Tls, incoming).await }
    };
    let (tls, limits) = (Some(server_config(files)?), Limits::default());
    let never = std::future::pending();
    tokio::spawn(streams::serve(listener, tls, limits, 1024, handle, never));
    Ok(port)
}

/// Sends as one does who reads records from a disk: some at a time.
async fn send(frame: Vec<u8>, share: u64, tls: ClientTls, port: u16) -> Result<(), Failure> {
    let limits = Limits::default();
    let mut stream = streams::connect("localhost", port, Some(&tls), &limits).await?;
    let mut left = share;
    while left > 0 {
        let some = left.min(16);
        stream
            .write_all(&frame.repeat(usize::try_from(some)?))
            .await?;
        left -= some;
    }
    stream.shutdown().await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// The limit: the same bytes, appended a mebibyte at a time, each durable before the next.
fn written(folder: &TempDir, frame: &[u8], messages: u64) -> Result<Duration, Failure> {
    let mut file = std::fs::File::create(folder.path().join("limit"))?;
    let group = (1 << 20) / frame.len();
    let bytes = frame.repeat(group);
    let began = Instant::now();
    for _ in 0..messages / group as u64 {
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    Ok(began.elapsed())
}

fn told(what: &str, messages: u64, bytes: u64, took: Duration) {
    let seconds = took.as_secs_f64();
    let (rate, speed) = (messages as f64 / seconds, bytes as f64 / seconds / 1e6);
    println!("{what}: {seconds:.2} s, {rate:.0} messages/s, {speed:.0} MB/s");
}

/// What a registry records of a query.
fn frame() -> Vec<u8> {
    let query = Query {
        id: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
        request: &"<query:AdhocQueryRequest/>".repeat(12),
        patients: &["P1^^^&1.2.3&ISO"],
        home_community_id: None,
    };
    let parties = Parties::asked("https://xds.example:18401/registry");
    let event = Event::queried(&parties, query, &Outcome::Success);
    let source = Source {
        id: "hilum@xds.example".to_owned(),
        enterprise_site: None,
        host: "xds.example".to_owned(),
        process: "4711".to_owned(),
    };
    syslog::frames(&event, &source, Moment::of(SystemTime::now()))
}
