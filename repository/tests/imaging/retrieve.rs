//! RAD-69: instances come as they are stored, and what does not come is told.

use std::fs;
use std::path::Path;

use hilum_dicom::{instance as file, transcode};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryResponse;
use xds_schemas::rad69_retrieve_imaging_document_set::{
    RetrieveImagingDocumentSet, RetrieveImagingDocumentSetRequest, SeriesRequest, StudyRequest,
};
use xds_schemas::transaction::Transaction;

use crate::files::{Image, Made, images, phantoms};
use crate::site::{EXPLICIT, Site, instance, later, request};

const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
const UNKNOWN: &str = "2.25.404";

/// Asks for images in as many studies and series as they have.
fn all<'a>(
    images: impl IntoIterator<Item = (&'a String, &'a Image)>,
) -> RetrieveImagingDocumentSetRequest {
    let mut studies: Vec<StudyRequest> = Vec::new();
    for (uid, image) in images {
        studies.push(StudyRequest {
            study_instance_uid: image.study.clone(),
            series: vec![SeriesRequest {
                series_instance_uid: image.series.clone(),
                documents: vec![instance(uid)],
            }],
        });
    }
    RetrieveImagingDocumentSetRequest {
        studies,
        transfer_syntax_uids: vec![JPEG_LOSSLESS.to_owned(), EXPLICIT.to_owned()],
    }
}

fn codes(response: &RegistryResponse) -> Vec<&str> {
    let errors = response.errors.iter();
    errors.map(|error| error.code.as_str()).collect()
}

async fn come_byte_for_byte(site: Site) {
    phantoms(&site.dicom());
    site.import(&site.dicom()).await;
    let images = images(&site.dicom());
    let (response, got) = site.retrieve(&all(&images)).await;
    assert_eq!(response, RegistryResponse::success(Vec::new()));
    assert_eq!(got.len(), images.len());
    for (uid, sha256) in &got {
        assert_eq!(*sha256, images[uid].sha256, "{uid}");
    }
    // One record for each patient.
    let mut records = site.records();
    records.sort();
    let transferred =
        |patient: &str| format!("RAD-69 DICOM Instances Transferred 0 {patient}^^^&1.2.3.7&ISO");
    assert_eq!(
        records,
        ["HIL-1001", "HIL-1002", "HIL-1003"].map(transferred)
    );
}

#[tokio::test]
async fn instances_come_byte_for_byte() {
    come_byte_for_byte(Site::open().await).await;
}

#[tokio::test]
async fn and_by_mutual_tls() {
    come_byte_for_byte(Site::secure().await).await;
}

#[tokio::test]
async fn what_is_not_here_does_not_keep_the_rest_back() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    site.import(&site.dicom()).await;
    let images = images(&phantoms[0].folder);
    let (uid, image) = images.iter().next().unwrap();
    let (study, series) = (image.study.as_str(), image.series.as_str());
    let asked = request(study, series, &[UNKNOWN, uid], &[EXPLICIT]);
    let (response, got) = site.retrieve(&asked).await;
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    assert_eq!(codes(&response), ["XDSDocumentUniqueIdError"]);
    assert_eq!(response.errors[0].location.as_deref(), Some(UNKNOWN));
    let named = format!("{study}:{series}:{UNKNOWN}");
    assert!(response.errors[0].context.contains(&named), "{response:?}");
    assert_eq!(got, [(uid.clone(), image.sha256.clone())]);
    let mut records = site.records();
    records.sort();
    let of_anna = |outcome: u8| {
        format!("RAD-69 DICOM Instances Transferred {outcome} HIL-1001^^^&1.2.3.7&ISO")
    };
    assert_eq!(records, [of_anna(0), of_anna(8)]);
}

#[tokio::test]
async fn an_instance_is_only_where_it_belongs() {
    let site = Site::open().await;
    phantoms(&site.dicom());
    site.import(&site.dicom()).await;
    let images = images(&site.dicom());
    let (uid, image) = images.iter().next().unwrap();
    let stranger = images.values().find(|it| it.study != image.study).unwrap();
    let (study, series) = (image.study.as_str(), image.series.as_str());
    for (study, series, uid, code) in [
        (
            study,
            stranger.series.as_str(),
            uid.as_str(),
            "XDSDocumentUniqueIdError",
        ),
        (&stranger.study, series, uid, "XDSDocumentUniqueIdError"),
        (
            &stranger.study,
            &stranger.series,
            uid,
            "XDSDocumentUniqueIdError",
        ),
        (UNKNOWN, series, uid, "XDSDocumentUniqueIdError"),
        ("../import", series, uid, "XDSDocumentUniqueIdError"),
        (
            study,
            series,
            "../../etc/passwd",
            "XDSDocumentUniqueIdError",
        ),
        ("", series, uid, "XDSRepositoryError"),
        (study, "", uid, "XDSRepositoryError"),
    ] {
        let (response, got) = site
            .retrieve(&request(study, series, &[uid], &[EXPLICIT]))
            .await;
        assert_eq!(response.status, ResponseStatus::Failure);
        assert_eq!(codes(&response), [code], "{study}:{series}:{uid}");
        assert!(got.is_empty());
    }
    let mut elsewhere = request(study, series, &[uid], &[EXPLICIT]);
    elsewhere.studies[0].series[0].documents[0].repository_unique_id = "1.2.3.98".into();
    let (response, _) = site.retrieve(&elsewhere).await;
    assert_eq!(codes(&response), ["XDSUnknownRepositoryId"]);
    assert_eq!(response.errors[0].location.as_deref(), Some(uid.as_str()));
}

