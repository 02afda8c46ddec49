//! Asynchronous Web Services Exchange (ITI TF-2 V.5) at the gateways: what a Responding Gateway must support
//! (ITI TF-2 3.38.4.1, 3.39.4.1; XCF 3.63; XCDR 3.80; RAD TF-3 4.75), and what an Initiating one may.

use hilum_tests::calls::{
    CrossProvide, CrossQuery, CrossRetrieve, CrossRetrieveImages, Provide, Query, QuerySeveral,
    Raw, Retrieve, RetrieveImages, parts,
};
use hilum_tests::region::{Region, home, repository};
use hilum_tests::words::{self, Document, Submission, queries};
use hilum_tests::{Desk, Town, raw};
use hilum_transport::Attachments;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::soap::FaultCode;

const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
const SEVERAL: &str = "3d1bdb10-39a2-11de-89c2-2f44d94eaa9f";
const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";

/// Two communities; whoever asks the first gets the answers at a desk.
fn region(plain: bool) -> (Region, Desk) {
    let desk = Desk::reserve(plain);
    let region = Region::found_with(2, plain, "", &[desk.allowed()]);
    (region, desk)
}

/// A request in which each document is of this community.
fn of(number: usize, request: &str) -> String {
    let first = "<xds:RepositoryUniqueId>";
    let home = home(number);
    request.replace(
        first,
        &format!("<xds:HomeCommunityId>urn:oid:{home}</xds:HomeCommunityId>{first}"),
    )
}

fn with_slot(submission: &Submission, number: usize) -> String {
    let list = "<rim:RegistryObjectList>";
    let slot = format!(
        "<rs:RequestSlotList xmlns:rs=\"urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0\">\
         <rim:Slot name=\"homeCommunityId\"><rim:ValueList><rim:Value>urn:oid:{}</rim:Value></rim:ValueList>\
         </rim:Slot></rs:RequestSlotList>{list}",
        home(number)
    );
    submission.provide_request().replacen(list, &slot, 1)
}

async fn contents(mut attachments: Attachments) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(attachment) = attachments.next().await.unwrap() {
        all.push(attachment.collect(1 << 26).await.unwrap().to_vec());
    }
    all
}

