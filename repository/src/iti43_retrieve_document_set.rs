//! ITI-43 Retrieve Document Set: give back documents as they were provided.
//!
//! Asked by Document Consumers and by gateways; answered by the Document Repository. Documents go
//! from their files to the connection. One that is not here does not keep the others back. Those
//! that are made when they are asked for come from [`on_demand`].
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-43.html>

use std::collections::BTreeMap;
use std::time::SystemTime;

use hilum_audit::{Document, Event, Outcome, Parties, Recorded};
use hilum_security::{Caller, Permission};
use hilum_transport::{Part, PartSource, Reply};
use tokio::time::Instant;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{RegistryError, RegistryResponse};
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, DocumentResponse, RetrieveDocumentSet, RetrieveDocumentSetRequest,
    RetrieveDocumentSetResponse,
};
use xds_schemas::metadata::{EntryUuid, UniqueId};
use xds_schemas::mtom::Content;
use xds_schemas::soap::Fault;
use xds_schemas::xml::{ToXml, Writer};

use crate::Room;
use crate::access::{Guard, absent};
use crate::blob_store::{BlobStore, Label};
use crate::failure;
use crate::iti42_register_document_set::outcome;
use crate::on_demand;

/// Documents of an answer whose files are open before it begins, so that they come even if they are
/// removed meanwhile (ITI-86). The others are opened when their turn comes, because a process has
/// only so many open files; the answer breaks off if one is gone by then.
const OPEN: usize = 8;

/// A document that is given.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) mime_type: String,
    /// CX, for the audit.
    pub(crate) patient_id: Option<String>,
    pub(crate) source: PartSource,
    /// What it is called, if it was made on demand.
    pub(crate) new_unique_id: Option<UniqueId>,
    /// Whether what was made on demand is kept here under that name.
    pub(crate) is_kept: bool,
    /// The entry with which it was handed in, if it was.
    pub(crate) came_with: Option<EntryUuid>,
}

/// Gives the documents that are here, and an error for each that is not.
pub(crate) async fn answer(
    room: &Room,
    caller: &Caller,
    endpoint: &str,
    request: RetrieveDocumentSetRequest,
) -> Result<Recorded<Reply>, Fault> {
    let now = SystemTime::now();
    let mut found = find(room, request.documents).await?;
    let mut guard = Guard::of(room, (caller, Permission::Retrieve), now);
    let may = match &mut guard {
        Some(guard) => guard.withhold(&mut found).await,
        None => vec![true; found.len()],
    };
    let making = found.iter_mut().zip(may);
    let making = making.filter_map(|(found, may)| may.then_some(found));
    let mut asked = on_demand::make(room, caller, making, guard.as_mut(), now).await;
    asked.extend(guard.into_iter().flat_map(Guard::into_events));
    let mut response = RetrieveDocumentSetResponse {
        registry_response: RegistryResponse::success(Vec::new()),
        documents: Vec::new(),
    };
    let mut parts = Vec::new();
    let mut given = BTreeMap::<Option<String>, Vec<Document>>::new();
    let mut missing = Vec::new();
    for (asked, found) in found {
        let document = audited(room, &asked);
        match found {
            Ok(found) => {
                let content_id = format!("document-{}@hilum", parts.len() + 1);
                given
                    .entry(found.patient_id.clone())
                    .or_default()
                    .push(document);
                response
                    .documents
                    .push(answered(asked, &found, &content_id));
                parts.push(Part {
                    content_id,
                    content_type: found.mime_type,
                    source: found.source,
                });
            }
            Err(error) => {
                missing.push(document);
                response.registry_response.errors.push(error);
            }
        }
    }
    response.registry_response.status = match (parts.is_empty(), missing.is_empty()) {
        (_, true) => ResponseStatus::Success,
        (false, false) => ResponseStatus::PartialSuccess,
        (true, false) => ResponseStatus::Failure,
    };
    let parties = Parties::answered(caller, endpoint);
    let event = event(&parties, given, &missing, &response.registry_response);
    let event = asked.into_iter().fold(event, Event::and);
    let mut writer = Writer::with_capacity(1024);
    response.to_xml(&mut writer);
    let reply = Reply::mtom::<RetrieveDocumentSet>(writer.finish(), parts);
    Ok(room.audit.record(event, reply).await?)
}

/// What is asked for, and the document or why it is not there.
pub(crate) type Found = (DocumentRequest, Result<Given, RegistryError>);

