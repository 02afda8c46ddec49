//! Whoever may write into the folder of a log changes it, in every way; and it is found.

use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hilum_audit::record_repository::Head;
use hilum_audit::record_repository::verify::Finding;
use hilum_security::signing::SigningKey;
use sha2::{Digest, Sha256};

use crate::store::{Store, first_of, record, split};

/// Puts the records of a segment through `change`. Their hashes are right again afterwards, if
/// `thorough`.
fn change(segment: &Path, thorough: bool, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut records = split(&std::fs::read(segment).unwrap());
    change(&mut records);
    if thorough {
        records.iter_mut().for_each(|record| rehash(record));
    }
    std::fs::write(segment, records.concat()).unwrap();
}

fn leaf_hash(record: &[u8]) -> [u8; 32] {
    let leaf = &record[14..record.len() - 32];
    let hash = Sha256::new().chain_update([0]).chain_update(leaf);
    hash.finalize().into()
}

fn rehash(record: &mut [u8]) {
    let hash = leaf_hash(record);
    let end = record.len() - 32;
    record[end..].copy_from_slice(&hash);
}

/// Gives records the numbers that follow from where they stand.
fn renumber(first: u64, records: &mut [Vec<u8>]) {
    for (number, record) in (first..).zip(records) {
        record[2..10].copy_from_slice(&number.to_be_bytes());
    }
}

/// A segment in the middle, and its first number.
fn middle(store: &Store) -> (std::path::PathBuf, u64) {
    let segments = store.segments();
    assert!(segments.len() > 4, "{}", segments.len());
    let segment = segments[segments.len() / 2].clone();
    let first = first_of(&segment);
    (segment, first)
}

#[tokio::test]
async fn a_log_that_nobody_touched_is_whole() {
    let store = Store::filled(205).await;
    let found = store.verify();
    assert_eq!(found.findings, []);
    assert_eq!((found.size, found.begin, found.covered), (205, 0, 205));
    assert_eq!((found.heads, found.unfinished), (21, 0));
    // Also while it runs, and when more was received than was signed for.
    let repository = store.open();
    repository.log().append(vec![record(205)]).await.unwrap();
    let found = store.verify();
    assert_eq!(found.findings, []);
    assert_eq!((found.size, found.covered), (206, 205));
    drop(repository);
    assert_eq!(store.findings(), []);
}

#[tokio::test]
async fn a_changed_record_is_found_and_named() {
    for thorough in [false, true] {
        let store = Store::filled(205).await;
        let (segment, first) = middle(&store);
        change(&segment, thorough, |records| {
            let bytes = &mut records[2];
            let at = bytes.len() - 33;
            bytes[at] ^= 1;
        });
        assert_eq!(
            store.findings(),
            [Finding::Changed(first + 2)],
            "{thorough}"
        );
        // The facts of its reception are part of it.
        let store = Store::filled(205).await;
        let last = store.segments().pop().unwrap();
        change(&last, thorough, |records| records[0][14 + 4 + 7] ^= 1);
        assert_eq!(store.findings(), [Finding::Changed(first_of(&last))]);
    }
}

#[tokio::test]
async fn one_bit_anywhere_is_found() {
    let store = Store::filled(60).await;
    let segment = store.segments()[1].clone();
    let first = first_of(&segment);
    let whole = std::fs::read(&segment).unwrap();
    let places: Vec<usize> = split(&whole).iter().map(Vec::len).collect();
    for at in (0..whole.len()).step_by(5) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        std::fs::write(&segment, changed).unwrap();
        let found = store.findings();
        let mut end = 0;
        let record = places.iter().take_while(|length| {
            end += **length;
            end <= at
        });
        let record = first + record.count() as u64;
        // Where lengths or marks are wrong, the record is not recognised: then it is missing.
        let names = found.iter().any(|finding| match finding {
            Finding::Changed(it) => *it == record,
            Finding::Removed(it) => it.contains(&record),
            _ => false,
        });
        assert!(names, "byte {at} of record {record}: {found:?}");
    }
    std::fs::write(&segment, whole).unwrap();
    assert_eq!(store.findings(), []);
}

#[tokio::test]
async fn a_removed_record_is_found_and_named() {
    for renumbered in [false, true] {
        let store = Store::filled(205).await;
        let (segment, first) = middle(&store);
        change(&segment, false, |records| {
            records.remove(3);
            if renumbered {
                renumber(first, records);
            }
        });
        assert_eq!(store.findings(), [Finding::Removed(first + 3..first + 4)]);
    }
}

