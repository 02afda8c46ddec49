use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::record_repository::proof::{continues, includes};
use crate::record_repository::received::{Form, Via};

fn record(number: u64) -> Received {
    Received {
        at: UNIX_EPOCH + Duration::from_micros(number),
        via: Via::Tls,
        from: "192.0.2.1:6514".parse().unwrap(),
        node: Some("CN=sender".to_owned()),
        form: Form::Syslog,
        cut: false,
        bytes: format!("<85>1 - record {number}").into_bytes(),
    }
}

fn config(store: &Path) -> LogConfig {
    LogConfig {
        segment_bytes: 2000,
        ..LogConfig::new(store)
    }
}

async fn fill(log: &Log, count: u64) {
    for number in log.end()..count {
        let kept = log.append(vec![record(number)]).await.unwrap();
        assert_eq!(kept, number..number + 1);
    }
}

#[tokio::test]
async fn records_are_read_as_they_came_also_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let log = Log::open(&config).unwrap();
    assert_eq!((log.begin(), log.end()), (0, 0));
    assert!(matches!(Log::open(&config), Err(LogError::InUse { .. })));
    let many = (0..5).map(record).collect();
    assert_eq!(log.append(many).await, Ok(0..5));
    fill(&log, 700).await;
    let root = log.root(700).unwrap();
    for _ in 0..2 {
        assert!(
            segment::numbers(&folder.path().join("segments"))
                .unwrap()
                .len()
                > 5
        );
        assert_eq!(log.read(700).unwrap(), None);
        let all = log.from(0, 1000).unwrap();
        assert_eq!(all.len(), 700);
        assert!(
            (0..)
                .zip(&all)
                .all(|(n, (at, it))| n == *at && *it == record(n))
        );
    }
    drop(log);
    let log = Log::open(&config).unwrap();
    assert_eq!((log.begin(), log.end()), (0, 700));
    assert_eq!(log.root(700).unwrap(), root);
    assert_eq!(log.read(699).unwrap(), Some(record(699)));
    fill(&log, 705).await;
    assert_eq!(log.from(703, 9).unwrap().len(), 2);
}

#[tokio::test]
async fn every_proof_proves_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&config(folder.path())).unwrap();
    fill(&log, 300).await;
    let mut peaks = crate::record_repository::tree::Peaks::default();
    let mut roots = vec![peaks.root()];
    for index in 0..300 {
        peaks.push(log.leaf(index).unwrap());
        roots.push(peaks.root());
        assert_eq!(log.root(index + 1).unwrap(), peaks.root());
    }
    for size in [1, 2, 3, 7, 8, 64, 65, 255, 256, 257, 299, 300] {
        let root = &roots[usize::try_from(size).unwrap()];
        for index in 0..size {
            let path = log.inclusion(index, size).unwrap();
            let leaf = log.leaf(index).unwrap();
            assert!(
                includes(&leaf, index, size, &path, root),
                "{index} of {size}"
            );
            assert!(!includes(&leaf, index + 1, size, &path, root));
            assert!(!includes(
                &log.leaf((index + 1) % 300).unwrap(),
                index,
                size,
                &path,
                root
            ));
        }
        for first in 0..=size {
            let path = log.consistency(first, size).unwrap();
            let old = (first, &roots[usize::try_from(first).unwrap()]);
            assert!(continues(old, (size, root), &path), "{first} of {size}");
            if first > 0 {
                assert!(!continues((first, &roots[0]), (size, root), &path));
                assert!(!continues(old, (size, &roots[0]), &path));
            }
        }
    }
}
