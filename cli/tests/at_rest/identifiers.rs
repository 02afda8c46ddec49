//! What identifies patients is encrypted in the databases of a node.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::node::{Node, holding, text};
use crate::stored::sent;

/// Nowhere else: the alphabet of what is encrypted has no hyphen.
const PATIENT: &str = "P-1^^^";

/// Files of databases that hold something.
fn databases(node: &Node, needle: &str) -> Vec<PathBuf> {
    let found = holding(&node.data(""), needle.as_bytes());
    let is_database = |path: &PathBuf| path.to_string_lossy().contains(".db");
    found.into_iter().filter(is_database).collect()
}

/// What a client is told of documents and images.
fn told(node: &Node, patients: &[&str]) -> Vec<String> {
    let query = |patient: &&str| node.ok(&["query", "--patient", patient, "--json"]);
    patients.iter().map(query).collect()
}

fn line(node: &Node, what: &str) -> String {
    let checked = text(&node.run(&["check"]).stdout);
    let line = checked.lines().find(|line| line.contains(what));
    line.unwrap_or_default().to_owned()
}

#[test]
fn databases_of_a_new_node_name_nobody() {
    let mut node = Node::running(&["--encrypt"]);
    let (_, studies) = sent(&node);
    let document = node.submit(b"content");
    let patients: Vec<&str> = studies
        .iter()
        .map(|it| it.patient_id)
        .chain(["P-1"])
        .collect();
    let before = told(&node, &patients);
    assert!(before.last().unwrap().contains(&document));
    for patient in &patients {
        assert_eq!(
            databases(&node, patient),
            Vec::<PathBuf>::new(),
            "{patient}"
        );
    }
    let said = line(&node, "identifiers");
    assert!(
        said.contains("encrypted in the registry's database"),
        "{said}"
    );
    assert!(said.contains("encrypted in the index of images"), "{said}");
    assert!(
        said.contains("encrypted in the gateway's database"),
        "{said}"
    );
    // Their keys are rotated with those of everything else.
    let listed = node.json(&["keys", "list"]);
    let old = listed["keys"][0]["key"].as_str().unwrap().to_owned();
    node.ok(&["keys", "new"]);
    node.ok(&["keys", "rotate"]);
    node.ok(&["keys", "remove", &old]);
    assert_eq!(told(&node, &patients), before);
    node.stop();
    node.start();
    assert_eq!(told(&node, &patients), before);
    node.stop();
    // It is not opened as something else, and without its key.
    let refused = |node: &Node, reason: &str| {
        let said = node.refused(&["serve"]);
        let said = said
            .lines()
            .find(|line| line.contains(reason))
            .map(str::to_owned);
        assert!(said.is_some(), "{reason}");
    };
    node.edit("identifiers = \"encrypted\"", "identifiers = \"plain\"");
    refused(&node, "at_rest.identifiers must be \"encrypted\"");
    assert!(line(&node, "identifiers").contains("must be \"encrypted\""));
}

#[test]
fn databases_that_were_plain_are_encrypted() {
    let mut node = Node::running(&[]);
    let (_, studies) = sent(&node);
    node.submit(b"content");
    let patients: Vec<&str> = studies
        .iter()
        .map(|it| it.patient_id)
        .chain(["P-1"])
        .collect();
    let before = told(&node, &patients);
    node.stop();
    assert!(!databases(&node, PATIENT).is_empty());
    for study in &studies {
        assert!(
            databases(&node, study.patient_id).len() >= 2,
            "{}",
            study.patient_id
        );
    }
    node.edit("# keys = \"keys/\"", "keys = \"keys/\"");
    node.edit(
        "# identifiers = \"encrypted\"",
        "identifiers = \"encrypted\"",
    );
    node.ok(&["keys", "new"]);
    let said = node.refused(&["serve"]);
    assert!(
        said.contains("stop the node and run `hilum keys encrypt`"),
        "{said}"
    );
    for round in 0..6 {
        let mut command = node.command(&["keys", "encrypt"]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(15 + 20 * round));
        let _ = process.kill();
        process.wait().unwrap();
    }
    let done = node.json(&["keys", "encrypt"]);
    assert_eq!(done["failed"], 0, "{done}");
    assert_eq!(node.json(&["keys", "encrypt"])["done"], 0);
    for patient in &patients {
        assert_eq!(
            databases(&node, patient),
            Vec::<PathBuf>::new(),
            "{patient}"
        );
    }
    node.start();
    let said = line(&node, "identifiers");
    assert!(
        said.contains("encrypted in the gateway's database"),
        "{said}"
    );
    assert_eq!(told(&node, &patients), before);
    let document = node.submit(b"more");
    assert_eq!(node.retrieved(&document), b"more");
    assert_eq!(databases(&node, PATIENT), Vec::<PathBuf>::new());
    let log = fs::read_to_string(node.dir().join("log")).unwrap();
    assert!(!log.contains(PATIENT));
}
