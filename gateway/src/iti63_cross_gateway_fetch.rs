//! ITI-63 Cross Gateway Fetch: what a patient has of a class, with the documents themselves, in one round.
//!
//! A Responding Gateway asks its own registry and repositories; what it found goes out as it comes, so that
//! no document is held here. An Initiating Gateway does so for its own community, and passes the question
//! on to another one.
//! Supplement Cross-Community Fetch (XCF), 3.63

mod local;

use std::sync::Arc;

use hilum_audit::{Event, Outcome, Parties, Recorded};
use hilum_security::Caller;
use hilum_transport::{Attachments, Part, PartSource, Reply};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::{AdhocQueryRequest, RegistryError};
use xds_schemas::iti18_registry_stored_query::StoredQuery;
use xds_schemas::iti63_cross_gateway_fetch::{
    CrossGatewayFetch, CrossGatewayFetchResponse, Fetched, to_find,
};
use xds_schemas::metadata::PatientId;
use xds_schemas::mtom::Content;
use xds_schemas::soap::Fault;
use xds_schemas::xml::{ToXml, Writer};

use crate::Room;
use crate::asking::{Permit, Silence};
use crate::communities::Known;
use crate::discovery;
use crate::iti38_cross_gateway_query::translation::{Names, Translated, translate};
use crate::iti38_cross_gateway_query::{
    at_home, event, has_home, is_unknown, of_kind, unknown, without_ours,
};
use crate::outcome::{misdirected, outcome, status, unexplained};
use crate::relay::{Budget, Relay};
use crate::routes::Side;

/// Documents of one answer; who finds more is to narrow the question down.
pub const DOCUMENTS: usize = 100;
/// Bytes of all of them together, as their entries say.
pub const BYTES: u64 = 256 * 1024 * 1024;

/// What came of a question.
#[derive(Debug, Default)]
struct Collected {
    /// Entries, each with its document, and associations without one.
    objects: Vec<(RegistryObject, Option<PartSource>)>,
    errors: Vec<RegistryError>,
    /// What was asked of whom.
    events: Vec<Event>,
    /// Whether somebody was asked and answered.
    answered: bool,
    /// The patients for whom it was asked by names of its own.
    called: Vec<PatientId>,
}

impl Collected {
    fn refused(error: RegistryError) -> Self {
        Self {
            errors: vec![error],
            ..Self::default()
        }
    }
}

/// Fetches from the community that `@home` names, for a consumer of the own one.
pub(crate) async fn initiate(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    request: AdhocQueryRequest,
) -> Result<Recorded<Reply>, Fault> {
    let _asked = room.enter(Side::Initiating, &of_kind(&request)).await?;
    let read = patients(&request);
    let patients = named(&read);
    let communities = &room.communities;
    let collected = match request.home.as_deref() {
        None => Collected::refused(missing()),
        Some(home) if communities.is_own(home) => local::collect(room, caller, &request).await,
        Some(home) => match communities.other(home) {
            Some(known) => match read {
                Ok(patients) => pass_on(room, caller, known, &request, &patients).await,
                Err(errors) => Collected {
                    errors,
                    ..Collected::default()
                },
            },
            None => Collected::refused(unknown(home)),
        },
    };
    answer(room, caller, endpoint, &request, &patients, collected).await
}

/// Fetches from the own community, for another one.
pub(crate) async fn respond(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    request: AdhocQueryRequest,
) -> Result<Recorded<Reply>, Fault> {
    let _asked = room.enter(Side::Responding, &of_kind(&request)).await?;
    let patients = named(&patients(&request));
    let communities = &room.communities;
    let mut collected = match request.home.as_deref() {
        None => Collected::refused(missing()),
        Some(home) if communities.is_own(home) => local::collect(room, caller, &request).await,
        Some(home) => Collected::refused(unknown(home)),
    };
    for error in &mut collected.errors {
        error.location = Some(communities.own.home.0.clone());
    }
    answer(room, caller, endpoint, &request, &patients, collected).await
}

