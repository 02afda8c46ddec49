//! The command as an integrator uses it: a node is made, checked, run, asked and stopped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn hilum(arguments: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_hilum"))
        .args(arguments)
        .output();
    command.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A base such that the two ports that follow it are free.
fn port_base() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let start = 20_000 + u16::try_from(std::process::id() % 20_000).unwrap();
    let bases = (start..60_000).step_by(10);
    bases
        .into_iter()
        .find(|base| free(base + 1) && free(base + 2))
        .unwrap()
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_node_is_made_run_and_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("node");
    let base = port_base();
    let made = hilum(&[
        "init",
        dir.to_str().unwrap(),
        "--plain",
        "--port-base",
        &base.to_string(),
    ]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let config = dir.join("hilum.toml");
    let config = config.to_str().unwrap();
    let checked = hilum(&["check", "--config", config]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));

    let mut node = Command::new(env!("CARGO_BIN_EXE_hilum"))
        .args(["serve", "--config", config])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(node.stdout.take().unwrap()).lines();
    let lines: Vec<String> = said.take(3).map(Result::unwrap).collect();
    let expected = [("registry", 1), ("repository", 2), ("imaging", 2)]
        .map(|(room, port)| format!("listening {room} http://127.0.0.1:{}/{room}", base + port));
    assert_eq!(lines, expected);
    assert!(get(base + 1, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(base + 1, "/elsewhere").starts_with("HTTP/1.1 404"));
    let second = hilum(&["serve", "--config", config]);
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(text(&second.stderr).lines().count(), 1);

    let id = node.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert!(node.wait().unwrap().success());
    let records = text(&hilum(&["audit", "list", "--config", config]).stdout);
    let of = |code: &str| records.lines().filter(|line| line.contains(code)).count();
    assert_eq!((of("110120"), of("110121")), (3, 3), "{records}");
}

#[test]
fn exit_statuses() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    assert_eq!(
        hilum(&["serve", "--config", "/no/such/file"]).status.code(),
        Some(2)
    );
    assert_eq!(hilum(&["no-such-command"]).status.code(), Some(2));
    assert_eq!(
        hilum(&["init", dir, "--home", "none"]).status.code(),
        Some(2)
    );
    std::fs::write(Path::new(dir).join("something"), "").unwrap();
    let refused = hilum(&["init", dir]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("not empty"));
}
