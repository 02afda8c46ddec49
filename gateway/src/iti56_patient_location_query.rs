//! ITI-56 Patient Location Query: where else a patient is known.
//!
//! A Responding Gateway that is a health data locator answers from what it knows of its patients elsewhere.
//! The Initiating Gateway takes the same question from its own community, and asks all locators; that is no
//! transaction of IHE.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-56.html>

use std::sync::Arc;

use hilum_audit::{AboutPatients, Event, Outcome, Parties, Recorded};
use hilum_security::Caller;
use tokio::task::JoinSet;
use xds_schemas::hl7v3::InstanceId;
use xds_schemas::iti56_patient_location_query::{
    PatientLocation, PatientLocationQuery, PatientLocationQueryRequest,
    PatientLocationQueryResponse,
};
use xds_schemas::metadata::PatientId;
use xds_schemas::soap::Fault;
use xds_schemas::xml::{ToXml, Writer};

use crate::Room;
use crate::communities::Known;
use crate::correlations::now;
use crate::discovery::{self, Somebody};
use crate::patients::Naming;

/// Says in which other communities one of our patients is known.
pub(crate) async fn respond(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    request: PatientLocationQueryRequest,
) -> Result<Recorded<PatientLocationQueryResponse>, Fault> {
    if !room.patients.visits.may_ask(caller) {
        tracing::warn!(%caller.address, "a caller asks about too many patients");
        return Err(Fault::receiver(
            "there were too many questions; ask again later",
        ));
    }
    let patient = request.patient.patient();
    let own = patient.filter(|patient| room.patients.is_own(patient));
    let known = match &own {
        Some(own) => room.patients.correlations.of_patient(own, now()).await,
        None => Ok(Vec::new()),
    };
    let known = known.map_err(|error| {
        tracing::error!("correlations cannot be read: {error:#}");
        Fault::receiver("where patients are known cannot be looked at")
    })?;
    let is_asked = |home: &str| room.communities.other(home).is_some();
    let locations = known
        .into_iter()
        .filter(|it| is_asked(it.home.as_str()))
        .map(|it| PatientLocation {
            home: it.home,
            corresponding: InstanceId::of(&it.there),
            requested: request.patient.clone(),
        });
    let response = PatientLocationQueryResponse {
        locations: locations.collect(),
    };
    let parties = Parties::answered(caller, endpoint);
    let event = event(&parties, &request, None, &Outcome::Success);
    Ok(room.audit.record(event, response).await?)
}

/// Asks all health data locators where one of our patients is known.
pub(crate) async fn initiate(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    request: PatientLocationQueryRequest,
) -> Result<Recorded<PatientLocationQueryResponse>, Fault> {
    let own = request.patient.patient();
    let own = own.filter(|patient| room.patients.is_own(patient));
    let own = own.ok_or_else(|| Fault::sender("the patient is none of this community"))?;
    let mut asking = JoinSet::new();
    let locators = room.communities.others.iter();
    for known in locators.filter(|known| known.community.patients.locator) {
        let (room, known, own) = (Arc::clone(room), Arc::clone(known), own.clone());
        asking.spawn(async move { locate(&room, &known, &own).await });
    }
    let (mut response, mut problems) = (PatientLocationQueryResponse::default(), Vec::new());
    while let Some(joined) = asking.join_next().await {
        match joined {
            Ok(Ok(locations)) => response.locations.extend(locations),
            Ok(Err(problem)) => problems.push(problem),
            Err(error) => tracing::error!(%error, "a question to a locator was lost"),
        }
    }
    response.locations.sort_by(|one, other| {
        let key = |it: &PatientLocation| (it.home.0.clone(), it.corresponding.to_string());
        key(one).cmp(&key(other))
    });
    response.locations.dedup();
    for location in &mut response.locations {
        location.requested.clone_from(&request.patient);
    }
    let parties = Parties::answered(caller, endpoint);
    // The message has no room for what went wrong beside what was found.
    if response.locations.is_empty() && !problems.is_empty() {
        let problem = problems.join("; ");
        let event = event(&parties, &request, None, &Outcome::Failure(problem.clone()));
        let fault = Fault::receiver(problem);
        return Err(room.audit.record(event, fault).await?.into_inner());
    }
    let event = event(&parties, &request, None, &Outcome::Success);
    Ok(room.audit.record(event, response).await?)
}

/// Asks one locator. What it says of communities that nobody knows here is passed over.
async fn locate(
    room: &Arc<Room>,
    known: &Arc<Known>,
    own: &PatientId,
) -> Result<Vec<PatientLocation>, String> {
    let community = &known.community;
    let said = |problem: String| format!("{} ({}): {problem}", community.name, community.home);
    let there = match community.patients.naming {
        Naming::Same => own.clone(),
        Naming::Discover | Naming::Known => {
            let found = discovery::all(room, known, std::slice::from_ref(own)).await;
            match found.into_iter().next() {
                Some((_, Ok(Somebody::Called(there)))) => there,
                Some((_, Err(problem))) => return Err(said(problem)),
                _ => return Ok(Vec::new()),
            }
        }
    };
    let url = community.patients.url.as_deref();
    let url = url.ok_or_else(|| said("it has no address for patient location".to_owned()))?;
    let request = PatientLocationQueryRequest {
        patient: InstanceId::of(&there),
    };
    let asking = room
        .client
        .send::<PatientLocationQuery>(url, &request, Vec::new());
    let answer = known.line.ask(asking).await;
    let outcome = match &answer {
        Ok(_) => Outcome::Success,
        Err(silence) => Outcome::Failure(silence.told()),
    };
    let parties = Parties::asked(url).on_behalf_of(room.user.clone());
    let event = event(&parties, &request, Some(community.home.as_str()), &outcome);
    let answer = room.audit.record(event, answer).await;
    let answer = answer.map_err(|error| said(error.to_string()))?;
    match answer.into_inner() {
        Ok(answer) => {
            let locations = answer.response.locations.into_iter();
            let is_known =
                |it: &PatientLocation| room.communities.other(it.home.as_str()).is_some();
            Ok(locations.filter(is_known).collect())
        }
        Err(silence) => Err(said(silence.told())),
    }
}

fn event(
    parties: &Parties,
    request: &PatientLocationQueryRequest,
    home: Option<&str>,
    outcome: &Outcome,
) -> Event {
    let mut writer = Writer::default();
    request.to_xml(&mut writer);
    let patient = request.patient.to_string();
    let asked = AboutPatients {
        id: &patient,
        query: &writer.finish(),
        patients: std::slice::from_ref(&patient),
        home_community_id: home,
    };
    Event::patient_located(parties, asked, outcome)
}
