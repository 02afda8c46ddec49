//! Beside Orthanc by DICOM's own protocol: C-FIND tells what there is, C-MOVE has it sent here.

use std::time::{Duration, Instant};

use hilum_dicom::phantoms::Detail;
use hilum_repository::imaging::archives;
use hilum_transport::Limits;
use tokio::net::TcpListener;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;

use crate::node::{EXPLICIT, Node, assert_alike, request, studies, uids};
use crate::orthanc::Orthanc;

#[tokio::test(flavor = "multi_thread")]
async fn what_an_archive_has_to_send_is_found_and_passed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let Some(mut orthanc) = Orthanc::start(&[("HILUM", port)]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // More than are asked for at one time.
    let mut studies = studies(folder.path(), Detail::Full);
    let (ct, of_ct) = studies.swap_remove(0);
    assert!(of_ct.len() > 32);
    orthanc.store(&of_ct).await;
    let limits = Limits::default();
    let checked = archives::check(orthanc.dimse("PACS"), None, &limits);
    checked.await.unwrap();
    let node = Node::beside(vec![orthanc.dimse("PACS")]).await;
    node.take_dicom(listener);
    node.until_listed(ct.patient_id, uids(&of_ct)).await;
    // C-FIND tells what study and series are, and not how they were made.
    let entries = node.manifests(ct.patient_id).await;
    let slots = format!("{entries:?}");
    assert!(slots.contains("CT thorax without contrast"));
    assert!(!slots.contains("KVP=120 kV"));

    let (response, got, broken) = node.retrieve(&request(&of_ct, &[EXPLICIT])).await;
    assert_eq!(
        response.status,
        ResponseStatus::Success,
        "{:?}",
        response.errors
    );
    assert_eq!(broken, None);
    assert_alike(&got, &of_ct);
    let study = format!("/dicom-web/studies/{}", ct.study_instance_uid);
    let (status, got) = node.instances(&study).await;
    assert_eq!(status, 200);
    assert_alike(&got, &of_ct);
    let first = &hilum_dicom::instance::read(&of_ct[0]).unwrap();
    let (series, uid) = (&first.series_instance_uid, &first.sop_instance_uid);
    let instance = format!("{study}/series/{series}/instances/{uid}");
    for (path, accept) in [
        ("metadata", "application/dicom+json"),
        ("rendered", "image/jpeg"),
    ] {
        let (status, kind, _) = node.get(&format!("{instance}/{path}"), accept).await;
        assert_eq!((status, kind.as_str()), (200, accept));
    }

    // Nothing of it stays, and nothing of it was taken in.
    let patience = Instant::now() + Duration::from_secs(10);
    let fetched = node.folder.path().join("images/fetched/PACS");
    while std::fs::read_dir(&fetched).unwrap().next().is_some() {
        assert!(Instant::now() < patience, "files of an archive stay");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let here = node.folder.path().join("images/objects");
    assert!(hilum_dicom::scan::files_below(&here).unwrap().is_empty());
    let records = node.records();
    for transaction in ["RAD-14 ", "RAD-16 ", "RAD-69 "] {
        assert!(
            records.iter().any(|it| it.starts_with(transaction)),
            "{records:?}"
        );
    }

    let gone = &uids(&of_ct[..1])[0];
    orthanc.delete("instances", gone).await;
    let (response, got, _) = node.retrieve(&request(&of_ct[..6], &[EXPLICIT])).await;
    assert_eq!(response.errors.len(), 1);
    assert_eq!(response.errors[0].code, ErrorCode::DocumentUniqueIdError);
    assert_alike(&got, &of_ct[1..6]);
    orthanc.stop();
    let (response, ..) = node.retrieve(&request(&of_ct[1..], &[EXPLICIT])).await;
    assert_eq!(response.status, ResponseStatus::Failure);
    assert!(response.errors[0].context.contains("archive PACS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_cannot_send_here_is_an_error_that_says_so() {
    // It does not know where HILUM is.
    let Some(orthanc) = Orthanc::start(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut studies = studies(folder.path(), Detail::Small);
    let (ct, of_ct) = studies.swap_remove(0);
    orthanc.store(&of_ct).await;
    let web = Node::beside(vec![orthanc.config("PACS")]).await;
    web.until_listed(ct.patient_id, uids(&of_ct)).await;
    // The same index, and another road.
    let mut config = orthanc.dimse("PACS");
    config.interval = Duration::from_secs(600);
    let node = web.again_beside(vec![config]).await;
    let began = Instant::now();
    let (response, got, _) = node.retrieve(&request(&of_ct[..2], &[EXPLICIT])).await;
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(response.status, ResponseStatus::Failure);
    assert!(got.is_empty());
    assert!(
        response.errors[0].context.contains("archive PACS"),
        "{:?}",
        response.errors
    );
}
