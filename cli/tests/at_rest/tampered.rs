//! Who has the disk changes something on it: that object is refused, and nothing else.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::node::{Node, files, instances, text};
use crate::stored::sent;

fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

/// Content of several frames.
fn long(first: u8) -> Vec<u8> {
    (0..500_000_u32).map(|it| (it / 7) as u8 ^ first).collect()
}

#[test]
fn a_damaged_document_is_refused_and_named_and_the_others_come() {
    let node = Node::running(&["--encrypt"]);
    let sound = node.submit(b"sound");
    // Header, content and tag of a document in one frame.
    for at in [9, 40, 90, 1024, 1030] {
        let unique_id = node.submit(format!("document {at}").as_bytes());
        let path = node.document(&unique_id);
        // What is read is the slot for its name here, the second one.
        let at = if at < 512 { at + 512 } else { at };
        flip(&path, at);
        let said = node.refused(&["retrieve", &unique_id, &sound, "--out", "got"]);
        assert!(
            said.contains("XDSRepositoryError") && said.contains("1 of 2"),
            "{at}: {said}"
        );
        // The caller is told nothing of how things are kept here.
        assert!(
            !said.contains("frame") && !said.contains("/documents/"),
            "{said}"
        );
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(node.log().contains(name), "{}", node.log());
    }
    assert_eq!(node.retrieved(&sound), b"sound");
}

/// What is damaged where it begins is found before the answer begins, however many others there are.
#[test]
fn long_documents_that_are_damaged_where_they_begin_do_not_keep_others_back() {
    let node = Node::running(&["--encrypt"]);
    let ids: Vec<String> = (0..11).map(|it| node.submit(&long(it))).collect();
    // One whose file is open before the answer begins, and one whose file is not.
    let damaged = [1, 9];
    for at in damaged {
        flip(&node.document(&ids[at]), 1024 + 5);
    }
    let mut arguments = vec!["retrieve", "--out", "got"];
    arguments.extend(ids.iter().map(String::as_str));
    let said = node.refused(&arguments);
    for (at, id) in ids.iter().enumerate() {
        let told = said.contains("XDSRepositoryError") && said.contains(&format!("[{id}]"));
        assert_eq!(told, damaged.contains(&at), "{id}: {said}");
    }
    let mut got: Vec<_> = files(&node.dir().join("got"))
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect();
    got.sort();
    let sound = (0..11).filter(|it| !damaged.contains(&usize::from(*it)));
    let mut sound: Vec<_> = sound.map(long).collect();
    sound.sort();
    assert!(got == sound, "{} came", got.len());
}

#[test]
fn a_long_document_breaks_off_where_it_is_damaged() {
    let node = Node::running(&["--encrypt"]);
    let content = long(0);
    let unique_id = node.submit(&content);
    let path = node.document(&unique_id);
    flip(&path, 1024 + 2 * (131_072 + 16) + 5);
    let said = node.refused(&["retrieve", &unique_id, "--out", "got"]);
    assert!(!said.contains("panic"), "{said}");
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(node.log().contains(name), "{}", node.log());
    // Nothing that is not verified came as a document.
    let got = files(&node.dir().join("got"));
    assert!(
        got.iter()
            .all(|path| fs::read(path).unwrap().len() < content.len()),
        "{got:?}"
    );
}

