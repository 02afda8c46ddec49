//! WADO-RS: instances, metadata, bulk data and frames, compared byte by byte.

use std::collections::BTreeMap;
use std::fs;

use hilum_dicom::transcode::transcode;
use hilum_dicom::walk::{self, Value as Kept};

use crate::site::{DICOM, File, JSON, OCTETS, Site, text, values};

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const RLE: &str = "1.2.840.10008.1.2.5";
const LOSSLESS: &str = "1.2.840.10008.1.2.4.70";

/// The bytes of a file's pixels, which are native.
fn pixels(bytes: &[u8]) -> Vec<u8> {
    let file = walk::whole(bytes).unwrap();
    match file
        .data
        .get(dicom_dictionary_std::tags::PIXEL_DATA)
        .unwrap()
        .1
    {
        Kept::Apart(apart) => {
            let from = usize::try_from(apart.offset).unwrap();
            bytes[from..from + usize::try_from(apart.length).unwrap()].to_vec()
        }
        Kept::Bytes(bytes) => bytes.clone(),
        other => panic!("{other:?}"),
    }
}

/// One image, which is here in this transfer syntax.
async fn stored_in(site: &Site, file: &File, syntax: &str) -> File {
    let path = site.folder.path().join(format!("in {syntax}.dcm"));
    let mut out = fs::File::create(&path).unwrap();
    transcode(&file.path, syntax, &mut out).unwrap();
    let file = File::of(&path);
    assert_eq!(file.instance.transfer_syntax_uid.as_str(), syntax);
    site.take(std::slice::from_ref(&file)).await;
    file
}

/// An image of the phantoms.
fn image(site: &Site) -> File {
    let mut files = site.phantoms().into_iter().flatten();
    files.find(|it| it.instance.size.is_some()).unwrap()
}

/// PS3.18 8.7.3: neither as it is stored nor converted.
#[tokio::test]
async fn implicit_vr_does_not_leave_even_if_it_is_named() {
    let site = Site::open().await;
    let file = stored_in(&site, &image(&site), IMPLICIT).await;
    let wanted = format!("application/dicom; transfer-syntax={IMPLICIT}");
    let answer = site.get(&file.url(), &wanted).await;
    assert_eq!(answer.status, 406, "{}", answer.text());
    let answer = site.get(&file.url(), DICOM).await;
    assert_eq!(answer.status, 200);
    let instance = &file.instance;
    let url = format!(
        "/wado?requestType=WADO&studyUID={}&seriesUID={}&objectUID={}\
         &contentType=application/dicom&transferSyntax={IMPLICIT}",
        instance.study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid
    );
    let answer = site.get(&url, "*/*").await;
    assert_eq!(answer.status, 200);
    let given = walk::whole(&answer.body).unwrap();
    assert_eq!(given.transfer_syntax_uid, EXPLICIT);
}

