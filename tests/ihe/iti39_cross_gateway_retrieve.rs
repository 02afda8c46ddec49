//! ITI-39, and the ITI-43 that leads to it: documents of several communities in one answer.

use hilum_tests::calls::{CrossRetrieve, Retrieve};
use hilum_tests::region::{Region, home, repository};
use hilum_tests::words::{self, Document, Submission};
use xds_schemas::codes::status::ResponseStatus;

use crate::codes;

/// One request for these: home, repository, document.
fn request(documents: &[(Option<String>, String, &str)]) -> String {
    let document = |(home, repository, id): &(Option<String>, String, &str)| {
        let home = home
            .as_ref()
            .map(|home| format!("<xds:HomeCommunityId>urn:oid:{home}</xds:HomeCommunityId>"));
        format!(
            "<xds:DocumentRequest>{}<xds:RepositoryUniqueId>{repository}</xds:RepositoryUniqueId>\
             <xds:DocumentUniqueId>{id}</xds:DocumentUniqueId></xds:DocumentRequest>",
            home.unwrap_or_default()
        )
    };
    let documents: String = documents.iter().map(document).collect();
    format!(
        "<xds:RetrieveDocumentSetRequest xmlns:xds=\"urn:ihe:iti:xds-b:2007\">{documents}\
         </xds:RetrieveDocumentSetRequest>"
    )
}

#[tokio::test]
async fn documents_of_all_communities_come_in_one_answer() {
    let mut region = Region::secure(3);
    let mut ids = Vec::new();
    for (number, town) in region.towns.iter().enumerate() {
        // Large enough not to be in any buffer; lengths that are no multiples of three.
        let large = "0123456789".repeat(300_000 + number);
        let small = format!("small of {number}");
        let documents = vec![Document::text(&large), Document::text(&small)];
        let submission = Submission::new("P-1", documents);
        let response = town.provide(&submission).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        for document in &submission.documents {
            ids.push((number, document.unique_id.clone(), document.content.clone()));
        }
    }
    let wanted = |ids: &[(usize, String, Vec<u8>)]| {
        let all: Vec<_> = ids
            .iter()
            .map(|(number, id, _)| (Some(home(*number)), repository(*number), &**id))
            .collect();
        request(&all)
    };
    let town = &region.towns[0];
    let got = town
        .retrieve_at::<Retrieve>(&town.initiating(), wanted(&ids))
        .await
        .unwrap();
    assert_eq!(got.response.status, ResponseStatus::Success, "{got:?}");
    assert_eq!(got.documents.len(), 6);
    for (number, id, content) in &ids {
        let document = got.documents.iter().find(|it| it.unique_id == *id).unwrap();
        assert_eq!(document.home, Some(format!("urn:oid:{}", home(*number))));
        assert_eq!(document.repository, repository(*number));
        assert_eq!(document.content, *content, "{number} {id}");
    }

    // What is not there is told one by one; who is away, once.
    region.towns[2].stop();
    let town = &region.towns[0];
    let mixed = request(&[
        (Some(home(0)), repository(0), &ids[1].1),
        (Some(home(1)), repository(1), "2.999.404"),
        (Some(home(1)), repository(1), &ids[3].1),
        (Some(home(2)), repository(2), &ids[4].1),
        (Some(home(2)), repository(2), &ids[5].1),
        (Some("2.999.77".to_owned()), repository(2), "2.999.405"),
        (None, repository(1), "2.999.406"),
        (Some(home(0)), repository(1), "2.999.407"),
    ]);
    let got = town
        .retrieve_at::<Retrieve>(&town.initiating(), mixed)
        .await
        .unwrap();
    assert_eq!(got.response.status, ResponseStatus::PartialSuccess);
    let mut given: Vec<&str> = got.documents.iter().map(|it| &*it.unique_id).collect();
    given.sort_unstable();
    let mut expected = [&*ids[1].1, &*ids[3].1];
    expected.sort_unstable();
    assert_eq!(given, expected);
    let mut told = codes(&got.response);
    told.sort_unstable();
    let expected = [
        "XDSDocumentUniqueIdError",
        "XDSMissingHomeCommunityId",
        "XDSUnavailableCommunity",
        "XDSUnknownCommunity",
        "XDSUnknownRepositoryId",
    ];
    assert_eq!(told, expected, "{:?}", got.response.errors);
}

/// As a foreign gateway asks; ITI TF-2 3.39.4.1.3.
#[tokio::test]
async fn a_responding_gateway_gives_what_its_community_has() {
    let region = Region::plain(1);
    let town = &region.towns[0];
    let submission = Submission::new("P-1", vec![Document::text("here")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let id = &*submission.documents[0].unique_id;
    let url = town.responding();
    let wanted = request(&[
        (Some(home(0)), repository(0), id),
        (Some(home(0)), repository(0), "2.999.404"),
        (None, repository(0), "2.999.405"),
        (Some(home(4)), repository(0), "2.999.406"),
    ]);
    let got = town
        .retrieve_at::<CrossRetrieve>(&url, wanted)
        .await
        .unwrap();
    assert_eq!(got.response.status, ResponseStatus::PartialSuccess);
    assert_eq!(got.documents.len(), 1);
    assert_eq!(got.documents[0].content, b"here");
    assert_eq!(got.documents[0].home, Some(format!("urn:oid:{}", home(0))));
    let own = format!("urn:oid:{}", home(0));
    let mut missing = ["2.999.404", "2.999.405", "2.999.406"].to_vec();
    for error in &got.response.errors {
        let location = error.location.as_deref().unwrap();
        assert!(location.contains(&own), "{location}");
        missing.retain(|id| !location.contains(id));
    }
    assert!(missing.is_empty(), "{:?}", got.response.errors);
}

/// Who does not speak MTOM gets the documents of others in the envelope, too.
#[tokio::test]
async fn without_mtom_the_content_of_others_stands_in_the_envelope() {
    let region = Region::plain(2);
    let submission = Submission::new("P-1", vec![Document::text("in base64")]);
    let response = region.towns[1].provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let id = &*submission.documents[0].unique_id;
    let body = request(&[(Some(home(1)), repository(1), id)]);
    let envelope = words::envelope("urn:ihe:iti:2007:RetrieveDocumentSet", &body);
    // Its length is not known when it begins, so it comes in chunks.
    let answer = hilum_tests::raw::soap(region.towns[0].port(3), "/initiating", &envelope);
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("aW4gYmFzZTY0"), "{}", answer.text());
}
