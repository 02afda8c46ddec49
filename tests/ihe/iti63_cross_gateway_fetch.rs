//! ITI-63: what is found comes with its documents, from the community that was asked.

use hilum_tests::Town;
use hilum_tests::region::{Region, authority, home, patient_of, repository};
use hilum_tests::words::{self, Document, PATIENT_AUTHORITY, Submission};
use hilum_transport::Attachments;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::AdhocQueryRequest;
use xds_schemas::iti38_cross_gateway_query::patients_of;
use xds_schemas::iti63_cross_gateway_fetch::{CrossGatewayFetch, CrossGatewayFetchResponse};
use xds_schemas::mtom::Content;
use xds_schemas::xml::{FromXml, Reader};

use crate::iti38_translated_patients::provide;
use crate::iti55_cross_gateway_patient_discovery::{
    a_while, announce, discovering, jane, merge, silent,
};

const FETCH: &str = "f2072993-9478-41df-a603-8f016706efe8";
const CLASS: (&str, &str) = (
    "$XDSDocumentEntryClassCode",
    "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')",
);

/// A fetch of the reports of a patient.
pub(crate) fn fetch(patient: &str, of: Option<usize>) -> AdhocQueryRequest {
    let patient = format!("'{}'", words::patient(patient));
    let slots = [("$XDSDocumentEntryPatientId", &*patient), CLASS];
    let xml = words::query(FETCH, "LeafClassWithRepositoryItem", &slots);
    let mut reader = Reader::new(xml.as_bytes()).unwrap();
    let root = reader.root().unwrap();
    let mut request = AdhocQueryRequest::from_xml(&mut reader, &root).unwrap();
    request.home = of.and_then(urn);
    request
}

fn urn(number: usize) -> Option<String> {
    Some(format!("urn:oid:{}", home(number)))
}

/// The documents of an answer, by the id of their entry.
async fn contents(
    response: &CrossGatewayFetchResponse,
    mut attachments: Attachments,
) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(attachment) = attachments.next().await.unwrap() {
        let name = attachment.content_id().to_owned();
        let mut objects = response.objects.iter();
        let fetched = objects.find(|it| it.content == Some(Content::Include(name.clone())));
        let object = &fetched
            .expect("every attachment belongs to an entry")
            .object;
        let unique_id = object.external_identifier("urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab");
        let unique_id = unique_id.unwrap().to_owned();
        let content = attachment.collect(1 << 26).await.unwrap();
        all.push((unique_id, content.to_vec()));
    }
    all
}

fn codes(response: &CrossGatewayFetchResponse) -> Vec<(&str, Option<&str>)> {
    let errors = response.errors.iter();
    errors
        .map(|error| (error.code.as_str(), error.location.as_deref()))
        .collect()
}

/// Everything of an answer is what the submission has, and says whose it is.
async fn judge(response: CrossGatewayFetchResponse, attachments: Attachments, sent: &Submission) {
    let errors = &response.errors;
    assert_eq!(response.status, ResponseStatus::Success, "{errors:?}");
    let got = contents(&response, attachments).await;
    assert_eq!(got.len(), sent.documents.len());
    for document in &sent.documents {
        let (_, content) = got.iter().find(|it| it.0 == document.unique_id).unwrap();
        assert!(*content == document.content, "{}", document.unique_id);
    }
    let objects = response.objects.iter().map(|fetched| &fetched.object);
    let is_entry = |it: &&RegistryObject| matches!(it.body, Body::ExtrinsicObject { .. });
    let (entries, related): (Vec<_>, Vec<_>) = objects.partition(is_entry);
    for entry in entries {
        assert_eq!(entry.home, urn(1));
        let slot = entry.slot("repositoryUniqueId").unwrap();
        assert_eq!(slot.values, [repository(1)]);
    }
    // HasMember is not among what is said of how they are related.
    assert_eq!(related.len(), 1);
    match &related[0].body {
        Body::Association {
            association_type, ..
        } => assert!(association_type.ends_with(":signs")),
        other => panic!("{other:?}"),
    }
}

