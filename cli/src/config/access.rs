//! `[access]`: who may have which documents.

use std::path::{Path, PathBuf};

use hilum_security::Permission;
use hilum_security::access::{Access, Infrastructure, Policy, Vocabulary};
use hilum_security::inspection::inspect;
use serde::Deserialize;

use super::{Config, ConfigError};
use crate::rooms;

/// `[access]`
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct AccessSection {
    /// The file of the rules. Without it, whoever is let in may have everything.
    rules: Option<PathBuf>,
    /// Nodes that ask so that others can be answered.
    #[serde(default)]
    infrastructure: Vec<String>,
}

impl AccessSection {
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(rules) = &mut self.rules {
            *rules = folder.join(&*rules);
        }
    }
}

/// The rules of a node, as they stand in its files.
#[derive(Debug, Clone)]
pub(crate) struct RulesFile {
    pub(crate) path: PathBuf,
    known: Vocabulary,
    infrastructure: Infrastructure,
}

impl Config {
    /// Where the rules are, if there are any.
    pub(crate) fn rules_file(&self) -> anyhow::Result<Option<RulesFile>> {
        let Some(path) = &self.access.rules else {
            if !self.access.infrastructure.is_empty() {
                let problem = "access.infrastructure: without access.rules it means nothing";
                return Err(ConfigError(problem.to_owned()).into());
            }
            return Ok(None);
        };
        let mut infrastructure = Infrastructure::default();
        for node in &self.access.infrastructure {
            let added = infrastructure.add(node);
            added.map_err(|error| ConfigError(format!("access.infrastructure: {error}")))?;
        }
        // The rooms of a node ask each other, too.
        if let Some(files) = self.tls_files() {
            let own = inspect(&files).map_err(|error| ConfigError(format!("[tls]: {error}")))?;
            let added = infrastructure.add(&own.own.node.fingerprint);
            added.map_err(|error| ConfigError(format!("[tls]: {error}")))?;
        }
        Ok(Some(RulesFile {
            path: path.clone(),
            known: self.known_to_rules()?,
            infrastructure,
        }))
    }

    /// What is to be said of rules by which nobody can hand in, where something could be handed in: they are
    /// rarely meant so.
    pub(crate) fn closed_doors(&self, policy: &Policy) -> Option<&'static str> {
        const DOORS: [&str; 4] = ["registry", "repository", "imaging", "recipient"];
        let mut rooms = self.rooms().into_iter();
        rooms.any(|(room, _)| DOORS.contains(&room)).then_some(())?;
        closed_doors(policy)
    }

    /// Says it in the log.
    pub(crate) fn warn_of_closed_doors(&self, policy: &Policy) {
        if let Some(warning) = self.closed_doors(policy) {
            tracing::warn!("{warning}: see `hilum access check`");
        }
    }

    /// What rules may name.
    pub(crate) fn known_to_rules(&self) -> anyhow::Result<Vocabulary> {
        let collections = self.imaging.collection.iter();
        let collections = collections.map(|it| it.name().to_owned());
        Ok(Vocabulary {
            codes: Some(rooms::affinity_codes(self)?),
            // Elsewhere there may be others.
            collections: self.imaging.listen.is_some().then(|| collections.collect()),
        })
    }

    /// Who may have which documents.
    pub(crate) fn access(&self) -> anyhow::Result<Access> {
        Ok(match self.rules_file()? {
            None => Access::everything(),
            Some(file) => Access::by(file.read()?),
        })
    }
}

/// What is to be said of rules by which nobody can hand in.
pub(crate) fn closed_doors(policy: &Policy) -> Option<&'static str> {
    let is_closed = policy.granting(Permission::Provide).next().is_none();
    is_closed.then_some(
        "no rule of [access] lets anybody hand in documents or images but the infrastructure \
         (permission \"provide\")",
    )
}

impl RulesFile {
    /// Reads the rules.
    pub(crate) fn read(&self) -> Result<Policy, ConfigError> {
        let shown = self.path.display();
        let policy = Policy::parse(&self.text()?, &self.known);
        let policy = policy.map_err(|error| ConfigError(format!("{shown}: {error}")))?;
        Ok(policy.with_infrastructure(self.infrastructure.clone()))
    }

    /// What is written in the file.
    pub(crate) fn text(&self) -> Result<String, ConfigError> {
        let shown = self.path.display();
        let text = std::fs::read_to_string(&self.path);
        text.map_err(|error| ConfigError(format!("access.rules: {shown}: {error}")))
    }
}
