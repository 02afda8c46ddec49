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
    by: By,
}

/// Who answered, which is who has to mend what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The registry, repository or imaging source itself.
    Room,
    /// A gateway, which asked others.
    Gateway,
}

impl By {
    /// What is said of what is not found.
    pub(crate) const fn has_no(self) -> &'static str {
        match self {
            Self::Room => "the registry has no",
            Self::Gateway => "no community that answered has a",
        }
    }

    /// What is said of a query that is not answered.
    pub(crate) const fn refused_the_query(self) -> &'static str {
        match self {
            Self::Room => "the registry refused the query",
            Self::Gateway => "the gateway could not answer the query",
        }
    }
}

impl Refused {
    /// A room of the own community refused.
    pub(crate) fn new(what: impl Into<String>, errors: Vec<RegistryError>) -> Self {
        let (what, by) = (what.into(), By::Room);
        Self { what, errors, by }
    }

    /// The same, answered by this one.
    pub(crate) fn by(self, by: By) -> Self {
        Self { by, ..self }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.what)?;
        for error in &self.errors {
            write!(out, "\n  {}", line(error))?;
        }
        let advice = self.errors.iter().find_map(|error| match self.by {
            By::Room => advice(&error.code),
            By::Gateway => advice_across(error),
        });
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

/// The same if a gateway answered. Errors of other communities name them (`location`), and their operators mend them.
fn advice_across(error: &RegistryError) -> Option<&'static str> {
    match error.code {
        ErrorCode::UnknownPatientId => Some(
            "Nobody who was asked knows the patient by this identifier: docs/patients-across.md says how communities \
             find out what others call a patient.",
        ),
        ErrorCode::UnknownRepositoryId => Some(
            "The community that was meant has no repository with this repositoryUniqueId: name another with --home, or \
             the repository in [gateway] of the gateway's hilum.toml if it is its own.",
        ),
        ErrorCode::RegistryNotAvailable if error.location.is_none() => Some(
            "The gateway got no answer of its own registry: look at registry in [gateway] of its hilum.toml.",
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
    Err(Refused::new(what, errors.to_vec()))
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
        let refused = Refused::new(
            "the repository refused the submission",
            vec![unknown, other],
        );
        let said = refused.to_string();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "the repository refused the submission");
        assert_eq!(lines[1], "  XDSUnknownPatientId: P1^^^&1.2&ISO");
        assert_eq!(lines[2], "  XDSRegistryError: a\u{fffd}b\u{fffd}[2J [here]");
        assert!(lines[3].contains("unknown_patients"), "{said}");
        assert_eq!(lines.len(), 4);
    }

    /// What a gateway says is not to be mended in the own repository.
    #[test]
    fn gateways_give_others_to_look_at() {
        let all = [
            ErrorCode::UnknownPatientId,
            ErrorCode::UnknownRepositoryId,
            ErrorCode::RegistryNotAvailable,
        ];
        for code in all {
            let error = RegistryError::error(code, "why");
            let refused = Refused::new("refused", vec![error.clone()]);
            let by_room = refused.to_string();
            let across = refused.by(By::Gateway).to_string();
            assert_eq!((by_room.lines().count(), across.lines().count()), (3, 3));
            assert!(
                by_room != across && !across.contains("[repository]"),
                "{across}"
            );
            assert!(!across.contains("feed add"), "{across}");
        }
        let theirs = RegistryError::error(ErrorCode::RegistryNotAvailable, "why").at("urn:oid:1.2");
        let across = Refused::new("refused", vec![theirs]).by(By::Gateway);
        assert_eq!(across.to_string().lines().count(), 2, "{across}");
    }

    #[test]
    fn warnings_do_not_fail() {
        let warning = RegistryError::warning(ErrorCode::ExtraMetadataNotSaved, "urn:x");
        let said = judge(ResponseStatus::Success, &[warning], "refused");
        assert!(said.is_ok());
        assert!(judge(ResponseStatus::PartialSuccess, &[], "refused").is_err());
    }
}
