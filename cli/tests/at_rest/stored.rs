//! What is stored comes back as it was, and is not to be found on the disk.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use hilum_dicom::phantoms::{self, Detail, Phantom};

use crate::node::{Node, files, holding, instances, text};

/// A text that stands nowhere else.
const NEEDLE: &[u8] = b"HAYSTACK-7f3a9c-the-patient-has-a-secret";

/// Studies beside the node that nobody has imported.
pub(crate) fn studies(node: &Node) -> (PathBuf, Vec<Phantom>) {
    let folder = node.folder.path().join("dicom");
    let studies = phantoms::write(&folder, "at rest", SystemTime::now(), Detail::Small).unwrap();
    (folder, studies)
}

/// Sends them by C-STORE, and waits until they can be found.
pub(crate) fn sent(node: &Node) -> (PathBuf, Vec<Phantom>) {
    let (folder, studies) = studies(node);
    let to = format!("HILUM@127.0.0.1:{}", node.base + 10);
    node.ok(&["dicom", "send", &to, folder.to_str().unwrap()]);
    for study in &studies {
        node.published(study.patient_id);
    }
    (folder, studies)
}

#[test]
fn documents_come_back_and_are_not_on_disk() {
    let node = Node::running(&["--encrypt"]);
    let small = [b"Dear colleague, ".as_slice(), NEEDLE].concat();
    let large: Vec<u8> = NEEDLE.iter().copied().cycle().take(700_001).collect();
    let exact: Vec<u8> = NEEDLE.iter().copied().cycle().take(262_144).collect();
    for content in [&small, &large, &exact] {
        let unique_id = node.submit(content);
        assert_eq!(node.retrieved(&unique_id), *content);
        let stored = fs::read(node.document(&unique_id)).unwrap();
        assert!(stored.starts_with(b"HilumEnc"));
    }
    assert_eq!(holding(&node.data(""), NEEDLE), Vec::<PathBuf>::new());
    // The same is found if it is there: the search can fail.
    fs::write(node.data("planted"), NEEDLE).unwrap();
    assert_eq!(holding(&node.data(""), NEEDLE), [node.data("planted")]);
    let checked = text(&node.run(&["check"]).stdout);
    let line = checked
        .lines()
        .find(|line| line.contains("at rest"))
        .unwrap();
    assert!(
        line.starts_with("ok") && line.contains("0 are plain"),
        "{line}"
    );
    assert!(!node.log().contains("secret"));
}

