//! Volumes of NIfTI among DICOM files: imported, found, retrieved, made of series; and imports that are
//! killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hilum_dicom::phantoms::{self, Detail};
use hilum_tests::town::hilum;
use hilum_tests::words;
use hilum_tests::{Setup, Town};
use serde_json::Value;
use xds_schemas::codes::status::ResponseStatus;

const UNIQUE_ID: &str = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab";
const PATIENT: &str = "P-STORY";

/// A NIfTI-1 file of 4 x 4 x 4 voxels of 8 bits, whose axes go to the right, front and head.
fn nifti(seed: u16) -> Vec<u8> {
    let mut bytes = vec![0; 352];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &348_i32.to_le_bytes());
    for (at, length) in [3_i16, 4, 4, 4, 1, 1, 1, 1].iter().enumerate() {
        put(40 + 2 * at, &length.to_le_bytes());
    }
    put(70, &2_i16.to_le_bytes());
    put(72, &8_i16.to_le_bytes());
    for (at, size) in [1_f32, 1.5, 1.5, 2.0].iter().enumerate() {
        put(76 + 4 * at, &size.to_le_bytes());
    }
    put(108, &352_f32.to_le_bytes());
    put(123, &[10]);
    put(254, &1_i16.to_le_bytes());
    for (at, size) in [1.5_f32, 1.5, 2.0].iter().enumerate() {
        put(280 + 20 * at, &size.to_le_bytes());
    }
    put(344, b"n+1\0");
    let voxels = (0..64).map(|at: u16| at.wrapping_mul(seed).to_le_bytes()[0]);
    bytes.extend(voxels.chain(seed.to_le_bytes()).skip(2));
    bytes
}

fn town() -> Town {
    Town::found(Setup {
        uncounted: true,
        ..Setup::default()
    })
}

