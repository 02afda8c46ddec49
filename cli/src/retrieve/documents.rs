//! Documents by ITI-43.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hilum_audit::{Audit, Document, Event, Outcome, Parties};
use serde_json::{Value, json};
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, RetrieveDocumentSet, RetrieveDocumentSetRequest,
};
use xds_schemas::metadata::{RepositoryUniqueId, UniqueId};

use super::receive::{Delivery, Received, receive};
use super::wanted::{Verdict, Wanted, located};
use super::{Arguments, complete, names};
use crate::client::Node;
use crate::refusal;
use crate::terminal::{Table, bytes_bar, say, say_json};

pub(super) async fn run(arguments: &Arguments, node: &Node, ledger: &Audit) -> anyhow::Result<()> {
    let located = located(arguments, node, ledger).await?;
    let total = located.wanted.len() + located.unknown.len();
    let mut kept = Vec::new();
    let mut errors = Vec::new();
    let mut broken = None;
    // One answer concerns one patient.
    for group in by_patient(located.wanted) {
        let delivery = fetch(node, ledger, &group, &arguments.out).await?;
        for received in delivery.received {
            kept.push(Kept::of(&group[received.place], received, &arguments.out)?);
        }
        errors.extend(delivery.errors);
        broken = broken.or(delivery.broken);
    }
    if arguments.json {
        let json = json!({
            "documents": kept.iter().map(Kept::json).collect::<Vec<_>>(),
            "unknown": located.unknown,
            "errors": refusal::json(&errors),
        });
        say_json(&json)?;
    } else if !kept.is_empty() {
        say(&table(&kept).text())?;
    }
    if let Some(broken) = broken {
        return Err(broken);
    }
    let differ = kept.iter().filter(|kept| kept.verdict == Verdict::Differs);
    let good = kept.len() - differ.count();
    let mut what = format!("{good} of {total} documents were retrieved");
    if good < kept.len() {
        what.push_str("; what differs from what was registered is kept aside as .rejected");
    }
    if !located.unknown.is_empty() {
        let unknown = located.unknown.join(", ");
        let has_no = node.answered_by().has_no();
        what.push_str(&format!("; {has_no} document {unknown}"));
    }
    complete(what, errors, node.answered_by(), good == total)
}

/// The documents of each patient.
fn by_patient(wanted: Vec<Wanted>) -> impl Iterator<Item = Vec<Wanted>> {
    let mut groups: BTreeMap<Option<String>, Vec<Wanted>> = BTreeMap::new();
    for one in wanted {
        groups.entry(one.patient.clone()).or_default().push(one);
    }
    groups.into_values()
}

/// A document that is in its place now.
struct Kept {
    path: PathBuf,
    unique_id: UniqueId,
    new_unique_id: Option<UniqueId>,
    new_repository: Option<RepositoryUniqueId>,
    mime_type: String,
    size: u64,
    hash: String,
    verdict: Verdict,
}

impl Kept {
    fn of(wanted: &Wanted, received: Received, out: &Path) -> anyhow::Result<Self> {
        let unique_id = wanted.request.document_unique_id.clone();
        let mut name = names::of(unique_id.as_str(), &received.mime_type);
        let verdict = wanted.judge(&received);
        if verdict == Verdict::Differs {
            name.push_str(".rejected");
        }
        let kept = Self {
            path: out.join(name),
            unique_id,
            new_unique_id: received.new_unique_id.clone(),
            new_repository: received.new_repository.clone(),
            mime_type: received.mime_type.clone(),
            size: received.size,
            hash: received.hash.clone(),
            verdict,
        };
        received.keep(&kept.path)?;
        Ok(kept)
    }

    fn json(&self) -> Value {
        json!({
            "file": self.path,
            "uniqueId": self.unique_id.as_str(),
            "newUniqueId": self.new_unique_id.as_ref().map(UniqueId::as_str),
            "newRepositoryUniqueId":
                self.new_repository.as_ref().map(RepositoryUniqueId::as_str),
            "mimeType": self.mime_type,
            "size": self.size,
            "hash": self.hash,
            "verified": match self.verdict {
                Verdict::Verified => Value::Bool(true),
                Verdict::Differs => Value::Bool(false),
                Verdict::Unknown => Value::Null,
            },
        })
    }
}

fn table(kept: &[Kept]) -> Table {
    let on_demand = kept.iter().any(|kept| kept.new_unique_id.is_some());
    let mut head = vec!["VERIFIED", "MIME TYPE", "SIZE", "FILE"];
    // What was made on demand has a name of its own.
    head.extend(on_demand.then_some("NEW UNIQUE ID"));
    let mut table = Table::new(&head);
    for kept in kept {
        let mut row = vec![
            kept.verdict.text().to_owned(),
            kept.mime_type.clone(),
            kept.size.to_string(),
            kept.path.display().to_string(),
        ];
        if on_demand {
            let new = kept.new_unique_id.as_ref().map(ToString::to_string);
            row.push(new.unwrap_or_default());
        }
        table.row(row);
    }
    table
}

/// Asks the repository, and records what came before anybody sees it.
pub(crate) async fn fetch(
    node: &Node,
    ledger: &Audit,
    wanted: &[Wanted],
    folder: &Path,
) -> anyhow::Result<Delivery> {
    let url = node.repository()?;
    let documents: Vec<DocumentRequest> = wanted.iter().map(|one| one.request.clone()).collect();
    let request = RetrieveDocumentSetRequest { documents };
    let progress = bytes_bar(wanted.iter().filter_map(|one| one.size).sum(), "retrieving");
    let answer = node
        .client
        .send::<RetrieveDocumentSet>(&url, &request, Vec::new());
    let delivery = receive(answer.await, &request.documents, folder, &progress).await;
    progress.finish_and_clear();
    let event = event(&Parties::asked(&url), wanted, &delivery);
    Ok(ledger.record(event, delivery).await?.into_inner())
}

/// One message for each patient and outcome.
fn event(parties: &Parties, wanted: &[Wanted], delivery: &Delivery) -> Event {
    let mut groups: BTreeMap<(Option<&str>, bool), Vec<Document>> = BTreeMap::new();
    for (place, one) in wanted.iter().enumerate() {
        let key = (one.patient.as_deref(), delivery.has(place));
        groups.entry(key).or_default().push(one.audited());
    }
    let event = |((patient, came), documents): ((Option<&str>, bool), Vec<Document>)| {
        let outcome = match came {
            true => Outcome::Success,
            false => Outcome::Failure(delivery.reasons()),
        };
        Event::retrieved(parties, patient, &documents, &outcome)
    };
    let events = groups.into_iter().map(event);
    let nothing = || Event::retrieved(parties, None, &[], &Outcome::Success);
    events.reduce(Event::and).unwrap_or_else(nothing)
}
