//! Audit records that wait for their receiver are encrypted, and get there; so are those that were received.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::node::{Node, files, holding, text};

/// Nowhere else: the alphabet of what is encrypted has no circumflex.
const PATIENT: &str = "P-1^^^";
const PATIENCE: Duration = Duration::from_secs(60);

/// A receiver that is not there yet, on a port that nobody else is given.
struct Receiver {
    listener: TcpListener,
    got: Arc<Mutex<Vec<String>>>,
}

/// A node whose records go to a port where nobody listens.
fn waiting(options: &[&str]) -> (Node, u16) {
    let node = Node::made(&[options, &["--no-audit-repository"]].concat());
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = port.local_addr().unwrap().port();
    let file = node.dir().join("hilum.toml");
    let config = fs::read_to_string(&file).unwrap();
    let receiver = format!("\n[[audit.send]]\nto = \"syslog+tcp://127.0.0.1:{port}\"\n");
    fs::write(&file, config + &receiver).unwrap();
    (node, port)
}

impl Receiver {
    fn at(port: u16) -> Self {
        let begun = Instant::now();
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(listener) => break listener,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let got = Arc::default();
        Self { listener, got }
    }

    /// Takes what comes until it is so many different records.
    fn take(&self, records: usize) -> Vec<String> {
        let begun = Instant::now();
        self.listener.set_nonblocking(true).unwrap();
        loop {
            assert!(
                begun.elapsed() < PATIENCE,
                "{:?}",
                self.got.lock().unwrap().len()
            );
            match self.listener.accept() {
                Ok((mut connection, _)) => {
                    connection.set_nonblocking(false).unwrap();
                    let mut bytes = Vec::new();
                    connection.read_to_end(&mut bytes).unwrap();
                    let mut got = self.got.lock().unwrap();
                    for message in messages(&bytes) {
                        if !got.contains(&message) {
                            got.push(message);
                        }
                    }
                    if got.len() >= records {
                        return got.clone();
                    }
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// Messages that are counted in octets.
fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
        let length: usize = text(&bytes[..space]).parse().unwrap();
        let message = &bytes[space + 1..space + 1 + length];
        messages.push(text(message));
        bytes = &bytes[space + 1 + length..];
    }
    messages
}

/// What the node says that it recorded.
fn recorded(node: &Node) -> Vec<String> {
    let listed = node.ok(&["audit", "list", "--xml"]);
    listed.lines().map(str::to_owned).collect()
}

/// Every record got there.
fn all_got(got: &[String], listed: &[String]) {
    for record in listed {
        assert!(
            got.iter().any(|message| message.ends_with(record.as_str())),
            "{record}"
        );
    }
}

#[test]
fn records_that_wait_name_nobody_and_get_there() {
    let (mut node, port) = waiting(&["--encrypt"]);
    node.start();
    for number in 0..5 {
        node.submit(format!("content {number}").as_bytes());
    }
    let listed = recorded(&node);
    assert!(listed.iter().any(|it| it.contains(PATIENT)), "{listed:?}");
    assert_eq!(
        holding(&node.data(""), PATIENT.as_bytes()),
        Vec::<PathBuf>::new()
    );
    // A key that they need stays, also when everything that comes has another one.
    let keys = node.json(&["keys", "list"]);
    let old = keys["keys"][0]["key"].as_str().unwrap().to_owned();
    node.ok(&["keys", "new"]);
    let refused = node.refused(&["keys", "remove", &old]);
    assert!(
        refused.contains(&format!("need the key {old}")),
        "{refused}"
    );
    node.ok(&["keys", "rotate"]);
    node.submit(b"one more");
    node.ok(&["keys", "remove", &old]);
    node.submit(b"and one");
    node.stop();
    assert_eq!(
        holding(&node.data(""), PATIENT.as_bytes()),
        Vec::<PathBuf>::new()
    );
    // Without their key nothing starts, in one line.
    let keys = node.dir().join("keys");
    let current = fs::read_to_string(keys.join("current")).unwrap();
    let current = keys.join(format!("{}.key", current.trim()));
    let aside = node.dir().join("aside");
    fs::rename(&current, &aside).unwrap();
    let said = node.refused(&["serve"]);
    assert!(said.contains("is not in the key ring"), "{said}");
    fs::rename(&aside, &current).unwrap();
    node.edit("keys = \"keys/\"", "# keys = \"keys/\"");
    node.edit(
        "identifiers = \"encrypted\"",
        "# identifiers = \"encrypted\"",
    );
    let output = node.run(&["serve"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("audit records are encrypted"), "{said}");
    // Nor does a command record plain beside what is encrypted.
    let clients = node.data("audit/clients");
    let spools = fs::read_dir(&clients).unwrap().count();
    let output = node.run(&["query", "--patient", "P-1"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("[at_rest] names no keys"), "{said}");
    assert_eq!(fs::read_dir(&clients).unwrap().count(), spools);
    node.edit("# keys = \"keys/\"", "keys = \"keys/\"");
    node.edit(
        "# identifiers = \"encrypted\"",
        "identifiers = \"encrypted\"",
    );
    node.start();
    let receiver = Receiver::at(port);
    let listed = recorded(&node);
    let got = receiver.take(listed.len());
    all_got(&got, &listed);
    let status = node.json(&["audit", "status"]);
    assert!(status[0]["records"].as_u64().is_some(), "{status}");
}

/// The spool file of the node itself that is written.
fn last_of_spool(node: &Node) -> PathBuf {
    let files = fs::read_dir(node.data("audit")).unwrap();
    let files = files.map(|it| it.unwrap().path());
    let segments = files.filter(|path| path.extension().is_some_and(|it| it == "syslog"));
    segments.max().unwrap()
}

/// A sector that is lost costs the records of one file, not the node; who lost them is told.
#[test]
fn a_damaged_file_of_records_does_not_keep_the_node_from_starting() {
    let (mut node, port) = waiting(&["--encrypt"]);
    node.start();
    node.submit(b"before");
    node.stop();
    let file = last_of_spool(&node);
    let mut bytes = fs::read(&file).unwrap();
    bytes[..512].fill(0xa5);
    fs::write(&file, &bytes).unwrap();
    node.start();
    let name = file.file_name().unwrap().to_str().unwrap();
    let log = node.log();
    let said = log.lines().find(|line| line.contains("it is passed over"));
    let said = said.unwrap_or_else(|| panic!("{log}"));
    assert!(said.contains("ERROR") && said.contains(name), "{said}");
    let aside = file.with_extension("syslog.damaged");
    assert_eq!(fs::read(&aside).unwrap(), bytes);
    assert!(!file.exists());
    node.submit(b"after");
    let listed = recorded(&node);
    assert!(listed.iter().any(|it| it.contains(PATIENT)), "{listed:?}");
    let receiver = Receiver::at(port);
    all_got(&receiver.take(listed.len()), &listed);
    // It is said once, and nobody needs a key for it.
    node.stop();
    node.start();
    let said = node.log().matches("it is passed over").count();
    assert_eq!(said, 1, "{}", node.log());
    node.ok(&["keys", "new"]);
    node.ok(&["keys", "rotate"]);
}

/// While a node runs, a header that is damaged costs the records of that file: what follows is sent, once, and who
/// watches is told.
#[test]
fn a_spool_file_that_is_damaged_while_the_node_runs_keeps_no_other() {
    let (mut node, port) = waiting(&["--encrypt"]);
    node.edit("[audit]\n", "[audit]\nsegment_bytes = 8000\n");
    node.start();
    while !node.data("audit/0000000004.syslog").exists() {
        node.submit(b"one more");
    }
    let all = recorded(&node);
    let file = node.data("audit/0000000002.syslog");
    let mut bytes = fs::read(&file).unwrap();
    bytes[60] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let listed = recorded(&node);
    assert!(listed.len() < all.len(), "{}", all.len());
    let checked = text(&node.run(&["check"]).stdout);
    let line = checked
        .lines()
        .find(|line| line.starts_with("MEND  audit "));
    let line = line.unwrap_or_else(|| panic!("{checked}"));
    assert!(line.contains("0000000002.syslog"), "{line}");
    let receiver = Receiver::at(port);
    all_got(&receiver.take(listed.len()), &listed);
    let log = node.log();
    assert!(log.contains("it is passed over"), "{log}");
    assert_eq!(recorded(&node).first(), all.first());
}

/// What was changed, cut off, emptied or removed of older files is told, once, by who lists and by who sends.
#[test]
fn what_is_missing_of_the_spool_is_told() {
    let (mut node, port) = waiting(&["--encrypt"]);
    node.edit("[audit]\n", "[audit]\nsegment_bytes = 8000\n");
    node.start();
    let file = |node: &Node, number: u8| node.data(&format!("audit/000000000{number}.syslog"));
    while !file(&node, 7).exists() {
        node.submit(b"one more");
    }
    node.stop();
    let all = recorded(&node);
    let mut bytes = fs::read(file(&node, 2)).unwrap();
    bytes[1024] = b'x';
    fs::write(file(&node, 2), &bytes).unwrap();
    let bytes = fs::read(file(&node, 3)).unwrap();
    fs::write(file(&node, 3), &bytes[..bytes.len() - 10]).unwrap();
    fs::write(file(&node, 4), b"").unwrap();
    let length = fs::metadata(file(&node, 5)).unwrap().len();
    fs::write(file(&node, 5), vec![0; usize::try_from(length).unwrap()]).unwrap();
    fs::remove_file(file(&node, 6)).unwrap();
    let names = |said: &str, expected: usize| {
        for number in 2..=6 {
            let name = format!("audit/000000000{number}.syslog");
            let lines = said
                .lines()
                .filter(|line| line.contains(&name) && line.contains("ERROR"));
            assert_eq!(lines.count(), expected, "{name}: {said}");
        }
    };
    let listed = node.run(&["audit", "list"]);
    assert!(listed.status.success());
    names(&text(&listed.stderr), 1);
    let left = recorded(&node);
    assert!(!left.is_empty() && left.len() < all.len());
    names(&node.log(), 0);
    node.start();
    let receiver = Receiver::at(port);
    let listed = recorded(&node);
    all_got(&receiver.take(listed.len()), &listed);
    names(&node.log(), 1);
}

/// One bit of an old file of the log of an Audit Record Repository costs its records, not the node.
#[test]
fn a_damaged_file_of_the_audit_log_does_not_keep_the_node_from_starting() {
    let mut node = Node::made(&["--encrypt"]);
    node.start();
    node.submit(b"before");
    let segments = node.data("audit-log/segments");
    let file = segments.join(format!("{:020}.records", 0));
    let begun = Instant::now();
    while fs::metadata(&file).map_or(0, |it| it.len()) < 4000 {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    node.stop();
    let mut bytes = fs::read(&file).unwrap();
    bytes[60] ^= 1;
    fs::write(&file, &bytes).unwrap();
    node.start();
    let log = node.log();
    let said = log
        .lines()
        .find(|line| line.contains("damaged where it begins"));
    let said = said.unwrap_or_else(|| panic!("{log}"));
    assert!(said.contains("ERROR") && said.contains("first=0"), "{said}");
    node.submit(b"after");
    let checked = text(&node.run(&["check"]).stdout);
    let line = checked
        .lines()
        .find(|line| line.starts_with("MEND  audit log"));
    assert!(line.is_some(), "{checked}");
    let alert = "cannot be read: the headers of their files are damaged";
    assert!(recorded(&node).iter().any(|it| it.contains(alert)));
    node.stop();
    bytes[60] ^= 1;
    fs::write(&file, &bytes).unwrap();
    node.start();
    let checked = text(&node.run(&["check"]).stdout);
    assert!(checked.contains("ok    audit log"), "{checked}");
    node.stop();
    node.ok(&["audit", "verify"]);
}

#[test]
fn a_plain_backlog_goes_on_encrypted_and_all_of_it_gets_there() {
    let (mut node, port) = waiting(&[]);
    node.start();
    node.submit(b"plain");
    node.stop();
    let spool: Vec<PathBuf> = files(&node.data("audit"));
    let plain: Vec<(PathBuf, Vec<u8>)> = spool
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "syslog"))
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    assert!(plain.len() >= 2, "the node's and that of a command");
    node.edit("# keys = \"keys/\"", "keys = \"keys/\"");
    node.edit(
        "# identifiers = \"encrypted\"",
        "identifiers = \"encrypted\"",
    );
    node.ok(&["keys", "new"]);
    node.ok(&["keys", "encrypt"]);
    let listed = node.json(&["keys", "list"]);
    assert!(
        listed["plainSpool"].as_u64().unwrap() >= plain.len() as u64,
        "{listed}"
    );
    node.edit("# plain = \"refuse\"", "plain = \"refuse\"");
    node.start();
    node.submit(b"encrypted");
    // What was plain is as it was, and nothing is added to it.
    for (path, bytes) in &plain {
        assert_eq!(&fs::read(path).unwrap(), bytes);
    }
    let naming = holding(&node.data(""), PATIENT.as_bytes());
    assert!(
        naming
            .iter()
            .all(|path| plain.iter().any(|(it, _)| it == path)),
        "{naming:?}"
    );
    let receiver = Receiver::at(port);
    let listed = recorded(&node);
    all_got(&receiver.take(listed.len()), &listed);
    // What waits cannot be counted: that is said instead of a number.
    let clients = node.data("audit/clients");
    fs::create_dir_all(clients.join("9/0000000001.syslog")).unwrap();
    let checked = text(&node.run(&["check"]).stdout);
    let line = checked.lines().find(|it| it.contains("audit receiver"));
    let line = line.unwrap();
    assert!(
        line.starts_with("MEND") && line.contains("cannot be read"),
        "{line}"
    );
    // What failed and cannot be recorded is both told.
    fs::rename(&clients, clients.with_extension("aside")).unwrap();
    fs::write(&clients, b"").unwrap();
    let refused = node.refused(&["keys", "remove", &"0".repeat(32)]);
    assert!(refused.contains("nor is that recorded"), "{refused}");
}

/// Events about our patient that the node's Audit Record Repository finds.
fn searched(node: &Node) -> Vec<String> {
    let found = node.ok(&["audit", "search", "--patient", "P-1", "--json"]);
    let event = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["id"].as_str().unwrap().to_owned()
    };
    found.lines().map(event).collect()
}

/// The same, when so many are there.
fn found(node: &Node, at_least: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let found = searched(node);
        if found.len() >= at_least {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{found:?} {}", node.log());
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Those that were found before are still found.
fn all_found(node: &Node, before: &[String]) {
    let now = found(node, before.len());
    for event in before {
        assert!(now.contains(event), "{event}");
    }
}

#[test]
fn a_record_repository_names_nobody_on_disk_and_answers() {
    let mut node = Node::running(&["--encrypt"]);
    node.submit(b"content");
    let before = found(&node, 4);
    let address = |text: &str| node.ok(&["audit", "search", "--address", text, "--json"]);
    assert!(!address("127.0.0").is_empty(), "what is found by its parts");
    assert!(address("127.0.9").is_empty());
    assert_eq!(
        holding(&node.data(""), PATIENT.as_bytes()),
        Vec::<PathBuf>::new()
    );
    let listed = node.json(&["keys", "list"]);
    let old = listed["keys"][0]["key"].as_str().unwrap().to_owned();
    node.ok(&["keys", "new"]);
    assert!(
        node.refused(&["keys", "remove", &old])
            .contains("need the key")
    );
    node.ok(&["keys", "rotate"]);
    node.submit(b"more");
    node.ok(&["keys", "remove", &old]);
    all_found(&node, &before);
    node.stop();
    assert_eq!(
        holding(&node.data(""), PATIENT.as_bytes()),
        Vec::<PathBuf>::new()
    );
    let verified = node.ok(&["audit", "verify"]);
    assert!(verified.contains("every record is the one"), "{verified}");
    // Whoever has the folder alone proves what can be proven of hashes.
    let log = node.data("audit-log");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut alone = std::process::Command::new(env!("CARGO_BIN_EXE_hilum"));
    let arguments = ["audit", "verify", "--store", log.to_str().unwrap()];
    let alone = alone.args(arguments).current_dir(elsewhere.path()).output();
    let said = text(&alone.unwrap().stdout);
    assert!(said.contains("cannot be opened here"), "{said}");
    assert!(said.contains("every hash is the one"), "{said}");
    // With keys at hand, a file that does not open is wrong: here its header names another key.
    let mut segments = fs::read_dir(log.join("segments")).unwrap();
    let segment = segments.find_map(|entry| {
        let path = entry.unwrap().path();
        path.extension()
            .is_some_and(|it| it == "records")
            .then_some(path)
    });
    let segment = segment.unwrap();
    let whole = fs::read(&segment).unwrap();
    let mut changed = whole.clone();
    // It may stand in either slot; the other one is empty.
    changed[16] ^= 1;
    changed[512 + 16] ^= 1;
    fs::write(&segment, changed).unwrap();
    assert!(node.refused(&["audit", "verify"]).contains("1 finding"));
    fs::write(&segment, whole).unwrap();
    node.start();
    all_found(&node, &before);
}

#[test]
fn a_plain_record_repository_is_encrypted_and_proves_the_same() {
    let mut node = Node::running(&[]);
    node.submit(b"plain");
    let before = found(&node, 4);
    node.stop();
    let head = node.ok(&["audit", "verify"]);
    let root = |said: &str| {
        let line = said.lines().find(|line| line.starts_with("root"));
        line.unwrap().to_owned()
    };
    let root_before = root(&head);
    let folder = node.data("audit-log");
    let log = |name: &str| holding(&folder, name.as_bytes());
    assert!(!log(PATIENT).is_empty());
    node.edit("# keys = \"keys/\"", "keys = \"keys/\"");
    node.edit(
        "# identifiers = \"encrypted\"",
        "identifiers = \"encrypted\"",
    );
    node.ok(&["keys", "new"]);
    let listed = node.json(&["keys", "list"]);
    assert!(listed["plain"].as_u64().unwrap() >= 2, "{listed}");
    node.ok(&["keys", "encrypt"]);
    assert_eq!(log(PATIENT), Vec::<PathBuf>::new());
    let verified = node.ok(&["audit", "verify"]);
    assert!(verified.contains("every record is the one"), "{verified}");
    assert_eq!(root(&verified), root_before);
    node.start();
    all_found(&node, &before);
    node.submit(b"encrypted");
    found(&node, before.len() + 4);
    assert_eq!(log(PATIENT), Vec::<PathBuf>::new());
}
