//! The gate: rule cards, quarantine, and de-identification at the door.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hilum_dicom::deidentify::{Key, Profile, Pseudonyms};
use hilum_dicom::instance;
use hilum_dicom::phantoms::identities::{self, Planted};
use hilum_dicom::quality::RuleCard;
use hilum_repository::imaging::gate::{Collection, Deidentification, Gate};
use hilum_repository::imaging::quarantine::Quarantine;
use hilum_repository::imaging::{Fate, ImagingConfig, ImagingSource, Taken};
use xds_schemas::codes::status::AvailabilityStatus::{Approved, Deprecated};
use xds_schemas::codes::status::ResponseStatus;

use crate::files::{Image, images, phantoms};
use crate::sent::{files, manifests, publishing};
use crate::site::{EXPLICIT, Site, request};

/// Takes only instances up to number 3, and wants a volume without gaps; says something of all.
const CARD: &str = r#"
name = "head"
version = "2"
[[attribute]]
name = "InstanceNumber"
at_most = 3
[[stack]]
checks = ["gaps"]
[[series]]
title = "few images"
instances_at_least = 100
severity = "warn"
"#;

/// The part of it that judges studies.
const NO_GAPS: &str = r#"
name = "head"
version = "3"
[[stack]]
checks = ["gaps"]
"#;

fn gate(card: Option<&str>, deidentify: Option<Profile>) -> Gate {
    Gate::new(vec![Collection {
        name: "test".to_owned(),
        from: Vec::new(),
        card: card.map(|card| RuleCard::parse(card).unwrap()),
        deidentify: deidentify.map(|profile| Deidentification {
            profile,
            key: key(),
        }),
    }])
}

fn key() -> Key {
    Key::new(b"a secret of at least thirty-two bytes").unwrap()
}

/// The imaging source of a site, as a node runs it.
fn source(site: &Site) -> ImagingSource {
    let config = ImagingConfig {
        settle: Duration::from_millis(200),
        ..site.config.clone()
    };
    let source = ImagingSource::open(config, site.audit.clone()).unwrap();
    source.publish(publishing(site));
    source
}

/// How many instances of one study are given.
async fn given<'i>(
    site: &Site,
    images: impl IntoIterator<Item = (&'i String, &'i Image)>,
) -> usize {
    let images: Vec<_> = images.into_iter().collect();
    let (_, first) = images[0];
    let uids: Vec<&str> = images.iter().map(|(uid, _)| uid.as_str()).collect();
    let asked = request(&first.study, &first.series, &uids, &[EXPLICIT]);
    site.retrieve(&asked).await.1.len()
}

