//! QIDO-RS: what is found, how it is described, and what is wrong with a question.

use serde_json::Value;

use crate::site::{File, JSON, Site, text, values};

async fn found(site: &Site, path: &str) -> Vec<Value> {
    let answer = site.get(&format!("/dicom-web{path}"), JSON).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.content_type, JSON);
    answer.json().as_array().unwrap().clone()
}

async fn uids(site: &Site, path: &str, tag: &str) -> Vec<String> {
    let found = found(site, path).await;
    found.iter().map(|it| text(it, tag)).collect()
}

const STUDY: &str = "0020000D";
const SERIES: &str = "0020000E";
const INSTANCE: &str = "00080018";

/// A site with all phantoms.
async fn everything() -> (Site, Vec<Vec<File>>) {
    let site = Site::open().await;
    let phantoms = site.phantoms();
    for files in &phantoms {
        site.take(files).await;
    }
    (site, phantoms)
}

fn of(file: &File) -> String {
    file.instance.study_instance_uid.to_string()
}

#[tokio::test]
async fn studies_are_found_by_what_is_known_of_them() {
    let (site, phantoms) = everything().await;
    let all = uids(&site, "/studies", STUDY).await;
    assert_eq!(
        all,
        phantoms.iter().map(|it| of(&it[0])).collect::<Vec<_>>()
    );
    for files in &phantoms {
        let file = &files[0];
        let (patient, facts) = (&file.instance.patient, &file.instance.study);
        let mine = of(file);
        let name = patient.name.clone().unwrap();
        let (family, given) = name.split_once('^').unwrap();
        let first_letters: String = given.chars().take(2).collect();
        let date = facts.date.clone().unwrap();
        for query in [
            format!("StudyInstanceUID={mine}"),
            format!("0020000D={mine},1.2.3"),
            format!("StudyInstanceUID=1.2.3%5C{mine}"),
            format!("PatientID={}&StudyDate={date}", patient.id.clone().unwrap()),
            format!(
                "PatientName={}*&StudyInstanceUID={mine}",
                family.to_uppercase()
            ),
            format!("PatientName=*{first_letters}*&StudyDate=-{date}&StudyInstanceUID={mine}"),
            format!(
                "PatientName={first_letters}+{}&fuzzymatching=true&StudyInstanceUID={mine}",
                family.to_lowercase()
            ),
            format!("StudyDate={date}-{date}&0020000d={mine}&PatientSex="),
        ] {
            let found = uids(&site, &format!("/studies?{query}"), STUDY).await;
            assert_eq!(found, [mine.as_str()], "{query}");
        }
        for query in [
            format!("StudyInstanceUID={mine}&PatientID=nobody"),
            format!("StudyInstanceUID={mine}&StudyDate=19000101-19001231"),
            format!("StudyInstanceUID={mine}&PatientName={family}"),
            format!("StudyInstanceUID={mine}&ModalitiesInStudy=XX"),
        ] {
            let found = uids(&site, &format!("/studies?{query}"), STUDY).await;
            assert!(found.is_empty(), "{query}");
        }
    }
}

#[tokio::test]
async fn a_study_is_described_as_part_18_has_it() {
    let (site, phantoms) = everything().await;
    for files in &phantoms {
        let file = &files[0];
        let found = found(&site, &format!("/studies?StudyInstanceUID={}", of(file))).await;
        let study = &found[0];
        let url = format!("{}{}", site.server, file.study_url());
        let series: std::collections::BTreeSet<_> = files
            .iter()
            .map(|it| it.instance.series_instance_uid.clone())
            .collect();
        for (tag, value) in [
            ("00080005", "ISO_IR 192".to_owned()),
            ("00080020", file.instance.study.date.clone().unwrap()),
            ("00080030", file.instance.study.time.clone().unwrap()),
            ("00080056", "ONLINE".to_owned()),
            ("00081190", url),
            ("00100020", file.instance.patient.id.clone().unwrap()),
            ("00201206", series.len().to_string()),
            ("00201208", files.len().to_string()),
        ] {
            assert_eq!(text(study, tag), value, "{tag}");
        }
        for tag in [
            "00080050", "00080061", "00080090", "00100010", "00100030", "00100040", "00200010",
        ] {
            assert!(study[tag]["vr"].is_string(), "{tag}");
        }
        let name = &values(study, "00100010")[0]["Alphabetic"];
        assert_eq!(name.as_str(), file.instance.patient.name.as_deref());
        let modality = file.instance.series.modality.clone().unwrap();
        assert!(
            values(study, "00080061")
                .iter()
                .any(|it| *it == modality.as_str())
        );
    }
}

