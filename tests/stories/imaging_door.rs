//! An imaging source in the hands of those who run it: what comes through its door or does not, what is
//! taken back, what is removed for good, and what is left of it all after a power cut.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use hilum_dicom::instance::{self, Instance};
use hilum_dicom::phantoms::{self, Detail, Phantom};
use hilum_tests::town::hilum;
use hilum_tests::words;
use hilum_tests::{Setup, Town};
use hilum_transport::HttpRequest;
use serde_json::Value;

const EXPLICIT: &str = "1.2.840.10008.1.2.1";

fn setup() -> Setup {
    Setup {
        plain: true,
        uncounted: true,
        environment: vec![("HILUM_IMAGING__SETTLE_SECONDS".to_owned(), "1".to_owned())],
        ..Setup::default()
    }
}

/// Adds lines to `[imaging]`.
fn configure(town: &Town, lines: &str) {
    let text = std::fs::read_to_string(town.config()).unwrap();
    let text = text.replace("[imaging]\n", &format!("[imaging]\n{lines}\n"));
    std::fs::write(town.config(), text).unwrap();
}

fn made(town: &Town) -> Vec<Phantom> {
    let folder = town.folder().join("dicom");
    phantoms::write(&folder, "door", SystemTime::now(), Detail::Small).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    found
}

fn instances(folder: &Path) -> Vec<Instance> {
    let files = files(folder).into_iter();
    files
        .map(|file| instance::read_bytes(&std::fs::read(file).unwrap()).unwrap())
        .collect()
}

