//! `hilum.toml`, and what the environment changes in it.

mod access;
mod archives;
mod at_rest;
pub(crate) mod audit_repository;
mod collections;
mod dicom;
mod environment;
mod fingerprint;
mod gateway;
mod gateway_patients;
mod keys;
mod metrics;
mod partners;
mod private;
mod sections;
mod sending;
mod subscriptions;
#[cfg(test)]
mod tests;
mod tls;
mod urls;
mod users;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use hilum_audit::AuditConfig;
use hilum_repository::{Access, is_object_store};
use hilum_transport::{Asynchronous, Client, Limits};
use serde::Deserialize;
use thiserror::Error;
use xds_schemas::hl7v2::PatientDomain;
use xds_schemas::metadata::hl7::is_oid;

pub(crate) use access::{RulesFile, closed_doors};
pub(crate) use at_rest::{AtRestSection, COMMAND_SECONDS};
pub(crate) use dicom::DicomSection;
pub(crate) use fingerprint::Fingerprint;
pub(crate) use gateway::GatewaySection;
#[cfg(test)]
pub(crate) use keys::all as all_keys;
pub(crate) use metrics::MetricsSection;
pub(crate) use partners::ASSERTION_MINUTES;
pub(crate) use private::said as open_secret;
pub(crate) use sections::{
    AffinityDomain, ExtraMetadata, FeedSection, ImagingSection, MediaSection, OnDemand,
    RecipientSection, RegistrySection, RemoveRegistered, RepositorySection, UnknownPatients,
    UnknownPatientsInQueries,
};
pub(crate) use subscriptions::SubscriptionsSection;
pub(crate) use tls::{RELOAD_SECONDS, Tls};
pub(crate) use users::{INTROSPECTION_SECONDS, IuaSection, XuaSection};

use access::AccessSection;
use sections::AuditSection;

/// The configuration cannot be used. The text is one line that says where and why.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(crate) String);

/// A node.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    /// `urn:oid:…` of this community.
    pub(crate) home_community_id: String,
    /// The folder of everything that is stored.
    pub(crate) data: PathBuf,
    pub(crate) affinity_domain: AffinityDomain,
    /// Without it, HTTP is plain and only loopback addresses are listened on.
    pub(crate) tls: Option<Tls>,
    #[serde(default)]
    pub(crate) registry: RegistrySection,
    #[serde(default)]
    pub(crate) feed: FeedSection,
    #[serde(default)]
    pub(crate) subscriptions: SubscriptionsSection,
    #[serde(default)]
    pub(crate) repository: RepositorySection,
    #[serde(default)]
    pub(crate) imaging: ImagingSection,
    #[serde(default)]
    pub(crate) dicom: DicomSection,
    #[serde(default)]
    pub(crate) recipient: RecipientSection,
    #[serde(default)]
    pub(crate) media: MediaSection,
    #[serde(default)]
    access: AccessSection,
    #[serde(default)]
    pub(crate) xua: XuaSection,
    #[serde(default)]
    pub(crate) iua: IuaSection,
    #[serde(default)]
    pub(crate) gateway: GatewaySection,
    #[serde(default)]
    audit: AuditSection,
    #[serde(default)]
    pub(crate) metrics: MetricsSection,
    #[serde(default)]
    pub(crate) at_rest: AtRestSection,
    /// To whom answers may be sent that are wanted elsewhere.
    #[serde(default)]
    pub(crate) asynchronous: Asynchronous,
    #[serde(default)]
    pub(crate) limits: Limits,
    #[serde(skip)]
    fingerprint: Fingerprint,
    /// Where it was read.
    #[serde(skip)]
    file: PathBuf,
}

