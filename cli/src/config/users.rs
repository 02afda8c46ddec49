//! `[xua]` and `[iua]`: for whom nodes call, and who is believed about that.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hilum_security::iti19_authenticate_node::{self as iti19, TlsFiles};
use hilum_security::iti40_provide_x_user_assertion::{
    Assertions, Issuer, LONGEST_LIFETIME_SECONDS, Need, SKEW_SECONDS, Settings,
};
use hilum_security::iti72_incorporate_access_token::{Authority, TokenJudge, TokenSettings};
use hilum_security::{NodeName, Permission, REMEMBERED, Replay, inspection};
use hilum_transport::tokens::{Credentials, Introspection, KeySource, TokenSource, Tokens};
use hilum_transport::{Client, Users};
use serde::Deserialize;

use super::{Config, ConfigError};

/// How long what an authority said of a token is remembered.
pub(crate) const INTROSPECTION_SECONDS: u64 = 60;

/// Whether users are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    /// What is said of users is not understood.
    #[default]
    Off,
    /// Who names a user must be right about it.
    Accepted,
    /// A user must be named.
    Required,
}

impl Wanted {
    const fn need(self) -> Option<Need> {
        match self {
            Self::Off => None,
            Self::Accepted => Some(Need::Accepted),
            Self::Required => Some(Need::Required),
        }
    }
}

/// Assertions in SOAP headers (ITI-40).
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct XuaSection {
    #[serde(default)]
    assertions: Wanted,
    audience: Option<Vec<String>>,
    skew_seconds: Option<u32>,
    longest_lifetime_seconds: Option<u32>,
    #[serde(default)]
    authentication: Vec<String>,
    replay: Option<Replay>,
    remembered: Option<u32>,
    #[serde(default)]
    nodes_without_users: Vec<String>,
    #[serde(default)]
    optional_rooms: Vec<String>,
    #[serde(default)]
    issuer: Vec<XuaIssuer>,
}

/// Who may issue assertions.
#[derive(Debug, Clone, Deserialize)]
struct XuaIssuer {
    name: String,
    certificates: Vec<PathBuf>,
}

/// Tokens in `Authorization` headers (ITI-72).
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct IuaSection {
    #[serde(default)]
    tokens: Wanted,
    audience: Option<Vec<String>>,
    skew_seconds: Option<u32>,
    longest_lifetime_seconds: Option<u32>,
    replay: Option<Replay>,
    remembered: Option<u32>,
    introspection_seconds: Option<u32>,
    trust: Option<Vec<PathBuf>>,
    #[serde(default)]
    issuer: Vec<IuaIssuer>,
    #[serde(default)]
    scope: Vec<IuaScope>,
}

/// Who may issue tokens.
#[derive(Debug, Clone, Deserialize)]
struct IuaIssuer {
    name: String,
    keys: Option<String>,
    secret_file: Option<PathBuf>,
    introspection: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
}

/// What a scope allows.
#[derive(Debug, Clone, Deserialize)]
struct IuaScope {
    name: String,
    permissions: Vec<String>,
}

impl XuaSection {
    pub(super) fn resolve(&mut self, folder: &Path) {
        let files = self.issuer.iter_mut();
        let files = files.flat_map(|issuer| &mut issuer.certificates);
        files.for_each(|file| *file = folder.join(&*file));
    }

