//! ITI-55 Cross Gateway Patient Discovery: whether a community knows a patient, and as whom.
//!
//! A Responding Gateway asks its own registry (ITI-47) and answers with one patient or none: never with
//! several, and with no more than tells that it is the one who was meant. The Initiating Gateway takes the
//! same question from its own community, and asks all others; that is no transaction of IHE.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-55.html>

mod everywhere;
mod later;
mod matching;

use std::sync::Arc;

use hilum_audit::{AboutPatients, Event, Outcome, Parties, Recorded};
use hilum_security::Caller;
use hilum_transport::Reply;
use xds_schemas::hl7v3::find_candidates::{
    Candidate, Custodian, FindCandidatesQuery, FindCandidatesResponse, HealthDataLocator, Priority,
    Problem,
};
use xds_schemas::hl7v3::{Detail, Found, InstanceId};
use xds_schemas::iti55_cross_gateway_patient_discovery::CrossGatewayPatientDiscovery;
use xds_schemas::metadata::{HomeCommunityId, PatientId};
use xds_schemas::person::matching::unusable;
use xds_schemas::soap::Fault;
use xds_schemas::xcpd;

use crate::Room;
use crate::correlations::{Correlation, Origin, now};
use crate::discovery::{time, unique};
use crate::patients::Naming;

use matching::Matched;

pub(crate) use everywhere::initiate;

/// What the header of a question says.
#[derive(Debug)]
pub(crate) struct Said {
    /// For how long the one who asks recommends to keep what it says of the patient
    /// (`CorrelationTimeToLive`).
    pub(crate) lives: Option<String>,
    /// `wsa:MessageID`, to which a later answer relates.
    pub(crate) message_id: Option<String>,
}

/// Says whether this community knows somebody.
pub(crate) async fn respond(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    said: &Said,
    question: FindCandidatesQuery,
) -> Result<Recorded<Reply>, Fault> {
    if question.query.priority == Priority::Deferred {
        return later::respond(room, caller, endpoint, said, &question).await;
    }
    let (response, outcome) = match room.patients.visits.may_ask(caller) {
        true => found(room, caller, said, &question).await,
        false => {
            tracing::warn!(%caller.address, "a caller asks about too many patients");
            let problem = Problem::ResponderBusy;
            let response = empty(&question).refusing(Vec::new(), Some(problem));
            (response, Outcome::Failure("too many questions".to_owned()))
        }
    };
    let event = event(caller, endpoint, &question, &response, &outcome);
    let reply = Reply::of::<CrossGatewayPatientDiscovery>(&response);
    let reply = match lives(room, &response) {
        0 => reply,
        seconds => reply.with_header_block(&xcpd::time_to_live(seconds)),
    };
    Ok(room.audit.record(event, reply).await?)
}

/// The answer, after which what the one who asks calls the patient may be known.
async fn found(
    room: &Room,
    caller: &Caller,
    said: &Said,
    question: &FindCandidatesQuery,
) -> (FindCandidatesResponse, Outcome) {
    let (response, outcome) = answer(room, question).await;
    if let Some(candidate) = response.candidates.first()
        && let Err(error) =
            keep_reverse(room, caller, said.lives.as_deref(), question, candidate).await
    {
        tracing::error!("what a community calls a patient is not kept: {error:#}");
    }
    (response, outcome)
}

/// Seconds for which it is recommended to keep what an answer says.
fn lives(room: &Room, response: &FindCandidatesResponse) -> u64 {
    match response.found {
        Found::Data | Found::Nothing => room.patients.config.keep.as_secs(),
        Found::Error | Found::QuestionError => 0,
    }
}

