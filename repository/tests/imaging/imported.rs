//! What an import registers.

use hilum_dicom::manifest;
use hilum_repository::imaging::Fate;
use xds_schemas::codes::status::AvailabilityStatus::Approved;
use xds_schemas::ebrim::InternationalString;
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, DocumentFilter, FindDocuments, Pattern, StoredQuery,
};
use xds_schemas::metadata::PatientId;

use crate::files::{images, phantoms};
use crate::site::{AUTHORITY, REPOSITORY, Site, sent};

#[tokio::test]
async fn each_study_gets_a_manifest_that_says_what_it_is() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let report = site.import(&site.dicom()).await;
    assert_eq!(report.studies.len(), phantoms.len());
    assert!(report.left_out.is_empty() && report.notes.is_empty());
    let head = &phantoms[2];
    let of_head = |it: &&_| -> bool {
        let it: &hilum_repository::imaging::Imported = it;
        it.study_instance_uid == head.study_instance_uid
    };
    let imported = report.studies.iter().find(of_head).unwrap();
    assert_eq!(imported.instances, head.instances);
    let entries = site.manifests(head.patient_id, Approved).await;
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(entry.unique_id.as_str(), sent(imported));
    assert_eq!(entry.mime_type, "application/dicom");
    let code = |code: &Option<xds_schemas::metadata::Code>| code.clone().unwrap().code;
    assert_eq!(code(&entry.format_code), "1.2.840.10008.5.1.4.1.1.88.59");
    assert_eq!(code(&entry.class_code), "IMAGES");
    assert_eq!(code(&entry.type_code), "18748-4");
    let events: Vec<_> = entry
        .event_codes
        .iter()
        .map(|it| it.code.as_str())
        .collect();
    assert_eq!(events, ["MR", "69536005"]);
    let ids: Vec<_> = entry
        .reference_ids
        .iter()
        .map(ToString::to_string)
        .collect();
    let uid = &head.study_instance_uid;
    let study = format!("{uid}^^^^urn:ihe:iti:xds:2016:studyInstanceUID");
    assert_eq!(ids[0], study);
    assert!(ids[1].starts_with("HA-24-0352^^^"), "{ids:?}");
    assert!(
        ids[1].ends_with("^urn:ihe:iti:xds:2013:accession"),
        "{ids:?}"
    );
    assert_eq!(entry.title, Some(InternationalString::of("MR head T1")));
    // Ten days before 2026-09-21T14:13:20Z, which is how the phantoms are dated.
    let start = entry.service_start_time.as_ref().unwrap().as_str();
    assert_eq!(start, "20260911141320");
    assert_eq!(entry.service_stop_time, entry.service_start_time);
    assert_eq!(
        entry.patient_id,
        Some(PatientId::new(head.patient_id, AUTHORITY))
    );
    let info = &entry.source_patient_info;
    assert!(info[0].starts_with("PID-3|HIL-1002^^^"), "{info:?}");
    assert_eq!(
        &info[1..],
        ["PID-5|Hilum^Bernhard", "PID-7|19480930", "PID-8|M"]
    );
}

#[tokio::test]
async fn the_manifest_itself_lists_the_study_and_where_it_is() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let imported = site.import_one(&phantoms[1].folder).await;
    let document = site.document(&sent(&imported)).await;
    let listed = manifest::references(&document).unwrap();
    let expected = images(&phantoms[1].folder);
    let mut instances = 0;
    for series in listed {
        assert_eq!(series.retrieve_location_uid.unwrap().as_str(), REPOSITORY);
        for (_, instance) in &series.instances {
            let image = &expected[instance.as_str()];
            assert_eq!(image.series, series.series_instance_uid.as_str());
            assert_eq!(image.study, series.study_instance_uid.as_str());
            instances += 1;
        }
    }
    assert_eq!(instances, expected.len());
    assert!(instances > 8, "the report is listed beside the images");
}

#[tokio::test]
async fn a_study_is_found_by_modality_and_region_and_by_its_uid() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    site.import(&site.dicom()).await;
    let find = |filter: DocumentFilter, by_reference: bool| {
        let query = FindDocuments {
            patient: PatientId::new("HIL-1001", AUTHORITY),
            statuses: vec![Approved],
            filter,
        };
        match by_reference {
            true => StoredQuery::FindDocumentsByReferenceId(query),
            false => StoredQuery::FindDocuments(query),
        }
    };
    let both = |codes: [&str; 2]| DocumentFilter {
        event_codes: AllOf(codes.map(|code| AnyOf(vec![Pattern::exact(code)])).to_vec()),
        ..DocumentFilter::default()
    };
    let chest = "51185008^^2.16.840.1.113883.6.96";
    let by_codes = both(["CT^^1.2.840.10008.2.16.4", chest]);
    assert_eq!(site.query(&find(by_codes, false)).await.len(), 2);
    let other = both(["MR^^1.2.840.10008.2.16.4", chest]);
    assert!(site.query(&find(other, false)).await.is_empty());
    let uid = &phantoms[0].study_instance_uid;
    let reference = format!("{uid}^^^^urn:ihe:iti:xds:2016:studyInstanceUID");
    let by_uid = DocumentFilter {
        reference_ids: AllOf(vec![AnyOf(vec![Pattern::exact(reference)])]),
        ..DocumentFilter::default()
    };
    assert_eq!(site.query(&find(by_uid, true)).await.len(), 1);
}

#[tokio::test]
async fn what_is_registered_already_is_not_sent_again() {
    let site = Site::open().await;
    phantoms(&site.dicom());
    let first = site.import(&site.dicom()).await;
    let exports = site.import_records().len();
    assert_eq!(exports, first.studies.len());
    let again = site.import(&site.dicom()).await;
    for (first, again) in first.studies.iter().zip(&again.studies) {
        let Fate::Unchanged { manifest } = &again.fate else {
            panic!("{again:?}");
        };
        assert_eq!(manifest.to_string(), sent(first));
    }
    assert_eq!(site.import_records().len(), exports);
    assert!(site.import_records()[0].starts_with("RAD-68 Export 0 HIL-100"));
}
