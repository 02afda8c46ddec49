//! What a configuration is, without what it says.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Config;

/// A hash of each section, and of the files that sections name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fingerprint(Vec<(String, [u8; 32])>);

impl Fingerprint {
    /// Of what is effective: the file, and the environment over it.
    pub(super) fn of(table: &toml::Table) -> Self {
        let sections = table.iter();
        let hash = |(name, value): (&String, &toml::Value)| {
            (name.clone(), Sha256::digest(value.to_string()).into())
        };
        Self(sections.map(hash).collect())
    }

    /// And of the contents of these files. One that cannot be read is another one than one that can.
    fn add<'a>(&mut self, name: &str, files: impl IntoIterator<Item = &'a Path>) {
        let mut hash = Sha256::new();
        for file in files {
            let content = std::fs::read(file).unwrap_or_default();
            hash.update(Sha256::digest(content));
        }
        self.0.push((name.to_owned(), hash.finalize().into()));
    }

    /// The hashes, hashed again, so that what is configured cannot be guessed from them.
    pub(crate) fn salted(&self, salt: &str) -> Vec<(String, String)> {
        let salted = |(name, hash): &(String, [u8; 32])| {
            let mut again = Sha256::new();
            again.update(salt.as_bytes());
            again.update(hash);
            let text = again
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            (name.clone(), text)
        };
        self.0.iter().map(salted).collect()
    }
}

impl Config {
    /// What is configured, and what the files are that are named, without saying it.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = self.fingerprint.clone();
        fingerprint.add("codes", [&*self.affinity_domain.codes]);
        if let Some(tls) = &self.tls {
            let trust = tls.trust.iter().map(PathBuf::as_path);
            fingerprint.add("tls files", trust.chain([&*tls.certificate, &*tls.key]));
        }
        fingerprint
    }
}