/// Runs a command that succeeds, and gives what it says.
fn told(town: &Town, arguments: &[&str]) -> String {
    let output = town.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that fails, and gives what it says of it.
fn refused(town: &Town, arguments: &[&str]) -> String {
    let output = town.run(arguments);
    assert!(!output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn kept_back(town: &Town) -> Value {
    let json = told(town, &["quarantine", "list", "--json"]);
    serde_json::from_str(&json).unwrap()
}

/// The documents that the repository has.
fn documents(town: &Town) -> usize {
    let all = files(&town.node().join("data/documents")).into_iter();
    all.filter(|path| !path.ends_with("lock")).count()
}

fn dicom(town: &Town) -> String {
    format!("HILUM@127.0.0.1:{}", town.port(10))
}

/// The statuses of a patient's manifests, in whatever status they are.
fn manifests(town: &Town, patient: &str) -> Vec<(String, String)> {
    let json = told(
        town,
        &["query", "--patient", patient, "--status", "all", "--json"],
    );
    let all: Value = serde_json::from_str(&json).unwrap();
    let documents = all["documents"].as_array().or(all.as_array()).unwrap();
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let one = |it: &Value| (text(&it["uniqueId"]), text(&it["availabilityStatus"]));
    documents.iter().map(one).collect()
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn approved(town: &Town, patient: &str) -> usize {
    let all = manifests(town, patient);
    all.iter()
        .filter(|(_, status)| status.contains("pproved"))
        .count()
}

async fn status(town: &Town, path: &str) -> u16 {
    let url = format!("http://127.0.0.1:{}/dicom-web{path}", town.port(2));
    let request = HttpRequest {
        method: "GET",
        url: &url,
        headers: &[],
        body: Bytes::new(),
    };
    let answer = town.client.exchange_http(request, 1 << 24).await.unwrap();
    match answer.body.as_ref() {
        b"[]" => 204,
        _ => answer.status,
    }
}

/// What was recorded of decisions of those who run the node.
fn recorded(town: &Town, decision: &str) -> Vec<Value> {
    let records = town.records().into_iter();
    records.filter(|it| it["transaction"] == decision).collect()
}

/// That images of a study were rejected is recorded, twice here, with the patient.
fn rejections_are_recorded(town: &Town, uid: &str, patient: &str) {
    let records = recorded(town, "rejection");
    assert_eq!(records.len(), 2);
    for record in &records {
        assert_eq!(record["event"], "DICOM Instances Accessed");
        assert_eq!(
            (&record["action"], &record["outcome"]),
            (&"U".into(), &"0".into())
        );
        assert_eq!(record["objects"][0], uid);
        assert!(record["patient"].as_str().unwrap().starts_with(patient));
    }
}

/// How many of these instances RAD-69 gives.
async fn given(town: &Town, instances: &[Instance]) -> usize {
    let names: Vec<_> = instances
        .iter()
        .map(|it| {
            let uids = [
                &it.study_instance_uid,
                &it.series_instance_uid,
                &it.sop_instance_uid,
            ];
            let [study, series, instance] = uids.map(ToString::to_string);
            (study, series, instance)
        })
        .collect();
    let request = words::retrieve_images(words::REPOSITORY, &names, &[EXPLICIT]);
    town.retrieve_images(request).await.unwrap().documents.len()
}

/// Nothing of a study is found or given by any way.
async fn is_gone(town: &Town, study: &str, patients: &[&str], instances: &[Instance]) {
    for patient in patients {
        assert_eq!(manifests(town, patient), []);
    }
    assert_eq!(given(town, instances).await, 0);
    assert_eq!(status(town, &format!("/studies/{study}")).await, 404);
    assert_eq!(
        status(town, &format!("/studies/{study}/metadata")).await,
        404
    );
    assert_eq!(
        status(town, &format!("/studies?StudyInstanceUID={study}")).await,
        204
    );
}

/// Sent, imported, replaced several times, corrected by hand, its patient merged: all of it goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_study_with_a_history_is_removed() {
    let town = Town::found(setup());
    let studies = made(&town);
    let (study, other) = (&studies[0], &studies[2]);
    let uid = study.study_instance_uid.to_string();
    let of_study = files(&study.folder);
    let all = instances(&study.folder);
    let folder = study.folder.to_str().unwrap();
    // A first part is sent, more is sent, the rest is imported.
    for (at, file) in of_study[..2].iter().enumerate() {
        told(
            &town,
            &["dicom", "send", &dicom(&town), file.to_str().unwrap()],
        );
        wait("published", || {
            manifests(&town, study.patient_id).len() == at + 1
        });
    }
    told(&town, &["import", folder, other.folder.to_str().unwrap()]);
    assert_eq!(manifests(&town, study.patient_id).len(), 3);
    let last = manifests(&town, study.patient_id);
    let last = last
        .iter()
        .find(|(_, status)| status.contains("pproved"))
        .unwrap();
    told(&town, &["update", &last.0, "--title", "Corrected"]);
    told(&town, &["feed", "add", "HIL-NEW"]);
    told(&town, &["feed", "merge", study.patient_id, "HIL-NEW"]);
    assert_eq!(given(&town, &all).await, all.len());
    let before = documents(&town);

    let said = refused(&town, &["remove", "--study", "1.2.3"]);
    assert!(
        said.contains("study 1.2.3 is not in the imaging source"),
        "{said}"
    );
    let json: Value =
        serde_json::from_str(&told(&town, &["remove", "--study", &uid, "--json"])).unwrap();
    assert_eq!(json[0]["manifests"], 3, "{json}");
    assert_eq!(json[0]["instances"], all.len());
    assert_eq!(json[0]["files"], 2);
    let records = recorded(&town, "study removal");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["event"], "DICOM Study Deleted");
    assert_eq!(records[0]["objects"][0], *uid);
    is_gone(&town, &uid, &["HIL-NEW", study.patient_id], &all).await;
    assert_eq!(documents(&town), before - 3);
    for id in [&last.0] {
        assert_eq!(town.retrieve(&[id]).await.unwrap().documents.len(), 0);
    }
    // What was imported is its owner's, and other studies are not concerned.
    assert_eq!(files(&study.folder), of_study);
    assert!(files(&town.node().join("data/images/objects")).is_empty());
    assert_eq!(manifests(&town, other.patient_id).len(), 1);
    assert_eq!(
        given(&town, &instances(&other.folder)).await,
        other.instances
    );
    let said = refused(&town, &["remove", "--study", &uid]);
    assert!(said.contains("is not in the imaging source"), "{said}");
    // Nothing speaks of it any more, except the record.
    for file in files(&town.node().join("data")) {
        let bytes = std::fs::read(&file).unwrap();
        let stands = bytes.windows(uid.len()).any(|it| it == uid.as_bytes());
        let recorded = file.starts_with(town.node().join("data/audit"));
        let of_registry = file.to_string_lossy().contains("registry");
        assert!(!stands || recorded || of_registry, "{}", file.display());
    }
}

/// A removal that is killed anywhere is finished when it is said again.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_is_killed_is_finished_the_next_time() {
    let town = Town::found(setup());
    let studies = made(&town);
    let study = &studies[2];
    let (uid, patient) = (study.study_instance_uid.to_string(), study.patient_id);
    let all = instances(&study.folder);
    for milliseconds in [15, 40, 70, 100, 140, 200] {
        for file in files(&study.folder) {
            told(
                &town,
                &["dicom", "send", &dicom(&town), file.to_str().unwrap()],
            );
        }
        wait("published", || approved(&town, patient) == 1);
        let mut command = hilum();
        command
            .args(["remove", "--study", &uid])
            .current_dir(town.node());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut removing = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        let _ = removing.kill();
        removing.wait().unwrap();
        let again = town.run(&["remove", "--study", &uid]);
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        // It may have been done already.
        assert!(
            again.status.success() || said.contains("is not in the imaging source"),
            "{said}"
        );
        is_gone(&town, &uid, &[patient], &all).await;
        assert!(files(&town.node().join("data/images/objects")).is_empty());
        assert_eq!(documents(&town), 0, "{milliseconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_rejected() {
    let town = Town::found(setup());
    let study = made(&town).remove(2);
    let (uid, patient) = (study.study_instance_uid.to_string(), study.patient_id);
    let all = instances(&study.folder);
    told(
        &town,
        &[
            "dicom",
            "send",
            &dicom(&town),
            study.folder.to_str().unwrap(),
        ],
    );
    wait("published", || approved(&town, patient) == 1);
    let one = all[0].sop_instance_uid.to_string();
    let said = told(
        &town,
        &[
            "reject",
            "--study",
            &uid,
            "--instance",
            &one,
            "--reason",
            "quality",
            "--comment",
            "blurred",
        ],
    );
    assert!(
        said.contains(&format!(
            "rejected 1 instances of study {uid}; {} are left",
            all.len() - 1
        )),
        "{said}"
    );
    assert_eq!(given(&town, &all).await, all.len() - 1);
    let (series, study_path) = (&all[0].series_instance_uid, format!("/studies/{uid}"));
    assert_eq!(
        status(
            &town,
            &format!("{study_path}/series/{series}/instances/{one}")
        )
        .await,
        404
    );
    let found = format!("{study_path}/instances?SOPInstanceUID={one}");
    assert_eq!(status(&town, &found).await, 204);
    wait("replaced", || {
        manifests(&town, patient).len() == 2 && approved(&town, patient) == 1
    });
    let said = refused(&town, &["reject", "--study", &uid, "--reason", "boredom"]);
    assert!(said.contains("patient-safety"), "{said}");
    told(
        &town,
        &["reject", "--study", &uid, "--reason", "retention-expired"],
    );
    assert_eq!(given(&town, &all).await, 0);
    assert_eq!(status(&town, &study_path).await, 404);
    assert_eq!(
        status(&town, &format!("/studies?StudyInstanceUID={uid}")).await,
        204
    );
    wait("withdrawn", || approved(&town, patient) == 0);
    rejections_are_recorded(&town, &uid, patient);
    // Two notes, and what was rejected for quality, which stays for whoever wants to know.
    assert!(files(&town.node().join("data/images/objects")).len() <= 3);
}

const CARD: &str = r#"
name = "head"
version = "1"
[[attribute]]
name = "InstanceNumber"
at_most = 3
[[series]]
instances_at_least = 3
"#;

#[test]
fn what_is_wrong_with_a_card_is_said_with_file_and_line() {
    let town = Town::set_up(setup());
    configure(
        &town,
        "collection = [{ name = \"heads\", card = \"head.toml\" }]",
    );
    let card = town.node().join("head.toml");
    std::fs::write(
        &card,
        "name = \"head\"\nversion = \"1\"\n[[attribute]]\nnam = \"Rows\"\n",
    )
    .unwrap();
    for command in ["check", "serve"] {
        let output = town.run(&[command]);
        assert!(!output.status.success());
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            said.contains("head.toml") && said.contains("line 4"),
            "{command}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_decides_about_what_is_kept_back() {
    let mut town = Town::set_up(setup());
    configure(
        &town,
        "collection = [{ name = \"heads\", card = \"head.toml\" }]\nmanifest = \"mado\"",
    );
    let card = town.node().join("head.toml");
    std::fs::write(&card, CARD).unwrap();
    let said = told(&town, &["check"]);
    assert!(said.contains("heads: card head 1"), "{said}");
    town.start();
    let study = made(&town).remove(2);
    let (uid, patient) = (study.study_instance_uid.to_string(), study.patient_id);
    let all = instances(&study.folder);
    let files = files(&study.folder);
    // One slice too few, and one that does not pass.
    for file in [&files[0], &files[1], &files[3]] {
        told(
            &town,
            &["dicom", "send", &dicom(&town), file.to_str().unwrap()],
        );
    }
    wait("held", || {
        kept_back(&town)["studies"] != Value::Array(Vec::new())
    });
    let list = kept_back(&town);
    let why = list["studies"][0]["reasons"][0].as_str().unwrap();
    assert!(why.starts_with("head 1: series"), "{why}");
    assert_eq!(list["studies"][0]["studyInstanceUID"], *uid);
    assert_eq!(list["objects"].as_array().unwrap().len(), 1);
    let number = list["objects"][0]["number"].to_string();
    assert!(
        list["objects"][0]["origin"]
            .as_str()
            .unwrap()
            .contains(" at 127.0.0.1")
    );
    assert_eq!(approved(&town, patient), 0);
    assert_eq!(given(&town, &all).await, 0);
    told(&town, &["quarantine", "release", &number]);
    let records = recorded(&town, "quarantine release");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["objects"][0], *uid);
    wait("published", || approved(&town, patient) == 1);
    assert_eq!(given(&town, &all).await, 3);
    let said = refused(&town, &["quarantine", "release", &number]);
    assert!(
        said.contains(&format!("nothing is kept back under number {number}")),
        "{said}"
    );
    // The described manifest leads to the images like another.
    let out = town.folder().join("got");
    told(
        &town,
        &[
            "retrieve",
            "--study",
            &uid,
            "--patient",
            patient,
            "--out",
            out.to_str().unwrap(),
        ],
    );
    assert_eq!(instances(&out).len(), 3);
}

#[test]
fn a_secret_that_others_can_read_is_pointed_out() {
    use std::os::unix::fs::PermissionsExt;
    let town = Town::set_up(setup());
    configure(
        &town,
        "collection = [{ name = \"c\", deidentify = \"profile.toml\", key_file = \"secret\" }]",
    );
    std::fs::write(
        town.node().join("profile.toml"),
        "key = \"c\"\nprefix = \"C-\"\n",
    )
    .unwrap();
    let secret = town.node().join("secret");
    std::fs::write(&secret, [7; 40]).unwrap();
    let mode = |mode| std::fs::set_permissions(&secret, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    let said = town.run(&["check"]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains("others on this machine can read it"),
        "{said}"
    );
    mode(0o600);
    let said = told(&town, &["check"]);
    assert!(said.contains("c: de-identified"), "{said}");
    std::fs::write(&secret, "short").unwrap();
    let said = town.run(&["check"]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("32 random bytes"), "{said}");
}

/// Copies of a study under other names, so that there is much to send.
fn many(town: &Town, copies: usize) -> PathBuf {
    let folder = town.folder().join("many");
    let now = SystemTime::now();
    for copy in 0..copies {
        let key = format!("copy {copy}");
        phantoms::write(&folder.join(copy.to_string()), &key, now, Detail::Small).unwrap();
    }
    folder
}

/// Modalities send while the node is killed: what was acknowledged is there and published, once.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_to_a_modality_is_there_and_published_once() {
    let mut town = Town::found(setup());
    let folder = many(&town, 12);
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    let mut pause = Duration::from_millis(400);
    for kill in 0..3 {
        let mut senders = Vec::new();
        for sender in 0..3 {
            let all = files(&folder);
            let mine: Vec<PathBuf> = all.into_iter().skip(sender).step_by(3).collect();
            let port = town.port(10);
            senders.push(tokio::spawn(async move { sending(port, mine).await }));
        }
        tokio::time::sleep(pause).await;
        town.kill();
        let before = acknowledged.len();
        for sender in senders {
            acknowledged.extend(sender.await.unwrap());
        }
        let more = acknowledged.len() - before;
        eprintln!("kill {kill}: {more} more were acknowledged");
        // A slow machine needs more time to acknowledge anything.
        pause = match more {
            0 => pause * 4,
            _ => pause + Duration::from_millis(300),
        };
        town.start();
        if acknowledged.is_empty() {
            continue;
        }
        let all = instances(&folder);
        let promised: Vec<Instance> = all
            .into_iter()
            .filter(|it| acknowledged.contains(it.sop_instance_uid.as_str()))
            .collect();
        assert_eq!(given(&town, &promised).await, promised.len());
    }
    assert!(!acknowledged.is_empty(), "nothing was under way");
    // The rest comes, and each study has one manifest in force.
    told(
        &town,
        &["dicom", "send", &dicom(&town), folder.to_str().unwrap()],
    );
    let all = instances(&folder);
    assert_eq!(given(&town, &all).await, all.len());
    let studies: BTreeSet<_> = all.iter().map(|it| it.study_instance_uid.clone()).collect();
    let patients: BTreeSet<_> = all.iter().filter_map(|it| it.patient.id.clone()).collect();
    let published = || {
        patients
            .iter()
            .map(|patient| approved(&town, patient))
            .sum::<usize>()
    };
    wait("all are published", || published() == studies.len());
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(published(), studies.len());
    let objects = town.node().join("data/images/objects");
    let kept = files(&objects);
    let kept = kept
        .iter()
        .filter(|it| !it.to_string_lossy().contains("/incoming/"));
    assert_eq!(kept.count(), all.len(), "each file is there once");
    assert_eq!(kept_back(&town)["objects"].as_array().unwrap().len(), 0);
}

/// Sends until the node is gone, and says what was acknowledged.
async fn sending(port: u16, files: Vec<PathBuf>) -> Vec<String> {
    use hilum_repository::imaging::dimse::requestor::{Wanted, to_send};
    use hilum_repository::imaging::dimse::{Peer, Requestor};
    let peer = Peer {
        ae_title: "HILUM".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        tls: false,
    };
    let all: Vec<_> = files.iter().map(|file| to_send(file).unwrap()).collect();
    let mut wanted: Vec<Wanted> = all.iter().map(|it| it.wanted()).collect();
    wanted.sort();
    wanted.dedup();
    let requestor = Requestor::new("CT1", None, hilum_transport::Limits::default());
    let mut acknowledged = Vec::new();
    let Ok(mut requested) = requestor.associate(&peer, &wanted).await else {
        return acknowledged;
    };
    for (file, path) in all.iter().zip(&files) {
        match requested.store(file).await {
            Ok(None) => {
                let instance = instance::read_bytes(&std::fs::read(path).unwrap()).unwrap();
                acknowledged.push(instance.sop_instance_uid.to_string());
            }
            Ok(Some(warning)) => panic!("{warning:?}"),
            Err(_) => break,
        }
    }
    acknowledged
}

/// An import that is killed is finished by the next one, without a second manifest.
#[test]
fn an_import_that_is_killed_is_finished_by_the_next() {
    let town = Town::found(setup());
    let folder = many(&town, 8);
    let folder = folder.to_str().unwrap();
    for milliseconds in [150, 400, 700, 1000] {
        let mut command = hilum();
        command.args(["import", folder]).current_dir(town.node());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut importing = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        let _ = importing.kill();
        importing.wait().unwrap();
    }
    told(&town, &["import", folder]);
    let all = instances(Path::new(folder));
    let studies: BTreeSet<_> = all.iter().map(|it| it.study_instance_uid.clone()).collect();
    let patients: BTreeSet<_> = all.iter().filter_map(|it| it.patient.id.clone()).collect();
    let found: Vec<_> = patients
        .iter()
        .flat_map(|patient| manifests(&town, patient))
        .collect();
    assert_eq!(found.len(), studies.len(), "{found:?}");
    let json: Value = serde_json::from_str(&told(&town, &["import", folder, "--json"])).unwrap();
    let fates = json["studies"].as_array().unwrap().iter();
    assert!(
        fates.clone().all(|study| study["fate"] == "Unchanged"),
        "{json}"
    );
}