/// Each document that is asked for, or why it is not there. Documents that are being registered
/// at this moment are waited for.
async fn find(room: &Room, requests: Vec<DocumentRequest>) -> Result<Vec<Found>, Fault> {
    let deadline = Instant::now() + room.config.decision;
    // Noted before the search: what is decided meanwhile is searched for again.
    let is_pending =
        |request: &DocumentRequest| room.pending.has(request.document_unique_id.as_str());
    let pending: Vec<bool> = requests.iter().map(is_pending).collect();
    let found = search(room, requests).await?;
    let missing = |((_, found), pending): (&Found, &bool)| *pending && found.is_err();
    if !found.iter().zip(&pending).any(missing) {
        return Ok(found);
    }
    room.recovery.hurry();
    for ((request, _), _) in found.iter().zip(&pending).filter(|it| missing(*it)) {
        let id = request.document_unique_id.as_str();
        room.pending.decided(id, deadline).await;
    }
    search(
        room,
        found.into_iter().map(|(request, _)| request).collect(),
    )
    .await
}

async fn search(room: &Room, requests: Vec<DocumentRequest>) -> Result<Vec<Found>, Fault> {
    let store = room.store.clone();
    let here = room.config.repository_unique_id.clone();
    let search = move || {
        let find = |(at, request): (usize, DocumentRequest)| {
            let location = request.document_unique_id.as_str();
            let found = if request.repository_unique_id == here {
                look_up(&store, location, at < OPEN)
            } else {
                let context = format!(
                    "{} is not the repositoryUniqueId of this repository",
                    request.repository_unique_id
                );
                Err(RegistryError::error(
                    ErrorCode::UnknownRepositoryId,
                    context,
                ))
            };
            let found = found.map_err(|error| error.at(location));
            (request, found)
        };
        requests.into_iter().enumerate().map(find).collect()
    };
    let searched = tokio::task::spawn_blocking(search).await;
    searched.map_err(|error| {
        tracing::error!(%error, "a search in the document store was lost");
        Fault::receiver("the documents could not be looked up")
    })
}

/// The document of this name as it is kept. Blocks.
pub(crate) fn look_up(
    store: &BlobStore,
    unique_id: &str,
    open: bool,
) -> Result<Given, RegistryError> {
    let found = store.find(unique_id).and_then(|stored| match stored {
        Some(stored) => stored.into_source(open),
        None => Ok(None),
    });
    match found {
        Ok(Some((label, source))) => Ok(given(label, source)),
        Ok(None) => Err(absent(&UniqueId::from(unique_id))),
        Err(error) => Err(failure::internal(&error.into())),
    }
}

fn given(label: Label, source: PartSource) -> Given {
    Given {
        mime_type: label.mime_type,
        patient_id: label.patient_id,
        source,
        new_unique_id: None,
        is_kept: false,
        came_with: Some(EntryUuid::from(&*label.entry_uuid)),
    }
}

fn answered(asked: DocumentRequest, given: &Given, content_id: &str) -> DocumentResponse {
    let kept = given.is_kept.then(|| asked.repository_unique_id.clone());
    DocumentResponse {
        home_community_id: asked.home_community_id,
        repository_unique_id: asked.repository_unique_id,
        document_unique_id: asked.document_unique_id,
        new_repository_unique_id: kept,
        new_document_unique_id: given.new_unique_id.clone(),
        mime_type: given.mime_type.clone(),
        content: Content::Include(content_id.to_owned()),
    }
}

/// A document as the audit names it.
pub(crate) fn audited(room: &Room, asked: &DocumentRequest) -> Document {
    let home = asked.home_community_id.as_ref();
    let home = home.or(room.config.home_community_id.as_ref());
    Document {
        unique_id: asked.document_unique_id.0.clone(),
        repository_unique_id: asked.repository_unique_id.0.clone(),
        home_community_id: home.map(|home| home.0.clone()),
    }
}

/// One success for the documents of each patient, and one failure for those that are missing
/// (ITI-43 section 3.43.6).
fn event(
    parties: &Parties,
    given: BTreeMap<Option<String>, Vec<Document>>,
    missing: &[Document],
    response: &RegistryResponse,
) -> Event {
    let retrieved = given.into_iter().map(|(patient, documents)| {
        Event::retrieved(parties, patient.as_deref(), &documents, &Outcome::Success)
    });
    let not_retrieved = (!missing.is_empty()).then(|| {
        let failed = outcome(ResponseStatus::Failure, &response.errors);
        Event::retrieved(parties, None, missing, &failed)
    });
    retrieved
        .chain(not_retrieved)
        .reduce(Event::and)
        .expect("a request names at least one document, which is given or missing")
}