/// XCF 3.63.4.2: each entry with its document, and how they are related.
#[tokio::test]
async fn what_is_found_comes_with_its_documents() {
    let mut region = Region::secure(2);
    let away = &region.towns[1];
    let large = "0123456789".repeat(300_001);
    let documents = vec![Document::text(&large), Document::text("small")];
    let mut submission = Submission::new("P-1", documents);
    let [first, second] = [0, 1].map(|at| submission.documents[at].id.clone());
    // The second is made of the first.
    submission.more = format!(
        "<rim:Association id=\"Made\" associationType=\"urn:ihe:iti:2007:AssociationType:signs\" \
         sourceObject=\"{second}\" targetObject=\"{first}\"/>"
    );
    let response = away.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");

    // As a foreign gateway asks, and as a consumer asks its own gateway.
    let town = &region.towns[0];
    for (client, url) in [
        (&away.client, away.responding()),
        (&town.client, town.initiating()),
        (&away.client, away.initiating()),
    ] {
        let request = fetch("P-1", Some(1));
        let answer = client.send::<CrossGatewayFetch>(&url, &request, Vec::new());
        let answer = answer.await.unwrap();
        judge(answer.response, answer.attachments, &submission).await;
    }
    for town in &region.towns {
        let records = town.records();
        let count = records.iter().filter(|it| it["transaction"] == "ITI-63");
        assert!(count.count() >= 2, "both sides have a record of it");
    }

    // The command asks so, too.
    let out = region.towns[0].folder().join("fetched");
    let community = ["--community", &home(1), "--patient", "P-1", "--class-code"];
    let arguments = ["REPORTS", "--out", out.to_str().unwrap()];
    let ran = region.towns[0].run(&[&["fetch"], &community[..], &arguments].concat());
    assert!(ran.status.success(), "{ran:?}");
    for document in &submission.documents {
        let file = out.join(format!("{}.txt", document.unique_id));
        assert!(std::fs::read(file).unwrap() == document.content);
    }

    // Nothing is found, which is no error; somebody is away.
    let town = &region.towns[0];
    let url = town.initiating();
    let none = town
        .client
        .send::<CrossGatewayFetch>(&url, &fetch("P-2", Some(1)), Vec::new())
        .await
        .unwrap();
    assert_eq!(none.response.objects, []);
    region.towns[1].stop();
    let town = &region.towns[0];
    let away = town
        .client
        .send::<CrossGatewayFetch>(&url, &fetch("P-1", Some(1)), Vec::new())
        .await
        .unwrap();
    assert_eq!(away.response.status, ResponseStatus::Failure);
    let expected = [("XDSUnavailableCommunity", urn(1))];
    assert_eq!(
        codes(&away.response),
        expected.each_ref().map(|(code, at)| (*code, at.as_deref()))
    );
}

/// What the first town of a region has from the second of a patient whom it calls so.
async fn fetched(town: &Town, id: &str) -> (CrossGatewayFetchResponse, Attachments) {
    let mut request = fetch(id, Some(1));
    let ours = format!("&{PATIENT_AUTHORITY}&");
    for value in request.slots.iter_mut().flat_map(|slot| &mut slot.values) {
        *value = value.replace(&ours, &format!("&{}&", authority(0)));
    }
    let url = town.initiating();
    let answer = town
        .client
        .send::<CrossGatewayFetch>(&url, &request, Vec::new());
    let answer = answer.await.unwrap();
    (answer.response, answer.attachments)
}

