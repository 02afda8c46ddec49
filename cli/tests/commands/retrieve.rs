//! `hilum retrieve` for documents.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::site::Site;

/// The file below `folder` that begins with this: the repository puts what it knows behind it.
fn file_with(folder: &Path, content: &[u8]) -> Option<PathBuf> {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = match path.is_dir() {
            true => file_with(&path, content),
            false => std::fs::read(&path)
                .unwrap()
                .starts_with(content)
                .then_some(path),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[test]
fn what_is_missing_does_not_keep_the_rest_back() {
    let site = Site::open();
    let (here, _) = site.submit("1.txt", "this one stays", &[]);
    let (gone, _) = site.submit("2.txt", "this one vanishes", &[]);
    let store = site.dir().join("data/documents");
    std::fs::remove_file(file_with(&store, b"this one vanishes").unwrap()).unwrap();
    let (code, out, error) = site.refused(&["retrieve", &here, &gone, "--out", "got"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("1 of 2") && error.contains("XDSDocumentUniqueIdError"),
        "{error}"
    );
    assert!(error.contains(&gone) && out.contains(&here), "{out}{error}");
    let got: Vec<_> = std::fs::read_dir(site.dir().join("got")).unwrap().collect();
    assert_eq!(got.len(), 1, "no half files are left");
    assert_eq!(
        site.recorded("ITI-43"),
        ["Export 0", "Export 8", "Import 0", "Import 8"]
    );
}

#[test]
fn what_differs_from_what_was_registered_is_kept_aside() {
    let site = Site::open();
    let (id, _) = site.submit("1.txt", "what was registered", &[]);
    let stored = file_with(&site.dir().join("data/documents"), b"what was registered").unwrap();
    let mut permissions = std::fs::metadata(&stored).unwrap().permissions();
    PermissionsExt::set_mode(&mut permissions, 0o644);
    std::fs::set_permissions(&stored, permissions).unwrap();
    let mut content = std::fs::read(&stored).unwrap();
    content[0] = b'W';
    std::fs::write(&stored, content).unwrap();
    let (code, out, error) = site.refused(&["retrieve", &id, "--out", "got"]);
    assert_eq!(code, 1, "{out}{error}");
    let names = std::fs::read_dir(site.dir().join("got")).unwrap();
    let names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        names.iter().all(|name| name.ends_with(".rejected")),
        "{names:?}"
    );
}

#[test]
fn unknown_documents_and_repositories_are_refused() {
    let site = Site::open();
    let (id, _) = site.submit("1.txt", "one", &[]);
    let (code, _, error) = site.refused(&["retrieve", "1.2.3"]);
    assert!(code == 1 && error.contains("1.2.3"), "{error}");
    let (code, _, error) = site.refused(&["retrieve", &id, "--repository", "1.2.3"]);
    assert!(
        code == 1 && error.contains("XDSUnknownRepositoryId"),
        "{error}"
    );
    let (code, _, error) = site.refused(&["retrieve", "--manifest", &id]);
    assert!(code == 1 && error.contains("no manifest"), "{error}");
    let found = site.json(&["query", "--patient", "P-1"]);
    let repository = found["documents"][0]["repositoryUniqueId"]
        .as_str()
        .unwrap()
        .to_owned();
    let got = site.json(&["retrieve", &id, "--repository", &repository, "--out", "got"]);
    assert!(
        got["documents"][0]["verified"].is_null(),
        "the registry was not asked"
    );
}

/// The most memory that a command may take, in kilobytes: far less than the document.
const MEMORY: u64 = 64 * 1024;

#[test]
fn large_documents_are_never_whole_in_memory() {
    let site = Site::open();
    let path = site.folder.path().join("large.bin");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(128 * 1024 * 1024).unwrap();
    let submit = [
        "submit",
        path.to_str().unwrap(),
        "--patient",
        "P-1",
        "--mime",
        "application/octet-stream",
    ];
    let peak = site.peak(&[&submit[..], &["--unique-id", "1.2.3"]].concat());
    assert!(peak < MEMORY, "submit: {peak} kB");
    let peak = site.peak(&["retrieve", "1.2.3", "--out", "got"]);
    assert!(peak < MEMORY, "retrieve: {peak} kB");
    let got = std::fs::metadata(site.dir().join("got/1.2.3.bin")).unwrap();
    assert_eq!(got.len(), 128 * 1024 * 1024);
    interrupted(&site);
}

/// What is not whole when somebody loses patience is removed.
fn interrupted(site: &Site) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hilum"))
        .args(["retrieve", "1.2.3", "--out", "interrupted"])
        .current_dir(site.dir())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let folder = site.dir().join("interrupted");
    let began = || std::fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some());
    while !began() {
        assert!(command.try_wait().unwrap().is_none(), "it was too quick");
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = command.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(command.wait().unwrap().code(), Some(1));
    assert!(!began(), "something is left");
}

#[test]
fn documents_of_several_patients_come_one_patient_at_a_time() {
    let site = Site::open();
    let (first, _) = site.submit("1.txt", "of the first", &[]);
    let (second, _) = site.submit("2.txt", "of the second", &["--patient", "P-2"]);
    let (code, out, error) = site.refused(&["retrieve", &first, "1.2.3", &second, "--out", "got"]);
    assert!(
        code == 1 && error.contains("2 of 3") && error.contains("1.2.3"),
        "{error}"
    );
    assert!(out.contains(&first) && out.contains(&second), "{out}");
    assert_eq!(
        site.recorded("ITI-43"),
        ["Export 0", "Export 0", "Import 0", "Import 0"]
    );
    let patients: Vec<_> = site
        .records()
        .iter()
        .filter(|record| record["transaction"] == "ITI-43")
        .map(|record| {
            record["patient"]
                .as_str()
                .unwrap()
                .split('^')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        patients.iter().filter(|patient| *patient == "P-1").count(),
        2,
        "{patients:?}"
    );
}

#[test]
fn faults_are_told_with_code_and_reason() {
    let site = Site::open();
    let (id, _) = site.submit("1.txt", "one", &[]);
    let registry = format!("http://localhost:{}/registry", site.base + 1);
    let output = Command::new(env!("CARGO_BIN_EXE_hilum"))
        .args(["retrieve", &id])
        .env("HILUM_REPOSITORY__URL", registry)
        .current_dir(site.dir())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("Sender/ActionNotSupported: "), "{error}");
}
