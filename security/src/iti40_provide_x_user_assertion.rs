//! ITI-40 Provide X-User Assertion: for whom a node calls.
//!
//! Whoever calls brings a SAML 2.0 assertion in the SOAP header. It is believed if one of the
//! certificates has signed it that the operator trusts for its issuer, if it is meant for this node
//! and for now, and if it is not somebody else's. Nothing in it says whom to trust.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-40.html>

mod algorithms;
mod claims;
mod conditions;
mod issue;
mod onward;
mod signature;
mod signed_info;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssl::asn1::Asn1Time;
use openssl::pkey::{PKey, Public};
use openssl::sha::sha256;
use openssl::x509::X509;
use thiserror::Error;
use xds_schemas::saml::{Assertion, Seconds};
use xds_schemas::wsn::time;
use xds_schemas::wsse::{Security, SecurityFault};

use crate::caller::{Caller, User};
use crate::inspection::CertificateFacts;
use crate::iti19_authenticate_node::{TlsError, read_certificates};
use crate::seen::{Replay, Seen, Shown};
use crate::user_refused::UserRefused;

pub use issue::{AssertionIssuer, Issue};
pub use onward::Onward;

/// How far clocks may differ.
pub const SKEW_SECONDS: u64 = 60;
/// How long an assertion may be valid.
pub const LONGEST_LIFETIME_SECONDS: u64 = 24 * 60 * 60;
/// Assertions whose verification is remembered, since they are used several times.
const VERIFIED: usize = 4096;

/// Whether callers must say for whom they call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Need {
    /// They must.
    Required,
    /// They may.
    #[default]
    Accepted,
}

/// Who may issue assertions.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// How it calls itself: `Issuer`.
    pub name: String,
    /// PEM files with the certificates of the keys it signs with. They are trusted as they are, no
    /// others for being issued by them.
    pub certificates: Vec<PathBuf>,
}

/// Whom to believe.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether a user must be named.
    pub need: Need,
    /// As whom this node is meant: URIs of its own, or of its affinity domain.
    pub audience: Vec<String>,
    /// Who may issue assertions.
    pub issuers: Vec<Issuer>,
    /// How far clocks may differ.
    pub skew: Duration,
    /// How long an assertion may be valid.
    pub longest_lifetime: Duration,
    /// Ways of authentication that are accepted; all if there are none.
    pub authentication: Vec<String>,
    /// What becomes of assertions that were shown before.
    pub replay: Replay,
    /// How many are remembered for that.
    pub remembered: usize,
    /// Fingerprints of nodes that may call for nobody in particular, and show what others showed:
    /// this node itself, and those that the operator names.
    pub nodes_without_users: Vec<String>,
}

