//! What C-STORE brings where objects are de-identified, or taken back.

use std::collections::BTreeSet;
use std::fs;

use hilum_dicom::Uid;
use hilum_dicom::deidentify::{Key, Pseudonyms};
use hilum_dicom::instance;
use hilum_dicom::manifest::Plan;
use hilum_dicom::moment::UtcOffset;
use hilum_dicom::phantoms::identities;
use hilum_dicom::rejection::{self, Rejection, Title};
use hilum_dicom::scan::scan;
use hilum_repository::imaging::ImagingConfig;
use hilum_repository::imaging::dimse::DimseConfig;
use hilum_repository::imaging::dimse::requestor::{Wanted, to_send};
use hilum_repository::imaging::gate::{Collection, Deidentification, Gate};
use hilum_repository::imaging::quarantine::Quarantine;
use tokio::net::TcpListener;

use crate::node::{Node, folder, objects, phantoms, requestor};

#[tokio::test]
async fn what_a_modality_sends_is_taken_under_another_name() {
    let key = Key::new(&[7; 32]).unwrap();
    let profile = identities::profile();
    let gate = Gate::new(vec![Collection {
        name: "research".to_owned(),
        from: vec!["CT1".to_owned()],
        card: None,
        deidentify: Some(Deidentification {
            profile: profile.clone(),
            key: key.clone(),
        }),
    }]);
    let here = folder();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = here.path().join("node");
    let config = DimseConfig::new("HILUM");
    let node = Node::configured(&node, config, listener, |config| config.gate = gate).await;
    let planted = identities::objects(5, 1).unwrap();
    let mut all = Vec::new();
    for (at, object) in planted.iter().enumerate() {
        let file = here.path().join(at.to_string());
        fs::write(&file, &object.bytes).unwrap();
        all.push(to_send(&file).unwrap());
    }
    let mut wanted: Vec<Wanted> = all.iter().map(|it| it.wanted()).collect();
    wanted.sort();
    wanted.dedup();
    let requestor = requestor("CT1");
    let mut requested = requestor.associate(&node.peer(), &wanted).await.unwrap();
    for file in &all {
        // What waits in quarantine is safe, too.
        assert_eq!(requested.store(file).await.unwrap(), None);
    }
    requested.release().await.unwrap();
    let pseudonyms = Pseudonyms::new(&key, &profile);
    let objects = node.objects();
    for object in &planted {
        let sent = instance::read_bytes(&object.bytes).unwrap();
        let name = pseudonyms.uid(sent.sop_instance_uid.as_str());
        assert_eq!(objects.contains_key(&name), object.required.is_some());
    }
    // The record names the pseudonym, also of what waits.
    let patient = instance::read_bytes(&planted[0].bytes).unwrap().patient;
    let patient = pseudonyms.patient(patient.id.as_deref().unwrap());
    let records = node.records();
    assert!(!records.is_empty());
    for record in records {
        assert!(record.contains(&patient), "{record}");
    }
    assert!(node.stop().await);
}

#[tokio::test]
async fn a_note_that_a_workstation_sends_takes_back() {
    let here = folder();
    let node = Node::open(&here.path().join("node")).await;
    let dicom = here.path().join("dicom");
    let phantom = phantoms(&dicom).remove(2);
    let (uid, file) = objects(&phantom).pop_first().unwrap();
    let study = scan(std::slice::from_ref(&phantom), &|_, _| {})
        .unwrap()
        .studies
        .remove(0);
    let named = |text: &str| Uid::parse(text).unwrap();
    let plan = Plan {
        sop_instance_uid: &named("2.25.71"),
        series_instance_uid: &named("2.25.72"),
        made: std::time::UNIX_EPOCH,
        retrieve_ae_title: "HILUM",
        retrieve_location_uid: &named("1.2.3.99"),
        retrieve_url: None,
        utc_offset: UtcOffset::default(),
    };
    let rejection = Rejection {
        title: Title::IncorrectWorklistEntry,
        modifier: None,
        description: None,
    };
    let bad = BTreeSet::from([named(&uid)]);
    let bytes = rejection::write(&study, &bad, &rejection, &plan).unwrap();
    let note = here.path().join("note");
    fs::write(&note, bytes).unwrap();
    let (image, note) = (to_send(&file).unwrap(), to_send(&note).unwrap());
    let wanted = [image.wanted(), note.wanted()];
    let requestor = requestor("WS1");
    let mut requested = requestor.associate(&node.peer(), &wanted).await.unwrap();
    for file in [&image, &note, &note, &image] {
        assert_eq!(requested.store(file).await.unwrap(), None);
    }
    requested.release().await.unwrap();
    let store = format!("file:{}", node.folder.join("images").display());
    let mut config = ImagingConfig::new("1.2.3.99".into(), "1.2.3.7", store);
    config.vault = crate::vault::vault();
    let waiting = Quarantine::open(&config).unwrap().objects(None).unwrap();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!(waiting[0].sop_instance_uid, uid);
    let why = &waiting[0].reasons[0];
    assert!(
        why.contains("(incorrect-worklist-entry) has taken it back"),
        "{why}"
    );
    assert!(node.stop().await);
}
