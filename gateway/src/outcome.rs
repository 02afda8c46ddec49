//! What a list of errors means for the whole.

use hilum_audit::Outcome;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{ResponseStatus, Severity};
use xds_schemas::ebrs::RegistryError;

/// The status of something of which there is `something` (or nothing), with these errors.
pub(crate) fn status(something: bool, errors: &[RegistryError]) -> ResponseStatus {
    match (something, any_error(errors)) {
        (_, false) => ResponseStatus::Success,
        (true, true) => ResponseStatus::PartialSuccess,
        (false, true) => ResponseStatus::Failure,
    }
}

/// For the record.
pub(crate) fn outcome(status: ResponseStatus, errors: &[RegistryError]) -> Outcome {
    let codes: Vec<&str> = errors.iter().map(|error| error.code.as_str()).collect();
    Outcome::of(status, any_error(errors), codes.join(" "))
}

/// Has each error of a Responding Gateway say whose it is, beside what it said before.
pub(crate) fn located(errors: &mut [RegistryError], home: &str) {
    for error in errors {
        error.location = Some(match error.location.take() {
            Some(location) if location.contains(home) => location,
            Some(location) => format!("{location} {home}"),
            None => home.to_owned(),
        });
    }
}

/// Has the error of somebody who does not take itself for the community that it was asked as name that one: its
/// address may be another's.
pub(crate) fn misdirected(mut error: RegistryError, name: &str, home: &str) -> RegistryError {
    if error.code == ErrorCode::UnknownCommunity {
        error.context = format!(
            "{name} says: {} (does its address lead to another community?)",
            error.context
        );
        error.location = Some(home.to_owned());
    }
    error
}

/// The error that stands for a failure for which no reason was given. `name` is who answered.
pub(crate) fn unexplained(
    status: ResponseStatus,
    errors: &[RegistryError],
    code: ErrorCode,
    name: &str,
) -> Option<RegistryError> {
    let (is_silent, what) = match status {
        ResponseStatus::Success => (false, ""),
        ResponseStatus::PartialSuccess => (errors.is_empty(), "that a part of it failed"),
        ResponseStatus::Failure => (!any_error(errors), "that it failed"),
    };
    is_silent
        .then(|| RegistryError::error(code, format!("{name} answered {what}, and gave no reason")))
}

/// Whether there is one that is no warning.
pub(crate) fn any_error(errors: &[RegistryError]) -> bool {
    errors.iter().any(|error| error.severity == Severity::Error)
}
