//! ITI-39 Cross Gateway Retrieve and RAD-75 Cross Gateway Retrieve Imaging Document Set, and the ITI-43 and
//! RAD-69 that lead to them: get documents and images from wherever they are.
//!
//! Each document names its community and its repository, so a request is divided among them; all are asked
//! at the same time. Documents go from one connection to the other as they come: none is held here. When
//! the one who asked goes, the connections from which it is served are given up.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-39.html>

mod destination;
mod gathering;
mod records;
mod wanted;

use std::collections::HashSet;
use std::sync::Arc;

use hilum_audit::{Event, Parties, Recorded};
use hilum_security::{Caller, User};
use hilum_transport::{Part, PartSource, Reply};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use xds_schemas::ebrs::{RegistryError, RegistryResponse};
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, DocumentResponse, RetrieveDocumentSetResponse,
};
use xds_schemas::mtom::Content;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::xml::{ToXml, Writer};

use crate::Room;
use crate::asking::Silence;
use crate::communities::Communities;
use crate::outcome::{located, status};
use crate::relay::{Budget, Relay};
use crate::routes::Side;

use destination::Destination;
use gathering::{Answered, Gathered};
use wanted::Item;

pub(crate) use wanted::Wanted;

/// Gets everything from where it is, for a consumer of the own community.
pub(crate) async fn initiate<T: Transaction>(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    wanted: Wanted,
) -> Result<Recorded<Reply>, Fault> {
    let _asked = room.enter(Side::Initiating, &wanted.items()).await?;
    let place = |item: &Item| destination::of(&room.communities, item);
    let gathered = gather(room, caller, wanted, place).await;
    let across = false;
    answer::<T>(room, caller, endpoint, gathered, across).await
}

/// Gets everything from the own community's systems, for another community.
pub(crate) async fn respond<T: Transaction>(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    wanted: Wanted,
) -> Result<Recorded<Reply>, Fault> {
    let _asked = room.enter(Side::Responding, &wanted.items()).await?;
    let place = |item: &Item| destination::of_own(&room.communities, item);
    let mut gathered = gather(room, caller, wanted, place).await;
    // A Responding Gateway says of each error whose it is (ITI-39 section 3.39.4.1.3).
    let home = room.communities.own.home.as_str();
    located(&mut gathered.errors, home);
    let across = true;
    answer::<T>(room, caller, endpoint, gathered, across).await
}

/// Documents that are on their way, and what else came of asking for them.
#[derive(Debug)]
pub(crate) struct Got {
    /// Each with where it comes from.
    pub(crate) documents: Vec<(DocumentResponse, PartSource)>,
    /// Why something is missing.
    pub(crate) errors: Vec<RegistryError>,
    /// What was asked of whom.
    pub(crate) events: Vec<Event>,
}

/// Gets documents from the own community's systems, for an answer that is more than documents.
pub(crate) async fn from_own(
    room: &Arc<Room>,
    caller: &Caller,
    documents: Vec<DocumentRequest>,
) -> Got {
    let place = |item: &Item| destination::of_own(&room.communities, item);
    let mut gathered = gather(room, caller, Wanted::Documents(documents), place).await;
    Got {
        errors: std::mem::take(&mut gathered.errors),
        events: std::mem::take(&mut gathered.events),
        documents: gathered.interleaved(),
    }
}

/// Asks all destinations at the same time, until each has begun its answer or will not.
async fn gather(
    room: &Arc<Room>,
    caller: &Caller,
    wanted: Wanted,
    place: impl Fn(&Item) -> Result<Destination, RegistryError>,
) -> Gathered {
    let mut gathered = Gathered::of(&wanted);
    let (divided, nowhere) = wanted.divided(place);
    for (item, error) in nowhere {
        gathered.missing(item, error);
    }
    let budget = Budget::of(room.aside_bytes);
    let mut asking = JoinSet::new();
    for (destination, wanted) in divided {
        let (parts, lanes) = parts(&room.communities, &destination, wanted);
        for wanted in parts {
            let (room, user) = (Arc::clone(room), caller.user.clone());
            let (destination, lanes) = (destination.clone(), lanes.clone());
            let budget = budget.clone();
            asking.spawn(async move { ask(&room, user, destination, wanted, lanes, budget).await });
        }
    }
    while let Some(joined) = asking.join_next().await {
        match joined {
            Ok(answered) => gathered.take(&room.communities, answered),
            Err(error) => tracing::error!(%error, "a request for documents was lost"),
        }
    }
    gathered
}