    /// The files that it names.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let files = self.issuer.iter();
        let files = files.flat_map(|issuer| &issuer.certificates);
        files.map(PathBuf::as_path)
    }

    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let wrong = |problem: &str| Err(ConfigError(format!("xua.{problem}")));
        if self.assertions == Wanted::Off {
            return Ok(());
        }
        if self.issuer.is_empty() {
            return wrong("issuer: nobody is named whose assertions are believed");
        }
        if self.audience.as_ref().is_some_and(Vec::is_empty) {
            return wrong("audience: without any, no assertion is meant for this node");
        }
        let files = config.tls_files();
        let knows_nodes = files.is_some_and(|files| files.client_certificate_required);
        if self.assertions == Wanted::Required && !knows_nodes {
            return wrong(
                "assertions: \"required\" needs [tls] with client_certificates = \"required\": \
                 rooms that call each other for nobody in particular are known by their certificates",
            );
        }
        let is_fingerprint = |text: &&String| {
            let digits = text.chars().filter(|digit| *digit != ':');
            digits.clone().count() == 64 && digits.clone().all(|digit| digit.is_ascii_hexdigit())
        };
        let mut nodes = self.nodes_without_users.iter();
        if let Some(node) = nodes.find(|node| !is_fingerprint(node)) {
            return wrong(&format!(
                "nodes_without_users: {node:?} is not the SHA-256 fingerprint of a certificate"
            ));
        }
        let rooms = ["registry", "repository", "imaging", "recipient"];
        let mut optional = self.optional_rooms.iter();
        match optional.find(|room| !rooms.contains(&room.as_str())) {
            Some(room) => wrong(&format!("optional_rooms: {room:?} is no room")),
            None => Ok(()),
        }
    }

    /// Nodes that may call for nobody in particular: the rooms of this node call each other so.
    fn without_users(&self, config: &Config) -> anyhow::Result<Vec<String>> {
        let plain = |text: &String| text.replace(':', "").to_ascii_lowercase();
        let mut nodes: Vec<String> = self.nodes_without_users.iter().map(plain).collect();
        nodes.extend(own_fingerprint(config)?);
        Ok(nodes)
    }

    fn open(&self, config: &Config) -> anyhow::Result<Option<Arc<Assertions>>> {
        let Some(need) = self.assertions.need() else {
            return Ok(None);
        };
        let issuer = |issuer: &XuaIssuer| Issuer {
            name: issuer.name.clone(),
            certificates: issuer.certificates.clone(),
        };
        let settings = Settings {
            need,
            audience: audience(&self.audience, config),
            issuers: self.issuer.iter().map(issuer).collect(),
            skew: seconds(self.skew_seconds, SKEW_SECONDS),
            longest_lifetime: seconds(self.longest_lifetime_seconds, LONGEST_LIFETIME_SECONDS),
            authentication: self.authentication.clone(),
            replay: self.replay.unwrap_or_default(),
            remembered: self.remembered.map_or(REMEMBERED, |most| most as usize),
            nodes_without_users: self.without_users(config)?,
        };
        Ok(Some(Arc::new(Assertions::open(settings).context("[xua]")?)))
    }
}

