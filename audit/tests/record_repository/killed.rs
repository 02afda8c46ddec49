//! A repository that receives is killed, again and again, at any moment: what it had made durable stays,
//! and its log is whole.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hilum_audit::record_repository::{Log, RecordRepository, RecordRepositoryConfig, Via};
use hilum_audit::{Audit, AuditConfig};
use hilum_security::at_rest::{KeyRing, Vault};
use hilum_transport::{Limits, streams};
use tokio::net::TcpListener;

use crate::store::Store;

/// Set for the process that is going to be killed.
const VICTIM: &str = "HILUM_AUDIT_REPOSITORY_VICTIM";

fn audit(folder: &Path) -> Audit {
    let config = AuditConfig {
        spool: folder.join("spool"),
        source_id: "test".to_owned(),
        enterprise_site: None,
        host: "localhost".to_owned(),
        segment_bytes: 1 << 20,
    };
    Audit::open(config).unwrap()
}

/// Not a test by itself: what [`kill`] starts and kills. It receives, signs heads as
/// fast as it can, and says how far its log is durable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Ok(folder) = std::env::var(VICTIM) else {
        return;
    };
    let folder = Path::new(&folder);
    let mut config = RecordRepositoryConfig::new(folder.join("log"), folder.join("audit.key"));
    config.log.segment_bytes = 200_000;
    let keys = folder.join("keys");
    if keys.exists() {
        let ring = KeyRing::open(&keys, None).unwrap();
        ring.install();
        config.log.vault = Vault::with(ring).sealing_fields();
    }
    config.head_every = Duration::from_millis(5);
    let repository = RecordRepository::open(config, audit(folder)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let receiving = repository.clone();
    let handle = move |incoming| {
        let repository = receiving.clone();
        async move { repository.receive(Via::Tcp, incoming).await }
    };
    let never = std::future::pending();
    tokio::spawn(streams::serve(
        listener,
        None,
        Limits::default(),
        9,
        handle,
        never,
    ));
    let signing = repository.clone();
    tokio::spawn(async move { signing.run(std::future::pending()).await });
    let mut changes = repository.log().changes();
    writeln!(std::io::stderr(), "listening {port}").unwrap();
    loop {
        let end = *changes.borrow_and_update();
        writeln!(std::io::stderr(), "durable {end}").unwrap();
        changes.changed().await.unwrap();
    }
}

/// What a victim said last, of which the line may be torn.
fn last_durable(lines: &[String]) -> u64 {
    let whole = &lines[..lines.len().saturating_sub(1)];
    let said = whole
        .iter()
        .filter_map(|line| line.strip_prefix("durable "));
    said.filter_map(|end| end.parse().ok()).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_durable_is_lost() {
    kill(&Store::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_durable_is_lost_that_is_encrypted() {
    let store = Store::encrypted();
    kill(&store).await;
    for segment in store.segments() {
        let bytes = std::fs::read(segment).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"- number"));
    }
}

/// Kills one again and again that keeps what it receives in this store.
async fn kill(store: &Store) {
    let folder = store.path().parent().unwrap().to_owned();
    let (mut next, mut durable) = (0_u64, 0_u64);
    for round in 0..8_u64 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::victim", "--nocapture"])
            .env(VICTIM, &folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(victim.stderr.take().unwrap()).lines();
        let port: u16 = loop {
            let line = said.next().unwrap().unwrap();
            if let Some(port) = line.strip_prefix("listening ") {
                break port.parse().unwrap();
            }
        };
        let reader = std::thread::spawn(move || said.map_while(Result::ok).collect::<Vec<_>>());
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let end = Instant::now() + Duration::from_millis(60 + 90 * round);
        while Instant::now() < end {
            let padding = "x".repeat(usize::try_from(next % 700).unwrap());
            let message = format!("<85>1 - host app - - - number {next} {padding}");
            let frame = format!("{} {message}", message.len());
            stream.write_all(frame.as_bytes()).unwrap();
            next += 1;
        }
        // SIGKILL, in the middle of whatever it is doing.
        victim.kill().unwrap();
        victim.wait().unwrap();
        let lines = reader.join().unwrap();
        durable = durable.max(last_durable(&lines));
        let found = store.verify();
        assert_eq!(found.findings, [], "round {round}");
        assert!(found.size >= durable, "{} of {durable}", found.size);
        assert!(found.covered <= found.size);
    }
    let repository = store.open();
    let log = repository.log();
    assert!(
        durable > 1000 && log.end() >= durable,
        "{durable} {}",
        log.end()
    );
    is_in_order(log);
    eprintln!(
        "{next} sent, {durable} said to be durable, {} kept",
        log.end()
    );
    repository.sign().await;
    assert_eq!(store.findings(), []);
}

/// Whatever arrived is what was sent, in its order; what a kill tore off is marked as such, or gone.
fn is_in_order(log: &Log) {
    let mut last = None;
    for (index, record) in log.from(0, usize::MAX).unwrap() {
        let text = String::from_utf8(record.bytes).unwrap();
        if record.cut {
            continue;
        }
        let number = text
            .split("number ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        let number: u64 = number.parse().unwrap();
        assert!(
            last.is_none_or(|last| number > last),
            "{index}: {number} after {last:?}"
        );
        last = Some(number);
    }
}