#[test]
fn documents_cannot_be_exchanged_cut_off_or_made_of_each_other() {
    let node = Node::running(&["--encrypt"]);
    let (one, other) = (node.submit(&long(1)), node.submit(&long(2)));
    let (first, second) = (node.document(&one), node.document(&other));
    let (a, b) = (fs::read(&first).unwrap(), fs::read(&second).unwrap());
    let frame = 1024 + 131_072 + 16;
    let attempts: [(&str, Vec<u8>); 5] = [
        ("the other one", b.clone()),
        (
            "its header on the other's frames",
            [&a[..1024], &b[1024..]].concat(),
        ),
        (
            "the other's first frame",
            [&a[..1024], &b[1024..frame], &a[frame..]].concat(),
        ),
        ("cut off at a frame", a[..frame].to_vec()),
        ("cut off", a[..a.len() - 1].to_vec()),
    ];
    for (what, bytes) in attempts {
        fs::write(&first, bytes).unwrap();
        let said = node.refused(&["retrieve", &one, "--out", "got"]);
        assert!(!said.contains("panic"), "{what}: {said}");
        assert!(
            files(&node.dir().join("got")).is_empty() || what.contains("first frame"),
            "{what}"
        );
    }
    fs::write(&first, &a).unwrap();
    assert_eq!(node.retrieved(&one), long(1));
    assert_eq!(node.retrieved(&other), long(2));
}

/// Who can write cannot read, but could put a plain object of their own there.
#[test]
fn plain_objects_that_somebody_has_put_there_are_refused() {
    let mut node = Node::running(&["--encrypt"]);
    let (folder, _) = sent(&node);
    let unique_id = node.submit(b"true");
    let path = node.document(&unique_id);
    let sealed = fs::read(&path).unwrap();
    fs::write(&path, forged(&unique_id)).unwrap();
    let said = node.refused(&["retrieve", &unique_id, "--out", "got"]);
    assert!(said.contains("XDSRepositoryError"), "{said}");
    assert!(node.log().contains("it is not encrypted"), "{}", node.log());
    // An image, with the size and the time that the index knows.
    let original = instances(&folder);
    let stored = files(&node.data("images/objects"));
    let victim = stored
        .iter()
        .find(|it| it.extension().is_some_and(|it| it == "dcm"));
    let victim = victim.unwrap();
    let sop = victim.file_stem().unwrap().to_str().unwrap().to_owned();
    let series = crate::stored::series_of(&folder, &sop);
    let study = victim
        .parent()
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    let modified = fs::metadata(victim).unwrap().modified().unwrap();
    fs::write(victim, &original[&sop]).unwrap();
    let file = OpenOptions::new().write(true).open(victim).unwrap();
    file.set_modified(modified).unwrap();
    let path_of = format!("/dicom-web/studies/{study}/series/{series}/instances/{sop}");
    let (status, body, whole) = node.get(&path_of, "application/dicom;transfer-syntax=*");
    assert!(status >= 400 || !whole, "{status} {}", body.len());
    // That the forgery is one: a node that accepts plain objects gives it.
    node.stop();
    node.edit("plain = \"refuse\"", "plain = \"accept\"");
    node.start();
    node.run(&["retrieve", &unique_id, "--out", "taken in"]);
    let taken_in = files(&node.dir().join("taken in"));
    assert_eq!(fs::read(&taken_in[0]).unwrap(), b"fals");
    fs::write(&path, sealed).unwrap();
    assert_eq!(node.retrieved(&unique_id), b"true");
}

/// A plain document of another node as a file of a document with this uniqueId.
fn forged(unique_id: &str) -> Vec<u8> {
    let other = Node::running(&[]);
    let id = other.submit(b"fals");
    let bytes = fs::read(other.document(&id)).unwrap();
    let label = text(&bytes[4..bytes.len() - 12]).replace(&id, unique_id);
    let length = u32::try_from(label.len()).unwrap().to_le_bytes();
    [b"fals", label.as_bytes(), &length, b"HilumDoc"].concat()
}

