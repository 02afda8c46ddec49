//! The same database, whose identifiers are encrypted.

use std::fs;

use diesel::connection::SimpleConnection;
use hilum_security::at_rest::KeyRing;

use super::*;
use crate::at_rest;

/// Nowhere else: the alphabet of what is encrypted has no circumflex.
const OWN: &str = "PLANTED-HERE^^^";
const THERE: &str = "PLANTED-THERE^^^";

fn ring(folder: &Path) -> KeyRing {
    let keys = folder.join("keys");
    KeyRing::generate(&keys, None).unwrap();
    let ring = KeyRing::open(&keys, None).unwrap();
    ring.install();
    ring
}

fn sealed(folder: &Path, ring: &KeyRing, most: i64) -> Correlations {
    let vault = Vault::with(ring.clone()).sealing_fields();
    Correlations::open(&folder.join("gateway.db"), &vault, Vec::new(), most).unwrap()
}

fn planted(until: i64) -> Correlation {
    correlation("PLANTED-HERE", "urn:oid:2.1", "PLANTED-THERE", until)
}

/// Files of the database in which one of both stands.
fn naming(folder: &Path) -> usize {
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let files = files.filter(|path| path.to_string_lossy().contains("gateway.db"));
    let names = |path: &std::path::PathBuf| {
        let bytes = fs::read(path).unwrap();
        [OWN, THERE].iter().any(|text| {
            let mut windows = bytes.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        })
    };
    files.filter(names).count()
}

#[tokio::test]
async fn nobody_is_named_and_everybody_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let ring = ring(folder.path());
    let known = sealed(folder.path(), &ring, MOST);
    let one = planted(NOW + 10);
    known.learn(one.clone()).await.unwrap();
    assert_eq!(naming(folder.path()), 0);
    let again = sealed(folder.path(), &ring, MOST);
    let there = again.there(&one.own, &one.home, NOW).await.unwrap();
    assert_eq!(there, Some(one.clone()));
    let here = again.here(&one.home, &one.there, NOW).await.unwrap();
    assert_eq!(here, Some(one.own.clone()));
    // What is learned again takes the same row.
    let later = planted(NOW + 20);
    again.learn(later.clone()).await.unwrap();
    assert_eq!(again.of_patient(&one.own, NOW).await.unwrap(), [later]);
    let forgotten = again.forget_there(&one.home, &one.there).await.unwrap();
    assert_eq!(forgotten, std::slice::from_ref(&one.own));
    assert_eq!(again.of_patient(&one.own, NOW).await.unwrap(), []);
    again.learn(one.clone()).await.unwrap();
    again.forget(&one.own, &one.home).await.unwrap();
    assert_eq!(again.of_patient(&one.own, NOW).await.unwrap(), []);
}

#[tokio::test]
async fn it_is_opened_only_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let ring = ring(folder.path());
    let vault = Vault::with(ring.clone()).sealing_fields();
    opened(folder.path(), MOST)
        .learn(planted(NOW + 10))
        .await
        .unwrap();
    let refused = |vault: &Vault| {
        let refused = Correlations::open(&path, vault, Vec::new(), MOST).unwrap_err();
        assert_eq!(
            at_rest::check(&path, vault).unwrap_err().to_string(),
            refused.to_string()
        );
        refused.to_string()
    };
    assert!(refused(&vault).contains("run `hilum keys encrypt`"));
    let done = at_rest::encrypt(&path, &ring, &mut |_| {}).unwrap();
    assert_eq!(done, Some(1));
    assert!(refused(&Vault::default()).contains("must be \"encrypted\""));
    // A key that is not there.
    let id = at_rest::key(&path).unwrap().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::rename(
        ring.folder().join(format!("{id}.key")),
        elsewhere.path().join("key"),
    )
    .unwrap();
    KeyRing::generate(&ring.folder(), None).unwrap();
    let ring = KeyRing::open(&ring.folder(), None).unwrap();
    ring.install();
    let vault = Vault::with(ring).sealing_fields();
    let said = refused(&vault);
    let missing = format!("the key {id} is not in the key ring");
    assert!(
        said.contains("the gateway's database") && said.contains(&missing),
        "{said}"
    );
}

/// Also if it is interrupted: what was done stays done.
#[tokio::test]
async fn a_plain_one_is_encrypted_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let ring = ring(folder.path());
    let known = opened(folder.path(), MOST);
    known.learn(planted(NOW + 10)).await.unwrap();
    for at in 0..2500 {
        let one = correlation(
            &format!("PLANTED-HERE{at}"),
            "urn:oid:2.1",
            "PLANTED-THERE",
            NOW + 9,
        );
        known.learn(one).await.unwrap();
    }
    let in_use = at_rest::encrypt(&path, &ring, &mut |_| {}).unwrap_err();
    assert!(in_use.to_string().contains("the node must be stopped"));
    drop(known);
    assert!(naming(folder.path()) > 0);
    // It stops in the middle, as a process that is killed.
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        at_rest::encrypt(&path, &ring, &mut |_| {
            std::panic::resume_unwind(Box::new(()))
        })
    }));
    assert!(stopped.is_err());
    let vault = Vault::with(ring.clone()).sealing_fields();
    let halfway = Correlations::open(&path, &vault, Vec::new(), MOST).unwrap_err();
    assert!(halfway.to_string().contains("in part"), "{halfway}");
    let done = at_rest::encrypt(&path, &ring, &mut |_| {}).unwrap();
    assert_eq!(done, Some(1501));
    assert_eq!(naming(folder.path()), 0);
    assert_eq!(
        at_rest::encrypt(&path, &ring, &mut |_| {}).unwrap(),
        Some(0)
    );
    let known = sealed(folder.path(), &ring, MOST);
    let one = planted(NOW + 10);
    assert_eq!(known.of_patient(&one.own, NOW).await.unwrap(), [one]);
}

/// What somebody has put into another row is not believed: it is found out again.
#[tokio::test]
async fn what_was_moved_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let known = sealed(folder.path(), &ring(folder.path()), MOST);
    let one = planted(NOW + 10);
    known.learn(one.clone()).await.unwrap();
    let other = correlation("OTHER", "urn:oid:2.1", "SOMEBODY", NOW + 10);
    known.learn(other.clone()).await.unwrap();
    known
        .run(|connection| {
            connection.batch_execute(
                "CREATE TEMP TABLE before AS SELECT * FROM correlations; \
                 UPDATE correlations SET (there, there_sealed) = \
                 (SELECT there, there_sealed FROM before WHERE before.own <> correlations.own);",
            )
        })
        .await
        .unwrap();
    assert_eq!(known.of_patient(&one.own, NOW).await.unwrap(), []);
    let here = known.here(&one.home, &one.there, NOW).await.unwrap();
    assert_eq!(here, None);
    known.learn(one.clone()).await.unwrap();
    assert_eq!(known.of_patient(&one.own, NOW).await.unwrap(), [one]);
}
