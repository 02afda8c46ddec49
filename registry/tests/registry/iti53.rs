//! ITI-53: who is told when, and what becomes of those who do not listen.

use std::time::{Duration, Instant};

use serde_json::Value;
use xds_schemas::ebrim::Body;
use xds_schemas::iti52_document_metadata_subscribe::{Subscribe, Topic};
use xds_schemas::iti53_document_metadata_notify::DocumentMetadataNotify;
use xds_schemas::transaction::Transaction;

use crate::consumer::{Consumer, Mood, eventually};
use crate::dsub::{of_p1, topic};
use crate::site::Site;
use crate::words::{one, patient};

impl Site {
    /// The subscriptions, as an operator sees them.
    pub(crate) async fn listed(&self) -> Vec<Value> {
        let url = format!("{}/subscriptions", self.url);
        let (status, content) = self.client.fetch(&url).await.unwrap();
        assert_eq!(status, 200);
        let list: Value = serde_json::from_slice(&content).unwrap();
        list["subscriptions"].as_array().unwrap().clone()
    }

    /// Registers a document of P1; gives its entryUUID.
    async fn register(&self) -> String {
        let (submission, uuid) = one(&patient("P1"));
        self.accept(&submission).await;
        uuid.to_string()
    }
}

/// A registry that tries again soon.
fn eager(site: Site) -> Site {
    site.configured(|config| {
        config.subscriptions.first_pause = Duration::from_millis(20);
        config.subscriptions.longest_pause = Duration::from_millis(100);
    })
}

fn told(consumer: &Consumer) -> Vec<String> {
    consumer.objects().into_iter().map(|it| it.id).collect()
}

/// ITI TF-2 3.53.4.1.2: the action of the standard, one message, objects of the topic; 3.53.5.1: who
/// sends it stands in wsa:From.
pub(crate) async fn a_consumer_is_told(site: Site) {
    let site = site.with_patients().await;
    let consumer = Consumer::new(Mood::Willing);
    let address = site
        .subscribe(&consumer.url(), Topic::MinimalDocumentEntry, of_p1())
        .await;
    let uuid = site.register().await;
    consumer.takes(1).await;
    let (header, notify) = consumer.came().remove(0);
    assert_eq!(header.action, DocumentMetadataNotify::ACTION);
    assert_eq!(header.to, Some(consumer.url()));
    assert_eq!(header.from.as_deref(), Some(&*site.url));
    let [message] = &notify.messages[..] else {
        panic!("one message was expected")
    };
    assert_eq!(message.about.subscription, Some(address));
    assert_eq!(topic(message), "ihe:MinimalDocumentEntry");
    assert_eq!(message.objects()[0].body, Body::ObjectRef);
    assert_eq!(told(&consumer), [uuid]);
    eventually("nothing waits", || async {
        let listed = &site.listed().await[0];
        listed["backlog"] == 0 && listed["state"] == "active" && listed["last_delivery"].is_string()
    })
    .await;
}

/// Whoever was away is told everything, in order, when it is back; meanwhile it is seen why not.
pub(crate) async fn a_consumer_that_was_away_is_told_everything(site: Site) {
    let site = eager(site).with_patients().await;
    let mut consumer = Consumer::absent(Mood::Willing);
    site.subscribe(&consumer.url(), Topic::MinimalDocumentEntry, of_p1())
        .await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push(site.register().await);
    }
    eventually("the subscription is delayed", || async {
        let listed = &site.listed().await[0];
        listed["state"] == "delayed"
            && listed["attempts"].as_i64() > Some(1)
            && listed["next_attempt"].is_string()
    })
    .await;
    let listed = site.listed().await.remove(0);
    assert_eq!(listed["backlog"], 5);
    let error = listed["last_error"].as_str().unwrap();
    assert!(error.contains("cannot be reached"), "{error}");
    assert!(!listed.to_string().contains("P1"), "{listed}");
    consumer.listen();
    consumer.takes(5).await;
    assert_eq!(told(&consumer), expected);
}

