//! Orthanc: as a sender, and as the archive that our requestor asks.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use dicom_dictionary_std::tags;
use hilum_dicom::instance::Instance;
use hilum_dicom::walk;
use hilum_repository::imaging::dimse::requestor::{Identifier, Level, Model, Wanted, to_send};
use hilum_repository::imaging::dimse::{DimseConfig, Peer, RequestorError};

use crate::node::{
    Node, assert_same, eventually, folder, objects, phantoms, program, requestor, succeed,
};

/// An Orthanc that runs until it is dropped.
struct Orthanc {
    process: Child,
    peer: Peer,
    http: u16,
}

impl Orthanc {
    /// Starts one that knows `node` as HILUM; `None` if it is not installed.
    async fn start(folder: &Path, node: u16) -> Option<Self> {
        let orthanc = program("/usr/sbin/Orthanc")?;
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (dicom, http) = (free(), free());
        let port = |it: &TcpListener| it.local_addr().unwrap().port();
        let (dicom_port, http_port) = (port(&dicom), port(&http));
        drop((dicom, http));
        let storage = folder.join("orthanc");
        fs::create_dir_all(&storage).unwrap();
        let configuration = serde_json::json!({
            "Name": "test",
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "DicomAet": "ORTHANC",
            "DicomPort": dicom_port,
            "HttpPort": http_port,
            "RemoteAccessAllowed": false,
            "AuthenticationEnabled": false,
            "DicomAlwaysAllowStore": true,
            "DicomAlwaysAllowFind": true,
            "DicomAlwaysAllowMove": true,
            "DicomModalities": { "hilum": ["HILUM", "127.0.0.1", node] },
            "Plugins": [],
        });
        let file = folder.join("orthanc.json");
        fs::write(&file, configuration.to_string()).unwrap();
        let log = fs::File::create(folder.join("orthanc.log")).unwrap();
        let process = Command::new(orthanc)
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let orthanc = Self {
            process,
            peer: Peer {
                ae_title: "ORTHANC".to_owned(),
                host: "127.0.0.1".to_owned(),
                port: dicom_port,
                tls: false,
            },
            http: http_port,
        };
        eventually("Orthanc is there", async || {
            let requested = requestor("HILUM")
                .associate(&orthanc.peer, &[Wanted::Echo])
                .await;
            match requested {
                Ok(mut requested) => requested.echo().await.is_ok(),
                Err(_) => false,
            }
        })
        .await;
        Some(orthanc)
    }

    /// Has files of a folder sent to it by our requestor.
    async fn fill(&self, dicom: &Path) {
        let files: Vec<_> = objects(dicom)
            .values()
            .map(|file| to_send(file).unwrap())
            .collect();
        let mut wanted: Vec<Wanted> = files.iter().map(|it| it.wanted()).collect();
        wanted.sort();
        wanted.dedup();
        let mut requested = requestor("HILUM")
            .associate(&self.peer, &wanted)
            .await
            .unwrap();
        for file in &files {
            requested.store(file).await.unwrap();
        }
        requested.release().await.unwrap();
    }
}

