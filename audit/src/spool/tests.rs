//! A spool that is written by many, torn, rotated and full.

pub(crate) mod encrypted;

use std::time::Instant;

use super::*;

fn frame(number: usize) -> Vec<u8> {
    let xml = format!("<AuditMessage>{number} {}</AuditMessage>", "x".repeat(1500));
    let message = format!("<85>1 2026-01-01T00:00:00Z host hilum 1 IHE+RFC-3881 - {xml}");
    format!("{} {message}", message.len()).into_bytes()
}

fn numbers(folder: &Path) -> Vec<usize> {
    records(folder)
        .unwrap()
        .map(|record| number(&record.unwrap().message))
        .collect()
}

fn number(message: &[u8]) -> usize {
    let message = std::str::from_utf8(message).unwrap();
    let (_, xml) = message.split_once("<AuditMessage>").unwrap();
    xml.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_torn_end_is_cut_and_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = segment::path(folder.path(), 1);
    for rest in [&frame(2)[..300], b"17", b"\0\0\0\0", &frame(2)[..2]] {
        let _ = std::fs::remove_file(&path);
        let mut bytes = frame(1);
        bytes.extend_from_slice(rest);
        std::fs::write(&path, &bytes).unwrap();
        let spool = Spool::open(folder.path(), SEGMENT_BYTES).unwrap();
        spool.append(frame(3)).await.unwrap();
        drop(spool);
        assert_eq!(numbers(folder.path()), [1, 3]);
        let torn = folder.path().join("0000000001.syslog.torn");
        assert_eq!(std::fs::read(torn).unwrap(), rest);
    }
}

#[tokio::test]
async fn segments_rotate_and_go_on_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    for start in [0, 10] {
        let spool = Spool::open(folder.path(), 4000).unwrap();
        for number in start..start + 10 {
            spool.append(frame(number)).await.unwrap();
        }
    }
    assert_eq!(numbers(folder.path()), (0..20).collect::<Vec<_>>());
    let segments = segment::numbers(folder.path()).unwrap();
    assert_eq!(segments, (1..=7).collect::<Vec<u64>>());
    let damaged = segment::path(folder.path(), 2);
    let bytes = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, &bytes[..2000]).unwrap();
    assert_eq!(
        numbers(folder.path()).len(),
        18,
        "the others are still read"
    );
}

#[tokio::test]
async fn only_one_may_write() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), SEGMENT_BYTES).unwrap();
    let refused = Spool::open(folder.path(), SEGMENT_BYTES).unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("another process records here")
    );
    drop(spool);
    Spool::open(folder.path(), SEGMENT_BYTES).unwrap();
}

/// `/dev/full` takes nothing: every write fails as on a full disk.
#[tokio::test]
async fn what_cannot_be_written_is_not_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", segment::path(folder.path(), 1)).unwrap();
    let mut segments = Segments::full_for_test(folder.path());
    assert!(segments.append(&frame(1)).is_err());
    segments.append(&frame(2)).unwrap();
    assert_eq!(numbers_of(folder.path(), 2), [2]);
}

fn numbers_of(folder: &Path, segment: u64) -> Vec<usize> {
    let bytes = std::fs::read(segment::path(folder, segment)).unwrap();
    let crate::syslog::Frame::Whole(message, _) = crate::syslog::first_frame(&bytes) else {
        panic!("no whole frame");
    };
    vec![number(message)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_share_one_write() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), SEGMENT_BYTES).unwrap();
    for callers in [1, 8, 64] {
        let each = 1920 / callers;
        let start = Instant::now();
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                let spool = spool.clone();
                tokio::spawn(async move {
                    for number in 0..each {
                        spool.append(frame(caller * each + number)).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let rate = (callers * each) as f64 / start.elapsed().as_secs_f64();
        eprintln!("{callers} callers: {rate:.0} records/s of 1.6 KB, durable");
    }
    drop(spool);
    assert_eq!(numbers(folder.path()).len(), 1920 * 3);
}

/// Whoever still records is waited for; then the spool can be opened again at once.
#[tokio::test]
async fn it_is_closed_when_nobody_records_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), SEGMENT_BYTES).unwrap();
    let late = spool.clone();
    let recording = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        late.append(frame(1)).await.unwrap();
    });
    assert!(spool.close(Duration::from_secs(10)).await);
    recording.await.unwrap();
    let again = Spool::open(folder.path(), SEGMENT_BYTES).unwrap();
    assert_eq!(numbers(folder.path()), [1]);
    // Who does not end is not waited for.
    let held = again.clone();
    assert!(!again.close(Duration::from_millis(20)).await);
    let refused = Spool::open(folder.path(), SEGMENT_BYTES);
    assert!(matches!(refused, Err(SpoolError::InUse { .. })));
    drop(held);
    Spool::open(folder.path(), SEGMENT_BYTES).unwrap();
}
