//! The same log, encrypted: its hashes, heads and proofs are those of a plain one.

use std::fs;

use hilum_audit::at_rest::KeptRecords;
use hilum_audit::record_repository::verify::Finding;
use hilum_audit::record_repository::{LogError, OpenError, damaged_files};
use hilum_security::at_rest::{HEADER, KeyRing, keys_of};

use crate::store::{Store, first_of, record, split};

/// Whether anything of a record can be read below the folder of the log.
fn is_told(store: &Store) -> bool {
    let mut folders = vec![store.path()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(path).unwrap();
            let mut windows = bytes.windows(9);
            if windows.any(|window| window == b"CN=sender" || window == b"record nu") {
                return true;
            }
        }
    }
    false
}

fn kept(store: &Store) -> KeptRecords {
    KeptRecords {
        spool: store.audit_spool(),
        clients: store.audit_spool().join("clients"),
        store: store.path(),
    }
}

#[tokio::test]
async fn it_proves_the_same_and_names_nobody() {
    let plain = Store::filled(205).await;
    let store = Store::encrypted().fill(205).await;
    assert!(is_told(&plain) && !is_told(&store));
    let found = store.verify();
    assert_eq!((found.findings, found.locked), (vec![], 0));
    assert_eq!((found.size, found.covered), (205, 205));
    assert_eq!(found.root, plain.verify().root);
    let repository = store.open();
    for number in [0, 7, 100, 204] {
        let log = repository.log();
        assert_eq!(log.read(number).unwrap(), Some(record(number)));
        assert_eq!(
            log.leaf(number).unwrap(),
            plain.open().log().leaf(number).unwrap()
        );
    }
}

/// As of a plain one: nothing can be changed, taken out, put in or exchanged.
#[tokio::test]
async fn every_change_is_found() {
    let store = Store::encrypted().fill(60).await;
    let segment = store.segments()[1].clone();
    let first = first_of(&segment);
    let whole = fs::read(&segment).unwrap();
    let (header, records) = whole.split_at(HEADER as usize);
    let records = split(records);
    let count = records.len();
    // The second slot of the header is empty, and says nothing.
    let half = HEADER as usize / 2;
    assert_eq!(header[half..], vec![0; half]);
    let places = (0..half).step_by(3);
    for at in places.chain((HEADER as usize..whole.len()).step_by(7)) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&segment, changed).unwrap();
        assert!(!store.findings().is_empty(), "byte {at}");
    }
    let written = |records: &[Vec<u8>]| {
        fs::write(&segment, [header, &records.concat()].concat()).unwrap();
        store.findings()
    };
    let mut removed = records.clone();
    removed.remove(3);
    assert_eq!(written(&removed), [Finding::Removed(first + 3..first + 4)]);
    let mut exchanged = records.clone();
    exchanged.swap(1, 2);
    assert!(matches!(
        written(&exchanged)[..],
        [Finding::Reordered { .. }]
    ));
    // Also if their numbers are changed to fit.
    exchanged[1][2..10].copy_from_slice(&(first + 1).to_be_bytes());
    exchanged[2][2..10].copy_from_slice(&(first + 2).to_be_bytes());
    assert!(!written(&exchanged).is_empty());
    let mut forged = records.clone();
    let at = forged[2].len() - 40;
    forged[2][at] ^= 1;
    assert_eq!(written(&forged), [Finding::Changed(first + 2)]);
    assert_eq!(written(&records), []);
    // Nothing is read of a whole segment under the name of another one.
    let other = store.segments()[2].clone();
    let kept = fs::read(&other).unwrap();
    fs::write(&other, &whole).unwrap();
    let records = store.open().log().from(0, 100).unwrap();
    let numbers: Vec<u64> = records.iter().map(|(number, _)| *number).collect();
    let end = first_of(&store.segments()[3]);
    let left: Vec<u64> = (0..first_of(&other)).chain(end..60).collect();
    assert_eq!(numbers, left);
    fs::write(&other, kept).unwrap();
    fs::remove_file(other.with_extension("offsets")).unwrap();
    assert_eq!(store.open().log().from(first, count).unwrap().len(), count);
}