impl Drop for Orthanc {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An Orthanc with all phantoms, what they are, and a node that it knows.
async fn archive(folder: &Path) -> Option<(Orthanc, Node, Vec<PathBuf>)> {
    let node = Node::open(&folder.join("node")).await;
    let orthanc = Orthanc::start(folder, node.port).await?;
    let dicom = folder.join("dicom");
    let studies = phantoms(&dicom);
    orthanc.fill(&dicom).await;
    Some((orthanc, node, studies))
}

/// The first instance of a study.
fn first(study: &Path) -> Instance {
    let (_, file) = objects(study).pop_first().unwrap();
    hilum_dicom::instance::read(&file).unwrap()
}

#[tokio::test]
async fn as_the_archive_that_is_asked() {
    let here = folder();
    let Some((orthanc, node, studies)) = archive(here.path()).await else {
        return;
    };
    let wanted = [Wanted::Find(Model::Study), Wanted::Find(Model::Patient)];
    let requested = requestor("HILUM").associate(&orthanc.peer, &wanted).await;
    let mut requested = requested.unwrap();
    let all = Identifier::at(Level::Study)
        .returned(tags::STUDY_INSTANCE_UID)
        .returned(tags::PATIENT_ID)
        .returned(tags::PATIENT_NAME)
        .returned(tags::NUMBER_OF_STUDY_RELATED_INSTANCES);
    let mut find = async |model, identifier: &Identifier, most| {
        let found = requested.find(model, identifier, most).await.unwrap();
        (found.data_sets, found.more)
    };
    let (found, more) = find(Model::Study, &all, 100).await;
    assert_eq!((found.len(), more), (4, false));
    let first = first(&studies[0]);
    let patient = first.patient.id.as_deref().unwrap();
    let of_patient = all.clone().key(tags::PATIENT_ID, patient);
    let (found, _) = find(Model::Study, &of_patient, 100).await;
    let uids = found.iter().map(|it| it.ascii(tags::STUDY_INSTANCE_UID));
    let uids: Vec<String> = uids.map(Option::unwrap).collect();
    assert_eq!(uids.len(), 2);
    assert!(uids.contains(&first.study_instance_uid.to_string()));
    let (found, more) = find(Model::Study, &all, 3).await;
    assert_eq!((found.len(), more), (3, true));
    let patients = Identifier::at(Level::Patient).returned(tags::PATIENT_ID);
    let (found, more) = find(Model::Patient, &patients, 100).await;
    assert_eq!((found.len(), more), (3, false));
    let nobody = all.key(tags::PATIENT_ID, "NOBODY");
    let (found, more) = find(Model::Study, &nobody, 3).await;
    assert!(found.is_empty() && !more);
    requested.release().await.unwrap();
    assert!(node.stop().await);
}

#[tokio::test]
async fn as_the_archive_that_moves() {
    let here = folder();
    let Some((orthanc, node, studies)) = archive(here.path()).await else {
        return;
    };
    let wanted = [Wanted::Move(Model::Study)];
    let requested = requestor("HILUM").associate(&orthanc.peer, &wanted).await;
    let mut requested = requested.unwrap();
    let study = first(&studies[0]).study_instance_uid;
    let one = Identifier::at(Level::Study).key(tags::STUDY_INSTANCE_UID, study.as_str());
    let moved = requested
        .move_to("HILUM", Model::Study, &one)
        .await
        .unwrap();
    let of_study = objects(&studies[0]);
    let counts = (usize::from(moved.completed), moved.failed);
    assert_eq!(counts, (of_study.len(), 0));
    assert_same(&node.objects(), &of_study);
    let unknown = requested.move_to("ELSEWHERE", Model::Study, &one).await;
    let Err(RequestorError::Refused { operation, .. }) = unknown else {
        panic!("{unknown:?}");
    };
    assert_eq!(operation, "C-MOVE");
    requested.release().await.unwrap();
    // A single instance of another study.
    let mr = first(&studies[2]);
    let one = Identifier::at(Level::Image)
        .key(tags::STUDY_INSTANCE_UID, mr.study_instance_uid.as_str())
        .key(tags::SERIES_INSTANCE_UID, mr.series_instance_uid.as_str())
        .key(tags::SOP_INSTANCE_UID, mr.sop_instance_uid.as_str());
    let requested = requestor("HILUM").associate(&orthanc.peer, &wanted).await;
    let moved = requested
        .unwrap()
        .move_to("HILUM", Model::Study, &one)
        .await;
    let moved = moved.unwrap();
    assert_eq!((moved.completed, moved.failed), (1, 0));
    assert_eq!(node.objects().len(), of_study.len() + 1);
    assert!(node.stop().await);
}

#[tokio::test]
async fn as_a_sender_of_every_encoding() {
    let (Some(curl), Some(dcmcjpeg)) = (program("/usr/bin/curl"), program("/usr/bin/dcmcjpeg"))
    else {
        return;
    };
    let here = folder();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let Some(orthanc) = Orthanc::start(here.path(), port).await else {
        return;
    };
    let config = DimseConfig {
        nodes: vec![orthanc.peer.clone()],
        ..DimseConfig::new("HILUM")
    };
    let node = Node::at(&here.path().join("node"), config, listener).await;
    // Some of what it has is compressed.
    let dicom = here.path().join("dicom");
    let studies = phantoms(&dicom);
    let slices: Vec<PathBuf> = crate::node::files(&studies[0]);
    for slice in &slices[..3] {
        let compressed = here.path().join("compressed");
        let mut command = Command::new(dcmcjpeg);
        command.arg(slice).arg(&compressed);
        succeed(command).await;
        fs::rename(&compressed, slice).unwrap();
    }
    orthanc.fill(&dicom).await;
    let url = |path: &str| format!("http://127.0.0.1:{}/{path}", orthanc.http);
    let mut list = Command::new(curl);
    list.args(["-sf", &url("instances")]);
    let instances = succeed(list).await;
    let mut send = Command::new(curl);
    send.args([
        "-sf",
        "-X",
        "POST",
        &url("modalities/hilum/store"),
        "-d",
        &instances,
    ]);
    succeed(send).await;
    let sent = objects(&dicom);
    let there = node.objects();
    assert_same(&there, &sent);
    let syntaxes: std::collections::BTreeSet<String> = there
        .values()
        .map(|file| walk::file(file, &[]).unwrap().transfer_syntax_uid)
        .collect();
    assert_eq!(syntaxes.len(), 2);
    // It asks whether all of it is safe, and is told.
    let mut commit = Command::new(curl);
    let named = format!("{{\"Resources\": {instances}}}");
    commit.args(["-sf", "-X", "POST"]);
    commit.args([&url("modalities/hilum/storage-commitment"), "-d", &named]);
    let asked: serde_json::Value = serde_json::from_str(&succeed(commit).await).unwrap();
    let report = url(&format!(
        "storage-commitment/{}",
        asked["ID"].as_str().unwrap()
    ));
    eventually("Orthanc knows that it is safe", async || {
        let mut ask = Command::new(curl);
        ask.args(["-sf", &report]);
        let said: serde_json::Value = serde_json::from_str(&succeed(ask).await).unwrap();
        said["Status"] == "Success"
    })
    .await;
    assert!(node.stop().await);
}
