//! Whether the communities that the gateway asks answer, each asked as the gateway asks it.
//!
//! What is asked is ITI-38 GetDocuments for a document that cannot exist: about no patient, so that nobody
//! who reads the partner's audit log looks for one, and answered with nothing.

use hilum_audit::{Event, Outcome, Parties, Query};
use hilum_gateway::Community;
use hilum_transport::{Client, ClientError, Unreached};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::Slot;
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, ReturnType};
use xds_schemas::iti38_cross_gateway_query::CrossGatewayQuery;
use xds_schemas::soap::Fault;
use xds_schemas::xml::{ToXml, Writer};

use super::{Finding, Report, healthy};
use crate::client::Node;

/// GetDocuments (ITI TF-2 3.18.4.1.2.3.7.5).
const GET_DOCUMENTS: &str = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4";
/// Nothing has this name: it is the nil UUID.
const NOTHING: &str = "('urn:uuid:00000000-0000-0000-0000-000000000000')";

pub(super) async fn check(node: &Node, report: &mut Report) {
    if node.config.gateway.listen.is_none() {
        return;
    }
    let communities = match node.config.communities(None) {
        Ok(communities) => communities,
        Err(error) => return report.add("communities", Err(format!("{error:#}"))),
    };
    for community in communities {
        let finding = answers(node, &community).await;
        let of_it = |what: String| format!("{} ({}): {what}", community.name, community.home);
        report.add("community", finding.map(of_it).map_err(of_it));
    }
}

async fn answers(node: &Node, community: &Community) -> Finding {
    let partner = &community.partner;
    let client = partner.client.as_ref().unwrap_or(&node.client);
    let client = client.in_manner(partner.manner);
    let mut told = Vec::new();
    if let Some(url) = &community.query {
        told.push(asked(node, &client, community, url).await?);
    }
    // Documents and images that do not exist are an alarm to some, so others are only reached.
    let others = [
        &community.retrieve,
        &community.imaging,
        &community.fetch,
        &community.provide,
        &community.wado,
        &community.patients.url,
    ]
    .into_iter()
    .flatten();
    let mut others: Vec<&String> = others
        .filter(|url| Some(*url) != community.query.as_ref())
        .collect();
    others.sort();
    others.dedup();
    for url in others {
        healthy(&client, url).await?;
        told.push(format!("{url} is reached"));
    }
    Ok(told.join(", "))
}

/// Asks for nothing.
async fn asked(node: &Node, client: &Client, community: &Community, url: &str) -> Finding {
    let slot = |name: &str, value: &str| Slot {
        name: name.to_owned(),
        slot_type: None,
        values: vec![value.to_owned()],
    };
    let request = AdhocQueryRequest {
        return_type: ReturnType::ObjectRef,
        id: GET_DOCUMENTS.to_owned(),
        home: Some(community.home.0.clone()),
        slots: vec![slot("$XDSDocumentEntryEntryUUID", NOTHING)],
    };
    let ledger = node.ledger().map_err(|error| format!("{error:#}"))?;
    let asking = client.send::<CrossGatewayQuery>(url, &request, Vec::new());
    let deadline = community.deadline;
    let answer = match tokio::time::timeout(deadline, asking).await {
        Ok(answer) => answer.map(|answer| answer.response),
        Err(_) => {
            let seconds = deadline.as_secs();
            return Err(format!("{url} gave no answer within {seconds} seconds"));
        }
    };
    let outcome = match &answer {
        Ok(_) => Outcome::Success,
        Err(error) => Outcome::Failure(error.to_string()),
    };
    let mut writer = Writer::default();
    request.to_xml(&mut writer);
    let query = Query {
        id: &request.id,
        request: &writer.finish(),
        patients: &[],
        home_community_id: request.home.as_deref(),
    };
    let event = Event::queried_across(&Parties::asked(url), query, &outcome);
    let recorded = ledger.record(event, ()).await;
    recorded.map_err(|error| error.to_string())?.into_inner();
    match answer {
        Ok(response) => judged(url, community, &response),
        Err(ClientError::Fault { fault, .. }) if is_about_users(&fault) => Ok(format!(
            "{url} answers, and wants to know for whom it is asked"
        )),
        Err(error) => Err(mend(&error)),
    }
}

/// Whether a fault says that nobody, or the wrong one, was named for whom it is asked.
fn is_about_users(fault: &Fault) -> bool {
    let names = [
        "InvalidSecurity",
        "InvalidSecurityToken",
        "FailedAuthentication",
    ];
    names.iter().any(|name| fault.is(name))
}

/// Whether it answered as the community that it is taken for.
fn judged(url: &str, community: &Community, response: &AdhocQueryResponse) -> Finding {
    let mut errors = response.errors.iter();
    if errors.any(|error| error.code == ErrorCode::UnknownCommunity) {
        let home = &community.home;
        return Err(format!(
            "{url} is another community than {home}: it does not know itself by this name \
             (home_community_id)"
        ));
    }
    let mut objects = response.objects.iter();
    let others = |object: &str| object != community.home.as_str();
    let other = objects.find_map(|it| it.home.as_deref().filter(|home| others(home)));
    match other {
        Some(other) => Err(format!(
            "{url} answers as {other}; mend home_community_id if that is who is meant"
        )),
        None => Ok(format!("{url} answers")),
    }
}

/// What to do about it.
fn mend(error: &ClientError) -> String {
    let what = match error {
        ClientError::Url { .. } => "mend its url",
        ClientError::Unreachable { kind, .. } => match kind {
            Unreached::Name => {
                "nobody knows the address of this name; mend its url or the name server"
            }
            Unreached::Refused => "nobody listens there; mend its url, or ask whoever runs it",
            Unreached::Tls => {
                "mend its trust, pinned or server_name, or ask whoever runs it to trust this node"
            }
            Unreached::Late => "nobody answers in time; perhaps a firewall is between",
            Unreached::Broken => "the connection broke; perhaps it wants https, or another path",
        },
        ClientError::Fault { .. } => {
            "it does not take this question; docs/gateway.md says what partners want"
        }
        ClientError::Garbled { status, .. } => {
            return format!("{error}; HTTP status {status}: perhaps its url has another path");
        }
    };
    format!("{error}; {what}")
}