#[tokio::test]
async fn series_and_instances_are_found_everywhere_and_within() {
    let (site, phantoms) = everything().await;
    let files = &phantoms[0];
    let study = of(&files[0]);
    let instances = uids(&site, &format!("/studies/{study}/instances"), INSTANCE).await;
    let mut expected: Vec<String> = files
        .iter()
        .map(|it| it.instance.sop_instance_uid.to_string())
        .collect();
    let (mut sorted, mut everywhere) = (instances.clone(), Vec::new());
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
    for files in &phantoms {
        everywhere.extend(
            files
                .iter()
                .map(|it| it.instance.sop_instance_uid.to_string()),
        );
    }
    assert_eq!(
        uids(&site, "/instances", INSTANCE).await.len(),
        everywhere.len()
    );

    let one = &files[0];
    let series = &one.instance.series_instance_uid;
    let path = format!("/studies/{study}/series?SeriesInstanceUID={series}");
    let found = found(&site, &path).await;
    assert_eq!(text(&found[0], SERIES), series.as_str());
    assert_eq!(
        text(&found[0], "00080060"),
        one.instance.series.modality.clone().unwrap()
    );
    assert_eq!(
        text(&found[0], "00081190"),
        format!("{}{}", site.server, one.series_url())
    );
    assert!(
        values(&found[0], "00100020").is_empty(),
        "the study was asked for"
    );
    let count = files
        .iter()
        .filter(|it| it.instance.series_instance_uid == *series)
        .count();
    assert_eq!(text(&found[0], "00201209"), count.to_string());

    let everywhere = self::found(&site, &format!("/series?SeriesInstanceUID={series}")).await;
    assert_eq!(
        text(&everywhere[0], "00100020"),
        one.instance.patient.id.clone().unwrap()
    );

    let uid = &one.instance.sop_instance_uid;
    let path = format!("/studies/{study}/series/{series}/instances?SOPInstanceUID={uid}");
    let found = self::found(&site, &path).await;
    assert_eq!(text(&found[0], INSTANCE), uid.as_str());
    assert_eq!(
        text(&found[0], "00080016"),
        one.instance.sop_class_uid.as_str()
    );
    assert_eq!(
        text(&found[0], "00081190"),
        format!("{}{}", site.server, one.url())
    );
    if let Some(size) = one.instance.size {
        assert_eq!(text(&found[0], "00280010"), size.rows.to_string());
        assert_eq!(text(&found[0], "00280011"), size.columns.to_string());
    }
    let path = format!("/studies/1.2.3/series/{series}/instances");
    assert!(self::found(&site, &path).await.is_empty());
}

#[tokio::test]
async fn results_come_in_pages() {
    let (site, phantoms) = everything().await;
    let study = of(&phantoms[0][0]);
    let path = format!("/studies/{study}/instances");
    let all = uids(&site, &path, INSTANCE).await;
    assert!(all.len() > 3, "{}", all.len());
    let mut paged = Vec::new();
    loop {
        let url = format!("/dicom-web{path}?limit=3&offset={}", paged.len());
        let answer = site.get(&url, JSON).await;
        let page: Vec<String> = answer
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|it| text(it, INSTANCE))
            .collect();
        let more = answer.warnings.contains("additional results");
        assert_eq!(
            more,
            paged.len() + page.len() < all.len(),
            "{}",
            answer.warnings
        );
        assert!(
            !more
                || answer
                    .warnings
                    .starts_with(&format!("299 {}/dicom-web ", site.server))
        );
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
    // Who wants nothing gets nothing, and hears that there is more.
    let none = site.get("/dicom-web/studies?limit=0", JSON).await;
    assert_eq!(none.status, 200);
    assert_eq!(none.json().as_array().unwrap().len(), 0);
    assert!(none.warnings.contains("additional results"));
    // The same if the names have to be looked at one by one.
    let all = uids(&site, "/studies?PatientName=*", STUDY).await;
    let mut paged = Vec::new();
    for offset in 0..all.len() + 1 {
        let path = format!("/studies?StudyTime=-235959&limit=1&offset={offset}");
        paged.extend(uids(&site, &path, STUDY).await);
    }
    assert_eq!(paged, all);
}

