//! `[gateway]`: the gateways of this community, and the communities that it knows.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use hilum_audit::Audit;
use hilum_gateway::asking::ALL_CALLS;
use hilum_gateway::communities::DEADLINE_SECONDS;
use hilum_gateway::iti63_cross_gateway_fetch::{BYTES, DOCUMENTS};
use hilum_gateway::relay::ASIDE_BYTES;
use hilum_gateway::{Community, FetchLimits, GatewayConfig, Own};
use hilum_repository::imaging::dicomweb::DICOM_WEB;
use hilum_security::access::Access;
use serde::Deserialize;
use xds_schemas::metadata::hl7::is_oid;
use xds_schemas::metadata::{HomeCommunityId, RepositoryUniqueId};

use super::gateway_patients::PatientsSection;
use super::partners::CommunitySection;
use super::{Config, ConfigError, urls};

/// The gateways.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct GatewaySection {
    pub(crate) listen: Option<SocketAddr>,
    url: Option<String>,
    registry: Option<String>,
    pub(super) deadline_seconds: Option<NonZeroU32>,
    provide_url: Option<String>,
    fetch_documents: Option<NonZeroU32>,
    fetch_bytes: Option<NonZeroU64>,
    /// Calls to everybody at a time.
    calls: Option<NonZeroU32>,
    /// Bytes of an answer that may wait.
    aside_bytes: Option<u64>,
    /// As whom assertions are issued for communities, and with which key and certificate.
    pub(super) issuer: Option<String>,
    pub(super) issuer_key: Option<PathBuf>,
    pub(super) issuer_certificate: Option<PathBuf>,
    /// Repositories and imaging sources of this community beside those of this node.
    #[serde(default)]
    repository: Vec<RepositoryAt>,
    #[serde(default)]
    pub(super) community: Vec<CommunitySection>,
    #[serde(flatten)]
    patients: PatientsSection,
}

/// A repository or imaging source.
#[derive(Debug, Clone, Deserialize)]
struct RepositoryAt {
    unique_id: String,
    url: Option<String>,
    imaging_url: Option<String>,
    wado_url: Option<String>,
}

impl GatewaySection {
    pub(super) fn resolve(&mut self, folder: &Path) {
        let issuer = self
            .issuer_key
            .iter_mut()
            .chain(&mut self.issuer_certificate);
        issuer.for_each(|path| *path = folder.join(&*path));
        let communities = self.community.iter_mut();
        communities.for_each(|community| community.resolve(folder));
    }

    pub(super) fn seconds(&self, given: Option<NonZeroU32>) -> Duration {
        Duration::from_secs(given.map_or(DEADLINE_SECONDS, |it| it.get().into()))
    }
}

impl Config {
    /// Where the gateway is called that asks all communities.
    pub(crate) fn gateway_url(&self) -> Option<String> {
        self.url("initiating", &self.gateway.url, self.gateway.listen)
    }

    /// The gateways, if they run here. What a community shows that is not authenticated is recorded in
    /// `audit`.
    pub(crate) fn gateway(&self, access: &Access, audit: &Audit) -> anyhow::Result<GatewayConfig> {
        let section = &self.gateway;
        Ok(GatewayConfig {
            own: self.own_community(),
            communities: self.communities(Some(audit))?,
            calls: section.calls.map_or(ALL_CALLS, |it| it.get() as usize),
            aside_bytes: section.aside_bytes.unwrap_or(ASIDE_BYTES),
            patients: section.patients.config(self)?,
            access: access.clone(),
        })
    }

    /// The communities that are asked.
    pub(crate) fn communities(&self, audit: Option<&Audit>) -> anyhow::Result<Vec<Community>> {
        let issuer = self.assertion_issuer()?;
        let community = |it: &CommunitySection| {
            let community = it.community(self, audit, issuer.as_ref());
            community.with_context(|| format!("gateway.community {:?}", it.name()))
        };
        self.gateway.community.iter().map(community).collect()
    }

