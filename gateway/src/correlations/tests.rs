//! What is kept, what is not, and for how long.

mod encrypted;

use super::*;

const NOW: i64 = 1_700_000_000;

fn patient(id: &str) -> PatientId {
    PatientId::new(id, "1.2.3")
}

fn correlation(own: &str, home: &str, there: &str, until: i64) -> Correlation {
    Correlation {
        own: patient(own),
        home: home.into(),
        there: PatientId::new(there, "1.2.4"),
        origin: Origin::DiscoveredHere,
        confidence: Some(95),
        learned: NOW,
        until,
    }
}

fn opened(folder: &Path, most: i64) -> Correlations {
    Correlations::open(
        &folder.join("gateway.db"),
        &Vault::default(),
        Vec::new(),
        most,
    )
    .unwrap()
}

#[tokio::test]
async fn it_survives_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let one = correlation("P", "urn:oid:2.1", "X", NOW + 10);
    opened(folder.path(), MOST)
        .learn(one.clone())
        .await
        .unwrap();
    let again = opened(folder.path(), MOST);
    let there = |now| again.there(&one.own, &one.home, now);
    assert_eq!(there(NOW).await.unwrap(), Some(one.clone()));
    assert_eq!(there(NOW + 10).await.unwrap(), None, "its time is over");
    let here = again.here(&one.home, &one.there, NOW).await.unwrap();
    assert_eq!(here, Some(one.own.clone()));
    again.forget(&one.own, &one.home).await.unwrap();
    assert_eq!(there(NOW).await.unwrap(), None);
}

#[tokio::test]
async fn what_another_says_does_not_replace_what_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let known = opened(folder.path(), MOST);
    let answered = correlation("P", "urn:oid:2.1", "X", NOW + 10);
    let said = Correlation {
        origin: Origin::DiscoveredThere,
        ..correlation("P", "urn:oid:2.1", "Y", NOW + 99)
    };
    known.learn(answered.clone()).await.unwrap();
    known.learn(said.clone()).await.unwrap();
    let there = known.of_patient(&patient("P"), NOW).await.unwrap();
    assert_eq!(there, [answered]);
    let later = Correlation {
        learned: NOW + 10,
        ..said
    };
    known.learn(later.clone()).await.unwrap();
    let there = known.of_patient(&patient("P"), NOW + 10).await.unwrap();
    assert_eq!(there, [later]);
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let known = opened(folder.path(), MOST);
    let one = correlation("P", "urn:oid:2.1", "X", NOW + 10);
    known.learn(one.clone()).await.unwrap();
    let over = Correlation { until: NOW, ..one };
    known.learn(over).await.unwrap();
    assert_eq!(known.of_patient(&patient("P"), NOW).await.unwrap(), []);
}

#[tokio::test]
async fn two_who_are_one_elsewhere_are_nobody_here() {
    let folder = tempfile::tempdir().unwrap();
    let known = opened(folder.path(), MOST);
    for own in ["P", "Q"] {
        let one = correlation(own, "urn:oid:2.1", "X", NOW + 10);
        known.learn(one).await.unwrap();
    }
    let (home, there) = ("urn:oid:2.1".into(), PatientId::new("X", "1.2.4"));
    assert_eq!(known.here(&home, &there, NOW).await.unwrap(), None);
    let forgotten = known.forget_there(&home, &there).await.unwrap();
    assert_eq!(forgotten, [patient("P"), patient("Q")]);
    assert_eq!(known.of_patient(&patient("P"), NOW).await.unwrap(), []);
}

#[tokio::test]
async fn there_is_room_for_so_many() {
    let folder = tempfile::tempdir().unwrap();
    let known = opened(folder.path(), 10);
    for at in 0..30 {
        let one = correlation(&format!("P{at}"), "urn:oid:2.1", "X", NOW + 10 + at);
        known.learn(one).await.unwrap();
    }
    let all: i64 = known
        .run(|connection| dsl::correlations.count().get_result(connection))
        .await
        .unwrap();
    assert!(all <= 10, "{all}");
    let newest = known.of_patient(&patient("P29"), NOW).await.unwrap();
    assert_eq!(newest.len(), 1);
}

#[tokio::test]
async fn what_is_configured_counts_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let said = Correlation {
        origin: Origin::Configured,
        until: i64::MAX,
        ..correlation("P", "urn:oid:2.1", "C", 0)
    };
    let path = folder.path().join("gateway.db");
    let known = Correlations::open(&path, &Vault::default(), vec![said.clone()], MOST).unwrap();
    let other = correlation("P", "urn:oid:2.1", "X", NOW + 10);
    known.learn(other).await.unwrap();
    let all = known.of_patient(&patient("P"), NOW).await.unwrap();
    assert_eq!(all, std::slice::from_ref(&said));
    let here = known.here(&said.home, &said.there, NOW).await.unwrap();
    assert_eq!(here, Some(said.own));
}

/// What the configuration says of a patient counts more than what was learned: also in the other direction.
#[tokio::test]
async fn who_is_configured_as_another_is_not_meant() {
    let folder = tempfile::tempdir().unwrap();
    let said = Correlation {
        origin: Origin::Configured,
        until: i64::MAX,
        ..correlation("P", "urn:oid:2.1", "C", 0)
    };
    let path = folder.path().join("gateway.db");
    let known = Correlations::open(&path, &Vault::default(), vec![said], MOST).unwrap();
    let home = "urn:oid:2.1".into();
    for own in ["P", "Q"] {
        let other = correlation(own, "urn:oid:2.1", "X", NOW + 10);
        known.learn(other).await.unwrap();
    }
    let there = PatientId::new("X", "1.2.4");
    let here = known.here(&home, &there, NOW).await.unwrap();
    assert_eq!(here, Some(patient("Q")));
}
