//! ITI-42 Register Document Set-b: the registry is told of documents that are kept here.
//!
//! Asked by this repository when documents were provided; answered by the Document Registry.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-42.html>

use hilum_audit::{Event, Outcome, Parties, SubmissionSet};
use hilum_security::Caller;
use hilum_transport::ClientError;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{ResponseStatus, Severity};
use xds_schemas::ebrs::{RegistryError, RegistryResponse, SubmitObjectsRequest};
use xds_schemas::iti42_register_document_set::RegisterDocumentSet;
use xds_schemas::soap::FaultCode;

use crate::Room;

/// What became of a submission.
#[derive(Debug)]
pub(crate) enum Registration {
    /// It is registered; the registry may have remarked something.
    Registered(Vec<RegistryError>),
    /// It is not registered, for these reasons.
    Refused(Vec<RegistryError>),
    /// It may be registered or not.
    Unknown(RegistryError),
}

/// Asks the registry to register a submission. The event is to be recorded with the answer to
/// whoever provided it.
pub(crate) async fn send(
    room: &Room,
    provided_by: &Caller,
    set: SubmissionSet<'_>,
    request: &SubmitObjectsRequest,
) -> (Registration, Event) {
    let url = &room.config.registry;
    let answer = room
        .client
        .send::<RegisterDocumentSet>(url, request, Vec::new())
        .await;
    let (registration, outcome) = match answer {
        Ok(answer) => judged(answer.response),
        Err(error) => unanswered(&error),
    };
    let parties = Parties::asked(url).on_behalf_of(provided_by.user.clone());
    (registration, Event::registered(&parties, set, &outcome))
}

fn judged(response: RegistryResponse) -> (Registration, Outcome) {
    let outcome = outcome(response.status, &response.errors);
    let registration = match response.status {
        ResponseStatus::Success => Registration::Registered(response.errors),
        ResponseStatus::Failure if response.errors.is_empty() => {
            let context = "the registry refused the submission and gave no reason";
            Registration::Refused(vec![RegistryError::error(
                ErrorCode::RegistryError,
                context,
            )])
        }
        ResponseStatus::Failure => Registration::Refused(response.errors),
        // ITI TF-3 4.2.4.2: a submission is registered whole or not at all.
        ResponseStatus::PartialSuccess => Registration::Unknown(RegistryError::error(
            ErrorCode::RegistryError,
            "the registry answered with PartialSuccess, which means nothing here",
        )),
    };
    (registration, outcome)
}

fn unanswered(error: &ClientError) -> (Registration, Outcome) {
    tracing::warn!(%error, "the registry did not answer ITI-42");
    let not_available = |context: &str| {
        let code = ErrorCode::RegistryNotAvailable;
        RegistryError::error(code, context)
    };
    let registration = match error {
        ClientError::Unreachable { sent: false, .. } | ClientError::Url { .. } => {
            let told = not_available("the repository cannot reach the registry");
            Registration::Refused(vec![told])
        }
        // What is wrong with a message is found before anything is done.
        ClientError::Fault { fault, .. } if fault.code != FaultCode::Receiver => {
            let context = "the registry does not take messages of the repository";
            Registration::Refused(vec![not_available(context)])
        }
        ClientError::Unreachable { .. }
        | ClientError::Fault { .. }
        | ClientError::Garbled { .. } => Registration::Unknown(not_available(
            "the registry did not answer, and may or may not have registered the submission",
        )),
    };
    (registration, Outcome::Failure(error.to_string()))
}

/// How something ended, for the audit.
pub(crate) fn outcome(status: ResponseStatus, errors: &[RegistryError]) -> Outcome {
    let any_error = errors.iter().any(|error| error.severity == Severity::Error);
    let codes: Vec<&str> = errors.iter().map(|error| error.code.as_str()).collect();
    Outcome::of(status, any_error, codes.join(" "))
}
