//! ITI-47 Patient Demographics Query HL7 V3: which patients fit what is known of one.
//!
//! Asked by Patient Demographics Consumers; answered, from what feeds said, by a registry that keeps
//! demographics.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-47.html>

use std::time::SystemTime;

use hilum_audit::{Event, NotRecorded, Outcome, Parties, PatientQuery, PatientQueryKind, Recorded};
use hilum_security::Caller;
use uuid::Uuid;
use xds_schemas::hl7v3::find_candidates::{
    Candidate, Custodian, FindCandidatesQuery, FindCandidatesResponse, Parameters,
};
use xds_schemas::hl7v3::{
    AcceptAcknowledgement, Detail, InstanceId, Quantities, QueryContinuation, UNKNOWN_KEY,
};
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::person::matching;

use crate::db::demographics::{self, Key, Kind};
use crate::demographics::continuations::Answer;
use crate::demographics::finding::{self, Known, MOST_LOOKED_AT, Match};
use crate::failure::Failure;
use crate::{Registry, seconds};

/// Patients in one answer, if fewer are not wanted.
pub(crate) const MOST_TOLD: usize = 100;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Refused {
    /// What is wrong with the question.
    Details(Vec<Detail>),
    /// It is our fault: the operator finds the reason by the number in it.
    Internal(String),
}

/// Answers a question (3.47.4.2.3) with the first patients who fit, and records it.
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    question: FindCandidatesQuery,
    now: SystemTime,
) -> Result<Recorded<FindCandidatesResponse>, NotRecorded> {
    let response = blank(&question, now);
    let found = match understood(&question) {
        Ok(()) => find(registry, &question).await,
        Err(refused) => Err(refused),
    };
    let told = match found {
        Ok(all) => {
            let wanted = question.query.initial_quantity;
            let quantity = quantity(wanted).unwrap_or(MOST_TOLD);
            let answer = Answer::new(question.query.clone(), all, quantity);
            tell(registry, caller, answer, None).await
        }
        Err(refused) => Err(refused),
    };
    record(registry, parties, response, told).await
}

/// Answers with the next patients who fit (3.47.4.3.3).
pub(crate) async fn go_on(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    continuation: QueryContinuation,
    now: SystemTime,
) -> Result<Recorded<FindCandidatesResponse>, NotRecorded> {
    let asked = registry.continuations.take(caller, &continuation.query);
    let mut response = blank(
        &FindCandidatesQuery {
            transmission: continuation.transmission.clone(),
            time: continuation.time.clone(),
            authority: None,
            query: asked
                .as_ref()
                .map(|it| it.query.clone())
                .unwrap_or_default(),
        },
        now,
    );
    let told = match asked {
        Some(mut answer) => {
            if let Some(wanted) = quantity(continuation.quantity) {
                answer.quantity = wanted;
            }
            // Records are counted from 1.
            let start = continuation.start.map(|start| start.saturating_sub(1));
            let start = start.map(|start| usize::try_from(start).unwrap_or(usize::MAX));
            tell(registry, caller, answer, start).await
        }
        None => {
            response.query.id = continuation.query.clone();
            Err(wrong(
                "there is no answer to this question that could be continued: ask it again",
            ))
        }
    };
    record(registry, parties, response, told).await
}

/// Forgets what remains of an answer (3.47.4.3.3).
pub(crate) async fn cancel(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    continuation: QueryContinuation,
    now: SystemTime,
) -> Result<Recorded<AcceptAcknowledgement>, NotRecorded> {
    // It may be at its end, or forgotten: then there is nothing left to do.
    let answer = registry.continuations.take(caller, &continuation.query);
    let query = answer.map(|answer| answer.query.to_xml());
    let time = Timestamp::from_unix(seconds(now));
    let id = fresh();
    let accepted = AcceptAcknowledgement::of(&continuation.transmission, id, time.as_str());
    let asked = PatientQuery {
        kind: PatientQueryKind::Demographics,
        message: &continuation.transmission.id.to_string(),
        query: query.as_deref().unwrap_or_default(),
        patients: &[],
    };
    let event = Event::patients_queried(parties, asked, &Outcome::Success);
    registry.audit.record(event, accepted).await
}

