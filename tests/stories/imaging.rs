//! A study becomes findable while its images stay where they are.
//!
//! ```text
//! folder ── hilum import ──▶ imaging source ── RAD-68 ──▶ repository ── ITI-42 ──▶ registry
//! consumer ── ITI-18 ──▶ registry    ── ITI-43 ──▶ repository: the manifest
//!          ── RAD-69 ──▶ imaging source: the images, as they were
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

use hilum_dicom::phantoms::{self, Detail};
use hilum_tests::words::{self, queries};
use hilum_tests::{Setup, Town};
use xds_schemas::codes::status::ResponseStatus;

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const UNIQUE_ID: &str = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab";
/// Tags as they stand in a file of Explicit VR Little Endian.
const SOP_INSTANCE_UID: [u8; 4] = [0x08, 0x00, 0x18, 0x00];
const REFERENCED_SOP_INSTANCE_UID: [u8; 4] = [0x08, 0x00, 0x55, 0x11];
const STUDY_INSTANCE_UID: [u8; 4] = [0x20, 0x00, 0x0d, 0x00];
const SERIES_INSTANCE_UID: [u8; 4] = [0x20, 0x00, 0x0e, 0x00];

/// All UIDs with this tag, without regard to where they stand.
fn uids(file: &[u8], tag: [u8; 4]) -> Vec<String> {
    let at = |place: usize| file.get(place..place + 6).unwrap_or_default();
    let wanted = [&tag[..], b"UI"].concat();
    let places = (0..file.len()).filter(|place| at(*place) == wanted);
    places
        .map(|place| {
            let length = u16::from_le_bytes([file[place + 6], file[place + 7]]);
            let value = &file[place + 8..place + 8 + usize::from(length)];
            let text = String::from_utf8(value.to_vec()).unwrap();
            text.trim_end_matches('\0').to_owned()
        })
        .collect()
}

/// A file and the study and series it belongs to.
struct Image {
    study: String,
    series: String,
    bytes: Vec<u8>,
}

/// The files below a folder by SOP Instance UID.
fn images(folder: &Path) -> BTreeMap<String, Image> {
    let mut images = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            images.extend(self::images(&path));
            continue;
        }
        let bytes = std::fs::read(path).unwrap();
        let first = |tag| uids(&bytes, tag).swap_remove(0);
        let image = Image {
            study: first(STUDY_INSTANCE_UID),
            series: first(SERIES_INSTANCE_UID),
            bytes: bytes.clone(),
        };
        images.insert(first(SOP_INSTANCE_UID), image);
    }
    images
}

/// FindDocuments for the manifests of a patient.
fn find_manifests(patient: &str) -> String {
    words::query(
        queries::FIND_DOCUMENTS,
        "LeafClass",
        &[
            (
                "$XDSDocumentEntryPatientId",
                &format!("'{}'", words::patient(patient)),
            ),
            (
                "$XDSDocumentEntryStatus",
                "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
            ),
            (
                "$XDSDocumentEntryFormatCode",
                "('1.2.840.10008.5.1.4.1.1.88.59^^1.2.840.10008.2.6.1')",
            ),
        ],
    )
}

