//! Everything that is kept here and may be encrypted, of all rooms, for those who change keys or turn
//! encryption on.

use std::path::PathBuf;

use anyhow::bail;
use hilum_audit::at_rest::KeptRecords;
use hilum_registry::at_rest::Identifiers;
use hilum_repository::at_rest::{Kept, Survey, Worked};
use hilum_security::at_rest::{KeyRing, Rewrapped, Vault};

use crate::config::Config;

/// What the database of the registry is called: its URL may have a password in it.
const REGISTRY: &str = "the registry's database";

/// Where it is. Everything that is done with it blocks.
#[derive(Debug)]
pub(crate) struct Stored {
    /// What is in stores.
    pub(crate) kept: Kept,
    /// The database of the registry.
    registry: Option<String>,
    /// The database of the gateway.
    gateway: PathBuf,
    /// What is recorded.
    records: KeptRecords,
}

impl Stored {
    /// What a node with this configuration keeps.
    pub(crate) fn of(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            kept: config.kept()?,
            registry: config.kept_database(),
            gateway: config.correlations_store(),
            records: KeptRecords {
                spool: config.spool(),
                clients: config.client_spools(),
                store: config.audit_store(),
            },
        })
    }

    /// What needs which keys: the objects in stores, the mark of each store, each database, each answer that
    /// waits in the gateway's, and each file of audit records that is encrypted. Beside it, how many files of
    /// spools are plain: they are sent as they are, and nobody encrypts them.
    pub(crate) fn survey(&self, vault: &Vault) -> anyhow::Result<(Survey, u64)> {
        let mut survey = self.kept.survey(vault)?;
        if let Some(url) = &self.registry {
            match hilum_registry::at_rest::key(url) {
                Ok(key) => key.into_iter().for_each(|key| survey.need([key].into())),
                Err(error) => survey.fail(REGISTRY, &format!("{error:#}")),
            }
        }
        let shown = self.gateway.display().to_string();
        match hilum_gateway::at_rest::key(&self.gateway) {
            Ok(key) => key.into_iter().for_each(|key| survey.need([key].into())),
            Err(error) => survey.fail(&shown, &format!("{error:#}")),
        }
        match hilum_gateway::at_rest::waiting(&self.gateway) {
            Ok(waiting) => {
                survey.plain += waiting.plain;
                waiting.keys.into_iter().for_each(|keys| survey.need(keys));
            }
            Err(error) => survey.fail(&shown, &format!("{error:#}")),
        }
        let records = self.records.survey()?;
        survey.plain += records.plain_log;
        survey.failures.extend(records.failures);
        records.keys.into_iter().for_each(|keys| survey.need(keys));
        Ok((survey, records.plain_spool))
    }

    /// Whether a node without keys can read what it has recorded.
    ///
    /// # Errors
    /// If it cannot.
    pub(crate) fn check_plain(&self) -> anyhow::Result<()> {
        match self.records.survey()?.keys.is_empty() {
            true => Ok(()),
            false => bail!("audit records are encrypted, and [at_rest] names no keys"),
        }
    }

    /// Gives everything the current key. `progress` is told how much is done.
    pub(crate) fn rotate(
        &self,
        ring: &KeyRing,
        progress: &mut (dyn FnMut(&Worked) + Send),
    ) -> anyhow::Result<Worked> {
        let mut worked = self.kept.rotate(ring, progress)?;
        // One that cannot be used keeps none of the others from being given the key.
        let registry = |url: &String| hilum_registry::at_rest::rotate(url, ring);
        let registry = self.registry.as_ref().map(registry).transpose();
        changed(&mut worked, REGISTRY, registry.map(Option::flatten));
        let shown = self.gateway.display().to_string();
        let gateway = hilum_gateway::at_rest::rotate(&self.gateway, ring);
        changed(&mut worked, &shown, gateway);
        let waiting = hilum_gateway::at_rest::rotate_waiting(&self.gateway, ring);
        let waiting = waiting.unwrap_or_else(|error| vec![(shown, Err(error))]);
        for (what, rotated) in waiting.into_iter().chain(self.records.rotate(ring)?) {
            match rotated {
                // A plain one is sent as it is, and goes when its time is over.
                Ok(rewrapped) => worked.count(rewrapped),
                Err(error) => worked.fail(&what, &format!("{error:#}")),
            }
        }
        Ok(worked)
    }

    /// Encrypts what is plain, while the node is stopped. `told` gets what is just done, in words.
    pub(crate) fn encrypt(
        &self,
        vault: &Vault,
        told: &(dyn Fn(String) + Send + Sync),
    ) -> anyhow::Result<Worked> {
        let mut rows = hilum_gateway::at_rest::encrypt_waiting(&self.gateway, vault)?;
        if let Some(ring) = vault.ring_of_fields() {
            if let Some(registry) = &self.registry {
                let progress = &mut |rows| told(format!("{rows} rows of the registry"));
                let done = hilum_registry::at_rest::encrypt(registry, ring, progress)?;
                rows += done.unwrap_or_default();
            }
            let progress = &mut |rows| told(format!("{rows} rows of the gateway"));
            let done = hilum_gateway::at_rest::encrypt(&self.gateway, ring, progress)?;
            rows += done.unwrap_or_default();
        }
        let mut worked = self.kept.encrypt(vault, &mut |worked| {
            told(format!("{} objects", worked.done + worked.already));
        })?;
        worked.done += rows + self.records.encrypt(vault)?;
        Ok(worked)
    }

    /// How each database keeps what identifies patients: what it is called, and whether it is encrypted.
    ///
    /// # Errors
    /// If one is not as the site wants it, or its key is not there.
    pub(crate) fn identifiers(&self, vault: &Vault) -> anyhow::Result<Vec<(&'static str, bool)>> {
        let registry = self.registry.as_deref();
        let registry = registry.map(|url| hilum_registry::at_rest::check(url, vault));
        let registry = registry.transpose()?.flatten();
        let found = [
            (REGISTRY, registry.map(|it| it == Identifiers::Encrypted)),
            ("the index of images", self.kept.check_identifiers(vault)?),
            (
                "the gateway's database",
                hilum_gateway::at_rest::check(&self.gateway, vault)?,
            ),
        ];
        let found = found.into_iter();
        Ok(found.filter_map(|(name, it)| Some((name, it?))).collect())
    }
}

/// Counts a database whose data key was to be wrapped with the current key.
fn changed(worked: &mut Worked, what: &str, was_another: anyhow::Result<Option<bool>>) {
    match was_another {
        Ok(None) => {}
        Ok(Some(true)) => worked.count(Rewrapped::Done),
        Ok(Some(false)) => worked.count(Rewrapped::Already),
        Err(error) => worked.fail(what, &format!("{error:#}")),
    }
}
