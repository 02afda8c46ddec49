//! ITI-86 Remove Documents: documents are gone for good.
//!
//! Asked by Document Administrators; answered by the Document Repository. A document that cannot be
//! removed does not keep the others. What is answered as removed has lost its file and the name of
//! that, on disk; whoever had begun to retrieve it still gets the rest.
//!
//! The administrator removes the metadata first (ITI-62), so that nobody finds what is gone. An
//! operator may have that enforced: [`RemoveRegistered::Refuse`].
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-86.html>

use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

use hilum_audit::{Document, Event, Outcome, Parties, Recorded};
use hilum_security::{Caller, Permission};
use tokio::time::Instant;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{RegistryError, RegistryResponse};
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::iti43_retrieve_document_set::DocumentRequest;
use xds_schemas::iti86_remove_documents::RemoveDocumentsRequest;
use xds_schemas::metadata::EntryUuid;
use xds_schemas::soap::Fault;

use crate::access::{Guard, absent};
use crate::iti18_registry_stored_query::{self as iti18, Silence};
use crate::iti42_register_document_set::outcome;
use crate::iti43_retrieve_document_set::audited;
use crate::{RemoveRegistered, Room, failure};

/// Removes the documents that are here, and gives an error for each that is left.
pub(crate) async fn answer(
    room: &Room,
    caller: &Caller,
    endpoint: &str,
    request: RemoveDocumentsRequest,
) -> Result<Recorded<RegistryResponse>, Fault> {
    let remove = (caller, Permission::Remove);
    let mut removal = Removal {
        room,
        caller,
        guard: Guard::of(room, remove, SystemTime::now()),
        deadline: Instant::now() + room.config.decision,
        asked: Vec::new(),
    };
    let mut removed = BTreeMap::<Option<String>, Vec<Document>>::new();
    let (mut left, mut errors) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for document in request.documents {
        // What stands twice is one removal.
        let name = (
            document.repository_unique_id.clone(),
            document.document_unique_id.clone(),
        );
        if !seen.insert(name) {
            continue;
        }
        match removal.remove(&document).await {
            Ok(patient) => removed
                .entry(patient)
                .or_default()
                .push(audited(room, &document)),
            Err(error) => {
                left.push(audited(room, &document));
                errors.push(error.at(document.document_unique_id.as_str()));
            }
        }
    }
    let status = match (removed.is_empty(), left.is_empty()) {
        (_, true) => ResponseStatus::Success,
        (false, false) => ResponseStatus::PartialSuccess,
        (true, false) => ResponseStatus::Failure,
    };
    let parties = Parties::answered(caller, endpoint);
    let event = event(&parties, removed, &left, &errors);
    let guarded = removal.guard.into_iter().flat_map(Guard::into_events);
    let event = removal
        .asked
        .into_iter()
        .chain(guarded)
        .fold(event, Event::and);
    let response = RegistryResponse { status, errors };
    Ok(room.audit.record(event, response).await?)
}

/// What the removals of one request share.
struct Removal<'a> {
    room: &'a Room,
    caller: &'a Caller,
    /// Who says what may be removed; nobody if that is everything.
    guard: Option<Guard<'a>>,
    /// Until then a document is waited for of which it is being decided whether it is registered.
    deadline: Instant,
    /// What the registry was asked.
    asked: Vec<Event>,
}

