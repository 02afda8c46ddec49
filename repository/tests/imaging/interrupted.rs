//! Imports that are cut short: at the end there is one manifest, and the index knows it.

use std::fs;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use hilum_repository::imaging::{Fate, check_store};
use xds_schemas::codes::status::AvailabilityStatus::{Approved, Deprecated};
use xds_schemas::codes::status::ResponseStatus;

use crate::files::{images, phantoms};
use crate::site::{EXPLICIT, Site, request, sent};

/// Imports while the answer of the repository is lost.
async fn import_without_answer(site: &Site, folder: &Path) {
    site.link.cut_answers();
    let imported = site.import_one(folder).await;
    assert!(matches!(imported.fate, Fate::Unanswered(_)), "{imported:?}");
    site.link.pass();
}

async fn one_manifest(site: &Site, patient: &str, replaced: usize) -> String {
    let approved = site.manifests(patient, Approved).await;
    assert_eq!(approved.len(), 1);
    let deprecated = site.manifests(patient, Deprecated).await;
    assert_eq!(deprecated.len(), replaced);
    approved[0].unique_id.to_string()
}

#[tokio::test]
async fn a_lost_answer_is_asked_for() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let (folder, patient) = (&phantoms[2].folder, phantoms[2].patient_id);
    import_without_answer(&site, folder).await;
    let manifest = one_manifest(&site, patient, 0).await;
    let imported = site.import_one(folder).await;
    let Fate::Unchanged { manifest: known } = &imported.fate else {
        panic!("{imported:?}");
    };
    assert_eq!(known.to_string(), manifest);
    assert_eq!(imported.remarks.len(), 1);
    one_manifest(&site, patient, 0).await;
}

#[tokio::test]
async fn or_the_same_is_handed_in_again_where_nobody_can_be_asked() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let (folder, patient) = (&phantoms[2].folder, phantoms[2].patient_id);
    import_without_answer(&site, folder).await;
    let manifest = one_manifest(&site, patient, 0).await;
    let mut report = site.import_beside(folder, None).await.unwrap();
    let imported = report.studies.remove(0);
    assert!(
        matches!(imported.fate, Fate::Unchanged { .. }),
        "{imported:?}"
    );
    assert_eq!(one_manifest(&site, patient, 0).await, manifest);
}

#[tokio::test]
async fn a_question_that_did_not_arrive_is_asked_again() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let (folder, patient) = (&phantoms[2].folder, phantoms[2].patient_id);
    site.link.cut_questions();
    let imported = site.import_one(folder).await;
    assert!(matches!(imported.fate, Fate::Unanswered(_)), "{imported:?}");
    site.link.pass();
    assert!(site.manifests(patient, Approved).await.is_empty());
    let manifest = sent(&site.import_one(folder).await);
    assert_eq!(one_manifest(&site, patient, 0).await, manifest);
}

/// The study changes between the lost answer and the next attempt: both manifests are needed, and
/// the second must know the first.
#[tokio::test]
async fn a_study_that_changes_meanwhile_is_replaced() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let (folder, patient) = (&phantoms[2].folder, phantoms[2].patient_id);
    import_without_answer(&site, folder).await;
    fs::remove_file(folder.join("IM0001.dcm")).unwrap();
    let imported = site.import_one(folder).await;
    assert!(
        matches!(imported.fate, Fate::Replaced { .. }),
        "{imported:?}"
    );
    assert_eq!(one_manifest(&site, patient, 1).await, sent(&imported));
}

#[tokio::test]
async fn a_lost_replacement_is_not_made_twice() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let (folder, patient) = (&phantoms[2].folder, phantoms[2].patient_id);
    site.import_one(folder).await;
    fs::remove_file(folder.join("IM0001.dcm")).unwrap();
    import_without_answer(&site, folder).await;
    let manifest = one_manifest(&site, patient, 1).await;
    let imported = site.import_one(folder).await;
    assert!(
        matches!(imported.fate, Fate::Unchanged { .. }),
        "{imported:?}"
    );
    assert_eq!(one_manifest(&site, patient, 1).await, manifest);
}

