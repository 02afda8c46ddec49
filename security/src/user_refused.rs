//! Why somebody was not believed to be who they say.

use std::fmt;

use xds_schemas::soap::Fault;
use xds_schemas::wsse::SecurityFault;

/// A user was not believed. Callers are told only what the framework has a word for; the operator
/// is told why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRefused {
    /// What the caller is told.
    pub fault: SecurityFault,
    /// What the operator is told: without patient data, and without what was shown.
    pub why: String,
}

impl UserRefused {
    pub(crate) fn new(fault: SecurityFault, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { fault, why }
    }

    /// The token is not as it should be.
    pub(crate) fn invalid(why: impl Into<String>) -> Self {
        Self::new(SecurityFault::InvalidSecurityToken, why)
    }

    /// It uses what is not accepted.
    pub(crate) fn algorithm(why: impl Into<String>) -> Self {
        Self::new(SecurityFault::UnsupportedAlgorithm, why)
    }

    /// The token is sound, but proves nothing here.
    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self::new(SecurityFault::FailedAuthentication, why)
    }

    /// The SOAP fault.
    pub fn fault(&self) -> Fault {
        self.fault.into()
    }
}

impl fmt::Display for UserRefused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.why)
    }
}

impl std::error::Error for UserRefused {}

/// The longest text that is taken from a token.
const MAX_CHARACTERS: usize = 1024;

/// A text that others vouch for, if it can be shown: it gets into logs and records.
pub(crate) fn shown(what: &str, text: &str) -> Result<String, UserRefused> {
    if text.chars().any(char::is_control) {
        return Err(UserRefused::invalid(format!(
            "{what} has control characters"
        )));
    }
    match text.chars().count() <= MAX_CHARACTERS {
        true => Ok(text.to_owned()),
        false => Err(UserRefused::invalid(format!("{what} is too long"))),
    }
}

/// The same of something that may be missing.
pub(crate) fn shown_if_any(what: &str, text: Option<&str>) -> Result<Option<String>, UserRefused> {
    let text = text.filter(|text| !text.trim().is_empty());
    text.map(|text| shown(what, text)).transpose()
}
