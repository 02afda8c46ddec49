//! `hilum certs`: an authority, its nodes, renewals and revocations.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::site::{hilum, text};

/// Runs `hilum certs`, which must succeed.
fn certs(arguments: &[&str]) -> String {
    let output = hilum(&[&["certs"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    text(&output.stdout)
}

/// Runs `hilum certs`, which must fail, and gives what it says.
fn refused(arguments: &[&str]) -> String {
    let output = hilum(&[&["certs"], arguments].concat());
    assert!(!output.status.success(), "{arguments:?}: {output:?}");
    text(&output.stderr)
}

fn listed(dir: &str) -> Vec<Value> {
    let lines = certs(&["list", dir, "--json"]);
    let parse = |line: &str| serde_json::from_str(line).unwrap();
    lines.lines().map(parse).collect()
}

fn of<'l>(list: &'l [Value], name: &str) -> &'l Value {
    list.iter().find(|it| it["name"] == name).unwrap()
}

/// OpenSSL's own opinion: whether a certificate is good for an authority and its list.
fn verify(dir: &Path, name: &str) -> Result<(), String> {
    let output = Command::new("openssl")
        .args(["verify", "-crl_check", "-CAfile"])
        .arg(dir.join("ca.pem"))
        .arg("-CRLfile")
        .arg(dir.join("crl.pem"))
        .arg(dir.join(format!("{name}.pem")))
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(text(&output.stderr)),
    }
}

#[test]
fn an_authority_issues_renews_and_revokes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca");
    let dir = path.to_str().unwrap();
    certs(&["authority", dir, "--name", "Example CA", "--days", "100"]);
    certs(&[
        "node",
        dir,
        "ward",
        "--san",
        "ward.example",
        "--san",
        "192.0.2.7",
        "--days",
        "50",
    ]);
    for key in ["ca.key", "ward.key"] {
        let mode = path.join(key).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    let before = std::fs::read(path.join("ward.key")).unwrap();
    certs(&["crl", dir, "--days", "7"]);
    verify(&path, "ward").unwrap();

    certs(&["renew", dir, "ward", "--days", "60", "--revoke-old"]);
    assert_ne!(std::fs::read(path.join("ward.key")).unwrap(), before);
    let mode = path
        .join("ward.key")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    verify(&path, "ward").unwrap();
    assert!(
        verify(&path, "ward.old")
            .unwrap_err()
            .contains("certificate revoked")
    );
    let list = listed(dir);
    let (new, old) = (of(&list, "ward"), of(&list, "ward.old"));
    assert_eq!(
        (&new["state"], &old["state"]),
        (&"valid".into(), &"revoked".into())
    );
    assert_eq!(new["subject"], "CN=ward, O=Hilum development");
    assert_eq!(new["issuer"], "CN=Example CA, O=Hilum development");
    let names = ["localhost", "127.0.0.1", "::1", "ward.example", "192.0.2.7"];
    assert_eq!(new["names"], serde_json::json!(names));
    assert_eq!(new["names"], old["names"]);
    assert_ne!(new["fingerprint"], old["fingerprint"]);
    assert!(old["revoked"].as_str().unwrap().starts_with("20"));
    assert!([59, 60].contains(&new["days_left"].as_i64().unwrap()));

    certs(&["revoke", dir, "ward"]);
    assert!(
        verify(&path, "ward")
            .unwrap_err()
            .contains("certificate revoked")
    );
    // A new list keeps what stood in the one before.
    certs(&["crl", dir]);
    assert!(
        verify(&path, "ward")
            .unwrap_err()
            .contains("certificate revoked")
    );
    assert!(verify(&path, "ward.old").is_err());
    let shown = certs(&["list", dir]);
    assert!(
        shown.contains("ward: CN=ward, O=Hilum development, revoked on 20"),
        "{shown}"
    );
    assert!(shown.contains("    sha256:"), "{shown}");
}

#[test]
fn nothing_is_overwritten_without_being_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let dir = path.to_str().unwrap();
    certs(&["authority", dir]);
    certs(&["node", dir, "ward"]);
    let before = std::fs::read(path.join("ward.key")).unwrap();
    assert!(refused(&["authority", dir]).contains("it is there already"));
    assert!(refused(&["node", dir, "ward"]).contains("it is there already"));
    assert_eq!(std::fs::read(path.join("ward.key")).unwrap(), before);
}

#[test]
fn what_is_not_ours_is_not_renewed_or_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let dirs = ["one", "two"].map(|name| folder.path().join(name));
    let [one, two] = dirs.each_ref().map(|dir| dir.to_str().unwrap());
    certs(&["authority", one]);
    certs(&["authority", two]);
    certs(&["node", one, "ward"]);
    std::fs::copy(dirs[0].join("ward.pem"), dirs[1].join("ward.pem")).unwrap();
    let told = refused(&["revoke", two, "ward"]);
    assert!(told.contains("not signed by this authority"), "{told}");
    certs(&["crl", one]);
    std::fs::copy(dirs[0].join("crl.pem"), dirs[1].join("crl.pem")).unwrap();
    let told = refused(&["crl", two]);
    assert!(told.contains("not signed by this authority"), "{told}");
    for name in ["../ward", "ca", "nobody"] {
        refused(&["revoke", one, name]);
        refused(&["renew", one, name]);
    }
    for name in ["", "..", "a b", "a/b", ".a"] {
        refused(&["node", one, name]);
    }
}

/// The way of the first days goes on.
#[test]
fn a_name_alone_is_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    certs(&["authority", dir]);
    certs(&[
        "ward-7",
        "--dir",
        dir,
        "--reached-as",
        "ward-7.example",
        "--days",
        "3",
    ]);
    let list = listed(dir);
    let names = of(&list, "ward-7")["names"].as_array().unwrap();
    assert_eq!(names.last().unwrap(), "ward-7.example");
}