impl IuaSection {
    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in self.trust.iter_mut().flatten() {
            *path = folder.join(&*path);
        }
        for issuer in &mut self.issuer {
            for file in [
                &mut issuer.secret_file,
                &mut issuer.client_secret_file,
                &mut issuer.token_file,
            ] {
                *file = file.take().map(|file| folder.join(file));
            }
            if let Some(keys) = issuer.keys.as_mut().filter(|keys| !keys.contains("://")) {
                *keys = folder.join(&*keys).display().to_string();
            }
        }
    }

    /// The files that it names.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let trust = self.trust.iter().flatten().map(PathBuf::as_path);
        trust.chain(self.issuer.iter().flat_map(IuaIssuer::files))
    }

    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let wrong = |problem: &str| Err(ConfigError(format!("iua.{problem}")));
        if self.tokens == Wanted::Off {
            return Ok(());
        }
        if self.issuer.is_empty() {
            return wrong("issuer: nobody is named whose tokens are believed");
        }
        if self.audience.as_ref().is_some_and(Vec::is_empty) {
            return wrong("audience: without any, no token is meant for this node");
        }
        let mut names = HashSet::new();
        for issuer in &self.issuer {
            let name = &issuer.name;
            let said = |problem: &str| wrong(&format!("issuer {name:?}: {problem}"));
            if !names.insert(name) {
                return said("it is there twice");
            }
            let ways = [
                issuer.keys.is_some(),
                issuer.secret_file.is_some(),
                issuer.introspection.is_some(),
            ];
            match ways {
                [true, true, _] => return said("either keys or secret_file, not both"),
                [false, false, false] => {
                    return said("keys, secret_file or introspection says how tokens are judged");
                }
                _ => {}
            }
            let urls = [&issuer.keys, &issuer.introspection];
            for url in urls.into_iter().flatten().filter(|url| url.contains("://")) {
                check_url(config, url).or_else(|problem| said(&format!("{url:?}: {problem}")))?;
            }
            if issuer.client_id.is_some() != issuer.client_secret_file.is_some() {
                return said("client_id and client_secret_file go together");
            }
            if issuer.client_id.is_some() && issuer.token_file.is_some() {
                return said("either client_id or token_file says as whom it is asked");
            }
        }
        let asked = self.issuer.iter().filter(|it| it.introspection.is_some());
        if asked.count() > 1 {
            return wrong("issuer: only one can be asked about tokens that nobody else can read");
        }
        self.scopes().map(|_| ())
    }

    fn scopes(&self) -> Result<Vec<(String, Vec<Permission>)>, ConfigError> {
        let read = |scope: &IuaScope| {
            let permissions = scope.permissions.iter();
            let permissions: Option<Vec<Permission>> =
                permissions.map(|it| permission(it)).collect();
            let name = &scope.name;
            let problem = || {
                ConfigError(format!(
                    "iua.scope {name:?}: permissions are \"query\", \"retrieve\", \"provide\", \
                     \"register\", \"update\", \"remove\", \"announce\", \"subscribe\", \"audit\", \
                     \"consent\" and \"administer\""
                ))
            };
            Ok((name.clone(), permissions.ok_or_else(problem)?))
        };
        self.scope.iter().map(read).collect()
    }

    fn open(&self, config: &Config) -> anyhow::Result<Option<Arc<Tokens>>> {
        let Some(need) = self.tokens.need() else {
            return Ok(None);
        };
        let mut authorities = Vec::new();
        let mut sources = Vec::new();
        for issuer in &self.issuer {
            let secret = issuer.secret_file.as_deref().map(secret).transpose()?;
            if secret.as_ref().is_some_and(|it| it.len() < SECRET_BYTES) {
                let problem = format!("it has fewer than {SECRET_BYTES} bytes");
                let name = &issuer.name;
                return Err(
                    ConfigError(format!("iua.issuer {name:?}: secret_file: {problem}")).into(),
                );
            }
            authorities.push(Authority {
                name: issuer.name.clone(),
                secret: secret.map(String::into_bytes),
            });
            sources.push(issuer.source()?);
        }
        let judge = TokenJudge::new(TokenSettings {
            need,
            audience: audience(&self.audience, config),
            authorities,
            skew: seconds(self.skew_seconds, SKEW_SECONDS),
            longest_lifetime: seconds(self.longest_lifetime_seconds, LONGEST_LIFETIME_SECONDS),
            // Programs use a token until it expires, from wherever they are.
            replay: self.replay.unwrap_or(Replay::Allow),
            remembered: self.remembered.map_or(REMEMBERED, |most| most as usize),
            scopes: self.scopes()?,
        });
        let judge = judge.map_err(|problem| ConfigError(format!("[iua]: {problem}")))?;
        let remember = seconds(self.introspection_seconds, INTROSPECTION_SECONDS);
        let client = self.client(config)?;
        Ok(Some(Arc::new(Tokens::new(
            judge, sources, client, remember,
        ))))
    }

    /// Asks authorities, who need not be trusted by whom other nodes are.
    fn client(&self, config: &Config) -> anyhow::Result<Client> {
        let files = config.tls_files().map(|files| TlsFiles {
            trust: self.trust.clone().unwrap_or(files.trust),
            ..files
        });
        let tls = files.map(|files| iti19::client_config(&files)).transpose();
        Ok(Client::new(
            tls.context("iua.trust")?,
            config.limits.clone(),
        ))
    }
}

impl IuaIssuer {
    fn files(&self) -> impl Iterator<Item = &Path> {
        let keys = self.keys.as_deref();
        let keys = keys.filter(|keys| !keys.contains("://")).map(Path::new);
        let files = [
            &self.secret_file,
            &self.client_secret_file,
            &self.token_file,
        ];
        let files = files.into_iter().flatten().map(PathBuf::as_path);
        files.chain(keys)
    }

