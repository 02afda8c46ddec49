//! ITI-80, and the ITI-41 that leads to it: documents reach the community for which they are meant.

use std::fs::File;
use std::time::{Duration, Instant};

use hilum_tests::calls::{CrossProvide, Provide, Raw, parts};
use hilum_tests::partner::{Partner, Said};
use hilum_tests::people::configure;
use hilum_tests::raw::Multipart;
use hilum_tests::region::{Region, home, repository};
use hilum_tests::words::{self, Document, HOME, Submission};
use hilum_tests::{Setup, Town};
use hilum_transport::{Part, PartSource};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryResponse;

use crate::codes;

fn urn(number: usize) -> String {
    format!("urn:oid:{}", home(number))
}

/// The request with the slot that names a community.
pub(crate) fn meant_for(submission: &Submission, home: &str) -> String {
    let list = "<rim:RegistryObjectList>";
    let slot = format!(
        "<rs:RequestSlotList xmlns:rs=\"urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0\">\
         <rim:Slot name=\"homeCommunityId\"><rim:ValueList><rim:Value>{home}</rim:Value></rim:ValueList>\
         </rim:Slot></rs:RequestSlotList>{list}"
    );
    submission.provide_request().replacen(list, &slot, 1)
}

/// XCDR 3.80.4.1: the source names the community to its own gateway, by slot or by header.
#[tokio::test]
async fn documents_reach_the_community_that_is_named() {
    let region = Region::secure(2);
    let [town, away] = [&region.towns[0], &region.towns[1]];
    let large = "0123456789".repeat(300_001);
    let documents = vec![Document::text(&large), Document::text("small")];
    let by_slot = Submission::new("P-1", documents);
    let request = Raw(meant_for(&by_slot, &urn(1)));
    let url = town.initiating();
    let sent = town.client.send::<Provide>(&url, &request, parts(&by_slot));
    let response = sent.await.unwrap().response;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let by_header = Submission::new("P-1", vec![Document::text("by its header")]);
    let request = Raw(by_header.provide_request());
    let client = town.client.for_community(&urn(1));
    let sent = client.send::<Provide>(&url, &request, parts(&by_header));
    let response = sent.await.unwrap().response;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");

    for document in by_slot.documents.iter().chain(&by_header.documents) {
        let request = words::retrieve(&repository(1), &[&document.unique_id]);
        let got = away.retrieve_as(request).await.unwrap();
        assert!(got.documents[0].content == document.content);
    }
    let here = words::find_documents("P-1", "ObjectRef");
    let here = town.query(here).await.unwrap();
    assert!(here.objects.is_empty(), "nothing stays here");

    // What is meant for the own community goes into it.
    let own = Submission::new("P-2", vec![Document::text("here")]);
    let request = Raw(meant_for(&own, &urn(0)));
    let sent = town.client.send::<Provide>(&url, &request, parts(&own));
    let response = sent.await.unwrap().response;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let here = words::find_documents("P-2", "ObjectRef");
    assert_eq!(town.query(here).await.unwrap().objects.len(), 1);

    // The command says so too.
    let file = town.folder().join("letter.txt");
    std::fs::write(&file, "by the command").unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["submit", file, "--patient", "P-3", "--community", &home(1)];
    let ran = town.run(&arguments);
    assert!(ran.status.success(), "{ran:?}");
    // In which repository it is now, nobody here knows.
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let here = repository(0);
    assert!(said.split_whitespace().all(|it| it != here), "{said}");
    let found = away.query(words::find_documents("P-3", "ObjectRef"));
    assert_eq!(found.await.unwrap().objects.len(), 1);

    // Both sides say for which community it was.
    for town in &region.towns {
        let messages = town.messages();
        let said = |it: &&String| {
            it.contains("csd-code=\"ITI-80\"") && it.contains("type=\"ihe:homeCommunityID\"")
        };
        let said = messages.iter().filter(said);
        assert_eq!(said.count(), 3, "{messages:#?}");
    }
}

