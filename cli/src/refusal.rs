//! What peers say when they do not do what they were asked for.

use std::fmt;

use serde_json::{Value, json};
use thiserror::Error;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{ResponseStatus, Severity};
use xds_schemas::ebrs::RegistryError;

use crate::terminal::{printable, tell};

/// A peer refused all or part of what it was asked for: one line for each error.
#[derive(Debug, Error)]
pub(crate) struct Refused {
    /// What was refused, as a sentence.
    pub(crate) what: String,
    /// Why.
    pub(crate) errors: Vec<RegistryError>,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.what)?;
        for error in &self.errors {
            write!(out, "\n  {}", line(error))?;
        }
        let advice = self.errors.iter().find_map(|error| advice(&error.code));
        advice.map_or(Ok(()), |advice| write!(out, "\n  {advice}"))
    }
}

/// An error or warning in one line: code, context and location.
fn line(error: &RegistryError) -> String {
    let mut line = match error.severity {
        Severity::Error => error.code.to_string(),
        Severity::Warning => format!("{} (warning)", error.code),
    };
    if !error.context.is_empty() {
        line = format!("{line}: {}", error.context);
    }
    if let Some(location) = &error.location {
        line = format!("{line} [{location}]");
    }
    printable(&line)
}

/// What to do about an error whose cause is not in the request.
fn advice(code: &ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::UnknownPatientId => Some(
            "Announce the patient to the registry (hilum feed add, or ITI-8 or ITI-44 of your own), or let it take \
             every patient: unknown_patients = \"accept\" in [affinity_domain] of its hilum.toml.",
        ),
        ErrorCode::UnknownRepositoryId => Some(
            "The repository that was asked has another repositoryUniqueId: look at \
             [repository] in hilum.toml.",
        ),
        ErrorCode::RegistryNotAvailable => Some(
            "The repository could not reach its registry: look at registry in [repository] of its \
             hilum.toml.",
        ),
        _ => None,
    }
}

/// Fails if nothing was done, and points out what else the peer says.
pub(crate) fn judge(
    status: ResponseStatus,
    errors: &[RegistryError],
    what: &str,
) -> Result<(), Refused> {
    if status == ResponseStatus::Success {
        for error in errors {
            tell(&format!("warning: {}", line(error)));
        }
        return Ok(());
    }
    Err(Refused {
        what: what.to_owned(),
        errors: errors.to_vec(),
    })
}

/// Errors and warnings for machines.
pub(crate) fn json(errors: &[RegistryError]) -> Value {
    let one = |error: &RegistryError| {
        json!({
            "errorCode": error.code.as_str(),
            "codeContext": error.context,
            "severity": match error.severity {
                Severity::Error => "Error",
                Severity::Warning => "Warning",
            },
            "location": error.location,
        })
    };
    errors.iter().map(one).collect()
}

/// The status of a response in a word.
pub(crate) const fn word(status: ResponseStatus) -> &'static str {
    match status {
        ResponseStatus::Success => "Success",
        ResponseStatus::PartialSuccess => "PartialSuccess",
        ResponseStatus::Failure => "Failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_is_a_line_and_advice_comes_last() {
        let unknown = RegistryError::error(ErrorCode::UnknownPatientId, "P1^^^&1.2&ISO");
        let other = RegistryError::error(ErrorCode::RegistryError, "a\nb\u{1b}[2J").at("here");
        let refused = Refused {
            what: "the repository refused the submission".to_owned(),
            errors: vec![unknown, other],
        };
        let said = refused.to_string();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "the repository refused the submission");
        assert_eq!(lines[1], "  XDSUnknownPatientId: P1^^^&1.2&ISO");
        assert_eq!(lines[2], "  XDSRegistryError: a\u{fffd}b\u{fffd}[2J [here]");
        assert!(lines[3].contains("unknown_patients"), "{said}");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn warnings_do_not_fail() {
        let warning = RegistryError::warning(ErrorCode::ExtraMetadataNotSaved, "urn:x");
        let said = judge(ResponseStatus::Success, &[warning], "refused");
        assert!(said.is_ok());
        assert!(judge(ResponseStatus::PartialSuccess, &[], "refused").is_err());
    }
}
