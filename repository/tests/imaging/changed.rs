//! Studies that change after they were imported.

use std::fs;

use hilum_repository::dicom::manifest;
use hilum_repository::imaging::Fate;
use xds_schemas::codes::status::AvailabilityStatus::{Approved, Deprecated};
use xds_schemas::codes::status::ResponseStatus;

use crate::files::{Made, images, phantoms};
use crate::site::{EXPLICIT, Site, later, request, sent};

async fn listed(site: &Site, manifest: &str) -> usize {
    let document = site.document(manifest).await;
    let series = manifest::references(&document).unwrap();
    series.iter().map(|series| series.instances.len()).sum()
}

#[tokio::test]
async fn another_manifest_replaces_the_one_before() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let folder = &phantoms[2].folder;
    let first = sent(&site.import_one(folder).await);
    let image = folder.join("IM0001.dcm");
    let aside = site.folder.path().join("aside");
    fs::rename(&image, &aside).unwrap();

    let imported = site.import_one(folder).await;
    assert!(
        matches!(imported.fate, Fate::Replaced { .. }),
        "{imported:?}"
    );
    let second = sent(&imported);
    let approved = site.manifests(phantoms[2].patient_id, Approved).await;
    assert_eq!(approved.len(), 1);
    assert_eq!(approved[0].unique_id.as_str(), second);
    let deprecated = site.manifests(phantoms[2].patient_id, Deprecated).await;
    assert_eq!(deprecated[0].unique_id.as_str(), first);
    let instances = phantoms[2].instances;
    assert_eq!(listed(&site, &first).await, instances);
    assert_eq!(listed(&site, &second).await, instances - 1);

    // A study that is again what it was gets a manifest of its own all the same.
    fs::rename(&aside, &image).unwrap();
    let imported = site.import_one(folder).await;
    assert!(
        matches!(imported.fate, Fate::Replaced { .. }),
        "{imported:?}"
    );
    let third = sent(&imported);
    assert!(third != first && third != second);
    let approved = site.manifests(phantoms[2].patient_id, Approved).await;
    assert_eq!(
        (approved.len(), approved[0].unique_id.as_str()),
        (1, &*third)
    );
}

#[tokio::test]
async fn files_that_lie_elsewhere_now_need_no_other_manifest() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let folder = &phantoms[3].folder;
    let first = sent(&site.import_one(folder).await);
    later();
    fs::rename(folder.join("IM0001.dcm"), folder.join("moved.dcm")).unwrap();
    let imported = site.import_one(folder).await;
    let Fate::Unchanged { manifest } = &imported.fate else {
        panic!("{imported:?}");
    };
    assert_eq!(manifest.to_string(), first);
    let images = images(folder);
    let (uid, image) = images.iter().next().unwrap();
    let asked = request(&image.study, &image.series, &[uid], &[EXPLICIT]);
    let (response, got) = site.retrieve(&asked).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(got[0].1, image.sha256);
}

#[tokio::test]
async fn a_study_may_lie_in_several_folders() {
    let site = Site::open().await;
    let (one, two) = (site.dicom().join("one"), site.dicom().join("two"));
    let write = |folder: &std::path::Path, instance: &str| {
        fs::create_dir_all(folder).unwrap();
        let made = Made {
            syntax: EXPLICIT,
            study: "2.25.1",
            series: "2.25.1.1",
            instance,
            patient: "P-1",
            pixels: 10,
        };
        fs::write(folder.join(instance), made.bytes()).unwrap();
    };
    write(&one, "2.25.1.1.1");
    write(&two, "2.25.1.1.2");
    let first = site.import_one(&one).await;
    assert_eq!(listed(&site, &sent(&first)).await, 1);
    let second = site.import_one(&two).await;
    assert_eq!(listed(&site, &sent(&second)).await, 2);
    let asked = request(
        "2.25.1",
        "2.25.1.1",
        &["2.25.1.1.1", "2.25.1.1.2"],
        &[EXPLICIT],
    );
    assert_eq!(
        site.retrieve(&asked).await.0.status,
        ResponseStatus::Success
    );
    // Importing a folder again says what is in it, and nothing of the other.
    let again = site.import_one(&one).await;
    assert!(matches!(again.fate, Fate::Unchanged { .. }), "{again:?}");
}

#[tokio::test]
async fn another_patient_is_not_taken_for_the_same() {
    let site = Site::open().await;
    fs::create_dir(site.dicom()).unwrap();
    let made = |patient| Made {
        syntax: EXPLICIT,
        study: "2.25.1",
        series: "2.25.1.1",
        instance: "2.25.1.1.1",
        patient,
        pixels: 10,
    };
    let file = site.dicom().join("image");
    fs::write(&file, made("P-1").bytes()).unwrap();
    sent(&site.import_one(&site.dicom()).await);
    fs::write(&file, made("P-2").bytes()).unwrap();
    let imported = site.import_one(&site.dicom()).await;
    assert!(matches!(imported.fate, Fate::Unsuitable(_)), "{imported:?}");
    assert!(site.manifests("P-2", Approved).await.is_empty());
}
