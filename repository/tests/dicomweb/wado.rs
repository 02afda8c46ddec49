//! WADO-URI.

use crate::site::{File, Site};

fn wado(file: &File, more: &str) -> String {
    let instance = &file.instance;
    format!(
        "/wado?requestType=WADO&studyUID={}&seriesUID={}&objectUID={}{more}",
        instance.study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid
    )
}

#[tokio::test]
async fn an_instance_comes_as_it_is() {
    let site = Site::open().await;
    let files = site.one_study().await;
    let answer = site
        .get(&wado(&files[0], "&contentType=application/dicom"), "*/*")
        .await;
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "application/dicom")
    );
    assert!(answer.body == files[0].bytes);
    let more = "&contentType=application%2Fdicom&transferSyntax=1.2.840.10008.1.2.4.50";
    let answer = site.get(&wado(&files[0], more), "*/*").await;
    assert!(
        answer.body == files[0].bytes,
        "what cannot be is Explicit VR Little Endian"
    );
    assert!(
        site.records()
            .iter()
            .all(|it| it.starts_with("RAD-55 DICOM Instances Transferred 0 "))
    );
}

#[tokio::test]
async fn what_is_unknown_mismatched_or_empty_is_refused() {
    let site = Site::open().await;
    let files = site.one_study().await;
    let other = site.phantoms().remove(1).remove(0);
    let good = wado(&files[0], "&contentType=application/dicom");
    let study = files[0].instance.study_instance_uid.as_str();
    let series = files[0].instance.series_instance_uid.as_str();
    for (from, to, status) in [
        (study, other.instance.study_instance_uid.as_str(), 404),
        (series, other.instance.series_instance_uid.as_str(), 404),
        (files[0].instance.sop_instance_uid.as_str(), "1.2.3", 404),
        (study, "", 400),
        (series, "", 400),
        (files[0].instance.sop_instance_uid.as_str(), "", 400),
        ("requestType=WADO", "requestType=WADA", 400),
        ("requestType=WADO&", "", 400),
        ("application/dicom", "text/plain", 406),
        ("application/dicom", "application/dicom&anonymize=yes", 400),
    ] {
        let path = good.replacen(from, to, 1);
        assert_eq!(site.get(&path, "*/*").await.status, status, "{from} {to}");
    }
    assert_eq!(site.ask("POST", &good, &[]).await.status, 405);
    let missing = site
        .records()
        .into_iter()
        .filter(|it| it == "RAD-55 DICOM Instances Transferred 8 ");
    assert_eq!(missing.count(), 3);
}
