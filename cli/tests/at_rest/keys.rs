//! `hilum keys`: new keys, old keys, and stores that were plain.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use hilum_dicom::phantoms::Phantom;

use crate::node::{Node, files, holding, text};
use crate::stored::sent;

const NEEDLE: &[u8] = b"HAYSTACK-before-encryption-c41d";

/// The names of the keys, the current one first.
fn keys(node: &Node) -> Vec<(String, bool, u64)> {
    let listed = node.json(&["keys", "list"]);
    let key = |it: &serde_json::Value| {
        let name = it["key"].as_str().unwrap().to_owned();
        (name, it["current"] == true, it["objects"].as_u64().unwrap())
    };
    let mut keys: Vec<_> = listed["keys"].as_array().unwrap().iter().map(key).collect();
    keys.sort_by_key(|(_, current, _)| !current);
    keys
}

/// Runs a command and kills it after a while that is different each time; says whether it had ended.
fn killed(node: &Node, arguments: &[&str], after: Duration) -> bool {
    let mut command = node.command(arguments);
    let mut process = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    let ended = process.try_wait().unwrap().is_some();
    let _ = process.kill();
    process.wait().unwrap();
    ended
}

#[test]
fn keys_are_rotated_beside_a_serving_node_that_keeps_taking_documents() {
    let node = Node::running(&["--encrypt"]);
    let (_, studies) = sent(&node);
    let mut documents: Vec<(String, Vec<u8>)> = Vec::new();
    let mut submit = |number: usize| {
        let content = format!("document {number}").into_bytes();
        let unique_id = node.submit(&content);
        documents.push((unique_id, content));
    };
    (0..8).for_each(&mut submit);
    let first = keys(&node)[0].0.clone();
    node.ok(&["keys", "new"]);
    // A key that is needed stays.
    let refused = node.refused(&["keys", "remove", &first]);
    assert!(refused.contains("objects need the key"), "{refused}");
    let mut interrupted = 0;
    for round in 0..12_u64 {
        let after = Duration::from_millis(5 + 17 * round % 160);
        interrupted += usize::from(!killed(&node, &["keys", "rotate"], after));
        if round % 4 == 0 {
            submit(100 + usize::try_from(round).unwrap());
        }
    }
    assert!(interrupted > 0, "it was never interrupted");
    let rotated = node.json(&["keys", "rotate"]);
    assert_eq!(rotated["failed"], 0, "{rotated}");
    assert_eq!(rotated["oldKeys"], serde_json::json!({}), "{rotated}");
    let (current, _, objects) = keys(&node)[0].clone();
    assert_ne!(current, first);
    assert!(objects > 20);
    assert_eq!(keys(&node)[1], (first.clone(), false, 0));
    node.ok(&["keys", "remove", &first]);
    let refused = node.refused(&["keys", "remove", &current]);
    assert!(
        refused.contains("current") || refused.contains("need"),
        "{refused}"
    );
    let reads_everything = |node: &Node| {
        for (unique_id, content) in &documents {
            assert_eq!(node.retrieved(unique_id), *content);
        }
        for study in &studies {
            let uid = study.study_instance_uid.to_string();
            let out = tempfile::tempdir().unwrap();
            let out = out.path().to_str().unwrap();
            node.ok(&[
                "retrieve",
                "--study",
                &uid,
                "--patient",
                study.patient_id,
                "--out",
                out,
            ]);
        }
    };
    reads_everything(&node);
    // Also for a process that never knew the old key.
    let mut node = node;
    node.stop();
    node.start();
    reads_everything(&node);
    // Each of these is recorded.
    let records = node.ok(&["audit", "list"]);
    let of_keys = records
        .lines()
        .filter(|line| line.contains("110113") || line.contains("Security Alert"));
    assert!(of_keys.count() >= 4, "{records}");
}