/// Requests in which a destination is asked, and how many of them at a time if they are several: as many
/// as it may be asked, so that each waits for its turn before its time begins.
fn parts(
    communities: &Communities,
    destination: &Destination,
    wanted: Wanted,
) -> (Vec<Wanted>, Option<Arc<Semaphore>>) {
    let known = destination.known(communities);
    let most = known.and_then(|known| known.community.partner.documents_per_request);
    let parts = wanted.split(most.unwrap_or(usize::MAX));
    let lanes = known.filter(|_| parts.len() > 1);
    let lanes = lanes.map(|known| Arc::new(Semaphore::new(known.community.calls)));
    (parts, lanes)
}

async fn ask(
    room: &Room,
    user: Option<Arc<User>>,
    destination: Destination,
    wanted: Wanted,
    lanes: Option<Arc<Semaphore>>,
    budget: Budget,
) -> Answered {
    let known = destination.known(&room.communities);
    let url = destination.url().to_owned();
    let line = destination.line(&room.communities);
    // It is never closed.
    let lane = match &lanes {
        Some(lanes) => lanes.acquire().await.ok(),
        None => None,
    };
    let client = match known {
        Some(known) => room.client_of(known),
        None => Ok(room.client.clone()),
    };
    let answer = match client {
        Ok(client) => {
            let across = known.is_some();
            let asking = wanted.send(&client, &url, across);
            line.ask(wanted.transaction(across), asking).await
        }
        Err(silence) => Err(silence),
    };
    let answer = answer.map(|(answer, permit)| {
        let response = answer.response;
        let promised = promised(&wanted, &response.documents);
        let relay = Relay::of(answer.attachments, promised, permit, budget);
        (response, relay)
    });
    let answer = match (answer, lane) {
        // Others wait for their turn, and what comes goes on only when all have begun.
        (Ok((response, relay)), Some(_)) => match relay.put_aside().await {
            Ok(()) => Ok((response, relay)),
            Err(error) => {
                tracing::warn!(url, %error, "an answer with documents broke off");
                Err(Silence::BrokenOff)
            }
        },
        (answer, _) => answer,
    };
    Answered {
        parties: Parties::asked(&url).on_behalf_of(user),
        destination,
        wanted,
        answer,
    }
}

/// Attachments of the documents that were wanted. Others need not wait for anybody.
fn promised(wanted: &Wanted, documents: &[DocumentResponse]) -> HashSet<String> {
    let named = |item: Item| {
        let document = item.document;
        (document.repository_unique_id, document.document_unique_id)
    };
    let mut wanted: HashSet<_> = wanted.items().into_iter().map(named).collect();
    let mut promised = HashSet::new();
    for document in documents {
        let repository = document.repository_unique_id.clone();
        // Of what is listed twice, the first counts.
        let is_wanted = wanted.remove(&(repository, document.document_unique_id.clone()));
        if let (true, Content::Include(id)) = (is_wanted, &document.content) {
            promised.insert(id.clone());
        }
    }
    promised
}

/// Records what is given and what is not, and answers.
async fn answer<T: Transaction>(
    room: &Room,
    caller: &Caller,
    endpoint: &str,
    gathered: Gathered,
    across: bool,
) -> Result<Recorded<Reply>, Fault> {
    let parties = Parties::answered(caller, endpoint);
    let event = gathered.event(&parties, across);
    let Gathered { errors, events, .. } = &gathered;
    let event = events.iter().cloned().fold(event, Event::and);
    let registry_response = RegistryResponse {
        status: status(gathered.any(), errors),
        errors: errors.clone(),
    };
    let mut response = RetrieveDocumentSetResponse {
        registry_response,
        documents: Vec::new(),
    };
    let mut parts = Vec::new();
    for (mut document, source) in gathered.interleaved() {
        let content_id = format!("document-{}@hilum", parts.len() + 1);
        document.content = Content::Include(content_id.clone());
        parts.push(Part {
            content_id,
            content_type: document.mime_type.clone(),
            source,
        });
        response.documents.push(document);
    }
    let mut writer = Writer::with_capacity(1024 + 512 * parts.len());
    response.to_xml(&mut writer);
    let reply = Reply::mtom::<T>(writer.finish(), parts);
    Ok(room.audit.record(event, reply).await?)
}
