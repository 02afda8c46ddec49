//! Handing a manifest in so that an interruption anywhere leaves something to go on from.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::PatientId;

use super::{Fate, Importing};
use crate::imaging::index::{Index, Indexed};
use crate::imaging::iti18_registry_stored_query::{self as iti18, Known};
use crate::imaging::manifest::Manifest;
use crate::imaging::rad68_provide_and_register_imaging_document_set::{self as rad68, Handover};
use hilum_dicom::Uid;
use hilum_dicom::scan::Study;

/// Finds out what became of a manifest that was planned in an earlier import, and gives what is in
/// the index then: a study that was never registered is not. The inner error says that nobody
/// answered.
pub(super) async fn settled(
    importing: &Importing<'_>,
    index: &Index,
    mut known: Indexed,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Result<Option<Indexed>, String>> {
    let Some(plan) = known.planned.take() else {
        return Ok(Ok(Some(known)));
    };
    let arrived = match importing.registry {
        Some(registry) => match iti18::send(importing, registry, &plan).await? {
            Ok(answer) => answer != Known::No,
            Err(no_answer) => return Ok(Err(no_answer)),
        },
        None => {
            let patient = PatientId::parse(&known.patient_id).map_err(anyhow::Error::msg)?;
            match rad68::send(importing, &patient, &known.study, &plan).await? {
                Handover::Registered(_) => true,
                Handover::Refused(errors) => errors.iter().any(says_it_was_there),
                Handover::NotSent(no_answer) | Handover::Unknown(no_answer) => {
                    return Ok(Err(no_answer));
                }
            }
        }
    };
    if arrived {
        remarks.push("an earlier import was cut short; its manifest is registered".to_owned());
        known.registered = Some(plan);
    }
    if known.registered.is_none() {
        index.remove(&known.study.uid)?;
        return Ok(Ok(None));
    }
    index.write(&known)?;
    Ok(Ok(Some(known)))
}

/// Hands a manifest in, with the plan in the index before and the answer after.
pub(super) async fn hand_in(
    importing: &Importing<'_>,
    index: &Index,
    known: Option<Indexed>,
    patient: &PatientId,
    study: Study,
    mut plan: Manifest,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Fate> {
    let registered = known.as_ref().and_then(|it| it.registered.clone());
    let mut indexed = Indexed::new(patient.to_string(), study, registered, Some(plan.clone()));
    index.write(&indexed)?;
    let mut sent = rad68::send(importing, patient, &indexed.study, &plan).await?;
    if let Some(current) = corrected(importing, indexed.registered.as_ref(), &sent).await? {
        plan.replaces = Some(current);
        indexed.planned = Some(plan.clone());
        index.write(&indexed)?;
        sent = rad68::send(importing, patient, &indexed.study, &plan).await?;
    }
    let sent = match sent {
        Handover::Refused(errors) => recognised(importing, &plan, errors).await?,
        sent => sent,
    };
    let warnings = match sent {
        Handover::Registered(warnings) => warnings,
        Handover::Unknown(no_answer) => return Ok(Fate::Unanswered(no_answer)),
        Handover::Refused(errors) => {
            restore(index, known, &indexed.study.uid)?;
            return Ok(Fate::Refused(errors));
        }
        Handover::NotSent(no_answer) => {
            restore(index, known, &indexed.study.uid)?;
            return Ok(Fate::Unanswered(no_answer));
        }
    };
    remarks.extend(
        warnings
            .iter()
            .map(|it| format!("{}: {}", it.code, it.context)),
    );
    indexed.planned = None;
    indexed.registered = Some(plan.clone());
    index.write(&indexed)?;
    let manifest = plan.sop_instance_uid;
    Ok(match plan.replaces {
        Some(replaced) => Fate::Replaced { manifest, replaced },
        None => Fate::Registered { manifest },
    })
}

/// A refusal may only mean that somebody has corrected the metadata of the manifest that is to be
/// replaced, so that there is another version of it now: this one is to be replaced.
async fn corrected(
    importing: &Importing<'_>,
    previous: Option<&Manifest>,
    sent: &Handover,
) -> anyhow::Result<Option<String>> {
    let Handover::Refused(errors) = sent else {
        return Ok(None);
    };
    let is_deprecated =
        |error: &RegistryError| error.code == ErrorCode::RegistryDeprecatedDocumentError;
    let (Some(registry), Some(previous)) = (importing.registry, previous) else {
        return Ok(None);
    };
    if !errors.iter().any(is_deprecated) {
        return Ok(None);
    }
    let current = iti18::current(importing, registry, previous).await?;
    // Without an answer the refusal stands.
    Ok(current.unwrap_or_default())
}

/// A refusal may only mean that this very manifest is registered: if the index was lost, its names
/// come out the same. The registry knows.
async fn recognised(
    importing: &Importing<'_>,
    plan: &Manifest,
    errors: Vec<RegistryError>,
) -> anyhow::Result<Handover> {
    let Some(registry) = importing
        .registry
        .filter(|_| errors.iter().any(says_it_was_there))
    else {
        return Ok(Handover::Refused(errors));
    };
    Ok(match iti18::send(importing, registry, plan).await? {
        Ok(Known::Approved) => Handover::Registered(Vec::new()),
        _ => Handover::Refused(errors),
    })
}

/// Whether the reason of a refusal is that something of these names is there already.
fn says_it_was_there(error: &RegistryError) -> bool {
    use ErrorCode::{DuplicateUniqueIdInRegistry, NonIdenticalHash, NonIdenticalSize};
    matches!(
        error.code,
        DuplicateUniqueIdInRegistry | NonIdenticalHash | NonIdenticalSize
    )
}

/// What cannot be found must not be served either.
fn restore(index: &Index, known: Option<Indexed>, study: &Uid) -> anyhow::Result<()> {
    match known {
        Some(known) => index.write(&known),
        None => index.remove(study),
    }
}