#[test]
fn a_plain_store_is_encrypted_and_read_on_the_way() {
    let (mut node, plain, studies) = plain_store();
    node.stop();
    node.edit("# keys = \"keys/\"", "keys = \"keys/\"");
    let refused = node.refused(&["serve"]);
    assert!(refused.contains("hilum keys new"), "{refused}");
    node.ok(&["keys", "new"]);
    // Old ones are read, new ones are encrypted.
    node.start();
    let refused = node.refused(&["keys", "encrypt"]);
    assert!(refused.contains("must be stopped"), "{refused}");
    let new = node.submit(NEEDLE);
    assert_eq!(node.retrieved(&new), NEEDLE);
    assert!(
        fs::read(node.document(&new))
            .unwrap()
            .starts_with(b"HilumEnc")
    );
    assert_eq!(node.retrieved(&plain[0].0), plain[0].1);
    node.stop();
    let modified = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    let images = files(&node.data("images/objects"));
    let times: Vec<_> = images.iter().map(modified).collect();
    interrupted_again_and_again(&mut node, &plain);
    let done = node.json(&["keys", "encrypt"]);
    assert_eq!(done["failed"], 0, "{done}");
    let again = node.json(&["keys", "encrypt"]);
    assert_eq!(
        (&again["done"], &again["failed"]),
        (&0.into(), &0.into()),
        "{again}"
    );
    assert_eq!(holding(&node.data(""), NEEDLE), Vec::<PathBuf>::new());
    let leftovers = files(&node.data(""))
        .into_iter()
        .filter(|it| it.to_string_lossy().ends_with(".encrypting"));
    assert_eq!(leftovers.count(), 0);
    for path in &images {
        assert!(fs::read(path).unwrap().starts_with(b"HilumEnc"));
    }
    assert_eq!(times, images.iter().map(modified).collect::<Vec<_>>());
    everything_is_there(&mut node, &plain, &studies);
}
/// Documents by uniqueId.
type Documents = Vec<(String, Vec<u8>)>;

/// A node in which documents, images and a letter are kept as they are.
fn plain_store() -> (Node, Documents, Vec<Phantom>) {
    let node = Node::running(&[]);
    let (_, studies) = sent(&node);
    let plain: Vec<(String, Vec<u8>)> = (0..20)
        .map(|number| {
            let content = [NEEDLE, format!(" {number}").as_bytes()].concat();
            (node.submit(&content), content)
        })
        .collect();
    let letter = node.folder.path().join("letter.txt");
    fs::write(&letter, NEEDLE).unwrap();
    let url = format!("http://127.0.0.1:{}/recipient", node.base + 2);
    let mut submit = node.command(&["submit", letter.to_str().unwrap(), "--patient", "P-2"]);
    assert!(
        submit
            .env("HILUM_REPOSITORY__URL", url)
            .output()
            .unwrap()
            .status
            .success()
    );
    assert!(holding(&node.data(""), NEEDLE).len() >= 21);
    (node, plain, studies)
}

/// Encrypting is killed at different moments, and what is there can be read in between.
fn interrupted_again_and_again(node: &mut Node, plain: &[(String, Vec<u8>)]) {
    for round in 0..8 {
        killed(
            node,
            &["keys", "encrypt"],
            Duration::from_millis(20 + 11 * round),
        );
        // Whatever it was interrupted at, everything can be read.
        if round % 4 == 3 {
            node.start();
            for (unique_id, content) in plain {
                assert_eq!(node.retrieved(unique_id), *content);
            }
            node.stop();
        }
    }
}

/// A node that refuses what is plain gives everything.
fn everything_is_there(node: &mut Node, plain: &[(String, Vec<u8>)], studies: &[Phantom]) {
    node.edit("# plain = \"refuse\"", "plain = \"refuse\"");
    node.start();
    for (unique_id, content) in plain {
        assert_eq!(node.retrieved(unique_id), *content);
    }
    for study in studies {
        let uid = study.study_instance_uid.to_string();
        node.ok(&[
            "retrieve",
            "--study",
            &uid,
            "--patient",
            study.patient_id,
            "--out",
            "got",
        ]);
    }
    let inbox = node.json(&["inbox", "list"]);
    let id = inbox["submissions"][0]["uniqueId"].as_str().unwrap();
    node.ok(&["inbox", "show", id, "--out", "shown"]);
    let listed = node.json(&["keys", "list"]);
    assert_eq!(listed["plain"], 0, "{listed}");
}

#[test]
fn keys_wrapped_by_a_program_work_in_a_node() {
    let mut node = Node::made(&[]);
    let program = node.dir().join("kms");
    fs::write(
        &program,
        "#!/bin/sh\necho \"key $2\" >&2\ncase $1 in wrap) printf W; cat;; unwrap) tail -c +2;; esac\n",
    )
    .unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let command = format!("command = [\"{}\"]", program.display());
    node.edit(
        "# keys = \"keys/\"",
        &format!("keys = \"keys/\"\n{command}"),
    );
    node.ok(&["keys", "new"]);
    node.start();
    let unique_id = node.submit(b"content");
    assert_eq!(node.retrieved(&unique_id), b"content");
    assert!(
        node.log().contains("the key command says"),
        "{}",
        node.log()
    );
    node.stop();
    // Without the program, nothing opens.
    fs::write(&program, "#!/bin/sh\nexit 1\n").unwrap();
    let output = node.run(&["serve"]);
    let said = text(&output.stderr);
    assert!(
        !output.status.success() && said.contains("cannot unwrap"),
        "{said}"
    );
}