/// Another community is asked by its own name for the patient, and what comes has ours.
#[tokio::test]
async fn a_patient_has_another_name_there() {
    let region = discovering(2, "");
    let [first, second] = &region.towns[..] else {
        panic!("two towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(first, 0, ["A-2", "Poe", "19900101", "F", ""]).await;
    announce(second, 1, jane("B-1")).await;
    // Somebody else, whom it calls as we call ours.
    announce(second, 1, ["A-1", "Roe", "19810203", "M", ""]).await;
    let sent = provide(second, 1, "B-1").await;
    provide(second, 1, "A-1").await;

    let (mut response, attachments) = fetched(first, "A-1").await;
    let errors = &response.errors;
    assert_eq!(response.status, ResponseStatus::Success, "{errors:?}");
    let got = contents(&response, attachments).await;
    assert_eq!(got, [(sent, b"of this town".to_vec())]);
    let objects = response.objects.iter_mut().map(|it| &mut it.object);
    let patients: Vec<String> = objects.flat_map(patients_of).map(|it| it.clone()).collect();
    assert_eq!(patients, [patient_of(0, "A-1").to_string()]);

    // Who is not known there has nothing there, and is not asked for.
    let count = || {
        let records = second.records();
        let all = records.iter().filter(|it| it["transaction"] == "ITI-63");
        all.count()
    };
    let asked = count();
    assert!(asked > 0);
    let (response, _) = fetched(first, "A-2").await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(response.objects, []);
    assert_eq!(count(), asked);
}

/// What a community calls a patient may change: then it is found out anew within the same fetch, whether the
/// community says so or answers with nothing.
#[tokio::test]
async fn a_stale_name_is_found_out_anew_while_it_is_fetched() {
    for (region, says_so) in [(discovering(2, ""), true), (silent(1), false)] {
        let [first, second] = &region.towns[..] else {
            panic!("two towns");
        };
        announce(first, 0, jane("A-1")).await;
        announce(second, 1, jane("B-1")).await;
        let sent = provide(second, 1, "B-1").await;
        let (response, attachments) = fetched(first, "A-1").await;
        assert_eq!(contents(&response, attachments).await.len(), 1);
        announce(second, 1, jane("B-2")).await;
        merge(second, 1, "B-1", "B-2").await;
        if !says_so {
            a_while().await;
        }
        let (response, attachments) = fetched(first, "A-1").await;
        let errors = &response.errors;
        assert_eq!(response.status, ResponseStatus::Success, "{errors:?}");
        let got = contents(&response, attachments).await;
        assert_eq!(got, [(sent, b"of this town".to_vec())]);
        // Each question was recorded: the one before, and two of this fetch.
        let records = second.records();
        let asked = records.iter().filter(|it| it["transaction"] == "ITI-63");
        assert!(asked.count() >= 3);
    }
}

/// XCF 3.63.4.1: what cannot be asked, and what is too much for one answer.
#[tokio::test]
async fn what_cannot_be_fetched() {
    let region = Region::found(1, true, "");
    let town = &region.towns[0];
    let submission = Submission::new("P-1", vec![Document::text("1"), Document::text("2")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let without_class = {
        let mut request = fetch("P-1", Some(0));
        request.slots.retain(|slot| slot.name != CLASS.0);
        request
    };
    let other_query = AdhocQueryRequest {
        id: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d".to_owned(),
        ..fetch("P-1", Some(0))
    };
    let leaf_class = AdhocQueryRequest {
        return_type: xds_schemas::ebrs::ReturnType::LeafClass,
        ..fetch("P-1", Some(0))
    };
    let without_patient = {
        let mut request = fetch("P-1", Some(0));
        request.slots.retain(|slot| slot.name == CLASS.0);
        request
    };
    for (request, code) in [
        (fetch("P-1", None), "XDSMissingHomeCommunityId"),
        (fetch("P-1", Some(7)), "XDSUnknownCommunity"),
        (without_class, "XDSStoredQueryMissingParam"),
        (without_patient, "XDSStoredQueryMissingParam"),
        (other_query, "XDSUnknownStoredQuery"),
        (leaf_class, "XDSRegistryError"),
    ] {
        let url = town.responding();
        let answer = town
            .client
            .send::<CrossGatewayFetch>(&url, &request, Vec::new());
        let response = answer.await.unwrap().response;
        assert_eq!(response.status, ResponseStatus::Failure, "{code}");
        assert_eq!(response.objects, []);
        assert_eq!(codes(&response), [(code, urn(0).as_deref())]);
    }
}

#[tokio::test]
async fn a_fetch_gives_only_so_much() {
    let mut town = Town::set_up(hilum_tests::Setup {
        plain: true,
        uncounted: true,
        ..hilum_tests::Setup::default()
    });
    let text = std::fs::read_to_string(town.config()).unwrap();
    let limited = text.replace("# fetch_documents = 100", "fetch_documents = 1");
    assert_ne!(text, limited);
    std::fs::write(town.config(), limited).unwrap();
    town.start();
    let submission = Submission::new("P-1", vec![Document::text("1"), Document::text("2")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let home = Some(format!("urn:oid:{}", words::HOME));
    let request = AdhocQueryRequest {
        home,
        ..fetch("P-1", None)
    };
    let url = town.responding();
    let answer = town
        .client
        .send::<CrossGatewayFetch>(&url, &request, Vec::new());
    let response = answer.await.unwrap().response;
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(codes(&response)[0].0, "XDSTooManyResults");
    assert_eq!(response.objects, []);
}
