//! What STOW-RS answers where objects are de-identified or were rejected.

use std::collections::BTreeSet;

use hilum_dicom::Uid;
use hilum_dicom::deidentify::{Key, Pseudonyms};
use hilum_dicom::instance;
use hilum_dicom::manifest::Plan;
use hilum_dicom::moment::UtcOffset;
use hilum_dicom::phantoms::identities;
use hilum_dicom::rejection::{self, Rejection, Title};
use hilum_dicom::scan::scan;
use hilum_repository::imaging::gate::{Collection, Deidentification, Gate};
use hilum_transport::Limits;

use crate::site::{JSON, Site, text, values};
use crate::store::STORED;

#[tokio::test]
async fn a_sender_is_answered_in_its_own_words() {
    let key = Key::new(&[7; 32]).unwrap();
    let profile = identities::profile();
    let gate = Gate::new(vec![Collection {
        name: "research".to_owned(),
        from: vec!["STOW-RS".to_owned()],
        card: None,
        deidentify: Some(Deidentification {
            profile: profile.clone(),
            key: key.clone(),
        }),
    }]);
    let site = Site::configured(Limits::default(), |config| config.gate = gate).await;
    let planted = identities::objects(5, 1).unwrap();
    for object in &planted {
        let sent = instance::read_bytes(&object.bytes).unwrap();
        let answer = site.store("/dicom-web/studies", &[&object.bytes]).await;
        let json = answer.json();
        let item = &values(&json, STORED)[0];
        assert_eq!(text(item, "00081155"), sent.sop_instance_uid.as_str());
        assert!(values(item, "00081190").is_empty(), "another name is told");
        assert!(values(&json, "00081190").is_empty(), "another name is told");
        assert_eq!(
            answer.status,
            if object.required.is_some() { 200 } else { 202 }
        );
    }
    let sent = instance::read_bytes(&planted[0].bytes).unwrap();
    let study = Pseudonyms::new(&key, &profile).uid(sent.study_instance_uid.as_str());
    let found = site.get("/dicom-web/studies", JSON).await.json();
    let found: Vec<String> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(it, "0020000D"))
        .collect();
    assert!(found.contains(&study), "{found:?}");
    // Nor does the record name anybody.
    for record in std::fs::read_dir(site.folder.path().join("audit")).unwrap() {
        let record = std::fs::read(record.unwrap().path()).unwrap();
        let record = String::from_utf8_lossy(&record);
        assert!(!record.contains(sent.study_instance_uid.as_str()));
        assert!(!record.contains(sent.patient.id.as_deref().unwrap()));
    }
    // To whoever asks by the old name, nothing is there; whoever sends to the old name is understood.
    let old = format!("/dicom-web/studies/{}", sent.study_instance_uid);
    assert_eq!(site.get(&old, "*/*").await.status, 404);
    assert_eq!(site.store(&old, &[&planted[0].bytes]).await.status, 200);
}

#[tokio::test]
async fn a_note_that_is_stored_takes_back() {
    let site = Site::open().await;
    let files = site.one_study().await;
    let folder = files[0].path.parent().unwrap().to_owned();
    let study = scan(&[folder], &|_, _| {}).unwrap().studies.remove(0);
    let uid = |text: &str| Uid::parse(text).unwrap();
    let plan = Plan {
        sop_instance_uid: &uid("2.25.71"),
        series_instance_uid: &uid("2.25.72"),
        made: std::time::UNIX_EPOCH,
        retrieve_ae_title: "HILUM",
        retrieve_location_uid: &uid("1.2.3.99"),
        retrieve_url: None,
        utc_offset: UtcOffset::default(),
    };
    let bad = BTreeSet::from([files[0].instance.sop_instance_uid.clone()]);
    let rejection = Rejection {
        title: Title::PatientSafety,
        modifier: None,
        description: None,
    };
    let note = rejection::write(&study, &bad, &rejection, &plan).unwrap();
    for _ in 0..2 {
        let answer = site.store(&files[0].study_url(), &[&note]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(site.get(&files[0].url(), "*/*").await.status, 404);
        assert_eq!(site.get(&files[1].url(), "*/*").await.status, 200);
    }
    let path = format!("{}/instances", files[0].study_url());
    let found = site.get(&path, JSON).await.json();
    assert_eq!(found.as_array().unwrap().len(), files.len() - 1);
    // The note is not given out, either.
    let path = format!("{}/series/2.25.72/instances/2.25.71", files[0].study_url());
    assert_eq!(site.get(&path, "*/*").await.status, 404);
    let answer = site.store(&files[0].study_url(), &[&files[0].bytes]).await;
    assert_eq!(answer.status, 202);
    assert!(
        answer.warnings.contains("taken it back"),
        "{}",
        answer.warnings
    );
}
