//! The Document Repository: it takes documents, has them registered, and gives them back.
//!
//! Read [`routes`] first: everything the repository answers. What is taken is kept in the blob
//! store, durable before the registry hears of it, and visible only when the registry has accepted
//! it. When nobody knows whether it has, it is asked.

mod access;
mod admission;
pub mod at_rest;
mod blob_store;
mod community;
mod consents;

mod failure;
pub mod imaging;
mod iti18_registry_stored_query;
mod iti41_provide_and_register_document_set;
mod iti42_register_document_set;
mod iti43_retrieve_document_set;
mod iti86_remove_documents;
pub mod on_demand;
mod pending;
pub mod recipient;
mod recovery;
pub mod routes;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hilum_audit::Audit;
use hilum_security::access::Access as Rules;
use hilum_security::at_rest::Vault;
use hilum_transport::Client;
use xds_schemas::metadata::{HomeCommunityId, RepositoryUniqueId};

pub use blob_store::{Access, check_store, check_store_url, is_object_store};
pub use consents::{Consents, Unknown};
pub use on_demand::OnDemand;

use blob_store::BlobStore;
use on_demand::Snapshots;
use pending::Pending;
use recovery::Recovery;

/// How long ITI-43 waits for a document of which it is being decided whether it is registered.
pub const DECISION_SECONDS: u64 = 10;
/// How long the registry may take to carry out what it was asked: if it does not know a document
/// by then, it never will. Longer than our client waits for an answer.
pub const SETTLED_SECONDS: u64 = 300;

/// What a repository needs to know.
#[derive(Debug, Clone)]
pub struct RepositoryConfig {
    /// `repositoryUniqueId`: an OID.
    pub repository_unique_id: RepositoryUniqueId,
    /// The community it belongs to, for the audit.
    pub home_community_id: Option<HomeCommunityId>,
    /// The URL of the registry (ITI-42, ITI-18).
    pub registry: String,
    /// Where documents are kept: `file:PATH`, or `s3://BUCKET/PREFIX?endpoint=URL&region=REGION`.
    pub store: String,
    /// Who asks the object store, and how.
    pub store_access: Option<Access>,
    /// How documents are written there. How what is there was written may be another matter.
    pub vault: Vault,
    /// [`DECISION_SECONDS`]
    pub decision: Duration,
    /// [`SETTLED_SECONDS`]
    pub settled: Duration,
    /// Whether documents are removed that the registry still knows.
    pub remove_registered: RemoveRegistered,
    /// Whether documents that are made on demand are kept.
    pub on_demand: OnDemand,
    /// Who may have which documents.
    pub access: Rules,
}

/// What ITI-86 does with a document that the registry still knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RemoveRegistered {
    /// Removes it: the framework leaves it to the administrator to remove the metadata first.
    #[default]
    Allow,
    /// Refuses, so that nothing is found which cannot be retrieved.
    Refuse,
}

impl RepositoryConfig {
    /// The configuration of the repository with this id, with the usual limits.
    pub fn new(
        repository_unique_id: RepositoryUniqueId,
        registry: impl Into<String>,
        store: impl Into<String>,
    ) -> Self {
        Self {
            repository_unique_id,
            home_community_id: None,
            registry: registry.into(),
            store: store.into(),
            store_access: None,
            vault: Vault::default(),
            decision: Duration::from_secs(DECISION_SECONDS),
            settled: Duration::from_secs(SETTLED_SECONDS),
            remove_registered: RemoveRegistered::default(),
            on_demand: OnDemand::default(),
            access: Rules::everything(),
        }
    }
}

/// A Document Repository. Clones share it; when the last one is dropped, its store is closed.
#[derive(Debug, Clone)]
pub struct Repository {
    room: Arc<Room>,
}

/// What the transactions of the repository share.
#[derive(Debug)]
struct Room {
    config: RepositoryConfig,
    audit: Audit,
    client: Client,
    store: BlobStore,
    pending: Pending,
    recovery: Arc<Recovery>,
    snapshots: Snapshots,
}

impl Repository {
    /// Opens the repository, and begins to find out what became of the documents that an earlier
    /// process left undecided. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// If the store cannot be opened, is in use by another process, or is of an unknown kind.
    pub fn open(config: RepositoryConfig, audit: Audit, client: Client) -> anyhow::Result<Self> {
        let store = BlobStore::open(&config.store, config.store_access.as_ref(), &config.vault)?;
        let left_behind = store
            .left_behind()
            .context("the incoming documents cannot be read")?;
        let pending = Pending::default();
        let recovery = Arc::new(Recovery::of(left_behind, &pending));
        let room = Arc::new(Room {
            config,
            audit,
            client,
            store,
            pending,
            recovery: Arc::clone(&recovery),
            snapshots: Snapshots::default(),
        });
        tokio::spawn(recovery::run(recovery, Arc::downgrade(&room)));
        Ok(Self { room })
    }
}

impl Room {
    /// How the registry is asked.
    fn registry(&self) -> (&Client, &str) {
        (&self.client, &self.config.registry)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // The one that decides sees that there is nothing left to decide for.
        self.recovery.hurry();
    }
}