impl Removal<'_> {
    /// Removes one document, and says whose it was as far as that is known. Each error names the
    /// document in its context (RMD supplement, ITI TF-2 3.86.4.2.2).
    async fn remove(
        &mut self,
        document: &DocumentRequest,
    ) -> Result<Option<String>, RegistryError> {
        let room = self.room;
        let unique_id = document.document_unique_id.as_str();
        if document.repository_unique_id != room.config.repository_unique_id {
            let context = format!(
                "{} is not the repositoryUniqueId of this repository; the document {unique_id} was \
                 not looked for",
                document.repository_unique_id
            );
            let code = ErrorCode::UnknownRepositoryId;
            return Err(RegistryError::error(code, context));
        }
        self.decided(unique_id).await?;
        let store = room.store.clone();
        let id = unique_id.to_owned();
        let found = tokio::task::spawn_blocking(move || store.find(&id)).await;
        // What is damaged names no patient any more, but can be removed.
        let label = match found {
            Ok(Ok(stored)) => stored.map(|stored| stored.label),
            _ => None,
        };
        if let Some(guard) = &mut self.guard {
            let came_with = label.as_ref().map(|it| EntryUuid::from(&*it.entry_uuid));
            let id = &document.document_unique_id;
            if !guard.may_remove(id, came_with).await {
                return Err(absent(id));
            }
        }
        if room.config.remove_registered == RemoveRegistered::Refuse {
            self.is_not_registered(document).await?;
        }
        let patient = label.and_then(|label| label.patient_id);
        match room.store.remove(unique_id).await {
            Ok(true) => Ok(patient),
            Ok(false) => Err(absent(&document.document_unique_id)),
            Err(error) => {
                let internal = failure::internal(&error.into());
                Err(left(unique_id, &internal.context))
            }
        }
    }

    /// Waits, as ITI-43 does, until it is decided whether a document that was just provided is
    /// registered: until then some of its bytes are on their way.
    async fn decided(&self, unique_id: &str) -> Result<(), RegistryError> {
        let Room {
            pending, recovery, ..
        } = self.room;
        if pending.has(unique_id) {
            recovery.hurry();
            pending.decided(unique_id, self.deadline).await;
        }
        match pending.has(unique_id) {
            true => Err(left(
                unique_id,
                "it is not known yet whether the registry has registered it; try again later",
            )),
            false => Ok(()),
        }
    }

    /// Refuses if the registry says that the document is here, or does not say anything.
    async fn is_not_registered(&mut self, document: &DocumentRequest) -> Result<(), RegistryError> {
        let unique_id = &document.document_unique_id;
        // One by one: to a question about several patients the registry would not answer.
        let query = StoredQuery::GetDocuments(Names::UniqueIds(vec![unique_id.clone()]));
        let person = self.caller.user.as_ref();
        let (found, event) = iti18::send(
            self.room.registry(),
            person,
            (&query, &iti18::EVERYTHING),
            &[],
        )
        .await;
        self.asked.push(event);
        let here = &document.repository_unique_id;
        let is_registered = match &found {
            Ok(objects) => iti18::document_entries(objects)
                .any(|entry| entry.repository_unique_id.as_ref() == Some(here)),
            // Several patients have it.
            Err(Silence::Refused(errors)) => errors
                .iter()
                .any(|error| error.code == ErrorCode::ResultNotSinglePatient),
            Err(Silence::Away(_)) => false,
        };
        match found {
            _ if is_registered => Err(left(
                unique_id.as_str(),
                "the registry still knows it; remove its metadata first (ITI-62)",
            )),
            Ok(_) => Ok(()),
            Err(silence) => {
                let why = format!(
                    "it is not known whether the registry still knows it: {}",
                    silence.told()
                );
                Err(left(unique_id.as_str(), &why))
            }
        }
    }
}

fn left(unique_id: &str, why: &str) -> RegistryError {
    let context = format!("the document {unique_id} was not removed: {why}");
    RegistryError::error(ErrorCode::RemoveDocumentsError, context)
}

/// One success for the documents of each patient, and one failure for those that are left (RMD
/// supplement, ITI TF-2 3.86.5).
fn event(
    parties: &Parties,
    removed: BTreeMap<Option<String>, Vec<Document>>,
    left: &[Document],
    errors: &[RegistryError],
) -> Event {
    let removed = removed.into_iter().map(|(patient, documents)| {
        Event::documents_removed(parties, patient.as_deref(), &documents, &Outcome::Success)
    });
    let not_removed = (!left.is_empty()).then(|| {
        let failed = outcome(ResponseStatus::Failure, errors);
        Event::documents_removed(parties, None, left, &failed)
    });
    removed
        .chain(not_removed)
        .reduce(Event::and)
        .expect("a request names at least one document, which is removed or left")
}
