//! `hilum import`, and `hilum retrieve` for studies, over mutual TLS.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use hilum_dicom::instance;
use hilum_dicom::phantoms::{self, Detail, Phantom};
use serde_json::Value;

use crate::site::Site;

/// A node, the folder of its studies, and the studies.
fn imported() -> (Site, std::path::PathBuf, Vec<Phantom>, Value) {
    let site = Site::with(&["--accept-unknown-patients"]);
    let folder = site.folder.path().join("dicom");
    let studies = phantoms::write(&folder, "commands", SystemTime::now(), Detail::Small).unwrap();
    std::fs::write(folder.join("notes.txt"), "no DICOM").unwrap();
    let report = site.json(&["import", folder.to_str().unwrap()]);
    (site, folder, studies, report)
}

/// Content by SOP Instance UID of all DICOM files below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(instance) = instance::read(&path) {
            found.insert(
                instance.sop_instance_uid.to_string(),
                std::fs::read(path).unwrap(),
            );
        }
    }
    found
}

/// What can be read is registered; that something cannot shows in the exit status.
#[test]
fn what_cannot_be_read_makes_an_import_incomplete() {
    let (site, folder, studies, _) = imported();
    std::os::unix::fs::symlink("nowhere", folder.join("broken.dcm")).unwrap();
    let (code, said, error) = site.refused(&["import", folder.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert_eq!(said.matches("Unchanged").count(), studies.len(), "{said}");
    assert!(
        error.contains("broken.dcm is left out: cannot be read"),
        "{error}"
    );
    assert!(
        error.contains("1 files or folders could not be read"),
        "{error}"
    );
}

#[test]
fn studies_are_found_and_come_back_byte_for_byte() {
    let (site, folder, studies, report) = imported();
    let fates = report["studies"].as_array().unwrap();
    assert_eq!(fates.len(), studies.len());
    assert!(
        fates.iter().all(|study| study["fate"] == "Registered"),
        "{report}"
    );
    let left_out = report["leftOut"].as_array().unwrap();
    assert!(left_out.len() == 1 && left_out[0]["file"].as_str().unwrap().ends_with("notes.txt"));
    for study in fates {
        let manifest = study["manifest"].as_str().unwrap();
        site.ok(&["retrieve", "--manifest", manifest, "--out", "by-manifest"]);
    }
    assert_eq!(files(&site.dir().join("by-manifest")), files(&folder));
    let one = &studies[0];
    let uid = one.study_instance_uid.to_string();
    let arguments = [
        "retrieve",
        "--study",
        &uid,
        "--patient",
        one.patient_id,
        "--out",
        "by-study",
    ];
    let got = site.json(&arguments);
    assert_eq!(got["studies"][0]["instances"], one.instances);
    assert_eq!(got["studies"][0]["missing"], 0);
    let by_study = site.dir().join("by-study");
    let series: Vec<_> = std::fs::read_dir(by_study.join(&uid)).unwrap().collect();
    assert_eq!(got["studies"][0]["series"], series.len());
    assert_eq!(files(&by_study).len(), one.instances);

    let requests = studies.len() + 1;
    let recorded = site.recorded("RAD-69");
    let count = |event: &str| recorded.iter().filter(|it| it.starts_with(event)).count();
    let both = (
        count("DICOM Instances Accessed 0"),
        count("DICOM Instances Transferred 0"),
    );
    assert_eq!(both, (requests, requests), "{recorded:?}");
    let recorded = site.recorded("RAD-68");
    assert_eq!(recorded.len(), 2 * studies.len(), "{recorded:?}");

    let again = site.json(&["import", folder.to_str().unwrap()]);
    let fates = again["studies"].as_array().unwrap();
    assert!(
        fates.iter().all(|study| study["fate"] == "Unchanged"),
        "{again}"
    );
}

#[test]
fn images_that_vanish_do_not_keep_the_rest_back() {
    let (site, folder, studies, report) = imported();
    let study = studies.iter().max_by_key(|study| study.instances).unwrap();
    let uid = study.study_instance_uid.to_string();
    let of_study = |path: &Path| {
        let read = instance::read(path).ok();
        read.is_some_and(|it| it.study_instance_uid == study.study_instance_uid)
    };
    let victim = first(&folder, &of_study).unwrap();
    let missing = format!("[{}]", instance::read(&victim).unwrap().sop_instance_uid);
    std::fs::remove_file(&victim).unwrap();
    let fates = report["studies"].as_array().unwrap();
    let fate = fates
        .iter()
        .find(|fate| fate["studyInstanceUID"] == uid.as_str())
        .unwrap();
    let manifest = fate["manifest"].as_str().unwrap();
    let (code, _, error) = site.refused(&["retrieve", "--manifest", manifest, "--out", "got"]);
    assert!(code == 1 && error.contains(&missing), "{error}");
    assert_eq!(files(&site.dir().join("got")).len(), study.instances - 1);
    let again = site.json(&["import", folder.to_str().unwrap()]);
    let fates = again["studies"].as_array().unwrap();
    let fate = fates
        .iter()
        .find(|fate| fate["studyInstanceUID"] == uid.as_str())
        .unwrap();
    assert_eq!(fate["fate"], "Replaced");
    let manifest = fate["manifest"].as_str().unwrap();
    site.ok(&["retrieve", "--manifest", manifest, "--out", "again"]);
}

/// The first file below a folder that is wanted.
fn first(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Option<std::path::PathBuf> {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = match path.is_dir() {
            true => first(&path, wanted),
            false => wanted(&path).then_some(path),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[test]
fn an_import_without_an_answer_says_so() {
    let mut site = Site::with(&["--plain", "--accept-unknown-patients"]);
    let folder = site.folder.path().join("dicom");
    phantoms::write(&folder, "commands", SystemTime::now(), Detail::Small).unwrap();
    site.stop();
    let folder = folder.to_str().unwrap();
    let (code, out, error) = site.refused(&["import", folder]);
    assert_eq!(code, 3, "{out}{error}");
    assert!(out.contains("Unanswered"), "{out}");
    let empty = tempfile::tempdir().unwrap();
    let (code, _, _) = site.refused(&["import", empty.path().to_str().unwrap()]);
    assert_eq!(code, 2);
}

/// Copies of a file as further instances of its series.
fn copies(file: &Path, folder: &Path, count: usize) {
    let bytes = std::fs::read(file).unwrap();
    let uid = instance::read(file).unwrap().sop_instance_uid.to_string();
    let places: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(uid.as_bytes()))
        .collect();
    for number in 0..count {
        let mut copy = bytes.clone();
        for place in &places {
            let end = place + uid.len();
            copy[end - 4..end].copy_from_slice(format!("{:04}", 1000 + number).as_bytes());
        }
        std::fs::write(folder.join(format!("{number}.dcm")), copy).unwrap();
    }
}

#[test]
fn a_study_of_a_thousand_images_comes_in_batches() {
    let site = Site::open();
    let made = site.folder.path().join("made");
    phantoms::write(&made, "commands", SystemTime::now(), Detail::Small).unwrap();
    let one = first(&made, &|path| instance::read(path).is_ok()).unwrap();
    let many = site.folder.path().join("many");
    std::fs::create_dir(&many).unwrap();
    copies(&one, &many, 1000);
    let report = site.json(&["import", many.to_str().unwrap()]);
    assert_eq!(report["studies"][0]["instances"], 1000, "{report}");
    let manifest = report["studies"][0]["manifest"].as_str().unwrap();
    let got = site.json(&["retrieve", "--manifest", manifest, "--out", "got"]);
    assert_eq!(got["studies"][0]["instances"], 1000);
    assert_eq!(files(&site.dir().join("got")), files(&many));
    // Four calls, on both sides.
    assert_eq!(site.recorded("RAD-69").len(), 8);
}

#[test]
fn a_manifest_that_is_submitted_is_recorded_as_one() {
    let site = Site::open();
    let folder = site.folder.path().join("dicom");
    phantoms::write(&folder, "commands", SystemTime::now(), Detail::Small).unwrap();
    let report = site.json(&["import", folder.to_str().unwrap()]);
    let studies = report["studies"].as_array().unwrap();
    let manifest = studies[0]["manifest"].as_str().unwrap();
    let got = site.json(&["retrieve", manifest, "--out", "got"]);
    let file = got["documents"][0]["file"].as_str().unwrap();
    assert!(file.ends_with(".dcm"), "{file}");
    let format = ["--format-code", "1.2.840.10008.5.1.4.1.1.88.59"];
    let submit = ["submit", file, "--patient", "P-1", "--unique-id", "1.2.3"];
    site.ok(&[&submit[..], &format].concat());
    let expected = 2 * (studies.len() + 1);
    assert_eq!(
        (site.recorded("RAD-68").len(), site.recorded("ITI-41").len()),
        (expected, 0)
    );
}