#[tokio::test]
async fn a_study_a_series_and_an_instance_come_as_they_are() {
    let site = Site::open().await;
    let files = site.one_study().await;
    let of_series: Vec<&File> = files
        .iter()
        .filter(|it| it.instance.series_instance_uid == files[0].instance.series_instance_uid)
        .collect();
    for (path, wanted) in [
        (files[0].study_url(), files.iter().collect::<Vec<_>>()),
        (files[0].series_url(), of_series),
        (files[0].url(), vec![&files[0]]),
    ] {
        let (status, parts) = site.parts(&path, DICOM).await;
        assert_eq!((status, parts.len()), (200, wanted.len()), "{path}");
        for part in &parts {
            let mut same = wanted
                .iter()
                .filter(|it| part.location.ends_with(&it.url()));
            let file = same.next().unwrap();
            assert!(part.bytes == file.bytes, "{path}");
            let kind = format!("application/dicom; transfer-syntax={EXPLICIT}");
            assert_eq!(part.content_type, kind);
        }
    }
    let one = site.get(&files[0].url(), "application/dicom").await;
    assert_eq!(one.status, 200);
    assert!(one.body == files[0].bytes);
    let patient = files[0].instance.patient.id.clone().unwrap();
    let expected = format!("RAD-107 DICOM Instances Transferred 0 {patient}^^^&1.2.3.7&ISO");
    assert_eq!(site.records(), vec![expected; 4]);
    let message = &site.messages()[0];
    let classes: BTreeMap<_, usize> = files.iter().fold(BTreeMap::new(), |mut all, file| {
        *all.entry(file.instance.sop_class_uid.to_string())
            .or_default() += 1;
        all
    });
    for (class, count) in classes {
        assert!(
            message.contains(&class) && message.contains(&format!("\"{count}\"")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn what_is_not_here_is_told_and_recorded() {
    let site = Site::open().await;
    let files = site.one_study().await;
    let study = files[0].study_url();
    let other = site.phantoms().remove(1).remove(0);
    for path in [
        "/dicom-web/studies/1.2.3".to_owned(),
        format!("{study}/series/1.2.3"),
        format!(
            "{study}/series/1.2.3/instances/{}",
            files[0].instance.sop_instance_uid
        ),
        format!("{}/instances/1.2.3", files[0].series_url()),
        other.study_url(),
        format!("{}/metadata", other.url()),
    ] {
        let answer = site.get(&path, "*/*").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.text().starts_with("there is no such "),
            "{}",
            answer.text()
        );
    }
    assert!(
        site.records()
            .iter()
            .all(|it| it == "RAD-107 DICOM Instances Transferred 8 "),
        "{:?}",
        site.records()
    );
    for (path, status) in [
        ("/dicom-web/studies/x".to_owned(), 400),
        (format!("{study}/series/"), 200),
        (format!("{study}/rendering"), 404),
        (format!("{}/frames/0", files[0].url()), 400),
    ] {
        assert_eq!(site.get(&path, "*/*").await.status, status, "{path}");
    }
    assert_eq!(site.get(&study, "application/dicom").await.status, 406);
    assert_eq!(site.get(&study, "image/png").await.status, 406);
}

#[tokio::test]
async fn a_missing_file_does_not_keep_the_others_back() {
    let site = Site::open().await;
    let files = site.one_study().await;
    let any = format!("{DICOM}; transfer-syntax=*");
    let objects = site.folder.path().join("images/objects");
    let gone = files[0].instance.sop_instance_uid.to_string();
    let mut removed = 0;
    for entry in walkdir(&objects) {
        if entry
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(&gone)
        {
            fs::remove_file(&entry).unwrap();
            removed += 1;
        }
    }
    assert_eq!(removed, 1);
    let (status, parts) = site.parts(&files[0].study_url(), &any).await;
    assert_eq!((status, parts.len()), (206, files.len() - 1));
    let records = site.records();
    assert!(
        records[0].starts_with("RAD-107 DICOM Instances Transferred 0 "),
        "{records:?}"
    );
    assert!(
        records[1].starts_with("RAD-107 DICOM Instances Transferred 8 "),
        "{records:?}"
    );
    let answer = site.get(&files[0].url(), "*/*").await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.text().contains("is not where it was"),
        "{}",
        answer.text()
    );
    let answer = site
        .get(&format!("{}/metadata", files[0].study_url()), JSON)
        .await;
    assert_eq!(answer.status, 206);
    assert!(
        answer.warnings.contains("1 instances cannot be given"),
        "{}",
        answer.warnings
    );
    assert_eq!(answer.json().as_array().unwrap().len(), files.len() - 1);
    let url = format!("{}/rendered", files[0].study_url());
    let answer = site
        .get(&url, "multipart/related; type=\"image/jpeg\"")
        .await;
    assert_eq!(answer.status, 206);
    assert!(
        answer.warnings.contains("1 instances cannot be given"),
        "{}",
        answer.warnings
    );
}

fn walkdir(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(walkdir(&path)),
            false => all.push(path),
        }
    }
    all
}

