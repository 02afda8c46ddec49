//! Asynchronous Web Services Exchange (ITI TF-2 V.5) at the gateways: what a Responding Gateway must support
//! (ITI TF-2 3.38.4.1, 3.39.4.1; XCF 3.63; XCDR 3.80; RAD TF-3 4.75), and what an Initiating one may.

use std::io::Read;

use hilum_tests::calls::{
    CrossProvide, CrossQuery, CrossRetrieve, CrossRetrieveImages, Provide, Query, QuerySeveral,
    Raw, Retrieve, RetrieveImages, parts, received,
};
use hilum_tests::region::{Region, home, repository};
use hilum_tests::words::{self, Document, Submission, queries};
use hilum_tests::{Desk, Town, raw};
use hilum_transport::{Attachments, Correlation, Part};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::iti63_cross_gateway_fetch::CrossGatewayFetch;
use xds_schemas::soap::FaultCode;
use xds_schemas::transaction::Transaction;

use crate::codes;
use crate::iti63_cross_gateway_fetch::fetch;

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

/// Who asks the gateways of a town and waits at a desk.
struct Asking<'a> {
    town: &'a Town,
    answers: &'a Correlation,
}

impl Asking<'_> {
    /// Asks the Responding Gateway, or the Initiating one.
    async fn ask<T: Transaction>(
        &self,
        responding: bool,
        request: T::Request,
        parts: Vec<Part>,
    ) -> (T::Response, Attachments) {
        let url = match responding {
            true => self.town.responding(),
            false => self.town.initiating(),
        };
        let client = &self.town.client;
        let asked = client.send_asynchronously::<T>(&url, &request, parts, self.answers);
        let answer = asked.await.unwrap();
        (answer.response, answer.attachments)
    }

    /// ITI-80, and the ITI-41 that leads to it.
    async fn hand_over(&self) -> [Submission; 2] {
        let here = Submission::new("P-1", vec![Document::text("here")]);
        let request = Raw(with_slot(&here, 0));
        let (response, _) = self.ask::<CrossProvide>(true, request, parts(&here)).await;
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        let there = Submission::new("P-1", vec![Document::text("there")]);
        let request = Raw(with_slot(&there, 1));
        let (response, _) = self.ask::<Provide>(false, request, parts(&there)).await;
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        [here, there]
    }

    /// ITI-38, ITI-18 and ITI-51.
    async fn find(&self) {
        let find = || Raw(words::find_documents("P-1", "LeafClass"));
        let (found, _) = self.ask::<CrossQuery>(true, find(), Vec::new()).await;
        assert_eq!(found.objects.len(), 1);
        let (found, _) = self.ask::<Query>(false, find(), Vec::new()).await;
        assert_eq!(found.objects.len(), 2);
        let patients = format!("('{}')", words::patient("P-1"));
        let slots = [
            ("$XDSDocumentEntryPatientId", &*patients),
            ("$XDSDocumentEntryStatus", APPROVED),
        ];
        let several = Raw(words::query(SEVERAL, "LeafClass", &slots));
        let (found, _) = self.ask::<QuerySeveral>(false, several, Vec::new()).await;
        assert_eq!(found.objects.len(), 2);
    }

    /// ITI-39, and ITI-43 of what is in the other community; ITI-63.
    async fn get(&self, [here, there]: [Submission; 2]) {
        let get = |number: usize, submission: &Submission| {
            let id = &*submission.documents[0].unique_id;
            Raw(of(number, &words::retrieve(&repository(number), &[id])))
        };
        let (_, got) = self
            .ask::<CrossRetrieve>(true, get(0, &here), Vec::new())
            .await;
        assert_eq!(contents(got).await, [b"here"]);
        let (_, got) = self
            .ask::<Retrieve>(false, get(1, &there), Vec::new())
            .await;
        assert_eq!(contents(got).await, [b"there"]);
        for (responding, number, content) in [(true, 0, "here"), (false, 1, "there")] {
            let request = fetch("P-1", Some(number));
            let asked = self.ask::<CrossGatewayFetch>(responding, request, Vec::new());
            let (_, got) = asked.await;
            assert_eq!(contents(got).await, [content.as_bytes()]);
        }
    }

    /// RAD-75 and RAD-69. What is refused for reasons of the business is an answer too.
    async fn look(&self) {
        let images = || {
            let instance = ("2.999.1".into(), "2.999.1.1".into(), "2.999.404".into());
            let request = words::retrieve_images(&repository(0), &[instance], &["1.2"]);
            Raw(of(0, &request))
        };
        let asked = self.ask::<CrossRetrieveImages>(true, images(), Vec::new());
        let (response, attachments) = asked.await;
        let got = received(response, attachments).await;
        assert_eq!(codes(&got.response), ["XDSDocumentUniqueIdError"]);
        let asked = self.ask::<RetrieveImages>(false, images(), Vec::new());
        let (response, attachments) = asked.await;
        let got = received(response, attachments).await;
        assert_eq!(codes(&got.response), ["XDSDocumentUniqueIdError"]);
    }
}

async fn every_transaction(plain: bool) {
    let (region, mut desk) = region(plain);
    let town = &region.towns[0];
    desk.open(town);
    let answers = &desk.correlation.clone();
    let asking = Asking { town, answers };
    let submissions = asking.hand_over().await;
    asking.find().await;
    asking.get(submissions).await;
    asking.look().await;
    // The audit message names who asked by what wsa:ReplyTo said (TF-2 3.38.5.1).
    let reply_to = format!("UserID=\"{}\"", answers.reply_to());
    for transaction in ["ITI-38", "ITI-39", "ITI-63", "ITI-80", "RAD-75"] {
        let code = format!("csd-code=\"{transaction}\"");
        let told = |it: &String| it.contains(&code) && it.contains(&reply_to);
        assert!(town.messages().iter().any(told), "{transaction}");
    }
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

/// Who wants the answer elsewhere gets one message there, even if several were taken here.
#[test]
fn an_answer_elsewhere_is_one_message() {
    let (region, desk) = region(true);
    let town = &region.towns[0];
    let address = desk.correlation.reply_to().to_owned();
    let find = words::find_documents("P-1", "ObjectRef");
    let action = "urn:ihe:iti:2007:RegistryStoredQuery";
    let envelope = words::envelope(action, &find).replace(ANONYMOUS, &address);
    let accept = "Accept: multipart/mixed, application/soap+xml";
    let length = format!("{accept}\r\nContent-Length: {}", envelope.len());
    let head = raw::head("/initiating", "application/soap+xml", &length);
    let listener = desk.into_listener();
    let answer = raw::exchange(town.port(3), (head + &envelope).as_bytes());
    assert_eq!(answer.status, 202, "{}", answer.head);
    let (mut sent, _) = listener.accept().unwrap();
    let mut came = String::new();
    while !came.contains("</query:AdhocQueryResponse>") && !came.contains("AdhocQueryResponse/>") {
        let mut chunk = [0; 4096];
        let length = sent.read(&mut chunk).unwrap();
        assert!(length > 0, "{came}");
        came.push_str(&String::from_utf8_lossy(&chunk[..length]));
    }
    let (head, _) = came.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(
        head.contains("content-type: application/soap+xml"),
        "{head}"
    );
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
