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

/// SHA-1 of no bytes at all.
const HASH_OF_NOTHING: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

/// A document that is wanted, and what the registry says about it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) request: DocumentRequest,
    pub(crate) patient: Option<String>,
    hash: Option<String>,
    pub(super) size: Option<u64>,
}

impl Wanted {
    /// None if the registry does not say where it is.
    pub(crate) fn registered(entry: &DocumentEntry) -> Option<Self> {
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
        self.compare(&received.hash, received.size)
    }

    fn compare(&self, hash: &str, size: u64) -> Verdict {
        let registered = self.hash.as_ref();
        let same_hash = registered.map(|it| it.eq_ignore_ascii_case(hash));
        let same_size = self.size.map(|it| it == size);
        if self.is_assembled_later() && same_size == Some(false) {
            return Verdict::Unknown;
        }
        match (same_hash, same_size) {
            (Some(false), _) | (_, Some(false)) => Verdict::Differs,
            (Some(true), Some(true)) => Verdict::Verified,
            _ => Verdict::Unknown,
        }
    }

    /// Whether the document was to be put together when it is first retrieved: what is registered of
    /// such a one is no hash and size of it (ITI TF-2 3.43.4.2.3.2).
    fn is_assembled_later(&self) -> bool {
        let hash = self.hash.as_deref().unwrap_or_default();
        self.size == Some(0) && hash.eq_ignore_ascii_case(HASH_OF_NOTHING)
    }

    /// Whether the content is certainly not what was registered.
    pub(crate) fn differs(&self, received: &Received) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assembled_later_is_not_compared() {
        let wanted = |hash: &str, size| Wanted {
            request: DocumentRequest {
                home_community_id: None,
                repository_unique_id: "1.2".into(),
                document_unique_id: "1.3".into(),
            },
            patient: None,
            hash: Some(hash.to_owned()),
            size: Some(size),
        };
        let some = "00".repeat(20);
        let delayed = wanted(&HASH_OF_NOTHING.to_uppercase(), 0);
        assert_eq!(delayed.compare(&some, 7), Verdict::Unknown);
        assert_eq!(delayed.compare(HASH_OF_NOTHING, 0), Verdict::Verified);
        let usual = wanted(&some, 7);
        assert_eq!(usual.compare(&some, 7), Verdict::Verified);
        assert_eq!(usual.compare(HASH_OF_NOTHING, 0), Verdict::Differs);
        assert_eq!(wanted(&some, 0).compare(&some, 7), Verdict::Differs);
    }
}
