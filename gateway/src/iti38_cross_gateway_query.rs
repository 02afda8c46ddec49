//! ITI-38 Cross Gateway Query, and the ITI-18 that leads to it: find what is registered anywhere.
//!
//! A question about a patient goes to the own registry and to every community, or to those that it names.
//! One that asks for objects by their names goes to the community that it must name.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-38.html>

mod everybody;
mod merging;
mod several;
mod streamed;
mod targets;
pub(crate) mod translation;

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use hilum_audit::{Event, Outcome, Parties, Query, Recorded};
use hilum_security::{Caller, User};
use hilum_transport::{Answer, Client, ClientError, Reply, TakesSeveral, Unreached};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, RegistryError};
use xds_schemas::iti18_registry_stored_query::{RegistryStoredQuery, StoredQuery};
use xds_schemas::iti38_cross_gateway_query::{CrossGatewayQuery, TARGET_COMMUNITIES};
use xds_schemas::iti51_multi_patient_stored_query::MultiPatientStoredQuery;
use xds_schemas::metadata::PatientId;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::xml::{ToXml, Writer};

use crate::Room;
use crate::asking::Silence;
use crate::communities::Known;
use crate::discovery;
use crate::outcome::outcome;
use crate::routes::Side;

pub(crate) use everybody::Kind;
use everybody::{Asking, Leaving, Question};
use merging::{Answered, Whose};
pub(crate) use merging::{at_home, has_home, without_ours};
use translation::{Translated, translate};

/// What is waited before somebody is asked once more who could not be reached.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks everybody who is concerned, and puts together what they say; for whom it `takes_several`, as they say it.
pub(crate) async fn initiate<T>(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    (kind, request): (Kind, AdhocQueryRequest),
    takes_several: Option<TakesSeveral>,
) -> Result<Recorded<Reply>, Fault>
where
    T: Transaction<Response = AdhocQueryResponse>,
{
    let asked = room.enter(Side::Initiating, &of_kind(&request)).await?;
    let parties = Parties::answered(caller, endpoint);
    let (question, addressed) = Question::read(&room.communities, kind, request, parties);
    let (response, events) = match addressed {
        Err(errors) => (refused(errors), Vec::new()),
        Ok(addressed) => {
            let asking = Asking::begin(room, caller, &question, addressed, asked);
            match takes_several {
                Some(waiting) => return streamed::answer::<T>(question, asking, waiting).await,
                None => asking.whole(kind).await,
            }
        }
    };
    let event = question.event(&outcome(response.status, &response.errors));
    let event = events.into_iter().fold(event, Event::and);
    Ok(room.audit.record(event, Reply::of::<T>(&response)).await?)
}

/// Asks the own registry for another community.
pub(crate) async fn respond(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    request: AdhocQueryRequest,
) -> Result<Recorded<AdhocQueryResponse>, Fault> {
    let _asked = room.enter(Side::Responding, &of_kind(&request)).await?;
    let query = several::read(&request);
    let patients = patients(&query);
    let meant = query.and_then(|query| {
        let meant = targets::is_meant_here(&room.communities, &request, &query);
        meant.map_err(|error| vec![error])
    });
    let mut asked = None;
    let home = &room.communities.own.home;
    let response = match meant {
        Err(errors) => refused(errors),
        Ok(()) => {
            let asker = Asker::of(room, caller, Leaving::never());
            let answered = ask_own(asker, request.clone()).await;
            asked = Some(answered.event(&patients));
            merging::of_one(home, answered)
        }
    };
    let response = located(response, home.as_str());
    let ended = outcome(response.status, &response.errors);
    let parties = Parties::answered(caller, endpoint);
    let event = event(Event::queried_across, &parties, &request, &patients, &ended);
    let event = asked.into_iter().fold(event, Event::and);
    Ok(room.audit.record(event, response).await?)
}

/// What became of a question.
#[derive(Debug)]
enum Asked {
    Answered(Box<Answered>),
    /// The community does not know the patients.
    Nobody,
    /// Nobody knows whether it does.
    Failed(RegistryError),
}

/// For whom somebody is asked.
#[derive(Debug, Clone)]
struct Asker {
    room: Arc<Room>,
    user: Option<Arc<User>>,
    leaving: Leaving,
}

impl Asker {
    fn of(room: &Arc<Room>, caller: &Caller, leaving: Leaving) -> Self {
        Self {
            room: Arc::clone(room),
            user: caller.user.clone(),
            leaving,
        }
    }
}

