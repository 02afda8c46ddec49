//! Studies that change after they were imported.

use std::fs;
use std::path::Path;

use hilum_dicom::moment::UtcOffset;
use hilum_dicom::scan::scan;
use hilum_dicom::{Uid, manifest};
use hilum_repository::imaging::Fate;
use xds_schemas::codes::status::AvailabilityStatus::{Approved, Deprecated};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::InternationalString;
use xds_schemas::metadata::{Code, DocumentEntry, EntryUuid, Submission, SubmissionSet, Timestamp};

use crate::files::{Made, images, now, phantoms};
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

/// An update (ITI-57) that gives a manifest another title.
fn correction(entry: &DocumentEntry, name: &str) -> Submission {
    let study = Code::new(
        "18748-4",
        "2.16.840.1.113883.6.1",
        "Diagnostic imaging study",
    );
    let mut update = Submission::new(SubmissionSet {
        content_type_code: Some(study),
        patient_id: entry.patient_id.clone(),
        submission_time: Timestamp::parse("20260102030405").ok(),
        ..SubmissionSet::new("set", "1.2.3.4.5", "1.2.3.6")
    });
    update.add_document(DocumentEntry {
        entry_uuid: EntryUuid::from(name),
        title: Some(InternationalString::of("Corrected")),
        ..entry.clone()
    });
    update.associations[0].previous_version = Some("1".to_owned());
    update
}

/// Whoever corrects the metadata of a manifest makes another version of its document entry: that is
/// the one which the next manifest replaces.
#[tokio::test]
async fn a_manifest_that_was_corrected_is_replaced_all_the_same() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let (folder, patient) = (&phantoms[2].folder, phantoms[2].patient_id);
    let first = sent(&site.import_one(folder).await);
    let registered = site.manifests(patient, Approved).await.remove(0);
    let newest = "urn:uuid:6b1cbd5e-70f0-4b0c-8ee0-2f3c1f0f3d21";
    site.update(&correction(&registered, newest)).await;

    let image = folder.join("IM0001.dcm");
    let aside = site.folder.path().join("aside");
    fs::rename(&image, &aside).unwrap();
    let imported = site.import_one(folder).await;
    let Fate::Replaced { replaced, .. } = &imported.fate else {
        panic!("{imported:?}");
    };
    assert_eq!(replaced, newest);
    let second = sent(&imported);
    assert!(second != first);
    let approved = site.manifests(patient, Approved).await;
    assert_eq!(
        (approved.len(), approved[0].unique_id.as_str()),
        (1, &*second)
    );
    // The older version is for those who ask for versions.
    let deprecated = site.manifests(patient, Deprecated).await;
    assert_eq!(deprecated.len(), 1);
    assert_eq!(deprecated[0].entry_uuid.as_str(), newest);

    // And so on.
    let newest = "urn:uuid:6b1cbd5e-70f0-4b0c-8ee0-2f3c1f0f3d22";
    let mut update = correction(&approved[0], newest);
    update.submission_set.unique_id = "1.2.3.4.6".into();
    site.update(&update).await;
    fs::rename(&aside, &image).unwrap();
    let third = sent(&site.import_one(folder).await);
    let approved = site.manifests(patient, Approved).await;
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
    let write = |folder: &Path, instance: &str| {
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

/// Writes a rejection note for so many instances of the study in a folder.
fn reject(folder: &Path, instances: usize, name: &str) {
    let found = scan(&[folder.to_owned()], &|_, _| {}).unwrap();
    let mut study = found.studies.into_iter().next().unwrap();
    study.series[0].instances.truncate(instances);
    let uid = |number: usize| Uid::parse(&format!("2.25.99.{instances}.{number}")).unwrap();
    let plan = manifest::Plan {
        sop_instance_uid: &uid(1),
        series_instance_uid: &uid(2),
        made: now(),
        retrieve_ae_title: "PACS",
        retrieve_location_uid: &uid(3),
        retrieve_url: None,
        utc_offset: UtcOffset::default(),
    };
    let mut note = manifest::write(&study, &plan).unwrap();
    let title = note.windows(6).position(|at| at == b"113030").unwrap();
    note[title..title + 6].copy_from_slice(b"113037");
    fs::write(folder.join(name), note).unwrap();
}

#[tokio::test]
async fn what_a_rejection_note_lists_is_not_served_any_more() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let (folder, patient) = (&phantoms[0].folder, phantoms[0].patient_id);
    let images = images(folder);
    sent(&site.import_one(folder).await);
    reject(folder, 3, "note");
    let imported = site.import_one(folder).await;
    assert!(
        matches!(imported.fate, Fate::Replaced { .. }),
        "{imported:?}"
    );
    assert_eq!(listed(&site, &sent(&imported)).await, images.len() - 3);
    let image = images.values().next().unwrap();
    let uids: Vec<&str> = images.keys().map(String::as_str).collect();
    let asked = request(&image.study, &image.series, &uids, &[EXPLICIT]);
    let (response, got) = site.retrieve(&asked).await;
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    assert_eq!(got.len(), images.len() - 3);
    let codes = response.errors.iter().map(|it| it.code.as_str());
    assert_eq!(codes.collect::<Vec<_>>(), ["XDSDocumentUniqueIdError"; 3]);

    // The note itself may go; what it said stays.
    fs::remove_file(folder.join("note")).unwrap();
    let imported = site.import_one(folder).await;
    assert!(
        matches!(imported.fate, Fate::Unchanged { .. }),
        "{imported:?}"
    );
    reject(folder, usize::MAX, "note of all");
    let imported = site.import_one(folder).await;
    let Fate::Withdrawn { .. } = &imported.fate else {
        panic!("{imported:?}");
    };
    let (response, got) = site.retrieve(&asked).await;
    assert_eq!((response.status, got.len()), (ResponseStatus::Failure, 0));
    assert!(site.manifests(patient, Approved).await.is_empty());
    let again = site.import_one(folder).await;
    assert!(matches!(again.fate, Fate::Unchanged { .. }), "{again:?}");
}
