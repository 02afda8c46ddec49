//! Whose it is stands wherever it belongs (ITI TF-2 3.38.4.1.3, 3.39.4.1.3, XCF 3.63, XCDR 3.80): on what is
//! found, on what is got, and on every error of a Responding Gateway. What each stored query gives is proven in
//! `iti51_across_communities.rs`.

use hilum_tests::calls::{
    CrossProvide, CrossQuery, CrossRetrieve, CrossRetrieveImages, Raw, parts, received,
};
use hilum_tests::region::{Region, home, repository};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use hilum_transport::{ClientError, HttpRequest};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti63_cross_gateway_fetch::CrossGatewayFetch;
use xds_schemas::transaction::Transaction;

use crate::iti63_cross_gateway_fetch::fetch;

/// A request for a document or an image, of this community or of none.
fn of(community: Option<usize>, request: String) -> String {
    let first = "<xds:RepositoryUniqueId>";
    let home = community.map(|number| {
        let home = home(number);
        format!("<xds:HomeCommunityId>urn:oid:{home}</xds:HomeCommunityId>{first}")
    });
    match home {
        Some(home) => request.replace(first, &home),
        None => request,
    }
}

fn images(community: Option<usize>) -> String {
    let instance = ("2.999.1".into(), "2.999.1.1".into(), "2.999.404".into());
    of(
        community,
        words::retrieve_images(&repository(0), &[instance], &["1.2"]),
    )
}

async fn ask<T: Transaction>(town: &Town, request: &T::Request) -> T::Response {
    let url = town.responding();
    let asked = town.client.send::<T>(&url, request, Vec::new());
    asked.await.unwrap().response
}

/// ITI TF-2 3.38.4.1.3: every error of a Responding Gateway has its homeCommunityId as location.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn every_error_of_a_responding_gateway_says_whose_it_is() {
    let region = Region::plain(1);
    let town = &region.towns[0];
    let find = |home: &str| {
        let begin = "<rim:AdhocQuery ";
        let query = words::find_documents("P-1", "LeafClass");
        query.replace(begin, &format!("{begin}home=\"urn:oid:{home}\" "))
    };
    let get = |community, id: &str| of(community, words::retrieve(&repository(0), &[id]));
    let submission = Submission::new("P-1", vec![Document::text("for nobody")]);
    let url = town.responding();
    let provide = Raw(submission.provide_request());
    let provided = town
        .client
        .send::<CrossProvide>(&url, &provide, parts(&submission));
    let provided = provided.await.unwrap().response.errors;
    let retrieved = async |request: String| {
        let request = Raw(request);
        let asked = town
            .client
            .send::<CrossRetrieve>(&url, &request, Vec::new());
        let answer = asked.await.unwrap();
        received(answer.response, answer.attachments)
            .await
            .response
            .errors
    };
    let shown = async |request: String| {
        let request = Raw(request);
        let asked = town
            .client
            .send::<CrossRetrieveImages>(&url, &request, Vec::new());
        let answer = asked.await.unwrap();
        received(answer.response, answer.attachments)
            .await
            .response
            .errors
    };
    let table: Vec<(&str, &str, Vec<RegistryError>)> = vec![
        (
            "ITI-38",
            "XDSUnknownCommunity",
            ask::<CrossQuery>(town, &Raw(find("2.999.404")))
                .await
                .errors,
        ),
        (
            "ITI-38 by name",
            "XDSMissingHomeCommunityId",
            ask::<CrossQuery>(town, &Raw(words::get_documents(&["2.999.404"])))
                .await
                .errors,
        ),
        (
            "ITI-39",
            "XDSUnknownCommunity",
            retrieved(get(Some(5), "2.999.404")).await,
        ),
        (
            "ITI-39",
            "XDSMissingHomeCommunityId",
            retrieved(get(None, "2.999.404")).await,
        ),
        (
            "ITI-39",
            "XDSDocumentUniqueIdError",
            retrieved(get(Some(0), "2.999.404")).await,
        ),
        (
            "ITI-63",
            "XDSUnknownCommunity",
            ask::<CrossGatewayFetch>(town, &fetch("P-1", Some(5)))
                .await
                .errors,
        ),
        (
            "ITI-63",
            "XDSMissingHomeCommunityId",
            ask::<CrossGatewayFetch>(town, &fetch("P-1", None))
                .await
                .errors,
        ),
        ("ITI-80", "XDSMissingHomeCommunityId", provided),
        (
            "RAD-75",
            "XDSUnknownCommunity",
            shown(images(Some(5))).await,
        ),
        (
            "RAD-75",
            "XDSMissingHomeCommunityId",
            shown(images(None)).await,
        ),
        (
            "RAD-75",
            "XDSDocumentUniqueIdError",
            shown(images(Some(0))).await,
        ),
    ];
    for (transaction, code, errors) in table {
        assert_eq!(errors.len(), 1, "{transaction} {code} {errors:?}");
        assert_eq!(errors[0].code.as_str(), code, "{transaction}");
        let location = errors[0].location.as_deref().unwrap_or_default();
        assert!(location.contains(&home(0)), "{transaction} {errors:?}");
    }
}