async fn ask_own(asker: Asker, request: AdhocQueryRequest) -> Answered {
    let Asker {
        room,
        user,
        leaving,
    } = asker;
    let communities = &room.communities;
    let request = without_targets(request);
    // Who has no registry is not asked here.
    let url = communities.own.registry.clone().unwrap_or_default();
    let (client, none) = (&room.client, Vec::new());
    let answer = match several::is(&request) {
        true => {
            let asking = client.send::<MultiPatientStoredQuery>(&url, &request, none);
            let asking = communities.own_line.ask("ITI-51", asking);
            leaving.unless_left(asking).await
        }
        false => {
            let asking = client.send::<RegistryStoredQuery>(&url, &request, none);
            let asking = communities.own_line.ask("ITI-18", asking);
            leaving.unless_left(asking).await
        }
    };
    Answered {
        whose: Whose::Own,
        parties: Parties::asked(&url).on_behalf_of(user),
        answer: answer
            .map(|(answer, _)| Whose::Own.explained(&communities.own.home, answer.response)),
        request,
    }
    .logged()
}

async fn ask_other(
    asker: Asker,
    request: AdhocQueryRequest,
    (known, url): (Arc<Known>, String),
    named: &[PatientId],
) -> Asked {
    let Asker {
        room,
        user,
        leaving,
    } = asker;
    let home = known.community.home.clone();
    let mut request = without_targets(request);
    request.home = Some(home.0.clone());
    // The name of a patient may be out of date; then it is found out anew, once.
    for is_last in [false, true] {
        // Whoever asked may have left while this waited for its turn.
        if leaving.has_left() {
            return Asked::Nobody;
        }
        // In a box, so that those who wait for their turn are small.
        let translated = Box::pin(translate(&room, &known, request.clone(), named));
        let (question, names) = match translated.await {
            Translated::Question(question, names) => (question, names),
            Translated::Nobody => return Asked::Nobody,
            Translated::Failed(problem) => {
                let name = &known.community.name;
                tracing::warn!(name, problem, "nobody knows who a patient is there");
                let context = format!("{name} ({home}): {problem}");
                let error = RegistryError::error(ErrorCode::UnavailableCommunity, context);
                return Asked::Failed(error.at(home.as_str()));
            }
        };
        if leaving.has_left() {
            return Asked::Nobody;
        }
        let answer = match room.client_of(&known) {
            Ok(client) => {
                // The box comes when the turn does.
                let asking =
                    async { Box::pin(ask_again_if_unsent(&client, &url, &question)).await };
                let asking = known.line.ask("ITI-38", asking);
                leaving.unless_left(asking).await
            }
            Err(silence) => Err(silence),
        };
        let whose = Whose::Other(Arc::clone(&known));
        let own = &room.communities.own.home;
        let mut answer = answer.map(|(answer, _)| whose.explained(own, answer.response));
        let is_translated = names.are_translated();
        let mut is_stale = is_translated && answer.as_ref().is_ok_and(|it| is_unknown(&it.errors));
        if is_stale {
            discovery::forget(&room, &known, names.own()).await;
        } else if is_translated && !is_last && answer.as_ref().is_ok_and(is_nothing) {
            let asked: Vec<PatientId> = names.own().cloned().collect();
            is_stale = discovery::recheck(&room, &known, &asked).await;
        } else if let Ok(response) = &mut answer {
            let others = names.restore(&room, &known, &mut response.objects, |it| it);
            response.errors.extend(others.await);
        }
        let answered = Answered {
            whose,
            parties: Parties::asked(&url).on_behalf_of(user.clone()),
            answer,
            request: question,
        };
        if is_last || !is_stale {
            return Asked::Answered(Box::new(answered.logged()));
        }
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        if let Err(error) = room.audit.record(answered.event(&named), ()).await {
            let error = RegistryError::error(ErrorCode::RegistryError, error.to_string());
            return Asked::Failed(error);
        }
    }
    Asked::Nobody
}

/// Whether a community does not know the patient any more by the name that it gave.
pub(crate) fn is_unknown(errors: &[RegistryError]) -> bool {
    errors
        .iter()
        .any(|error| error.code == ErrorCode::UnknownPatientId)
}

/// Whether a community has nothing of the patient: so answers one that does not know the name any more, if it
/// does not want to say so.
fn is_nothing(response: &AdhocQueryResponse) -> bool {
    response.objects.is_empty() && response.errors.is_empty()
}

