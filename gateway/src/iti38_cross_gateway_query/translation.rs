//! Patients have other names in other communities: questions go out with theirs, and what is answered
//! gets ours, so that a consumer sees the patient who was asked for (ITI TF-2 3.38.4.1.2).

use std::collections::HashMap;
use std::sync::Arc;

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, RegistryError};
use xds_schemas::iti38_cross_gateway_query::{patients_of, with_patients};
use xds_schemas::metadata::PatientId;

use crate::Room;
use crate::communities::Known;
use crate::correlations::now;
use crate::discovery::{self, Somebody};
use crate::patients::{MOST_PATIENTS, Naming};

/// What a question becomes.
#[derive(Debug)]
pub(super) enum Translated {
    /// A question with other names.
    Question(AdhocQueryRequest, Names),
    /// Nothing: the community does not know any of the patients.
    Nobody,
    /// Nothing: nobody knows whether it knows them, and why.
    Failed(String),
}

/// Who is who in an answer.
#[derive(Debug)]
pub(super) struct Names {
    /// Names there, and here; none of a community that has ours.
    pairs: Option<Vec<(PatientId, PatientId)>>,
    /// Whether the question was about patients.
    named: bool,
}

/// The question as a community has to be asked.
pub(super) async fn translate(
    room: &Arc<Room>,
    known: &Arc<Known>,
    request: AdhocQueryRequest,
    patients: &[PatientId],
) -> Translated {
    let named = !patients.is_empty();
    if known.community.patients.naming == Naming::Same {
        return Translated::Question(request, Names { pairs: None, named });
    }
    if patients.len() > MOST_PATIENTS {
        let problem = format!("more than {MOST_PATIENTS} patients cannot be looked up");
        return Translated::Failed(problem);
    }
    let mut pairs = Vec::new();
    for (own, found) in discovery::all(room, known, patients).await {
        match found {
            Ok(Somebody::Called(there)) => pairs.push((there, own)),
            Ok(Somebody::Unknown) => {}
            Err(problem) => return Translated::Failed(problem),
        }
    }
    let there = |patient: &PatientId| {
        let found = pairs.iter().find(|(_, own)| own == patient);
        found.map(|(there, _)| there.clone())
    };
    match with_patients(&request, there) {
        Some(request) => Translated::Question(
            request,
            Names {
                pairs: Some(pairs),
                named,
            },
        ),
        None => Translated::Nobody,
    }
}

impl Names {
    /// Whether the community has names of its own, by which it was asked.
    pub(super) fn are_translated(&self) -> bool {
        self.named && self.pairs.is_some()
    }

    /// The patients who were asked for.
    pub(super) fn own(&self) -> impl Iterator<Item = &PatientId> {
        self.pairs.iter().flatten().map(|(_, own)| own)
    }

    /// Gives patients of the answer their names here. Objects of others than were asked for are left out.
    pub(super) async fn restore(
        &self,
        room: &Room,
        known: &Known,
        response: &mut AdhocQueryResponse,
    ) {
        let Some(pairs) = &self.pairs else { return };
        let mut names: HashMap<String, Option<PatientId>> = HashMap::new();
        for object in &mut response.objects {
            for name in patients_of(object) {
                if names.contains_key(name) {
                    continue;
                }
                let there = PatientId::parse(name).ok();
                let pair = pairs
                    .iter()
                    .find(|(known, _)| there.as_ref() == Some(known));
                let own = match (pair, &there) {
                    (Some((_, own)), _) => Some(own.clone()),
                    (None, Some(there)) if !self.named => here(room, known, there).await,
                    _ => None,
                };
                names.insert(name.clone(), own);
            }
        }
        let before = response.objects.len();
        if self.named {
            response.objects.retain_mut(|object| {
                patients_of(object).all(|name| names.get(name).is_some_and(Option::is_some))
            });
        }
        for name in response.objects.iter_mut().flat_map(patients_of) {
            if let Some(Some(own)) = names.get(name) {
                *name = own.to_string();
            }
        }
        let left_out = before - response.objects.len();
        if left_out > 0 {
            let community = &known.community;
            let context = format!(
                "{} ({}) answered with {left_out} objects of patients who were not asked for",
                community.name, community.home
            );
            let error = RegistryError::error(ErrorCode::RegistryError, context);
            response.errors.push(error.at(community.home.as_str()));
        }
    }
}

/// Who somebody there is here, if that is known.
async fn here(room: &Room, known: &Known, there: &PatientId) -> Option<PatientId> {
    let correlations = &room.patients.correlations;
    let found = correlations.here(&known.community.home, there, now());
    match found.await {
        Ok(own) => own,
        Err(error) => {
            tracing::error!("correlations cannot be read: {error:#}");
            None
        }
    }
}
