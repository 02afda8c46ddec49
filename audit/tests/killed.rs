//! A process that records under load is killed, again and again: nothing that it was told is safe
//! may be missing afterwards.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hilum_audit::spool::records;
use hilum_audit::summary::Summary;
use hilum_audit::{Audit, AuditConfig, Event, syslog};
use hilum_security::at_rest::{KeyRing, Vault};

/// Set for the process that is going to be killed.
const VICTIM: &str = "HILUM_AUDIT_VICTIM";

fn config(folder: &Path) -> AuditConfig {
    AuditConfig {
        spool: folder.to_owned(),
        source_id: "test".to_owned(),
        enterprise_site: None,
        host: "localhost".to_owned(),
        segment_bytes: 100_000,
    }
}

/// Encrypted if there are keys beside the spool.
fn opened(folder: &Path) -> Audit {
    let keys = folder.join("keys");
    if !keys.exists() {
        return Audit::open(config(folder)).unwrap();
    }
    let ring = KeyRing::open(&keys, None).unwrap();
    ring.install();
    Audit::open_in(config(folder), &Vault::with(ring)).unwrap()
}

/// Not a test by itself: what [`killed`] starts and kills. It records names
/// and says each of them aloud once it is recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Ok(folder) = std::env::var(VICTIM) else {
        return;
    };
    let (folder, round) = folder.rsplit_once('#').unwrap();
    let audit = opened(Path::new(folder));
    for caller in 0..16 {
        let (audit, round) = (audit.clone(), round.to_owned());
        tokio::spawn(async move {
            for number in 0.. {
                let name = format!("{round}.{caller}.{number}");
                let event = Event::application_started(&name);
                let name = audit.record(event, name).await.unwrap().into_inner();
                writeln!(std::io::stderr(), "recorded {name}").unwrap();
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[test]
fn nothing_acknowledged_is_lost() {
    killed(tempfile::tempdir().unwrap().path());
}

#[test]
fn nothing_acknowledged_is_lost_that_is_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    KeyRing::generate(&folder.path().join("keys"), None).unwrap();
    killed(folder.path());
    let plain = std::fs::read_dir(folder.path()).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(5).any(|window| window == b"Audit")
    });
    assert!(!plain);
}

fn killed(folder: &Path) {
    let mut acknowledged = BTreeSet::new();
    for round in 0..5 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--nocapture"])
            .env(VICTIM, format!("{}#{round}", folder.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(victim.stderr.take().unwrap()).lines();
        for _ in 0..400 + 137 * round {
            let line = said.next().unwrap().unwrap();
            acknowledged.extend(line.strip_prefix("recorded ").map(str::to_owned));
        }
        // SIGKILL, in the middle of whatever it is doing.
        victim.kill().unwrap();
        victim.wait().unwrap();
        // The last line may be torn: only whole ones count, which end in a number that was given.
        let rest: Vec<String> = said.map_while(Result::ok).collect();
        for line in &rest[..rest.len().saturating_sub(1)] {
            acknowledged.extend(line.strip_prefix("recorded ").map(str::to_owned));
        }
    }
    drop(opened(folder));
    let kept: BTreeSet<String> = records(folder)
        .unwrap()
        .map(|record| {
            let record = record.unwrap();
            let summary = Summary::read(syslog::xml(&record.message).unwrap()).unwrap();
            summary.participants[0].clone()
        })
        .collect();
    let lost: Vec<&String> = acknowledged.difference(&kept).collect();
    assert!(lost.is_empty(), "{} lost, {:?} first", lost.len(), lost[0]);
    eprintln!("{} acknowledged, {} kept", acknowledged.len(), kept.len());
}
