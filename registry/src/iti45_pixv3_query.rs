//! ITI-45 PIXV3 Query: by which identifiers a patient is known in other domains.
//!
//! Asked by Patient Identifier Cross-reference Consumers; answered, from what feeds said, by a registry that
//! keeps demographics.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-45.html>

use std::time::SystemTime;

use hilum_audit::{Event, NotRecorded, Outcome, Parties, PatientQuery, PatientQueryKind, Recorded};
use uuid::Uuid;
use xds_schemas::hl7v3::{Detail, InstanceId, UNKNOWN_KEY};
use xds_schemas::iti45_pixv3_query::{
    GetIdentifiersQuery, GetIdentifiersResponse, IdentifierQuery,
};
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::person::Person;

use crate::db::demographics::{self, Key, Kind};
use crate::db::{Connection, patients};
use crate::failure::Failure;
use crate::iti47_patient_demographics_query_hl7v3::{
    Refused, internal, unknown_at, unknown_domains, wrong,
};
use crate::{Registry, seconds};

const PARAMETERS: &str = "/PRPA_IN201309UV02/controlActProcess/queryByParameter/parameterList";

/// Answers a question (3.45.4.2.3) and records it.
pub(crate) async fn answer(
    registry: &Registry,
    parties: &Parties,
    question: GetIdentifiersQuery,
    now: SystemTime,
) -> Result<Recorded<GetIdentifiersResponse>, NotRecorded> {
    let time = Timestamp::from_unix(seconds(now));
    let id = InstanceId::new(format!("2.25.{}", Uuid::new_v4().as_u128()));
    let response = GetIdentifiersResponse::to(&question, id, time.as_str());
    let message = question.transmission.id.to_string();
    let query = question.query.to_xml();
    let asked = only(&question);
    let found = match &asked {
        Ok(patient) => find(registry, patient.clone(), question.query).await,
        Err(text) => Err(wrong(*text)),
    };
    let (outcome, response) = match found {
        Ok(person) => {
            let name = person.names.into_iter().next();
            (Outcome::Success, response.with(person.ids, name))
        }
        Err(refused) => {
            let (reason, details) = refused.parts();
            (Outcome::Failure(reason), response.refusing(details))
        }
    };
    let patients = asked.iter().chain(&response.ids);
    let patients: Vec<String> = patients.map(PatientId::to_string).collect();
    let asked = PatientQuery {
        kind: PatientQueryKind::Identifiers,
        message: &message,
        query: &query,
        patients: &patients,
    };
    let event = Event::patients_queried(parties, asked, &outcome);
    registry.audit.record(event, response).await
}

/// "Exactly one PatientIdentifier parameter SHALL be present" (3.45.4.1.2.2).
fn only(question: &GetIdentifiersQuery) -> Result<PatientId, &'static str> {
    if question.transmission.interaction != GetIdentifiersQuery::NAME {
        return Err("interactionId does not name the interaction that the message is");
    }
    let [patient] = question.query.patients.as_slice() else {
        return Err("there is not exactly one PatientIdentifier");
    };
    let patient = patient.patient();
    patient.ok_or("PatientIdentifier has no OID as its root, or no extension")
}

/// What was found out about the patient who is meant.
enum Found {
    /// Its other identifiers in the domains that are asked for, and its name.
    Person(Box<Person>),
    /// Nobody has this identifier (case 4).
    Nobody,
    /// Several have it, so that nobody can say who is meant.
    Several,
    /// These domains are not known (case 5).
    Domains(Vec<usize>),
}

async fn find(
    registry: &Registry,
    patient: PatientId,
    query: IdentifierQuery,
) -> Result<Person, Refused> {
    let domain = registry.config.feed.domain.as_ref();
    let own = domain.map(|domain| domain.authority.clone());
    let work = move |conn: &mut _| others(conn, &patient, &query, own.as_deref());
    match registry.db.read(work).await.map_err(internal)? {
        Found::Person(person) => Ok(*person),
        Found::Nobody => Err(Refused::Details(vec![Detail {
            code: Some(UNKNOWN_KEY.to_owned()),
            text: Some("this patient identifier is not known".to_owned()),
            location: Some(format!("{PARAMETERS}/patientIdentifier/value")),
        }])),
        Found::Several => Err(wrong("this patient identifier is that of several patients")),
        Found::Domains(unknown) => {
            let path = format!("{PARAMETERS}/dataSource");
            Err(Refused::Details(unknown_at(&unknown, &path)))
        }
    }
}

/// Whoever was merged into another is known as the other.
fn others(
    conn: &mut Connection,
    patient: &PatientId,
    query: &IdentifierQuery,
    own: Option<&str>,
) -> Result<Found, Failure> {
    let domains = query.domains.iter().map(|domain| &domain.root);
    let unknown = unknown_domains(conn, domains, own)?;
    if !unknown.is_empty() {
        return Ok(Found::Domains(unknown));
    }
    let here = patients::find(conn, &patient.to_string())?;
    let number = match here {
        Some(found) => patients::survivor(conn, found.number)?,
        None => {
            let key = Key::new(Kind::Id, patient.to_string());
            match demographics::with_any(conn, &[key], 2)?.as_slice() {
                [] => return Ok(Found::Nobody),
                [one] => *one,
                _ => return Ok(Found::Several),
            }
        }
    };
    let mut person = demographics::of(conn, number)?.unwrap_or_default();
    if let Ok(id) = PatientId::parse(&patients::patient_id(conn, number)?)
        && !person.ids.contains(&id)
    {
        person.ids.insert(0, id);
    }
    person.ids.retain(|id| {
        let mut domains = query.domains.iter();
        let wanted = domains.len() == 0 || domains.any(|domain| domain.root == id.authority);
        wanted && id != patient
    });
    Ok(Found::Person(Box::new(person)))
}
