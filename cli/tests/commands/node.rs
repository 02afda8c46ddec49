//! The command as an integrator uses it: a node is made, checked, run, asked and stopped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::site::{Site, hilum, text};

pub(crate) fn get(port: u16, path: &str) -> String {
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
    let mut site = Site::with(&["--plain"]);
    let base = site.base;
    assert!(site.run(&["check"]).status.success());
    let expected = [
        ("registry", 1),
        ("repository", 2),
        ("imaging", 2),
        ("recipient", 2),
    ]
    .map(|(room, port)| format!("listening {room} http://127.0.0.1:{}/{room}", base + port));
    assert_eq!(site.lines[..4], expected);
    let gateways = ["initiating", "responding"]
        .map(|side| format!("listening {side} http://127.0.0.1:{}/{side}", base + 3));
    assert_eq!(site.lines[4..6], gateways);
    let audit = format!("listening audit http://127.0.0.1:{}", base + 4);
    let feed = format!("listening feed mllp://127.0.0.1:{}", base + 5);
    let dicom = format!("listening dicom dicom://127.0.0.1:{} (HILUM)", base + 10);
    let metrics = format!("listening metrics http://127.0.0.1:{}/metrics", base + 7);
    let syslog = format!("listening syslog+tcp://127.0.0.1:{}", base + 8);
    let datagrams = format!("listening syslog+udp://127.0.0.1:{}", base + 9);
    assert_eq!(
        site.lines[6..],
        [audit, feed, dicom, syslog, datagrams, metrics]
    );
    let checked = site.ok(&["check"]);
    for room in [" feed ", " dicom "] {
        let line = checked.lines().find(|line| line.contains(room));
        assert!(
            line.is_some_and(|line| line.contains("running")),
            "{checked}"
        );
    }
    assert!(get(base + 1, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(base + 1, "/elsewhere").starts_with("HTTP/1.1 404"));
    let second = site.run(&["serve"]);
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(text(&second.stderr).lines().count(), 1);
    site.stop();
    let records = site.ok(&["audit", "list"]);
    let of = |code: &str| records.lines().filter(|line| line.contains(code)).count();
    assert_eq!((of("110120"), of("110121")), (7, 7), "{records}");
}

/// As `hilum check | head` does.
#[test]
fn a_check_that_nobody_reads_says_nothing() {
    let site = Site::with(&["--plain"]);
    let mut check = Command::new(env!("CARGO_BIN_EXE_hilum"));
    check.args(["check", "--config"]);
    check.arg(site.dir().join("hilum.toml"));
    let check = check.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.spawn().unwrap();
    drop(check.stdout.take());
    let ended = check.wait_with_output().unwrap();
    assert_eq!(text(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(1));
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

#[test]
fn commands_run_side_by_side_and_each_leaves_its_records() {
    let site = Site::open();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| site.ok(&["query", "--patient", "P-1"]));
        }
    });
    assert_eq!(site.recorded("ITI-18"), ["Query 0"; 16]);
    let times: Vec<String> = site
        .records()
        .iter()
        .map(|record| record["time"].to_string())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let last = site.ok(&["audit", "list", "--json", "--last", "3"]);
    assert_eq!(last.lines().count(), 3);
}

#[test]
fn nobody_is_bothered_when_the_reader_goes_away() {
    let site = Site::open();
    site.submit("1.txt", "one", &[]);
    let mut query = Command::new(env!("CARGO_BIN_EXE_hilum"))
        .args(["query", "--patient", "P-1", "--json"])
        .current_dir(site.dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(query.stdout.take());
    let output = query.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn archives_beside_a_node_are_checked() {
    let site = Site::with(&["--plain"]);
    let file = site.dir().join("hilum.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let (there, not_there) = (site.base + 2, site.base + 9);
    let archive = |name: &str, port: u16| {
        format!("{{ name = '{name}', dicomweb = 'http://127.0.0.1:{port}/dicom-web' }}")
    };
    let archives = [
        archive("THERE", there),
        archive("GONE", not_there),
        format!("{{ name = 'WRONG', dicomweb = 'http://127.0.0.1:{there}/elsewhere' }}"),
    ];
    let archives = format!("archive = [{}]\n# archive = [", archives.join(", "));
    let changed = config.replacen("# archive = [", &archives, 1);
    assert_ne!(config, changed);
    std::fs::write(&file, changed).unwrap();
    let checked = site.run(&["check"]);
    assert_eq!(checked.status.code(), Some(1));
    let lines = text(&checked.stdout);
    let line = |name: &str| {
        let mut all = lines.lines();
        let found = all.find(|line| line.contains(&format!("archive {name}")));
        found.unwrap_or_else(|| panic!("{lines}"))
    };
    assert!(line("THERE").starts_with("ok "), "{lines}");
    assert!(line("GONE").starts_with("MEND "), "{lines}");
    let wrong = line("WRONG");
    assert!(
        wrong.starts_with("MEND ") && wrong.contains("before /studies"),
        "{lines}"
    );
}
