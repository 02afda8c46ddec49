//! What a node tells of its audit trail, to people and to machines.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::site::{Site, text};

/// What the node answers on the port of its metrics.
fn get(site: &Site, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", site.base + 7)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// The value of a metric with its labels.
fn value(metrics: &str, name: &str) -> f64 {
    let mut lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
    lines
        .next()
        .unwrap_or_else(|| panic!("no {name}:\n{metrics}"))
        .trim()
        .parse()
        .unwrap()
}

/// Everything that a node tells machines, over plain HTTP: calls are counted where they end, and
/// nothing is said about patients.
#[test]
fn machines_can_watch_a_node() {
    let site = Site::with_empty_audit_log(&["--plain", "--accept-unknown-patients"]);
    assert_eq!(get(&site, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&site, "/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(get(&site, "/").0, 404);
    let (status, before) = get(&site, "/metrics");
    assert_eq!(status, 200);
    let answered = "hilum_calls_total{room=\"registry\",outcome=\"answered\"}";
    assert!(value(&before, answered) < 0.5);
    site.ok(&["query", "--patient", "Secret-Patient-7"]);
    let (_, after) = get(&site, "/metrics");
    assert!(value(&after, answered) > 0.5, "{after}");
    let records = "hilum_audit_records_total";
    assert!(value(&after, records) > value(&before, records));
    assert!(!after.contains("Secret"), "{after}");
    // promtool, if it is there, would say the same: every line is a comment or a value.
    for line in after.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(!after.contains("receiver="), "{after}");
    let said = site.ok(&["audit", "status"]);
    assert!(said.contains("nobody is sent records"), "{said}");
}

/// A node that is started with another configuration records which sections have changed, once, and
/// nothing of what they contain.
#[test]
fn changes_of_the_configuration_are_recorded() {
    let mut site = Site::open();
    let changes = |site: &Site| -> Vec<(String, String)> {
        let listed = site.ok(&["audit", "list", "--json"]);
        let records = listed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let is_change = |record: &Value| {
            ["110129", "110131"].contains(&record["transaction"].as_str().unwrap_or_default())
        };
        let changes: Vec<Value> = records.filter(is_change).collect();
        let xml = site.ok(&["audit", "list", "--xml"]);
        let detail = |code: &str| {
            let code = format!("<EventTypeCode csd-code=\"{code}\"");
            let line = xml.lines().rfind(|line| line.contains(&code)).unwrap();
            line.to_owned()
        };
        changes
            .iter()
            .map(|it| it["transaction"].as_str().unwrap().to_owned())
            .map(|code| (code.clone(), detail(&code)))
            .collect()
    };
    assert!(changes(&site).is_empty());
    site.restart();
    assert!(changes(&site).is_empty());
    let config = site.dir().join("hilum.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    let contact = before.replace("# contact = ", "contact = ");
    assert_ne!(contact, before);
    std::fs::write(&config, &contact).unwrap();
    site.restart();
    let told = changes(&site);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "110131");
    site.restart();
    assert_eq!(changes(&site).len(), 1);
    let audit = contact.replace("# enterprise_site = ", "enterprise_site = ");
    std::fs::write(&config, &audit).unwrap();
    site.restart();
    let told = changes(&site);
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].0, "110129");
    assert!(!told[0].1.contains("records@example.org"), "{}", told[0].1);
    let kept = std::fs::read_to_string(site.dir().join("data/audit/configuration")).unwrap();
    assert!(!kept.contains("example"), "{kept}");
}

/// `hilum check` says of each receiver whether it is there, and `hilum audit status` what it lacks.
#[test]
fn receivers_that_are_not_there() {
    let site = Site::open();
    let config = site.dir().join("hilum.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    let address = format!("syslog+tcp://127.0.0.1:{}", site.base + 9);
    let own = format!("syslog+tcp://localhost:{}", site.base + 8);
    assert!(before.contains(&own));
    std::fs::write(&config, before.replace(&own, &address)).unwrap();
    let status = site.ok(&["audit", "status", "--json"]);
    let told: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(told[0]["receiver"], address.as_str());
    assert!(told[0]["records"].as_u64().unwrap() >= 4, "{status}");
    assert!(told[0]["confirmed"].is_null() && told[0]["oldestSeconds"].is_u64());
    let checked = site.run(&["check"]);
    let said = text(&checked.stdout);
    let line = said.lines().find(|line| line.contains("audit receiver"));
    assert!(line.is_some_and(|line| line.starts_with("MEND")), "{said}");
}

/// A receiver of datagrams gets every record but one that does not fit into a datagram, which is said
/// and counted.
#[test]
fn what_does_not_fit_into_a_datagram_is_said() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut site = Site::open();
    let config = site.dir().join("hilum.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    let address = format!("syslog+udp://{}", socket.local_addr().unwrap());
    let own = format!("syslog+tcp://localhost:{}", site.base + 8);
    assert!(before.contains(&own));
    std::fs::write(&config, before.replace(&own, &address)).unwrap();
    // A question of 70,000 letters stands in its record as a whole.
    let long = format!("L{}", "o".repeat(70_000));
    site.run(&["query", "--patient", &long]);
    site.restart();
    let begun = Instant::now();
    let label = format!("{{receiver=\"{address}\"}}");
    let too_long = format!("hilum_audit_too_long_total{label}");
    let metric = |name: &str| value(&get(&site, "/metrics").1, name);
    while metric(&too_long) < 0.5 || metric(&format!("hilum_audit_backlog_records{label}")) > 0.5 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{}",
            get(&site, "/metrics").1
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let sent = metric(&format!("hilum_audit_sent_total{label}"));
    let mut bytes = vec![0; 70_000];
    let length = socket.recv(&mut bytes).unwrap();
    let first = String::from_utf8_lossy(&bytes[..length]).into_owned();
    assert!(
        first.starts_with("<85>1 ") && first.ends_with("</AuditMessage>"),
        "{first}"
    );
    assert!(sent > metric(&too_long));
}