#[tokio::test]
async fn instances_are_converted_to_what_is_wanted() {
    for stored in [RLE, LOSSLESS, IMPLICIT] {
        let site = Site::open().await;
        let original = image(&site);
        let file = stored_in(&site, &original, stored).await;
        let wants = |syntax: &str| format!("{DICOM}; transfer-syntax={syntax}");
        // As it is stored, if anything will do; Implicit VR has no place on the web.
        let (_, parts) = site.parts(&file.url(), &wants("*")).await;
        let any = if stored == IMPLICIT { EXPLICIT } else { stored };
        assert!(
            parts[0].content_type.ends_with(any),
            "{}",
            parts[0].content_type
        );
        assert_eq!(parts[0].bytes == file.bytes, stored != IMPLICIT);
        for accept in [DICOM, "*/*", &wants(EXPLICIT)] {
            let (status, parts) = site.parts(&file.url(), accept).await;
            assert_eq!(status, 200);
            assert!(parts[0].content_type.ends_with(&format!("={EXPLICIT}")));
            let given = walk::whole(&parts[0].bytes).unwrap();
            assert_eq!(given.transfer_syntax_uid, EXPLICIT);
            assert!(
                pixels(&parts[0].bytes) == pixels(&original.bytes),
                "{stored} {accept}"
            );
        }
        let (_, parts) = site.parts(&file.url(), &wants(RLE)).await;
        assert_eq!(
            walk::whole(&parts[0].bytes).unwrap().transfer_syntax_uid,
            RLE
        );
        let answer = site
            .get(&file.url(), &wants("1.2.840.10008.1.2.4.50"))
            .await;
        assert_eq!(answer.status, 406);
        assert!(
            answer.text().contains("another transfer syntax"),
            "{}",
            answer.text()
        );
        let alone = format!("application/dicom; transfer-syntax={EXPLICIT}");
        let one = site.get(&file.url(), &alone).await;
        assert!(pixels(&one.body) == pixels(&original.bytes));
    }
}

#[tokio::test]
async fn metadata_says_what_instances_say_and_where_the_rest_is() {
    let site = Site::open().await;
    let files = site.one_study().await;
    for (path, count) in [(files[0].study_url(), files.len()), (files[0].url(), 1)] {
        let answer = site.get(&format!("{path}/metadata"), JSON).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (200, JSON));
        let all = answer.json().as_array().unwrap().clone();
        assert_eq!(all.len(), count, "{path}");
        let uids: Vec<String> = all.iter().map(|it| text(it, "00080018")).collect();
        for file in files.iter().take(count) {
            assert!(count == 1 || uids.contains(&file.instance.sop_instance_uid.to_string()));
        }
    }
    let image = files.iter().find(|it| it.instance.size.is_some()).unwrap();
    let answer = site
        .get(&format!("{}/metadata", image.url()), "application/json")
        .await;
    let one = &answer.json()[0];
    assert_eq!(
        text(one, "00280010"),
        image.instance.size.unwrap().rows.to_string()
    );
    let name = &values(one, "00100010")[0]["Alphabetic"];
    assert_eq!(name.as_str(), image.instance.patient.name.as_deref());
    // The address of the pixels leads to them.
    let uri = one["7FE00010"]["BulkDataURI"].as_str().unwrap();
    assert_eq!(
        uri,
        format!("{}{}/bulkdata/7FE00010", site.server, image.url())
    );
    let path = uri.strip_prefix(&site.server).unwrap();
    let (_, parts) = site.parts(path, OCTETS).await;
    let wanted = pixels(&image.bytes);
    assert!(parts[0].bytes == wanted);
    let plain = site.get(path, "*/*").await;
    assert_eq!(plain.content_type, "application/octet-stream");
    assert!(plain.body == wanted);
    assert_eq!(
        site.get(&format!("{}/bulkdata/00091010", image.url()), "*/*")
            .await
            .status,
        404
    );
    assert_eq!(site.get(path, "image/png").await.status, 406);
    assert_eq!(
        site.get(&format!("{}/metadata", image.url()), "text/xml")
            .await
            .status,
        406
    );
}