impl Config {
    /// Reads a configuration file. Paths in it are relative to its folder.
    pub(crate) fn load(file: &Path) -> Result<Self, ConfigError> {
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError(format!("{shown}: cannot be read: {error}")))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut config = Self::read(&text, std::env::vars_os(), folder)
            .map_err(|ConfigError(problem)| ConfigError(format!("{shown}: {problem}")))?;
        config.file = file.to_owned();
        Ok(config)
    }

    /// Where it was read.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    fn read(
        text: &str,
        environment: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
        folder: &Path,
    ) -> Result<Self, ConfigError> {
        let mut table: toml::Table = text.parse().map_err(one_line)?;
        keys::check(&table)?;
        environment::apply(&mut table, environment)?;
        let fingerprint = Fingerprint::of(&table);
        let mut config: Self = table.try_into().map_err(one_line)?;
        config.fingerprint = fingerprint;
        config.resolve(folder);
        config.check()?;
        Ok(config)
    }

    fn resolve(&mut self, folder: &Path) {
        self.data = folder.join(&self.data);
        self.affinity_domain.codes = folder.join(&self.affinity_domain.codes);
        if let Some(tls) = &mut self.tls {
            tls.resolve(folder);
        }
        let spool = self.audit.spool.take();
        self.audit.spool =
            Some(spool.map_or_else(|| self.data.join("audit"), |path| folder.join(path)));
        self.audit.repository.resolve(folder);
        let audit = &mut self.audit;
        for receiver in audit.send.iter_mut().chain(&mut audit.forward) {
            receiver.resolve(folder);
        }
        in_folder(&mut self.registry.database, "sqlite:", folder);
        in_folder(&mut self.repository.store, "file:", folder);
        for path in self.repository.store_trust.iter_mut().flatten() {
            *path = folder.join(&*path);
        }
        in_folder(&mut self.imaging.store, "file:", folder);
        for path in &mut self.imaging.watch {
            *path = real(&folder.join(&*path));
        }
        for archive in &mut self.imaging.archive {
            archive.resolve(folder);
        }
        for collection in &mut self.imaging.collection {
            collection.resolve(folder);
        }
        in_folder(&mut self.recipient.store, "file:", folder);
        self.access.resolve(folder);
        self.gateway.resolve(folder);
        self.xua.resolve(folder);
        self.iua.resolve(folder);
        self.at_rest.resolve(folder);
    }

    fn check(&self) -> Result<(), ConfigError> {
        let oid = |key: &str, value: &str| match is_oid(value) {
            true => Ok(()),
            false => Err(ConfigError(format!("{key}: {value:?} is not an OID"))),
        };
        self.check_urls()?;
        let Some(home) = self.home_community_id.strip_prefix("urn:oid:") else {
            let problem = "home_community_id: it must begin with urn:oid:";
            return Err(ConfigError(problem.to_owned()));
        };
        oid("home_community_id", home)?;
        let authority = &self.affinity_domain.patient_id_authority;
        oid("affinity_domain.patient_id_authority", authority)?;
        for (room, id) in [
            ("repository", &self.repository.unique_id),
            ("imaging", &self.imaging.unique_id),
        ] {
            if let Some(id) = id {
                oid(&format!("{room}.unique_id"), id)?;
            }
        }
        if self.repository.listen.is_some() && self.repository.unique_id.is_none() {
            let problem = "repository.unique_id: a repository needs one";
            return Err(ConfigError(problem.to_owned()));
        }
        let title = self.imaging.retrieve_ae_title.as_deref();
        if !title.is_none_or(is_ae_title) {
            let problem = "imaging.retrieve_ae_title: it has 1 to 16 letters, digits or signs";
            return Err(ConfigError(problem.to_owned()));
        }
        if self.settled() <= Duration::from_secs(self.limits.answer_seconds) {
            // The registry might still register a document that was given up.
            let problem = "repository.settled_seconds: it must be more than limits.answer_seconds";
            return Err(ConfigError(problem.to_owned()));
        }
        let notified = self.subscriptions.config().check();
        notified.map_err(|error| ConfigError(format!("subscriptions.notify: {error}")))?;
        self.check_archives()?;
        self.at_rest.check()?;
        for collection in &self.imaging.collection {
            collection.check_folders(&self.imaging.watch)?;
        }
        self.check_asynchronous()?;
        self.tls.as_ref().map_or(Ok(()), Tls::check)?;
        self.check_gateway()?;
        self.dicom.check(self)?;
        self.audit.repository.check(self)?;
        self.check_sending()?;
        self.xua.check(self)?;
        self.iua.check(self)?;
        self.check_listeners()
    }

    /// Answers are about patients, so they leave this machine encrypted or not at all.
    fn check_asynchronous(&self) -> Result<(), ConfigError> {
        let asynchronous = &self.asynchronous;
        for server in &asynchronous.reply_to {
            let problem = match server.is_encrypted() {
                true if self.tls.is_none() => "without [tls] there is no certificate to show it",
                false if !server.is_loopback() => {
                    "only a server on this machine may be answered without encryption"
                }
                _ => continue,
            };
            let problem = format!("asynchronous.reply_to: {server}: {problem}");
            return Err(ConfigError(problem));
        }
        for (key, zero) in [
            ("waiting", asynchronous.waiting == 0),
            ("sending", asynchronous.sending == 0),
            ("attempts", asynchronous.attempts == 0),
        ] {
            if zero {
                let problem = format!("asynchronous.{key}: it must be at least 1");
                return Err(ConfigError(problem));
            }
        }
        Ok(())
    }

    fn check_listeners(&self) -> Result<(), ConfigError> {
        if let Some(feed) = self.feed.listen {
            if self.registry.listen.is_none() {
                let problem = "feed.listen: a feed needs the registry in the same node, and \
                               registry.listen is not there";
                return Err(ConfigError(problem.to_owned()));
            }
            if self.rooms().iter().any(|(_, address)| *address == feed) {
                let problem =
                    format!("feed.listen: {feed} is the address of a room, which speaks HTTP");
                return Err(ConfigError(problem));
            }
        }
        let mut others = self.listeners();
        others.retain(|(room, _)| *room != "metrics");
        self.metrics.check(&others)?;
        for (room, address) in self.listeners() {
            // Who writes `listen_plain` means it.
            let is_meant = Some(address) == self.dicom.listen_plain;
            if self.tls.is_none() && !address.ip().is_loopback() && !is_meant {
                let key = if room.contains('.') { "" } else { ".listen" };
                return Err(ConfigError(format!(
                    "{room}{key}: without [tls], only loopback addresses such as \
                     127.0.0.1:{} may be listened on, not {address}",
                    address.port()
                )));
            }
        }
        Ok(())
    }

    /// Everything that listens here, and where.
    pub(crate) fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        let mut listeners = self.rooms();
        listeners.extend(self.feed.listen.map(|address| ("feed", address)));
        listeners.extend(self.dicom.addresses().map(|address| ("dicom", address)));
        listeners.extend(self.audit.repository.streams());
        listeners.extend(self.metrics.listen.map(|address| ("metrics", address)));
        listeners
    }

    /// The rooms that run here, and where they listen for HTTP.
    pub(crate) fn rooms(&self) -> Vec<(&'static str, SocketAddr)> {
        let rooms = [
            ("registry", self.registry.listen),
            ("repository", self.repository.listen),
            ("imaging", self.imaging.listen),
            ("recipient", self.recipient.listen),
            ("initiating", self.gateway.listen),
            ("responding", self.gateway.listen),
            ("audit", self.audit.repository.listen),
        ];
        let listening = |(room, address): (_, Option<_>)| address.map(|address| (room, address));
        rooms.into_iter().filter_map(listening).collect()
    }

    /// The ledger.
    pub(crate) fn audit(&self) -> AuditConfig {
        let host = self.audit.host.clone().unwrap_or_else(host_name);
        let source_id = self.audit.source_id.clone();
        AuditConfig {
            spool: self.spool(),
            source_id: source_id.unwrap_or_else(|| format!("hilum@{host}")),
            enterprise_site: self.audit.enterprise_site.clone(),
            host,
            segment_bytes: self
                .audit
                .segment_bytes
                .unwrap_or(hilum_audit::spool::SEGMENT_BYTES),
        }
    }

    /// The folder of the audit spool.
    pub(crate) fn spool(&self) -> PathBuf {
        let default = || self.data.join("audit");
        self.audit.spool.clone().unwrap_or_else(default)
    }

    /// The folder of the spools of commands, which run beside the node.
    pub(crate) fn client_spools(&self) -> PathBuf {
        self.spool().join("clients")
    }

    /// Where the registry is called.
    pub(crate) fn registry_url(&self) -> Option<String> {
        self.url("registry", &self.registry.url, self.registry.listen)
    }

    /// How others reach the registry, if that is said.
    pub(crate) fn registry_known_as(&self) -> Option<&str> {
        self.registry.url.as_deref()
    }

    /// How others reach DICOMweb, if it is said how they reach the imaging source: beside SOAP.
    pub(crate) fn web_known_as(&self) -> Option<String> {
        let base = self.imaging.url.as_deref()?.strip_suffix("/imaging")?;
        Some(format!(
            "{base}/{}",
            hilum_repository::imaging::dicomweb::DICOM_WEB
        ))
    }

    /// Where patients are announced with HL7 v2.
    pub(crate) fn feed_url(&self) -> Option<String> {
        let scheme = if self.tls.is_some() { "mllps" } else { "mllp" };
        let listen = self.feed.listen;
        let derived = || listen.map(|address| format!("{scheme}://{address}"));
        self.feed.url.clone().or_else(derived)
    }

    /// Whose patient identifiers are used.
    pub(crate) fn patient_domain(&self) -> PatientDomain {
        PatientDomain {
            authority: self.affinity_domain.patient_id_authority.clone(),
            namespace: self.affinity_domain.patient_id_namespace.clone(),
        }
    }

    /// Where the repository is called.
    pub(crate) fn repository_url(&self) -> Option<String> {
        self.url("repository", &self.repository.url, self.repository.listen)
    }

    /// Where the imaging source is called.
    pub(crate) fn imaging_url(&self) -> Option<String> {
        self.url("imaging", &self.imaging.url, self.imaging.listen)
    }

    /// Where the recipient is called.
    pub(crate) fn recipient_url(&self) -> Option<String> {
        self.url("recipient", &self.recipient.url, self.recipient.listen)
    }

    /// The inbox of the recipient, as a URL.
    pub(crate) fn recipient_store(&self) -> String {
        let default = || format!("file:{}", self.data.join("inbox").display());
        self.recipient.store.clone().unwrap_or_else(default)
    }

    /// Where the repository registers documents.
    pub(crate) fn registry_of_repository(&self) -> Option<String> {
        self.repository
            .registry
            .clone()
            .or_else(|| self.registry_url())
    }

    /// The unique ID of the repository, if it is known here.
    pub(crate) fn repository_unique_id(&self) -> Option<&str> {
        self.repository.unique_id.as_deref()
    }

    /// The unique ID of the imaging source: the repository's if it has none of its own.
    pub(crate) fn imaging_unique_id(&self) -> Option<String> {
        let own = self.imaging.unique_id.clone();
        own.or_else(|| self.repository.unique_id.clone())
    }

    /// The database of the registry, as a URL.
    pub(crate) fn registry_database(&self) -> String {
        let default = || format!("sqlite:{}", self.data.join("registry.db").display());
        self.registry.database.clone().unwrap_or_else(default)
    }

    /// The document store, as a URL.
    pub(crate) fn repository_store(&self) -> String {
        let default = || format!("file:{}", self.data.join("documents").display());
        self.repository.store.clone().unwrap_or_else(default)
    }

    /// Who asks the object store, if documents are kept in one, and how.
    pub(crate) fn store_access(&self) -> anyhow::Result<Option<Access>> {
        if !is_object_store(&self.repository_store()) {
            return Ok(None);
        }
        let missing = |key: &str| {
            let problem = format!("repository.{key}: a store in S3 needs it");
            ConfigError(problem)
        };
        let key = self.repository.store_key.clone();
        let secret = self.repository.store_secret.clone();
        // Whom the object store is trusted by is not whom calls are taken from.
        let tls = self.tls_trusting(self.repository.store_trust.as_ref());
        let tls = tls.context("repository.store_trust")?;
        let tls = tls.map(|tls| tls.client());
        Ok(Some(Access {
            key: key.ok_or_else(|| missing("store_key"))?,
            secret: secret.ok_or_else(|| missing("store_secret"))?.0,
            client: Client::new(tls, self.limits.clone()),
        }))
    }

    /// How long ITI-43 waits for a document that is being registered.
    pub(crate) fn decision(&self) -> Duration {
        let given = self.repository.decision_seconds;
        Duration::from_secs(given.map_or(hilum_repository::DECISION_SECONDS, u64::from))
    }

    /// How long the registry may take to register a document.
    pub(crate) fn settled(&self) -> Duration {
        let given = self.repository.settled_seconds;
        Duration::from_secs(given.map_or(hilum_repository::SETTLED_SECONDS, u64::from))
    }

    /// The folder of the images, as a URL.
    pub(crate) fn imaging_store(&self) -> String {
        let default = || format!("file:{}", self.data.join("images").display());
        self.imaging.store.clone().unwrap_or_else(default)
    }

    fn url(
        &self,
        room: &str,
        given: &Option<String>,
        listen: Option<SocketAddr>,
    ) -> Option<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let derived = || listen.map(|address| format!("{scheme}://{address}/{room}"));
        given.clone().or_else(derived)
    }
}

/// Whether this can be an AE title (DICOM PS3.5 6.2, AE).
fn is_ae_title(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
    text.len() <= 16 && !text.trim().is_empty() && text.bytes().all(plain)
}

/// A path as the system knows it, however the configuration file was named; if nothing is there yet,
/// from the root on.
fn real(path: &Path) -> PathBuf {
    let real = path.canonicalize();
    real.or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

/// Makes the path in `file:PATH` or `sqlite:PATH` relative to the folder of the configuration.
fn in_folder(url: &mut Option<String>, scheme: &str, folder: &Path) {
    if let Some(path) = url.as_deref().and_then(|url| url.strip_prefix(scheme)) {
        *url = Some(format!("{scheme}{}", folder.join(path).display()));
    }
}

/// The name of this machine.
fn host_name() -> String {
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name.to_owned()
    }
}

/// What is wrong with TOML, in one line. The value is not repeated, since it may be secret.
fn one_line(error: toml::de::Error) -> ConfigError {
    let text = error.to_string();
    let lines: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('|') && !line.contains(" | "))
        .map(urls::without_value)
        .collect();
    ConfigError(lines.join(": "))
}
