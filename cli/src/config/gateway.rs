//! `[gateway]`: the gateways of this community, and the communities that it knows.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use hilum_gateway::communities::{CALLS, DEADLINE_SECONDS};
use hilum_gateway::{Community, GatewayConfig, Own};
use hilum_security::access::Access;
use hilum_transport::Origin;
use serde::Deserialize;
use xds_schemas::metadata::hl7::is_oid;
use xds_schemas::metadata::{HomeCommunityId, RepositoryUniqueId};

use super::gateway_patients::{PatientsSection, PatientsThereSection};
use super::{Config, ConfigError};

/// The gateways.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct GatewaySection {
    pub(crate) listen: Option<SocketAddr>,
    registry: Option<String>,
    deadline_seconds: Option<NonZeroU32>,
    /// Repositories and imaging sources of this community beside those of this node.
    #[serde(default)]
    repository: Vec<RepositoryAt>,
    #[serde(default)]
    community: Vec<CommunitySection>,
    #[serde(flatten)]
    patients: PatientsSection,
}

/// A repository or imaging source.
#[derive(Debug, Clone, Deserialize)]
struct RepositoryAt {
    unique_id: String,
    url: Option<String>,
    imaging_url: Option<String>,
}

/// Another community.
#[derive(Debug, Clone, Deserialize)]
struct CommunitySection {
    home_community_id: String,
    name: Option<String>,
    url: Option<String>,
    query_url: Option<String>,
    retrieve_url: Option<String>,
    imaging_url: Option<String>,
    deadline_seconds: Option<NonZeroU32>,
    calls: Option<NonZeroU32>,
    #[serde(flatten)]
    patients: PatientsThereSection,
}

impl Config {
    /// The gateways, if they run here.
    pub(crate) fn gateway(&self, access: &Access) -> GatewayConfig {
        let section = &self.gateway;
        let seconds = |given: Option<NonZeroU32>| {
            Duration::from_secs(given.map_or(DEADLINE_SECONDS, |it| it.get().into()))
        };
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
        let own = Own {
            home: HomeCommunityId::from(self.home_community_id.as_str()),
            registry: section.registry.clone().or_else(|| self.registry_url()),
            repositories: elsewhere(|it| &it.url)
                .chain(here(repository_id, self.repository_url()))
                .collect(),
            imaging: elsewhere(|it| &it.imaging_url)
                .chain(here(self.imaging_unique_id(), self.imaging_url()))
                .collect(),
            deadline: seconds(section.deadline_seconds),
        };
        let community = |it: &CommunitySection| Community {
            home: HomeCommunityId::from(it.home_community_id.as_str()),
            name: it.name().to_owned(),
            query: it.query_url.clone().or_else(|| it.url.clone()),
            retrieve: it.retrieve_url.clone().or_else(|| it.url.clone()),
            imaging: it.imaging_url.clone().or_else(|| it.url.clone()),
            deadline: seconds(it.deadline_seconds.or(section.deadline_seconds)),
            calls: it.calls.map_or(CALLS, |calls| calls.get() as usize),
            patients: it.patients.there(it.url.as_ref()),
        };
        GatewayConfig {
            own,
            communities: section.community.iter().map(community).collect(),
            patients: section.patients.config(self),
            access: access.clone(),
        }
    }

    pub(super) fn check_gateway(&self) -> Result<(), ConfigError> {
        let section = &self.gateway;
        for repository in &section.repository {
            if !is_oid(&repository.unique_id) {
                let problem = format!("{:?} is not an OID", repository.unique_id);
                return Err(ConfigError(format!(
                    "gateway.repository.unique_id: {problem}"
                )));
            }
        }
        for community in &section.community {
            community.check(self)?;
        }
        let homes = section.community.iter();
        let homes: Vec<&str> = homes.map(|it| it.home_community_id.as_str()).collect();
        section.patients.check(self, &homes)?;
        Ok(())
    }
}

impl CommunitySection {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.home_community_id)
    }

    /// What is said of patients leaves this machine encrypted or not at all.
    fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let said = |key: &str, problem: &str| {
            let name = self.name();
            ConfigError(format!("gateway.community {name:?}: {key}: {problem}"))
        };
        let oid = self.home_community_id.strip_prefix("urn:oid:");
        if !oid.is_some_and(is_oid) {
            return Err(said("home_community_id", "it is urn:oid: and an OID"));
        }
        if self.home_community_id == config.home_community_id {
            return Err(said("home_community_id", "it is that of this community"));
        }
        let urls = [
            ("url", &self.url),
            ("query_url", &self.query_url),
            ("retrieve_url", &self.retrieve_url),
            ("imaging_url", &self.imaging_url),
            ("discovery_url", &self.patients.discovery_url),
        ];
        if urls.iter().all(|(_, url)| url.is_none()) {
            return Err(said("url", "it is needed to know where to ask"));
        }
        for (key, url) in urls {
            let Some(url) = url else { continue };
            let server = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            let origin = Origin::parse(&server).map_err(|problem| said(key, problem))?;
            match origin.is_encrypted() {
                true if config.tls.is_none() => {
                    return Err(said(
                        key,
                        "without [tls] there is no certificate to show it",
                    ));
                }
                false if !origin.is_loopback() => {
                    let problem = "only a gateway on this machine may be asked without encryption";
                    return Err(said(key, problem));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
