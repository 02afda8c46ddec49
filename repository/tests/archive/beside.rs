//! Beside Orthanc: what it has is found, fetched when it is asked for, and gone when it is gone.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hilum_dicom::phantoms::Detail;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;

use crate::node::{EXPLICIT, Node, assert_same, data_set, request, studies, uids};
use crate::orthanc::Orthanc;

#[tokio::test(flavor = "multi_thread")]
async fn what_an_archive_has_is_found_and_fetched() {
    let Some(orthanc) = Orthanc::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let studies = studies(folder.path(), Detail::Small);
    let (first, of_first) = &studies[0];
    let of_anna: Vec<PathBuf> = [of_first.as_slice(), &studies[1].1].concat();
    orthanc.store(&of_anna).await;
    let node = Node::beside(vec![orthanc.config("PACS")]).await;
    node.until_listed(first.patient_id, uids(&of_anna)).await;

    // The manifest says what was measured, which only the metadata of the archive told.
    let entries = node.manifests(first.patient_id).await;
    let slots = format!("{entries:?}");
    for said in [
        "concept=103339001^Long Axis",
        "value=16",
        "KVP=120 kV",
        "sliceCount=8",
    ] {
        assert!(slots.contains(said), "{said}");
    }

    let (response, got, broken) = node.retrieve(&request(&of_anna, &[EXPLICIT])).await;
    assert_eq!(
        response.status,
        ResponseStatus::Success,
        "{:?}",
        response.errors
    );
    assert_eq!(broken, None);
    assert_same(&got, &of_anna);

    // Nothing of it is here.
    let here = node.folder.path().join("images/objects");
    let files = hilum_dicom::scan::files_below(&here).unwrap();
    assert_eq!(files, Vec::<PathBuf>::new());

    let records = node.records();
    let recorded = |what: &str| records.iter().filter(|it| it.starts_with(what)).count();
    assert!(recorded("RAD-129") > 0, "{records:?}");
    assert!(recorded("RAD-107") > 2, "{records:?}");
    assert_eq!(recorded("RAD-69"), 1, "{records:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_changes_is_followed() {
    let Some(mut orthanc) = Orthanc::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let studies = studies(folder.path(), Detail::Small);
    let (ct, of_ct) = &studies[0];
    let (mr, of_mr) = &studies[2];
    let (half, rest) = of_ct.split_at(4);
    orthanc.store(half).await;
    orthanc.store(of_mr).await;
    let node = Node::beside(vec![orthanc.config("PACS")]).await;
    node.until_listed(ct.patient_id, uids(half)).await;
    node.until_listed(mr.patient_id, uids(of_mr)).await;

    orthanc.store(rest).await;
    node.until_listed(ct.patient_id, uids(of_ct)).await;
    assert_eq!(node.manifests(ct.patient_id).await.len(), 1);

    let lost = uids(&of_ct[..1]);
    orthanc.delete("instances", &lost[0]).await;
    node.until_listed(ct.patient_id, uids(&of_ct[1..])).await;
    let (response, ..) = node.retrieve(&request(&of_ct[..1], &[EXPLICIT])).await;
    assert_eq!(response.errors[0].code, ErrorCode::DocumentUniqueIdError);

    // Down, nothing vanishes, however often it is asked.
    orthanc.stop();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(node.listed(mr.patient_id).await.len(), of_mr.len());
    let began = Instant::now();
    let (response, ..) = node.retrieve(&request(of_mr, &[EXPLICIT])).await;
    assert!(
        began.elapsed() < Duration::from_secs(12),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(response.errors.len(), of_mr.len());
    for error in &response.errors {
        assert_eq!(error.code, ErrorCode::RepositoryError);
        assert!(error.context.contains("archive PACS"), "{}", error.context);
    }
    orthanc.run().await;
    let (response, got, _) = node.retrieve(&request(of_mr, &[EXPLICIT])).await;
    assert_eq!(
        response.status,
        ResponseStatus::Success,
        "{:?}",
        response.errors
    );
    assert_same(&got, of_mr);

    // A study that is deleted is not found any more, and comes back if it comes back.
    orthanc
        .delete("studies", mr.study_instance_uid.as_str())
        .await;
    node.until_listed(mr.patient_id, Vec::new()).await;
    let (response, ..) = node.retrieve(&request(of_mr, &[EXPLICIT])).await;
    assert_eq!(response.status, ResponseStatus::Failure);
    orthanc.store(of_mr).await;
    node.until_listed(mr.patient_id, uids(of_mr)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_since_the_last_look_is_an_error_beside_the_others() {
    let Some(orthanc) = Orthanc::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let studies = studies(folder.path(), Detail::Small);
    let (ct, of_ct) = &studies[0];
    orthanc.store(of_ct).await;
    let mut config = orthanc.config("PACS");
    let node = Node::beside(vec![config.clone()]).await;
    node.until_listed(ct.patient_id, uids(of_ct)).await;
    drop(node);
    // Another node, which looks once.
    config.interval = Duration::from_secs(600);
    let node = Node::beside(vec![config]).await;
    node.until_listed(ct.patient_id, uids(of_ct)).await;
    // The last of them is told by the archive's list, the first by itself.
    for gone in [of_ct.len() - 1, 0] {
        orthanc
            .delete("instances", &uids(&of_ct[gone..=gone])[0])
            .await;
        let wanted = if gone == 0 { &of_ct[..2] } else { &of_ct[..] };
        let (response, got, broken) = node.retrieve(&request(wanted, &[EXPLICIT])).await;
        assert_eq!(broken, None);
        assert_eq!(response.status, ResponseStatus::PartialSuccess);
        assert_eq!(response.errors.len(), 1);
        assert_eq!(response.errors[0].code, ErrorCode::DocumentUniqueIdError);
        assert_eq!(got.len(), wanted.len() - 1);
        assert!(!data_set(&got[0].1).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_images_are_given_over_the_web() {
    let Some(orthanc) = Orthanc::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let studies = studies(folder.path(), Detail::Small);
    let (ct, of_ct) = &studies[0];
    orthanc.store(of_ct).await;
    let node = Node::beside(vec![orthanc.config("PACS")]).await;
    node.until_listed(ct.patient_id, uids(of_ct)).await;
    let study = format!("/dicom-web/studies/{}", ct.study_instance_uid);
    let (status, got) = node.instances(&study).await;
    assert_eq!(status, 200);
    assert_same(&got, of_ct);

    let (status, _, found) = node
        .get(&format!("{study}/metadata"), "application/dicom+json")
        .await;
    assert_eq!(status, 200);
    let found: serde_json::Value = serde_json::from_slice(&found).unwrap();
    let mut said: Vec<&str> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["00080018"]["Value"][0].as_str().unwrap())
        .collect();
    said.sort_unstable();
    let mut expected = uids(of_ct);
    expected.sort();
    assert_eq!(said, expected);
    assert_eq!(found[0]["00180060"]["Value"][0], 120);

    let first = hilum_dicom::instance::read(&of_ct[0]).unwrap();
    let (series, uid) = (first.series_instance_uid, first.sop_instance_uid);
    let instance = format!("{study}/series/{series}/instances/{uid}");
    let octets = "application/octet-stream";
    let (status, _, frame) = node.get(&format!("{instance}/frames/1"), octets).await;
    assert_eq!(status, 200);
    assert!(std::fs::read(&of_ct[0]).unwrap().ends_with(&frame));
    assert_eq!(frame.len(), 64 * 64 * 2);
    for path in [format!("{instance}/rendered"), format!("{study}/thumbnail")] {
        let (status, kind, image) = node.get(&path, "image/jpeg").await;
        assert_eq!((status, kind.as_str()), (200, "image/jpeg"), "{path}");
        assert!(image.starts_with(&[0xFF, 0xD8]));
    }
    let study = &ct.study_instance_uid;
    let wado =
        format!("/wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={uid}");
    let (status, _, image) = node.get(&wado, "image/jpeg").await;
    assert_eq!(status, 200);
    assert!(image.starts_with(&[0xFF, 0xD8]));
    let (status, _, file) = node
        .get(&format!("{wado}&contentType=application/dicom"), "*/*")
        .await;
    assert_eq!(status, 200);
    assert!(data_set(&file) == data_set(&std::fs::read(&of_ct[0]).unwrap()));

    // No file stays, and without the archive nothing is given.
    let fetched = node.folder.path().join("images/fetched/PACS");
    assert_eq!(std::fs::read_dir(fetched).unwrap().count(), 0);
    drop(orthanc);
    let study = format!("/dicom-web/studies/{study}");
    for path in [&study, &format!("{study}/metadata"), &instance] {
        let (status, _, text) = node.get(path, "*/*").await;
        assert_eq!(status, 502, "{path}");
        assert!(String::from_utf8_lossy(&text).contains("archive PACS"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_instances_are_converted_for_who_cannot_read_them() {
    const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
    const IMPLICIT: &str = "1.2.840.10008.1.2";
    const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";
    let Some(orthanc) = Orthanc::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let studies = studies(folder.path(), Detail::Small);
    let (ct, of_ct) = &studies[0];
    orthanc.store(of_ct).await;
    let node = Node::beside(vec![orthanc.config("PACS")]).await;
    node.until_listed(ct.patient_id, uids(of_ct)).await;
    let (response, got, broken) = node.retrieve(&request(of_ct, &[IMPLICIT])).await;
    assert_eq!(response.status, ResponseStatus::Success);
    assert_eq!((broken, got.len()), (None, of_ct.len()));
    for (_, bytes) in &got {
        let file = hilum_dicom::walk::whole(bytes).unwrap();
        assert_eq!(file.transfer_syntax_uid, IMPLICIT);
    }
    // Without loss there is no such thing.
    let (response, ..) = node.retrieve(&request(of_ct, &[JPEG_BASELINE])).await;
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(response.errors.len(), of_ct.len());
    let study = format!("/dicom-web/studies/{}", ct.study_instance_uid);
    let first = hilum_dicom::instance::read(&of_ct[0]).unwrap();
    let (series, uid) = (first.series_instance_uid, first.sop_instance_uid);
    let instance = format!("{study}/series/{series}/instances/{uid}");
    let accept = format!("application/dicom; transfer-syntax={DEFLATED}");
    let (status, _, bytes) = node.get(&instance, &accept).await;
    assert_eq!(status, 200);
    let file = hilum_dicom::walk::whole(&bytes).unwrap();
    assert_eq!(file.transfer_syntax_uid, DEFLATED);
    let fetched = node.folder.path().join("images/fetched/PACS");
    assert_eq!(std::fs::read_dir(fetched).unwrap().count(), 0);
}
