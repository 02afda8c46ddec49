//! Archives that are slow, broken or hostile: nothing of it reaches whoever asks us, nor the index.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hilum_dicom::phantoms::Detail;
use hilum_dicom::{instance, json, walk};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;

use crate::node::{EXPLICIT, Node, assert_same, request, studies, uids};
use crate::pretended::{self, Does, Pretended, answer, multipart};

/// A study as a pretended archive has it.
#[derive(Clone)]
struct Study {
    uid: String,
    patient: String,
    files: Vec<PathBuf>,
    contents: Arc<Vec<Vec<u8>>>,
}

impl Study {
    fn of(folder: &std::path::Path) -> Self {
        let (study, files) = studies(folder, Detail::Small).swap_remove(0);
        let contents = files.iter().map(|file| std::fs::read(file).unwrap());
        Self {
            uid: study.study_instance_uid.to_string(),
            patient: study.patient_id.to_owned(),
            contents: Arc::new(contents.collect()),
            files,
        }
    }

    fn listed(&self) -> Vec<Does> {
        let (uid, count) = (&self.uid, self.files.len());
        pretended::json(&format!(
            r#"[{{"0020000D":{{"vr":"UI","Value":["{uid}"]}},
            "00080020":{{"vr":"DA","Value":["20260101"]}},
            "00201208":{{"vr":"IS","Value":[{count}]}}}}]"#
        ))
    }

    fn series(&self) -> Vec<Does> {
        let (first, count) = (instance::read(&self.files[0]).unwrap(), self.files.len());
        let uid = first.series_instance_uid;
        pretended::json(&format!(
            r#"[{{"0020000E":{{"vr":"UI","Value":["{uid}"]}},
            "00201209":{{"vr":"IS","Value":[{count}]}}}}]"#
        ))
    }

    fn metadata(&self) -> Vec<Does> {
        let of = |content: &Vec<u8>| {
            let file = walk::whole(content).unwrap();
            json::metadata(&file, &|_| "http://127.0.0.1/bulk".to_owned())
        };
        let all: Vec<String> = self.contents.iter().map(of).collect();
        pretended::json(&format!("[{}]", all.join(",")))
    }

    /// The number of the instance that a path names.
    fn number(&self, path: &str) -> Option<usize> {
        let uids = uids(&self.files);
        uids.iter()
            .position(|uid| path.ends_with(&format!("/{uid}")))
    }

    /// What an archive does that is as it should be.
    fn does(&self, path: &str) -> Vec<Does> {
        match path {
            _ if path.starts_with("/studies?") && path.contains("offset=0") => self.listed(),
            _ if path.starts_with("/studies?StudyInstanceUID") => self.listed(),
            _ if path.contains("/series?") && path.ends_with("offset=0") => self.series(),
            _ if path.ends_with("/metadata") => self.metadata(),
            _ => match self.number(path) {
                Some(number) => multipart(&[&self.contents[number]]),
                None => pretended::json("[]"),
            },
        }
    }
}