    fn source(&self) -> anyhow::Result<TokenSource> {
        let keys = match &self.keys {
            None => KeySource::Nowhere,
            Some(url) if url.contains("://") => KeySource::Url(url.clone()),
            Some(file) => KeySource::File(PathBuf::from(file)),
        };
        if let KeySource::File(file) = &keys {
            // Whatever is wrong with it is better said now.
            let read = std::fs::read(file);
            let read = read.with_context(|| format!("iua.issuer: {}", file.display()))?;
            hilum_security::iti72_incorporate_access_token::Keys::read(&read).map_err(|error| {
                ConfigError(format!(
                    "iua.issuer: {}: no JWK Set: {error}",
                    file.display()
                ))
            })?;
        }
        let introspection = match &self.introspection {
            None => None,
            Some(url) => Some(Introspection {
                url: url.clone(),
                credentials: self.credentials()?,
            }),
        };
        Ok(TokenSource {
            keys,
            introspection,
        })
    }

    fn credentials(&self) -> anyhow::Result<Credentials> {
        Ok(
            match (&self.client_id, &self.client_secret_file, &self.token_file) {
                (Some(id), Some(file), _) => Credentials::Secret {
                    id: id.clone(),
                    secret: secret(file)?,
                },
                (_, _, Some(file)) => Credentials::Token(secret(file)?),
                _ => Credentials::Certificate,
            },
        )
    }
}

impl Config {
    /// How users are known to the rooms of this node.
    pub(crate) fn users(&self) -> anyhow::Result<Users> {
        Ok(Users {
            assertions: self.xua.open(self)?,
            tokens: self.iua.open(self)?,
            optional: self.xua.optional_rooms.clone(),
            nodes_without_users: self.xua.without_users(self)?,
        })
    }
}

fn seconds(given: Option<u32>, usual: u64) -> Duration {
    Duration::from_secs(given.map_or(usual, u64::from))
}

/// As whom this node is meant: as its community if nothing else is said.
fn audience(given: &Option<Vec<String>>, config: &Config) -> Vec<String> {
    let home = || vec![config.home_community_id.clone()];
    given.clone().unwrap_or_else(home)
}

/// The fingerprint of this node's own certificate, with which its rooms call each other.
fn own_fingerprint(config: &Config) -> anyhow::Result<Option<String>> {
    let Some(files) = config.tls_files() else {
        return Ok(None);
    };
    let NodeName { fingerprint, .. } = inspection::inspect(&files).context("[tls]")?.own.node;
    Ok(Some(fingerprint))
}

/// What RFC 7518 wants of a secret for HS256; a shorter one verifies nothing.
const SECRET_BYTES: usize = 32;

fn secret(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("iua.issuer: {}", file.display()))?;
    Ok(text.trim_end().to_owned())
}

/// What decides who is believed comes encrypted, or from this very machine.
fn check_url(config: &Config, url: &str) -> Result<(), &'static str> {
    let origin = match url.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            hilum_transport::Origin::parse(&format!("{scheme}://{host}"))?
        }
        None => return Err("it is no URL"),
    };
    match origin.is_encrypted() {
        true if config.tls.is_none() => Err("without [tls] there is no certificate to show it"),
        false if !origin.is_loopback() => {
            Err("only a server on this machine may be asked without encryption")
        }
        _ => Ok(()),
    }
}

fn permission(name: &str) -> Option<Permission> {
    Some(match name {
        "query" => Permission::Query,
        "retrieve" => Permission::Retrieve,
        "provide" => Permission::Provide,
        "register" => Permission::Register,
        "update" => Permission::Update,
        "remove" => Permission::Remove,
        "announce" => Permission::Announce,
        "patients" => Permission::Patients,
        "subscribe" => Permission::Subscribe,
        "audit" => Permission::Audit,
        "consent" => Permission::Consent,
        "administer" => Permission::Administer,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
