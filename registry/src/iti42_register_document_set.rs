//! ITI-42 Register Document Set-b: make documents known.
//!
//! Asked by Document Repositories; answered by the Document Registry. A submission is registered
//! whole or not at all.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-42.html>

use std::time::SystemTime;

use hilum_audit::{Audit, Event, NotRecorded, Outcome, Parties, Recorded, Transaction};
use hilum_security::access::Level;
use hilum_security::{Caller, Permission};
use xds_schemas::codes::ebrim_uuids::submission_set;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{ResponseStatus, Severity};
use xds_schemas::ebrim::RegistryObjectList;
use xds_schemas::ebrs::{RegistryError, RegistryResponse, SubmitObjectsRequest};
use xds_schemas::metadata::Submission;
use xds_schemas::metadata::submission::Rules;
use xds_schemas::soap::Fault;

use crate::admission;
use crate::config::ExtraMetadata;
use crate::failure::Failure;
use crate::sight::Sight;
use crate::submission::{self, Prepared};
use crate::{Registry, seconds};

/// Registers a submission (ITI TF-2 3.42.4.1.3) and records that it was tried.
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    request: SubmitObjectsRequest,
    now: SystemTime,
) -> Result<Recorded<RegistryResponse>, Fault> {
    let objects = &request.objects;
    let alerts = admission::of_submission(registry, caller, objects, Rules::Register, now).await?;
    let sight = sight(registry, caller, Permission::Register, now);
    let response = register(registry, objects, Rules::Register, sight, now).await;
    let event = event(Transaction::Register, parties, objects, &response);
    let event = alerts.into_iter().fold(event, Event::and);
    Ok(registry.audit.record(event, response).await?)
}

/// What somebody sees who changes what is registered: for that, its metadata must be seen.
pub(crate) fn sight(
    registry: &Registry,
    caller: &Caller,
    permission: Permission,
    now: SystemTime,
) -> Option<Sight> {
    Sight::of(registry, caller, permission, Level::Metadata, now)
}

/// Registers a submission by these rules, and says how that is answered.
pub(crate) async fn register(
    registry: &Registry,
    objects: &RegistryObjectList,
    rules: Rules,
    sight: Option<Sight>,
    now: SystemTime,
) -> RegistryResponse {
    match try_to_register(registry, objects, rules, sight, now).await {
        Ok(warnings) => RegistryResponse::success(warnings),
        Err(failure) => RegistryResponse::failure(failure.into_errors()),
    }
}

/// Gives what is to be remarked on a submission that is registered.
async fn try_to_register(
    registry: &Registry,
    objects: &RegistryObjectList,
    rules: Rules,
    sight: Option<Sight>,
    now: SystemTime,
) -> Result<Vec<RegistryError>, Failure> {
    let codes = registry.config.affinity_codes.as_ref();
    let submission = Submission::read_in_domain(objects, rules, codes);
    let mut submission = submission.map_err(Failure::Refused)?;
    unexplained(registry, &submission)?;
    let mut warnings = without_extra_metadata(registry, &mut submission);
    let offences = codes.map_or_else(Vec::new, |codes| submission.judge_codes(codes));
    let home = &registry.config.home_community_id;
    let prepared = Prepared::new(submission, offences, home, seconds(now));
    warnings.extend_from_slice(prepared.remarks());
    let unknown_patients = registry.config.unknown_patients;
    let work = move |conn: &mut _| {
        let sight = sight.clone();
        submission::register(conn, &prepared, unknown_patients, sight.as_ref())
    };
    let notifications = registry.db.write(work).await?;
    registry.deliveries.hurry(notifications);
    Ok(warnings)
}

/// Refuses documents in which somebody acknowledges privacy policies that mean nothing here (BPPC): their
/// patients would believe that they are heeded.
fn unexplained(registry: &Registry, submission: &Submission) -> Result<(), Failure> {
    let Some(policy) = registry.config.access.policy() else {
        return Ok(());
    };
    let entries = submission.document_entries.iter();
    let errors = entries
        .filter(|it| policy.leaves_unexplained(it))
        .map(|it| {
            let context = "eventCodeList: the rules explain none of the privacy policies that are \
                       acknowledged ([policies])";
            let error = RegistryError::error(ErrorCode::RegistryMetadataError, context);
            error.at(it.entry_uuid.as_str())
        });
    let errors: Vec<RegistryError> = errors.collect();
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Failure::Refused(errors)),
    }
}

/// Drops extra metadata, if it is not kept here. ITI TF-2 3.42.4.1.3: a registry that does not keep
/// it says so, and accepts the rest.
pub(crate) fn without_extra_metadata(
    registry: &Registry,
    submission: &mut Submission,
) -> Vec<RegistryError> {
    let names = match registry.config.extra_metadata {
        ExtraMetadata::Keep => return Vec::new(),
        ExtraMetadata::Drop => submission.drop_extra_metadata(),
    };
    if names.is_empty() {
        return Vec::new();
    }
    let names: Vec<String> = names.into_iter().collect();
    let context = format!("not kept here: {}", names.join(", "));
    vec![RegistryError::warning(
        ErrorCode::ExtraMetadataNotSaved,
        context,
    )]
}

/// What the record says comes from the message as it stands, since it may be what is wrong.
pub(crate) async fn record(
    audit: &Audit,
    by: Transaction,
    parties: &Parties,
    objects: &RegistryObjectList,
    response: RegistryResponse,
) -> Result<Recorded<RegistryResponse>, NotRecorded> {
    let event = event(by, parties, objects, &response);
    audit.record(event, response).await
}

/// The same without the answer.
pub(crate) fn event(
    by: Transaction,
    parties: &Parties,
    objects: &RegistryObjectList,
    response: &RegistryResponse,
) -> Event {
    let set = objects.objects.iter().find_map(|object| {
        let unique_id = object.external_identifier(submission_set::UNIQUE_ID)?;
        Some((
            unique_id,
            object.external_identifier(submission_set::PATIENT_ID),
        ))
    });
    let (unique_id, patient) = set.unwrap_or(("none", None));
    let set = hilum_audit::SubmissionSet { unique_id, patient };
    let outcome = outcome(response.status, &response.errors);
    Event::submitted(by, parties, set, &outcome)
}

/// How the record says it ended.
pub(crate) fn outcome(status: ResponseStatus, errors: &[RegistryError]) -> Outcome {
    let any_error = errors.iter().any(|error| error.severity == Severity::Error);
    let mut codes: Vec<&str> = errors.iter().map(|error| error.code.as_str()).collect();
    codes.dedup();
    Outcome::of(status, any_error, codes.join(" "))
}
