//! A patient of this community, looked for in all others: what `hilum discover` asks. The message is that of
//! ITI-55. The answer has a patient for each community that knows them, and for each community a detail that
//! says how that is known, or why nothing is.

use std::sync::Arc;

use hilum_audit::{Outcome, Recorded};
use hilum_security::Caller;
use tokio::task::JoinSet;
use xds_schemas::hl7v3::find_candidates::{
    Candidate, Custodian, FindCandidatesQuery, FindCandidatesResponse,
};
use xds_schemas::hl7v3::{Detail, InstanceId};
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::person::Person;
use xds_schemas::person::matching::unusable;
use xds_schemas::soap::Fault;

use super::{empty, event};
use crate::Room;
use crate::communities::Known;
use crate::correlations::Correlation;
use crate::discovery::{Subject, discover, remembered, subject};
use crate::patients::Naming;

/// The community knows the patient: how that is known, since when, and until when it counts.
const KNOWN: &str = "known";
/// The community does not know the patient.
const UNKNOWN: &str = "unknown";
/// Nobody knows.
const FAILED: &str = "failed";

/// Asks everybody who has names of its own.
pub(crate) async fn initiate(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    question: FindCandidatesQuery,
) -> Result<Recorded<FindCandidatesResponse>, Fault> {
    let (response, outcome) = match whom(room, &question).await {
        Ok(subject) => (everywhere(room, &question, subject).await, Outcome::Success),
        Err(problem) => {
            let detail = Detail {
                code: Some(FAILED.to_owned()),
                text: Some(problem.clone()),
                location: None,
            };
            let response = empty(&question).refusing(vec![detail], None);
            (response, Outcome::Failure(problem))
        }
    };
    let event = event(caller, endpoint, &question, &response, &outcome);
    Ok(room.audit.record(event, response).await?)
}

/// Who is looked for: as the question describes them, or as the own registry knows them.
async fn whom(room: &Room, question: &FindCandidatesQuery) -> Result<Subject, String> {
    let asked = &question.query.parameters;
    if let Some(problem) = unusable(asked) {
        return Err(problem);
    }
    let ids = asked.patient_ids();
    let mut own = ids.into_iter().filter(|id| room.patients.is_own(id));
    let (own, None) = (own.next(), own.next()) else {
        return Err("several patients of this community are named".to_owned());
    };
    match (own, asked.names.is_empty()) {
        (Some(own), true) => subject(room, &own).await,
        (None, true) => {
            let problem = "neither a patient of this community is named, nor described who it is";
            Err(problem.to_owned())
        }
        // Somebody who is only described is not kept as one of ours.
        (_, false) => Ok(Subject {
            own: None,
            person: Person {
                names: asked.names.clone(),
                gender: asked.gender,
                birth_time: asked.birth_time.clone().and_then(|time| time.value),
                addresses: asked.addresses.clone(),
                telecoms: asked.telecoms.clone(),
                mothers_maiden_name: asked.mothers_maiden_names.first().cloned(),
                ..Person::default()
            },
        }),
    }
}

async fn everywhere(
    room: &Arc<Room>,
    question: &FindCandidatesQuery,
    subject: Subject,
) -> FindCandidatesResponse {
    let subject = Arc::new(subject);
    let mut asking = JoinSet::new();
    let named = |known: &&Arc<Known>| known.community.patients.naming != Naming::Same;
    for (at, known) in room.communities.others.iter().filter(named).enumerate() {
        let (room, known, subject) = (Arc::clone(room), Arc::clone(known), Arc::clone(&subject));
        asking.spawn(async move {
            let found = there(&room, &known, &subject).await;
            (at, known, found)
        });
    }
    let mut all = Vec::with_capacity(asking.len());
    while let Some(joined) = asking.join_next().await {
        match joined {
            Ok(found) => all.push(found),
            Err(error) => tracing::error!(%error, "a question to a community was lost"),
        }
    }
    all.sort_by_key(|(at, ..)| *at);
    let (mut candidates, mut details) = (Vec::new(), Vec::new());
    for (_, known, found) in all {
        let (code, text) = match found {
            Ok(Some(found)) => {
                let told = (KNOWN, found.how.clone());
                candidates.push(found.candidate(&known));
                told
            }
            Ok(None) => (UNKNOWN, "it does not know the patient".to_owned()),
            Err(problem) => (FAILED, problem),
        };
        details.push(Detail {
            code: Some(code.to_owned()),
            text: Some(format!("{}: {text}", known.community.name)),
            location: Some(known.community.home.0.clone()),
        });
    }
    let mut response = empty(question).with(candidates);
    response.acknowledgement.details = details;
    response
}

/// A patient in another community.
#[derive(Debug)]
struct There {
    id: PatientId,
    degree: Option<u8>,
    how: String,
}

impl There {
    fn candidate(self, known: &Known) -> Candidate {
        let home = known.community.home.as_str();
        Candidate {
            ids: vec![self.id],
            degree: self.degree,
            custodian: Custodian {
                id: InstanceId::new(home.trim_start_matches("urn:oid:")),
                locator: None,
            },
            ..Candidate::default()
        }
    }

    fn of(correlation: Correlation) -> Self {
        let moment = |seconds: i64| {
            let seconds = u64::try_from(seconds).unwrap_or_default();
            Timestamp::from_unix(seconds).to_string()
        };
        let how = correlation.origin.as_str();
        let how = match correlation.until {
            i64::MAX => how.to_owned(),
            until => {
                let since = moment(correlation.learned);
                format!("{how}; since {since}; until {}", moment(until))
            }
        };
        Self {
            id: correlation.there,
            degree: correlation.confidence,
            how,
        }
    }
}

/// What a community calls the patient: as is remembered, or as it says now. Whoever asks this asks anew
/// those who did not know the patient a moment ago.
async fn there(room: &Room, known: &Known, subject: &Subject) -> Result<Option<There>, String> {
    if let Some(own) = &subject.own
        && let Some(correlation) = remembered(room, known, own).await?
    {
        return Ok(Some(There::of(correlation)));
    }
    if known.community.patients.naming == Naming::Known {
        return Ok(None);
    }
    let learned = discover(room, known, subject).await?;
    if let Some(own) = &subject.own
        && let Some(correlation) = remembered(room, known, own).await?
    {
        return Ok(Some(There::of(correlation)));
    }
    Ok(learned.there.map(|id| There {
        id,
        degree: learned.confidence,
        how: "discovered; not to be remembered".to_owned(),
    }))
}
