//! Stopping a node: who waits for an answer gets one, and who has nothing to do there holds nobody up.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::site::{Site, text};

/// More than a node takes to stop that waits for nobody, and far less than `drain_seconds` and the deadline of a
/// community.
const SOON: Duration = Duration::from_secs(8);

/// A question goes to a community that takes it and does not answer.
#[test]
fn who_asks_all_communities_gets_what_is_known() {
    let mut site = Site::open();
    site.submit("1.txt", "one", &[]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let community = format!(
        "community = [{{ home_community_id = 'urn:oid:2.999.5', name = 'North', \
         url = 'http://127.0.0.1:{port}/responding' }}]\n# community = ["
    );
    let file = site.dir().join("hilum.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let changed = config.replacen("# community = [", &community, 1);
    assert_ne!(config, changed);
    std::fs::write(&file, changed).unwrap();
    site.restart();

    let question = Command::new(env!("CARGO_BIN_EXE_hilum"))
        .args(["query", "--patient", "P-1", "--communities", "--json"])
        .current_dir(site.dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut asked, _) = silent.accept().unwrap();
    asked.read_exact(&mut [0; 5]).unwrap();
    let began = Instant::now();
    site.stop();
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let answered = question.wait_with_output().unwrap();
    let said = (text(&answered.stdout), text(&answered.stderr));
    let answer: Value = serde_json::from_str(&said.0).unwrap_or_else(|_| panic!("{said:?}"));
    assert_eq!(answer["status"], "PartialSuccess", "{said:?}");
    assert_eq!(answer["documents"].as_array().unwrap().len(), 1, "{said:?}");
    let error = &answer["errors"][0];
    assert_eq!(error["errorCode"], "XDSUnavailableCommunity", "{said:?}");
    assert_eq!(error["location"], "urn:oid:2.999.5");
    let context = error["codeContext"].as_str().unwrap();
    assert!(context.contains("is being stopped"), "{context}");
}

/// At every door: connections on which nothing was said, not even a handshake, and one that is kept.
#[test]
fn who_says_nothing_is_not_waited_for() {
    for options in [&["--plain"][..], &[]] {
        let mut site = Site::with(options);
        let ports = [1, 2, 3, 4, 5, 7, 8, 10].map(|it| site.base + it);
        let connect = |port| TcpStream::connect(("127.0.0.1", port)).unwrap();
        let connections: Vec<TcpStream> = ports.into_iter().map(connect).collect();
        // The metrics are without TLS in both.
        let mut kept = connect(site.base + 7);
        kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut begin = [0; 12];
        kept.read_exact(&mut begin).unwrap();
        assert!(begin.starts_with(b"HTTP/1.1 "), "{begin:?}");
        let began = Instant::now();
        site.stop();
        assert!(began.elapsed() < SOON, "{options:?}: {:?}", began.elapsed());
        drop((connections, kept));
    }
}