/// A header that is damaged costs the records of its file: the log opens, names them, and goes on in a new file.
#[tokio::test]
async fn a_file_whose_header_is_damaged_costs_its_own_records_only() {
    for (which, byte, without_offsets) in [
        (0, 60, false),
        (1, 60, true),
        (1, 3, false),
        (1, 3, true),
        (4, 60, true),
        (4, 3, false),
    ] {
        let store = Store::encrypted().fill(60).await;
        let segments = store.segments();
        assert_eq!(segments.len(), 5, "{segments:?}");
        let segment = segments[which].clone();
        let first = first_of(&segment);
        let end = segments.get(which + 1).map_or(60, |next| first_of(next));
        let ring = store.config.log.vault.ring().unwrap().clone();
        let mut bytes = fs::read(&segment).unwrap();
        bytes[byte] ^= 1;
        fs::write(&segment, &bytes).unwrap();
        if without_offsets {
            fs::remove_file(segment.with_extension("offsets")).unwrap();
        }
        for (round, more) in (0_u64..).zip(60..62) {
            let repository = store.open();
            let log = repository.log();
            assert_eq!(log.end(), 60 + round, "{which} {byte}");
            assert_eq!(log.append(vec![record(more)]).await, Ok(more..more + 1));
            assert!(matches!(log.read(first), Err(LogError::Damaged(_))));
            let numbers: Vec<u64> = log.from(0, 100).unwrap().iter().map(|it| it.0).collect();
            let left: Vec<u64> = (0..first).chain(end..=more).collect();
            assert_eq!(numbers, left, "{which} {byte}");
            repository.sign().await;
        }
        // What is there stays, until it is put back from a copy.
        assert_eq!(fs::read(&segment).unwrap(), bytes);
        let damaged = damaged_files(&store.path(), Some(&ring)).unwrap();
        let is_last = which == 4 && byte == 3;
        assert!(is_last || damaged == [segment.clone()], "{damaged:?}");
        bytes[byte] ^= 1;
        fs::write(&segment, &bytes).unwrap();
        assert_eq!(store.open().log().from(0, 100).unwrap().len(), 62);
        assert_eq!(store.findings(), []);
    }
}

#[tokio::test]
async fn an_unfinished_record_is_cut_off_and_put_aside() {
    let store = Store::encrypted().fill(45).await;
    let last = store.segments().pop().unwrap();
    let whole = fs::read(&last).unwrap();
    let record_bytes = &whole[HEADER as usize..];
    for length in [1, 2, 13, 14, 40, 100] {
        let torn = [&whole[..], &record_bytes[..length]].concat();
        fs::write(&last, torn).unwrap();
        let found = store.verify();
        assert_eq!((found.findings, found.unfinished), (vec![], length as u64));
        let repository = store.open();
        assert_eq!(repository.log().from(0, 100).unwrap().len(), 45);
        drop(repository);
        assert_eq!(fs::read(&last).unwrap(), whole);
    }
    // A segment that was just begun, of which the header is torn.
    let next = last.with_file_name(format!("{:020}.records", 45));
    for rest in [&whole[..9], &whole[..HEADER as usize - 1], &[0; 2000], b""] {
        fs::write(&next, rest).unwrap();
        let repository = store.open();
        assert_eq!(repository.log().append(vec![record(45)]).await, Ok(45..46));
        drop(repository);
        let repository = store.open();
        assert_eq!(repository.log().read(45).unwrap(), Some(record(45)));
        drop(repository);
        assert_eq!(store.findings(), []);
        assert!(!is_told(&store));
        let tree = store.path().join("tree/0");
        let tree = fs::File::options().write(true).open(tree).unwrap();
        tree.set_len(45 * 32).unwrap();
        let _ = fs::remove_file(next.with_extension("offsets"));
    }
}

/// A header that names another key hides nothing: neither that records were changed, nor that others are gone.
#[tokio::test]
async fn a_file_that_cannot_be_opened_is_found_and_hides_nothing() {
    let store = Store::encrypted().fill(60).await;
    let segments = store.segments();
    let last = segments.last().unwrap();
    let mut changed = fs::read(last).unwrap();
    // The first byte of the key's name, and one of the first record.
    changed[16] ^= 1;
    changed[HEADER as usize + 20] ^= 1;
    fs::write(last, changed).unwrap();
    let locked = |finding: &Finding| matches!(finding, Finding::Locked { segment, why } if *segment == first_of(last) && why.contains("key"));
    assert!(matches!(&store.findings()[..], [one] if locked(one)));
    fs::remove_file(&segments[0]).unwrap();
    let found = store.findings();
    assert!(found.iter().any(locked), "{found:?}");
    assert!(
        found.contains(&Finding::Unsaid(0..first_of(&segments[1]))),
        "{found:?}"
    );
}

