//! Documents by ITI-43.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;
use hilum_audit::{Audit, Document, Event, Outcome, Parties};
use serde_json::{Value, json};
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, RetrieveDocumentSet, RetrieveDocumentSetRequest,
};
use xds_schemas::metadata::{DocumentEntry, UniqueId};

use super::receive::{Delivery, Received, receive};
use super::{Arguments, complete, names};
use crate::client::Node;
use crate::query::{self, Question};
use crate::refusal;
use crate::terminal::{Table, bytes_bar, say, say_json};

/// A document that is wanted, and what the registry says about it.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) request: DocumentRequest,
    pub(super) patient: Option<String>,
    hash: Option<String>,
    size: Option<u64>,
}

impl Wanted {
    /// None if the registry does not say where it is.
    pub(super) fn registered(entry: &DocumentEntry) -> Option<Self> {
        Some(Self {
            request: DocumentRequest {
                home_community_id: entry.home_community_id.clone(),
                repository_unique_id: entry.repository_unique_id.clone()?,
                document_unique_id: entry.unique_id.clone(),
            },
            patient: entry.patient_id.as_ref().map(ToString::to_string),
            hash: entry.hash.clone(),
            size: entry.size,
        })
    }

    /// Whether the content is what was registered.
    fn judge(&self, received: &Received) -> Verdict {
        let same_hash = self
            .hash
            .as_ref()
            .map(|hash| hash.eq_ignore_ascii_case(&received.hash));
        let same_size = self.size.map(|size| size == received.size);
        match (same_hash, same_size) {
            (Some(false), _) | (_, Some(false)) => Verdict::Differs,
            (Some(true), Some(true)) => Verdict::Verified,
            _ => Verdict::Unknown,
        }
    }

    /// Whether the content is certainly not what was registered.
    pub(super) fn differs(&self, received: &Received) -> bool {
        self.judge(received) == Verdict::Differs
    }

    fn audited(&self) -> Document {
        Document {
            unique_id: self.request.document_unique_id.to_string(),
            repository_unique_id: self.request.repository_unique_id.to_string(),
            home_community_id: self
                .request
                .home_community_id
                .as_ref()
                .map(ToString::to_string),
        }
    }
}

/// What the comparison with the registry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Verified,
    Unknown,
    Differs,
}

impl Verdict {
    const fn text(self) -> &'static str {
        match self {
            Self::Verified => "hash and size as registered",
            Self::Unknown => "not verified",
            Self::Differs => "DIFFERS FROM WHAT WAS REGISTERED",
        }
    }
}

pub(super) async fn run(arguments: &Arguments, node: &Node, ledger: &Audit) -> anyhow::Result<()> {
    let wanted = wanted(arguments, node, ledger).await?;
    let mut delivery = fetch(node, ledger, &wanted, &arguments.out).await?;
    let mut kept = Vec::new();
    for received in std::mem::take(&mut delivery.received) {
        kept.push(Kept::of(&wanted[received.place], received, &arguments.out)?);
    }
    if arguments.json {
        let json = json!({
            "documents": kept.iter().map(Kept::json).collect::<Vec<_>>(),
            "errors": refusal::json(&delivery.errors),
        });
        say_json(&json)?;
    } else if !kept.is_empty() {
        say(&table(&kept).text())?;
    }
    if let Some(broken) = delivery.broken {
        return Err(broken);
    }
    let count = |verdict| kept.iter().filter(|kept| kept.verdict == verdict).count();
    let good = kept.len() - count(Verdict::Differs);
    let mut what = format!("{good} of {} documents were retrieved", wanted.len());
    if count(Verdict::Differs) > 0 {
        what.push_str("; what differs from what was registered is kept aside as .rejected");
    }
    let missing = wanted
        .iter()
        .map(|wanted| &wanted.request.document_unique_id);
    let missing: Vec<&str> = missing
        .filter(|id| !kept.iter().any(|kept| kept.unique_id == **id))
        .map(UniqueId::as_str)
        .collect();
    if !missing.is_empty() {
        what.push_str(&format!("; missing: {}", missing.join(", ")));
    }
    complete(what, delivery.errors, good == wanted.len())
}

/// A document that is in its place now.
struct Kept {
    path: PathBuf,
    unique_id: UniqueId,
    new_unique_id: Option<UniqueId>,
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
    let mut table = Table::new(&["VERIFIED", "MIME TYPE", "SIZE", "FILE"]);
    for kept in kept {
        table.row(vec![
            kept.verdict.text().to_owned(),
            kept.mime_type.clone(),
            kept.size.to_string(),
            kept.path.display().to_string(),
        ]);
    }
    table
}

/// What is asked for, with what the registry says about it if nobody says the repository.
async fn wanted(arguments: &Arguments, node: &Node, ledger: &Audit) -> anyhow::Result<Vec<Wanted>> {
    let mut ids: Vec<&str> = arguments.unique_ids.iter().map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    if let Some(repository) = &arguments.repository {
        let request = |id: &str| Wanted {
            request: DocumentRequest {
                home_community_id: arguments.home.as_deref().map(Into::into),
                repository_unique_id: repository.as_str().into(),
                document_unique_id: id.into(),
            },
            patient: None,
            hash: None,
            size: None,
        };
        return Ok(ids.into_iter().map(request).collect());
    }
    registered(node, ledger, &ids, arguments.home.as_deref()).await
}

/// The documents as they are registered; those in force come before those that are not.
pub(super) async fn registered(
    node: &Node,
    ledger: &Audit,
    ids: &[&str],
    home: Option<&str>,
) -> anyhow::Result<Vec<Wanted>> {
    let names = ids.iter().map(|id| UniqueId::from(*id)).collect();
    let query = StoredQuery::GetDocuments(Names::UniqueIds(names));
    let found = query::find(node, ledger, &Question::from(&query).of_home(home)).await?;
    let mut by_id: BTreeMap<&str, &DocumentEntry> = BTreeMap::new();
    let approved =
        |entry: &DocumentEntry| entry.availability_status == Some(AvailabilityStatus::Approved);
    for entry in &found.documents {
        let best = by_id.entry(entry.unique_id.as_str()).or_insert(entry);
        if approved(entry) && !approved(best) {
            *best = entry;
        }
    }
    let missing: Vec<&str> = ids
        .iter()
        .copied()
        .filter(|id| !by_id.contains_key(id))
        .collect();
    if !missing.is_empty() {
        bail!("the registry has no document {}", missing.join(", "));
    }
    let wanted = |id: &&str| {
        let wanted = Wanted::registered(by_id[id]);
        wanted.ok_or_else(|| anyhow::anyhow!("the registry does not say where {id} is"))
    };
    ids.iter().map(wanted).collect()
}

/// Asks the repository, and records what came before anybody sees it.
pub(super) async fn fetch(
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