/// XCDR 3.80.4.1.3: what a Responding Gateway does not take, and why.
#[tokio::test]
async fn what_is_wrong_is_said_and_nothing_of_it_stays() {
    let mut region = Region::plain(2);
    let town = &region.towns[0];
    let good = || Submission::new("P-1", vec![Document::text("good")]);
    let mut hash = good();
    hash.documents[0].hash = Some("0".repeat(40));
    let mut size = good();
    size.documents[0].size = Some(1);
    let twice = good();
    for (submission, request, code) in [
        (good(), None, "XDSMissingHomeCommunityId"),
        (good(), Some(urn(1)), "XDSUnknownCommunity"),
        (hash, Some(urn(0)), "XDSRepositoryMetadataError"),
        (size, Some(urn(0)), "XDSRepositoryMetadataError"),
    ] {
        let request = match request {
            Some(home) => meant_for(&submission, &home),
            None => submission.provide_request(),
        };
        let url = town.responding();
        let (request, parts) = (Raw(request), parts(&submission));
        let sent = town.client.send::<CrossProvide>(&url, &request, parts);
        let response = sent.await.unwrap().response;
        refused(&response, code, &urn(0));
    }
    // Slot and header that differ.
    let client = town.client.for_community(&urn(1));
    let request = Raw(meant_for(&twice, &urn(0)));
    let url = town.responding();
    let sent = client.send::<CrossProvide>(&url, &request, parts(&twice));
    let response = sent.await.unwrap().response;
    refused(&response, "XDSUnknownCommunity", &urn(0));

    // An attachment that is missing, and one too many: before and behind the one that belongs.
    let submission = good();
    let action = "urn:ihe:iti:2015:CrossGatewayDocumentProvide";
    let envelope = words::envelope(action, &meant_for(&submission, &urn(0)));
    let (id, content) = (words::content_id(0), &submission.documents[0].content[..]);
    for (parts, code) in [
        (vec![], "XDSMissingDocument"),
        (
            vec![(&*id, content), ("stray@tests", b"stray")],
            "XDSMissingDocumentMetadata",
        ),
        (
            vec![("stray@tests", &b"stray"[..]), (&*id, content)],
            "XDSMissingDocumentMetadata",
        ),
    ] {
        let answer = Multipart::of(&envelope, &parts).post(town.port(3), "/responding");
        refused(&answer.response(), code, &urn(0));
    }
    // However often somebody sends nonsense, the own community is still asked.
    for _ in 0..6 {
        let answer = Multipart::of(&envelope, &[]).post(town.port(3), "/responding");
        refused(&answer.response(), "XDSMissingDocument", &urn(0));
    }
    let found = words::find_documents("P-1", "ObjectRef");
    let found = town.query_across(found).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    assert!(found.objects.is_empty(), "nothing of it stays");

    // Who is away.
    region.towns[1].stop();
    let town = &region.towns[0];
    let submission = good();
    let request = Raw(meant_for(&submission, &urn(1)));
    let url = town.initiating();
    let sent = town
        .client
        .send::<Provide>(&url, &request, parts(&submission));
    let response = sent.await.unwrap().response;
    refused(&response, "XDSUnavailableCommunity", &urn(1));
}