/// What the own registry says, and what is recorded of the question: for transactions that ask more.
pub(crate) async fn ask_here(
    room: &Arc<Room>,
    caller: &Caller,
    request: AdhocQueryRequest,
    patients: Vec<String>,
) -> (AdhocQueryResponse, Event) {
    let asker = Asker::of(room, caller, Leaving::never());
    let answered = ask_own(asker, request).await;
    let event = answered.event(&patients);
    let home = &room.communities.own.home;
    (merging::of_one(home, answered), event)
}

/// Asks, and asks once more if there was no connection: then nothing of the question has left this node.
async fn ask_again_if_unsent(
    client: &Client,
    url: &str,
    request: &AdhocQueryRequest,
) -> Result<Answer<AdhocQueryResponse>, ClientError> {
    let answer = client
        .send::<CrossGatewayQuery>(url, request, Vec::new())
        .await;
    match answer {
        Err(ClientError::Unreachable {
            sent: false,
            kind: Unreached::Refused | Unreached::Broken,
            ..
        }) => {
            tokio::time::sleep(PAUSE).await;
            client
                .send::<CrossGatewayQuery>(url, request, Vec::new())
                .await
        }
        answer => answer,
    }
}

/// What makes two questions the same: not who asks.
pub(crate) fn of_kind(request: &AdhocQueryRequest) -> impl Hash + use<'_> {
    let mut slots: Vec<_> = request.slots.iter().collect();
    slots.sort_by_key(|slot| &slot.name);
    let slots: Vec<_> = slots.iter().map(|it| (&it.name, &it.values)).collect();
    (&request.id, &request.home, slots)
}

/// Who is asked is asked alone.
fn without_targets(mut request: AdhocQueryRequest) -> AdhocQueryRequest {
    request.slots.retain(|slot| slot.name != TARGET_COMMUNITIES);
    request
}

impl Answered {
    /// Says in the log why somebody did not answer.
    fn logged(self) -> Self {
        if let Err(silence) = &self.answer {
            let whose = self.whose.name();
            match silence {
                Silence::Failed(error) => tracing::warn!(whose, %error, "no answer to a query"),
                // Nobody missed it.
                Silence::Unwanted => {}
                silence => {
                    tracing::warn!(whose, why = silence.told(), "no answer to a query");
                }
            }
        }
        self
    }

    /// What is recorded of the question.
    fn event(&self, patients: &[String]) -> Event {
        let ended = match &self.answer {
            Ok(response) => outcome(response.status, &response.errors),
            Err(silence) => Outcome::Failure(silence.told()),
        };
        let recorded = match self.whose {
            Whose::Own if several::is(&self.request) => Event::queried_for_several_patients,
            Whose::Own => Event::queried,
            Whose::Other(_) => Event::queried_across,
        };
        event(recorded, &self.parties, &self.request, patients, &ended)
    }
}

fn patients(query: &Result<StoredQuery, Vec<RegistryError>>) -> Vec<String> {
    let patients = query.as_ref().map_or(&[][..], |query| query.patients());
    patients.iter().map(ToString::to_string).collect()
}

fn refused(errors: Vec<RegistryError>) -> AdhocQueryResponse {
    AdhocQueryResponse {
        status: ResponseStatus::Failure,
        errors,
        objects: Vec::new(),
    }
}

/// Every error of a Responding Gateway says whose it is (ITI-38 section 3.38.4.1.3).
fn located(mut response: AdhocQueryResponse, home: &str) -> AdhocQueryResponse {
    for error in &mut response.errors {
        error.location = Some(home.to_owned());
    }
    response
}

/// What is recorded of a question and how it ended.
pub(crate) fn event(
    recorded: fn(&Parties, Query<'_>, &Outcome) -> Event,
    parties: &Parties,
    request: &AdhocQueryRequest,
    patients: &[String],
    ended: &Outcome,
) -> Event {
    let mut writer = Writer::default();
    request.to_xml(&mut writer);
    let patients: Vec<&str> = patients.iter().map(String::as_str).collect();
    let query = Query {
        id: &request.id,
        request: &writer.finish(),
        patients: &patients,
        home_community_id: request.home.as_deref(),
    };
    recorded(parties, query, ended)
}

/// That nobody of the name is known.
pub(crate) fn unknown(home: &str) -> RegistryError {
    let context = format!("{home} is no community that is known here");
    RegistryError::error(ErrorCode::UnknownCommunity, context)
}