fn fresh() -> InstanceId {
    InstanceId::new(format!("2.25.{}", Uuid::new_v4().as_u128()))
}

fn blank(question: &FindCandidatesQuery, now: SystemTime) -> FindCandidatesResponse {
    let time = Timestamp::from_unix(seconds(now));
    FindCandidatesResponse::to(question, fresh(), time.as_str())
}

/// How many are wanted at once, never more than [`MOST_TOLD`].
fn quantity(wanted: Option<u32>) -> Option<usize> {
    let wanted = usize::try_from(wanted?).unwrap_or(MOST_TOLD);
    Some(wanted.clamp(1, MOST_TOLD))
}

fn understood(question: &FindCandidatesQuery) -> Result<(), Refused> {
    if question.transmission.interaction != FindCandidatesQuery::NAME {
        return Err(wrong(
            "interactionId does not name the interaction that the message is",
        ));
    }
    let asked = &question.query.parameters;
    if let Some(problem) = matching::unusable(asked) {
        return Err(wrong(problem));
    }
    if asked.is_empty() {
        return Err(wrong(
            "there is no parameter by which anybody could be found",
        ));
    }
    let care_provider = (!asked.care_providers.is_empty()).then_some("principalCareProviderId");
    let mut unknown = asked.others.iter().copied().chain(care_provider);
    match unknown.next() {
        Some(name) => Err(wrong(format!(
            "the parameter {name} is not understood here"
        ))),
        None => Ok(()),
    }
}

async fn find(registry: &Registry, question: &FindCandidatesQuery) -> Result<Vec<Match>, Refused> {
    let domain = registry.config.feed.domain.as_ref();
    let own = domain.map(|domain| domain.authority.clone());
    let asked = question.query.parameters.clone();
    let least = question.query.minimum_degree.unwrap_or(0);
    let work = move |conn: &mut _| {
        let domains = asked.domains.iter().map(|domain| &domain.root);
        let unknown = unknown_domains(conn, domains, own.as_deref())?;
        if !unknown.is_empty() {
            return Ok(Err(unknown));
        }
        Ok(Ok(finding::find(conn, &asked, least)?))
    };
    match registry.db.read(work).await.map_err(internal)? {
        // Case 3.
        Err(unknown) => Err(Refused::Details(unknown_at(
            &unknown,
            "/PRPA_IN201305UV02/controlActProcess/queryByParameter/parameterList/otherIDsScopingOrganization",
        ))),
        Ok(Err(finding::TooMany)) => Err(wrong(format!(
            "more than {MOST_LOOKED_AT} patients would have to be looked at: say more of the one who is meant"
        ))),
        Ok(Ok(found)) => Ok(found),
    }
}

/// Which of the domains, by their place from 1, nobody has an identifier of.
pub(crate) fn unknown_domains<'d>(
    conn: &mut crate::db::Connection,
    domains: impl Iterator<Item = &'d String>,
    own: Option<&str>,
) -> Result<Vec<usize>, Failure> {
    let mut unknown = Vec::new();
    for (at, domain) in domains.enumerate() {
        let key = Key::new(Kind::Domain, domain.as_str());
        let known = own == Some(domain.as_str()) || demographics::count(conn, &[key], 1)? > 0;
        if !known {
            unknown.push(at + 1);
        }
    }
    Ok(unknown)
}

/// Details that say where domains stand that are not known.
pub(crate) fn unknown_at(places: &[usize], path: &str) -> Vec<Detail> {
    let detail = |place: &usize| Detail {
        code: Some(UNKNOWN_KEY.to_owned()),
        text: Some("this patient identification domain is not known".to_owned()),
        location: Some(format!("{path}[{place}]/value")),
    };
    places.iter().map(detail).collect()
}

pub(crate) fn wrong(text: impl Into<String>) -> Refused {
    Refused::Details(vec![Detail {
        text: Some(text.into()),
        ..Detail::default()
    }])
}