/// XCDR 3.80.4.1.3 leaves it to the receiving side whether an intendedRecipient who is not known is an error, a
/// warning or nothing: a recipient who knows some warns, and the source is told so.
#[tokio::test]
async fn an_unknown_recipient_is_told_to_the_source() {
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let provide = format!("provide_url = \"{}\"", town.recipient());
    let sections = [
        ("gateway", &*provide),
        ("recipient", "recipients = [\"Some Hospital\"]"),
    ];
    configure(&town, &sections);
    town.start();
    let url = town.responding();
    for (recipient, is_known) in [("Some Hospital", true), ("Other Hospital", false)] {
        let submission = Submission::new("P-1", vec![Document::text("a letter")]);
        let request = meant_for(&submission, &format!("urn:oid:{HOME}"));
        let slot = format!(
            "<rim:RegistryPackage id=\"SubmissionSet\"><rim:Slot name=\"intendedRecipient\"><rim:ValueList>\
             <rim:Value>{recipient}</rim:Value></rim:ValueList></rim:Slot>"
        );
        let request = request.replace("<rim:RegistryPackage id=\"SubmissionSet\">", &slot);
        let request = Raw(request);
        let sent = town
            .client
            .send::<CrossProvide>(&url, &request, parts(&submission));
        let response = sent.await.unwrap().response;
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        let unknown = codes(&response).contains(&"UnknownRecipient");
        assert_eq!(unknown, !is_known, "{response:?}");
        assert!(!format!("{response:?}").contains("Other"), "{response:?}");
    }
}

fn refused(response: &RegistryResponse, code: &str, home: &str) {
    assert_eq!(response.status, ResponseStatus::Failure, "{code}");
    assert_eq!(codes(response), [code], "{response:?}");
    let location = response.errors[0].location.as_deref().unwrap_or_default();
    assert!(location.contains(home), "{response:?}");
}

/// Hands a document of so many bytes, with the rest of a submission, to the town's own gateway for the second
/// one.
pub(crate) async fn provide_large(town: &Town, mut submission: Submission, size: u64) {
    let file = town.folder().join("large");
    File::create(&file).unwrap().set_len(size).unwrap();
    let mut document = Document::of("application/dicom", Vec::new());
    (document.hash, document.size) = (None, Some(size));
    submission.documents = vec![document];
    let part = Part {
        content_id: words::content_id(0),
        content_type: "application/dicom".to_owned(),
        source: PartSource::File {
            path: file,
            offset: 0,
            length: size,
        },
    };
    let request = Raw(meant_for(&submission, &urn(1)));
    let url = town.initiating();
    let sent = town.client.send::<Provide>(&url, &request, vec![part]);
    let response = sent.await.unwrap().response;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
}

/// A document of any size needs little memory on its way.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded() {
    let region = Region::plain(2);
    let town = &region.towns[0];
    let provide = async |size| provide_large(town, Submission::new("P-1", Vec::new()), size).await;
    provide(1000).await;
    region.towns.iter().for_each(|town| town.forget_peak());
    let before: Vec<u64> = region.towns.iter().map(|town| town.peak_memory()).collect();
    provide(128 << 20).await;
    for (town, before) in region.towns.iter().zip(before) {
        let growth = town.peak_memory() - before;
        assert!(growth < 48 << 20, "a node grew by {growth} bytes");
    }
}

/// Who took everything and says nothing is not waited for when the node is stopped: the source gets its answer,
/// and nobody claims to know what became of the documents.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_is_not_waited_for_when_the_node_is_stopped() {
    let silent = Partner::open(|_| Said::fault("too late").after(Duration::from_secs(60)));
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let community = format!(
        "community = [{{ home_community_id = \"{}\", name = \"Silent\", url = \"{}\" }}]",
        urn(1),
        silent.url()
    );
    configure(&town, &[("gateway", &community)]);
    town.start();
    let submission = Submission::new("P-1", vec![Document::text("the only one")]);
    let request = Raw(meant_for(&submission, &urn(1)));
    let (client, url) = (town.client.clone(), town.initiating());
    let sent = tokio::spawn(async move {
        let sent = client.send::<Provide>(&url, &request, parts(&submission));
        sent.await.unwrap().response
    });
    while silent.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    tokio::task::block_in_place(|| town.stop());
    let response = sent.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "not at once");
    refused(&response, "XDSUnavailableCommunity", &urn(1));
    let context = &response.errors[0].context;
    assert!(context.contains("may have taken"), "{context}");
    let messages = town.messages();
    let mut across = messages.iter().filter(|it| it.contains("\"ITI-80\""));
    let said = across.next().unwrap();
    assert!(
        said.contains("may have taken the documents or not"),
        "{said}"
    );
}
