//! Answers that wait ([`deferred`](super::deferred)), for those who change keys or turn encryption on.
//!
//! A gateway may send and keep others meanwhile. So rows are read and changed in one transaction, and never
//! inserted: what was sent is gone and stays so, and since the number of a row is given once (`AUTOINCREMENT`),
//! nothing else has its place.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use hilum_security::at_rest::{
    HEADER, KeyId, KeyRing, Rewrapped, Vault, keys_of_bytes, rewrap_bytes,
};

use super::deferred::place;
use super::encrypting::alone;
use super::fields::{existing, has};
use super::schema::deferred_answers::dsl;

/// Answers that are looked at together.
const LOOKED_AT: i64 = 1000;
/// Answers of one transaction: a gateway waits for no more.
const TOGETHER: i64 = 50;
const TABLE: &str = "deferred_answers";

diesel::define_sql_function! {
    /// Some bytes of a value, counted from 1.
    fn substr(value: Binary, from: BigInt, count: BigInt) -> Binary;
}

/// Which keys answers need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Those of each that is encrypted.
    pub keys: Vec<BTreeSet<KeyId>>,
    /// How many are plain.
    pub plain: u64,
}

/// What became of an answer: what it is called, and whether it has the current key.
pub type Rotated = (String, anyhow::Result<Rewrapped>);

/// An answer that waits.
#[derive(Debug, Queryable)]
struct Answer {
    number: i64,
    home: String,
    message: Vec<u8>,
}

impl Answer {
    fn called(&self) -> String {
        format!("the deferred answer {} for {}", self.number, self.home)
    }
}

/// Which keys answers need, beside a gateway.
pub(crate) fn waiting(path: &Path) -> anyhow::Result<Waiting> {
    let mut waiting = Waiting::default();
    let Some(mut connection) = existing(path)? else {
        return Ok(waiting);
    };
    if !has(&mut connection, TABLE)? {
        return Ok(waiting);
    }
    let header = i64::try_from(HEADER)?;
    let mut last = 0;
    loop {
        let some: Vec<(i64, Vec<u8>)> = dsl::deferred_answers
            .select((dsl::number, substr(dsl::message, 1, header)))
            .filter(dsl::number.gt(last))
            .order(dsl::number)
            .limit(LOOKED_AT)
            .load(&mut connection)?;
        let Some((number, _)) = some.last() else {
            return Ok(waiting);
        };
        last = *number;
        for (_, begin) in some {
            match keys_of_bytes(&begin) {
                Some(keys) => waiting.keys.push(keys),
                None => waiting.plain += 1,
            }
        }
    }
}

/// Gives each answer the current key, beside a gateway.
pub(crate) fn rotate(path: &Path, ring: &KeyRing) -> anyhow::Result<Vec<Rotated>> {
    let mut rotated = Vec::new();
    let Some(mut connection) = existing(path)? else {
        return Ok(rotated);
    };
    if !has(&mut connection, TABLE)? {
        return Ok(rotated);
    }
    let mut last = 0;
    loop {
        let some = connection.immediate_transaction(|connection| {
            let mut some = Vec::new();
            for answer in after(connection, last)? {
                last = answer.number;
                let done = match keys_of_bytes(&answer.message) {
                    None => Ok(Rewrapped::Plain),
                    Some(_) => rewrapped(connection, ring, &answer)?,
                };
                some.push((answer.called(), done));
            }
            anyhow::Ok(some)
        })?;
        if some.is_empty() {
            return Ok(rotated);
        }
        rotated.extend(some);
    }
}

/// Gives an answer the current key. One that cannot be read stays as it is, and does not keep the others from
/// theirs.
fn rewrapped(
    connection: &mut SqliteConnection,
    ring: &KeyRing,
    answer: &Answer,
) -> QueryResult<anyhow::Result<Rewrapped>> {
    let message = match rewrap_bytes(ring, &place(&answer.home), &answer.message) {
        Err(error) => return Ok(Err(error.into())),
        Ok(None) => return Ok(Ok(Rewrapped::Already)),
        Ok(Some(message)) => message,
    };
    put(connection, answer.number, &message)?;
    Ok(Ok(Rewrapped::Done))
}

