//! What is wanted, and what the registry says about it.

use anyhow::Context;
use hilum_audit::{Audit, Document};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::iti43_retrieve_document_set::DocumentRequest;
use xds_schemas::metadata::{DocumentEntry, UniqueId};

use super::Arguments;
use super::receive::Received;
use crate::client::Node;
use crate::query::{self, Question};
use crate::refusal::Refused;

/// A document that is wanted, and what the registry says about it.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) request: DocumentRequest,
    pub(super) patient: Option<String>,
    hash: Option<String>,
    pub(super) size: Option<u64>,
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
    pub(super) fn judge(&self, received: &Received) -> Verdict {
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

    pub(super) fn audited(&self) -> Document {
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
pub(super) enum Verdict {
    Verified,
    Unknown,
    Differs,
}

impl Verdict {
    /// For people.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Verified => "hash and size as registered",
            Self::Unknown => "not verified",
            Self::Differs => "DIFFERS FROM WHAT WAS REGISTERED",
        }
    }
}

/// What is asked for: what the registry has of it, and what it does not have.
#[derive(Debug, Default)]
pub(super) struct Located {
    pub(super) wanted: Vec<Wanted>,
    pub(super) unknown: Vec<String>,
}

/// Finds what is asked for; if the repository is said, nobody is asked.
pub(super) async fn located(
    arguments: &Arguments,
    node: &Node,
    ledger: &Audit,
) -> anyhow::Result<Located> {
    let mut ids: Vec<&str> = arguments.unique_ids.iter().map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    let Some(repository) = &arguments.repository else {
        return registered(node, ledger, &ids, arguments.home.as_deref()).await;
    };
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
    Ok(Located {
        wanted: ids.into_iter().map(request).collect(),
        unknown: Vec::new(),
    })
}

/// The documents as they are registered.
pub(super) async fn registered(
    node: &Node,
    ledger: &Audit,
    ids: &[&str],
    home: Option<&str>,
) -> anyhow::Result<Located> {
    let entries = match entries(node, ledger, ids, home).await {
        // The registry does not mix patients in one answer (ITI TF-2 3.18.4.1.3).
        Err(error) if ids.len() > 1 && is_mixed(&error) => {
            let mut all = Vec::new();
            for id in ids {
                all.extend(entries(node, ledger, &[id], home).await?);
            }
            all
        }
        entries => entries?,
    };
    let mut located = Located::default();
    for id in ids {
        // One in force comes before those that are not.
        let named = entries
            .iter()
            .filter(|entry| entry.unique_id.as_str() == *id);
        let approved = Some(AvailabilityStatus::Approved);
        let best = named.max_by_key(|entry| entry.availability_status == approved);
        match best {
            Some(entry) => located.wanted.push(
                Wanted::registered(entry)
                    .with_context(|| format!("the registry does not say where {id} is"))?,
            ),
            None => located.unknown.push((*id).to_owned()),
        }
    }
    Ok(located)
}

async fn entries(
    node: &Node,
    ledger: &Audit,
    ids: &[&str],
    home: Option<&str>,
) -> anyhow::Result<Vec<DocumentEntry>> {
    let names = ids.iter().map(|id| UniqueId::from(*id)).collect();
    let query = StoredQuery::GetDocuments(Names::UniqueIds(names));
    let found = query::find(node, ledger, &Question::from(&query).of_home(home)).await?;
    Ok(found.documents)
}

/// Whether the registry refused because the answer would concern several patients.
fn is_mixed(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| {
        let mut errors = refused.errors.iter();
        errors.any(|error| error.code == ErrorCode::ResultNotSinglePatient)
    })
}
