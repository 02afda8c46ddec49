//! Objects that are sent one by one, and published when nothing more comes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hilum_repository::imaging::{ImagingConfig, ImagingSource, Publishing, Taken};
use hilum_transport::{Client, Limits};
use xds_schemas::codes::status::AvailabilityStatus::{Approved, Deprecated};
use xds_schemas::codes::status::ResponseStatus;

use crate::files::{Made, images, phantoms};
use crate::site::{EXPLICIT, Site, request};

/// The imaging source of a site, as a node runs it.
fn source(site: &Site) -> ImagingSource {
    let config = ImagingConfig {
        settle: Duration::from_millis(300),
        ..site.config.clone()
    };
    let source = ImagingSource::open(config, site.audit.clone()).unwrap();
    source.publish(publishing(site));
    source
}

pub(crate) fn publishing(site: &Site) -> Publishing {
    Publishing {
        codes: site.codes.clone(),
        repository: site.repository.clone(),
        registry: Some(site.registry.clone()),
        client: Client::new(None, Limits::default()),
    }
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Waits until so many manifests are in force.
pub(crate) async fn manifests(site: &Site, patient: &str, wanted: usize) -> usize {
    let begun = Instant::now();
    loop {
        let approved = site.manifests(patient, Approved).await.len();
        if approved == wanted || begun.elapsed() > Duration::from_secs(20) {
            return approved;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_was_sent_is_published_once_and_given() {
    let site = Site::open().await;
    let phantom = phantoms(&site.dicom()).remove(0);
    let source = source(&site);
    for file in files(&phantom.folder) {
        let taken = source.take_file(&file, "test").await.unwrap();
        assert_eq!(taken, Taken::Stored);
    }
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
    let images = images(&phantom.folder);
    // The files where they came from are not needed any more.
    fs::remove_dir_all(&phantom.folder).unwrap();
    let image = images.values().next().unwrap();
    let uids: Vec<&str> = images.keys().map(String::as_str).collect();
    let asked = request(&image.study, &image.series, &uids, &[EXPLICIT]);
    let (response, got) = site.retrieve(&asked).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    for (uid, sha256) in got {
        assert_eq!(images[&uid].sha256, sha256);
    }
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_another_of_its_name_is_kept_back() {
    let site = Site::open().await;
    let source = source(&site);
    let folder = site.dicom();
    fs::create_dir(&folder).unwrap();
    let made = |patient, pixels| Made {
        syntax: EXPLICIT,
        study: "2.25.1",
        series: "2.25.1.1",
        instance: "2.25.1.1.1",
        patient,
        pixels,
    };
    let file = folder.join("file");
    let take = async |made: Made<'static>| {
        fs::write(&file, made.bytes()).unwrap();
        source.take_file(&file, "test").await.unwrap()
    };
    assert_eq!(take(made("P-1", 10)).await, Taken::Stored);
    assert_eq!(take(made("P-1", 10)).await, Taken::AlreadyHere);
    let Taken::Quarantined(reasons) = take(made("P-1", 12)).await else {
        panic!("it is not kept back");
    };
    assert!(reasons[0].contains("another object"), "{reasons:?}");
    let other = Made {
        instance: "2.25.1.1.2",
        ..made("P-2", 10)
    };
    let Taken::Quarantined(reasons) = take(other).await else {
        panic!("it is not kept back");
    };
    assert!(reasons[0].contains("Patient ID"), "{reasons:?}");
    fs::write(&file, "no image").unwrap();
    let refused = source.take_file(&file, "test").await.unwrap();
    assert!(matches!(refused, Taken::Refused(_)), "{refused:?}");
    assert_eq!(manifests(&site, "P-1", 1).await, 1);
    assert!(site.manifests("P-2", Approved).await.is_empty());
}

#[tokio::test]
async fn more_of_a_study_replaces_its_manifest() {
    let site = Site::open().await;
    let phantom = phantoms(&site.dicom()).remove(2);
    let source = source(&site);
    let mut files = files(&phantom.folder);
    let last = files.pop().unwrap();
    for file in &files {
        source.take_file(file, "test").await.unwrap();
    }
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
    source.take_file(&last, "test").await.unwrap();
    let begun = Instant::now();
    while site
        .manifests(phantom.patient_id, Deprecated)
        .await
        .is_empty()
    {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
}

#[tokio::test]
async fn what_was_acknowledged_is_published_after_a_restart() {
    let site = Site::open().await;
    let phantom = phantoms(&site.dicom()).remove(2);
    {
        // It ends before it publishes anything.
        let source = ImagingSource::open(site.config.clone(), site.audit.clone()).unwrap();
        for file in files(&phantom.folder) {
            source.take_file(&file, "test").await.unwrap();
        }
    }
    let config = ImagingConfig {
        settle: Duration::ZERO,
        ..site.config.clone()
    };
    let source = ImagingSource::open(config, site.audit.clone()).unwrap();
    source.publish(publishing(&site));
    // What is due is due as it was told when it came, which is in ten seconds.
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
}

#[tokio::test]
async fn a_watched_folder_is_emptied_into_studies() {
    let site = Site::open().await;
    let phantom = phantoms(&site.dicom()).remove(2);
    let watched = site.folder.path().join("watched");
    fs::create_dir_all(watched.join("below")).unwrap();
    fs::write(watched.join("letter.txt"), "no image").unwrap();
    fs::write(watched.join("unfinished.part"), "no image yet").unwrap();
    for file in files(&phantom.folder) {
        fs::rename(&file, watched.join("below").join(file.file_name().unwrap())).unwrap();
    }
    let config = ImagingConfig {
        settle: Duration::from_millis(300),
        watch: vec![watched.clone()],
        ..site.config.clone()
    };
    let source = ImagingSource::open(config, site.audit.clone()).unwrap();
    source.publish(publishing(&site));
    source.watch();
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
    assert!(files(&watched.join("below")).is_empty());
    let refused = fs::read_to_string(watched.join("refused").join("letter.txt.why.txt"));
    assert!(refused.unwrap().contains("not a DICOM file"));
    assert!(watched.join("refused").join("letter.txt").exists());
    assert!(watched.join("unfinished.part").exists());
}
