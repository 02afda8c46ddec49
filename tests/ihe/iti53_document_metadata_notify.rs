//! ITI-53: whoever has subscribed is told, at least once and in order, whatever becomes of consumer
//! and node meanwhile.

use std::time::{Duration, Instant};

use hilum_tests::consumer::{Consumer, Mood, eventually};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use serde_json::Value;

use crate::iti52_document_metadata_subscribe::registered;

/// A node that tries again soon.
fn eager(plain: bool) -> Setup {
    let key = |key: &str| format!("HILUM_SUBSCRIPTIONS__{key}");
    Setup {
        plain,
        // How often it is tried depends on the machine.
        uncounted: true,
        environment: vec![
            (key("FIRST_PAUSE_SECONDS"), "0".to_owned()),
            (key("LONGEST_PAUSE_SECONDS"), "1".to_owned()),
            (key("ANSWER_SECONDS"), "3".to_owned()),
        ],
        ..Setup::default()
    }
}

fn listed(town: &Town) -> Vec<Value> {
    let output = town.run(&["subscriptions", "list", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    list["subscriptions"].as_array().unwrap().clone()
}

/// ITI TF-2 3.53.4.1.2, 3.53.5.1: over mutual TLS, with the node's certificate and address; recorded
/// by the one who tells, with the objects.
#[tokio::test]
async fn a_consumer_is_told_over_mutual_tls() {
    let town = Town::secure();
    let consumer = Consumer::of(&town, true);
    let request = words::subscribe_to_patient(&consumer.url(), "P-1");
    town.subscribe(request).await.unwrap();
    registered(&town, "P-1").await;
    registered(&town, "P-2").await;
    consumer.takes(1).await;
    let (sender, header, notify) = consumer.came().remove(0);
    assert!(
        sender.is_some_and(|it| it.contains("CN=")),
        "the node shows its certificate"
    );
    assert_eq!(
        header.action,
        "http://docs.oasis-open.org/wsn/bw-2/NotificationConsumer/Notify"
    );
    assert_eq!(header.from, Some(town.registry()));
    assert_eq!(notify.messages.len(), 1);
    let found = town.query(words::find_documents("P-1", "ObjectRef")).await;
    let found = found.unwrap().objects;
    assert_eq!(consumer.objects(), [found[0].id.clone()]);
    eventually("it is recorded", || async {
        town.records()
            .iter()
            .any(|it| it["transaction"] == "ITI-53")
    })
    .await;
    let message = town
        .messages()
        .into_iter()
        .find(|message| message.contains("ITI-53"))
        .unwrap();
    for part in [
        "csd-code=\"110106\"",
        "EventActionCode=\"R\"",
        "csd-code=\"urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1\"",
        &format!("ParticipantObjectID=\"{}\"", found[0].id),
        &format!("UserID=\"{}\"", town.registry()),
        "type=\"urn:ihe:iti:xca:2010:homeCommunityId\"",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(
        !message.contains("P-1^^^"),
        "the broker does not name the patient"
    );
    town.expected.add("ITI-53", "Export", 1);
}

/// Down, refusing, slow, and back: everything comes, in order; meanwhile it is seen why not.
#[tokio::test]
async fn whatever_a_consumer_does_it_is_told_everything() {
    let town = Town::found(eager(false));
    let mut consumer = Consumer::absent(&town, true);
    let request = words::subscribe_to_patient(&consumer.url(), "P-1");
    town.subscribe(request).await.unwrap();
    for _ in 0..4 {
        registered(&town, "P-1").await;
    }
    eventually("it is seen", || async {
        listed(&town)[0]["state"] == "delayed"
    })
    .await;
    let before = listed(&town).remove(0);
    assert_eq!(before["backlog"], 4);
    let error = before["last_error"].as_str().unwrap();
    assert!(error.contains("cannot be reached"), "{error}");
    consumer.becomes(Mood::Refusing);
    consumer.listen();
    eventually("it is refused", || async { consumer.came().len() > 1 }).await;
    eventually("it is seen why", || async {
        let listed = listed(&town).remove(0);
        listed["last_error"]
            .as_str()
            .is_some_and(|it| it.contains("not now"))
    })
    .await;
    consumer.becomes(Mood::Slow(Duration::from_secs(10)));
    consumer.takes(2).await;
    consumer.becomes(Mood::Willing);
    let found = town.query(words::find_documents("P-1", "ObjectRef")).await;
    let expected: Vec<String> = found.unwrap().objects.into_iter().map(|it| it.id).collect();
    assert_eq!(expected.len(), 4);
    eventually("nothing waits any more", || async {
        let listed = &listed(&town)[0];
        listed["backlog"] == 0 && listed["state"] == "active"
    })
    .await;
    // What was slow was told again; but nothing was left out or overtaken.
    let mut told = consumer.objects();
    told.dedup();
    assert_eq!(told, expected);
    let log = town.log();
    assert!(log.contains("a subscription cannot be delivered"), "{log}");
    assert!(log.contains("a subscription is delivered again"), "{log}");
    assert!(!log.contains("P-1"), "no patients in the log: {log}");
    let said = log.matches("a subscription cannot be delivered").count();
    assert!(
        said <= 3,
        "once for each change, not for each attempt: {log}"
    );
}

/// Killed between the registration and its delivery: nothing is lost.
#[tokio::test]
async fn a_power_cut_loses_nothing() {
    let mut town = Town::found(eager(true));
    let mut consumer = Consumer::absent(&town, false);
    let request = words::subscribe_to_patient(&consumer.url(), "P-1");
    town.subscribe(request).await.unwrap();
    let mut expected = Vec::new();
    for _ in 0..3 {
        registered(&town, "P-1").await;
        town.kill();
        town.start();
        // The connections of the old client are dead.
        town.client = town.client_named("client");
    }
    let found = town.query(words::find_documents("P-1", "ObjectRef")).await;
    expected.extend(found.unwrap().objects.into_iter().map(|it| it.id));
    assert_eq!(expected.len(), 3);
    consumer.listen();
    consumer.takes(3).await;
    let mut told = consumer.objects();
    told.dedup();
    assert_eq!(told, expected);
}

/// Registering takes as long as ever, whatever consumers do.
#[tokio::test]
async fn dead_consumers_do_not_slow_registration() {
    let town = Town::found(eager(true));
    let measure = || async {
        let began = Instant::now();
        for _ in 0..30 {
            registered(&town, "P-1").await;
        }
        began.elapsed()
    };
    measure().await;
    let without = measure().await;
    // Nobody is there; somebody takes the connection and says nothing; somebody is slow.
    let absent = Consumer::absent(&town, false);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/", silent.local_addr().unwrap());
    let slow = Consumer::of(&town, false);
    slow.becomes(Mood::Slow(Duration::from_secs(30)));
    for consumer in [absent.url(), silent, slow.url()] {
        for _ in 0..5 {
            let request = words::subscribe_to_patient(&consumer, "P-1");
            town.subscribe(request).await.unwrap();
        }
    }
    let with = measure().await;
    eprintln!("30 submissions: {without:?} without subscriptions, {with:?} with 15 dead ones");
    assert!(
        with < 5 * without + Duration::from_secs(2),
        "{without:?} {with:?}"
    );
    // And somebody who listens is told at once.
    let quick = Consumer::of(&town, false);
    let request = words::subscribe_to_patient(&quick.url(), "P-2");
    town.subscribe(request).await.unwrap();
    let submission = Submission::new("P-2", vec![Document::text("news")]);
    town.provide(&submission).await.unwrap();
    quick.takes(1).await;
}
