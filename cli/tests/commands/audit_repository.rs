//! The Audit Record Repository of a node, as operators and other programs meet it.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::node::get;
use crate::site::{Site, hilum, text};

/// Asks until the answer is right, for no longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// Status line and body of what is asked.
fn ask(site: &Site, path: &str) -> (String, String) {
    let answer = get(site.base + 4, path);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn json(site: &Site, path: &str) -> Value {
    let (status, body) = ask(site, path);
    assert!(status.ends_with("200 OK"), "{path}: {status}");
    serde_json::from_str(&body).unwrap()
}

/// A node that has received `count` records over TCP, and one more over UDP.
fn filled(count: u64) -> Site {
    let site = Site::with_empty_audit_log(&["--plain"]);
    let base = site.base;
    assert_eq!(
        site.lines[6..11],
        [
            format!("listening audit http://127.0.0.1:{}", base + 4),
            format!("listening feed mllp://127.0.0.1:{}", base + 5),
            format!("listening dicom dicom://127.0.0.1:{} (HILUM)", base + 10),
            format!("listening syslog+tcp://127.0.0.1:{}", base + 8),
            format!("listening syslog+udp://127.0.0.1:{}", base + 9),
        ]
    );
    let mut stream = TcpStream::connect(("127.0.0.1", base + 8)).unwrap();
    for number in 0..count {
        let message = format!("<85>1 2026-11-27T17:00:00Z host app - - - number {number}");
        write!(stream, "{} {message}", message.len()).unwrap();
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent = socket.send_to(b"<85>1 - - - - - - by datagram", ("127.0.0.1", base + 9));
    sent.unwrap();
    let began = Instant::now();
    while json(&site, "/audit/tree-head")["size"] != count + 1 {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    // TCP tells the sender that its connection is at an end.
    drop(stream.shutdown(std::net::Shutdown::Write));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    site
}

#[test]
fn a_log_is_filled_asked_and_verified() {
    let mut site = filled(40);
    let head = site.ok(&["audit", "head"]);
    let kept = site.file("head.json", &head);
    let public = site.ok(&["audit", "key", "certs/audit.key"]);
    let key = site.file("audit.pem", &public);
    let all = ["audit", "verify", "--key", &key, "--head", &kept];
    // While the node runs.
    let found = site.ok(&all);
    assert!(
        found.contains("records  41 in all, 41 of them here"),
        "{found}"
    );
    assert!(found.contains("ok       every record"), "{found}");
    let record = |number: u64| ask(&site, &format!("/audit/record/{number}")).1;
    let numbers: Vec<u64> = (0..41)
        .filter(|it| record(*it).ends_with("number 7"))
        .collect();
    let [seventh] = numbers[..] else {
        panic!("{numbers:?}");
    };
    let proof = json(&site, &format!("/audit/proof?index={seventh}&size=41"));
    assert_eq!(proof["path"].as_array().unwrap().len(), 6);
    let proof = json(&site, "/audit/consistency?first=40&second=41");
    assert_eq!(proof["path"].as_array().unwrap().len(), 3);
    for (path, status) in [
        ("/audit/proof?index=41&size=41", "400"),
        ("/audit/proof?index=1", "400"),
        ("/audit/consistency?first=2&second=99", "400"),
        ("/audit/record/41", "404"),
        ("/audit/record/x", "404"),
        ("/audit/other", "404"),
    ] {
        assert!(ask(&site, path).0.contains(status), "{path}");
    }
    site.stop();
    // Reading the audit is audited.
    let records = site.ok(&["audit", "list", "--xml"]);
    let used = records.lines().filter(|line| line.contains("\"110101\""));
    assert!(used.count() > 41);
    assert!(site.ok(&all).contains("ok       every record"));
    tampered(&site, &all);
}

/// One byte of one record.
fn tampered(site: &Site, all: &[&str]) {
    let segment = site
        .dir()
        .join("data/audit-log/segments/00000000000000000000.records");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(9).position(|it| it == b"number 33").unwrap();
    bytes[at + 8] = b'4';
    std::fs::write(&segment, bytes).unwrap();
    let (status, said, told) = site.refused(all);
    assert_eq!(status, 1);
    let wrong: Vec<&str> = said.lines().filter(|it| it.starts_with("WRONG")).collect();
    assert!(
        matches!(wrong[..], [it] if it.contains("was changed")),
        "{said}"
    );
    assert!(told.contains("1 finding"), "{told}");
    // Without the node's configuration, and without the key.
    let store = site.dir().join("data/audit-log");
    let output = hilum(&["audit", "verify", "--store", store.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("it lies in the log itself"));
}

#[test]
fn what_cannot_be_verified_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none");
    let output = hilum(&["audit", "verify", "--store", none.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let key = folder.path().join("audit.key");
    let made = hilum(&["audit", "key", key.to_str().unwrap()]);
    assert!(text(&made.stdout).starts_with("-----BEGIN PUBLIC KEY-----"));
    let again = hilum(&["audit", "key", key.to_str().unwrap()]);
    assert_eq!(made.stdout, again.stdout);
}

#[test]
fn syslog_needs_the_repository_and_the_repository_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("node");
    let made = hilum(&["init", dir.to_str().unwrap(), "--plain"]);
    assert!(made.status.success());
    let file = dir.join("hilum.toml");
    let whole = std::fs::read_to_string(&file).unwrap();
    for (from, to, said) in [
        ("signing_key = ", "# signing_key = ", "audit.signing_key"),
        ("listen = \"127.0.0.1:18404\"", "", "audit.syslog_tls"),
        ("file:data/audit-log", "s3://bucket", "audit.store"),
        (
            "\"127.0.0.1:18408\"",
            "\"127.0.0.1:18404\"",
            "audit.syslog_tls",
        ),
        (
            "\"127.0.0.1:18408\"",
            "\"192.0.2.1:18408\"",
            "audit.syslog_tls: without [tls]",
        ),
        (
            "# legal_hold = false",
            "legal_hol = false",
            "did you mean audit.legal_hold?",
        ),
    ] {
        assert!(whole.contains(from), "{from}");
        std::fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        let output = hilum(&["serve", "--config", file.to_str().unwrap()]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(said), "{told}");
    }
}

/// The node records into its own repository as anybody else does, until its last word.
#[test]
fn a_node_sends_to_its_own_repository() {
    let mut site = Site::with(&["--plain"]);
    site.restart();
    let began = Instant::now();
    while json(&site, "/audit/tree-head")["size"].as_u64().unwrap() < 15 {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    site.stop();
    let found = site.ok(&["audit", "verify"]);
    assert!(found.contains("ok       every record"), "{found}");
    let segments = site.dir().join("data/audit-log/segments");
    let segment = segments.join("00000000000000000000.records");
    let bytes = std::fs::read(segment).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let (started, stopped) = ("csd-code=\"110120\"", "csd-code=\"110121\"");
    assert!(
        text.matches(started).count() >= 10,
        "{}",
        text.matches(started).count()
    );
    assert!(
        text.matches(stopped).count() >= 10,
        "{}",
        text.matches(stopped).count()
    );
}

#[test]
fn forwarding_leads_somewhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("node");
    let made = hilum(&["init", dir.to_str().unwrap(), "--plain"]);
    assert!(made.status.success());
    let file = dir.join("hilum.toml");
    let whole = std::fs::read_to_string(&file).unwrap();
    for (target, said) in [
        (
            "syslog+tcp://localhost:18408",
            "this is the repository itself",
        ),
        (
            "syslog+udp://127.0.0.1:18409",
            "this is the repository itself",
        ),
        ("syslog+tls://national.example", "without [tls]"),
        (
            "syslog+tcp://national.example",
            "only a receiver on this machine",
        ),
        ("http://national.example", "audit.forward"),
    ] {
        let changed = whole.replace(
            "# forward = [",
            &format!("forward = ['{target}']\n# forward = ["),
        );
        std::fs::write(&file, changed).unwrap();
        let output = hilum(&["serve", "--config", file.to_str().unwrap()]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(said), "{target}: {told}");
    }
}
