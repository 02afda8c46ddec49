//! The keys of `[audit]` that are about the Audit Record Repository.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hilum_audit::record_repository::{HEAD_SECONDS, MESSAGE_BYTES, RecordRepositoryConfig};
use serde::Deserialize;

use super::{Config, ConfigError};

/// A day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What of `[audit]` is about receiving the records of others. Without `listen`, there is no
/// repository.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct AuditRepositorySection {
    /// HTTP.
    pub(crate) listen: Option<SocketAddr>,
    url: Option<String>,
    pub(crate) syslog_tls: Option<SocketAddr>,
    pub(crate) syslog_udp: Option<SocketAddr>,
    store: Option<String>,
    pub(super) signing_key: Option<PathBuf>,
    retention_days: Option<NonZeroU32>,
    legal_hold: Option<bool>,
    message_bytes: Option<NonZeroUsize>,
    head_seconds: Option<NonZeroU64>,
}

impl AuditRepositorySection {
    pub(super) fn resolve(&mut self, folder: &Path) {
        super::in_folder(&mut self.store, "file:", folder);
        if let Some(key) = &mut self.signing_key {
            *key = folder.join(&*key);
        }
    }

    /// The addresses to which others connect with syslog.
    pub(super) fn streams(&self) -> Option<(&'static str, SocketAddr)> {
        self.syslog_tls.map(|address| ("audit.syslog_tls", address))
    }

    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let wrong = |key: &str, problem: &str| Err(ConfigError(format!("audit.{key}: {problem}")));
        if let Some(target) = config.forwarding_targets().next()
            && self.listen.is_none()
        {
            let problem = "audit.listen is not there, so nothing is received";
            return wrong("forward", &format!("{target}: {problem}"));
        }
        if self.listen.is_none() {
            let syslog = [
                ("syslog_tls", self.syslog_tls),
                ("syslog_udp", self.syslog_udp),
            ];
            return match syslog.iter().find(|(_, address)| address.is_some()) {
                Some((key, _)) => wrong(key, "audit.listen is not there, so nothing is received"),
                None => Ok(()),
            };
        }
        if self.signing_key.is_none() {
            return wrong(
                "signing_key",
                "a repository needs one to sign the heads of its log; `hilum audit key FILE` makes it",
            );
        }
        if let Some(store) = &self.store
            && !store.starts_with("file:")
        {
            return wrong("store", "it begins with file:");
        }
        let own = [self.syslog_tls, self.syslog_udp].into_iter().flatten();
        let own: Vec<u16> = own.map(|address| address.port()).collect();
        let mut targets = config.forwarding_targets();
        if let Some(target) = targets.find(|it| it.is_loopback() && own.contains(&it.port)) {
            let problem = "this is the repository itself, which would receive without end";
            return wrong("forward", &format!("{target}: {problem}"));
        }
        let rooms = config.rooms();
        let taken = |address: SocketAddr| rooms.iter().any(|(_, room)| *room == address);
        if self.syslog_tls.is_some_and(taken) {
            return wrong(
                "syslog_tls",
                "this is the address of a room, which speaks HTTP",
            );
        }
        Ok(())
    }
}

impl Config {
    /// The Audit Record Repository, if there is one here.
    pub(crate) fn audit_repository(&self) -> Option<RecordRepositoryConfig> {
        let section = &self.audit.repository;
        section.listen?;
        let mut config =
            RecordRepositoryConfig::new(self.audit_store(), section.signing_key.clone()?);
        let message_bytes = section
            .message_bytes
            .map_or(MESSAGE_BYTES, NonZeroUsize::get);
        config.message_bytes = message_bytes;
        let seconds = section.head_seconds.map_or(HEAD_SECONDS, NonZeroU64::get);
        config.head_every = Duration::from_secs(seconds);
        config.retention = section.retention_days.map(|days| DAY * days.get());
        config.legal_hold = section.legal_hold.unwrap_or_default();
        Some(config)
    }

    /// Where the Audit Record Repository listens for HTTP.
    pub(crate) fn audit_listen(&self) -> Option<SocketAddr> {
        self.audit.repository.listen
    }

    /// The folder of the audit log.
    pub(crate) fn audit_store(&self) -> PathBuf {
        let given = self.audit.repository.store.as_deref();
        let given = given.and_then(|url| url.strip_prefix("file:"));
        let default = || self.data.join("audit-log");
        given.map_or_else(default, PathBuf::from)
    }

    /// The key that signs the heads of the audit log.
    pub(crate) fn audit_signing_key(&self) -> Option<&Path> {
        self.audit.repository.signing_key.as_deref()
    }

    /// Where syslog is received.
    pub(crate) fn syslog_listeners(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let section = &self.audit.repository;
        (section.syslog_tls, section.syslog_udp)
    }

    /// Whether what is sent there comes to the repository of this very node.
    pub(crate) fn is_own_receiver(&self, target: &impl ToString) -> bool {
        let target = target.to_string();
        let hosts = ["//localhost:", "//127.0.0.1:", "//[::1]:"];
        let (stream, datagrams) = self.syslog_listeners();
        let own = match target.starts_with("syslog+udp:") {
            true => datagrams,
            false => stream,
        };
        hosts.iter().any(|host| target.contains(host))
            && own.is_some_and(|address| target.ends_with(&format!(":{}", address.port())))
    }

    /// Where the Audit Record Repository is asked: what stands before the paths.
    pub(crate) fn audit_repository_url(&self) -> Option<String> {
        let section = &self.audit.repository;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let derived = || {
            section
                .listen
                .map(|address| format!("{scheme}://{address}"))
        };
        let given = section
            .url
            .as_ref()
            .map(|url| url.trim_end_matches('/').to_owned());
        given.or_else(derived)
    }
}

/// The usual of what is given here.
pub(crate) fn defaults() -> [(&'static str, String); 2] {
    [
        ("audit_message_bytes", MESSAGE_BYTES.to_string()),
        ("head_seconds", HEAD_SECONDS.to_string()),
    ]
}