#[tokio::test]
async fn a_removed_segment_is_found() {
    let store = Store::filled(205).await;
    let segments = store.segments();
    let number = |place: usize| first_of(&segments[place]);
    std::fs::remove_file(&segments[2]).unwrap();
    assert_eq!(store.findings(), [Finding::Removed(number(2)..number(3))]);
    let store = Store::filled(205).await;
    std::fs::remove_file(&store.segments()[0]).unwrap();
    assert_eq!(store.findings(), [Finding::Unsaid(0..number(1))]);
}

#[tokio::test]
async fn reordered_records_are_found_and_named() {
    let store = Store::filled(205).await;
    let (segment, first) = middle(&store);
    change(&segment, false, |records| {
        records.swap(1, 2);
        renumber(first, records);
    });
    let found = store.findings();
    let [Finding::Reordered { record, at }] = found[..] else {
        panic!("{found:?}");
    };
    let mut both = [record, at];
    both.sort_unstable();
    assert_eq!(both, [first + 1, first + 2]);
}

#[tokio::test]
async fn an_inserted_record_is_found_and_placed() {
    let store = Store::filled(205).await;
    let (segment, first) = middle(&store);
    change(&segment, true, |records| {
        let mut forged = records[3].clone();
        let at = forged.len() - 33;
        forged[at] ^= 3;
        records.insert(3, forged);
        renumber(first, records);
    });
    let before = first + 3;
    assert_eq!(store.findings(), [Finding::Inserted { before, count: 1 }]);
}

#[tokio::test]
async fn a_shortened_log_is_found() {
    // Only the records.
    let store = Store::filled(205).await;
    let last = store.segments().pop().unwrap();
    let mut left = 0;
    change(&last, false, |records| {
        records.pop();
        records.pop();
        left = first_of(&last) + records.len() as u64;
    });
    assert_eq!(left, 203);
    assert_eq!(store.findings(), [Finding::Truncated(203..205)]);
    // A whole segment.
    std::fs::remove_file(&last).unwrap();
    let end = first_of(&last);
    assert_eq!(store.findings(), [Finding::Truncated(end..205)]);
    // The hashes too: the heads know.
    let tree = store.path().join("tree/0");
    let file = std::fs::File::options().write(true).open(&tree).unwrap();
    file.set_len(end * 32).unwrap();
    assert_eq!(store.findings(), [Finding::Truncated(end..205)]);
    // The heads too: one that was kept elsewhere knows.
    let heads = store.path().join("heads.jsonl");
    let text = std::fs::read_to_string(&heads).unwrap();
    let kept = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let cut: Vec<&str> = text
        .lines()
        .filter(|line| {
            let head: Head = serde_json::from_str(line).unwrap();
            head.size <= end
        })
        .collect();
    std::fs::write(&heads, cut.join("\n") + "\n").unwrap();
    assert_eq!(store.findings(), []);
    let found = store.verify_with(&[kept]).findings;
    assert_eq!(found, [Finding::Truncated(end..205)]);
}

#[tokio::test]
async fn who_changes_hashes_too_is_found_by_the_heads() {
    let store = Store::filled(205).await;
    let (segment, first) = middle(&store);
    let mut hash = [0; 32];
    change(&segment, true, |records| {
        let at = records[0].len() - 33;
        records[0][at] ^= 1;
        hash = leaf_hash(&records[0]);
    });
    let tree = store.path().join("tree/0");
    let mut hashes = std::fs::read(&tree).unwrap();
    let at = usize::try_from(first).unwrap() * 32;
    hashes[at..at + 32].copy_from_slice(&hash);
    std::fs::write(&tree, hashes).unwrap();
    let found = store.findings();
    let [Finding::Rewritten { among, .. }] = &found[..] else {
        panic!("{found:?}");
    };
    // Heads were signed after every tenth record.
    assert!(
        among.contains(&first) && among.end - among.start == 10,
        "{among:?}"
    );
    // The process that receives sees it as well, tells it in the audit, and goes on.
    let repository = store.open();
    assert!(repository.run(std::future::ready(())).await);
    let told = hilum_audit::spool::records(&store.audit_spool()).unwrap();
    let told: Vec<String> = told
        .map(|record| String::from_utf8(record.unwrap().message).unwrap())
        .collect();
    assert!(
        matches!(&told[..], [it] if it.contains("are not those of") && it.contains("\"110113\"")),
        "{told:?}"
    );
    repository.log().append(vec![record(205)]).await.unwrap();
}

