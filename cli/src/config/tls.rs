//! `[tls]`: certificates, whom this node trusts, and who may call.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hilum_security::iti19_authenticate_node::{
    Expired, Missing, NodeTls, PeerRules, Pin, TlsError, TlsFiles,
};
use serde::Deserialize;

use super::{Config, ConfigError};

/// How often files of certificates are looked at if it is not said.
pub(crate) const RELOAD_SECONDS: u64 = 60;

/// Certificates.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    trust: Vec<PathBuf>,
    #[serde(default)]
    client_certificates: ClientCertificates,
    #[serde(default)]
    pinned: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    revocation: Vec<PathBuf>,
    #[serde(default)]
    revocation_expired: Expired,
    #[serde(default)]
    revocation_missing: Missing,
    reload_seconds: Option<u32>,
    /// What was made of it. The doors and clients of a node share it.
    #[serde(skip)]
    opened: Arc<OnceLock<NodeTls>>,
    /// The same with the trust of those whom others vouch for.
    #[serde(skip)]
    others: Arc<Mutex<BTreeMap<OtherTls, NodeTls>>>,
}

/// What of TLS is not as with everybody, for somebody whom we call.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OtherTls {
    /// Whom is trusted there.
    pub(super) trust: Option<Vec<PathBuf>>,
    /// Whose certificates are trusted, whoever signed them.
    pub(super) pinned: Vec<String>,
    /// Our certificate and its key.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

/// Whether callers must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientCertificates {
    /// As ITI-19 says.
    #[default]
    Required,
    /// For trying things out.
    Off,
}

impl Tls {
    /// Paths are relative to the folder of the configuration.
    pub(super) fn resolve(&mut self, folder: &Path) {
        let own = [&mut self.certificate, &mut self.key].into_iter();
        let lists = self.trust.iter_mut().chain(&mut self.revocation);
        for path in own.chain(lists) {
            *path = folder.join(&*path);
        }
        for pin in &mut self.pinned {
            if let Ok(Pin::File(path)) = Pin::parse(pin) {
                *pin = folder.join(path).to_string_lossy().into_owned();
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, problem: &str| ConfigError(format!("tls.{key}: {problem}"));
        // A key that was put where its path belongs is not repeated.
        if self
            .paths()
            .any(|path| path.to_string_lossy().contains('\n'))
        {
            let problem = "these are paths of files; one of them is the content of a file";
            return Err(wrong("certificate, key, trust", problem));
        }
        for pin in &self.pinned {
            Pin::parse(pin).map_err(|error| wrong("pinned", &format!("{pin:?}: {error}")))?;
        }
        if self.reload_seconds == Some(0) {
            return Err(wrong("reload_seconds", "it must be at least 1"));
        }
        if self.names.iter().any(|name| name.trim().is_empty()) {
            return Err(wrong("names", "a name is empty"));
        }
        let anybody = self.client_certificates == ClientCertificates::Off;
        if anybody && !self.names.is_empty() {
            let problem = "nobody has a name with client_certificates = \"off\"";
            return Err(wrong("names", problem));
        }
        Ok(())
    }

    /// The files that are named here. Of folders, what is in them may change at any time.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let pinned = self.pinned.iter().filter(|pin| !pin.starts_with("sha256:"));
        let lists = self.trust.iter().chain(&self.revocation);
        let own = [&self.certificate, &self.key];
        let own = own.into_iter().chain(lists).map(PathBuf::as_path);
        own.chain(pinned.map(Path::new))
    }

    /// The file of the key.
    pub(super) fn key_file(&self) -> &Path {
        &self.key
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            trust: self.trust.clone(),
            client_certificate_required: self.client_certificates == ClientCertificates::Required,
            check_server_name: true,
        }
    }

    fn rules(&self) -> PeerRules {
        let pins = self.pinned.iter().filter_map(|pin| Pin::parse(pin).ok());
        PeerRules {
            revocation: self.revocation.clone(),
            revocation_expired: self.revocation_expired,
            revocation_missing: self.revocation_missing,
            pinned: pins.collect(),
            names: self.names.clone(),
        }
    }
}

impl Config {
    /// Key, certificate and trust; `None` for plain HTTP.
    pub(crate) fn tls_files(&self) -> Option<TlsFiles> {
        self.tls.as_ref().map(Tls::files)
    }

    /// What else is checked of peers.
    pub(crate) fn tls_rules(&self) -> Option<PeerRules> {
        self.tls.as_ref().map(Tls::rules)
    }