/// A node beside an archive that is as it should be until `turned`, and then does what `does` says.
async fn turning(
    study: &Study,
    does: impl Fn(&Study, &str) -> Option<Vec<Does>> + Send + Sync + 'static,
) -> Node {
    let turned = Arc::new(AtomicBool::new(false));
    let (is_turned, here) = (Arc::clone(&turned), study.clone());
    let archive = Pretended::start(move |path| {
        let now = is_turned.load(Ordering::Relaxed).then(|| does(&here, path));
        now.flatten().unwrap_or_else(|| here.does(path))
    });
    let node = Node::beside(vec![archive.await.config("PACS")]).await;
    node.until_listed(&study.patient, uids(&study.files)).await;
    turned.store(true, Ordering::Relaxed);
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_than_asked_is_not_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let study = Study::of(folder.path());
    // The second one is given as the last one.
    let node = turning(&study, |study, path| {
        (study.number(path) == Some(1)).then(|| multipart(&[study.contents.last().unwrap()]))
    })
    .await;
    let (response, got, broken) = node
        .retrieve(&request(&study.files[..3], &[EXPLICIT]))
        .await;
    assert_eq!(broken, None);
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    assert_eq!(response.errors[0].code, ErrorCode::RepositoryError);
    assert!(response.errors[0].context.contains("another instance"));
    assert_same(&got, &[study.files[0].clone(), study.files[2].clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_after_the_answer_has_begun_breaks_it_off() {
    let folder = tempfile::tempdir().unwrap();
    let study = Study::of(folder.path());
    // The last one, of which the list says that it is there, is another one.
    let node = turning(&study, |study, path| {
        let last = study.files.len() - 1;
        (study.number(path) == Some(last)).then(|| multipart(&[&study.contents[0]]))
    })
    .await;
    let (response, got, broken) = node.retrieve(&request(&study.files, &[EXPLICIT])).await;
    assert_eq!(response.status, ResponseStatus::Success);
    assert!(broken.is_some());
    // What had come until then may be on its way still.
    assert!(got.len() >= 4 && got.len() < study.files.len());
    assert_same(&got, &study.files[..got.len()]);
    let records = node.records();
    let last = records.iter().rfind(|it| it.starts_with("RAD-107"));
    assert!(!last.unwrap().contains("Success"), "{records:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_only_dribbles_is_passed_on_as_it_comes_or_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let study = Study::of(folder.path());
    // The names come in time, the rest later than the archive has for its beginning.
    let node = turning(&study, |study, path| {
        let number = study.number(path)?;
        let Does::Send(all) = multipart(&[&study.contents[number]]).swap_remove(0) else {
            return None;
        };
        if number == 1 {
            return Some(vec![Does::Wait(Duration::from_secs(60))]);
        }
        let (names, rest) = all.split_at(5000);
        Some(vec![
            Does::Send(names.to_vec()),
            Does::Wait(Duration::from_secs(4)),
            Does::Send(rest.to_vec()),
        ])
    })
    .await;
    let began = Instant::now();
    let (response, got, broken) = node
        .retrieve(&request(&study.files[..2], &[EXPLICIT]))
        .await;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(broken, None);
    assert_eq!(response.errors.len(), 1);
    assert!(response.errors[0].context.contains("within 3 seconds"));
    assert_same(&got, &study.files[..1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_cannot_be_true_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let study = Study::of(folder.path());
    let html = || answer("200 OK", "text/html", b"<html>please log in</html>");
    let endless = || {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\n\r\n[{\"0020000D\":\"";
        let piece = vec![b'1'; 1 << 20];
        vec![Does::Send(head.into()), Does::Repeat(piece, 100_000)]
    };
    let kinds: [Box<dyn Fn() -> Vec<Does> + Send + Sync>; 7] = [
        Box::new(html),
        Box::new(endless),
        Box::new(|| pretended::json(&"[".repeat(1 << 20))),
        Box::new(|| pretended::json(&format!("[{}", "{\"0020000D\":{\"Value\":[".repeat(50_000)))),
        Box::new(|| pretended::json("[{\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"../../etc\"]}}]")),
        Box::new(|| answer("503 Busy", "text/plain", b"")),
        Box::new(|| answer("200 OK", "application/dicom+json", b"")),
    ];
    let turn = Arc::new(AtomicUsize::new(usize::MAX));
    let (at, here) = (Arc::clone(&turn), study.clone());
    let archive = Pretended::start(move |path| match kinds.get(at.load(Ordering::Relaxed)) {
        Some(kind) if !path.contains("StudyInstanceUID") => kind(),
        _ => here.does(path),
    })
    .await;
    let node = Node::beside(vec![archive.config("PACS")]).await;
    node.until_listed(&study.patient, uids(&study.files)).await;
    for kind in 0..7 {
        turn.store(kind, Ordering::Relaxed);
        let before = archive.asked.load(Ordering::Relaxed);
        let patience = Instant::now() + Duration::from_secs(30);
        while archive.asked.load(Ordering::Relaxed) < before + 4 {
            assert!(
                Instant::now() < patience,
                "the archive is not asked again ({kind})"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (response, got, _) = node.retrieve(&request(&study.files, &[EXPLICIT])).await;
        assert_eq!(response.status, ResponseStatus::Failure, "{kind}");
        assert!(got.is_empty());
    }
    assert_eq!(node.listed(&study.patient).await.len(), study.files.len());
    turn.store(usize::MAX, Ordering::Relaxed);
    let (_, got, _) = node.retrieve(&request(&study.files, &[EXPLICIT])).await;
    assert_same(&got, &study.files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_that_an_archive_lists_wrongly_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let study = Study::of(folder.path());
    // The list is empty, but who asks for the study is told that it is there; and its metadata has
    // fewer instances than are counted.
    let times = AtomicUsize::new(0);
    let node = turning(&study, move |study, path| match path {
        _ if path.contains("StudyInstanceUID") => None,
        _ if path.starts_with("/studies?") && times.fetch_add(1, Ordering::Relaxed) < 12 => {
            Some(pretended::json("[]"))
        }
        _ if path.ends_with("/metadata") => {
            let mut less = study.clone();
            less.contents = Arc::new(study.contents[..1].to_vec());
            Some(less.metadata())
        }
        _ if path.starts_with("/studies?") && path.contains("offset=0") => {
            let uid = &study.uid;
            Some(pretended::json(&format!(
                r#"[{{"0020000D":{{"vr":"UI","Value":["{uid}"]}},
                "00201208":{{"vr":"IS","Value":[{}]}}}}]"#,
                study.files.len() + 1
            )))
        }
        _ => None,
    })
    .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(node.listed(&study.patient).await.len(), study.files.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_an_archive_cannot_give_are_not_offered() {
    let folder = tempfile::tempdir().unwrap();
    let study = Study::of(folder.path());
    // One of them is described as of another kind, and is no file of DICOM.
    let bad = study.files.len() - 1;
    let here = study.clone();
    let archive = Pretended::start(move |path| match path {
        _ if path.ends_with("/metadata") => {
            let mut bad = here.clone();
            let last = bad.contents.len() - 1;
            let mut contents = bad.contents.to_vec();
            let tag = [0x28, 0, 0x10, 0, b'U', b'S', 2, 0];
            let at = contents[last].windows(8).position(|it| it == tag).unwrap();
            contents[last][at + 8] ^= 1;
            bad.contents = Arc::new(contents);
            bad.metadata()
        }
        _ if here.number(path) == Some(bad) => multipart(&[&vec![7; 5000]]),
        _ => here.does(path),
    });
    let node = Node::beside(vec![archive.await.config("PACS")]).await;
    node.until_listed(&study.patient, uids(&study.files[..bad]))
        .await;
    let some = &study.files[..3];
    let (_, got, _) = node.retrieve(&request(some, &[EXPLICIT])).await;
    assert_same(&got, some);
}