/// Encrypts the answers that are plain. Gives how many there were.
pub(crate) fn encrypt(path: &Path, vault: &Vault) -> anyhow::Result<u64> {
    let (true, Some(mut connection)) = (vault.is_on(), alone(path)?) else {
        return Ok(0);
    };
    let (mut done, mut last) = (0, 0);
    loop {
        let looked_at = connection.transaction(|connection| {
            let some = after(connection, last)?;
            for answer in &some {
                last = answer.number;
                if keys_of_bytes(&answer.message).is_none() {
                    let message = vault.bytes(&place(&answer.home), &answer.message)?;
                    put(connection, answer.number, &message)?;
                    done += 1;
                }
            }
            anyhow::Ok(some.len())
        })?;
        if looked_at == 0 {
            break;
        }
    }
    // Pages that are free are overwritten (`secure_delete`), and so is nothing plain left in the log.
    let cleaned = connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)");
    cleaned.context("what was plain cannot be overwritten")?;
    Ok(done)
}

/// Some answers, those that have waited longest first.
fn after(connection: &mut SqliteConnection, last: i64) -> QueryResult<Vec<Answer>> {
    dsl::deferred_answers
        .select((dsl::number, dsl::home, dsl::message))
        .filter(dsl::number.gt(last))
        .order(dsl::number)
        .limit(TOGETHER)
        .load(connection)
}