/// Why assertions cannot be judged.
#[derive(Debug, Error)]
pub enum IssuerError {
    /// A file of certificates cannot be used.
    #[error("{0}")]
    File(#[from] TlsError),
    /// An issuer cannot be used.
    #[error("issuer {name:?}: {problem}")]
    Issuer {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nobody is trusted.
    #[error("nobody is trusted to issue assertions")]
    Nobody,
    /// Nobody could be meant.
    #[error("there is no audience, so that no assertion is meant for this node")]
    NoAudience,
}

/// A certificate of an issuer.
struct Trusted {
    issuer: String,
    certificate: X509,
    key: PKey<Public>,
}

/// An assertion whose signature was verified, and which is meant for this node.
struct Known {
    assertion: Assertion,
    user: Arc<User>,
    key: usize,
    until: Seconds,
}

/// Judges assertions.
pub struct Assertions {
    settings: Settings,
    trusted: Vec<Trusted>,
    seen: Seen,
    known: Mutex<HashMap<[u8; 32], Arc<Known>>>,
}

impl Assertions {
    /// Reads the certificates of the issuers.
    ///
    /// # Errors
    /// If there are none, or they cannot be used.
    pub fn open(settings: Settings) -> Result<Self, IssuerError> {
        let mut trusted = Vec::new();
        for issuer in &settings.issuers {
            trusted.extend(read_issuer(issuer)?);
        }
        if trusted.is_empty() {
            return Err(IssuerError::Nobody);
        }
        if settings.audience.is_empty() {
            return Err(IssuerError::NoAudience);
        }
        let seen = Seen::new(settings.replay, settings.remembered);
        Ok(Self {
            settings,
            trusted,
            seen,
            known: Mutex::default(),
        })
    }

    /// The user for whom a caller calls, by what the header of its message says. Where it is
    /// `optional`, nobody need be named.
    ///
    /// # Errors
    /// If somebody is named and not believed, or nobody is named who must be.
    pub fn judge(
        &self,
        security: &Security,
        optional: bool,
        caller: &Caller,
        now: SystemTime,
    ) -> Result<Option<Arc<User>>, UserRefused> {
        let invalid = |why: &str| Err(UserRefused::new(SecurityFault::InvalidSecurity, why));
        if security.blocks > 1 {
            return invalid("there are several headers of WS-Security");
        }
        if let Some(expires) = &security.expires {
            let until = time::read(expires, 0);
            let now = conditions::Now::of(now, self.settings.skew);
            match until {
                Ok(until) if !now.is_at_or_after(until) => {}
                Ok(_) => {
                    let fault = SecurityFault::MessageExpired;
                    return Err(UserRefused::new(fault, "the message has expired"));
                }
                Err(_) => return invalid("the timestamp of the message cannot be read"),
            }
        }
        match security.assertions.as_slice() {
            _ if security.unsupported => Err(UserRefused::new(
                SecurityFault::UnsupportedSecurityToken,
                "the assertion is too long, encrypted, or not of SAML 2.0",
            )),
            [] if optional || self.settings.need == Need::Accepted => Ok(None),
            [] if self.needs_no_user(caller) => Ok(None),
            [] => invalid("no assertion says for whom it is called"),
            [assertion] => self.believe(assertion, caller, now).map(Some),
            _ => invalid("there are several assertions"),
        }
    }

    /// The user of whom an assertion speaks, shown by `caller`.
    ///
    /// # Errors
    /// If it is not believed.
    pub fn believe(
        &self,
        assertion: &str,
        caller: &Caller,
        now: SystemTime,
    ) -> Result<Arc<User>, UserRefused> {
        let known = self.known(assertion, now)?;
        let moment = conditions::Now::of(now, self.settings.skew);
        self.check_certificate(known.key, now)?;
        conditions::check_use(&known.assertion, caller, moment)?;
        let forwards = self.needs_no_user(caller);
        let address = caller.address.ip().to_canonical().to_string();
        let node = caller.node.as_ref();
        let by = node.map_or(address.as_str(), |node| node.fingerprint.as_str());
        let until = u64::try_from(known.until).unwrap_or_default();
        let conditions = known.assertion.conditions.as_ref();
        let shown = Shown {
            issuer: &known.assertion.issuer,
            id: &known.assertion.id,
            by: (!forwards).then_some(by),
            one_time: conditions.is_some_and(|conditions| conditions.one_time_use),
            until: UNIX_EPOCH + Duration::from_secs(until) + self.settings.skew,
        };
        let taken = self.seen.take(&shown, now);
        taken.map_err(|why| UserRefused::failed(format!("the assertion is replayed: {why}")))?;
        Ok(Arc::clone(&known.user))
    }

    /// What was verified of this very text, now or before.
    fn known(&self, text: &str, now: SystemTime) -> Result<Arc<Known>, UserRefused> {
        let digest = sha256(text.as_bytes());
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&digest) {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(self.verify(text)?);
        let mut all = lock();
        if all.len() >= VERIFIED {
            let moment = conditions::Now::of(now, self.settings.skew);
            all.retain(|_, known| !moment.is_at_or_after(known.until));
        }
        if all.len() >= VERIFIED {
            all.clear();
        }
        all.insert(digest, Arc::clone(&known));
        Ok(known)
    }

    fn verify(&self, text: &str) -> Result<Known, UserRefused> {
        let keys = |issuer: &str| {
            let trusted = self.trusted.iter().enumerate();
            let of_issuer = trusted.filter(|(_, trusted)| trusted.issuer == issuer);
            of_issuer.map(|(at, trusted)| (at, &trusted.key)).collect()
        };
        let verified = signature::verify(text, keys)?;
        let mut assertion = Assertion::read(&verified.canonical).map_err(|error| {
            UserRefused::invalid(format!("the assertion cannot be read: {}", error.reason))
        })?;
        if assertion.issuer != self.trusted[verified.key].issuer {
            return Err(UserRefused::failed(
                "another issuer has signed the assertion",
            ));
        }
        let until = conditions::check_content(&assertion, &self.settings)?;
        let user = Arc::new(claims::user(&assertion)?);
        // The user has what is needed of them, and the rest may be long.
        assertion.attributes = Vec::new();
        Ok(Known {
            assertion,
            user,
            key: verified.key,
            until,
        })
    }

    /// The certificates that are trusted, each with the name of its issuer.
    pub fn certificates(&self) -> Vec<(String, CertificateFacts)> {
        let facts = |trusted: &Trusted| {
            let facts = CertificateFacts::of(&trusted.certificate).ok()?;
            Some((trusted.issuer.clone(), facts))
        };
        self.trusted.iter().filter_map(facts).collect()
    }

    fn check_certificate(&self, at: usize, now: SystemTime) -> Result<(), UserRefused> {
        let certificate = &self.trusted[at].certificate;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let now = Asn1Time::from_unix(now);
        let now = now.map_err(|error| UserRefused::failed(error.to_string()))?;
        match certificate.not_before() <= now && certificate.not_after() >= now {
            true => Ok(()),
            false => Err(UserRefused::failed(
                "the certificate of the assertion's issuer is not valid now",
            )),
        }
    }

    fn needs_no_user(&self, caller: &Caller) -> bool {
        let nodes = &self.settings.nodes_without_users;
        let node = caller.node.as_ref();
        node.is_some_and(|node| nodes.contains(&node.fingerprint))
    }
}

impl std::fmt::Debug for Assertions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Assertions")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The user of whom an assertion speaks that nobody has verified: for records of one's own calls.
///
/// # Errors
/// If it cannot be read.
pub fn said_by(assertion: &str) -> Result<User, UserRefused> {
    let assertion = Assertion::read(assertion.as_bytes()).map_err(|error| {
        UserRefused::invalid(format!("the assertion cannot be read: {}", error.reason))
    })?;
    claims::user(&assertion)
}

fn read_issuer(issuer: &Issuer) -> Result<Vec<Trusted>, IssuerError> {
    let wrong = |problem: &'static str| IssuerError::Issuer {
        name: issuer.name.clone(),
        problem,
    };
    let mut trusted = Vec::new();
    for file in &issuer.certificates {
        for certificate in read_certificates(file)? {
            let key = certificate.public_key();
            let key = key.map_err(|_| wrong("the key of its certificate cannot be read"))?;
            if algorithms::family(&key).is_none() {
                return Err(wrong(
                    "its key is neither RSA of at least 2048 bits nor ECDSA of at least 256",
                ));
            }
            trusted.push(Trusted {
                issuer: issuer.name.clone(),
                certificate,
                key,
            });
        }
    }
    match trusted.is_empty() {
        true => Err(wrong("it has no certificate, so nothing can be its")),
        false => Ok(trusted),
    }
}