async fn answer(room: &Room, question: &FindCandidatesQuery) -> (FindCandidatesResponse, Outcome) {
    let refuse = |details, problem, reason: String| {
        let response = empty(question).refusing(details, Some(problem));
        (response, Outcome::Failure(reason))
    };
    let parameters = &question.query.parameters;
    if let Some(reason) = unusable(parameters) {
        let detail = Detail {
            text: Some(reason.clone()),
            ..Detail::default()
        };
        return refuse(vec![detail], Problem::InternalError, reason);
    }
    let is_described = !parameters.names.is_empty() && parameters.birth_time.is_some();
    // What asks with its own identifier for the patient alone asks with nothing.
    if !is_described && matching::shared_ids(question).is_empty() {
        let reason = "LivingSubjectName and LivingSubjectBirthTime are needed, or a LivingSubjectId \
                      that both communities know";
        let detail = Detail {
            text: Some(reason.to_owned()),
            ..Detail::default()
        };
        return refuse(vec![detail], Problem::InternalError, reason.to_owned());
    }
    match matching::find(room, question).await {
        Err(problem) => refuse(Vec::new(), Problem::InternalError, problem),
        Ok(Matched::Nobody) => (empty(question), Outcome::Success),
        Ok(Matched::One(found)) => {
            let candidate = Candidate {
                ids: vec![found.own],
                person: found.person,
                without: Vec::new(),
                degree: Some(found.degree),
                custodian: custodian(room),
            };
            (empty(question).with(vec![candidate]), Outcome::Success)
        }
        Ok(Matched::Several(wanted)) => {
            if wanted.is_empty() {
                let reason = "several patients fit everything that was said";
                let problem = Problem::AnswerNotAvailable;
                return refuse(Vec::new(), problem, reason.to_owned());
            }
            (empty(question).wanting(wanted), Outcome::Success)
        }
    }
}

/// The answer that there is nobody.
fn empty(question: &FindCandidatesQuery) -> FindCandidatesResponse {
    FindCandidatesResponse::to(question, unique(), time().as_str())
}

fn custodian(room: &Room) -> Custodian {
    let home = room.communities.own.home.as_str();
    Custodian {
        id: InstanceId::new(home.trim_start_matches("urn:oid:")),
        locator: Some(match room.patients.config.locator {
            true => HealthDataLocator::SupportsHealthDataLocator,
            false => HealthDataLocator::NotHealthDataLocator,
        }),
    }
}

/// Keeps what the community that asks calls the patient, for questions in the other direction (3.55.4.1.2.4).
async fn keep_reverse(
    room: &Room,
    caller: &Caller,
    lives: Option<&str>,
    question: &FindCandidatesQuery,
    found: &Candidate,
) -> anyhow::Result<()> {
    let organization = question.transmission.sender_organization.as_deref();
    let there = question.patient_of_asker();
    let (Some(organization), Some(there), Some(own)) = (organization, there, found.ids.first())
    else {
        return Ok(());
    };
    let Some(home) = speaks_for(room, caller, organization) else {
        return Ok(());
    };
    room.patients.note_present(own, &home);
    // Who says nothing recommends not to keep it (3.55.4.1.2).
    let seconds = lives.map_or(Ok(0), xcpd::seconds).unwrap_or(0);
    let learned = now();
    let until = room.patients.until(seconds);
    if until <= learned {
        return Ok(());
    }
    let correlation = Correlation {
        own: own.clone(),
        home,
        there,
        origin: Origin::DiscoveredThere,
        confidence: found.degree,
        learned,
        until,
    };
    room.patients.correlations.learn(correlation).await
}

/// The community with names of its own of which an OID is spoken, if the caller may speak for it.
pub(crate) fn speaks_for(room: &Room, caller: &Caller, oid: &str) -> Option<HomeCommunityId> {
    let oid = oid.trim_start_matches("urn:oid:");
    let known = room.communities.other(&format!("urn:oid:{oid}"))?;
    let patients = &known.community.patients;
    if patients.naming == Naming::Same {
        return None;
    }
    let may = patients.speaker.is(caller);
    if !may {
        let name = &known.community.name;
        let node = caller.node.as_ref().map(ToString::to_string);
        tracing::warn!(
            name,
            node,
            %caller.address,
            "a node speaks for a community that is not its own; if it is, name its certificate (`node`)"
        );
    }
    may.then(|| known.community.home.clone())
}

fn event(
    caller: &Caller,
    endpoint: &str,
    question: &FindCandidatesQuery,
    response: &FindCandidatesResponse,
    outcome: &Outcome,
) -> Event {
    let ids = response.candidates.iter().flat_map(|it| &it.ids);
    let patients: Vec<String> = ids.map(PatientId::to_string).collect();
    let home = question.transmission.sender_organization.as_deref();
    let home = home.map(|oid| format!("urn:oid:{}", oid.trim_start_matches("urn:oid:")));
    let asked = AboutPatients {
        id: &question.transmission.id.root,
        query: &question.query.to_xml(),
        patients: &patients,
        home_community_id: home.as_deref(),
    };
    Event::patient_discovered(&Parties::answered(caller, endpoint), asked, outcome)
}
