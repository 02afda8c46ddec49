//! What a crash leaves behind is mended, and nothing that was acknowledged is lost by it.

use std::fs::File;
use std::io::Write;

use hilum_audit::record_repository::verify::Finding;
use hilum_audit::record_repository::{LogError, OpenError};

use crate::store::{Store, first_of, record};

#[tokio::test]
async fn an_unfinished_record_is_cut_off_and_put_aside() {
    let store = Store::filled(45).await;
    let last = store.segments().pop().unwrap();
    let whole = std::fs::read(&last).unwrap();
    // The beginning of the next record, of every length.
    for length in [1, 2, 13, 14, 40, 100] {
        let mut file = File::options().append(true).open(&last).unwrap();
        file.write_all(&whole[..length]).unwrap();
        let found = store.verify();
        assert_eq!((found.findings, found.unfinished), (vec![], length as u64));
        let repository = store.open();
        assert_eq!(repository.log().end(), 45);
        assert_eq!(repository.log().from(0, 100).unwrap().len(), 45);
        drop(repository);
        assert_eq!(std::fs::read(&last).unwrap(), whole);
    }
    let torn = std::fs::read_dir(store.path().join("torn"))
        .unwrap()
        .count();
    assert_eq!(torn, 6);
    let repository = store.open();
    repository.log().append(vec![record(45)]).await.unwrap();
    repository.sign().await;
    assert_eq!(repository.log().read(45).unwrap(), Some(record(45)));
    assert_eq!(store.findings(), []);
}

/// Hashes and places are written without waiting for the disk, so a power failure may lose them, or
/// leave zeros.
#[tokio::test]
async fn what_can_be_made_again_is() {
    for zeros in [false, true] {
        let store = Store::filled(45).await;
        let last = first_of(&store.segments().pop().unwrap());
        let root = store.verify().root;
        let heads = store.path().join("heads.jsonl");
        // Only what was synced was signed for.
        let text = std::fs::read_to_string(&heads).unwrap();
        let kept = text.lines().filter(|line| {
            let head: hilum_audit::record_repository::Head = serde_json::from_str(line).unwrap();
            head.size <= last
        });
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        std::fs::write(&heads, kept + "{\"log\":\"torn").unwrap();
        let tree = File::options()
            .write(true)
            .open(store.path().join("tree/0"))
            .unwrap();
        tree.set_len(last * 32).unwrap();
        if zeros {
            tree.set_len(45 * 32).unwrap();
        }
        for entry in std::fs::read_dir(store.path().join("segments")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "offsets") {
                std::fs::remove_file(path).unwrap();
            }
        }
        let found = store.verify();
        assert_eq!((found.findings, &found.root), (vec![], &root));
        let repository = store.open();
        assert_eq!(repository.log().from(0, 100).unwrap().len(), 45);
        repository.sign().await;
        let found = store.verify();
        assert_eq!((found.findings, found.root), (vec![], root));
    }
}

/// Damage to what was acknowledged is no torn end: nothing is cut off, and the log goes on.
#[tokio::test]
async fn damage_is_left_as_it_is() {
    let store = Store::filled(45).await;
    let last = store.segments().pop().unwrap();
    let first = first_of(&last);
    let mut bytes = std::fs::read(&last).unwrap();
    let damaged = bytes.clone();
    bytes[70] ^= 1;
    std::fs::write(&last, &bytes).unwrap();
    let repository = store.open();
    let log = repository.log();
    assert_eq!(log.end(), 45);
    assert_eq!(std::fs::read(&last).unwrap(), bytes);
    assert!(matches!(log.read(first), Err(LogError::Damaged(_))));
    assert_eq!(log.append(vec![record(45)]).await, Ok(45..46));
    assert_eq!(log.read(45).unwrap(), Some(record(45)));
    repository.sign().await;
    assert_eq!(store.findings(), [Finding::Changed(first)]);
    drop(repository);
    // Mended by hand, from a copy.
    std::fs::write(&last, damaged).unwrap();
    assert_eq!(store.findings(), []);
    let repository = store.open();
    assert_eq!(repository.log().from(0, 100).unwrap().len(), 46);
}

#[tokio::test]
async fn what_was_signed_for_and_is_gone_is_not_written_over() {
    let store = Store::filled(45).await;
    for path in store.segments() {
        std::fs::remove_file(path).unwrap();
    }
    let tree = File::options()
        .write(true)
        .open(store.path().join("tree/0"))
        .unwrap();
    tree.set_len(0).unwrap();
    let refused = store.try_open();
    let Err(OpenError::Log(refused @ LogError::Shortened { .. })) = refused else {
        panic!("it was opened");
    };
    assert!(
        refused
            .to_string()
            .contains("0 records, but 45 were signed"),
        "{refused}"
    );
}
