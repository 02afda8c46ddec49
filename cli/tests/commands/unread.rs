//! Whoever reads what a command writes may be gone: nothing panics, nothing is said of it, and the exit status is
//! that of something that could not be written.

use std::io::{BufRead, BufReader, PipeWriter};
use std::net::TcpStream;
use std::process::{Command, ExitStatus, Stdio};

use crate::node::get;
use crate::site::{Site, hilum, port_base, text};

/// What is written there reaches nobody.
fn closed() -> PipeWriter {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hilum"));
    command.args(arguments);
    command
}

/// Its exit status with standard output and standard error both closed.
fn with_both_closed(command: &mut Command) -> ExitStatus {
    command.stdout(closed()).stderr(closed()).status().unwrap()
}

/// Panics end with 101, and show on a standard error that is read.
#[test]
fn every_kind_of_command_ends_with_the_status_of_a_failed_write() {
    let site = Site::with(&["--plain", "--accept-unknown-patients"]);
    site.submit("1.txt", "one", &[]);
    let commands: &[&[&str]] = &[
        &["check"],
        &["query", "--patient", "P-1"],
        &["query", "--patient", "P-1", "--json"],
        &["query", "parameters", "thickness"],
        &["query", "--patient", "P-2"],
        &["audit", "list"],
        &["audit", "search"],
        &["quarantine", "list"],
        &["inbox", "list"],
        &["subscriptions", "list"],
        &["keys", "list"],
        &["init", "another"],
        &["certs", "node", "another/certs", "me"],
        &["certs", "list", "another/certs"],
        &["certs", "renew", "another/certs", "me", "--revoke-old"],
    ];
    for arguments in commands {
        let mut one = command(arguments);
        one.current_dir(site.dir());
        let code = with_both_closed(&mut one).code();
        assert!(matches!(code, Some(0..=2)), "{arguments:?}: {code:?}");
    }
    // What was to be done was done: only that it was is not said.
    let certs = site.dir().join("another/certs");
    for file in ["../hilum.toml", "ca.pem", "me.key", "me.old.pem"] {
        assert!(certs.join(file).is_file(), "{file}");
    }
    let listed = site.ok(&["certs", "list", "another/certs", "--json"]);
    let listed = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let listed: Vec<serde_json::Value> = listed.collect();
    let is_revoked = |name: &str| {
        let mut of_name = listed.iter().filter(|it| it["name"] == name);
        !of_name.next().unwrap()["revoked"].is_null()
    };
    assert!(is_revoked("me.old"), "{listed:?}");
    assert!(!is_revoked("me"), "{listed:?}");
    for arguments in [&commands[..4], &commands[5..7]].concat() {
        let mut one = command(arguments);
        one.current_dir(site.dir());
        let ended = one.stdout(closed()).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        assert_eq!(text(&ended.stderr), "", "{arguments:?}");
    }
}

/// A disk that is full is no reader that went away.
#[test]
fn what_cannot_be_written_for_another_reason_is_said() {
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut query = command(&["query", "parameters", "thickness"]);
    let ended = query.stdout(full.unwrap()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = text(&ended.stderr);
    assert!(said.starts_with("hilum: standard output: "), "{said}");
}

#[test]
fn a_node_whose_log_nobody_reads_runs_on() {
    let folder = tempfile::tempdir().unwrap();
    let node = folder.path().join("node");
    let (dir, base) = (node.to_str().unwrap(), port_base());
    let made = hilum(&["init", dir, "--plain", "--port-base", &base.to_string()]);
    assert!(made.status.success(), "{made:?}");
    let mut serve = command(&["serve", "--config"])
        .arg(node.join("hilum.toml"))
        .env("HILUM_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(closed())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serve.stdout.take().unwrap()).lines();
    let listening = |line: &String| line.starts_with("listening metrics");
    assert!(lines.any(|line| listening(&line.unwrap())));
    for _ in 0..3 {
        // Something to be logged, by whoever accepts it.
        drop(TcpStream::connect(("127.0.0.1", base + 1)).unwrap());
        assert!(get(base + 1, "/healthz").starts_with("HTTP/1.1 200"));
    }
    let stop = Command::new("kill").arg(serve.id().to_string()).status();
    assert!(stop.unwrap().success());
    assert_eq!(serve.wait().unwrap().code(), Some(0));
}