/// A fault is no taking: what was refused is told again, before anything else.
pub(crate) async fn what_was_refused_is_told_again(site: Site) {
    let site = eager(site).with_patients().await;
    let consumer = Consumer::new(Mood::Refusing);
    site.subscribe(&consumer.url(), Topic::MinimalDocumentEntry, of_p1())
        .await;
    let expected = [site.register().await, site.register().await];
    eventually("it was tried again", || async { consumer.came().len() > 2 }).await;
    let first = expected[0].clone();
    let all_first = consumer
        .came()
        .iter()
        .all(|(_, notify)| notify.messages[0].objects()[0].id == first);
    assert!(all_first, "the order is kept");
    let listed = site.listed().await.remove(0);
    let error = listed["last_error"].as_str().unwrap();
    assert!(error.contains("not now"), "{error}");
    consumer.becomes(Mood::Willing);
    consumer.takes(2).await;
    assert_eq!(told(&consumer), expected);
}

/// One slow consumer, with many subscriptions, does not keep others waiting; and one that takes too
/// long is tried again, so that it may be told twice but never not at all.
pub(crate) async fn a_slow_consumer_delays_nobody_else(site: Site) {
    let site = site.configured(|config| {
        config.subscriptions.answer = Duration::from_secs(2);
        config.subscriptions.first_pause = Duration::from_millis(20);
    });
    let site = site.with_patients().await;
    let slow = Consumer::new(Mood::Slow(Duration::from_secs(60)));
    for _ in 0..80 {
        site.subscribe(&slow.url(), Topic::MinimalDocumentEntry, of_p1())
            .await;
    }
    let quick = Consumer::new(Mood::Willing);
    site.subscribe(&quick.url(), Topic::MinimalDocumentEntry, of_p1())
        .await;
    let began = Instant::now();
    let uuid = site.register().await;
    quick.takes(1).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(told(&quick), [uuid]);
    assert!(slow.came().len() <= 2, "it is not overrun");
    eventually("it is told again", || async { slow.came().len() > 2 }).await;
}

/// A subscription that cannot be delivered for too long is given up, and that is seen; nothing is
/// kept for it any more.
pub(crate) async fn a_hopeless_subscription_is_given_up(site: Site) {
    let site = site.configured(|config| {
        config.subscriptions.give_up = Duration::from_secs(1);
        config.subscriptions.first_pause = Duration::from_millis(50);
    });
    let site = site.with_patients().await;
    let consumer = Consumer::absent(Mood::Willing);
    let address = site
        .subscribe(&consumer.url(), Topic::MinimalDocumentEntry, of_p1())
        .await;
    site.register().await;
    eventually("it is given up", || async {
        site.listed().await[0]["state"] == "failed"
    })
    .await;
    site.register().await;
    let listed = site.listed().await.remove(0);
    assert_eq!(listed["backlog"], 0);
    assert!(listed["last_error"].as_str().unwrap().contains("given up"));
    // The operator, or whoever made it, can remove it.
    site.unsubscribe(&address).await.unwrap();
    assert!(site.listed().await.is_empty());
}

/// What waits for a consumer is bounded.
pub(crate) async fn a_backlog_is_bounded(site: Site) {
    let site = site.configured(|config| {
        config.subscriptions.backlog = 3;
        config.subscriptions.first_pause = Duration::from_millis(20);
        config.subscriptions.longest_pause = Duration::from_millis(50);
    });
    let site = site.with_patients().await;
    let consumer = Consumer::absent(Mood::Willing);
    site.subscribe(&consumer.url(), Topic::MinimalDocumentEntry, of_p1())
        .await;
    for _ in 0..5 {
        site.register().await;
    }
    eventually("it is given up", || async {
        let listed = &site.listed().await[0];
        listed["state"] == "failed" && listed["backlog"] == 0
    })
    .await;
}

