//! How a command ends: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 could not
//! connect.

use std::process::ExitCode;

use hilum_audit::SpoolError;
use hilum_audit::record_repository::{LogError, OpenError};
use hilum_registry::DatabaseUnreachable;
use hilum_repository::at_rest::Locked;
use hilum_repository::imaging::dimse::RequestorError;
use hilum_security::at_rest::fields::database::FieldsError;
use hilum_security::iti19_authenticate_node::TlsError;
use hilum_security::iti40_provide_x_user_assertion::IssuerError;
use hilum_transport::ClientError;
use thiserror::Error;

use crate::audit::NotSent;
use crate::config::ConfigError;
use crate::import::Unanswered;
use crate::terminal::{Unsaid, printable, tell};

/// The command was used wrongly in a way that shows only when it runs.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Usage {
    /// One clear sentence.
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

/// The exit status; what went wrong is told in one line.
pub(crate) fn of(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    if !closed(&error) {
        tell(&told(&error));
    }
    let kind = error.chain().find_map(kind);
    kind.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The exit status that an error asks for.
fn kind(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    // Certificates, keys and issuers are named by the configuration.
    if cause.is::<ConfigError>()
        || cause.is::<Usage>()
        || cause.is::<TlsError>()
        || cause.is::<IssuerError>()
        || cause.is::<Locked>()
        || cause
            .downcast_ref::<FieldsError>()
            .is_some_and(FieldsError::is_of_keys)
    {
        return Some(2);
    }
    if let Some(OpenError::Key(_) | OpenError::Log(LogError::Locked { .. })) =
        cause.downcast_ref::<OpenError>()
    {
        return Some(2);
    }
    if let Some(SpoolError::Locked { .. }) = cause.downcast_ref::<SpoolError>() {
        return Some(2);
    }
    if cause.is::<Unanswered>() || cause.is::<NotSent>() || cause.is::<DatabaseUnreachable>() {
        return Some(3);
    }
    if let Some(error) = cause.downcast_ref::<RequestorError>() {
        return match error {
            RequestorError::Unreachable { .. } | RequestorError::Broken { .. } => Some(3),
            RequestorError::Unsuitable(_) => Some(2),
            RequestorError::Rejected { .. }
            | RequestorError::NotAgreed { .. }
            | RequestorError::Refused { .. } => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<std::io::Error>() {
        // What it holds is not among the causes that it names.
        return error.get_ref().and_then(|inner| kind(inner));
    }
    match cause.downcast_ref::<ClientError>()? {
        ClientError::Unreachable { .. } => Some(3),
        ClientError::Url { .. } => Some(2),
        ClientError::Fault { .. } | ClientError::Garbled { .. } => None,
    }
}

/// The error and its causes, in one line unless a peer gave several reasons. Many errors quote their cause, which is said only once.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    if error.chain().any(not_there) {
        told.push_str("; does it run there (hilum serve), and is its URL in hilum.toml right?");
    }
    let lines: Vec<String> = told.split('\n').map(printable).collect();
    lines.join("\n")
}

/// Whether a peer got nothing of what was asked.
fn not_there(cause: &(dyn std::error::Error + 'static)) -> bool {
    let error = cause.downcast_ref::<ClientError>();
    matches!(error, Some(ClientError::Unreachable { sent: false, .. })) || cause.is::<Unanswered>()
}

/// Whether the reader of our output went away, as `head` does: nobody is left to be told.
fn closed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let error = cause.downcast_ref::<std::io::Error>();
        error.is_some_and(|error| {
            let of_output = error.get_ref().is_some_and(|inner| inner.is::<Unsaid>());
            of_output && error.kind() == std::io::ErrorKind::BrokenPipe
        })
    })
}
