//! ITI-80 Cross-Gateway Document Provide, and the ITI-41 that leads to it: hand documents to the community
//! for which they are meant.
//!
//! A submission names its community. An Initiating Gateway hands it to the gateway of that one, a
//! Responding Gateway to its own community's repository or recipient, which checks it as it checks every
//! other: hash, size, and that each entry has its document. Documents go from one connection to the other as
//! they come, so none is held here. An Initiating Gateway names the patient as the community does that gets
//! them.
//! Supplement Cross-Community Document Reliable Interchange (XCDR), 3.80

mod translation;

use std::sync::Arc;

use hilum_audit::{Event, Outcome, Parties, Recorded, SubmissionSet, Transaction};
use hilum_security::Caller;
use hilum_transport::{Attachments, ClientError, Part, PartSource};
use xds_schemas::codes::ebrim_uuids::submission_set;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::{RegistryError, RegistryResponse, SubmitObjectsRequest};
use xds_schemas::iti41_provide_and_register_document_set::{
    Document, ProvideAndRegisterDocumentSet, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::iti80_cross_gateway_document_provide::{
    CrossGatewayDocumentProvide, meant_for, name_in,
};
use xds_schemas::metadata::HomeCommunityId;
use xds_schemas::mtom::Content;
use xds_schemas::rad68_provide_and_register_imaging_document_set as rad68;
use xds_schemas::soap::Fault;

use crate::Room;
use crate::asking::Silence;
use crate::communities::{Communities, Known};
use crate::iti38_cross_gateway_query::unknown;
use crate::outcome::{located, misdirected, outcome, unexplained};
use crate::relay::{Budget, Problem, Relay};

/// What is handed in, its documents still on the wire.
#[derive(Debug)]
pub(crate) struct Submission {
    /// What the header says of the community.
    pub(crate) header: Option<String>,
    /// The metadata.
    pub(crate) request: ProvideAndRegisterDocumentSetRequest,
    /// The documents.
    pub(crate) attachments: Attachments,
}

/// What is said if nobody knows what became of documents.
const UNSETTLED: &str = "it may have taken the documents or not";

/// To whom it is handed.
#[derive(Debug)]
enum Receiver {
    /// The own repository or recipient.
    Own(String),
    /// The gateway of another community.
    Other(Arc<Known>, String),
}

/// Hands a submission of the own community to the one for which it is meant.
pub(crate) async fn initiate(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    submission: Submission,
) -> Result<Recorded<RegistryResponse>, Fault> {
    let set = Described::by(&submission.request.submit);
    let meant = meant_for(
        submission.header.as_deref(),
        &submission.request.submit.slots,
    );
    let found = meant.and_then(|home| Ok((receiver(&room.communities, &home)?, home)));
    let (response, asked) = match found {
        Err(error) => (RegistryResponse::failure(vec![error]), None),
        Ok((receiver, home)) => hand_on(room, caller, receiver, &home, (submission, &set)).await,
    };
    let parties = Parties::answered(caller, endpoint);
    let ended = outcome(response.status, &response.errors);
    let event = Event::submitted(set.transaction, &parties, set.audited(), &ended);
    let event = asked.into_iter().fold(event, Event::and);
    Ok(room.audit.record(event, response).await?)
}

/// Hands a submission of another community to the own one.
pub(crate) async fn respond(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    submission: Submission,
) -> Result<Recorded<RegistryResponse>, Fault> {
    let own = &room.communities.own;
    let set = Described::by(&submission.request.submit);
    let meant = meant_for(
        submission.header.as_deref(),
        &submission.request.submit.slots,
    );
    let named = meant.as_ref().ok().cloned();
    let found = meant.and_then(|home| match home == own.home {
        true => own_receiver(&room.communities),
        // Nothing is passed on to third communities.
        false => Err(unknown(home.as_str())),
    });
    let (mut response, asked) = match found {
        Err(error) => (RegistryResponse::failure(vec![error]), None),
        Ok(receiver) => hand_on(room, caller, receiver, &own.home, (submission, &set)).await,
    };
    located(&mut response.errors, own.home.as_str());
    let parties = Parties::answered(caller, endpoint);
    let ended = outcome(response.status, &response.errors);
    let named = named.as_ref().map(HomeCommunityId::as_str);
    let event = Event::provided_across(&parties, set.audited(), named, &ended);
    let event = asked.into_iter().fold(event, Event::and);
    Ok(room.audit.record(event, response).await?)
}

fn receiver(communities: &Communities, home: &HomeCommunityId) -> Result<Receiver, RegistryError> {
    if communities.is_own(home.as_str()) {
        return own_receiver(communities);
    }
    let Some(known) = communities.other(home.as_str()) else {
        return Err(unknown(home.as_str()));
    };
    match known.community.provide.clone() {
        Some(url) => Ok(Receiver::Other(Arc::clone(known), url)),
        None => {
            let context = format!("{} ({home}) takes no documents", known.community.name);
            let error = RegistryError::error(ErrorCode::UnavailableCommunity, context);
            Err(error.at(home.as_str()))
        }
    }
}

fn own_receiver(communities: &Communities) -> Result<Receiver, RegistryError> {
    let context = "nobody in this community takes documents: there is no [gateway] provide_url";
    let missing = || RegistryError::error(ErrorCode::RepositoryError, context);
    let url = communities.own.provide.clone().ok_or_else(missing)?;
    Ok(Receiver::Own(url))
}

/// Hands it on as it comes, and says what became of it and what is recorded of that.
async fn hand_on(
    room: &Arc<Room>,
    caller: &Caller,
    receiver: Receiver,
    home: &HomeCommunityId,
    (submission, set): (Submission, &Described),
) -> (RegistryResponse, Option<Event>) {
    let Submission {
        request: mut sent,
        mut attachments,
        ..
    } = submission;
    name_in(&mut sent.submit.slots, home);
    let mut own = Vec::new();
    if let Receiver::Other(known, _) = &receiver {
        match translation::translate(room, known, &mut sent.submit).await {
            Ok(translated) => own = translated,
            Err(error) => return (RegistryResponse::failure(vec![error]), None),
        }
    }
    let is_reference = |it: &Document| matches!(it.content, Content::Include(_));
    // The last document that comes finds out what is left over. If none comes, nothing may.
    if !sent.documents.iter().any(is_reference)
        && let Ok(Some(stray)) = attachments.next().await
    {
        let error = belongs_to_none(stray.content_id());
        return (RegistryResponse::failure(vec![error]), None);
    }
    let promised = sent.documents.iter().filter_map(|it| match &it.content {
        Content::Include(id) => Some(id.clone()),
        Content::Inline(_) => None,
    });
    let budget = Budget::of(room.aside_bytes);
    let relay = Relay::of(attachments, promised.collect(), (), budget);
    let parts = parts(&relay, &mut sent);
    let answer = hand_over(room, &receiver, home, (&sent, parts), &relay).await;
    let mut is_unsettled = false;
    let response = match answer {
        Ok(response) => explained(&receiver, home, response),
        Err(silence) => {
            let error = match relay.problem() {
                Some(problem) => incomplete(problem),
                None => {
                    is_unsettled = may_have_taken(&silence);
                    unanswered(&receiver, home, &silence)
                }
            };
            RegistryResponse::failure(vec![error])
        }
    };
    let parties = Parties::asked(receiver.url()).on_behalf_of(caller.user.clone());
    let ended = match outcome(response.status, &response.errors) {
        Outcome::Failure(why) if is_unsettled => Outcome::Failure(format!("{why}: {UNSETTLED}")),
        ended => ended,
    };
    let event = match &receiver {
        Receiver::Own(_) => Event::submitted(set.transaction, &parties, set.audited(), &ended),
        Receiver::Other(known, _) => {
            translation::learn_from(room, known, &own, &response).await;
            // The record names the patient as the community was told.
            let told = Described::by(&sent.submit);
            Event::provided_across(&parties, told.audited(), Some(home.as_str()), &ended)
        }
    };
    (response, Some(event))
}

/// Hands it over, and says what was answered.
async fn hand_over(
    room: &Room,
    receiver: &Receiver,
    home: &HomeCommunityId,
    (sent, parts): (&ProvideAndRegisterDocumentSetRequest, Vec<Part>),
    relay: &Relay,
) -> Result<RegistryResponse, Silence> {
    let client = &room.client;
    let is_to_blame = async { relay.problem().is_some() };
    let answer = match receiver {
        Receiver::Own(url) => {
            let sending = client.send::<ProvideAndRegisterDocumentSet>(url, sent, parts);
            let line = &room.communities.own_line;
            let handing = line.hand_over("ITI-41", sending, relay.are_taken(), is_to_blame);
            handing.await
        }
        Receiver::Other(known, url) => match room.client_of(known) {
            Ok(client) => {
                let client = client.for_community(home.as_str());
                let sending = client.send::<CrossGatewayDocumentProvide>(url, sent, parts);
                let line = &known.line;
                let handing = line.hand_over("ITI-80", sending, relay.are_taken(), is_to_blame);
                handing.await
            }
            Err(silence) => Err(silence),
        },
    };
    Ok(answer?.response)
}

impl Receiver {
    fn url(&self) -> &str {
        match self {
            Self::Own(url) | Self::Other(_, url) => url,
        }
    }
}

/// The documents, each to come when its turn does, under names of our own.
fn parts(relay: &Relay, sent: &mut ProvideAndRegisterDocumentSetRequest) -> Vec<Part> {
    let objects = &sent.submit.objects.objects;
    let mime_type = |id: &str| {
        let entry = objects.iter().find(|object| object.id == id);
        match entry.map(|entry| &entry.body) {
            Some(Body::ExtrinsicObject {
                mime_type: Some(mime_type),
                ..
            }) => mime_type.clone(),
            _ => "application/octet-stream".to_owned(),
        }
    };
    let mut parts = Vec::new();
    let mut names = Vec::new();
    for document in &mut sent.documents {
        if let Content::Include(id) = &mut document.content {
            let ours = format!("document-{}@hilum", names.len() + 1);
            parts.push((ours.clone(), mime_type(&document.id)));
            names.push(std::mem::replace(id, ours));
        }
    }
    let part = |((content_id, content_type), stream)| Part {
        content_id,
        content_type,
        source: PartSource::Stream(stream),
    };
    parts
        .into_iter()
        .zip(relay.streams(names))
        .map(part)
        .collect()
}

/// What was missing or left over when the documents came.
fn incomplete(problem: Problem) -> RegistryError {
    match problem {
        Problem::Missing(id) => {
            let context = "an attachment to which a document refers did not come";
            RegistryError::error(ErrorCode::MissingDocument, context).at(id)
        }
        Problem::LeftOver(id) => belongs_to_none(&id),
        Problem::BrokeOff => {
            let context = "the documents did not come whole";
            RegistryError::error(ErrorCode::RepositoryError, context)
        }
    }
}

fn belongs_to_none(content_id: &str) -> RegistryError {
    let context = "an attachment belongs to no document";
    let error = RegistryError::error(ErrorCode::MissingDocumentMetadata, context);
    error.at(content_id)
}

/// A response that says why it is a failure, if it is one, and who takes itself for another community.
fn explained(
    receiver: &Receiver,
    home: &HomeCommunityId,
    mut response: RegistryResponse,
) -> RegistryResponse {
    let name = match receiver {
        Receiver::Own(_) => format!("this community ({home})"),
        Receiver::Other(known, _) => format!("{} ({home})", known.community.name),
    };
    let code = ErrorCode::RepositoryError;
    let missing = unexplained(response.status, &response.errors, code, &name);
    let missing = missing.map(|error| error.at(home.as_str()));
    response.errors.extend(missing);
    if let Receiver::Other(..) = receiver {
        let errors = response.errors.into_iter();
        let errors = errors.map(|error| misdirected(error, &name, home.as_str()));
        response.errors = errors.collect();
    }
    response
}

/// Whether nobody knows what became of the documents.
fn may_have_taken(silence: &Silence) -> bool {
    matches!(
        silence,
        // Something was answered after all of it had come, and nobody knows what.
        Silence::Unsettled
            | Silence::Failed(
                ClientError::Unreachable { sent: true, .. } | ClientError::Garbled { .. }
            )
    )
}

/// That nobody said whether the documents were taken.
fn unanswered(receiver: &Receiver, home: &HomeCommunityId, silence: &Silence) -> RegistryError {
    let (name, code) = match receiver {
        Receiver::Own(_) => ("this community", ErrorCode::RepositoryError),
        Receiver::Other(known, _) => (
            known.community.name.as_str(),
            ErrorCode::UnavailableCommunity,
        ),
    };
    let told = silence.told();
    if let Silence::Failed(error) = silence {
        tracing::warn!(name, %error, "documents were handed over without an answer");
    }
    let more = match may_have_taken(silence) {
        true => format!("; {UNSETTLED}: ask before they are handed in again"),
        false => String::new(),
    };
    let context = format!("{name} ({home}): {told}{more}");
    RegistryError::error(code, context).at(home.as_str())
}

/// What the audit says of a submission, as far as it can be read.
#[derive(Debug)]
struct Described {
    transaction: Transaction,
    unique_id: String,
    patient: Option<String>,
}

impl Described {
    fn by(submit: &SubmitObjectsRequest) -> Self {
        let objects = &submit.objects.objects;
        let is_set = |object: &&RegistryObject| {
            object
                .external_identifier(submission_set::UNIQUE_ID)
                .is_some()
        };
        let set = objects.iter().find(is_set);
        let identifier = |scheme| {
            let value = set.and_then(|set| set.external_identifier(scheme));
            value.map(str::to_owned)
        };
        Self {
            transaction: match objects.iter().any(rad68::is_manifest) {
                true => Transaction::ProvideAndRegisterImaging,
                false => Transaction::ProvideAndRegister,
            },
            unique_id: identifier(submission_set::UNIQUE_ID).unwrap_or_default(),
            patient: identifier(submission_set::PATIENT_ID),
        }
    }

    fn audited(&self) -> SubmissionSet<'_> {
        SubmissionSet {
            unique_id: &self.unique_id,
            patient: self.patient.as_deref(),
        }
    }
}
