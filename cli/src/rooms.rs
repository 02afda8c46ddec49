//! The rooms of a node, opened from its configuration.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context;
use hilum_audit::Audit;
use hilum_registry::{Registry, RegistryConfig};
use hilum_repository::{Repository, RepositoryConfig};
use hilum_transport::{Client, Incoming, Reply};
use xds_schemas::affinity_codes::AffinityCodes;
use xds_schemas::metadata::{HomeCommunityId, RepositoryUniqueId};

use crate::config::{Config, ConfigError, UnknownPatients};

type Answer = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A room that is open.
#[derive(Clone)]
pub(crate) struct Room {
    /// How it is called, which is its path too.
    pub(crate) name: &'static str,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Answers what comes.
    pub(crate) answer: Arc<dyn Fn(Incoming) -> Answer + Send + Sync>,
}

impl Room {
    /// Whether this room serves paths that begin so.
    pub(crate) fn serves(&self, first_segment: &str) -> bool {
        self.name == first_segment
    }
}

/// Opens every room that the configuration enables. They ask each other with `client`.
pub(crate) async fn open(
    config: &Config,
    audit: &Audit,
    client: &Client,
) -> anyhow::Result<Vec<Room>> {
    let mut rooms = Vec::new();
    if let Some(address) = config.registry.listen {
        let registry = registry(config, audit).await.context("[registry]")?;
        rooms.push(room("registry", address, registry, |registry, incoming| {
            Box::pin(async move { hilum_registry::routes::serve(&registry, incoming).await })
        }));
    }
    if let Some(address) = config.repository.listen {
        let repository = repository(config, audit, client).context("[repository]")?;
        rooms.push(room(
            "repository",
            address,
            repository,
            |repository, incoming| {
                Box::pin(
                    async move { hilum_repository::routes::serve(&repository, incoming).await },
                )
            },
        ));
    }
    Ok(rooms)
}

fn room<R: Clone + Send + Sync + 'static>(
    name: &'static str,
    address: SocketAddr,
    room: R,
    serve: fn(R, Incoming) -> Answer,
) -> Room {
    Room {
        name,
        address,
        answer: Arc::new(move |incoming| serve(room.clone(), incoming)),
    }
}

/// Opening a database may take a while, so it has a thread of its own.
async fn registry(config: &Config, audit: &Audit) -> anyhow::Result<Registry> {
    let home = HomeCommunityId::from(config.home_community_id.as_str());
    let mut wanted = RegistryConfig::new(config.registry_database(), home);
    wanted.affinity_codes = Some(affinity_codes(config)?);
    wanted.unknown_patients = match config.affinity_domain.unknown_patients {
        UnknownPatients::Refuse => hilum_registry::UnknownPatients::Refuse,
        UnknownPatients::Accept => hilum_registry::UnknownPatients::Accept,
    };
    let audit = audit.clone();
    tokio::task::spawn_blocking(move || Registry::open(wanted, audit)).await?
}

/// The codes of the affinity domain.
fn affinity_codes(config: &Config) -> anyhow::Result<AffinityCodes> {
    let file = &config.affinity_domain.codes;
    let text = std::fs::read_to_string(file).map_err(|error| {
        ConfigError(format!(
            "affinity_domain.codes: {}: {error}",
            file.display()
        ))
    })?;
    let codes = AffinityCodes::parse(&text).map_err(|error| {
        ConfigError(format!(
            "affinity_domain.codes: {}: {error}",
            file.display()
        ))
    })?;
    Ok(codes)
}

fn repository(config: &Config, audit: &Audit, client: &Client) -> anyhow::Result<Repository> {
    let missing = |key: &str| ConfigError(format!("repository.{key}: it is needed"));
    let unique_id = config.repository.unique_id.as_deref();
    let unique_id = unique_id.ok_or_else(|| missing("unique_id"))?;
    let registry = config.registry_of_repository();
    let registry = registry.ok_or_else(|| missing("registry"))?;
    let mut wanted = RepositoryConfig::new(
        RepositoryUniqueId::from(unique_id),
        registry,
        config.repository_store(),
    );
    let home = HomeCommunityId::from(config.home_community_id.as_str());
    wanted.home_community_id = Some(home);
    Repository::open(wanted, audit.clone(), client.clone())
}
