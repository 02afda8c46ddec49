//! A node takes as many files and sockets as it may have, whatever the shell's soft limit is.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::site::{hilum, port_base};

#[test]
fn the_soft_limit_is_no_limit() {
    let folder = tempfile::tempdir().unwrap();
    let node = folder.path().join("node");
    let (dir, port) = (node.to_str().unwrap(), port_base().to_string());
    let made = hilum(&["init", dir, "--plain", "--port-base", &port]);
    assert!(made.status.success(), "{made:?}");
    let mut serve = Command::new("sh")
        .args(["-c", "ulimit -Sn 300 && exec \"$0\" serve --config \"$1\""])
        .arg(env!("CARGO_BIN_EXE_hilum"))
        .arg(node.join("hilum.toml"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serve.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("listening "));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", serve.id())).unwrap();
    let files = limits.lines().find(|it| it.starts_with("Max open files"));
    let numbers: Vec<&str> = files.unwrap().split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "soft and hard");
    assert_ne!(
        numbers[0], "300",
        "the hard limit of this machine shows nothing"
    );
    serve.kill().unwrap();
    serve.wait().unwrap();
}
