//! `hilum demo`: what a stranger types first.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hilum_dicom::phantoms::{self, Detail};

use crate::site::{hilum, port_base, text};

#[test]
fn every_study_arrives_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("demo");
    let base = port_base();
    let port = base.to_string();
    let dir = dir.to_str().unwrap();
    let demo = hilum(&["demo", "--once", "--dir", dir, "--port-base", &port]);
    let (said, complained) = (text(&demo.stdout), text(&demo.stderr));
    assert!(demo.status.success(), "{said}{complained}");
    assert_eq!(said.matches("  registered  ").count(), 4, "{said}");
    assert!(said.contains("4 studies registered"), "{said}");
    assert!(said.contains("A second import changed 0."), "{said}");
    assert!(said.contains("version 2 of a manifest"), "{said}");
    assert!(said.contains("two who were merged"), "{said}");
    assert!(!said.contains("NO"), "{said}");
    // Who is away is named, and costs nothing of the others.
    assert!(said.contains("Across 3 countries"), "{said}");
    let row = |name: &str| said.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(row("Southland  ").contains("  unavailable  "), "{said}");
    assert!(row("Northland  ").ends_with("  2            2"), "{said}");
    let told = "XDSUnavailableCommunity: Southland";
    assert_eq!(said.matches(told).count(), 1, "{said}");
    // Nothing is left listening.
    let listening = said
        .lines()
        .find_map(|line| line.strip_prefix("listening registry https://"));
    let address = listening.unwrap().split('/').next().unwrap();
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn own_files_and_what_is_wrong_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    let now = std::time::SystemTime::now();
    phantoms::write(&own, "own", now, Detail::Small).unwrap();
    std::fs::write(own.join("broken.dcm"), b"DICM? No.").unwrap();
    let port = port_base().to_string();
    let demo_of = |dir: &Path| {
        let dir = dir.to_str().unwrap();
        hilum(&["demo", "--once", "--port-base", &port, "--dicom", dir])
    };
    let demo = demo_of(&own);
    let said = text(&demo.stdout);
    assert!(demo.status.success(), "{said}{}", text(&demo.stderr));
    assert!(said.contains("4 studies registered") && said.contains("1 files were left out"));

    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let demo = demo_of(&empty);
    assert_eq!(demo.status.code(), Some(1));
    assert!(
        text(&demo.stderr).contains("no study"),
        "{}",
        text(&demo.stderr)
    );
    let missing = demo_of(Path::new("/no/such/folder"));
    assert_eq!(missing.status.code(), Some(2));
    let occupied = hilum(&["demo", "--once", "--dir", own.to_str().unwrap()]);
    assert_eq!(occupied.status.code(), Some(1));
    assert!(text(&occupied.stderr).contains("not empty"));
}

#[test]
fn it_keeps_serving_until_it_is_stopped() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_hilum"))
        .args(["demo", "--port-base", &port_base().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("Still running")));
    assert!(lines.any(|line| line.contains("imaging?wsdl  (answers 200)")));
    let terminated = Command::new("kill")
        .arg(demo.id().to_string())
        .status()
        .unwrap();
    assert!(terminated.success());
    assert!(demo.wait().unwrap().success());
}
