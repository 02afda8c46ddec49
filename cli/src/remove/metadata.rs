//! ITI-62: what must go with the entries of a document, and the request for it.

use std::collections::BTreeSet;

use anyhow::bail;
use hilum_audit::{Audit, Event, Parties};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti18_registry_stored_query::StoredQuery;
use xds_schemas::iti62_remove_metadata::{RemoveMetadata, RemoveObjectsRequest};
use xds_schemas::metadata::{Association, AssociationType, DocumentEntry, EntryUuid};

use crate::client::{self, Node};
use crate::query::{self, Question};

/// How far associations of associations are followed. A membership in a folder is itself a member
/// of a submission set, and that is as far as the framework goes (ITI TF-3 4.2.2.1.3).
const ROUNDS: usize = 4;

/// Has the registry forget the entries and whatever hangs on them, and says how many objects that
/// were; the inner errors are the registry's.
pub(super) async fn remove(
    node: &Node,
    ledger: &Audit,
    entries: &[DocumentEntry],
) -> anyhow::Result<Result<usize, Vec<RegistryError>>> {
    let mut going: BTreeSet<EntryUuid> = entries.iter().map(|it| it.entry_uuid.clone()).collect();
    let mut holders = BTreeSet::new();
    let mut newest: Vec<EntryUuid> = going.iter().cloned().collect();
    for round in 0.. {
        let touching = associations(node, ledger, newest).await?;
        newest = Vec::new();
        for association in touching {
            if association.association_type == AssociationType::HasMember {
                holders.insert(association.source);
            }
            if going.insert(association.entry_uuid.clone()) {
                newest.push(association.entry_uuid);
            }
        }
        if newest.is_empty() {
            break;
        }
        if round == ROUNDS {
            bail!("the registry has associations of associations without end");
        }
    }
    going.extend(empty_sets(node, ledger, &going, holders).await?);
    let patient = entries.iter().find_map(|entry| entry.patient_id.as_ref());
    send(node, ledger, going, patient.map(ToString::to_string)).await
}

/// The submission sets of which nothing would be left. Folders stay: they are there for what comes.
async fn empty_sets(
    node: &Node,
    ledger: &Audit,
    going: &BTreeSet<EntryUuid>,
    holders: BTreeSet<EntryUuid>,
) -> anyhow::Result<Vec<EntryUuid>> {
    let mut empty = Vec::new();
    for holder in holders {
        let touching = associations(node, ledger, vec![holder.clone()]).await?;
        // A folder is itself a member, and that membership stays.
        if touching.iter().all(|it| going.contains(&it.entry_uuid)) {
            empty.push(holder);
        }
    }
    Ok(empty)
}

/// The associations that touch one of these objects.
async fn associations(
    node: &Node,
    ledger: &Audit,
    of: Vec<EntryUuid>,
) -> anyhow::Result<Vec<Association>> {
    let question = Question::from(&StoredQuery::GetAssociations(of)).with_versions();
    Ok(query::find(node, ledger, &question).await?.associations)
}

/// Sends the request, and records that it was sent before anybody sees the answer.
async fn send(
    node: &Node,
    ledger: &Audit,
    going: BTreeSet<EntryUuid>,
    patient: Option<String>,
) -> anyhow::Result<Result<usize, Vec<RegistryError>>> {
    let url = node.registry()?;
    let request = RemoveObjectsRequest {
        objects: going.into_iter().collect(),
        ..RemoveObjectsRequest::default()
    };
    let answer = node
        .client
        .send::<RemoveMetadata>(&url, &request, Vec::new())
        .await;
    let outcome = client::outcome(&answer, |response| (response.status, &response.errors[..]));
    let uuids: Vec<&str> = request.objects.iter().map(EntryUuid::as_str).collect();
    let parties = Parties::asked(&url);
    let event = Event::metadata_removed(&parties, patient.as_deref(), &uuids, &outcome);
    let response = ledger.record(event, answer).await?.into_inner()?.response;
    Ok(match response.status {
        ResponseStatus::Success => Ok(request.objects.len()),
        _ => Err(response.errors),
    })
}