pub(crate) fn internal(failure: Failure) -> Refused {
    let said = failure.into_errors().into_iter().next();
    Refused::Internal(said.map(|error| error.context).unwrap_or_default())
}

/// What is told now, and how much there is.
struct Told {
    candidates: Vec<Candidate>,
    quantities: Quantities,
    query: xds_schemas::hl7v3::find_candidates::QueryByParameter,
}

/// Tells the next of an answer, and remembers the rest.
async fn tell(
    registry: &Registry,
    caller: &Caller,
    mut answer: Answer,
    from: Option<usize>,
) -> Result<Told, Refused> {
    let next = answer.next(from);
    let work = move |conn: &mut _| finding::known(conn, &next);
    let known = registry.db.read(work).await.map_err(internal)?;
    let home = &registry.config.home_community_id;
    let custodian = InstanceId::new(home.as_str().trim_start_matches("urn:oid:"));
    let asked = &answer.query.parameters;
    let candidates: Vec<Candidate> = known
        .into_iter()
        .filter_map(|(one, known)| candidate(asked, one, known, &custodian))
        .collect();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let quantities = Quantities {
        total: number(answer.all.len()),
        current: number(candidates.len()),
        remaining: number(answer.remaining()),
    };
    let query = answer.query.clone();
    registry.continuations.keep(caller, answer);
    Ok(Told {
        candidates,
        quantities,
        query,
    })
}

/// A patient with its identifiers in the domains that are asked for, besides that of this domain
/// (3.47.4.2.3, cases 1 and 2).
fn candidate(
    asked: &Parameters,
    one: Match,
    known: Known,
    custodian: &InstanceId,
) -> Option<Candidate> {
    let id = PatientId::parse(&known.id).ok()?;
    let mut person = known.person;
    let wanted = |authority: &str| {
        let mut domains = asked.domains.iter();
        asked.domains.is_empty() || domains.any(|domain| domain.root == authority)
    };
    person.ids.retain(|it| it == &id || wanted(&it.authority));
    let missing = asked.domains.iter().map(|domain| &domain.root);
    let missing = missing.filter(|domain| person.ids_of(domain).next().is_none());
    let without = missing.cloned().collect();
    Some(Candidate {
        ids: vec![id],
        person,
        without,
        degree: Some(one.degree),
        custodian: Custodian {
            id: custodian.clone(),
            locator: None,
        },
    })
}

/// Records what was asked and who is in the answer, and gives it.
async fn record(
    registry: &Registry,
    parties: &Parties,
    response: FindCandidatesResponse,
    told: Result<Told, Refused>,
) -> Result<Recorded<FindCandidatesResponse>, NotRecorded> {
    let (outcome, response) = match told {
        Ok(told) => {
            let mut response = response.with(told.candidates);
            response.quantities = Some(told.quantities);
            response.query = told.query;
            (Outcome::Success, response)
        }
        Err(refused) => {
            let (reason, details) = refused.parts();
            (Outcome::Failure(reason), response.refusing(details, None))
        }
    };
    let patients = response.candidates.iter().flat_map(|one| &one.ids);
    let patients: Vec<String> = patients.map(PatientId::to_string).collect();
    let asked = PatientQuery {
        kind: PatientQueryKind::Demographics,
        message: &response.acknowledgement.target.to_string(),
        query: &response.query.to_xml(),
        patients: &patients,
    };
    let event = Event::patients_queried(parties, asked, &outcome);
    registry.audit.record(event, response).await
}

impl Refused {
    /// Why, for the record, and for who asked.
    pub(crate) fn parts(self) -> (String, Vec<Detail>) {
        match self {
            Self::Details(details) => {
                let first = details.iter().find_map(|detail| detail.text.clone());
                (first.unwrap_or_default(), details)
            }
            Self::Internal(reason) => {
                let detail = Detail {
                    text: Some(reason.clone()),
                    ..Detail::default()
                };
                (reason, vec![detail])
            }
        }
    }
}
