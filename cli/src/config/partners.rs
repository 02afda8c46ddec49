//! `[[gateway.community]]`: the communities that are asked, and what is peculiar about each.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hilum_audit::Audit;
use hilum_gateway::communities::CALLS;
use hilum_gateway::{Community, Identity, Partner, Vouching};
use hilum_security::development_ca::Identity as Certified;
use hilum_security::iti19_authenticate_node::Pin;
use hilum_security::iti40_provide_x_user_assertion::AssertionIssuer;
use hilum_transport::{ActionIn, Client, Limits, Manner, Origin};
use serde::Deserialize;
use xds_schemas::metadata::HomeCommunityId;
use xds_schemas::metadata::hl7::is_oid;

use super::gateway_patients::PatientsThereSection;
use super::tls::OtherTls;
use super::{Config, ConfigError, urls};
use crate::client;

/// Minutes for which an assertion is valid that is issued for a community.
pub(crate) const ASSERTION_MINUTES: u32 = 5;
/// The longest: an hour.
const LONGEST_ASSERTION_MINUTES: u32 = 60;

/// Another community.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CommunitySection {
    pub(super) home_community_id: String,
    name: Option<String>,
    url: Option<String>,
    query_url: Option<String>,
    retrieve_url: Option<String>,
    imaging_url: Option<String>,
    fetch_url: Option<String>,
    provide_url: Option<String>,
    wado_url: Option<String>,
    #[serde(default)]
    pass_tokens: bool,
    deadline_seconds: Option<NonZeroU32>,
    connect_seconds: Option<NonZeroU32>,
    calls: Option<NonZeroU32>,
    // How it is spoken to.
    documents_per_request: Option<NonZeroU32>,
    #[serde(default)]
    inline: bool,
    #[serde(default)]
    missing_home: MissingHome,
    #[serde(default)]
    action: Action,
    must_understand: Option<bool>,
    #[serde(default)]
    timestamp: bool,
    // Who asks whom.
    trust: Option<Vec<PathBuf>>,
    #[serde(default)]
    pinned: Vec<String>,
    server_name: Option<String>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    identity: Onward,
    #[serde(default)]
    audience: Vec<String>,
    assertion_minutes: Option<NonZeroU32>,
    #[serde(flatten)]
    patients: PatientsThereSection,
}

/// What becomes of objects that do not say from which community they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MissingHome {
    /// They are left out, and an error names them.
    #[default]
    Refuse,
    /// They are the partner's.
    Assume,
}

/// Where the action of a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// Everywhere.
    #[default]
    Both,
    /// In `wsa:Action` only.
    Addressing,
    /// In the headers of HTTP only.
    Header,
}

/// What the community is told of the user for whom it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Onward {
    /// The caller's assertion.
    #[default]
    Pass,
    /// An assertion of this node that says the same.
    Issue,
    /// Nothing.
    None,
}