    /// TLS as all doors and clients of this node share it, opened when it is first needed.
    pub(crate) fn node_tls(&self) -> Result<Option<NodeTls>, TlsError> {
        let Some(tls) = &self.tls else {
            return Ok(None);
        };
        once(&tls.opened, || NodeTls::open(tls.files(), tls.rules())).map(Some)
    }

    /// The same for whom we call and others vouch for than for callers, if that is said: an object
    /// store, for one. They need not give us revocation lists, and whom we pinned is not meant.
    pub(crate) fn tls_trusting(
        &self,
        trust: Option<&Vec<PathBuf>>,
    ) -> Result<Option<NodeTls>, TlsError> {
        let Some(trust) = trust else {
            return self.node_tls();
        };
        self.tls_otherwise(&OtherTls {
            trust: Some(trust.clone()),
            ..OtherTls::default()
        })
    }

    /// The same where something of it is not as with everybody.
    pub(super) fn tls_otherwise(&self, other: &OtherTls) -> Result<Option<NodeTls>, TlsError> {
        let Some(tls) = &self.tls else {
            return Ok(None);
        };
        if *other == OtherTls::default() {
            return self.node_tls();
        }
        let mut others = tls.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = others.get(other) {
            return Ok(Some(opened.clone()));
        }
        let mut files = tls.files();
        let mut rules = tls.rules();
        if let Some((certificate, key)) = other.identity.clone() {
            (files.certificate, files.key) = (certificate, key);
        }
        if other.trust.is_some() || !other.pinned.is_empty() {
            // Who is pinned alone is trusted alone.
            files.trust = other.trust.clone().unwrap_or_default();
            let pins = other.pinned.iter().filter_map(|pin| Pin::parse(pin).ok());
            rules.pinned = pins.collect();
            rules.revocation_missing = Missing::Accept;
        }
        let opened = NodeTls::open(files, rules)?;
        others.insert(other.clone(), opened.clone());
        Ok(Some(opened))
    }

    /// Everything that was opened: what is to be read again when files change.
    pub(crate) fn opened_tls(&self) -> Vec<NodeTls> {
        let Some(tls) = &self.tls else {
            return Vec::new();
        };
        let others = tls.others.lock().unwrap_or_else(PoisonError::into_inner);
        let own = tls.opened.get().into_iter();
        own.chain(others.values()).cloned().collect()
    }

    /// How often files of certificates are looked at.
    pub(crate) fn reload_every(&self) -> Duration {
        let given = self.tls.as_ref().and_then(|tls| tls.reload_seconds);
        Duration::from_secs(given.map_or(RELOAD_SECONDS, u64::from))
    }
}

fn once(
    place: &OnceLock<NodeTls>,
    open: impl FnOnce() -> Result<NodeTls, TlsError>,
) -> Result<NodeTls, TlsError> {
    if let Some(opened) = place.get() {
        return Ok(opened.clone());
    }
    let opened = open()?;
    Ok(place.get_or_init(|| opened).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Tls {
        let always = "certificate = \"c\"\nkey = \"k\"\ntrust = [\"t\"]\n";
        let mut tls: Tls = toml::from_str(&format!("{always}{text}")).unwrap();
        tls.resolve(Path::new("/node"));
        tls
    }

    #[test]
    fn pins_are_files_beside_the_configuration_or_fingerprints() {
        let digest = "0f".repeat(32);
        let tls = section(&format!("pinned = [\"a.pem\", \"sha256:{digest}\"]"));
        tls.check().unwrap();
        let file = Pin::File("/node/a.pem".into());
        assert_eq!(tls.rules().pinned, [file, Pin::Fingerprint([15; 32])]);
        let error = section("pinned = [\"sha256:0f\"]").check().unwrap_err();
        assert!(
            error
                .0
                .starts_with("tls.pinned: \"sha256:0f\": a fingerprint is")
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, key) in [
            ("reload_seconds = 0", "tls.reload_seconds"),
            ("names = [\" \"]", "tls.names"),
            (
                "names = [\"a\"]\nclient_certificates = \"off\"",
                "tls.names",
            ),
        ] {
            let error = section(text).check().unwrap_err();
            assert!(error.0.starts_with(key), "{error}");
        }
        let tls = section("revocation = [\"lists\"]\nrevocation_expired = \"warn\"");
        let rules = tls.rules();
        assert_eq!(rules.revocation, [PathBuf::from("/node/lists")]);
        assert_eq!(rules.revocation_expired, Expired::Warn);
        assert_eq!(rules.revocation_missing, Missing::Refuse);
    }
}