/// Does something to the index behind the back of the imaging source.
fn index(site: &Site, sql: &str) {
    let index = site.folder.path().join("images").join("index.db");
    let mut index = SqliteConnection::establish(&index.to_string_lossy()).unwrap();
    index.batch_execute(sql).unwrap();
}

#[tokio::test]
async fn an_index_that_was_lost_comes_back() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let (folder, patient) = (&phantoms[2].folder, phantoms[2].patient_id);
    let manifest = sent(&site.import_one(folder).await);
    index(
        &site,
        "DELETE FROM instances; DELETE FROM series; DELETE FROM studies",
    );
    let imported = site.import_one(folder).await;
    assert_eq!(sent(&imported), manifest);
    assert_eq!(one_manifest(&site, patient, 0).await, manifest);
    let images = images(folder);
    let (uid, image) = images.iter().next().unwrap();
    let asked = request(&image.study, &image.series, &[uid], &[EXPLICIT]);
    assert_eq!(
        site.retrieve(&asked).await.0.status,
        ResponseStatus::Success
    );
}

#[tokio::test]
async fn an_index_that_was_damaged_comes_back() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let (folder, patient) = (&phantoms[2].folder, phantoms[2].patient_id);
    let manifest = sent(&site.import_one(folder).await);
    index(
        &site,
        "UPDATE studies SET facts = substr(facts, 1, 40), generation = generation + 1",
    );
    let found = check_store(&site.config.store, &site.config.vault).unwrap_err();
    assert!(found.to_string().contains("damaged"), "{found}");
    let images = images(folder);
    let (uid, image) = images.iter().next().unwrap();
    let asked = request(&image.study, &image.series, &[uid], &[EXPLICIT]);
    let (response, _) = site.retrieve(&asked).await;
    assert_eq!(response.errors[0].code.as_str(), "XDSRepositoryError");
    assert!(
        !response.errors[0].context.contains("images"),
        "{response:?}"
    );
    let imported = site.import_one(folder).await;
    assert_eq!(sent(&imported), manifest);
    assert_eq!(imported.remarks.len(), 1);
    assert_eq!(one_manifest(&site, patient, 0).await, manifest);
    assert_eq!(
        site.retrieve(&asked).await.0.status,
        ResponseStatus::Success
    );
}

#[tokio::test]
async fn what_nobody_took_is_not_served() {
    let mut site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let folder = &phantoms[2].folder;
    site.link.down().await;
    let imported = site.import_one(folder).await;
    assert!(matches!(imported.fate, Fate::Unanswered(_)), "{imported:?}");
    let images = images(folder);
    let (uid, image) = images.iter().next().unwrap();
    let asked = request(&image.study, &image.series, &[uid], &[EXPLICIT]);
    assert_eq!(
        site.retrieve(&asked).await.0.status,
        ResponseStatus::Failure
    );
    site.link.up().await;
    sent(&site.import_one(folder).await);
    assert_eq!(
        site.retrieve(&asked).await.0.status,
        ResponseStatus::Success
    );
}

#[tokio::test]
async fn nor_what_did_not_arrive_and_could_not_be_sent_again() {
    let mut site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let folder = &phantoms[2].folder;
    site.link.cut_questions();
    site.import_one(folder).await;
    site.link.down().await;
    let imported = site.import_one(folder).await;
    assert!(matches!(imported.fate, Fate::Unanswered(_)), "{imported:?}");
    let images = images(folder);
    let (uid, image) = images.iter().next().unwrap();
    let asked = request(&image.study, &image.series, &[uid], &[EXPLICIT]);
    assert_eq!(
        site.retrieve(&asked).await.0.status,
        ResponseStatus::Failure
    );
}

#[tokio::test]
async fn two_imports_do_not_run_at_once() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let lock = site.folder.path().join("images").join("import.lock");
    let held = fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let refused = site.import_beside(&phantoms[2].folder, None).await;
    let reason = refused.unwrap_err().to_string();
    assert!(
        reason.contains("another import or removal is running"),
        "{reason}"
    );
    drop(held);
    sent(&site.import_one(&phantoms[2].folder).await);
}