fn put(connection: &mut SqliteConnection, number: i64, message: &[u8]) -> QueryResult<()> {
    diesel::update(dsl::deferred_answers.find(number))
        .set(dsl::message.eq(message))
        .execute(connection)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tempfile::TempDir;

    use super::super::Correlations;
    use super::super::deferred::Later;
    use super::*;

    const HOME: &str = "urn:oid:1.2";

    fn ring(folder: &TempDir) -> KeyRing {
        let keys = folder.path().join("keys");
        KeyRing::generate(&keys, None).unwrap();
        let ring = KeyRing::open(&keys, None).unwrap();
        ring.install();
        ring
    }

    /// So many answers wait.
    async fn kept(folder: &TempDir, vault: &Vault, answers: usize) -> (Correlations, PathBuf) {
        let path = folder.path().join("gateway.db");
        let kept = Correlations::open(&path, vault, Vec::new(), 10).unwrap();
        for number in 0..answers {
            let later = Later {
                home: HOME.into(),
                relates_to: "urn:uuid:1".to_owned(),
                lives: 60,
                until: i64::MAX,
                message: format!("<answer>{number}</answer>"),
            };
            assert!(kept.keep_for_later(later, vault).await.unwrap());
        }
        (kept, path)
    }

    /// What is sent while keys are changed is sent once, and does not come back.
    #[tokio::test(flavor = "multi_thread")]
    async fn keys_are_changed_beside_a_gateway_that_sends() {
        let folder = tempfile::tempdir().unwrap();
        let ring = ring(&folder);
        let vault = Vault::with(ring.clone());
        let (kept, path) = kept(&folder, &vault, 200).await;
        let sent_all = AtomicBool::new(false);
        let rotated = std::thread::scope(|scope| {
            let rotating = scope.spawn(|| {
                let mut rotated = 0;
                while !sent_all.load(Ordering::Relaxed) {
                    KeyRing::generate(&ring.folder(), None).unwrap();
                    let current = KeyRing::open(&ring.folder(), None).unwrap();
                    for (called, done) in rotate(&path, &current).unwrap() {
                        assert_eq!(done.unwrap(), Rewrapped::Done, "{called}");
                        rotated += 1;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                rotated
            });
            let runtime = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| {
                runtime.block_on(async {
                    for number in 0..200 {
                        let next = kept.next_for(&HOME.into()).await.unwrap();
                        let (row, later) = next.unwrap();
                        let message = format!("<answer>{number}</answer>");
                        assert_eq!(later.unwrap().message, message);
                        kept.is_settled(row).await.unwrap();
                    }
                });
            });
            sent_all.store(true, Ordering::Relaxed);
            rotating.join().unwrap()
        });
        assert!(rotated > 0);
        assert!(kept.next_for(&HOME.into()).await.unwrap().is_none());
        assert_eq!(waiting(&path).unwrap(), Waiting::default());
    }

    #[tokio::test]
    async fn each_is_counted_and_one_that_is_damaged_keeps_no_other_from_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let ring = ring(&folder);
        let old = ring.current_id();
        let (_kept, path) = kept(&folder, &Vault::with(ring.clone()), 120).await;
        assert_eq!(waiting(&path).unwrap().keys, vec![[old].into(); 120]);
        let mut connection = existing(&path).unwrap().unwrap();
        let (number, mut message): (i64, Vec<u8>) = dsl::deferred_answers
            .select((dsl::number, dsl::message))
            .order(dsl::number.desc())
            .first(&mut connection)
            .unwrap();
        message[60] ^= 1;
        put(&mut connection, number, &message).unwrap();
        KeyRing::generate(&ring.folder(), None).unwrap();
        let ring = KeyRing::open(&ring.folder(), None).unwrap();
        let rotated = rotate(&path, &ring).unwrap();
        let (failed, done): (Vec<_>, Vec<_>) = rotated.iter().partition(|it| it.1.is_err());
        assert_eq!((failed.len(), done.len()), (1, 119));
        assert!(failed[0].0.contains(HOME), "{failed:?}");
        let again = rotate(&path, &ring).unwrap();
        let already = again
            .iter()
            .filter(|it| matches!(it.1, Ok(Rewrapped::Already)));
        assert_eq!(already.count(), 119);
        let keys = waiting(&path).unwrap().keys;
        let needing = |key| keys.iter().filter(|it| **it == [key].into()).count();
        assert_eq!((needing(old), needing(ring.current_id())), (1, 119));
    }

    #[tokio::test]
    async fn one_that_is_damaged_keeps_no_other_from_being_sent() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, path) = kept(&folder, &Vault::with(ring(&folder)), 2).await;
        let mut connection = existing(&path).unwrap().unwrap();
        let mut answers = after(&mut connection, 0).unwrap();
        answers[0].message[60] ^= 1;
        put(&mut connection, answers[0].number, &answers[0].message).unwrap();
        let (first, damaged) = kept.next_for(&HOME.into()).await.unwrap().unwrap();
        assert!(damaged.is_err());
        let pause = |_| std::time::Duration::from_secs(1000);
        kept.put_off(first, pause).await.unwrap();
        let (_, second) = kept.next_for(&HOME.into()).await.unwrap().unwrap();
        assert_eq!(second.unwrap().message, "<answer>1</answer>");
    }

    #[tokio::test]
    async fn what_was_plain_is_encrypted_and_sent_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, path) = kept(&folder, &Vault::default(), 120).await;
        let vault = Vault::with(ring(&folder));
        assert_eq!(waiting(&path).unwrap().plain, 120);
        let in_use = encrypt(&path, &vault).unwrap_err().to_string();
        assert!(in_use.contains("must be stopped"), "{in_use}");
        drop(plain);
        assert_eq!(encrypt(&path, &vault).unwrap(), 120);
        assert_eq!(encrypt(&path, &vault).unwrap(), 0);
        assert_eq!(waiting(&path).unwrap().keys.len(), 120);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
            assert!(!bytes.windows(8).any(|it| it == b"<answer>"));
        }
        let kept = Correlations::open(&path, &vault, Vec::new(), 10).unwrap();
        let (_, first) = kept.next_for(&HOME.into()).await.unwrap().unwrap();
        assert_eq!(first.unwrap().message, "<answer>0</answer>");
    }
}
