//! `[at_rest]`: the keys with which what is stored is encrypted.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use hilum_repository::at_rest::{Kept, read_with};
use hilum_security::at_rest::{KeyCommand, KeyRing, Vault};
use serde::Deserialize;

use super::{Config, ConfigError};

/// How long a command that wraps keys may take, unless it is said.
pub(crate) const COMMAND_SECONDS: u32 = 10;

/// What becomes of what is stored plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Plain {
    /// It is read: it is from the time before.
    #[default]
    Accept,
    /// It is refused: somebody has put it there.
    Refuse,
}

/// How databases keep what identifies patients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Identifiers {
    /// As it is.
    #[default]
    Plain,
    /// Encrypted, and found by pseudonyms.
    Encrypted,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct AtRestSection {
    /// The folder of the keys. Without it, nothing is encrypted.
    pub(crate) keys: Option<PathBuf>,
    /// Wraps and unwraps the keys that are in the folder.
    command: Option<Vec<String>>,
    command_seconds: Option<u32>,
    #[serde(default)]
    plain: Plain,
    #[serde(default)]
    identifiers: Identifiers,
    /// The keys are read once for a process.
    #[serde(skip)]
    opened: OnceLock<Vault>,
}

impl AtRestSection {
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(keys) = &mut self.keys {
            *keys = folder.join(&*keys);
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let said = |key: &str, problem: &str| Err(ConfigError(format!("at_rest.{key}: {problem}")));
        match &self.command {
            Some(_) if self.keys.is_none() => {
                said("keys", "it is needed: wrapped keys are kept there")
            }
            Some(command) if command.is_empty() => said("command", "it names no program"),
            None if self.identifiers == Identifiers::Encrypted && self.keys.is_none() => {
                said("keys", "it is needed: identifiers are to be encrypted")
            }
            _ if self.command_seconds == Some(0) => {
                said("command_seconds", "it must be at least 1")
            }
            _ => Ok(()),
        }
    }

    /// What wraps keys, if they are not in the folder as they are.
    pub(crate) fn command(&self) -> Option<KeyCommand> {
        let command = self.command.clone()?;
        let seconds = self.command_seconds.unwrap_or(COMMAND_SECONDS);
        Some(KeyCommand {
            command,
            limit: Duration::from_secs(seconds.into()),
        })
    }
}

impl Config {
    /// How what is stored is written; from now on, what is encrypted can be read.
    pub(crate) fn vault(&self) -> Result<Vault, ConfigError> {
        if let Some(vault) = self.at_rest.opened.get() {
            return Ok(vault.clone());
        }
        let Some(keys) = &self.at_rest.keys else {
            return Ok(Vault::default());
        };
        let ring = KeyRing::open(keys, self.at_rest.command());
        let ring = ring.map_err(|error| ConfigError(format!("at_rest.keys: {error}")))?;
        read_with(&ring);
        let vault = Vault::with(ring);
        let vault = match self.at_rest.plain {
            Plain::Accept => vault,
            Plain::Refuse => vault.refusing_plain(),
        };
        let vault = match self.at_rest.identifiers {
            Identifiers::Plain => vault,
            Identifiers::Encrypted => vault.sealing_fields(),
        };
        let vault = self.at_rest.opened.get_or_init(|| vault);
        Ok(vault.clone())
    }

    /// The database of the registry, if there is one here.
    pub(crate) fn kept_database(&self) -> Option<String> {
        let has_registry = self.registry.listen.is_some() || self.registry.database.is_some();
        has_registry.then(|| self.registry_database())
    }

    /// Everything that is kept here, of the rooms that are here.
    pub(crate) fn kept(&self) -> anyhow::Result<Kept> {
        let has_repository = self.repository.listen.is_some() || self.repository.store.is_some();
        let documents =
            || -> anyhow::Result<_> { Ok((self.repository_store(), self.store_access()?)) };
        let has_imaging = self.imaging.listen.is_some() || self.imaging.store.is_some();
        let has_inbox = self.recipient.listen.is_some() || self.recipient.store.is_some();
        Ok(Kept {
            documents: has_repository.then(documents).transpose()?,
            imaging: has_imaging.then(|| self.imaging_store()),
            inbox: has_inbox.then(|| self.recipient_store()),
        })
    }
}
