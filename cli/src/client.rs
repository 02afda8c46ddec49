//! What the commands need that are clients of a node.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, bail};
use clap::Args;
use hilum_audit::{Audit, AuditConfig, Event, Outcome, SpoolError};
use hilum_security::{
    User, iti19_authenticate_node as iti19, iti40_provide_x_user_assertion as iti40,
};
use hilum_transport::{Answer, Client, ClientError};
use xds_schemas::codes::status::{ResponseStatus, Severity};
use xds_schemas::ebrs::RegistryError;

use crate::config::{Config, ConfigError};
use crate::refusal::By;
use crate::status::Usage;

/// Commands of one node that run at the same time.
const LEDGERS: usize = 64;

/// A node as its clients see it: its configuration, and a client with its certificate.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) client: Client,
    /// For whom it is asked, if not for the node itself.
    user: Option<Arc<User>>,
    /// Whether all communities are asked.
    communities: bool,
    /// Where failures of TLS are recorded, once something is.
    first_ledger: Arc<OnceLock<Audit>>,
}

/// For whom a command asks.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ForUser {
    /// A SAML 2.0 assertion that says for whom it is asked (XUA, ITI-40)
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) assertion: Option<PathBuf>,
}

/// Whom a command asks.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Asked {
    /// All communities that the node knows: the gateway of `[gateway]` is asked instead of registry,
    /// repository and imaging source
    #[arg(long, global = true)]
    communities: bool,
}

impl Asked {
    /// Whether all communities are asked.
    pub(crate) const fn are_communities(&self) -> bool {
        self.communities
    }
}

impl Node {
    /// Reads `hilum.toml`.
    pub(crate) fn open(file: &Path) -> anyhow::Result<Self> {
        Self::of(Config::load(file)?)
    }

    /// The node of this configuration.
    pub(crate) fn of(config: Config) -> anyhow::Result<Self> {
        let first_ledger: Arc<OnceLock<Audit>> = Arc::default();
        let of_witness = Arc::clone(&first_ledger);
        let tls = tls(&config)?;
        let tls = tls.map(|tls| tls.witnessed(witness(move || of_witness.get().cloned())));
        let client = Client::new(tls, config.limits.clone());
        Ok(Self {
            config,
            client,
            user: None,
            communities: false,
            first_ledger,
        })
    }

    /// The same node, asking for a user if one is given.
    pub(crate) fn for_user(mut self, user: &ForUser) -> anyhow::Result<Self> {
        let Some(file) = &user.assertion else {
            return Ok(self);
        };
        let shown = file.display();
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| Usage(format!("{shown}: cannot be read: {error}")))?;
        // An XML declaration may stand at the beginning of a document only.
        let text = text.trim_start_matches('\u{feff}').trim();
        let assertion = match text.strip_prefix("<?xml") {
            Some(rest) => rest.split_once("?>").map_or(text, |(_, rest)| rest.trim()),
            None => text,
        };
        let user = iti40::said_by(assertion);
        let user = user.map_err(|refused| ConfigError(format!("{shown}: {refused}")))?;
        self.client = self.client.for_user(assertion);
        self.user = Some(Arc::new(user));
        Ok(self)
    }

    /// The same node, asking all communities if they are wanted.
    pub(crate) fn asking(mut self, asked: &Asked) -> Self {
        self.communities = asked.communities;
        self
    }

    /// Where this command records what it asks: one process at a time writes into a spool, so it
    /// takes the first below `clients` that nobody writes into.
    pub(crate) fn ledger(&self) -> anyhow::Result<Audit> {
        if let Some(ledger) = self.first_ledger.get() {
            return Ok(ledger.clone().on_behalf_of(self.user.clone()));
        }
        let (config, vault) = (self.config.audit(), self.config.vault()?);
        let mut locked = None;
        for number in 1..=LEDGERS {
            let spool = self.config.client_spools().join(number.to_string());
            let config = AuditConfig {
                spool,
                ..config.clone()
            };
            match Audit::open_in(config, &vault) {
                Ok(ledger) => {
                    let ledger = self.first_ledger.get_or_init(|| ledger).clone();
                    return Ok(ledger.on_behalf_of(self.user.clone()));
                }
                Err(SpoolError::InUse { .. }) => {}
                // One whose key is lost keeps what it has; what is done about it must be recorded. But
                // without any keys it would be recorded plain.
                Err(error @ SpoolError::Locked { .. }) if vault.is_on() => {
                    tracing::warn!("{error}; what this command asks is recorded beside it");
                    locked.get_or_insert(error);
                }
                Err(error) => return Err(error).context("what is asked must be recorded"),
            }
        }
        match locked {
            Some(error) => {
                Err(error).context("what is asked must be recorded, and no spool is left")
            }
            None => bail!("{LEDGERS} commands run for this node already"),
        }
    }

    /// Who answers this node's questions.
    pub(crate) const fn answered_by(&self) -> By {
        match self.communities {
            true => By::Gateway,
            false => By::Room,
        }
    }

    /// Where the registry is.
    pub(crate) fn registry(&self) -> Result<String, ConfigError> {
        self.gateway_or("registry", self.config.registry_url())
    }

    /// Where the repository is.
    pub(crate) fn repository(&self) -> Result<String, ConfigError> {
        self.gateway_or("repository", self.config.repository_url())
    }

    /// Where the gateway of this community is.
    pub(crate) fn initiating(&self) -> Result<String, ConfigError> {
        self.config.gateway_url().ok_or_else(|| missing("gateway"))
    }

    /// Where the Document Recipient is.
    pub(crate) fn recipient(&self) -> Result<String, ConfigError> {
        self.config
            .recipient_url()
            .ok_or_else(|| missing("recipient"))
    }

    /// Where the imaging source is.
    pub(crate) fn imaging(&self) -> Result<String, ConfigError> {
        self.gateway_or("imaging", self.config.imaging_url())
    }

    /// The gateway, which answers as each of these rooms, or the room itself.
    fn gateway_or(&self, room: &str, url: Option<String>) -> Result<String, ConfigError> {
        match self.communities {
            true => self.initiating(),
            false => url.ok_or_else(|| missing(room)),
        }
    }
}

