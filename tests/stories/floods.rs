//! Who floods a door does not flood the audit trail: one record says how many there were, and none is
//! lost.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hilum_tests::{Setup, Town};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};

/// How many connections there were for each reason, and how many records say so.
fn told(town: &Town, reason: &str) -> (usize, usize) {
    let mut all = (0, 0);
    for message in town.messages() {
        let Some(at) = message.find(reason) else {
            continue;
        };
        let rest = &message[at + reason.len()..];
        let more = rest.strip_prefix("; ").and_then(|it| it.split(' ').next());
        let more = more.and_then(|it| it.parse::<usize>().ok());
        all.0 += more.unwrap_or(1);
        all.1 += 1;
    }
    all
}

/// Waits until so many connections are told.
fn wait(town: &Town, reason: &str, connections: usize) -> usize {
    let begun = Instant::now();
    loop {
        let (found, records) = told(town, reason);
        if found == connections {
            return records;
        }
        let late = begun.elapsed() > Duration::from_secs(60);
        assert!(
            !late && found < connections,
            "{reason}: {found} of {connections}"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn flooded(environment: &[(&str, &str)]) -> Town {
    let environment = environment.iter();
    let town = Town::set_up(Setup {
        uncounted: true,
        environment: environment
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..Setup::default()
    });
    let mut town = town;
    town.start();
    town
}

#[test]
fn connections_that_say_nothing_are_few_records_with_their_number() {
    const MANY: usize = 1_100;
    let town = flooded(&[
        ("HILUM_LIMITS__HANDSHAKE_SECONDS", "3"),
        ("HILUM_LIMITS__REFUSED_SECONDS", "5"),
    ]);
    let reason = "the TLS handshake took too long";
    // More than a door takes at one time (limits.connections).
    let open = |_| hilum_tests::raw::connect(town.port(1));
    let open: Vec<TcpStream> = (0..MANY).map(open).collect();
    let records = wait(&town, reason, MANY);
    assert!((2..=8).contains(&records), "{records} records");
    drop(open);
    // The same for who speaks MLLP and DICOM, by doors of their own.
    for door in [5, 10] {
        let open = |_| hilum_tests::raw::connect(town.port(door));
        let open: Vec<TcpStream> = (0..20).map(open).collect();
        wait(&town, reason, MANY + if door == 5 { 20 } else { 40 });
        drop(open);
    }
    let log = town.log();
    let lines = log.lines().filter(|line| line.contains(reason)).count();
    assert!((4..=14).contains(&lines), "{lines} lines:\n{log}");
    assert!(log.contains("more times within 5 seconds"), "{log}");
}

#[test]
fn failed_handshakes_are_told_apart_by_their_reasons() {
    const MANY: usize = 300;
    // A minute is longer than this takes, so that what was counted is told at the stop.
    let mut town = flooded(&[]);
    let port = town.port(1);
    for number in 0..MANY {
        let mut stream = hilum_tests::raw::connect(port);
        if number % 2 == 0 {
            // The answer is an alert of TLS, or nothing.
            let _ = stream.write_all(b"GET /registry HTTP/1.1\r\nHost: h\r\n\r\n");
            let _ = stream.read(&mut [0; 16]);
            continue;
        }
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.set_verify(SslVerifyMode::NONE);
        // TLS 1.3 tells of a refusal only after the handshake.
        if let Ok(mut stream) = builder.build().connect("localhost", stream) {
            let _ = stream.read(&mut [0; 16]);
        }
    }
    // Each reason is recorded at once.
    for reason in ["HTTP without TLS", "no client certificate"] {
        assert_eq!(told(&town, reason), (1, 1), "{reason}");
    }
    town.stop();
    for reason in ["HTTP without TLS", "no client certificate"] {
        assert_eq!(told(&town, reason), (MANY / 2, 2), "{reason}");
    }
    let log = town.log();
    assert!(log.contains("HTTP without TLS; call https://"), "{log}");
    assert!(log.contains("no client certificate; configure"), "{log}");
}

#[test]
fn each_is_recorded_where_that_is_wanted() {
    let town = flooded(&[("HILUM_LIMITS__REFUSED_SECONDS", "0")]);
    for _ in 0..5 {
        let mut stream = hilum_tests::raw::connect(town.port(1));
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
        let _ = stream.read(&mut [0; 16]);
    }
    assert_eq!(wait(&town, "HTTP without TLS", 5), 5);
}

/// Who speaks TLS where there is none is told, too.
#[test]
fn tls_at_a_door_without_tls() {
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    town.start();
    for door in [1, 5] {
        let stream = hilum_tests::raw::connect(town.port(door));
        let connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        assert!(connector.build().connect("localhost", stream).is_err());
    }
    let begun = Instant::now();
    let reason = "TLS was spoken to a port without TLS";
    while town.log().matches(reason).count() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", town.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(
        town.log().contains("; call it without TLS"),
        "{}",
        town.log()
    );
    assert_eq!(told(&town, reason).1, 2);
}

/// What the system drops before anybody reads it is counted, as far as the system tells.
#[test]
fn datagrams_that_are_dropped_are_counted() {
    let mut town = Town::set_up(Setup {
        uncounted: true,
        audit_repository: true,
        ..Setup::default()
    });
    town.start();
    let dropped = || {
        let answer = hilum_tests::raw::get(town.port(7), "/metrics");
        let name = "hilum_audit_dropped_datagrams_total ";
        let text = String::from_utf8(answer.body).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.expect("the metric is there").parse::<f64>().unwrap()
    };
    assert!(dropped() < 0.5);
    let signal = |name: &str| {
        let pid = town.pid().to_string();
        let sent = std::process::Command::new("kill")
            .args([name, &pid])
            .status();
        assert!(sent.unwrap().success());
    };
    // Nobody reads for a while, and more comes than a socket holds.
    signal("-STOP");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let message = format!("<85>1 - h a - - - {}", "x".repeat(8_000));
    for _ in 0..5_000 {
        socket
            .send_to(message.as_bytes(), ("127.0.0.1", town.port(9)))
            .unwrap();
    }
    signal("-CONT");
    let begun = Instant::now();
    while dropped() < 0.5 {
        assert!(begun.elapsed() < Duration::from_secs(40), "{}", town.log());
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(dropped() < 5_000.5);
    assert!(town.log().contains("the system dropped datagrams"));
}
