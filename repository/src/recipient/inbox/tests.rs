//! Submissions come, go, and outlive the process.

use std::fs;

use super::*;

fn slip(unique_id: &str, time: &str) -> Slip {
    Slip {
        format: FORMAT,
        unique_id: unique_id.to_owned(),
        time: time.to_owned(),
        metadata: sha1(b"<x/>"),
        ..Slip::default()
    }
}

fn open(folder: &Path, most: usize) -> Inbox {
    Inbox::open(
        &format!("file:{}", folder.display()),
        most,
        Vault::default(),
    )
    .unwrap()
}

async fn keep(inbox: &Inbox, slip: Slip) -> Keeping {
    let arriving = inbox.arrive("1.2.3").await.unwrap();
    let mut file = arriving.file("DOC00001.TXT");
    file.write("hello".into()).await.unwrap();
    let measured = file.close(arriving.place_of("DOC00001.TXT")).await.unwrap();
    assert_eq!(measured.hash, sha1(b"hello"));
    assert_eq!(measured.size, 5);
    let kept = inbox.keep(arriving, slip, "<x/>".to_owned()).await;
    kept.unwrap()
}

#[tokio::test]
async fn submissions_outlive_the_process_and_half_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(folder.path(), 10);
    assert_eq!(keep(&inbox, slip("1.3", "2026")).await, Keeping::Kept);
    assert_eq!(keep(&inbox, slip("1.2", "2025")).await, Keeping::Kept);
    // A process that dies leaves what it was receiving.
    let half = inbox.arrive("1.2.3").await.unwrap();
    drop(
        half.file("DOC00001.TXT")
            .close(half.place_of("DOC00001.TXT"))
            .await
            .unwrap(),
    );
    std::mem::forget(half);
    drop(inbox);
    let inbox = open(folder.path(), 10);
    let incoming = fs::read_dir(folder.path().join("incoming")).unwrap();
    assert_eq!(incoming.count(), 0);
    let (total, page) = inbox.list(0, 1);
    assert_eq!((total, page[0].unique_id.as_str()), (2, "1.2"));
    let (_, page) = inbox.list(1, 10);
    assert_eq!(page, [slip("1.3", "2026")]);
    let opened = inbox.open_submission("1.3".to_owned()).await.unwrap();
    let opened = opened.unwrap();
    assert_eq!(opened.metadata, b"<x/>");
    let document = fs::read(opened.folder.join("DOC00001.TXT")).unwrap();
    assert_eq!(document, b"hello");
    for unknown in ["1.4", "../lock", ""] {
        let opened = inbox.open_submission(unknown.to_owned()).await.unwrap();
        assert!(opened.is_none(), "{unknown}");
        assert!(inbox.delete(unknown.to_owned()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_submission_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(folder.path(), 2);
    assert_eq!(keep(&inbox, slip("1.2", "2025")).await, Keeping::Kept);
    let again = slip("1.2", "2026");
    assert_eq!(keep(&inbox, again.clone()).await, Keeping::SameAlready);
    let other = Slip {
        metadata: sha1(b"<y/>"),
        ..again
    };
    assert_eq!(keep(&inbox, other).await, Keeping::OtherAlready);
    assert_eq!(keep(&inbox, slip("1.3", "2025")).await, Keeping::Kept);
    assert_eq!(keep(&inbox, slip("1.4", "2025")).await, Keeping::Full);
    assert!(inbox.has_room().is_err());
    let gone = inbox.delete("1.2".to_owned()).await.unwrap();
    assert_eq!(gone, Some(slip("1.2", "2025")));
    let left = fs::read_dir(folder.path().join("incoming")).unwrap();
    assert_eq!(left.count(), 0, "what was not kept or was removed is gone");
    assert_eq!(keep(&inbox, slip("1.4", "2025")).await, Keeping::Kept);
}

#[tokio::test]
async fn two_processes_do_not_share_an_inbox() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(folder.path(), 10);
    let url = format!("file:{}", folder.path().display());
    let error = Inbox::open(&url, 10, Vault::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the inbox") && error.contains("in use"),
        "{error}"
    );
    drop(inbox);
    // What cannot be read is passed over, not destroyed.
    let damaged = folder.path().join("submissions/1.9");
    fs::create_dir(&damaged).unwrap();
    fs::write(damaged.join(RECEIVED), "{").unwrap();
    let inbox = open(folder.path(), 10);
    assert_eq!(inbox.list(0, 10).0, 0);
    assert!(damaged.is_dir());
}