/// With other keys than its own: heads and hashes agree, and nobody knows whether the records do.
#[tokio::test]
async fn without_its_key_it_is_not_opened_and_its_hashes_are_verified() {
    let store = Store::encrypted().fill(60).await;
    let ring = store.config.log.vault.ring().unwrap().clone();
    let old = ring.current_id();
    KeyRing::generate(&ring.folder(), None).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_ne!(ring.current_id(), old);
    let file = ring.folder().join(format!("{old}.key"));
    let key = fs::read(&file).unwrap();
    ring.remove(old).unwrap();
    let refused = store.try_open();
    let Err(OpenError::Log(refused @ LogError::Locked { .. })) = refused else {
        panic!("it was opened");
    };
    assert!(
        refused.to_string().contains("is not in the key ring"),
        "{refused}"
    );
    let found = store.verify();
    let locked = |finding: &Finding| matches!(finding, Finding::Locked { .. });
    assert!(found.findings.iter().all(locked));
    assert_eq!(
        (found.findings.len(), found.locked),
        (store.segments().len(), 60)
    );
    let segment = store.segments()[1].clone();
    let whole = fs::read(&segment).unwrap();
    let (header, records) = whole.split_at(HEADER as usize);
    let mut removed = split(records);
    removed.remove(1);
    fs::write(&segment, [header, &removed.concat()].concat()).unwrap();
    let first = first_of(&segment);
    let mut found = store.findings();
    found.retain(|finding| !locked(finding));
    assert_eq!(found, [Finding::Removed(first + 1..first + 2)]);
    fs::write(&segment, &whole).unwrap();
    fs::write(&file, key).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(store.verify().locked, 0);
}

/// Keys change beside a repository that receives.
#[tokio::test]
async fn keys_are_rotated_while_it_receives() {
    let store = Store::encrypted().fill(45).await;
    let ring = store.config.log.vault.ring().unwrap().clone();
    let old = ring.current_id();
    let repository = store.open();
    KeyRing::generate(&ring.folder(), None).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    for number in 45..90 {
        let log = repository.log();
        assert_eq!(
            log.append(vec![record(number)]).await,
            Ok(number..number + 1)
        );
        if number % 10 == 0 {
            let rotated = kept(&store).rotate(&ring).unwrap();
            assert!(rotated.iter().all(|(_, done)| done.is_ok()), "{rotated:?}");
        }
    }
    let needed = kept(&store).survey().unwrap().keys;
    assert!(needed.len() > store.segments().len());
    assert!(needed.iter().flatten().all(|key| *key != old));
    ring.remove(old).unwrap();
    assert_eq!(repository.log().from(0, 100).unwrap().len(), 90);
    repository.sign().await;
    drop(repository);
    assert_eq!(store.findings(), []);
    assert_eq!(store.open().log().from(0, 100).unwrap().len(), 90);
}

/// Its heads were signed before, and count.
#[tokio::test]
async fn a_plain_log_goes_on_encrypted_and_is_encrypted() {
    let mut store = Store::filled(45).await;
    let heads = fs::read(store.path().join("heads.jsonl")).unwrap();
    let root = store.verify().root;
    store.encrypt();
    let vault = store.config.log.vault.clone();
    let repository = store.open();
    // What was plain is read as it is, and nothing is added to it.
    assert_eq!(repository.log().from(0, 100).unwrap().len(), 45);
    assert_eq!(repository.log().append(vec![record(45)]).await, Ok(45..46));
    assert!(kept(&store).encrypt(&vault).is_err(), "it is open");
    drop(repository);
    assert_eq!(store.findings(), []);
    let last = store.segments().pop().unwrap();
    assert_eq!(first_of(&last), 45);
    assert!(keys_of(&last).unwrap().is_some());
    assert!(is_told(&store));
    let plain = store.segments().len() as u64 - 1;
    assert_eq!(kept(&store).survey().unwrap().plain_log, plain);
    loop {
        match kept(&store).encrypt(&vault) {
            Ok(done) => break assert_eq!(done, plain),
            // Whoever follows the log may hold it for a moment.
            Err(error) => assert!(error.to_string().contains("another process"), "{error}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(!is_told(&store));
    assert_eq!(kept(&store).encrypt(&vault).unwrap(), 0);
    assert_eq!(kept(&store).survey().unwrap().plain_log, 0);
    assert_eq!(store.findings(), []);
    let repository = store.open();
    assert_eq!(repository.log().from(0, 100).unwrap().len(), 46);
    let again = repository.log().root(45).unwrap();
    let again: String = again.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(again, root);
    assert_eq!(fs::read(store.path().join("heads.jsonl")).unwrap(), heads);
}

/// It is made anew when the node starts: until then, it is named, and hides nothing else.
#[test]
fn an_index_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("log");
    fs::create_dir_all(store.join("segments")).unwrap();
    fs::write(store.join("index.db"), [7; 5000]).unwrap();
    fs::write(store.join("segments/00000000000000000000.records"), "HR").unwrap();
    let kept = KeptRecords {
        spool: folder.path().join("spool"),
        clients: folder.path().join("spool/clients"),
        store,
    };
    let survey = kept.survey().unwrap();
    assert_eq!(survey.failures.len(), 1, "{survey:?}");
    assert!(survey.failures[0].contains("index.db"), "{survey:?}");
    assert_eq!((survey.plain_log, survey.plain_spool), (1, 0));
}
