//! Instances that rejection notes take back, by whichever way the notes come.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hilum_dicom::Uid;
use hilum_dicom::manifest::Plan;
use hilum_dicom::moment::UtcOffset;
use hilum_dicom::rejection::{self, Rejection, Title};
use hilum_dicom::scan::scan;
use hilum_repository::imaging::quarantine::Quarantine;
use hilum_repository::imaging::reject::{Wanted, reject};
use hilum_repository::imaging::{Fate, ImagingConfig, ImagingSource, Taken};
use xds_schemas::codes::status::AvailabilityStatus::{Approved, Deprecated};

use crate::files::{Image, images, now, phantoms};
use crate::sent::{files, manifests, publishing};
use crate::site::{EXPLICIT, Site, request};

fn source(site: &Site) -> ImagingSource {
    let config = ImagingConfig {
        settle: Duration::from_millis(200),
        ..site.config.clone()
    };
    let source = ImagingSource::open(config, site.audit.clone()).unwrap();
    source.publish(publishing(site));
    source
}

/// A note as a workstation writes it, about these instances of the study in a folder.
fn note(folder: &Path, title: Title, instances: &[&String], number: u32) -> Vec<u8> {
    let study = scan(&[folder.to_owned()], &|_, _| {})
        .unwrap()
        .studies
        .remove(0);
    let uid = |text: String| Uid::parse(&text).unwrap();
    let plan = Plan {
        sop_instance_uid: &uid(format!("2.25.77.{number}")),
        series_instance_uid: &uid(format!("2.25.78.{number}")),
        made: now(),
        retrieve_ae_title: "HILUM",
        retrieve_location_uid: &uid("1.2.3.99".to_owned()),
        retrieve_url: None,
        utc_offset: UtcOffset::default(),
    };
    let instances: BTreeSet<Uid> = instances.iter().map(|it| uid((*it).clone())).collect();
    let rejection = Rejection {
        title,
        modifier: None,
        description: None,
    };
    rejection::write(&study, &instances, &rejection, &plan).unwrap()
}

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

/// Waits until so many manifests of a patient were replaced or withdrawn.
async fn deprecated(site: &Site, patient: &str, wanted: usize) {
    let begun = Instant::now();
    while site.manifests(patient, Deprecated).await.len() != wanted {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A study that was sent and published, and its images.
async fn published(
    site: &Site,
    source: &ImagingSource,
) -> (
    hilum_dicom::phantoms::Phantom,
    std::collections::BTreeMap<String, Image>,
) {
    let phantom = phantoms(&site.dicom()).remove(2);
    for file in files(&phantom.folder) {
        assert_eq!(
            source.take_file(&file, "test").await.unwrap(),
            Taken::Stored
        );
    }
    assert_eq!(manifests(site, phantom.patient_id, 1).await, 1);
    let images = images(&phantom.folder);
    (phantom, images)
}

fn kept(site: &Site) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![site.folder.path().join("images/objects")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, from sending to taking back"
)]
async fn a_note_that_is_sent_takes_instances_back_at_once() {
    let site = Site::open().await;
    let source = source(&site);
    let (phantom, images) = published(&site, &source).await;
    let bad = images.keys().next().unwrap();
    let file = site.folder.path().join("note");
    fs::write(
        &file,
        note(&phantom.folder, Title::PatientSafety, &[bad], 1),
    )
    .unwrap();
    assert_eq!(
        source.take_file(&file, "test").await.unwrap(),
        Taken::Stored
    );
    assert_eq!(given(&site, &images).await, images.len() - 1);
    deprecated(&site, phantom.patient_id, 1).await;
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
    // The note is kept once, and nobody is given it.
    assert_eq!(
        source.take_file(&file, "test").await.unwrap(),
        Taken::AlreadyHere
    );
    assert_eq!(kept(&site).len(), images.len() + 1);
    let first = &images[bad];
    let asked = request(&first.study, "2.25.78.1", &["2.25.77.1"], &[EXPLICIT]);
    assert!(site.retrieve(&asked).await.1.is_empty());

    // What was taken back is kept, if it is sent again, and nothing more.
    let quarantine = Quarantine::open(&site.config).unwrap();
    for _ in 0..2 {
        let again = source.take_file(&first.path, "test").await.unwrap();
        let Taken::Quarantined(reasons) = again else {
            panic!("{again:?}");
        };
        assert_eq!(
            reasons,
            ["a rejection note (patient-safety) has taken it back"]
        );
        assert_eq!(quarantine.objects(None).unwrap().len(), 1);
    }
    let number = quarantine.objects(None).unwrap()[0].number;
    let refused = quarantine
        .release_object(number)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("cannot be released: a rejection note"),
        "{refused}"
    );
    assert_eq!(quarantine.objects(None).unwrap().len(), 1);
    assert_eq!(given(&site, &images).await, images.len() - 1);
    quarantine.discard_object(number).unwrap();

    // All of it: the manifest is withdrawn.
    fs::write(
        &file,
        note(
            &phantom.folder,
            Title::Quality,
            &images.keys().collect::<Vec<_>>(),
            2,
        ),
    )
    .unwrap();
    assert_eq!(
        source.take_file(&file, "test").await.unwrap(),
        Taken::Stored
    );
    assert_eq!(given(&site, &images).await, 0);
    deprecated(&site, phantom.patient_id, 2).await;
    assert!(
        site.manifests(phantom.patient_id, Approved)
            .await
            .is_empty()
    );
    // An instance that was rejected for quality comes back if a person wants it.
    let (_, second) = images.iter().nth(1).unwrap();
    let again = source.take_file(&second.path, "test").await.unwrap();
    assert!(matches!(again, Taken::Quarantined(_)), "{again:?}");
    let number = quarantine.objects(None).unwrap()[0].number;
    quarantine.release_object(number).await.unwrap();
    assert_eq!(given(&site, &images).await, 1);
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
}