/// Subscriptions and what there is to tell are in the database.
pub(crate) async fn nothing_is_forgotten_when_the_registry_is_closed(site: Site) {
    let site = site.with_patients().await;
    let mut consumer = Consumer::absent(Mood::Willing);
    site.subscribe(&consumer.url(), Topic::MinimalDocumentEntry, of_p1())
        .await;
    let before = site.register().await;
    let site = eager(site);
    consumer.listen();
    consumer.takes(1).await;
    let after = site.register().await;
    eventually("both are told", || async {
        let told = told(&consumer);
        told.contains(&before) && told.contains(&after)
    })
    .await;
}

/// Registering costs the same whether consumers are there or not.
pub(crate) async fn a_dead_consumer_does_not_slow_registration(site: Site) {
    let site = eager(site).with_patients().await;
    let measure = || async {
        let began = Instant::now();
        for _ in 0..40 {
            site.register().await;
        }
        began.elapsed()
    };
    measure().await;
    let without = measure().await;
    // Nobody listens there; and there a listener takes the connection and says nothing.
    let dead = Consumer::absent(Mood::Willing);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/", silent.local_addr().unwrap());
    for consumer in [dead.url(), silent] {
        for _ in 0..5 {
            let request = Subscribe::new(&*consumer, Topic::MinimalDocumentEntry, of_p1());
            site.try_subscribe(&request).await.unwrap();
        }
    }
    let with = measure().await;
    eprintln!("40 submissions: {without:?} without subscriptions, {with:?} with ten dead ones");
    assert!(
        with < 5 * without + Duration::from_secs(2),
        "{without:?} {with:?}"
    );
    assert_eq!(site.listed().await.len(), 10);
}

/// Both sides of ITI-52, 53, 54, 69 and 70 that are here leave a record.
pub(crate) async fn every_part_of_it_is_recorded(site: Site) {
    let site = site.with_patients().await;
    let consumer = Consumer::new(Mood::Willing);
    let address = site
        .subscribe(&consumer.url(), Topic::FullDocumentEntry, of_p1())
        .await;
    let uuid = site.register().await;
    consumer.takes(1).await;
    eventually("it is recorded", || async {
        site.audit()
            .iter()
            .any(|it| it.transaction.as_deref() == Some("ITI-53"))
    })
    .await;
    let pull_point = site.pull_point().await;
    site.pull(&pull_point).await;
    site.unsubscribe(&address).await.unwrap();
    site.unsubscribe(&address).await.unwrap_err();
    let gist: Vec<(String, String, String, String)> = site
        .audit()
        .into_iter()
        .filter(|it| it.transaction.as_deref() != Some("ITI-42"))
        .map(|it| {
            (
                it.transaction.unwrap_or_default(),
                it.event,
                it.action,
                it.outcome,
            )
        })
        .collect();
    let it = |transaction: &str, event: &str, action: &str, outcome: &str| {
        let text = |text: &str| text.to_owned();
        (text(transaction), text(event), text(action), text(outcome))
    };
    let expected = [
        it("ITI-52", "Query", "C", "0"),
        it("ITI-53", "Export", "R", "0"),
        it("ITI-69", "Application Activity", "C", "0"),
        it("ITI-70", "Query", "E", "0"),
        it("ITI-52", "Query", "D", "0"),
        it("ITI-52", "Query", "D", "4"),
    ];
    assert_eq!(gist, expected);
    let audit = site.audit();
    let of = |transaction: &str| {
        let mut found = audit.iter();
        found
            .find(|it| it.transaction.as_deref() == Some(transaction))
            .unwrap()
    };
    assert_eq!(of("ITI-52").patient.as_deref(), Some("P1^^^&1.2.3.9&ISO"));
    assert!(of("ITI-52").objects.contains(&address));
    assert_eq!(of("ITI-53").objects, [uuid]);
    assert!(of("ITI-53").participants.contains(&site.url), "wsa:From");
    assert_eq!(of("ITI-69").objects, [pull_point]);
}