/// A town with four imported studies, and where their files are.
fn imported() -> (Town, BTreeMap<String, Image>, Vec<phantoms::Phantom>) {
    let town = Town::found(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let folder = town.folder().join("dicom");
    let now = SystemTime::now();
    let studies = phantoms::write(&folder, "story", now, Detail::Small).unwrap();
    let imported = town.run(&["import", folder.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    let images = images(&folder);
    (town, images, studies)
}

#[tokio::test]
async fn a_study_is_found_by_its_manifest_and_comes_back() {
    let (town, images, studies) = imported();
    for study in &studies {
        let found = town.query(find_manifests(study.patient_id)).await.unwrap();
        let mut manifests = Vec::new();
        for object in &found.objects {
            let id = object.external_identifier(UNIQUE_ID).unwrap();
            let got = town.retrieve(&[id]).await.unwrap();
            assert_eq!(got.response.status, ResponseStatus::Success);
            assert_eq!(got.documents[0].mime_type, "application/dicom");
            let manifest = got.documents.into_iter().next().unwrap().content;
            assert_eq!(uids(&manifest, SOP_INSTANCE_UID), [id]);
            manifests.push(manifest);
        }
        let of_study = |manifest: &&Vec<u8>| {
            let named = uids(manifest, STUDY_INSTANCE_UID);
            named.contains(&study.study_instance_uid.to_string())
        };
        let manifest: Vec<_> = manifests.iter().filter(of_study).collect();
        assert_eq!(manifest.len(), 1, "{}", study.title);
        let listed = uids(manifest[0], REFERENCED_SOP_INSTANCE_UID);
        let listed: BTreeSet<String> = listed.into_iter().collect();
        let expected = images.iter();
        let expected = expected.filter(|(_, it)| it.study == study.study_instance_uid.to_string());
        let expected: BTreeSet<String> = expected.map(|(uid, _)| uid.clone()).collect();
        assert_eq!(listed, expected);
        assert_eq!(listed.len(), study.instances);

        let instances: Vec<_> = listed
            .iter()
            .map(|uid| {
                (
                    images[uid].study.clone(),
                    images[uid].series.clone(),
                    uid.clone(),
                )
            })
            .collect();
        let request = words::retrieve_images(words::REPOSITORY, &instances, &[EXPLICIT]);
        let got = town.retrieve_images(request).await.unwrap();
        assert_eq!(
            got.response.status,
            ResponseStatus::Success,
            "{:?}",
            got.response
        );
        assert_eq!(got.documents.len(), instances.len());
        for document in &got.documents {
            assert_eq!(document.content, images[&document.unique_id].bytes);
        }
    }
    // Both sides of handing in, and the side of the source of giving images away.
    let records = town.records();
    for (transaction, event) in [
        ("RAD-68", "Export"),
        ("RAD-68", "Import"),
        ("RAD-69", "DICOM Instances Transferred"),
    ] {
        let found = records
            .iter()
            .filter(|it| it["transaction"] == transaction && it["event"] == event);
        assert_eq!(found.count(), studies.len(), "{transaction} {event}");
    }
}

/// The commands do the same: what `hilum retrieve` writes are the files that were imported.
#[tokio::test]
async fn the_command_brings_the_files_back() {
    let (town, images, studies) = imported();
    for study in &studies {
        let out = town.folder().join("got").join(study.title);
        let retrieved = town.run(&[
            "retrieve",
            "--study",
            study.study_instance_uid.as_str(),
            "--patient",
            study.patient_id,
            "--out",
            out.to_str().unwrap(),
        ]);
        assert!(retrieved.status.success(), "{retrieved:?}");
        let got = self::images(&out);
        assert_eq!(got.len(), study.instances);
        for (uid, image) in got {
            assert_eq!(image.bytes, images[&uid].bytes, "{uid}");
        }
    }
}

/// An image is asked for with its study and series; elsewhere it is not.
#[tokio::test]
async fn an_image_is_where_it_belongs() {
    let (town, images, _) = imported();
    let (uid, image) = images.iter().next().unwrap();
    let right = (image.study.clone(), image.series.clone(), uid.clone());
    let wrong_series = (image.study.clone(), "2.999.1".to_owned(), uid.clone());
    let wrong_study = ("2.999.1".to_owned(), image.series.clone(), uid.clone());
    for wrong in [wrong_series, wrong_study] {
        let instances = [right.clone(), wrong];
        let request = words::retrieve_images(words::REPOSITORY, &instances, &[EXPLICIT]);
        let got = town.retrieve_images(request).await.unwrap();
        assert_eq!(got.response.status, ResponseStatus::PartialSuccess);
        assert_eq!(
            got.response.errors[0].code.as_str(),
            "XDSDocumentUniqueIdError"
        );
        assert_eq!(got.documents.len(), 1);
    }
    let jpip = "1.2.840.10008.1.2.4.94";
    let request = words::retrieve_images(words::REPOSITORY, &[right], &[jpip]);
    let got = town.retrieve_images(request).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Failure);
    assert!(got.documents.is_empty());
}

/// Importing the same folder again changes nothing that a consumer sees.
#[tokio::test]
async fn importing_again_is_harmless() {
    let (town, _, studies) = imported();
    let before = town.query(find_manifests("HIL-1001")).await.unwrap();
    assert_eq!(before.objects.len(), 2);
    let folder = town.folder().join("dicom");
    let again = town.run(&["import", folder.to_str().unwrap()]);
    assert!(again.status.success(), "{again:?}");
    let after = town.query(find_manifests("HIL-1001")).await.unwrap();
    assert_eq!(after.objects.len(), 2);
    assert_eq!(studies.len(), 4);
}