/// Asks another community by its names for the patients. Its documents go on as they come.
async fn pass_on(
    room: &Arc<Room>,
    caller: &Caller,
    known: &Arc<Known>,
    request: &AdhocQueryRequest,
    patients: &[PatientId],
) -> Collected {
    let community = &known.community;
    let home = community.home.as_str();
    let Some(url) = &community.fetch else {
        let context = format!("{} ({home}) takes no fetches", community.name);
        let error = RegistryError::error(ErrorCode::UnavailableCommunity, context);
        return Collected::refused(error.at(home));
    };
    let mut events = Vec::new();
    // What a patient is called there may be out of date; then it is found out anew, once.
    let mut collected = asked_once(room, caller, (known, url), request, patients).await;
    if is_stale(room, known, &collected).await {
        events = std::mem::take(&mut collected.events);
        collected = asked_once(room, caller, (known, url), request, patients).await;
    }
    events.append(&mut collected.events);
    Collected {
        events,
        ..collected
    }
}

/// Whether a community may have something of the patients by other names than it was asked with.
async fn is_stale(room: &Arc<Room>, known: &Arc<Known>, collected: &Collected) -> bool {
    if !collected.answered || collected.called.is_empty() {
        return false;
    }
    if is_unknown(&collected.errors) {
        discovery::forget(room, known, collected.called.iter()).await;
        return true;
    }
    let is_nothing = collected.objects.is_empty() && collected.errors.is_empty();
    is_nothing && discovery::recheck(room, known, &collected.called).await
}

/// Asks by the names that are known.
async fn asked_once(
    room: &Arc<Room>,
    caller: &Caller,
    (known, url): (&Arc<Known>, &str),
    request: &AdhocQueryRequest,
    patients: &[PatientId],
) -> Collected {
    let community = &known.community;
    let home = community.home.as_str();
    let translated = translate(room, known, request.clone(), patients).await;
    let (question, names) = match understood(known, translated) {
        Ok(question) => question,
        Err(collected) => return collected,
    };
    let parties = Parties::asked(url).on_behalf_of(caller.user.clone());
    let answer = match room.client_of(known) {
        Ok(client) => {
            let asking = client.send::<CrossGatewayFetch>(url, &question, Vec::new());
            known.line.ask("ITI-63", asking).await
        }
        Err(silence) => Err(silence),
    };
    let mut collected = Collected::default();
    let ended = match answer {
        Err(silence) => {
            collected.errors.push(unanswered(known, &silence));
            Outcome::Failure(silence.told())
        }
        Ok((mut answer, permit)) => {
            let response = &mut answer.response;
            let name = format!("{} ({home})", community.name);
            let code = ErrorCode::RegistryError;
            let missing = unexplained(response.status, &response.errors, code, &name);
            response.errors.extend(missing);
            let ended = outcome(answer.response.status, &answer.response.errors);
            collected.answered = true;
            if names.are_translated() {
                collected.called = names.own().cloned().collect();
            }
            let errors = answer.response.errors.into_iter();
            let errors = errors.map(|error| misdirected(error, &name, home));
            collected.errors = errors.collect();
            for error in &mut collected.errors {
                error.location.get_or_insert_with(|| home.to_owned());
            }
            let mut objects = answer.response.objects;
            if community.partner.assume_home {
                for Fetched { object, .. } in &mut objects {
                    *object = at_home(object.clone(), &community.home);
                }
            }
            let own = &room.communities.own.home;
            let ours = without_ours(own, known, &mut objects, |it| &it.object);
            collected.errors.extend(ours);
            let others = names.restore(room, known, &mut objects, |it| &mut it.object);
            collected.errors.extend(others.await);
            collected
                .errors
                .extend(without_homeless(&mut objects, known));
            collected.objects = on_their_way(room, objects, answer.attachments, permit);
            ended
        }
    };
    let patients: Vec<String> = patients.iter().map(ToString::to_string).collect();
    let asked = event(
        Event::fetched_across,
        &parties,
        &question,
        &patients,
        &ended,
    );
    collected.events.push(asked);
    collected
}

/// What was fetched, with the documents as they come.
fn on_their_way(
    room: &Room,
    objects: Vec<Fetched>,
    attachments: Attachments,
    permit: Permit,
) -> Vec<(RegistryObject, Option<PartSource>)> {
    let promised = objects.iter().filter_map(|it| match &it.content {
        Some(Content::Include(id)) => Some(id.clone()),
        _ => None,
    });
    let budget = Budget::of(room.aside_bytes);
    let relay = Relay::of(attachments, promised.collect(), permit, budget);
    let source = |content| match content {
        Content::Include(id) => PartSource::Stream(relay.stream(id)),
        Content::Inline(bytes) => PartSource::Bytes(bytes.into()),
    };
    let objects = objects.into_iter();
    objects
        .map(|Fetched { object, content }| (object, content.map(source)))
        .collect()
}

