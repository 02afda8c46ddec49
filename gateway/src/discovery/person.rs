//! Who somebody is, as the own registry knows it (ITI-47).

use hilum_audit::{Event, Outcome, Parties, PatientQuery, PatientQueryKind};
use hilum_transport::ClientError;
use xds_schemas::hl7v3::find_candidates::{
    AskedTime, Candidate, FindCandidatesQuery, Parameters, QueryByParameter,
};
use xds_schemas::hl7v3::{Found, InstanceId, Transmission};
use xds_schemas::iti47_patient_demographics_query_hl7v3::PatientDemographicsQuery;
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::person::Person;

use super::registered::registered_as;
use crate::Room;
use crate::asking::Silence;
use crate::correlations::now;

/// Somebody who is looked for elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// Who it is here, if it is one of ours.
    pub(crate) own: Option<PatientId>,
    /// What is known of them.
    pub(crate) person: Person,
}

/// Who one of ours is.
pub(crate) async fn subject(room: &Room, own: &PatientId) -> Result<Subject, String> {
    let found = registered_as(room, own).await?;
    let mut people = found.into_iter();
    match (people.next(), people.next()) {
        (Some(candidate), None) => Ok(Subject {
            own: Some(own.clone()),
            person: candidate.person,
        }),
        (None, _) => Err("our registry does not know who the patient is".to_owned()),
        (Some(_), Some(_)) => Err("our registry knows several patients of that name".to_owned()),
    }
}

/// Whom the own registry finds.
pub(crate) async fn registered(
    room: &Room,
    parameters: Parameters,
) -> Result<Vec<Candidate>, String> {
    let communities = &room.communities;
    let url = communities.own.registry.clone();
    let url = url.ok_or("there is no registry here that knows patients")?;
    let query = QueryByParameter {
        id: unique(),
        parameters,
        ..QueryByParameter::default()
    };
    let home = communities.own.home.as_str();
    let question = FindCandidatesQuery::new(transmission(home, home), &time(), query);
    let asking = room
        .client
        .send::<PatientDemographicsQuery>(&url, &question, Vec::new());
    let answer = communities.own_line.ask("ITI-47", asking).await;
    let answer = answer.map(|(answer, _)| answer.response);
    let outcome = match &answer {
        Ok(response) => match response.found {
            Found::Data | Found::Nothing => Outcome::Success,
            Found::Error | Found::QuestionError => {
                Outcome::Failure("it answered with an error".to_owned())
            }
        },
        Err(silence) => Outcome::Failure(silence.told()),
    };
    let patients = answer.iter().flat_map(|it| &it.candidates);
    let patients: Vec<String> = patients
        .flat_map(|it| &it.ids)
        .map(ToString::to_string)
        .collect();
    let asked = PatientQuery {
        kind: PatientQueryKind::Demographics,
        message: &question.transmission.id.to_string(),
        query: &question.query.to_xml(),
        patients: &patients,
    };
    let parties = Parties::asked(&url).on_behalf_of(room.user.clone());
    let event = Event::patients_queried(&parties, asked, &outcome);
    let answer = room.audit.record(event, answer).await;
    let answer = answer.map_err(|error| error.to_string())?.into_inner();
    match answer {
        Ok(response) => match response.found {
            Found::Data => Ok(response.candidates),
            Found::Nothing => Ok(Vec::new()),
            Found::Error | Found::QuestionError => {
                let codes = response.acknowledgement.details.into_iter();
                let codes: Vec<String> = codes.filter_map(|it| it.code).collect();
                tracing::warn!(?codes, "our registry does not say who somebody is");
                Err("our registry does not say who the patient is".to_owned())
            }
        },
        Err(silence) => {
            tracing::warn!(why = silence.told(), "no answer to a question for a person");
            match &silence {
                Silence::Failed(ClientError::Fault { fault, .. })
                    if fault.is("ActionNotSupported") =>
                {
                    Err("our registry keeps no demographics (ITI-47)".to_owned())
                }
                _ => Err(format!("our registry: {}", silence.told())),
            }
        }
    }
}

/// What is known of a person, as it is asked for: names, gender, birth.
pub(crate) fn essential(person: &Person) -> Parameters {
    Parameters {
        names: person.names.iter().take(1).cloned().collect(),
        gender: person.gender,
        birth_time: person.birth_time.clone().map(AskedTime::at),
        ..Parameters::default()
    }
}

/// Between two communities; `from` and `to` are their identifiers.
pub(crate) fn transmission(from: &str, to: &str) -> Transmission {
    let device = |home: &str| InstanceId::new(home.trim_start_matches("urn:oid:"));
    Transmission {
        id: unique(),
        processing_code: "P".to_owned(),
        sender: device(from),
        receiver: device(to),
        ..Transmission::default()
    }
}

/// A name that nobody else gives.
pub(crate) fn unique() -> InstanceId {
    InstanceId::new(format!("2.25.{}", uuid::Uuid::new_v4().as_u128()))
}

/// Now, as messages say it.
pub(crate) fn time() -> Timestamp {
    Timestamp::from_unix(u64::try_from(now()).unwrap_or_default())
}
