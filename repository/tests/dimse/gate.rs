//! What C-STORE brings where objects are de-identified.

use std::fs;

use hilum_dicom::deidentify::{Key, Pseudonyms};
use hilum_dicom::instance;
use hilum_dicom::phantoms::identities;
use hilum_repository::imaging::dimse::DimseConfig;
use hilum_repository::imaging::dimse::requestor::{Wanted, to_send};
use hilum_repository::imaging::gate::{Collection, Deidentification, Gate};
use tokio::net::TcpListener;

use crate::node::{Node, folder, requestor};

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