/// ITI TF-2 3.39.4.1.3: what is got says from where it is, and what is found on the way says the same.
#[tokio::test]
async fn what_is_got_says_whose_it_is() {
    let region = Region::plain(2);
    let (mut documents, urn) = (String::new(), |number| format!("urn:oid:{}", home(number)));
    for (number, town) in region.towns.iter().enumerate() {
        let submission = Submission::new("P-1", vec![Document::text("of this town")]);
        let response = town.provide(&submission).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        let id = &*submission.documents[0].unique_id;
        let request = of(Some(number), words::retrieve(&repository(number), &[id]));
        let from = request.find("<xds:DocumentRequest>").unwrap();
        let to = request.find("</xds:RetrieveDocumentSetRequest>").unwrap();
        documents.push_str(&request[from..to]);
    }
    let request = format!(
        "<xds:RetrieveDocumentSetRequest xmlns:xds=\"urn:ihe:iti:xds-b:2007\">{documents}\
         </xds:RetrieveDocumentSetRequest>"
    );
    let town = &region.towns[0];
    let url = town.initiating();
    let got = town.retrieve_at::<hilum_tests::calls::Retrieve>(&url, request);
    let got = got.await.unwrap();
    let mut homes: Vec<_> = got
        .documents
        .iter()
        .filter_map(|it| it.home.clone())
        .collect();
    homes.sort();
    assert_eq!(homes, [urn(0), urn(1)]);
}

/// Where the node has rules, a gateway asks for users only, whatever it is asked with.
#[tokio::test]
async fn with_rules_nobody_is_asked_for_nobody() {
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let text = std::fs::read_to_string(town.config()).unwrap();
    let ruled = text.replace("# rules = \"access.toml\"", "rules = \"access.toml\"");
    assert_ne!(text, ruled);
    std::fs::write(town.config(), ruled).unwrap();
    let rules = "[[rule]]\nname = \"treatment\"\nwho.role = \"physician^^1.9\"\nlevel = \"full\"\n";
    std::fs::write(town.node().join("access.toml"), rules).unwrap();
    town.start();
    let own = format!("urn:oid:{}", words::HOME);
    let mut request = fetch("P-1", None);
    request.home = Some(own.clone());
    let submission = Submission::new("P-1", vec![Document::text("for nobody")]);
    let provide = Raw(submission.provide_request());
    let client = town.client.for_community(&own);
    for url in [town.initiating(), town.responding()] {
        let asked = town
            .client
            .send::<CrossGatewayFetch>(&url, &request, Vec::new());
        refused(asked.await);
    }
    let url = town.responding();
    refused(
        client
            .send::<CrossProvide>(&url, &provide, parts(&submission))
            .await,
    );
    let path = format!(
        "/homeCommunityId/{home}/RetrieveLocationUID/{repository}/study/1.2.3",
        home = words::HOME,
        repository = words::REPOSITORY
    );
    for base in [town.initiating_wado(), town.responding_wado()] {
        let asked = HttpRequest {
            method: "GET",
            url: &(base + &path),
            headers: &[],
            body: bytes::Bytes::new(),
        };
        let answer = town.client.exchange_http(asked, 1 << 20).await.unwrap();
        assert_eq!(answer.status, 403);
    }
}

fn refused<T>(answer: Result<T, ClientError>) {
    match answer {
        Err(ClientError::Fault { fault, .. }) => assert!(fault.is("FailedAuthentication")),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was asked"),
    }
}