async fn every_transaction(plain: bool) {
    let (region, mut desk) = region(plain);
    let [town, away] = [&region.towns[0], &region.towns[1]];
    desk.open(town);
    let answers = desk.correlation.clone();
    let client = &town.client;
    let none = Vec::new;
    let (responding, initiating) = (town.responding(), town.initiating());

    // ITI-80, and the ITI-41 that leads to it.
    let submission = Submission::new("P-1", vec![Document::text("here")]);
    let request = Raw(with_slot(&submission, 0));
    let sent = client.send_asynchronously::<CrossProvide>(
        &responding,
        &request,
        parts(&submission),
        &answers,
    );
    let response = sent.await.unwrap().response;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let there = Submission::new("P-1", vec![Document::text("there")]);
    let request = Raw(with_slot(&there, 1));
    let sent =
        client.send_asynchronously::<Provide>(&initiating, &request, parts(&there), &answers);
    let response = sent.await.unwrap().response;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");

    // ITI-38, ITI-18 and ITI-51.
    let find = Raw(words::find_documents("P-1", "LeafClass"));
    let asked = client.send_asynchronously::<CrossQuery>(&responding, &find, none(), &answers);
    assert_eq!(asked.await.unwrap().response.objects.len(), 1);
    let asked = client.send_asynchronously::<Query>(&initiating, &find, none(), &answers);
    assert_eq!(asked.await.unwrap().response.objects.len(), 2);
    let patients = format!("('{}')", words::patient("P-1"));
    let slots = [
        ("$XDSDocumentEntryPatientId", &*patients),
        ("$XDSDocumentEntryStatus", APPROVED),
    ];
    let several = Raw(words::query(SEVERAL, "LeafClass", &slots));
    let asked = client.send_asynchronously::<QuerySeveral>(&initiating, &several, none(), &answers);
    assert_eq!(asked.await.unwrap().response.objects.len(), 2);

    // ITI-39, and ITI-43 of what is in the other community.
    let get = |number: usize, submission: &Submission| {
        let id = &*submission.documents[0].unique_id;
        Raw(of(number, &words::retrieve(&repository(number), &[id])))
    };
    let request = get(0, &submission);
    let asked =
        client.send_asynchronously::<CrossRetrieve>(&responding, &request, none(), &answers);
    assert_eq!(contents(asked.await.unwrap().attachments).await, [b"here"]);
    let request = get(1, &there);
    let asked = client.send_asynchronously::<Retrieve>(&initiating, &request, none(), &answers);
    assert_eq!(contents(asked.await.unwrap().attachments).await, [b"there"]);

    // ITI-63.
    for (url, number, content) in [(&responding, 0, "here"), (&initiating, 1, "there")] {
        let request = crate::iti63_cross_gateway_fetch::fetch("P-1", Some(number));
        let asked = client
            .send_asynchronously::<xds_schemas::iti63_cross_gateway_fetch::CrossGatewayFetch>(
                url,
                &request,
                none(),
                &answers,
            );
        assert_eq!(
            contents(asked.await.unwrap().attachments).await,
            [content.as_bytes()]
        );
    }

    // RAD-75 and RAD-69. What is refused for reasons of the business is an answer too.
    let instance = ("2.999.1".into(), "2.999.1.1".into(), "2.999.404".into());
    let images = |number| {
        let request = words::retrieve_images(&repository(number), &[instance], &["1.2"]);
        Raw(of(number, &request))
    };
    let request = images(0);
    let asked =
        client.send_asynchronously::<CrossRetrieveImages>(&responding, &request, none(), &answers);
    let got = asked.await.unwrap();
    let got = hilum_tests::calls::received(got.response, got.attachments).await;
    assert_eq!(crate::codes(&got.response), ["XDSDocumentUniqueIdError"]);
    let asked =
        client.send_asynchronously::<RetrieveImages>(&initiating, &request, none(), &answers);
    let got = asked.await.unwrap();
    let got = hilum_tests::calls::received(got.response, got.attachments).await;
    assert_eq!(crate::codes(&got.response), ["XDSDocumentUniqueIdError"]);

    // The audit message names who asked by what wsa:ReplyTo said (TF-2 3.38.5.1).
    let reply_to = format!("UserID=\"{}\"", answers.reply_to());
    for transaction in ["ITI-38", "ITI-39", "ITI-63", "ITI-80", "RAD-75"] {
        let code = format!("csd-code=\"{transaction}\"");
        let told = |it: &String| it.contains(&code) && it.contains(&reply_to);
        assert!(town.messages().iter().any(told), "{transaction}");
    }
    assert!(!away.records().is_empty());
}

/// ITI TF-2 V.5: the answer goes to `wsa:ReplyTo`, over a connection of its own.
#[tokio::test(flavor = "multi_thread")]
async fn every_transaction_of_the_gateways_answers_elsewhere() {
    every_transaction(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_answer_elsewhere_with_mutual_tls() {
    every_transaction(false).await;
}

/// A gateway sends answers to nobody that its operator has not named.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_send_answers_to_nobody_else() {
    let (region, _desk) = region(true);
    let town: &Town = &region.towns[0];
    let find = words::query(queries::FIND_DOCUMENTS, "ObjectRef", &[]);
    for (path, action) in [
        ("/responding", "urn:ihe:iti:2007:CrossGatewayQuery"),
        ("/initiating", "urn:ihe:iti:2007:RegistryStoredQuery"),
    ] {
        let message = words::envelope(action, &find).replace(ANONYMOUS, "http://192.0.2.1/answers");
        let fault = raw::soap(town.port(3), path, &message).fault();
        assert_eq!(fault.code, FaultCode::Sender, "{fault}");
        assert!(fault.is("OnlyAnonymousAddressSupported"), "{fault}");
    }
}
