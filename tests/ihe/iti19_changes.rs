//! ITI-19 while a node runs: certificates are renewed and revoked, and every door knows.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hilum_tests::{Setup, Town};
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslStream, SslVerifyMode};
use std::net::TcpStream;

/// Registry, repository and imaging source, feed, DICOM.
const DOORS: [u16; 4] = [1, 2, 5, 10];
/// How long a change may take to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A town that looks for revoked certificates.
fn town(environment: &[(&str, &str)]) -> Town {
    let always = [("HILUM_TLS__REVOCATION", "certs/crl.pem")];
    let all = always.iter().chain(environment);
    let mut town = Town::set_up(Setup {
        uncounted: true,
        environment: all
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..Setup::default()
    });
    certs(&town, &["crl", "certs"]);
    town.start();
    town
}

/// Runs `hilum certs`.
fn certs(town: &Town, arguments: &[&str]) {
    let all = [&["certs"], arguments].concat();
    let output = town.run(&all);
    assert!(output.status.success(), "{output:?}");
}

fn hang_up(town: &Town) {
    let kill = Command::new("kill")
        .args(["-HUP", &town.pid().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// Connects, showing a certificate if one is named.
fn connect(town: &Town, door: u16, shown: Option<&str>) -> Result<SslStream<TcpStream>, String> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    if let Some(name) = shown {
        let file = |ending: &str| town.node().join(format!("certs/{name}.{ending}"));
        let pem = SslFiletype::PEM;
        builder.set_certificate_file(file("pem"), pem).unwrap();
        builder.set_private_key_file(file("key"), pem).unwrap();
    }
    let stream = hilum_tests::raw::connect(town.port(door));
    let connected = builder.build().connect("localhost", stream);
    connected.map_err(|error| error.to_string())
}

/// The certificate that a door shows.
fn shown(town: &Town, door: u16) -> String {
    let stream = connect(town, door, Some("client")).unwrap();
    let certificate = stream.ssl().peer_certificate().unwrap();
    String::from_utf8(certificate.to_pem().unwrap()).unwrap()
}

/// Waits until the log says something, from an offset on.
fn says(town: &Town, from: usize, what: &str) -> String {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let log = town.log().split_off(from);
        if let Some(line) = log.lines().find(|line| line.contains(what)) {
            return line.to_owned();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing says {what:?}: {}", town.log());
}

/// How many records there are of a kind.
fn count(town: &Town, transaction: &str) -> usize {
    let records = town.records();
    let of_kind = records.iter().filter(|it| it["transaction"] == transaction);
    of_kind.count()
}

#[test]
fn a_renewed_certificate_is_shown_at_every_door() {
    let town = town(&[("HILUM_TLS__RELOAD_SECONDS", "3600")]);
    let before = shown(&town, 1);
    let pem = || std::fs::read_to_string(town.node().join("certs/node.pem")).unwrap();
    assert_eq!(before, pem());
    certs(&town, &["renew", "certs", "node"]);
    assert_ne!(before, pem());
    assert_eq!(shown(&town, 1), before, "nobody asked yet");
    hang_up(&town);
    let line = says(
        &town,
        0,
        "[tls]: certificate, key: now CN=node, O=Hilum development, sha256:",
    );
    assert!(line.contains("INFO"), "{line}");
    for door in DOORS {
        assert_eq!(shown(&town, door), pem(), "door {door}");
    }
    // Half a file changes nothing, and is told once.
    let good = pem();
    let from = town.log().len();
    std::fs::write(town.node().join("certs/node.pem"), &good[..good.len() / 2]).unwrap();
    hang_up(&town);
    let line = says(&town, from, "what was used before is used on");
    assert!(line.contains("node.pem: holds"), "{line}");
    hang_up(&town);
    says(&town, from, "[tls]: nothing changed");
    assert_eq!(town.log()[from..].matches("is used on").count(), 1);
    for door in DOORS {
        assert_eq!(shown(&town, door), good, "door {door}");
    }
    assert_eq!(count(&town, "110129"), 1, "one change was made");
    let messages = town.messages();
    let change = messages
        .iter()
        .find(|it| it.contains("\"110129\""))
        .unwrap();
    assert!(change.contains("\"110113\""), "{change}");
}

#[test]
fn who_is_revoked_is_cut_off_at_every_door() {
    let town = town(&[("HILUM_TLS__RELOAD_SECONDS", "1")]);
    certs(&town, &["ward-7", "--reached-as", "ward-7.example"]);
    let connected: Vec<_> = DOORS
        .map(|door| connect(&town, door, Some("client")))
        .into();
    let mut connected: Vec<_> = connected.into_iter().map(Result::unwrap).collect();
    // One of them has asked something, and keeps its connection.
    let request = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    connected[0].write_all(request).unwrap();
    let mut answer = [0; 12];
    connected[0].read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let refused = count(&town, "110126");
    let from = town.log().len();
    certs(&town, &["revoke", "certs", "client"]);
    says(&town, from, "[tls]: revocation lists: now CN=node");
    for stream in &mut connected {
        let mut rest = Vec::new();
        // Closed, with or without a goodbye: it does not wait for the end of an idle connection.
        let _ = stream.read_to_end(&mut rest);
    }
    for door in DOORS {
        refuses(&town, door, "client");
    }
    // Each connection that was cut off, and each that was refused.
    let began = Instant::now();
    while count(&town, "110126") < refused + 8 && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(count(&town, "110126"), refused + 8, "{}", town.log());
    let revoked = "CN=client, O=Hilum development: revoked by CN=Hilum development CA, O=Hilum";
    let log = town.log().split_off(from);
    assert_eq!(
        log.matches("no longer accepted: CN=client").count(),
        4,
        "{log}"
    );
    assert_eq!(log.matches(revoked).count(), 8, "{log}");
    assert_eq!(log.matches("address=127.0.0.1:").count(), 8, "{log}");
    // Others are not concerned.
    for door in DOORS {
        connect(&town, door, Some("ward-7")).unwrap();
    }
}

/// A node is not let in: TLS 1.3 tells only after the handshake.
fn refuses(town: &Town, door: u16, name: &str) {
    let Ok(mut stream) = connect(town, door, Some(name)) else {
        return;
    };
    let mut answer = Vec::new();
    let error = stream.read_to_end(&mut answer).unwrap_err();
    assert!(answer.is_empty());
    // An alert of TLS, and not why.
    let told = error.to_string();
    assert!(!told.contains("Hilum") && !told.contains("CN="), "{told}");
}

/// Every door records who was not let in.
#[test]
fn every_door_records_who_shows_no_certificate() {
    let town = town(&[]);
    for door in DOORS {
        if let Ok(mut stream) = connect(&town, door, None) {
            stream.read_to_end(&mut Vec::new()).unwrap_err();
        }
    }
    let began = Instant::now();
    while count(&town, "110126") < 4 && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(count(&town, "110126"), 4);
    let log = town.log();
    assert_eq!(
        log.matches("a connection was refused: no client certificate")
            .count(),
        4,
        "{log}"
    );
}

/// `hilum check` says what is wrong with revocation lists.
#[test]
fn check_tells_of_revocation_lists() {
    let town = town(&[]);
    let check = |list: Option<&Path>| {
        let mut command = hilum_tests::town::hilum();
        command.args(["check", "--config"]).arg(town.config());
        if let Some(list) = list {
            command.env("HILUM_TLS__REVOCATION", list);
        }
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(!check(None).contains("revocation"));
    let said = check(Some(Path::new("certs/crl.pem")));
    let line =
        "ok    revocation     list of CN=Hilum development CA, O=Hilum development: 0 revoked";
    assert!(said.contains(line), "{said}");
    let empty = town.node().join("lists");
    std::fs::create_dir(&empty).unwrap();
    let said = check(Some(&empty));
    let line = "MEND  revocation     CN=Hilum development CA, O=Hilum development: there is no";
    assert!(said.contains(line), "{said}");
    std::fs::write(empty.join("x.crl"), "no list").unwrap();
    let said = check(Some(&empty));
    assert!(said.contains("MEND  peers"), "{said}");
}