/// The question by a community's own names, or what is collected of one that is not asked.
fn understood(
    known: &Known,
    translated: Translated,
) -> Result<(AdhocQueryRequest, Names), Collected> {
    let community = &known.community;
    match translated {
        Translated::Question(question, names) => Ok((question, names)),
        // Who does not know the patient has nothing of it, and is not asked.
        Translated::Nobody => Err(Collected {
            answered: true,
            ..Collected::default()
        }),
        Translated::Failed(problem) => {
            let (name, home) = (&community.name, community.home.as_str());
            tracing::warn!(name, problem, "nobody knows who a patient is there");
            let context = format!("{name} ({home}): {problem}");
            let error = RegistryError::error(ErrorCode::UnavailableCommunity, context);
            Err(Collected::refused(error.at(home)))
        }
    }
}

fn unanswered(known: &Known, silence: &Silence) -> RegistryError {
    let community = &known.community;
    let (name, home) = (&community.name, community.home.as_str());
    if let Silence::Failed(error) = silence {
        tracing::warn!(name, %error, "no answer to a fetch");
    }
    let context = format!("{name} ({home}): {}", silence.told());
    RegistryError::error(ErrorCode::UnavailableCommunity, context).at(home)
}

/// An entry without its community could not be asked for again (as ITI-38 section 3.38.4.1.3).
fn without_homeless(objects: &mut Vec<Fetched>, known: &Known) -> Option<RegistryError> {
    let before = objects.len();
    objects.retain(|Fetched { object, .. }| {
        !has_home(object) || object.home.as_deref().is_some_and(|home| !home.is_empty())
    });
    let lost = before - objects.len();
    (lost > 0).then(|| {
        let community = &known.community;
        let (name, home) = (&community.name, community.home.as_str());
        let context = format!("{name} ({home}) did not say of {lost} entries whose they are");
        let error = RegistryError::error(ErrorCode::MissingHomeCommunityId, context);
        error.at(home)
    })
}

/// Records what is given, and answers.
async fn answer(
    room: &Room,
    caller: &Caller,
    endpoint: &str,
    request: &AdhocQueryRequest,
    patients: &[String],
    collected: Collected,
) -> Result<Recorded<Reply>, Fault> {
    let mut response = CrossGatewayFetchResponse::failure(collected.errors);
    let mut parts = Vec::new();
    for (object, source) in collected.objects {
        let content = source.map(|source| {
            let content_id = format!("document-{}@hilum", parts.len() + 1);
            let mime_type = match &object.body {
                Body::ExtrinsicObject { mime_type, .. } => mime_type.clone(),
                _ => None,
            };
            parts.push(Part {
                content_id: content_id.clone(),
                content_type: mime_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
                source,
            });
            Content::Include(content_id)
        });
        response.objects.push(Fetched { object, content });
    }
    // Nothing may be found, which is no failure.
    let something =
        !response.objects.is_empty() || collected.answered && response.errors.is_empty();
    response.status = status(something, &response.errors);
    let ended = outcome(response.status, &response.errors);
    let parties = Parties::answered(caller, endpoint);
    let event = event(Event::fetched_across, &parties, request, patients, &ended);
    let event = collected.events.into_iter().fold(event, Event::and);
    let mut writer = Writer::with_capacity(1024 + 4096 * parts.len());
    response.to_xml(&mut writer);
    let reply = Reply::mtom::<CrossGatewayFetch>(writer.finish(), parts);
    Ok(room.audit.record(event, reply).await?)
}

/// Whose documents are asked for, or what is wrong with the question.
fn patients(request: &AdhocQueryRequest) -> Result<Vec<PatientId>, Vec<RegistryError>> {
    let find = to_find(request).map_err(|error| vec![error])?;
    Ok(StoredQuery::read(&find)?.patients().to_vec())
}

fn named(patients: &Result<Vec<PatientId>, Vec<RegistryError>>) -> Vec<String> {
    let patients = patients.iter().flatten();
    patients.map(ToString::to_string).collect()
}

fn missing() -> RegistryError {
    let context = "@home must name the community from which is to be fetched";
    RegistryError::error(ErrorCode::MissingHomeCommunityId, context)
}
