//! ITI-54: what others publish is told to those who have subscribed here.

use hilum_tests::Town;
use hilum_tests::calls::{Publish, Raw};
use hilum_tests::consumer::Consumer;
use hilum_tests::words::{self, Document, Submission};
use hilum_transport::ClientError;

/// ITI TF-2 3.54.4.1.3, 3.54.5.1: one way, answered with nothing but that it was taken; recorded as
/// an import.
#[tokio::test]
async fn what_is_published_is_told() {
    let town = Town::secure();
    let consumer = Consumer::of(&town, true);
    let request = words::subscribe_to_patient(&consumer.url(), "P-1");
    town.subscribe(request).await.unwrap();
    let submission = Submission::new("P-1", vec![Document::text("elsewhere")]);
    let request = Raw(words::publish(
        "2.999.7",
        &submission.submit_objects_request(),
    ));
    let url = town.registry();
    let client = &town.client;
    let sent = client.send_one_way::<Publish>(&url, None, &request);
    sent.await.unwrap();
    consumer.takes(1).await;
    assert_eq!(consumer.objects(), [submission.documents[0].id.clone()]);
    town.expected.add("ITI-54", "Import", 1);
    town.expected.add("ITI-53", "Export", 1);
    // Publishing is not registering.
    let found = town.query(words::find_documents("P-1", "ObjectRef")).await;
    assert_eq!(found.unwrap().objects, []);
}

/// ITI TF-2 3.54.4.1.2: one message, with its producer and its objects.
#[tokio::test]
async fn what_is_no_publication_is_refused() {
    let town = Town::plain();
    let submission = Submission::new("P-1", vec![Document::text("elsewhere")]);
    let good = words::publish("2.999.7", &submission.submit_objects_request());
    let start = good.find("<wsnt:ProducerReference>").unwrap();
    let end = good.find("<wsnt:Message>").unwrap();
    let anonymous = format!("{}{}", &good[..start], &good[end..]);
    let message = &good[good.find("<wsnt:NotificationMessage>").unwrap()..];
    let message = message.replace("</wsnt:Notify>", "");
    let twice = good.replace("</wsnt:Notify>", &format!("{message}</wsnt:Notify>"));
    let empty = words::publish("2.999.7", "<x xmlns=\"urn:x\"/>");
    let url = town.registry();
    for wrong in [anonymous, twice, empty].map(Raw) {
        let client = &town.client;
        let sent = client.send_one_way::<Publish>(&url, None, &wrong);
        let refused = sent.await.unwrap_err();
        assert!(matches!(refused, ClientError::Fault { .. }), "{refused}");
        town.expected.add("ITI-54", "Import", 1);
    }
}