#[tokio::test]
async fn what_is_expired_is_removed_and_may_come_again() {
    let site = Site::open().await;
    let source = source(&site);
    let (phantom, images) = published(&site, &source).await;
    let wanted = Wanted {
        study: phantom.study_instance_uid.as_str(),
        series: &[],
        instances: &[],
        title: Title::RetentionExpired,
        comment: Some("ten years"),
    };
    let rejected = reject(&site.config, wanted, SystemTime::now())
        .await
        .unwrap();
    assert_eq!((rejected.instances, rejected.left), (images.len(), 0));
    assert_eq!(given(&site, &images).await, 0);
    deprecated(&site, phantom.patient_id, 1).await;
    assert!(
        site.manifests(phantom.patient_id, Approved)
            .await
            .is_empty()
    );
    // Only the note is left.
    assert_eq!(kept(&site).len(), 1);
    let refused = reject(&site.config, wanted, SystemTime::now())
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("is not in the imaging source"),
        "{refused}"
    );
    // A folder in which they still lie does not bring them back; whoever sends them does.
    let imported = site.import_one(&phantom.folder).await;
    assert!(
        matches!(imported.fate, Fate::Unchanged { .. }),
        "{imported:?}"
    );
    assert_eq!(given(&site, &images).await, 0);
    let image = images.values().next().unwrap();
    assert_eq!(
        source.take_file(&image.path, "test").await.unwrap(),
        Taken::Stored
    );
    assert_eq!(given(&site, &images).await, 1);
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
}

#[tokio::test]
async fn what_is_rejected_is_named() {
    let site = Site::open().await;
    let phantom = phantoms(&site.dicom()).remove(0);
    site.import_one(&phantom.folder).await;
    let images = images(&phantom.folder);
    let (uid, image) = images.iter().next().unwrap();
    let wanted = Wanted {
        study: &image.study,
        series: &[],
        instances: &[],
        title: Title::Quality,
        comment: None,
    };
    let nothing = ["2.25.9".to_owned()];
    for (wanted, said) in [
        (
            Wanted {
                study: "2.25.9",
                ..wanted
            },
            "study 2.25.9 is not",
        ),
        (
            Wanted {
                series: &nothing,
                ..wanted
            },
            "series 2.25.9 is not",
        ),
        (
            Wanted {
                instances: &nothing,
                ..wanted
            },
            "instance 2.25.9 is not",
        ),
    ] {
        let refused = reject(&site.config, wanted, SystemTime::now())
            .await
            .unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
    }
    let instances = [uid.clone()];
    let rejected = reject(
        &site.config,
        Wanted {
            instances: &instances,
            ..wanted
        },
        SystemTime::now(),
    );
    let rejected = rejected.await.unwrap();
    assert_eq!((rejected.instances, rejected.left), (1, images.len() - 1));
    // The file is its owner's; the next import publishes what is left.
    assert!(image.path.exists());
    let imported = site.import_one(&phantom.folder).await;
    assert!(
        matches!(imported.fate, Fate::Replaced { .. }),
        "{imported:?}"
    );
    assert_eq!(imported.instances, images.len());
    let imported = site.import_one(&phantom.folder).await;
    assert!(
        matches!(imported.fate, Fate::Unchanged { .. }),
        "{imported:?}"
    );
}

/// The note may come first, by itself, and in another folder.
#[tokio::test]
async fn a_note_that_is_imported_takes_back_what_comes_before_and_after() {
    for note_first in [true, false] {
        let site = Site::open().await;
        let phantom = phantoms(&site.dicom()).remove(2);
        let images = images(&phantom.folder);
        let bad = images.keys().next().unwrap();
        let notes = site.folder.path().join("notes");
        fs::create_dir(&notes).unwrap();
        fs::write(
            notes.join("note"),
            note(&phantom.folder, Title::Quality, &[bad], 1),
        )
        .unwrap();
        if note_first {
            let imported = site.import_one(&notes).await;
            assert!(matches!(imported.fate, Fate::Unsuitable(_)), "{imported:?}");
            site.import_one(&phantom.folder).await;
        } else {
            site.import_one(&phantom.folder).await;
            assert_eq!(given(&site, &images).await, images.len());
            let imported = site.import_one(&notes).await;
            assert!(
                matches!(imported.fate, Fate::Replaced { .. }),
                "{imported:?}"
            );
        }
        assert_eq!(given(&site, &images).await, images.len() - 1);
        assert_eq!(site.manifests(phantom.patient_id, Approved).await.len(), 1);
        // Again it changes nothing.
        let imported = site.import_one(&notes).await;
        assert!(
            matches!(imported.fate, Fate::Unchanged { .. }),
            "{imported:?}"
        );
    }
}

/// The same where it is sent.
#[tokio::test]
async fn a_note_that_is_sent_first_is_remembered() {
    let site = Site::open().await;
    let source = source(&site);
    let phantom = phantoms(&site.dicom()).remove(2);
    let images = images(&phantom.folder);
    let bad = images.keys().next().unwrap();
    let file = site.folder.path().join("note");
    fs::write(
        &file,
        note(&phantom.folder, Title::PatientSafety, &[bad], 1),
    )
    .unwrap();
    assert_eq!(
        source.take_file(&file, "test").await.unwrap(),
        Taken::Stored
    );
    for image in images.values() {
        source.take_file(&image.path, "test").await.unwrap();
    }
    assert_eq!(given(&site, &images).await, images.len() - 1);
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
}
