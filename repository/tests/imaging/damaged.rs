//! Files that are no images, or that were made to do harm.

use std::fs;

use hilum_repository::imaging::Fate;
use xds_schemas::codes::status::AvailabilityStatus::Approved;

use crate::files::{Made, phantoms};
use crate::site::{EXPLICIT, Site};

fn made() -> Made<'static> {
    Made {
        syntax: EXPLICIT,
        study: "2.25.1",
        series: "2.25.1.1",
        instance: "2.25.1.1.1",
        patient: "P-1",
        pixels: 0,
    }
}

#[tokio::test]
async fn bad_files_are_named_and_the_rest_goes_on() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let whole = fs::read(phantoms[0].folder.join("IM0001.dcm")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(site.dicom().join(name), bytes).unwrap();
    write("a-letter.txt", b"no image");
    write("broken.dcm", &whole[..whole.len() / 2]);
    // Pixel data of 4 GB in a file of some 400 bytes.
    let mut bomb = made().bytes();
    let length = bomb.len() - 4;
    bomb[length..].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    assert!(bomb.len() < 500);
    write("four-gigabytes.dcm", &bomb);
    let mut nested = made().bytes();
    nested.truncate(nested.len() - 12);
    for _ in 0..20_000 {
        nested.extend([0x40, 0, 0x30, 0xa7, b'S', b'Q', 0, 0, 255, 255, 255, 255]);
        nested.extend([0xfe, 0xff, 0x00, 0xe0, 255, 255, 255, 255]);
    }
    write("nested.dcm", &nested);

    let report = site.import(&site.dicom()).await;
    assert_eq!(report.studies.len(), 4);
    let registered = |fate: &Fate| matches!(fate, Fate::Registered { .. });
    assert!(
        report.studies.iter().all(|it| registered(&it.fate)),
        "{report:?}"
    );
    let left_out: Vec<(&str, &str)> = report
        .left_out
        .iter()
        .map(|it| {
            (
                it.path.file_name().unwrap().to_str().unwrap(),
                it.reason.as_str(),
            )
        })
        .collect();
    let expected = [
        ("a-letter.txt", "not a DICOM file"),
        ("broken.dcm", "truncated"),
        ("four-gigabytes.dcm", "truncated or hostile"),
        ("nested.dcm", "nested"),
    ];
    assert_eq!(left_out.len(), expected.len(), "{left_out:?}");
    for ((name, reason), (expected_name, part)) in left_out.iter().zip(expected) {
        assert_eq!(*name, expected_name);
        assert!(reason.contains(part), "{name}: {reason}");
    }
    assert_eq!(site.manifests("HIL-1001", Approved).await.len(), 2);
}

#[tokio::test]
async fn a_study_of_nobody_is_not_registered() {
    let site = Site::open().await;
    let folder = site.dicom();
    fs::create_dir(&folder).unwrap();
    let nobody = Made {
        patient: "",
        ..made()
    };
    fs::write(folder.join("nobody"), nobody.bytes()).unwrap();
    let imported = site.import_one(&folder).await;
    let Fate::Unsuitable(reason) = &imported.fate else {
        panic!("{imported:?}");
    };
    assert!(reason.contains("no Patient ID"), "{reason}");
    assert!(site.import_records().is_empty());
}

#[tokio::test]
async fn folders_that_are_not_there_are_named() {
    let site = Site::open().await;
    let error = site.import_beside(&site.dicom(), None).await.unwrap_err();
    let shown = site.dicom().display().to_string();
    assert!(error.to_string().contains(&shown), "{error}");
}
