//! Each quirk of `[[gateway.community]]`, against a partner that has exactly this oddity.

use std::time::Duration;

use hilum_tests::Partner;
use hilum_tests::partner::{self, Asked, Said};
use hilum_tests::words;
use xds_schemas::iti63_cross_gateway_fetch::CrossGatewayFetch;

use super::{
    HOME, OBJECT, REPOSITORY, assert_got, community, content, get, gives, ids, only_with, town,
    usual,
};
use crate::iti63_cross_gateway_fetch::fetch;

#[tokio::test]
async fn documents_per_request() {
    let one_only = |asked: &Asked| match asked.documents().len() {
        1 => gives(asked).after(Duration::from_millis(100)),
        _ => Said::fault("one document at a time"),
    };
    let partner = Partner::open(one_only);
    let ids = ids(7);
    let plain = town(&community(&partner.url(), ""));
    let got = get(&plain, &ids).await.unwrap();
    assert!(got.documents.is_empty());
    assert_eq!(crate::codes(&got.response), ["XDSUnavailableCommunity"]);
    let quirk = "documents_per_request = 1\ncalls = 3";
    let split = town(&community(&partner.url(), quirk));
    let got = get(&split, &ids).await.unwrap();
    assert_got(&got, &ids);
    assert_eq!(partner.asked().len(), 8);
    assert_eq!(
        partner.most_at_a_time(),
        3,
        "at the same time, within calls"
    );
    // Each request was recorded.
    let records = split.records();
    let of_it = records.iter().filter(|it| it["transaction"] == "ITI-39");
    assert_eq!(of_it.count(), 7);
}

/// A community that is asked in many requests and is away is named once.
#[tokio::test]
async fn many_requests_fail_with_one_error() {
    let partner = Partner::open(|_| Said::status(503));
    let quirk = "documents_per_request = 1\ncalls = 2";
    let town = town(&community(&partner.url(), quirk));
    let got = get(&town, &ids(12)).await.unwrap();
    let mut told = crate::codes(&got.response);
    told.dedup();
    assert_eq!(told, ["XDSUnavailableCommunity"]);
    assert!(got.response.errors.len() <= 2, "{:?}", got.response.errors);
    assert!(partner.asked().len() < 12, "it is not asked on and on");
}

/// A partner that speaks no MTOM.
#[tokio::test]
async fn inline() {
    let partner = Partner::open(|asked| {
        let kind = asked.header("content-type").unwrap_or_default();
        if kind.starts_with("multipart/") {
            return Said::status(415);
        }
        let body = partner::inline(HOME, REPOSITORY, &asked.documents(), content);
        Said::envelope(&words::envelope(partner::RETRIEVE_ANSWER, &body))
    });
    let ids = ids(3);
    let plain = town(&community(&partner.url(), ""));
    let got = get(&plain, &ids).await.unwrap();
    assert_eq!(crate::codes(&got.response), ["XDSUnavailableCommunity"]);
    drop(plain);
    let town = town(&community(&partner.url(), "inline = true"));
    assert_got(&get(&town, &ids).await.unwrap(), &ids);
}

#[tokio::test]
async fn missing_home() {
    only_with("missing_home = \"assume\"", |asked| {
        if !asked.is_query() {
            return gives(asked);
        }
        let body = partner::found(None, &[OBJECT]);
        Said::envelope(&words::envelope(partner::QUERY_ANSWER, &body))
    })
    .await;
}

/// The same for what is fetched.
#[tokio::test]
async fn missing_home_in_what_is_fetched() {
    let partner = Partner::open(|_| {
        let body = partner::found(None, &[OBJECT]);
        let action = "urn:ihe:iti:2011:CrossGatewayFetchResponse";
        Said::envelope(&words::envelope(action, &body))
    });
    for (line, homes) in [
        ("", &[][..]),
        ("missing_home = \"assume\"", &[Some(HOME)][..]),
    ] {
        let town = town(&community(&partner.url(), line));
        let mut request = fetch("P-1", None);
        request.home = Some(HOME.to_owned());
        let url = town.initiating();
        let sent = town
            .client
            .send::<CrossGatewayFetch>(&url, &request, Vec::new());
        let response = sent.await.unwrap().response;
        let objects = response.objects.iter();
        let got: Vec<_> = objects.map(|it| it.object.home.as_deref()).collect();
        assert_eq!(got, homes, "{response:?}");
        assert_eq!(response.errors.len(), 1 - homes.len());
    }
}

/// A partner that knows no WS-Addressing: the action stands in the headers of HTTP.
#[tokio::test]
async fn action_in_the_header_only() {
    let partner = only_with("action = \"header\"", |asked| {
        let kind = asked.header("content-type").unwrap_or_default();
        let soap_action = asked.header("soapaction").unwrap_or_default();
        let named = kind.contains("action=\"urn:ihe:iti:2007:CrossGateway");
        let named = named && soap_action.starts_with("\"urn:ihe:iti:2007:CrossGateway");
        if !named {
            return Said::status(500);
        }
        if asked.body.contains("Action") {
            return Said::fault("what is wsa:Action?");
        }
        let mut said = usual(asked);
        if asked.is_query() {
            // Nor does it answer with it.
            let body = partner::found(Some(HOME), &[OBJECT]);
            let envelope = "http://www.w3.org/2003/05/soap-envelope";
            said.body =
                format!("<s:Envelope xmlns:s=\"{envelope}\"><s:Body>{body}</s:Body></s:Envelope>")
                    .into_bytes();
        }
        said
    })
    .await;
    assert!(!partner.asked().is_empty());
}

/// A partner that chokes on a parameter of the Content-Type that it does not know.
#[tokio::test]
async fn action_in_addressing_only() {
    only_with("action = \"addressing\"", |asked| {
        let kind = asked.header("content-type").unwrap_or_default();
        match kind.contains("action=") {
            true => Said::status(415),
            false => usual(asked),
        }
    })
    .await;
}

/// A partner that understands WS-Addressing and says of it that it does not.
#[tokio::test]
async fn must_understand() {
    only_with("must_understand = false", |asked| {
        match asked.body.contains("mustUnderstand") {
            true => Said::fault("One or more mandatory SOAP header blocks are not understood"),
            false => usual(asked),
        }
    })
    .await;
}

/// A partner whose policy wants a timestamp of WS-Security.
#[tokio::test]
async fn timestamp() {
    only_with("timestamp = true", |asked| {
        let created = asked.body.contains("Created>2");
        match created && asked.body.contains("Expires>2") {
            true => usual(asked),
            false => Said::fault("the message has no timestamp"),
        }
    })
    .await;
}
