//! How a command ends: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 could not
//! connect.

use std::process::ExitCode;

use hilum_transport::ClientError;

use crate::config::ConfigError;

/// The exit status; what went wrong is told in one line.
pub(crate) fn of(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    if !closed(&error) {
        eprintln!("hilum: {}", told(&error));
    }
    let unreachable = |cause: &(dyn std::error::Error + 'static)| {
        matches!(
            cause.downcast_ref::<ClientError>(),
            Some(ClientError::Unreachable { .. })
        )
    };
    if error.chain().any(|cause| cause.is::<ConfigError>()) {
        ExitCode::from(2)
    } else if error.chain().any(unreachable) {
        ExitCode::from(3)
    } else {
        ExitCode::FAILURE
    }
}

/// The error and its causes, in one line. Many errors quote their cause, which is said only once.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// Whether the reader of our output went away, as `head` does: nobody is left to be told.
fn closed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