fn json(town: &Town, arguments: &[&str]) -> Value {
    let output = town.run(&[arguments, &["--json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn fates<'j>(report: &'j Value, what: &str) -> Vec<&'j str> {
    let all = report[what].as_array().unwrap();
    all.iter().map(|it| it["fate"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn volumes_are_imported_found_by_how_they_were_acquired_and_come_back() {
    let town = town();
    let folder = town.folder().join("mixed");
    let studies = phantoms::write(&folder, "volumes", SystemTime::now(), Detail::Small).unwrap();
    let anat = folder.join("bids/sub-01/anat");
    std::fs::create_dir_all(&anat).unwrap();
    let volume = anat.join("sub-01_T1w.nii");
    std::fs::write(&volume, nifti(1)).unwrap();
    let sidecar = r#"{"Modality":"MR","RepetitionTime":2.345,"PatientName":"Doe^Jane"}"#;
    std::fs::write(anat.join("sub-01_T1w.json"), sidecar).unwrap();
    let map = town.folder().join("subjects.csv");
    std::fs::write(&map, format!("subject,patient\n01,{PATIENT}\n")).unwrap();

    let report = json(
        &town,
        &["import", text(&folder), "--patient-map", text(&map)],
    );
    assert_eq!(fates(&report, "studies"), vec!["Registered"; studies.len()]);
    assert_eq!(fates(&report, "volumes"), ["Registered"], "{report}");
    let document = report["volumes"][0]["document"].as_str().unwrap();

    let asked = ["query", "--acquisition", "RepetitionTime eq 2345 ms"];
    let found = json(&town, &asked);
    let found = found["documents"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["uniqueId"], document);
    assert_eq!(found[0]["mimeType"], "application/x-nifti");
    assert!(!found[0].to_string().contains("Doe"));
    let got = town.retrieve(&[document]).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Success);
    assert_eq!(got.documents[0].content, std::fs::read(&volume).unwrap());

    let again = json(
        &town,
        &["import", text(&folder), "--patient-map", text(&map)],
    );
    assert_eq!(fates(&again, "studies"), vec!["Unchanged"; studies.len()]);
    assert_eq!(fates(&again, "volumes"), ["Unchanged"], "{again}");
    // One that is cut short is kept back until somebody decides.
    std::fs::write(anat.join("sub-01_cut.nii"), &nifti(2)[..400]).unwrap();
    let import = ["import", text(&folder), "--patient-map", text(&map)];
    let report = json(&town, &import);
    assert_eq!(report["keptBack"].as_array().unwrap().len(), 1, "{report}");
    let kept = json(&town, &["quarantine", "list"]);
    assert_eq!(kept["objects"][0]["volume"], true, "{kept}");
    assert_eq!(kept["objects"][0]["patientId"], PATIENT);
    let number = kept["objects"][0]["number"].to_string();
    json(&town, &["quarantine", "release", &number]);
    let report = json(&town, &import);
    let mut said = fates(&report, "volumes");
    said.sort_unstable();
    assert_eq!(said, ["Registered", "Unchanged"], "{report}");

    let both = ["import", ".", "--patient", "P", "--patient-map", "x"];
    assert_eq!(town.run(&both).status.code(), Some(2));
}

#[tokio::test]
async fn series_become_files_and_documents() {
    let town = town();
    let folder = town.folder().join("dicom");
    let studies = phantoms::write(&folder, "converted", SystemTime::now(), Detail::Small).unwrap();
    json(&town, &["import", text(&folder)]);
    let ct = &studies[0];
    let study = ct.study_instance_uid.to_string();
    let out = town.folder().join("out");
    let written = json(&town, &["convert", "--study", &study, "--out", text(&out)]);
    let series = written["series"].as_array().unwrap();
    let volumes: Vec<&Value> = series.iter().filter(|it| it["fate"] == "Written").collect();
    assert_eq!(volumes.len(), 1, "{written}");
    assert_eq!(volumes[0]["files"].as_array().unwrap().len(), 2);
    let file = PathBuf::from(volumes[0]["files"][0].as_str().unwrap());

    let registered = json(&town, &["convert", "--study", &study, "--register"]);
    let of = |report: &Value| {
        let series = report["series"].as_array().unwrap().iter();
        let document = |it: &Value| Some((it["document"].as_str()?.to_owned(), it["fate"].clone()));
        series.filter_map(document).collect::<Vec<_>>()
    };
    let first = of(&registered);
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].1, "Registered");
    let got = town.retrieve(&[&first[0].0]).await.unwrap();
    assert_eq!(got.documents[0].mime_type, "application/x-nifti+gzip");
    assert_eq!(got.documents[0].content, std::fs::read(file).unwrap());
    let second = of(&json(&town, &["convert", "--study", &study, "--register"]));
    assert_eq!(second[0].0, first[0].0);
    assert_eq!(second[0].1, "Unchanged");

    let unknown = town.run(&["convert", "--study", "1.2.3", "--out", text(&out)]);
    assert_eq!(unknown.status.code(), Some(1));
    let report = series.iter().find(|it| it["fate"] == "No volume");
    if let Some(report) = report {
        let uid = report["seriesInstanceUID"].as_str().unwrap();
        let arguments = [
            "convert",
            "--study",
            &study,
            "--series",
            uid,
            "--out",
            text(&out),
        ];
        assert_eq!(town.run(&arguments).status.code(), Some(1));
    }
}

/// All volumes of the patient by SHA-1, and how often each is registered.
async fn registered(town: &Town) -> BTreeMap<String, usize> {
    let found = town
        .query(words::find_documents(PATIENT, "LeafClass"))
        .await
        .unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    let ids = found
        .objects
        .iter()
        .filter_map(|it| it.external_identifier(UNIQUE_ID));
    let ids: Vec<&str> = ids.collect();
    let mut all = BTreeMap::new();
    for ids in ids.chunks(50) {
        let got = town.retrieve(ids).await.unwrap();
        assert_eq!(got.response.status, ResponseStatus::Success);
        for document in got.documents {
            *all.entry(document.sha1).or_default() += 1;
        }
    }
    all
}

/// An import that is killed at any moment leaves nothing twice, and the next one loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_import_is_finished_by_the_next() {
    let town = town();
    let folder = town.folder().join("many");
    std::fs::create_dir(&folder).unwrap();
    let volumes: Vec<Vec<u8>> = (1..=120).map(nifti).collect();
    for (at, volume) in volumes.iter().enumerate() {
        std::fs::write(folder.join(format!("{at:03}.nii")), volume).unwrap();
    }
    let arguments = ["import", text(&folder), "--patient", PATIENT];
    let mut killed = 0;
    for kill in 0..6 {
        let mut command = hilum();
        command.args(arguments).current_dir(town.node());
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut process = command.spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(300 + 250 * kill)).await;
        if process.try_wait().unwrap().is_none() {
            process.kill().unwrap();
            killed += 1;
        }
        process.wait().unwrap();
    }
    assert!(killed > 0, "no import was under way");
    let report = json(&town, &arguments);
    let fates = fates(&report, "volumes");
    assert_eq!(fates.len(), volumes.len());
    assert!(
        fates
            .iter()
            .all(|it| matches!(*it, "Registered" | "Unchanged")),
        "{report}"
    );
    let unchanged = fates.iter().filter(|it| **it == "Unchanged").count();
    eprintln!("{killed} imports were killed; {unchanged} volumes were registered by then");
    let wanted = volumes.iter().map(|volume| (words::sha1_of(volume), 1));
    assert_eq!(registered(&town).await, wanted.collect());
}
