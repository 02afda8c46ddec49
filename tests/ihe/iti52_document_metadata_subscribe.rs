//! ITI-52: subscriptions begin and end, and what is wrong with one is said with the fault that the
//! framework has for it.

use hilum_tests::consumer::Consumer;
use hilum_tests::words::{self, DOCUMENTS_OF_PATIENT, Document, Submission};
use hilum_tests::{Setup, Town};
use xds_schemas::codes::status::ResponseStatus;

/// Registers a document of the patient.
pub(crate) async fn registered(town: &Town, patient: &str) {
    let mut submission = Submission::new(patient, vec![Document::text("news")]);
    submission.repository = true;
    let response = town.register(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
}

/// ITI TF-2 3.52.4.1.3, 3.52.4.2.2, 3.52.4.3.3: the reference is an address below the registry's,
/// where the subscription is cancelled, once.
#[tokio::test]
async fn a_subscription_begins_and_ends() {
    let town = Town::secure();
    let consumer = Consumer::of(&town, true);
    let request = words::subscribe_to_patient(&consumer.url(), "P-1");
    let first = town.subscribe(request.clone()).await.unwrap();
    let second = town.subscribe(request).await.unwrap();
    assert!(
        first.starts_with(&format!("{}/", town.registry())),
        "{first}"
    );
    assert_ne!(first, second);
    registered(&town, "P-1").await;
    consumer.takes(2).await;
    town.unsubscribe(&first).await.unwrap();
    let fault = town.unsubscribe(&first).await.unwrap_err();
    assert!(fault.is("ResourceUnknownFault"), "{fault}");
    registered(&town, "P-1").await;
    consumer.takes(3).await;
    let told = consumer.came();
    let last = &told[2].2.messages[0].about;
    assert_eq!(last.subscription.as_deref(), Some(&*second));
    town.expected.add("ITI-53", "Export", 3);
}

/// ITI TF-2 3.52.4.1.3: each fault, as a SOAP fault with the detail of WS-BaseNotification.
#[tokio::test]
async fn wrong_subscriptions_are_refused_in_the_words_of_the_standard() {
    let town = Town::plain();
    let good = words::subscribe_to_patient("http://localhost:1/notify", "P-1");
    let patient = format!("'{}'", words::patient("P-1"));
    let slots = [
        ("$XDSDocumentEntryPatientId", &*patient),
        ("$XDSDocumentEntryWeather", "('fair')"),
    ];
    let topic = "ihe:MinimalDocumentEntry";
    let unknown_parameter =
        words::subscribe("http://localhost:1/", topic, DOCUMENTS_OF_PATIENT, &slots);
    let cases = [
        (unknown_parameter, "InvalidFilterFault"),
        (
            good.replace(DOCUMENTS_OF_PATIENT, "00000000-0000-4000-8000-000000000000"),
            "InvalidFilterFault",
        ),
        (
            good.replace("TopicExpression/Simple", "TopicExpression/Concrete"),
            "TopicExpressionDialectUnknownFault",
        ),
        (
            good.replace(topic, "ihe:Minimal | ihe:Full"),
            "InvalidTopicExpressionFault",
        ),
        (good.replace(topic, "ihe:Weather"), "TopicNotSupportedFault"),
        (
            good.replace("http://localhost:1/", "http://192.0.2.7:80/"),
            "SubscribeCreationFailedFault",
        ),
    ];
    for (request, expected) in cases {
        let envelope = words::envelope(
            "http://docs.oasis-open.org/wsn/bw-2/NotificationProducer/SubscribeRequest",
            &request,
        );
        let answer = hilum_tests::raw::soap(town.port(1), "/registry", &envelope);
        town.expected.add("ITI-52", "Query", 1);
        assert_eq!(answer.status, 400, "{expected}");
        let text = answer.text();
        assert!(
            text.contains(&format!(":{expected} ")),
            "{expected}: {text}"
        );
        for part in ["/wsn/fault<", "bf-2", "Timestamp>", "Description"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

/// Who may be told is the operator's to say: subscribers could make the node call what they cannot
/// reach themselves.
#[tokio::test]
async fn only_named_consumers_are_called() {
    let town = Town::found(Setup {
        plain: true,
        environment: vec![(
            "HILUM_SUBSCRIPTIONS__NOTIFY".to_owned(),
            "http://127.0.0.1:9,https://viewer.example/".to_owned(),
        )],
        ..Setup::default()
    });
    for allowed in [
        "http://127.0.0.1:9/x",
        "https://VIEWER.example:443/notify?a",
    ] {
        let request = words::subscribe_to_patient(allowed, "P-1");
        town.subscribe(request).await.unwrap();
    }
    for refused in [
        "http://localhost:9/x",
        "http://127.0.0.1:10/",
        "https://viewer.example.evil/",
        "https://viewer.example@evil.example/",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
    ] {
        let request = words::subscribe_to_patient(refused, "P-1");
        let fault = town.subscribe(request).await.unwrap_err();
        assert!(
            fault.is("SubscribeCreationFailedFault"),
            "{refused}: {fault}"
        );
        assert!(fault.reason.contains("ConsumerReference"), "{fault}");
    }
}

/// The commands: subscribing, listing, pulling and cancelling, with records of both sides.
#[tokio::test]
async fn the_command_subscribes() {
    let town = Town::found(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let run = |arguments: &[&str]| {
        let output = town.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let said = run(&[
        "subscribe",
        "--patient",
        "P-1",
        "--pull",
        "--until",
        "PT1H",
        "--json",
    ]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let text = |key: &str| said[key].as_str().unwrap().to_owned();
    assert!(text("terminates").ends_with('Z'));
    let listed = run(&["subscriptions", "list"]);
    assert!(
        listed.contains("active") && listed.contains("ihe:MinimalDocumentEntry"),
        "{listed}"
    );
    assert!(!listed.contains("P-1"), "{listed}");
    registered(&town, "P-1").await;
    let pulled = run(&["subscriptions", "pull", &text("pull_point")]);
    assert!(
        pulled.starts_with("ihe:MinimalDocumentEntry  urn:uuid:"),
        "{pulled}"
    );
    assert_eq!(run(&["subscriptions", "pull", &text("pull_point")]), "");
    run(&["unsubscribe", &text("subscription")]);
    run(&["subscriptions", "discard", &text("pull_point")]);
    assert_eq!(run(&["subscriptions", "list"]), "");
    let again = town.run(&["unsubscribe", &text("subscription")]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let wrong = town.run(&["subscribe", "--topic", "Weather", "--pull"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    let records = town.records();
    let count = |transaction: &str| {
        let of_it = records.iter().filter(|it| it["transaction"] == transaction);
        of_it.count()
    };
    assert_eq!(
        count("ITI-52"),
        6,
        "subscribe, unsubscribe twice, on both sides"
    );
    assert_eq!(count("ITI-69"), 4, "create and destroy, on both sides");
    assert_eq!(
        count("ITI-70"),
        6,
        "one message and twice none, on both sides"
    );
}