#[tokio::test]
async fn fields_are_included_on_demand() {
    let (site, phantoms) = everything().await;
    let study = of(&phantoms[0][0]);
    let path = format!("/studies/{study}/instances?limit=1");
    let one = found(&site, &path).await;
    assert!(values(&one[0], "00083002").is_empty());
    for wanted in [
        "includefield=all",
        "includefield=AvailableTransferSyntaxUID",
        "includefield=00100010,00083002",
        "includefield=00100010&includefield=00083002",
    ] {
        let one = found(&site, &format!("{path}&{wanted}")).await;
        let syntax = phantoms[0][0].instance.transfer_syntax_uid.as_str();
        assert_eq!(text(&one[0], "00083002"), syntax, "{wanted}");
    }
}

#[tokio::test]
async fn a_wrong_question_is_refused_by_name_and_an_unsupported_key_is_told() {
    let (site, _) = everything().await;
    for (query, named) in [
        ("StudyDate=yesterday", "StudyDate: it is no date"),
        ("StudyTime=10:30", "StudyTime: it is no time"),
        (
            "StudyInstanceUID=x",
            "StudyInstanceUID: it is no list of UIDs",
        ),
        ("NoSuchThing=1", "NoSuchThing: there is no attribute"),
        (
            "includefield=NoSuchThing",
            "includefield: there is no attribute",
        ),
        ("limit=many", "limit: it is no number"),
        ("offset=-1", "offset: it is no number"),
        ("limit=1&limit=2", "limit: it is there more than once"),
        (
            "PatientID=A&PatientID=B",
            "PatientID: it is there more than once",
        ),
        (
            "fuzzymatching=perhaps",
            "fuzzymatching: it is true or false",
        ),
        (
            "Patient%00Name%22=1",
            "Patient?Name?: there is no attribute",
        ),
        ("PatientName=%ff", "not UTF-8"),
    ] {
        let answer = site.get(&format!("/dicom-web/studies?{query}"), JSON).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.text().contains(named), "{query}: {}", answer.text());
    }
    for key in [
        "SOPInstanceUID=1.2",
        "00091001=x",
        "RequestAttributesSequence.RequestedProcedureID=1",
    ] {
        let answer = site.get(&format!("/dicom-web/studies?{key}"), JSON).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json().as_array().unwrap().len(), 4, "{key}");
        let name = key.split('=').next().unwrap();
        assert!(
            answer.warnings.contains(&format!("were ignored: {name}")),
            "{}",
            answer.warnings
        );
    }
    let answer = site
        .get("/dicom-web/studies", "application/dicom+xml")
        .await;
    assert_eq!(answer.status, 406);
    for accept in [
        "application/json",
        "*/*",
        "application/dicom+json;q=0.1, text/html",
    ] {
        assert_eq!(
            site.get("/dicom-web/studies", accept).await.status,
            200,
            "{accept}"
        );
    }
    let answer = site
        .get(
            "/dicom-web/studies?accept=application/dicom+json",
            "text/html",
        )
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn what_was_asked_is_recorded_before_it_is_answered() {
    let site = Site::open().await;
    site.get("/dicom-web/studies?PatientName=Doe*", JSON).await;
    site.get("/dicom-web/studies?StudyDate=x", JSON).await;
    assert_eq!(
        site.records(),
        ["RAD-129 Query 0 ", "110132 Security Alert 4 "]
    );
    let query = base64("/dicom-web/studies?PatientName=Doe*");
    let message = &site.messages()[0];
    assert!(message.contains(&query), "{message}");
    assert!(!site.messages()[1].contains("Doe"));
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test]
async fn json_is_compressed_for_who_can_read_it() {
    let (site, phantoms) = everything().await;
    let path = format!("/dicom-web/studies/{}/instances", of(&phantoms[0][0]));
    let plain = site.get(&path, JSON).await;
    let packed = site
        .ask("GET", &path, &[("accept-encoding", "br, gzip;q=0.5")])
        .await;
    assert_eq!(packed.body[..2], [0x1f, 0x8b]);
    assert!(packed.body.len() < plain.body.len() / 3);
    let refused = site
        .ask("GET", &path, &[("accept-encoding", "gzip;q=0")])
        .await;
    assert_eq!(refused.body, plain.body);
}

#[tokio::test]
async fn addresses_are_those_that_the_operator_gives() {
    let mut site = Site::open().await;
    let files = site.one_study().await;
    site.known_as("https://images.example/dicom-web").await;
    let found = found(&site, "/studies").await;
    let study = &files[0].instance.study_instance_uid;
    let url = format!("https://images.example/dicom-web/studies/{study}");
    assert_eq!(text(&found[0], "00081190"), url);
}