#[tokio::test]
async fn ranges_of_bulk_data_are_given() {
    let site = Site::open().await;
    let files = site.one_study().await;
    let image = files.iter().find(|it| it.instance.size.is_some()).unwrap();
    let path = format!("{}/bulkdata/7FE00010", image.url());
    let wanted = pixels(&image.bytes);
    for (range, status, from, to) in [
        ("bytes=10-19", 206, 10, 20),
        ("bytes=-7", 206, wanted.len() - 7, wanted.len()),
        ("bytes=0-", 206, 0, wanted.len()),
        ("pixels=0-1", 200, 0, wanted.len()),
    ] {
        let headers = [("accept", "application/octet-stream"), ("range", range)];
        let answer = site.ask("GET", &path, &headers).await;
        assert_eq!(answer.status, status, "{range}");
        assert!(answer.body == wanted[from..to], "{range}");
    }
    let headers = [("range", "bytes=99999999-")];
    assert_eq!(site.ask("GET", &path, &headers).await.status, 416);
}

#[tokio::test]
async fn frames_come_decoded_or_as_they_are_stored() {
    let site = Site::open().await;
    let original = image(&site);
    let pixels = pixels(&original.bytes);
    site.take(std::slice::from_ref(&original)).await;
    let path = format!("{}/frames/1", original.url());
    for accept in ["*/*", OCTETS, &format!("{OCTETS}; transfer-syntax=*")] {
        let (_, parts) = site.parts(&path, accept).await;
        assert_eq!(parts.len(), 1);
        assert!(parts[0].bytes == pixels, "{accept}");
        assert!(parts[0].location.ends_with(&path));
    }
    let one = site.get(&path, "application/octet-stream").await;
    assert!(one.body == pixels);
    assert_eq!(
        site.get(&format!("{}/frames/2", original.url()), "*/*")
            .await
            .status,
        404
    );
    assert_eq!(
        site.get(&path, "multipart/related; type=\"image/jpeg\"")
            .await
            .status,
        406
    );

    let site = Site::open().await;
    let file = stored_in(&site, &original, LOSSLESS).await;
    let (_, parts) = site.parts(&path, OCTETS).await;
    assert!(parts[0].bytes == pixels, "decoded");
    assert_eq!(parts[0].content_type, "application/octet-stream");
    for accept in [
        "multipart/related; type=\"image/jpeg\"".to_owned(),
        format!("multipart/related; type=\"image/jpeg\"; transfer-syntax={LOSSLESS}"),
        format!("{OCTETS}; transfer-syntax=*"),
    ] {
        let (_, parts) = site.parts(&path, &accept).await;
        assert!(
            parts[0]
                .content_type
                .ends_with(&format!("transfer-syntax={LOSSLESS}"))
        );
        let stream = &parts[0].bytes;
        assert_eq!(stream[..2], [0xff, 0xd8]);
        let within = file.bytes.windows(stream.len()).any(|it| it == stream);
        assert!(within, "as it is in the file");
    }
    // Compressed pixels are given frame by frame where the metadata says they are.
    let (_, parts) = site
        .parts(&format!("{}/bulkdata/7FE00010", file.url()), OCTETS)
        .await;
    assert!(parts.len() == 1 && parts[0].bytes == pixels);
}

#[tokio::test]
async fn a_report_has_no_frames() {
    let site = Site::open().await;
    let files = site.phantoms();
    let report = files
        .iter()
        .flatten()
        .find(|it| it.instance.size.is_none())
        .unwrap();
    site.take(std::slice::from_ref(report)).await;
    let answer = site.get(&format!("{}/frames/1", report.url()), "*/*").await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (404, "the object is no image\n")
    );
}

#[tokio::test]
async fn a_head_is_answered_without_content() {
    let site = Site::open().await;
    let files = site.one_study().await;
    for path in [
        files[0].study_url(),
        format!("{}/metadata", files[0].url()),
        "/dicom-web/studies".to_owned(),
    ] {
        let answer = site.ask("HEAD", &path, &[]).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
    assert_eq!(site.records().len(), 3);
}