impl CommunitySection {
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.home_community_id)
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        let own = self.certificate.iter_mut().chain(&mut self.key);
        for path in own.chain(self.trust.iter_mut().flatten()) {
            *path = folder.join(&*path);
        }
        for pin in &mut self.pinned {
            if let Ok(Pin::File(path)) = Pin::parse(pin) {
                *pin = folder.join(path).to_string_lossy().into_owned();
            }
        }
    }

    /// What is said of patients leaves this machine encrypted or not at all.
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
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
        let urls = self.urls();
        if urls.iter().all(|(_, url)| url.is_none()) {
            return Err(said("url", "it is needed to know where to ask"));
        }
        let deferred = ("deferred_url", &self.patients.deferred_url);
        for (key, url) in urls.into_iter().chain([deferred]) {
            let Some(url) = url else { continue };
            let origin = urls::check(url).map_err(|problem| said(key, problem))?;
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
        self.check_partner(config, said)
    }

    /// Where it is asked, first of all for patients. Where answers go that it wants later, it is not asked.
    const fn urls(&self) -> [(&'static str, &Option<String>); 8] {
        [
            ("discovery_url", &self.patients.discovery_url),
            ("url", &self.url),
            ("query_url", &self.query_url),
            ("retrieve_url", &self.retrieve_url),
            ("imaging_url", &self.imaging_url),
            ("fetch_url", &self.fetch_url),
            ("provide_url", &self.provide_url),
            ("wado_url", &self.wado_url),
        ]
    }

    /// The host that its certificate is for, if it is asked by TLS.
    fn host(&self) -> Option<String> {
        let urls = self.urls();
        let mut origins = urls.iter().filter_map(|(_, url)| {
            let url = url.as_deref()?;
            // What is no URL was refused when the configuration was checked.
            urls::check(url).ok()
        });
        let origin = origins.next().filter(Origin::is_encrypted)?;
        let host = origin.host().to_owned();
        Some(self.server_name.clone().unwrap_or(host))
    }

    fn check_partner(
        &self,
        config: &Config,
        said: impl Fn(&str, &str) -> ConfigError,
    ) -> Result<(), ConfigError> {
        if self.certificate.is_some() != self.key.is_some() {
            let problem = "certificate and key belong together";
            return Err(said("certificate", problem));
        }
        if self.other_tls().is_some() && config.tls.is_none() {
            let problem = "certificates mean nothing without [tls]";
            return Err(said("trust", problem));
        }
        for pin in &self.pinned {
            Pin::parse(pin).map_err(|error| said("pinned", &format!("{pin:?}: {error}")))?;
        }
        self.patients
            .node()
            .map_err(|problem| said("node", &problem))?;
        if self.identity == Onward::Issue {
            if self.audience.is_empty() {
                let problem = "it is needed to say for whom an issued assertion is meant";
                return Err(said("audience", problem));
            }
            if config.gateway.issuer.is_none() || config.gateway.issuer_key.is_none() {
                let problem = "gateway.issuer and gateway.issuer_key say who issues assertions";
                return Err(said("identity", problem));
            }
        }
        let minutes = self.assertion_minutes.map_or(1, NonZeroU32::get);
        if minutes > LONGEST_ASSERTION_MINUTES {
            return Err(said("assertion_minutes", "it is at most 60"));
        }
        Ok(())
    }

    /// How TLS with it is another one than with everybody.
    fn other_tls(&self) -> Option<OtherTls> {
        let other = OtherTls {
            trust: self.trust.clone(),
            pinned: self.pinned.clone(),
            identity: self.certificate.clone().zip(self.key.clone()),
        };
        (other != OtherTls::default() || self.server_name.is_some()).then_some(other)
    }

    fn manner(&self) -> Manner {
        Manner {
            inline: self.inline,
            action: match self.action {
                Action::Both => ActionIn::Both,
                Action::Addressing => ActionIn::Addressing,
                Action::Header => ActionIn::Http,
            },
            may_ignore: self.must_understand == Some(false),
            timestamp: self.timestamp,
        }
    }

    /// Who asks it, if not the client of everybody.
    fn client(&self, config: &Config, audit: Option<&Audit>) -> anyhow::Result<Option<Client>> {
        let other = self.other_tls();
        let usual = config.limits.connect_seconds;
        let wanted = self.connect_seconds.map_or(usual, |it| it.get().into());
        // Whoever hands something over waits without a deadline when there is a connection, but not for one.
        let connect_seconds = wanted.min(self.deadline(config).as_secs());
        if other.is_none() && connect_seconds == usual {
            return Ok(None);
        }
        let tls = match other {
            Some(other) => config.tls_otherwise(&other)?,
            None => config.node_tls().context("[tls]")?,
        };
        let tls = tls.map(|tls| match &self.server_name {
            Some(name) => tls.client().named(name),
            None => tls.client(),
        });
        let audit = audit.cloned();
        let tls = tls.map(|tls| tls.witnessed(client::witness(move || audit.clone())));
        let limits = Limits {
            connect_seconds,
            ..config.limits.clone()
        };
        Ok(Some(Client::new(tls, limits)))
    }

    fn deadline(&self, config: &Config) -> Duration {
        let section = &config.gateway;
        section.seconds(self.deadline_seconds.or(section.deadline_seconds))
    }

    /// As the gateway knows it.
    pub(super) fn community(
        &self,
        config: &Config,
        audit: Option<&Audit>,
        issuer: Option<&Arc<AssertionIssuer>>,
    ) -> anyhow::Result<Community> {
        let deadline = self.deadline(config);
        let identity = match (self.identity, issuer) {
            (Onward::Pass, _) => Identity::Pass,
            (Onward::None, _) => Identity::Nobody,
            (Onward::Issue, None) => {
                let problem = "identity: gateway.issuer and gateway.issuer_key are new here: \
                               they need a restart";
                return Err(ConfigError(problem.to_owned()).into());
            }
            (Onward::Issue, Some(issuer)) => {
                let minutes = self
                    .assertion_minutes
                    .map_or(ASSERTION_MINUTES, |it| it.get());
                Identity::Issue(Arc::new(Vouching {
                    issuer: Arc::clone(issuer),
                    audience: self.audience.clone(),
                    lifetime: Duration::from_secs(u64::from(minutes) * 60),
                    home: config.home_community_id.clone(),
                }))
            }
        };
        let per_request = self.documents_per_request.map(|it| it.get() as usize);
        let partner = Partner {
            manner: self.manner(),
            documents_per_request: per_request,
            assume_home: self.missing_home == MissingHome::Assume,
            identity,
            client: self.client(config, audit)?,
            configured: format!("{deadline:?} {self:?}"),
        };
        let trust = match (&self.trust, self.other_tls()) {
            (Some(_), Some(other)) => config.tls_otherwise(&other)?,
            _ => None,
        };
        Ok(Community {
            home: HomeCommunityId::from(self.home_community_id.as_str()),
            name: self.name().to_owned(),
            query: self.query_url.clone().or_else(|| self.url.clone()),
            retrieve: self.retrieve_url.clone().or_else(|| self.url.clone()),
            imaging: self.imaging_url.clone().or_else(|| self.url.clone()),
            fetch: self.fetch_url.clone().or_else(|| self.url.clone()),
            provide: self.provide_url.clone().or_else(|| self.url.clone()),
            wado: self.wado_url.clone(),
            pass_tokens: self.pass_tokens,
            deadline,
            calls: self.calls.map_or(CALLS, |calls| calls.get() as usize),
            partner,
            patients: self.patients.there(self.url.as_ref(), trust, self.host()),
        })
    }
}

impl Config {
    /// The communities that are told when what this one calls a patient is revoked, as people read it.
    pub(crate) fn told_of_revocations(&self) -> Vec<String> {
        let all = self.gateway.community.iter();
        let told = all.filter(|it| it.patients.is_told(it.url.as_ref()));
        told.map(|it| format!("{} ({})", it.name(), it.home_community_id))
            .collect()
    }

    /// Who issues assertions for communities, if somebody does.
    pub(super) fn assertion_issuer(&self) -> anyhow::Result<Option<Arc<AssertionIssuer>>> {
        let section = &self.gateway;
        let (Some(name), Some(key)) = (&section.issuer, &section.issuer_key) else {
            return Ok(None);
        };
        let beside = || key.with_extension("pem");
        let certificate = section.issuer_certificate.clone().unwrap_or_else(beside);
        let identity = Certified::read(&certificate, key).context("gateway.issuer_key")?;
        if !identity.certificate.public_key()?.public_eq(&identity.key) {
            let problem = "gateway.issuer_certificate: it is not that of the key";
            return Err(ConfigError(problem.to_owned()).into());
        }
        Ok(Some(Arc::new(AssertionIssuer {
            name: name.clone(),
            key: identity.key,
            certificate: identity.certificate,
        })))
    }
}
