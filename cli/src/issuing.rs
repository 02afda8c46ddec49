//! What `hilum assertion` and `hilum token` have in common: of whom they speak, and who signs.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use hilum_security::development_ca::Identity;
use hilum_security::{User, UserCode};

use crate::config::{Config, open_secret};
use crate::status::Usage;

/// The longest that something is issued for, in minutes: a day.
const LONGEST: u32 = 24 * 60;

/// Who issues.
#[derive(Debug, Args)]
pub(crate) struct By {
    /// How the issuer calls itself
    #[arg(long, value_name = "NAME")]
    pub(crate) issuer: String,
    /// Its key, in PEM form (such as `hilum certs` writes)
    #[arg(long, value_name = "FILE")]
    issuer_key: PathBuf,
    /// Its certificate, in PEM form [default: the key's file with .pem]
    #[arg(long, value_name = "FILE")]
    issuer_certificate: Option<PathBuf>,
}

impl By {
    pub(crate) fn identity(&self) -> anyhow::Result<Identity> {
        let beside = || self.issuer_key.with_extension("pem");
        let certificate = self.issuer_certificate.clone().unwrap_or_else(beside);
        let identity = Identity::read(&certificate, &self.issuer_key)?;
        if let Some(problem) = open_secret("--issuer-key", &self.issuer_key) {
            tracing::warn!("{problem}");
        }
        let is_its = identity.certificate.public_key()?.public_eq(&identity.key);
        match is_its {
            true => Ok(identity),
            false => Err(Usage("the certificate is not the key's".to_owned()).into()),
        }
    }
}

/// Of whom something is said.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// The user: how the issuer knows them
    #[arg(long, value_name = "NAME", required_unless_present = "keys")]
    user: Option<String>,
    /// The user's name for people
    #[arg(long, value_name = "NAME")]
    full_name: Option<String>,
    /// The user's organisation for people
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// The user's organisation: urn:oid:… or a URL
    #[arg(long, value_name = "URI")]
    organization_id: Option<String>,
    /// The community that asks [default: the node's]
    #[arg(long, value_name = "URN")]
    home: Option<String>,
    /// A role of the user
    #[arg(long, value_name = "CODE^DISPLAY^SYSTEM", value_parser = code)]
    role: Vec<UserCode>,
    /// A purpose of use
    #[arg(long, value_name = "CODE^DISPLAY^SYSTEM", value_parser = code)]
    purpose: Vec<UserCode>,
    /// A national provider identifier
    #[arg(long, value_name = "ID")]
    npi: Vec<String>,
    /// The patient whom it is about: ID^^^&OID&ISO
    #[arg(long, value_name = "CX")]
    patient: Option<String>,
    /// The uniqueId of the document in which the patient consented
    #[arg(long, value_name = "ID")]
    consent_document: Option<String>,
    /// The policy to which the patient consented: urn:oid:…
    #[arg(long, value_name = "URN")]
    privacy_policy: Option<String>,
    /// Why the user breaks the glass
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// For whom it is [default: the node's community]
    #[arg(long, value_name = "URI")]
    audience: Vec<String>,
    /// For how long it is valid
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST)))]
    minutes: u32,
    /// The node that it is for, which says what is not said here
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
}

impl Of {
    /// The user.
    pub(crate) fn user(&self) -> anyhow::Result<User> {
        let home = self.home.clone().map_or_else(|| self.community(), Ok);
        Ok(User {
            name: self.user.clone().unwrap_or_default(),
            full_name: self.full_name.clone(),
            organization: self.organization.clone(),
            organization_id: self.organization_id.clone(),
            // Who names an audience may have no configuration at hand.
            home_community_id: match self.audience.is_empty() {
                true => Some(home?),
                false => self.home.clone(),
            },
            roles: self.role.clone(),
            purposes: self.purpose.clone(),
            provider_ids: self.npi.clone(),
            patient_id: self.patient.clone(),
            consent_document: self.consent_document.clone(),
            privacy_policy: self.privacy_policy.clone(),
            reason: self.reason.clone(),
            ..User::default()
        })
    }

    /// For whom it is.
    pub(crate) fn audience(&self) -> anyhow::Result<Vec<String>> {
        match self.audience.is_empty() {
            true => Ok(vec![self.community()?]),
            false => Ok(self.audience.clone()),
        }
    }

    /// From when until when it is valid, in seconds since 1970.
    pub(crate) fn validity(&self) -> (u64, u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        (now, now + u64::from(self.minutes) * 60)
    }

    fn community(&self) -> anyhow::Result<String> {
        let file: &Path = &self.config;
        let config = Config::load(file).context("neither --audience nor a node says for whom")?;
        Ok(config.home_community_id)
    }
}

/// `CODE^DISPLAY^SYSTEM`, in the order of HL7's CE.
fn code(text: &str) -> Result<UserCode, String> {
    let parts: Vec<&str> = text.split('^').collect();
    let (code, display, system) = match parts.as_slice() {
        [code] => (*code, "", ""),
        [code, display, system] => (*code, *display, *system),
        _ => return Err("it is written CODE^DISPLAY^SYSTEM".to_owned()),
    };
    if code.is_empty() {
        return Err("it has no code".to_owned());
    }
    Ok(UserCode {
        code: code.to_owned(),
        system: system.to_owned(),
        display: (!display.is_empty()).then(|| display.to_owned()),
    })
}