/// A client that shows the node's certificate.
pub(crate) fn client(config: &Config) -> anyhow::Result<Client> {
    Ok(Client::new(tls(config)?, config.limits.clone()))
}

/// The same for a node that runs: whom it does not authenticate, or is not authenticated by, is
/// recorded.
pub(crate) fn recorded(config: &Config, audit: &Audit) -> anyhow::Result<Client> {
    Ok(Client::new(
        recorded_tls(config, audit)?,
        config.limits.clone(),
    ))
}

/// The client's side of TLS of a node that runs.
pub(crate) fn recorded_tls(
    config: &Config,
    audit: &Audit,
) -> anyhow::Result<Option<iti19::ClientTls>> {
    let audit = audit.clone();
    let tls = tls(config)?;
    Ok(tls.map(|tls| tls.witnessed(witness(move || Some(audit.clone())))))
}

/// Records that there was no TLS with a host, if there is a ledger.
pub(crate) fn witness(
    ledger: impl Fn() -> Option<Audit> + Send + Sync + 'static,
) -> iti19::Witness {
    Arc::new(move |host, why| {
        let event = Event::server_not_authenticated(&format!("tls://{host}"), why);
        let ledger = ledger();
        Box::pin(async move {
            if let Some(ledger) = ledger {
                // That it was not written was said where it was not written.
                drop(ledger.record(event, ()).await);
            }
        })
    })
}

/// The client's side of TLS with the node's certificate, if the node has one.
pub(crate) fn tls(config: &Config) -> anyhow::Result<Option<iti19::ClientTls>> {
    let tls = config.node_tls().context("[tls]")?;
    Ok(tls.map(|tls| tls.client()))
}

fn missing(room: &str) -> ConfigError {
    ConfigError(format!("{room}.url: it is needed to know where to ask"))
}

/// How a call ended, for its audit record. `said` finds status and errors in the answer.
pub(crate) fn outcome<T>(
    answer: &Result<Answer<T>, ClientError>,
    said: impl for<'a> FnOnce(&'a T) -> (ResponseStatus, &'a [RegistryError]),
) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Outcome::Failure(error.to_string()),
    };
    let (status, errors) = said(&answer.response);
    outcome_of(status, errors)
}

/// The same of an answer that came.
pub(crate) fn outcome_of(status: ResponseStatus, errors: &[RegistryError]) -> Outcome {
    let any_error = errors.iter().any(|error| error.severity == Severity::Error);
    let codes: Vec<&str> = errors.iter().map(|error| error.code.as_str()).collect();
    Outcome::of(status, any_error, codes.join(" "))
}
