//! What is handed to a community names its patient as that community does: an Initiating Gateway sends an
//! identifier that the target knows (supplement XCDR). What the source itself called the patient
//! (`sourcePatientId`, `sourcePatientInfo`) stays, and so do the documents.

use std::sync::Arc;

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::{RegistryError, RegistryResponse, SubmitObjectsRequest};
use xds_schemas::iti38_cross_gateway_query::patients_of;
use xds_schemas::metadata::PatientId;

use crate::Room;
use crate::communities::Known;
use crate::discovery::{self, Somebody};
use crate::patients::{MOST_PATIENTS, Naming};

/// Gives our patients in a submission the identifiers that the community has for them. An identifier of
/// another authority goes as it is: the source knows already what the patient is called there. Says who
/// of ours was named.
///
/// # Errors
/// If somebody is not known there, or if nobody knows whether they are: then nothing may be sent.
pub(super) async fn translate(
    room: &Arc<Room>,
    known: &Arc<Known>,
    submit: &mut SubmitObjectsRequest,
) -> Result<Vec<PatientId>, RegistryError> {
    if known.community.patients.naming == Naming::Same {
        return Ok(Vec::new());
    }
    let own = own_patients(room, submit)?;
    let mut pairs = Vec::with_capacity(own.len());
    for (own, found) in discovery::all(room, known, &own).await {
        match found {
            Ok(Somebody::Called(there)) => pairs.push((own, there)),
            Ok(Somebody::Unknown) => return Err(unknown_there(known)),
            Err(problem) => return Err(not_found_out(known, &problem)),
        }
    }
    for name in submit.objects.objects.iter_mut().flat_map(patients_of) {
        let here = PatientId::parse(name).ok();
        let pair = pairs.iter().find(|(own, _)| here.as_ref() == Some(own));
        if let Some((_, there)) = pair {
            *name = there.to_string();
        }
    }
    Ok(own)
}

/// If the community says that it does not know a patient, what it called them is out of date, so that it
/// is found out anew when the documents are handed in again.
pub(super) async fn learn_from(
    room: &Room,
    known: &Known,
    own: &[PatientId],
    response: &RegistryResponse,
) {
    let mut errors = response.errors.iter();
    let is_out_of_date = errors.any(|error| error.code == ErrorCode::UnknownPatientId);
    if is_out_of_date && known.community.patients.naming == Naming::Discover {
        discovery::forget(room, known, own.iter()).await;
    }
}

/// Who of this community is named in a submission, each once.
fn own_patients(
    room: &Room,
    submit: &mut SubmitObjectsRequest,
) -> Result<Vec<PatientId>, RegistryError> {
    let mut own: Vec<PatientId> = Vec::new();
    for name in submit.objects.objects.iter_mut().flat_map(patients_of) {
        let patient = PatientId::parse(name).map_err(|problem| {
            let context = format!("a patientId {problem}; nothing was sent");
            RegistryError::error(ErrorCode::RepositoryMetadataError, context)
        })?;
        if room.patients.is_own(&patient) && !own.contains(&patient) {
            own.push(patient);
        }
        if own.len() > MOST_PATIENTS {
            let context = format!("this is about more than {MOST_PATIENTS} patients");
            let code = ErrorCode::RepositoryMetadataError;
            return Err(RegistryError::error(code, context));
        }
    }
    Ok(own)
}

fn unknown_there(known: &Known) -> RegistryError {
    let community = &known.community;
    let (name, home) = (&community.name, &community.home);
    let context = match community.patients.naming {
        Naming::Known => format!(
            "what {name} ({home}) calls the patient is not known here, and it is not asked; nothing was sent"
        ),
        _ => format!("{name} ({home}) does not know the patient; nothing was sent"),
    };
    let error = RegistryError::error(ErrorCode::UnknownPatientId, context);
    error.at(home.as_str())
}

fn not_found_out(known: &Known, problem: &str) -> RegistryError {
    let (name, home) = (&known.community.name, &known.community.home);
    let context = format!(
        "it is not found out what {name} ({home}) calls the patient: {problem}; nothing was sent"
    );
    let error = RegistryError::error(ErrorCode::UnavailableCommunity, context);
    error.at(home.as_str())
}