    /// The same node with the communities, repositories and imaging sources of another configuration.
    /// What was opened stays open.
    pub(crate) fn with_communities_of(&self, other: &Self) -> Self {
        let gateway = GatewaySection {
            repository: other.gateway.repository.clone(),
            community: other.gateway.community.clone(),
            ..self.gateway.clone()
        };
        Self {
            gateway,
            ..self.clone()
        }
    }

    /// What a gateway asks of its own community.
    pub(crate) fn own_community(&self) -> Own {
        let section = &self.gateway;
        let here = |id: Option<String>, url: Option<String>| {
            let here = id.zip(url).map(|(id, url)| (RepositoryUniqueId(id), url));
            here.into_iter()
        };
        let repository_id = self.repository_unique_id().map(str::to_owned);
        let elsewhere = |url: fn(&RepositoryAt) -> &Option<String>| {
            let place = move |it: &RepositoryAt| {
                let url = url(it).clone()?;
                Some((RepositoryUniqueId(it.unique_id.clone()), url))
            };
            section.repository.iter().filter_map(place)
        };
        Own {
            home: HomeCommunityId::from(self.home_community_id.as_str()),
            registry: section.registry.clone().or_else(|| self.registry_url()),
            repositories: elsewhere(|it| &it.url)
                .chain(here(repository_id, self.repository_url()))
                .collect(),
            imaging: elsewhere(|it| &it.imaging_url)
                .chain(here(self.imaging_unique_id(), self.imaging_url()))
                .collect(),
            provide: section
                .provide_url
                .clone()
                .or_else(|| self.repository_url())
                .or_else(|| self.recipient_url()),
            wado: elsewhere(|it| &it.wado_url)
                .chain(here(self.imaging_unique_id(), self.dicom_web_url()))
                .collect(),
            fetch: FetchLimits {
                documents: section
                    .fetch_documents
                    .map_or(DOCUMENTS, |it| it.get() as usize),
                bytes: section.fetch_bytes.map_or(BYTES, NonZeroU64::get),
            },
            deadline: section.seconds(section.deadline_seconds),
        }
    }

    /// DICOMweb of the imaging source of this node: what stands before `/studies`.
    fn dicom_web_url(&self) -> Option<String> {
        let url = self.imaging_url()?;
        let server = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        Some(format!("{server}/{DICOM_WEB}"))
    }

    pub(super) fn check_gateway(&self) -> Result<(), ConfigError> {
        let section = &self.gateway;
        check_url("gateway.registry", &section.registry)?;
        check_url("gateway.url", &section.url)?;
        check_url("gateway.provide_url", &section.provide_url)?;
        for repository in &section.repository {
            if !is_oid(&repository.unique_id) {
                let problem = format!("{:?} is not an OID", repository.unique_id);
                return Err(ConfigError(format!(
                    "gateway.repository.unique_id: {problem}"
                )));
            }
            for (key, url) in [
                ("url", &repository.url),
                ("imaging_url", &repository.imaging_url),
                ("wado_url", &repository.wado_url),
            ] {
                check_url(&format!("gateway.repository.{key}"), url)?;
            }
        }
        for community in &section.community {
            community.check(self)?;
        }
        let homes = section.community.iter();
        let homes: Vec<&str> = homes.map(|it| it.home_community_id.as_str()).collect();
        let mut seen = HashSet::new();
        if let Some(twice) = homes.iter().find(|home| !seen.insert(**home)) {
            let problem = format!("home_community_id: {twice} is that of two communities");
            return Err(ConfigError(format!("gateway.community: {problem}")));
        }
        section.patients.check(self, &homes)?;
        Ok(())
    }
}

fn check_url(key: &str, url: &Option<String>) -> Result<(), ConfigError> {
    match url.as_deref().map(urls::check) {
        Some(Err(problem)) => Err(ConfigError(format!("{key}: {problem}"))),
        _ => Ok(()),
    }
}