#[test]
fn a_damaged_image_is_refused_and_the_others_come() {
    let node = Node::running(&["--encrypt"]);
    let (folder, studies) = sent(&node);
    let study = studies.iter().max_by_key(|study| study.instances).unwrap();
    let stored = node.data("images/objects");
    let of_study: Vec<_> = files(&stored)
        .into_iter()
        .filter(|path| {
            path.parent()
                .unwrap()
                .ends_with(study.study_instance_uid.as_str())
        })
        .collect();
    let victim = &of_study[0];
    flip(victim, 1024 + 200);
    let uid = study.study_instance_uid.to_string();
    let said = node.refused(&[
        "retrieve",
        "--study",
        &uid,
        "--patient",
        study.patient_id,
        "--out",
        "got",
    ]);
    let sop = victim.file_stem().unwrap().to_str().unwrap();
    assert!(
        said.contains("XDSRepositoryError") && said.contains(sop),
        "{said}"
    );
    let got = instances(&node.dir().join("got"));
    assert_eq!(got.len(), study.instances - 1);
    assert!(node.log().contains(sop), "{}", node.log());
    // WADO-RS passes it over, and says that it does.
    let path = format!("/dicom-web/studies/{uid}");
    let accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
    let (status, body, whole) = node.get(&path, accept);
    assert!(status == 206 && whole, "{status} {whole}");
    let parts = body.windows(4).filter(|it| it == b"DICM").count();
    assert_eq!(parts, study.instances - 1);
    // Two images of one study are exchanged.
    let (one, other) = (&of_study[1], &of_study[2]);
    let between = one.with_extension("between");
    fs::rename(one, &between).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(&between, other).unwrap();
    for path in [one, other] {
        let sop = path.file_stem().unwrap().to_str().unwrap();
        let series = crate::stored::series_of(&folder, sop);
        let path = format!("/dicom-web/studies/{uid}/series/{series}/instances/{sop}");
        let (status, body, _) = node.get(&path, "application/dicom;transfer-syntax=*");
        assert!(status >= 400, "{status} {}", text(&body));
    }
}

#[test]
fn a_node_without_its_keys_does_not_start() {
    let mut node = Node::running(&["--encrypt"]);
    node.submit(b"content");
    node.stop();
    let one_line = |node: &Node, why: &str| {
        let output = node.run(&["serve"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        // That the node's own receiver of audit records goes may be told beside it.
        let reasons = said.lines().filter(|line| line.starts_with("hilum: "));
        assert_eq!(reasons.count(), 1, "{said}");
        assert!(said.contains(why), "{said}");
        assert!(
            !text(&node.run(&["check"]).stdout)
                .lines()
                .all(|line| line.starts_with("ok"))
        );
    };
    // Nothing is configured.
    node.edit("keys = \"keys/\"", "# keys = \"keys/\"");
    let encrypted = "identifiers = \"encrypted\"";
    node.edit(encrypted, &format!("# {encrypted}"));
    one_line(&node, "[at_rest] names no keys");
    let checked = text(&node.run(&["check"]).stdout);
    for (what, store) in [
        ("documents", "document store"),
        ("at rest", "document store"),
    ] {
        let why = format!("the {store}");
        let is_told = |line: &str| {
            line.starts_with(&format!("MEND  {what} "))
                && line.contains(&why)
                && line.contains("is encrypted, and [at_rest] names no keys")
        };
        assert!(checked.lines().any(is_told), "{what}: {checked}");
    }
    node.edit(&format!("# {encrypted}"), encrypted);
    node.edit("# keys = \"keys/\"", "keys = \"keys/\"");
    // The key is gone.
    let keys = node.dir().join("keys");
    let key = files(&keys)
        .into_iter()
        .find(|it| it.extension().is_some())
        .unwrap();
    let away = node.folder.path().join("away");
    fs::rename(&key, &away).unwrap();
    one_line(&node, "is not in the key ring");
    // Another one bears its name.
    fs::write(
        &key,
        "hilum key 1\n0000000000000000000000000000000000000000000000000000000000000000\n",
    )
    .unwrap();
    one_line(&node, "only its owner may read it");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    one_line(&node, "another key bears that name now");
    // A new ring instead of the old one.
    fs::rename(&keys, node.folder.path().join("old")).unwrap();
    node.ok(&["keys", "new"]);
    one_line(&node, "encrypted");
    fs::remove_dir_all(&keys).unwrap();
    fs::rename(node.folder.path().join("old"), &keys).unwrap();
    fs::rename(&away, &key).unwrap();
    node.start();
}
