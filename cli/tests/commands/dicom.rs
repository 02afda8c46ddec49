//! `hilum dicom`, and what comes of what it sends, over mutual TLS.

use std::time::{Duration, Instant, SystemTime};

use hilum_dicom::phantoms::{self, Detail};

use crate::site::{Site, text};

#[test]
fn what_is_sent_becomes_findable() {
    let site = Site::with(&["--accept-unknown-patients"]);
    let folder = site.folder.path().join("dicom");
    let studies = phantoms::write(&folder, "sent", SystemTime::now(), Detail::Small).unwrap();
    let node = format!("HILUM@localhost:{}", site.base + 10);
    let said = site.ok(&["dicom", "echo", &node, "--tls"]);
    assert_eq!(said, format!("{node} is there\n"));
    let count: usize = studies.iter().map(|it| it.instances).sum();
    let dicom = folder.to_str().unwrap();
    let said = site.ok(&["dicom", "send", &node, dicom, "--tls"]);
    assert_eq!(said, format!("{count} files were sent to {node}\n"));
    // Each side has recorded what it did.
    let recorded = site.ok(&["audit", "list"]);
    for what in [
        "Begin Transferring DICOM Instances",
        "DICOM Instances Transferred",
    ] {
        assert!(recorded.contains(what), "{recorded}");
    }
    // When nothing more of a study comes for some seconds, it is registered.
    let begun = Instant::now();
    loop {
        let found = site.run(&["query", "--patient", studies[0].patient_id]);
        if text(&found.stdout).contains("CT") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{found:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn what_cannot_be_sent_is_told() {
    let site = Site::open();
    let notes = site.file("notes.txt", "no DICOM");
    let node = format!("HILUM@127.0.0.1:{}", site.base + 10);
    let output = site.run(&["dicom", "send", &node, &notes]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("notes.txt: not a DICOM file"), "{said}");
    assert!(said.contains("1 of 1 files were not sent"), "{said}");
    let other = format!("OTHER@127.0.0.1:{}", site.base + 10);
    let output = site.run(&["dicom", "echo", &other]);
    let said = text(&output.stderr);
    assert!(said.contains("called AE title not recognized"), "{said}");
    let output = site.run(&["dicom", "echo", &node, "--tls"]);
    assert!(!output.status.success());
    let output = site.run(&["dicom", "echo", "nowhere"]);
    assert_eq!(output.status.code(), Some(2));
}
