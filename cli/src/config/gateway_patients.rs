//! `[gateway]`: what patients are called in other communities.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use hilum_gateway::correlations::{Correlation, Origin};
use hilum_gateway::patients::{
    CORRELATIONS_DAYS, DISCOVERIES_PER_MINUTE, Demographics, Naming, PatientsConfig, PatientsThere,
    RECHECK_SECONDS, Speaker,
};
use hilum_security::access::CertificateWord;
use hilum_security::iti19_authenticate_node::NodeTls;
use serde::Deserialize;
use xds_schemas::metadata::{HomeCommunityId, PatientId};

use super::{Config, ConfigError};

/// The longest time for which correlations count.
const MOST_DAYS: u32 = 3650;

/// Keys of `[gateway]` that are about patients.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct PatientsSection {
    correlations_days: Option<u32>,
    recheck_seconds: Option<NonZeroU32>,
    #[serde(default)]
    locator: bool,
    #[serde(default)]
    disclosure: Told,
    discoveries_per_minute: Option<u32>,
    #[serde(default)]
    correlation: Vec<CorrelationSection>,
}

/// What of a person is said to other communities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    /// What they asked with.
    #[default]
    Minimal,
    /// What is known.
    Full,
}

/// What a patient is called elsewhere.
#[derive(Debug, Clone, Deserialize)]
struct CorrelationSection {
    patient: String,
    home_community_id: String,
    there: String,
}

/// Keys of `[[gateway.community]]` that are about patients.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct PatientsThereSection {
    #[serde(default)]
    patients: Named,
    pub(super) discovery_url: Option<String>,
    /// Where answers go that it wants later.
    pub(super) deferred_url: Option<String>,
    #[serde(default)]
    locator: bool,
    node: Option<String>,
}

/// How patients are called in another community.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Named {
    /// As here.
    #[default]
    Same,
    /// It is asked.
    Discover,
    /// As is known.
    Known,
}

impl PatientsThereSection {
    /// The community's gateway is at `url`, if nothing else is said; `trust` is its own, and `host` where
    /// it is reached by TLS.
    pub(super) fn there(
        &self,
        url: Option<&String>,
        trust: Option<NodeTls>,
        host: Option<String>,
    ) -> PatientsThere {
        PatientsThere {
            naming: match self.patients {
                Named::Same => Naming::Same,
                Named::Discover => Naming::Discover,
                Named::Known => Naming::Known,
            },
            url: self.discovery_url.as_ref().or(url).cloned(),
            locator: self.locator,
            deferred: self.deferred_url.clone(),
            speaker: Speaker {
                // What cannot be read was refused when the configuration was checked.
                node: self.node().ok().flatten(),
                trust,
                host,
            },
        }
    }

    /// Whose certificate speaks for it.
    pub(super) fn node(&self) -> Result<Option<CertificateWord>, String> {
        self.node.as_deref().map(CertificateWord::parse).transpose()
    }

    /// Whether it is told when what this community calls a patient is revoked.
    pub(super) fn is_told(&self, url: Option<&String>) -> bool {
        self.patients != Named::Same && self.discovery_url.as_ref().or(url).is_some()
    }
}

impl CorrelationSection {
    fn read(&self) -> Result<Correlation, String> {
        let cx = |key: &str, text: &str| {
            PatientId::parse(text).map_err(|problem| format!("{key}: it {problem}"))
        };
        Ok(Correlation {
            own: cx("patient", &self.patient)?,
            home: HomeCommunityId::from(self.home_community_id.as_str()),
            there: cx("there", &self.there)?,
            origin: Origin::Configured,
            confidence: None,
            learned: 0,
            until: i64::MAX,
        })
    }
}

impl Config {
    /// The database of what patients are called elsewhere.
    pub(crate) fn correlations_store(&self) -> PathBuf {
        self.data.join("gateway.db")
    }
}

impl PatientsSection {
    /// What the gateways do about patients.
    ///
    /// # Errors
    /// If the keys of what is stored cannot be had.
    pub(super) fn config(&self, config: &Config) -> Result<PatientsConfig, ConfigError> {
        let days = self.correlations_days.unwrap_or(CORRELATIONS_DAYS);
        let per_minute = self.discoveries_per_minute;
        // Those that cannot be read were refused when the configuration was checked.
        let configured = self.correlation.iter().filter_map(|it| it.read().ok());
        Ok(PatientsConfig {
            authority: config.affinity_domain.patient_id_authority.clone(),
            store: config.correlations_store(),
            vault: config.vault()?,
            configured: configured.collect(),
            keep: Duration::from_secs(u64::from(days) * 24 * 60 * 60),
            recheck: Duration::from_secs(
                self.recheck_seconds
                    .map_or(RECHECK_SECONDS, |it| it.get().into()),
            ),
            locator: self.locator,
            demographics: match self.disclosure {
                Told::Minimal => Demographics::Minimal,
                Told::Full => Demographics::Full,
            },
            per_minute: per_minute.unwrap_or(DISCOVERIES_PER_MINUTE),
        })
    }

    /// `homes` are the communities that are known.
    pub(super) fn check(&self, config: &Config, homes: &[&str]) -> Result<(), ConfigError> {
        let said = |key: &str, problem: &str| ConfigError(format!("gateway.{key}: {problem}"));
        if self.correlations_days.is_some_and(|days| days > MOST_DAYS) {
            let problem = "patients change their names; at most 3650 days";
            return Err(said("correlations_days", problem));
        }
        let mut seen = Vec::new();
        for section in &self.correlation {
            let read = section.read();
            let read = read.map_err(|problem| said("correlation", &problem))?;
            if read.own.authority != config.affinity_domain.patient_id_authority {
                let problem = "patient is not of the authority of this affinity domain";
                return Err(said("correlation", problem));
            }
            if !homes.contains(&read.home.as_str()) {
                let problem = "home_community_id is that of none of the communities";
                return Err(said("correlation", problem));
            }
            let both = (read.own, read.home);
            if seen.contains(&both) {
                let problem = "a patient has one name in each community";
                return Err(said("correlation", problem));
            }
            seen.push(both);
        }
        Ok(())
    }
}
