//! Partners that fail and do not say why, or whose answer says nothing.

use hilum_tests::Partner;
use hilum_tests::calls::{Provide, Raw, parts};
use hilum_tests::partner::{self, Said};
use hilum_tests::words::{self, Document, Submission};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryResponse;

use super::{HOME, REPOSITORY, community, content, get, ids, town};
use crate::iti80_cross_gateway_document_provide::meant_for;

/// What is not given stands there, each with that there was no reason.
#[tokio::test]
async fn documents_are_not_given_for_no_reason() {
    let partner = Partner::open(|_| {
        let body = partner::inline(HOME, REPOSITORY, &[], content);
        let body = body.replace(":Success", ":Failure");
        Said::envelope(&words::envelope(partner::RETRIEVE_ANSWER, &body))
    });
    let town = town(&community(&partner.url(), ""));
    let ids = ids(2);
    let got = get(&town, &ids).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Failure);
    assert_eq!(crate::codes(&got.response), ["XDSRepositoryError"; 2]);
    for error in &got.response.errors {
        assert!(ids.contains(error.location.as_ref().unwrap()));
        let is_named = error.context.contains("Partner") && error.context.contains("no reason");
        assert!(is_named, "{}", error.context);
    }
}

async fn hand_over(said: Said) -> RegistryResponse {
    let partner = Partner::open(move |_| said.clone());
    let town = town(&community(&partner.url(), ""));
    let submission = Submission::new("P-1", vec![Document::text("for the partner")]);
    let request = Raw(meant_for(&submission, HOME));
    let (url, parts) = (town.initiating(), parts(&submission));
    let sent = town.client.send::<Provide>(&url, &request, parts).await;
    assert_eq!(partner.asked().len(), 1);
    sent.unwrap().response
}

/// Documents that are not taken for no reason, and those of which nobody knows whether they are.
#[tokio::test]
async fn documents_are_not_taken_for_no_reason() {
    let action = "urn:ihe:iti:2015:CrossGatewayDocumentProvideResponse";
    for list in ["", "<rs:RegistryErrorList/>"] {
        let body = format!(
            "<rs:RegistryResponse xmlns:rs=\"urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0\" \
             status=\"urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure\">{list}\
             </rs:RegistryResponse>"
        );
        let response = hand_over(Said::envelope(&words::envelope(action, &body))).await;
        assert_eq!(response.status, ResponseStatus::Failure);
        assert_eq!(crate::codes(&response), ["XDSRepositoryError"]);
        assert_eq!(response.errors[0].location.as_deref(), Some(HOME));
        assert!(response.errors[0].context.contains("no reason"));
    }
    let response = hand_over(Said::envelope("<html>It works!</html>")).await;
    assert_eq!(crate::codes(&response), ["XDSUnavailableCommunity"]);
    let context = &response.errors[0].context;
    assert!(context.contains("may have taken"), "{context}");
}
