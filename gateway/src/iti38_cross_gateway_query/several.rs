//! Questions about several patients at once (ITI-51), on the way of those about one.

use std::collections::HashSet;
use std::sync::Arc;

use hilum_audit::{Event, Parties, Recorded};
use hilum_security::Caller;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, RegistryError};
use xds_schemas::iti18_registry_stored_query::{
    FindDocuments, FindFolders, QueryKind, StoredQuery,
};
use xds_schemas::soap::Fault;

use super::merging::{self, Answered};
use super::targets::{self, Chosen};
use super::{Asked, all_asked, ask_other, ask_own, event, of_kind, patients, refused};
use crate::Room;
use crate::outcome::outcome;
use crate::patients::MOST_PATIENTS;
use crate::routes::Side;

/// Whether this is a query of ITI-51.
pub(super) fn is(request: &AdhocQueryRequest) -> bool {
    QueryKind::parse(&request.id).is_some_and(QueryKind::is_of_several_patients)
}

/// Reads a query of ITI-18 or of ITI-51.
pub(super) fn read(request: &AdhocQueryRequest) -> Result<StoredQuery, Vec<RegistryError>> {
    match is(request) {
        true => StoredQuery::read_of_several_patients(request),
        false => StoredQuery::read(request),
    }
}

/// Asks everybody who is concerned, and puts together what they say.
pub(crate) async fn initiate(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    request: AdhocQueryRequest,
) -> Result<Recorded<AdhocQueryResponse>, Fault> {
    let _asked = room.enter(Side::Initiating, &of_kind(&request)).await?;
    let query = StoredQuery::read_of_several_patients(&request);
    let named = patients(&query);
    let mut events = Vec::new();
    let chosen = query.and_then(|query| {
        let one_by_one = divided(&request, &query).map_err(|error| vec![error])?;
        let chosen = targets::choose(&room.communities, &request, &query);
        chosen
            .map(|chosen| (chosen, one_by_one))
            .map_err(|error| vec![error])
    });
    let response = match chosen {
        Err(errors) => refused(errors),
        Ok((chosen, one_by_one)) => {
            let mut errors = chosen.errors.clone();
            let (answers, unasked) =
                ask(room, caller, (&request, &named), chosen, one_by_one).await;
            errors.extend(unasked);
            let mut merged = Vec::with_capacity(answers.len());
            for (answered, patients) in answers {
                events.push(answered.event(&patients));
                merged.push(answered);
            }
            settled(merging::merge(&room.communities.own.home, merged, errors))
        }
    };
    let ended = outcome(response.status, &response.errors);
    let parties = Parties::answered(caller, endpoint);
    let recorded = Event::queried_for_several_patients;
    let event = event(recorded, &parties, &request, &named, &ended);
    let event = events.into_iter().fold(event, Event::and);
    Ok(room.audit.record(event, response).await?)
}

/// A question, and whose it is.
type About = (AdhocQueryRequest, Vec<String>);

/// What communities are asked instead: one question for each patient, or the question itself if it names
/// none.
fn divided(request: &AdhocQueryRequest, query: &StoredQuery) -> Result<Vec<About>, RegistryError> {
    let count = query.patients().len();
    // Each is one question to each community.
    if count > MOST_PATIENTS {
        let context = format!("{count} patients are named, and one question has {MOST_PATIENTS}");
        let code = ErrorCode::StoredQueryParamNumber;
        return Err(RegistryError::error(code, context));
    }
    if count == 0 {
        return Ok(vec![(request.clone(), Vec::new())]);
    }
    let mut all = Vec::with_capacity(count);
    let mut seen = HashSet::new();
    // Who is named twice is one patient, and has their documents once.
    for patient in query.patients().iter().filter(|it| seen.insert(*it)) {
        let (of_one, name) = (patient.clone(), patient.to_string());
        let one = match query {
            StoredQuery::FindDocumentsForMultiplePatients(query) => {
                StoredQuery::FindDocuments(FindDocuments {
                    patient: of_one,
                    statuses: query.statuses.clone(),
                    filter: query.filter.clone(),
                })
            }
            StoredQuery::FindDocumentsByReferenceIdForMultiplePatients(query) => {
                StoredQuery::FindDocumentsByReferenceId(FindDocuments {
                    patient: of_one,
                    statuses: query.statuses.clone(),
                    filter: query.filter.clone(),
                })
            }
            StoredQuery::FindFoldersForMultiplePatients(query) => {
                StoredQuery::FindFolders(FindFolders {
                    patient: of_one,
                    statuses: query.statuses.clone(),
                    last_update_time: query.last_update_time.clone(),
                    codes: query.codes.clone(),
                })
            }
            // There are no others of several patients.
            other => other.clone(),
        };
        all.push((one.to_request(request.return_type.clone()), vec![name]));
    }
    Ok(all)
}

/// Asks all of them at the same time, each about as many patients as it may be asked, so that each question
/// waits for its turn before its time begins. The answers are in the order of the question, the own first;
/// beside them, why some were not asked.
async fn ask(
    room: &Arc<Room>,
    caller: &Caller,
    (request, named): (&AdhocQueryRequest, &[String]),
    chosen: Chosen,
    one_by_one: Vec<About>,
) -> (Vec<(Answered, Vec<String>)>, Vec<RegistryError>) {
    let mut asking = JoinSet::new();
    if chosen.own {
        let (room, user, request) = (Arc::clone(room), caller.user.clone(), request.clone());
        let named = named.to_vec();
        asking.spawn(async move {
            let answered = ask_own(room, user, request).await;
            ((0, 0, named), Asked::Answered(Box::new(answered)))
        });
    }
    for (at, (known, url)) in chosen.others.into_iter().enumerate() {
        let lanes = Arc::new(Semaphore::new(known.community.calls));
        for (number, (request, patients)) in one_by_one.iter().cloned().enumerate() {
            let ids = StoredQuery::read(&request)
                .map_or_else(|_| Vec::new(), |it| it.patients().to_vec());
            let (room, user) = (Arc::clone(room), caller.user.clone());
            let (known, url) = (Arc::clone(&known), url.clone());
            let lanes = Arc::clone(&lanes);
            asking.spawn(async move {
                // It is never closed.
                let _lane = lanes.acquire().await.ok();
                let answered = ask_other(room, user, request, (known, url), &ids).await;
                ((at + 1, number, patients), answered)
            });
        }
    }
    let (answered, errors) = all_asked(asking).await;
    let answered = answered.into_iter();
    let answered = answered.map(|((_, _, patients), answer)| (answer, patients));
    (answered.collect(), errors)
}

/// One community has one error however many patients it was asked for; and patients whom nobody knows have
/// nothing, which is no error (ITI-51 section 3.51.4.1.3).
fn settled(mut response: AdhocQueryResponse) -> AdhocQueryResponse {
    // There may be thousands.
    let mut told = HashSet::new();
    response.errors.retain(|error| {
        let RegistryError {
            code,
            context,
            severity,
            location,
        } = error.clone();
        code != ErrorCode::UnknownPatientId && told.insert((code, context, severity, location))
    });
    if response.errors.is_empty() {
        response.status = ResponseStatus::Success;
    }
    response
}
