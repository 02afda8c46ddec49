//! What the commands need that are clients of a node.

use std::path::Path;

use anyhow::Context;
use hilum_security::iti19_authenticate_node as iti19;
use hilum_transport::Client;

use crate::config::{Config, ConfigError};

/// A node as its clients see it: its configuration, and a client with its certificate.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) client: Client,
}

impl Node {
    /// Reads `hilum.toml`.
    pub(crate) fn open(file: &Path) -> anyhow::Result<Self> {
        Self::of(Config::load(file)?)
    }

    /// The node of this configuration.
    pub(crate) fn of(config: Config) -> anyhow::Result<Self> {
        let tls = config.tls_files();
        let tls = tls.map(|files| iti19::client_config(&files)).transpose();
        let client = Client::new(tls.context("[tls]")?, config.limits.clone());
        Ok(Self { config, client })
    }

    /// Where the registry is.
    pub(crate) fn registry(&self) -> Result<String, ConfigError> {
        self.config
            .registry_url()
            .ok_or_else(|| missing("registry"))
    }

    /// Where the repository is.
    pub(crate) fn repository(&self) -> Result<String, ConfigError> {
        self.config
            .repository_url()
            .ok_or_else(|| missing("repository"))
    }

    /// Where the imaging source is.
    pub(crate) fn imaging(&self) -> Result<String, ConfigError> {
        self.config.imaging_url().ok_or_else(|| missing("imaging"))
    }
}

fn missing(room: &str) -> ConfigError {
    ConfigError(format!("{room}.url: it is needed to know where to ask"))
}