/// Waits until a study is kept back as a whole or not.
async fn held(quarantine: &Quarantine, wanted: usize) {
    let begun = Instant::now();
    while quarantine.studies().unwrap().len() != wanted {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_instance_that_does_not_pass_waits_until_it_is_released() {
    let mut site = Site::open().await;
    site.config.gate = gate(Some(CARD), None);
    let phantom = phantoms(&site.dicom()).remove(2);
    let images = images(&phantom.folder);
    let source = source(&site);
    let mut kept_back = 0;
    for file in files(&phantom.folder) {
        match source.take_file(&file, "test").await.unwrap() {
            Taken::Stored => {}
            Taken::Quarantined(reasons) => {
                kept_back += 1;
                let said = &reasons[0];
                assert!(
                    said.starts_with("head 2: ") && said.contains("(0020,0013)"),
                    "{said}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kept_back, phantom.instances - 3);
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
    assert_eq!(given(&site, &images).await, 3);
    let quarantine = Quarantine::open(&site.config).unwrap();
    let waiting = quarantine.objects(None).unwrap();
    assert_eq!(waiting.len(), kept_back);
    assert_eq!(quarantine.objects(Some("1.2.3")).unwrap(), []);

    // The very same again is kept once, under the same number.
    let again = source
        .take_file(&phantom.folder.join("IM0006.dcm"), "test")
        .await;
    assert!(matches!(again.unwrap(), Taken::Quarantined(_)));
    assert_eq!(quarantine.objects(None).unwrap(), waiting);

    for object in &waiting {
        quarantine.release_object(object.number).await.unwrap();
        assert!(
            !object.path.exists()
                || object
                    .path
                    .ends_with(format!("{}.dcm", object.sop_instance_uid))
        );
    }
    assert_eq!(quarantine.objects(None).unwrap(), []);
    assert!(quarantine.release_object(waiting[0].number).await.is_err());
    assert_eq!(given(&site, &images).await, phantom.instances);
    // Sent again, it is not kept back again.
    let again = source
        .take_file(&phantom.folder.join("IM0006.dcm"), "test")
        .await;
    assert_eq!(again.unwrap(), Taken::AlreadyHere);
}

#[tokio::test]
async fn a_study_with_a_gap_is_neither_published_nor_given_until_the_slice_comes() {
    let mut site = Site::open().await;
    site.config.gate = gate(Some(NO_GAPS), None);
    let phantom = phantoms(&site.dicom()).remove(2);
    let images = images(&phantom.folder);
    let source = source(&site);
    let mut files = files(&phantom.folder);
    let missing = files.remove(files.len() / 2);
    for file in &files {
        assert_eq!(source.take_file(file, "test").await.unwrap(), Taken::Stored);
    }
    let quarantine = Quarantine::open(&site.config).unwrap();
    held(&quarantine, 1).await;
    let study = quarantine.studies().unwrap().remove(0);
    assert_eq!(
        study.study_instance_uid,
        phantom.study_instance_uid.to_string()
    );
    assert!(study.reasons[0].starts_with("head 3: series"), "{study:?}");
    assert_eq!(given(&site, &images).await, 0);
    assert!(
        site.manifests(phantom.patient_id, Approved)
            .await
            .is_empty()
    );

    assert_eq!(
        source.take_file(&missing, "test").await.unwrap(),
        Taken::Stored
    );
    held(&quarantine, 0).await;
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
    assert_eq!(given(&site, &images).await, phantom.instances);
}

#[tokio::test]
async fn a_study_that_is_imported_with_a_gap_can_be_released_and_is_not_held_again() {
    let mut site = Site::open().await;
    site.config.gate = gate(Some(NO_GAPS), None);
    let phantom = phantoms(&site.dicom()).remove(2);
    let all = files(&phantom.folder);
    fs::remove_file(&all[all.len() / 2]).unwrap();
    let images = images(&phantom.folder);
    let imported = site.import_one(&phantom.folder).await;
    assert!(matches!(imported.fate, Fate::KeptBack(_)), "{imported:?}");
    assert_eq!(given(&site, &images).await, 0);
    let study = phantom.study_instance_uid.to_string();
    let quarantine = Quarantine::open(&site.config).unwrap();
    assert!(quarantine.release_study("1.2.3").is_err());
    quarantine.release_study(&study).unwrap();
    assert!(quarantine.release_study(&study).is_err());
    let imported = site.import_one(&phantom.folder).await;
    assert!(
        matches!(imported.fate, Fate::Registered { .. }),
        "{imported:?}"
    );
    let imported = site.import_one(&phantom.folder).await;
    assert!(
        matches!(imported.fate, Fate::Unchanged { .. }),
        "{imported:?}"
    );
    assert_eq!(given(&site, &images).await, images.len());
}

/// What is published and does not pass any more, is withdrawn; released, it is published anew.
#[tokio::test]
async fn a_published_study_that_does_not_pass_any_more_is_withdrawn() {
    let mut site = Site::open().await;
    let phantom = phantoms(&site.dicom()).remove(2);
    let all = files(&phantom.folder);
    fs::remove_file(&all[all.len() / 2]).unwrap();
    site.import_one(&phantom.folder).await;
    assert_eq!(site.manifests(phantom.patient_id, Approved).await.len(), 1);
    site.config.gate = gate(Some(NO_GAPS), None);
    let imported = site.import_one(&phantom.folder).await;
    assert!(matches!(imported.fate, Fate::KeptBack(_)), "{imported:?}");
    assert!(
        site.manifests(phantom.patient_id, Approved)
            .await
            .is_empty()
    );
    assert_eq!(
        site.manifests(phantom.patient_id, Deprecated).await.len(),
        1
    );
    let quarantine = Quarantine::open(&site.config).unwrap();
    quarantine
        .release_study(&imported.study_instance_uid.to_string())
        .unwrap();
    let imported = site.import_one(&phantom.folder).await;
    assert!(
        matches!(imported.fate, Fate::Registered { .. }),
        "{imported:?}"
    );
}

#[tokio::test]
async fn files_that_do_not_pass_are_told_by_the_import_and_warnings_too() {
    let mut site = Site::open().await;
    site.config.gate = gate(Some(CARD), None);
    let phantom = phantoms(&site.dicom()).remove(2);
    let report = site.import(&phantom.folder).await;
    assert_eq!(report.kept_back.len(), phantom.instances - 3);
    assert_eq!(report.studies[0].instances, 3);
    let remarks = &report.studies[0].remarks;
    assert!(
        remarks
            .iter()
            .any(|it| it.contains("expected at least 100")),
        "{remarks:?}"
    );
    let quarantine = Quarantine::open(&site.config).unwrap();
    let waiting = quarantine.objects(None).unwrap();
    assert_eq!(waiting.len(), report.kept_back.len());
    // The same numbers the next time, and none for what is gone.
    fs::remove_file(phantom.folder.join("IM0006.dcm")).unwrap();
    site.import(&phantom.folder).await;
    let still = quarantine.objects(None).unwrap();
    assert_eq!(still.len(), waiting.len() - 1);
    assert!(still.iter().all(|it| waiting.contains(it)), "{still:?}");
    // What is released is copied, since the folder is its owner's.
    let released = quarantine.release_object(still[0].number).await.unwrap();
    assert!(released.path.exists());
    let report = site.import(&phantom.folder).await;
    assert_eq!(report.studies[0].instances, 4);
    assert_eq!(report.kept_back.len(), still.len() - 1);
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => below(&path, found),
            false => found.push(path),
        }
    }
}

/// The identities that stand in any file of the site, or in its name, in UTF-8, Latin-1 or UTF-16.
fn left(site: &Site, planted: &[&Planted], but: &[PathBuf]) -> Vec<String> {
    let mut all = Vec::new();
    below(site.folder.path(), &mut all);
    let mut left = Vec::new();
    for path in all
        .iter()
        .filter(|path| !but.iter().any(|it| path.starts_with(it)))
    {
        let mut bytes = fs::read(path).unwrap();
        bytes.extend(path.to_string_lossy().as_bytes());
        for identity in planted.iter().flat_map(|it| &it.identities) {
            let latin: Option<Vec<u8>> = identity.chars().map(|it| u8::try_from(it).ok()).collect();
            let wide: Vec<u8> = identity.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let kinds = [Some(identity.as_bytes().to_vec()), latin, Some(wide)];
            let stands = |kind: &Vec<u8>| memchr::memmem::find(&bytes, kind).is_some();
            if kinds.iter().flatten().any(stands) {
                left.push(format!("{}: {identity}", path.display()));
            }
        }
    }
    left
}

fn write(folder: &Path, planted: &[&Planted]) -> Vec<PathBuf> {
    fs::create_dir_all(folder).unwrap();
    let file = |(at, planted): (usize, &&Planted)| {
        let path = folder.join(format!("{at}.dcm"));
        fs::write(&path, &planted.bytes).unwrap();
        path
    };
    planted.iter().enumerate().map(file).collect()
}

/// All UIDs with this tag (0008,xxxx), without regard to where they stand.
fn uids(file: &[u8], element: u16) -> Vec<String> {
    let tag = [&[8, 0][..], &element.to_le_bytes(), b"UI"].concat();
    memchr::memmem::find_iter(file, &tag)
        .map(|at| {
            let length = usize::from(u16::from_le_bytes([file[at + 6], file[at + 7]]));
            let text = String::from_utf8_lossy(&file[at + 8..at + 8 + length]);
            text.trim_end_matches('\0').to_owned()
        })
        .collect()
}

/// Waits until nothing is to be published any more, and gives the manifests of pseudonyms.
async fn published(site: &Site, objects: &[&Planted]) -> usize {
    let (key, profile) = (key(), identities::profile());
    let pseudonyms = Pseudonyms::new(&key, &profile);
    let mut patients = BTreeSet::new();
    for object in objects {
        let instance = instance::read_bytes(&object.bytes).unwrap();
        patients.insert(pseudonyms.patient(&instance.patient.id.unwrap()));
    }
    let mut found = 0;
    for patient in patients {
        assert_eq!(manifests(site, &patient, 1).await, 1, "{patient}");
        let manifest = site.manifests(&patient, Approved).await.remove(0);
        assert_eq!(manifest.patient_id.unwrap().id, patient);
        let document = site.document(manifest.unique_id.as_str()).await;
        assert!(memchr::memmem::find(&document, patient.as_bytes()).is_some());
        found += 1;
    }
    found
}

/// Patient objects, apart those that must be refused.
fn planted(patients: usize) -> (Vec<Planted>, Vec<Planted>) {
    let all = identities::objects(20_261_127, patients).unwrap();
    all.into_iter().partition(|it| it.required.is_some())
}

async fn nobody_is_left(imported: bool) {
    let mut site = Site::open().await;
    site.config.gate = gate(None, Some(identities::profile()));
    let (good, _) = planted(2);
    let good: Vec<&Planted> = good.iter().collect();
    let outside = tempfile::tempdir().unwrap();
    let sent = write(outside.path(), &good);
    let source = (!imported).then(|| source(&site));
    let again = async || match &source {
        Some(source) => {
            let mut taken = Vec::new();
            for file in &sent {
                taken.push(source.take_file(file, "CT1 at 127.0.0.1").await.unwrap());
            }
            taken
        }
        None => {
            let report = site.import(outside.path()).await;
            assert_eq!(
                (report.kept_back.len(), report.left_out.len()),
                (0, 0),
                "{report:?}"
            );
            vec![Taken::Stored; good.len()]
        }
    };
    assert_eq!(again().await, vec![Taken::Stored; good.len()]);
    assert_eq!(published(&site, &good).await, 2);
    assert_eq!(left(&site, &good, &[]), [""; 0]);

    let objects = site.folder.path().join("images/objects");
    let mut stored = Vec::new();
    below(&objects, &mut stored);
    assert_eq!(stored.len(), good.len());
    let files: Vec<Vec<u8>> = stored.iter().map(|path| fs::read(path).unwrap()).collect();
    let here: BTreeSet<String> = files
        .iter()
        .map(|file| uids(file, 0x18).remove(0))
        .collect();
    let referenced: Vec<String> = files.iter().flat_map(|file| uids(file, 0x1155)).collect();
    let found = referenced.iter().filter(|uid| here.contains(*uid)).count();
    assert!(found >= 2 * 5, "{found} of {}", referenced.len());
    // The originals are nobody's here.
    for object in &good {
        let was = instance::read_bytes(&object.bytes).unwrap();
        assert!(!here.contains(was.sop_instance_uid.as_str()));
    }

    // The same again changes nothing.
    let taken = again().await;
    if source.is_some() {
        assert_eq!(taken, vec![Taken::AlreadyHere; good.len()]);
    }
    let mut now = Vec::new();
    below(&objects, &mut now);
    assert_eq!(now.len(), stored.len());
    assert_eq!(left(&site, &good, &[]), [""; 0]);
}

#[tokio::test]
async fn nobody_is_left_in_what_was_sent() {
    nobody_is_left(false).await;
}

#[tokio::test]
async fn nobody_is_left_in_what_was_imported() {
    nobody_is_left(true).await;
}

#[tokio::test]
async fn nobody_is_left_in_what_came_by_a_watched_folder() {
    let mut site = Site::open().await;
    site.config.gate = gate(None, Some(identities::profile()));
    let watched = site.folder.path().join("watched");
    site.config.watch = vec![watched.clone()];
    let (good, _) = planted(1);
    let good: Vec<&Planted> = good.iter().collect();
    write(&watched, &good);
    let source = source(&site);
    source.watch();
    assert_eq!(published(&site, &good).await, 1);
    let begun = Instant::now();
    while !files(&watched).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(left(&site, &good, &[]), [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_deidentified_waits_and_is_not_given() {
    let mut site = Site::open().await;
    site.config.gate = gate(None, Some(identities::profile()));
    let (_, bad) = planted(2);
    let bad: Vec<&Planted> = bad.iter().collect();
    assert!(bad.len() >= 2);
    let outside = tempfile::tempdir().unwrap();
    let source = source(&site);
    let quarantine = Quarantine::open(&site.config).unwrap();
    for file in write(outside.path(), &bad) {
        for _ in 0..2 {
            let taken = source.take_file(&file, "CT1 at 127.0.0.1").await.unwrap();
            let Taken::Quarantined(reasons) = taken else {
                panic!("{taken:?}");
            };
            assert!(reasons[0].starts_with("not de-identified: "), "{reasons:?}");
        }
    }
    let waiting = quarantine.objects(None).unwrap();
    assert_eq!(waiting.len(), bad.len());
    for object in &waiting {
        let uids = [object.sop_instance_uid.as_str()];
        let (study, series) = (&object.study_instance_uid, &object.series_instance_uid);
        let asked = request(study, series, &uids, &[EXPLICIT]);
        let (response, got) = site.retrieve(&asked).await;
        assert_eq!(response.status, ResponseStatus::Failure);
        assert!(got.is_empty());
        let refused = quarantine.release_object(object.number).await.unwrap_err();
        let said = refused.to_string();
        assert!(
            said.contains("cannot be released: not de-identified: "),
            "{said}"
        );
    }
    assert_eq!(quarantine.objects(None).unwrap(), waiting);
    // Nothing but the quarantine itself names them; nothing at all when it is empty.
    // What was asked for is recorded as it was asked for.
    let but = ["images", "audit of imaging"].map(|name| site.folder.path().join(name));
    assert_eq!(left(&site, &bad, &but), [""; 0]);
    // A person may take a kind of objects unseen.
    let (documents, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|it| {
        let is_document = |reason: &String| reason.contains("encapsulated");
        it.reasons.iter().any(is_document)
    });
    assert!(!documents.is_empty());
    let profile = Profile {
        accepted_unseen: vec!["1.2.840.10008.5.1.4.1.1.104.1".to_owned()],
        ..identities::profile()
    };
    let changed = ImagingConfig {
        gate: gate(None, Some(profile)),
        ..site.config.clone()
    };
    let changed = Quarantine::open(&changed).unwrap();
    for object in &documents {
        changed.release_object(object.number).await.unwrap();
    }
    for object in &others {
        changed.discard_object(object.number).unwrap();
    }
    assert_eq!(quarantine.objects(None).unwrap(), []);
    let others: Vec<&Planted> = bad
        .into_iter()
        .filter(|it| {
            let uid = instance::read_bytes(&it.bytes).unwrap().sop_instance_uid;
            others
                .iter()
                .any(|other| other.sop_instance_uid == uid.to_string())
        })
        .collect();
    // Of those who are accepted unseen, the document itself may name somebody.
    let but = ["images/objects", "audit of imaging"].map(|name| site.folder.path().join(name));
    assert_eq!(left(&site, &others, &but), [""; 0]);
}