#[tokio::test]
async fn a_changed_hash_is_told_from_a_changed_record() {
    let store = Store::filled(205).await;
    let (_, first) = middle(&store);
    let tree = store.path().join("tree/0");
    let mut hashes = std::fs::read(&tree).unwrap();
    hashes[usize::try_from(first).unwrap() * 32] ^= 1;
    std::fs::write(&tree, hashes).unwrap();
    let found = store.findings();
    assert!(found.contains(&Finding::Hash(first)), "{found:?}");
    assert!(!found.contains(&Finding::Changed(first)), "{found:?}");
}

#[tokio::test]
async fn heads_are_believed_only_with_their_signature() {
    let store = Store::filled(50).await;
    let heads = store.path().join("heads.jsonl");
    let text = std::fs::read_to_string(&heads).unwrap();
    let forged = text.replacen("\"size\":20", "\"size\":21", 1);
    std::fs::write(&heads, forged).unwrap();
    let found = store.findings();
    assert!(
        matches!(found[..], [Finding::NotSigned { size: 21, .. }]),
        "{found:?}"
    );
    std::fs::write(&heads, format!("{text}no head\n")).unwrap();
    assert_eq!(store.findings(), [Finding::NoHead(6)]);
    std::fs::write(&heads, &text).unwrap();
    let other = SigningKey::generate().unwrap().public().unwrap();
    let found = hilum_audit::record_repository::verify::verify(&store.path(), &other, &[]);
    assert_eq!(found.unwrap().findings.len(), 5 + 1);
    std::fs::remove_file(&heads).unwrap();
    assert_eq!(store.findings(), [Finding::NoHeads]);
    // Of another log, by the same key.
    std::fs::write(&heads, text).unwrap();
    std::fs::write(store.path().join("log.id"), "0123").unwrap();
    assert!(matches!(store.findings()[0], Finding::OtherLog { .. }));
}

/// Records whose time is over go in whole segments; what is left proves the same as before.
#[tokio::test]
async fn retention_keeps_hashes_and_says_what_it_removed() {
    let mut store = Store::filled(205).await;
    let kept = std::fs::read_to_string(store.path().join("heads.jsonl")).unwrap();
    store.config.retention = Some(Duration::from_secs(100));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + 205);
    store.config.legal_hold = true;
    let repository = store.open();
    repository.remove_what_is_over(now).await;
    assert_eq!((repository.log().begin(), repository.log().end()), (0, 205));
    drop(repository);
    store.config.legal_hold = false;
    for round in 1..3 {
        let repository = store.open();
        let now = now + Duration::from_secs(40 * round);
        repository.remove_what_is_over(now).await;
        let log = repository.log();
        let begin = log.begin();
        assert!(begin > 60 && begin < 105 + 40 * round, "{begin}");
        assert_eq!(log.end(), 205 + round);
        assert_eq!(log.read(begin - 1).unwrap(), None);
        assert_eq!(log.read(begin).unwrap(), Some(record(begin)));
        assert_eq!(log.from(0, 1).unwrap()[0].0, begin);
        let said = log.read(204 + round).unwrap().unwrap();
        let said = String::from_utf8(said.bytes).unwrap();
        let range = format!("urn:hilum:audit:records:0-{}", begin - 1);
        assert!(said.contains(&range), "{said}");
        repository.sign().await;
        let found = store.verify();
        assert_eq!((found.findings, found.begin), (vec![], begin));
    }
    let heads: Vec<_> = kept
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(store.verify_with(&heads).findings, []);
}

/// The signature can be checked without Hilum.
#[tokio::test]
async fn openssl_verifies_a_head() {
    let store = Store::filled(20).await;
    let head = store.open().head().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("key.pem"), store.public_key().to_pem().unwrap()).unwrap();
    let signature = BASE64.decode(&head.signature).unwrap();
    std::fs::write(path("signature"), signature).unwrap();
    let verify = |text: &str| {
        std::fs::write(path("text"), text).unwrap();
        let mut openssl = std::process::Command::new("openssl");
        openssl.args([
            "dgst",
            "-sha256",
            "-verify",
            "key.pem",
            "-signature",
            "signature",
        ]);
        let output = openssl.arg("text").current_dir(folder.path()).output();
        output.unwrap().status.success()
    };
    let Head {
        log, root, time, ..
    } = &head;
    let text =
        format!("hilum audit head 1\nlog {log}\nnode test\nsize 20\nroot {root}\ntime {time}\n");
    assert!(verify(&text));
    assert!(!verify(&text.replace("size 20", "size 21")));
}
