//! Manifests with a description, and a site that changes over to them.

use std::fs;
use std::process::Command;
use std::time::Duration;

use hilum_dicom::manifest::{self, MadoCodes, ManifestFormat};
use hilum_repository::imaging::{Fate, ImagingConfig, ImagingSource, Manifests};
use xds_schemas::codes::status::AvailabilityStatus::{Approved, Deprecated};

use crate::files::{Made, phantoms};
use crate::sent::{files, manifests, publishing};
use crate::site::{AUTHORITY, EXPLICIT, Site, sent};

fn described() -> Manifests {
    Manifests {
        format: ManifestFormat::Mado,
        codes: MadoCodes::Temporary,
        retrieve_url: Some("https://images.example/dicom-web".to_owned()),
        institution: "Some Hospital^^^^^^^^^1.2.3.4".to_owned(),
        accession_issuer: Some("1.2.3.8".to_owned()),
        order_issuer: Some("1.2.3.9".to_owned()),
    }
}

/// What a program that others wrote says of a document. Says so loudly if it is not installed, and
/// fails where all tests are wanted.
fn judged(site: &Site, program: &[&str], document: &[u8]) -> Option<String> {
    let path = site.folder.path().join("manifest.dcm");
    fs::write(&path, document).unwrap();
    match Command::new(program[0])
        .args(&program[1..])
        .arg(&path)
        .output()
    {
        Ok(output) => {
            let both = [output.stdout, output.stderr].concat();
            Some(String::from_utf8_lossy(&both).into_owned())
        }
        Err(error) => {
            let all = std::env::var_os("HILUM_TEST_ALL");
            assert!(all.is_none(), "{}: {error}", program[0]);
            eprintln!("NOT TESTED: {} cannot be started: {error}", program[0]);
            None
        }
    }
}

#[tokio::test]
async fn a_site_that_changes_over_replaces_its_manifests() {
    let mut site = Site::open().await;
    let phantom = phantoms(&site.dicom()).remove(0);
    let plain = sent(&site.import_one(&phantom.folder).await);
    site.config.manifests = described();
    let imported = site.import_one(&phantom.folder).await;
    assert!(
        matches!(imported.fate, Fate::Replaced { .. }),
        "{imported:?}"
    );
    let new = sent(&imported);
    assert_ne!(new, plain);
    let approved = site.manifests(phantom.patient_id, Approved).await;
    assert_eq!(approved.len(), 1);
    assert_eq!(approved[0].unique_id.as_str(), new);
    let deprecated = site.manifests(phantom.patient_id, Deprecated).await;
    assert_eq!(deprecated[0].unique_id.as_str(), plain);
    for entry in [&deprecated[0], &approved[0]] {
        let format = entry.format_code.as_ref().unwrap();
        assert_eq!(format.code, "1.2.840.10008.5.1.4.1.1.88.59");
    }
    let procedure = |it: &xds_schemas::metadata::Code| it.code == "169069000";
    assert!(!deprecated[0].event_codes.iter().any(procedure));

    let document = site.document(&new).await;
    let read = manifest::read(&document).unwrap();
    let before = manifest::read(&site.document(&plain).await).unwrap();
    assert_eq!(read.references.len(), before.references.len());
    let told = read.described.unwrap();
    assert_eq!(told.number_of_series, Some(read.references.len() as u64));
    assert!(before.described.is_none());
    let stands = |text: &str| memchr::memmem::find(&document, text.as_bytes()).is_some();
    for text in [
        "https://images.example/dicom-web",
        "Some Hospital^^^^^^^^^1.2.3.4",
        AUTHORITY,
        "1.2.3.8",
    ] {
        assert!(stands(text), "{text}");
    }
    if let Some(said) = judged(&site, &["dciodvfy", "-new"], &document) {
        // Of these value types programs of before CP-2595 know nothing.
        let known = ["<NUM>", "<DATE>", "<TIME>"];
        let is_error =
            |line: &&str| line.starts_with("Error") && !known.iter().any(|it| line.ends_with(it));
        let errors: Vec<_> = said.lines().filter(is_error).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        assert!(said.contains("KeyObjectSelectionDocument"), "{said}");
    }
    if let Some(said) = judged(&site, &["dsrdump", "-Ec"], &document) {
        assert!(said.contains("Number of Study Related Series"), "{said}");
    }

    let imported = site.import_one(&phantom.folder).await;
    assert!(
        matches!(imported.fate, Fate::Unchanged { .. }),
        "{imported:?}"
    );
    // Other codes are another description.
    site.config.manifests.codes = MadoCodes::Dicom;
    let imported = site.import_one(&phantom.folder).await;
    assert!(
        matches!(imported.fate, Fate::Replaced { .. }),
        "{imported:?}"
    );
    site.config.manifests = Manifests::default();
    let imported = site.import_one(&phantom.folder).await;
    assert!(
        matches!(imported.fate, Fate::Replaced { .. }),
        "{imported:?}"
    );
    assert_eq!(site.manifests(phantom.patient_id, Approved).await.len(), 1);
}

/// MADO wants an accession number in any case; consumers find by it what they read in the manifest.
#[tokio::test]
async fn a_study_without_accession_number_gets_one() {
    let mut site = Site::open().await;
    site.config.manifests = described();
    let folder = site.dicom();
    fs::create_dir(&folder).unwrap();
    let made = Made {
        syntax: EXPLICIT,
        study: "2.25.1",
        series: "2.25.1.1",
        instance: "2.25.1.1.1",
        patient: "P-1",
        pixels: 10,
    };
    fs::write(folder.join("file"), made.bytes()).unwrap();
    let manifest = sent(&site.import_one(&folder).await);
    let entry = site.manifests("P-1", Approved).await.remove(0);
    let references: Vec<String> = entry
        .reference_ids
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(references.len(), 2, "{references:?}");
    let accession = references.iter().find(|it| it.starts_with('H')).unwrap();
    assert!(
        accession.ends_with("^^^&1.2.3.8&ISO^urn:ihe:iti:xds:2013:accession"),
        "{accession}"
    );
    let number = accession.split('^').next().unwrap();
    let document = site.document(&manifest).await;
    assert!(memchr::memmem::find(&document, number.as_bytes()).is_some());
}

/// What was sent is published anew by the node when it starts with other manifests.
#[tokio::test]
async fn a_node_that_starts_with_other_manifests_publishes_anew() {
    let site = Site::open().await;
    let phantom = phantoms(&site.dicom()).remove(2);
    let open = |manifests: Manifests| {
        let config = ImagingConfig {
            settle: Duration::from_millis(200),
            manifests,
            ..site.config.clone()
        };
        let source = ImagingSource::open(config, site.audit.clone()).unwrap();
        source.publish(publishing(&site));
        source
    };
    let source = open(Manifests::default());
    for file in files(&phantom.folder) {
        source.take_file(&file, "test").await.unwrap();
    }
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
    drop(source);
    let source = open(described());
    let begun = std::time::Instant::now();
    while site
        .manifests(phantom.patient_id, Deprecated)
        .await
        .is_empty()
    {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(source);
    let _same = open(described());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        site.manifests(phantom.patient_id, Deprecated).await.len(),
        1
    );
    assert_eq!(manifests(&site, phantom.patient_id, 1).await, 1);
}
