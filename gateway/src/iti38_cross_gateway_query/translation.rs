//! Patients have other names in other communities: questions go out with theirs, and what is answered
//! gets ours, so that a consumer sees the patient who was asked for (ITI TF-2 3.38.4.1.2).

use std::collections::HashMap;
use std::sync::Arc;

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::{AdhocQueryRequest, RegistryError};
use xds_schemas::iti38_cross_gateway_query::{patients_of, with_patients};
use xds_schemas::metadata::PatientId;

use crate::Room;
use crate::communities::Known;
use crate::correlations::now;
use crate::discovery::{self, Somebody};
use crate::patients::{MOST_PATIENTS, Naming};

/// What a question becomes.
#[derive(Debug)]
pub(crate) enum Translated {
    /// A question with other names.
    Question(AdhocQueryRequest, Names),
    /// Nothing: the community does not know any of the patients.
    Nobody,
    /// Nothing: nobody knows whether it knows them, and why.
    Failed(String),
}

/// Who is who in an answer.
#[derive(Debug)]
pub(crate) struct Names {
    /// Names there, and here; none of a community that has ours.
    pairs: Option<Vec<(PatientId, PatientId)>>,
    /// Whether the question was about patients.
    named: bool,
}

/// The question as a community has to be asked.
pub(crate) async fn translate(
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
    pub(crate) fn are_translated(&self) -> bool {
        self.named && self.pairs.is_some()
    }

    /// The patients who were asked for.
    pub(crate) fn own(&self) -> impl Iterator<Item = &PatientId> {
        self.pairs.iter().flatten().map(|(_, own)| own)
    }

    /// Gives patients of the answer their names here. Objects of others than were asked for, and of nobody, are
    /// left out, which is an error. Each of `all` has one `object`.
    pub(crate) async fn restore<T>(
        &self,
        room: &Room,
        known: &Known,
        all: &mut Vec<T>,
        object: impl Fn(&mut T) -> &mut RegistryObject,
    ) -> Option<RegistryError> {
        let pairs = self.pairs.as_ref()?;
        let mut names: HashMap<String, Option<PatientId>> = HashMap::new();
        for one in all.iter_mut() {
            for name in patients_of(object(one)) {
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
        let before = all.len();
        if self.named {
            all.retain_mut(|one| {
                let object = object(one);
                let mut is_named = !has_patient(object);
                let are_known = patients_of(object).all(|name| {
                    is_named = true;
                    names.get(name).is_some_and(Option::is_some)
                });
                is_named && are_known
            });
        }
        for name in all.iter_mut().flat_map(|one| patients_of(object(one))) {
            if let Some(Some(own)) = names.get(name) {
                *name = own.to_string();
            }
        }
        let left_out = before - all.len();
        (left_out > 0).then(|| {
            let community = &known.community;
            let context = format!(
                "{} ({}) answered with {left_out} objects of nobody, or of patients who were not asked for",
                community.name, community.home
            );
            let error = RegistryError::error(ErrorCode::RegistryError, context);
            error.at(community.home.as_str())
        })
    }
}

/// Whether objects of this kind name their patient.
fn has_patient(object: &RegistryObject) -> bool {
    matches!(
        object.body,
        Body::ExtrinsicObject { .. } | Body::RegistryPackage
    )
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