#[test]
fn images_come_back_by_every_road_and_are_not_on_disk() {
    let node = Node::running(&["--encrypt"]);
    let (folder, studies) = sent(&node);
    let originals = instances(&folder);
    // RAD-69, by the manifest of each study.
    for study in &studies {
        let uid = study.study_instance_uid.to_string();
        let arguments = [
            "retrieve",
            "--study",
            &uid,
            "--patient",
            study.patient_id,
            "--out",
            "got",
        ];
        node.ok(&arguments);
    }
    let got = instances(&node.dir().join("got"));
    assert_eq!(got.len(), originals.len());
    // What stands before the data set is the receiver's.
    let data_set = |bytes: &[u8]| bytes[bytes.len() - 400..].to_vec();
    for (uid, bytes) in &originals {
        assert_eq!(data_set(&got[uid]), data_set(bytes), "{uid}");
    }
    // WADO-RS: an instance, its metadata, a frame of it, rendered.
    let study = studies.iter().max_by_key(|study| study.instances).unwrap();
    let stored = files(&node.data("images/objects"));
    assert!(stored.len() >= originals.len());
    let (uid, bytes) = got
        .iter()
        .find(|(_, bytes)| {
            bytes.len() > 2_000 && contains(bytes, study.study_instance_uid.as_str().as_bytes())
        })
        .unwrap();
    let series = series_of(&folder, uid);
    let path = format!(
        "/dicom-web/studies/{}/series/{series}/instances/{uid}",
        study.study_instance_uid
    );
    let (status, body, whole) = node.get(&path, "application/dicom;transfer-syntax=*");
    assert!(status == 200 && whole, "{status} {}", text(&body));
    assert_eq!(body, *bytes);
    let (status, body, _) = node.get(&format!("{path}/metadata"), "application/dicom+json");
    assert!(status == 200 && text(&body).contains(uid), "{status}");
    let (status, body, _) = node.get(
        &format!("{path}/frames/1"),
        "multipart/related;type=\"application/octet-stream\";transfer-syntax=*",
    );
    assert_eq!(status, 200, "{}", text(&body));
    let (status, body, _) = node.get(&format!("{path}/rendered"), "image/jpeg");
    assert!(status == 200 && body.starts_with(&[0xFF, 0xD8]), "{status}");
    // Converted on the way (the data set is explicit, the request wants it deflated).
    let deflated = "application/dicom;transfer-syntax=1.2.840.10008.1.2.1.99";
    let (status, body, whole) = node.get(&path, deflated);
    assert!(status == 200 && whole && body != *bytes, "{status}");
    for path in &stored {
        assert!(
            fs::read(path).unwrap().starts_with(b"HilumEnc"),
            "{}",
            path.display()
        );
    }
    // Neither pixels nor names are in any file of an object; the index and the audit say whose they are.
    let pixels = &bytes[bytes.len() - 1_000..bytes.len() - 968];
    assert_eq!(holding(&node.data(""), pixels), Vec::<PathBuf>::new());
    let objects = node.data("images/objects");
    assert_eq!(
        holding(&objects, study.patient_id.as_bytes()),
        Vec::<PathBuf>::new()
    );
    assert_eq!(holding(&objects, b"DICM"), Vec::<PathBuf>::new());
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

pub(crate) fn series_of(folder: &std::path::Path, uid: &str) -> String {
    let read = files(folder)
        .into_iter()
        .filter_map(|path| hilum_dicom::instance::read(&path).ok());
    let found = read
        .into_iter()
        .find(|it| it.sop_instance_uid.as_str() == uid)
        .unwrap();
    found.series_instance_uid.to_string()
}

#[test]
fn what_is_stored_over_the_web_is_encrypted() {
    let node = Node::running(&["--encrypt"]);
    let (folder, studies) = studies(&node);
    let (file, bytes) = files(&folder)
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .max_by_key(|(_, bytes)| bytes.len())
        .unwrap();
    let body = [
        b"--b\r\nContent-Type: application/dicom\r\n\r\n".as_slice(),
        &bytes,
        b"\r\n--b--\r\n",
    ]
    .concat();
    let body_file = node.folder.path().join("body");
    fs::write(&body_file, body).unwrap();
    let output = std::process::Command::new("curl")
        .args(["-s", "-X", "POST", "-H", "Accept: application/dicom+json"])
        .args([
            "-H",
            "Content-Type: multipart/related; type=\"application/dicom\"; boundary=b",
        ])
        .args(["--data-binary", &format!("@{}", body_file.display())])
        .arg(format!(
            "http://127.0.0.1:{}/dicom-web/studies",
            node.base + 2
        ))
        .output()
        .unwrap();
    let instance = hilum_dicom::instance::read(&file).unwrap();
    let uid = instance.sop_instance_uid.as_str();
    assert!(text(&output.stdout).contains(uid), "{output:?}");
    let path = format!(
        "/dicom-web/studies/{}/series/{}/instances/{uid}",
        instance.study_instance_uid, instance.series_instance_uid
    );
    let (status, body, whole) = node.get(&path, "application/dicom;transfer-syntax=*");
    assert!(status == 200 && whole && body == bytes, "{status}");
    let stored = files(&node.data("images/objects"));
    assert_eq!(stored.len(), 1);
    assert!(fs::read(&stored[0]).unwrap().starts_with(b"HilumEnc"));
    assert!(!studies.is_empty());
}

#[test]
fn an_inbox_is_encrypted_and_given_out() {
    let node = Node::running(&["--encrypt"]);
    let letter = node.folder.path().join("letter.txt");
    fs::write(&letter, NEEDLE).unwrap();
    let url = format!("http://127.0.0.1:{}/recipient", node.base + 2);
    let sent = node
        .command(&[
            "submit",
            letter.to_str().unwrap(),
            "--patient",
            "P-77-needle",
        ])
        .env("HILUM_REPOSITORY__URL", url)
        .output()
        .unwrap();
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    let listed = node.json(&["inbox", "list"]);
    let id = listed["submissions"][0]["uniqueId"]
        .as_str()
        .unwrap()
        .to_owned();
    for needle in [NEEDLE, b"P-77-needle"] {
        assert_eq!(holding(&node.data("inbox"), needle), Vec::<PathBuf>::new());
    }
    let kept = files(&node.data("inbox/submissions"));
    assert_eq!(kept.len(), 3, "{kept:?}");
    node.ok(&["inbox", "show", &id, "--out", "shown"]);
    assert_eq!(holding(&node.dir().join("shown"), NEEDLE).len(), 1);
    // It is there after a restart, whose slips are read from the disk.
    let mut node = node;
    node.stop();
    node.start();
    assert_eq!(
        node.json(&["inbox", "list"])["submissions"][0]["uniqueId"],
        id.as_str()
    );
}

#[test]
fn what_did_not_pass_is_encrypted_and_released() {
    let mut node = Node::made(&["--encrypt"]);
    fs::write(
        node.dir().join("card.toml"),
        "name = 'strict'\nversion = '1'\n[[attribute]]\nname = 'InstanceNumber'\nat_most = 0\n",
    )
    .unwrap();
    node.edit(
        "# collection = [",
        "collection = [{ name = 'all', card = 'card.toml' }]\n# collection = [",
    );
    node.start();
    let (folder, _) = studies(&node);
    let to = format!("HILUM@127.0.0.1:{}", node.base + 10);
    node.ok(&["dicom", "send", &to, folder.to_str().unwrap()]);
    let listed = node.json(&["quarantine", "list"]);
    let objects = listed["objects"].as_array().unwrap();
    assert!(!objects.is_empty(), "{listed}");
    for path in files(&node.data("images/objects")) {
        assert!(
            fs::read(&path).unwrap().starts_with(b"HilumEnc"),
            "{}",
            path.display()
        );
    }
    let number = objects[0]["number"].to_string();
    node.ok(&["quarantine", "release", &number]);
}
