//! What a list of errors means for the whole.

use hilum_audit::Outcome;
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

fn any_error(errors: &[RegistryError]) -> bool {
    errors.iter().any(|error| error.severity == Severity::Error)
}