#[tokio::test]
async fn only_transfer_syntaxes_that_were_asked_for() {
    let site = Site::open().await;
    let folder = site.dicom();
    fs::create_dir(&folder).unwrap();
    let stored = [("2.25.1.1.1", EXPLICIT), ("2.25.1.1.2", JPEG_LOSSLESS)];
    for (instance, syntax) in stored {
        let made = Made {
            syntax,
            study: "2.25.1",
            series: "2.25.1.1",
            instance,
            patient: "P-1",
            pixels: 100,
        };
        fs::write(folder.join(instance), made.bytes()).unwrap();
    }
    site.import_one(&folder).await;
    let uids = stored.map(|(uid, _)| uid);
    let asked = |syntaxes: &[&str]| request("2.25.1", "2.25.1.1", &uids, syntaxes);
    let (response, got) = site.retrieve(&asked(&[JPEG_LOSSLESS, EXPLICIT])).await;
    assert_eq!((response.status, got.len()), (ResponseStatus::Success, 2));
    // It has no pixels that could be compressed.
    let (response, got) = site.retrieve(&asked(&["1.2.840.10008.1.2.5"])).await;
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(codes(&response), ["XDSRepositoryError"; 2]);
    assert!(response.errors[0].context.contains("cannot be given in"));
    assert!(got.is_empty());
    for none in [&["1.2.840.10008.1.2.4.94"][..], &[]] {
        let (response, got) = site.retrieve(&asked(none)).await;
        assert_eq!(response.status, ResponseStatus::Failure);
        assert_eq!(codes(&response), ["XDSRepositoryError"; 2]);
        assert!(got.is_empty());
    }
}

/// What a consumer cannot read as it is stored is converted, and loses nothing.
#[tokio::test]
async fn what_is_stored_otherwise_is_converted() {
    const RLE: &str = "1.2.840.10008.1.2.5";
    const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
    let site = Site::open().await;
    let drawn = phantoms(&site.folder.path().join("drawn"));
    let folder = site.dicom();
    fs::create_dir(&folder).unwrap();
    for (number, image) in images(&drawn[2].folder).values().enumerate() {
        let mut out = fs::File::create(folder.join(format!("{number}"))).unwrap();
        transcode::transcode(&image.path, RLE, &mut out).unwrap();
    }
    site.import_one(&folder).await;
    let originals = images(&drawn[2].folder);
    let image = originals.values().next().unwrap();
    let uids: Vec<&str> = originals.keys().map(String::as_str).collect();
    for wanted in [EXPLICIT, DEFLATED] {
        let asked = request(&image.study, &image.series, &uids, &[wanted]);
        let client = &site.client;
        let answer = client.send::<RetrieveImagingDocumentSet>(&site.imaging, &asked, Vec::new());
        let mut answer = answer.await.unwrap();
        assert_eq!(
            answer.response.registry_response.status,
            ResponseStatus::Success
        );
        let mut got = 0;
        while let Some(attachment) = answer.attachments.next().await.unwrap() {
            let bytes = attachment.collect(1 << 24).await.unwrap();
            let got_file = site.folder.path().join("got");
            fs::write(&got_file, &bytes).unwrap();
            let read = file::read(&got_file).unwrap();
            assert_eq!(read.transfer_syntax_uid.as_str(), wanted);
            let original = &originals[read.sop_instance_uid.as_str()];
            let pixels = |path: &Path| transcode::frame(path, 1).unwrap().bytes;
            assert_eq!(pixels(&got_file), pixels(&original.path));
            got += 1;
        }
        assert_eq!(got, originals.len());
    }
}

#[tokio::test]
async fn files_that_are_no_longer_what_they_were_are_told() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    site.import(&site.dicom()).await;
    let images = images(&phantoms[0].folder);
    let mut paths = images.values().map(|it| &it.path);
    later();
    fs::remove_file(paths.next().unwrap()).unwrap();
    let changed = paths.next().unwrap();
    let bytes = fs::read(changed).unwrap();
    fs::write(changed, bytes).unwrap();
    let (response, got) = site.retrieve(&all(&images)).await;
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    assert_eq!(codes(&response), ["XDSRepositoryError"; 2]);
    let contexts: Vec<_> = response
        .errors
        .iter()
        .map(|it| it.context.as_str())
        .collect();
    assert!(contexts[0].contains("not where it was"), "{contexts:?}");
    assert!(contexts[1].contains("has changed"), "{contexts:?}");
    let locations = response
        .errors
        .iter()
        .map(|it| it.location.as_ref().unwrap());
    assert!(locations.eq(images.keys().take(2)));
    assert_eq!(got.len(), images.len() - 2);
}

/// A gateway asks with the community in each request, and needs it in each answer.
#[tokio::test]
async fn ids_are_answered_as_they_were_asked() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    site.import_one(&phantoms[3].folder).await;
    let images = images(&phantoms[3].folder);
    let mut asked = all(&images);
    let document = &mut asked.studies[0].series[0].documents[0];
    document.home_community_id = Some("urn:oid:1.2.3".into());
    let document = document.clone();
    let client = &site.client;
    let answer = client.send::<RetrieveImagingDocumentSet>(&site.imaging, &asked, Vec::new());
    let mut answer = answer.await.unwrap();
    assert_eq!(
        answer.header.action,
        RetrieveImagingDocumentSet::RESPONSE_ACTION
    );
    let answered = &answer.response.documents[0];
    assert_eq!(answered.home_community_id, document.home_community_id);
    assert_eq!(answered.repository_unique_id, document.repository_unique_id);
    assert_eq!(answered.document_unique_id, document.document_unique_id);
    while let Some(attachment) = answer.attachments.next().await.unwrap() {
        attachment.collect(1 << 24).await.unwrap();
    }
}
