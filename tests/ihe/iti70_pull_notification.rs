//! ITI-69 and ITI-70: notifications wait for those who cannot be called.

use hilum_tests::Town;
use hilum_tests::calls::{CreatePullPoint, DestroyPullPoint, GetMessages, Raw};
use hilum_tests::words;
use hilum_transport::ClientError;
use xds_schemas::wsn::NotificationMessage;

use crate::iti52_document_metadata_subscribe::registered;

async fn create(town: &Town) -> String {
    let (url, request) = (town.registry(), Raw(words::wsnt("CreatePullPoint")));
    let sent = town
        .client
        .send::<CreatePullPoint>(&url, &request, Vec::new());
    let answer = sent.await.unwrap();
    town.expected.add("ITI-69", "Application Activity", 1);
    answer.response.pull_point
}

async fn pull(town: &Town, address: &str) -> Result<Vec<NotificationMessage>, ClientError> {
    let request = Raw(words::wsnt("GetMessages"));
    let sent = town
        .client
        .send::<GetMessages>(address, &request, Vec::new());
    let answer = sent.await;
    town.expected.add("ITI-70", "Query", 1);
    Ok(answer?.response.messages)
}

/// DSUB Extensions 3.69.4, 3.70.4: made, subscribed into, emptied one by one, removed; and it
/// survives the node.
#[tokio::test]
async fn notifications_wait_in_a_pull_point() {
    let mut town = Town::secure();
    let pull_point = create(&town).await;
    let request = words::subscribe_to_patient(&pull_point, "P-1");
    town.subscribe(request).await.unwrap();
    registered(&town, "P-1").await;
    registered(&town, "P-1").await;
    town.stop();
    town.start();
    // The connections of the old client are dead.
    town.client = town.client_named("client");
    let first = pull(&town, &pull_point).await.unwrap();
    let second = pull(&town, &pull_point).await.unwrap();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first[0].objects()[0].id, second[0].objects()[0].id);
    assert_eq!(pull(&town, &pull_point).await.unwrap(), []);
    let request = Raw(words::wsnt("DestroyPullPoint"));
    let client = &town.client;
    let sent = client.send::<DestroyPullPoint>(&pull_point, &request, Vec::new());
    sent.await.unwrap();
    town.expected.add("ITI-69", "Application Activity", 1);
    let gone = pull(&town, &pull_point).await.unwrap_err();
    let ClientError::Fault { fault, .. } = gone else {
        panic!("a fault was expected")
    };
    assert!(fault.is("ResourceUnknownFault"), "{fault}");
}
