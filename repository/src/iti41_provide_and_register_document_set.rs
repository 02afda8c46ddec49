//! ITI-41 Provide and Register Document Set-b: take documents and have them registered.
//!
//! Asked by Document Sources and, as RAD-68, by Imaging Document Sources; answered by the Document
//! Repository. A document is on disk before the registry is told of it, and can be retrieved when
//! the registry has accepted the submission; if it does not, nothing of the submission remains.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-41.html>

mod names;
mod reception;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::SystemTime;

use hilum_audit::{Event, Parties, Recorded, SubmissionSet, Transaction};
use hilum_security::{Caller, Permission};
use hilum_transport::Attachments;
use xds_schemas::codes::ebrim_uuids::submission_set;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::{RegistryObject, RegistryObjectList, Slot};
use xds_schemas::ebrs::{RegistryError, RegistryResponse, SubmitObjectsRequest};
use xds_schemas::iti41_provide_and_register_document_set::{
    Document, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::metadata::submission::Rules;
use xds_schemas::metadata::{DocumentEntry, EntryUuid, Submission};
use xds_schemas::mtom::Content;
use xds_schemas::rad68_provide_and_register_imaging_document_set as rad68;
use xds_schemas::soap::Fault;

use crate::Room;
use crate::access::Guard;
use crate::admission::Door;
use crate::blob_store::{Arrival, BlobStore, Label};
use crate::community;
use crate::consents::Consents;
use crate::failure::Failure;
use crate::iti42_register_document_set::{self as iti42, Registration};
use crate::recovery::Submitted;

use names::Names;

/// Takes a submission whole or not at all. The SOAP header may name the community that it is meant
/// for.
pub(crate) async fn answer(
    room: &Room,
    caller: &Caller,
    endpoint: &str,
    home_community_id: Option<&str>,
    request: ProvideAndRegisterDocumentSetRequest,
    attachments: Attachments,
) -> Result<Recorded<RegistryResponse>, Fault> {
    let set = Described::by(&request.submit.objects);
    let mut asked = Vec::new();
    let mine = room.config.home_community_id.as_ref();
    let provided = match community::meant_here(mine, home_community_id, &request.submit.slots) {
        Ok(_) => provide(room, caller, &set, request, attachments, &mut asked).await,
        Err(error) => Err(error.into()),
    };
    let response = match provided {
        Ok(warnings) => RegistryResponse::success(warnings),
        Err(failure) => RegistryResponse::failure(failure.told()?),
    };
    let parties = Parties::answered(caller, endpoint);
    let outcome = iti42::outcome(response.status, &response.errors);
    let event = Event::submitted(set.transaction, &parties, set.audited(), &outcome);
    let event = asked.into_iter().fold(event, Event::and);
    Ok(room.audit.record(event, response).await?)
}

/// Gives the registry's remarks on a submission that it has accepted. What is to be recorded of
/// the question put to the registry is left in `asked`.
async fn provide(
    room: &Room,
    caller: &Caller,
    set: &Described,
    request: ProvideAndRegisterDocumentSetRequest,
    attachments: Attachments,
    asked: &mut Vec<Event>,
) -> Result<Vec<RegistryError>, Failure> {
    let read = Submission::read(&request.submit.objects, Rules::Provide);
    let mut submission = read.map_err(Failure::Refused)?;
    let contents = matched(&submission.document_entries, request.documents)?;
    let door = Door {
        rules: &room.config.access,
        home: room.config.home_community_id.as_ref(),
        consents: Some(Consents::of(room.client.clone(), &room.config.registry)),
    };
    asked.extend(door.admit(caller, &submission, SystemTime::now()).await?);
    // The names are chosen here, so that the registry can be asked for them (ITI TF-3 4.2.1.5).
    let mut names = Names::choose(&mut submission);
    let guard = Guard::of(room, (caller, Permission::Provide), SystemTime::now());
    if let Some(guard) = guard {
        asked.extend(hide(guard, &mut submission, &mut names).await);
    }
    let described = Submitting {
        set,
        slots: request.submit.slots,
        submission,
    };
    match hand_in(room, caller, described, contents, attachments, asked).await {
        Ok(warnings) => Ok(names.told(warnings)),
        Err(Failure::Refused(errors)) => Err(Failure::Refused(names.told(errors))),
        Err(failure) => Err(failure),
    }
}

/// Lets what refers to documents and folders of which the sender may not know refer to nothing, so that the
/// registry refuses it as what refers to something that is not there. Gives what is to be recorded of this.
async fn hide(mut guard: Guard<'_>, submission: &mut Submission, names: &mut Names) -> Vec<Event> {
    let own: HashSet<EntryUuid> = submission.entry_uuids().into_iter().collect();
    let associations = submission.associations.iter();
    let ends = associations.flat_map(|it| [&it.source, &it.target]);
    let elsewhere: BTreeSet<EntryUuid> = ends.filter(|end| !own.contains(*end)).cloned().collect();
    if elsewhere.is_empty() {
        return guard.into_events();
    }
    for hidden in guard.hidden(elsewhere.into_iter().collect()).await {
        let nothing = names.stand_in(&hidden);
        for association in &mut submission.associations {
            for end in [&mut association.source, &mut association.target] {
                if end.as_str().eq_ignore_ascii_case(hidden.as_str()) {
                    end.clone_from(&nothing);
                }
            }
        }
    }
    guard.into_events()
}

/// What is submitted, without the documents themselves.
struct Submitting<'s> {
    set: &'s Described,
    slots: Vec<Slot>,
    submission: Submission,
}

/// Takes the documents and registers them. What is said of it has the names that were chosen here.
async fn hand_in(
    room: &Room,
    caller: &Caller,
    described: Submitting<'_>,
    contents: Vec<Content>,
    attachments: Attachments,
    asked: &mut Vec<Event>,
) -> Result<Vec<RegistryError>, Failure> {
    let mut submission = described.submission;
    let entries = &mut submission.document_entries;
    let arrivals = reception::receive(&room.store, entries, contents, attachments).await?;
    measured(entries, &arrivals)?;
    for entry in entries {
        entry.repository_unique_id = Some(room.config.repository_unique_id.clone());
    }
    not_taken(&room.store, &arrivals).await?;
    room.store.make_durable(&arrivals).await?;

    let request = SubmitObjectsRequest {
        slots: described.slots,
        objects: submission.to_ebrim(),
    };
    let submitted = Submitted::new(room, arrivals);
    let set = described.set.audited();
    let (registration, event) = iti42::send(room, caller, set, &request).await;
    asked.push(event);
    match registration {
        Registration::Registered(warnings) => {
            submitted.keep().await?;
            Ok(warnings)
        }
        Registration::Refused(errors) => {
            submitted.discard();
            Err(Failure::Refused(errors))
        }
        Registration::Unknown(_) if submitted.ask().await => Ok(Vec::new()),
        Registration::Unknown(error) => Err(error.into()),
    }
}

/// The content of the document of each entry, in the order of the entries: each has one, and each
/// document has an entry.
pub(crate) fn matched(
    entries: &[DocumentEntry],
    documents: Vec<Document>,
) -> Result<Vec<Content>, Failure> {
    let mut errors = Vec::new();
    let of_entries: HashMap<&str, usize> = entries
        .iter()
        .enumerate()
        .map(|(at, entry)| (entry.entry_uuid.as_str(), at))
        .collect();
    let mut contents: Vec<Option<Content>> = entries.iter().map(|_| None).collect();
    for Document { id, content } in documents {
        let entry = of_entries.get(id.as_str());
        let context = match entry.map(|at| &mut contents[*at]) {
            Some(place @ None) => {
                *place = Some(content);
                continue;
            }
            Some(Some(_)) => format!("the document entry {id} has more than one document"),
            None => format!("the document {id} has no document entry"),
        };
        let code = ErrorCode::MissingDocumentMetadata;
        errors.push(RegistryError::error(code, context).at(id));
    }
    for (entry, content) in entries.iter().zip(&contents) {
        if content.is_none() {
            let id = entry.entry_uuid.as_str();
            let context = format!("the document entry {id} has no document");
            errors.push(RegistryError::error(ErrorCode::MissingDocument, context).at(id));
        }
    }
    if errors.is_empty() {
        Ok(contents.into_iter().flatten().collect())
    } else {
        Err(Failure::Refused(errors))
    }
}

/// Writes hash and size into the entries. What the source says of them must be true (ITI-41
/// section 3.41.4.1.3).
fn measured(entries: &mut [DocumentEntry], arrivals: &[Arrival]) -> Result<(), Failure> {
    let mut errors = Vec::new();
    for (entry, arrival) in entries.iter_mut().zip(arrivals) {
        let Label { hash, size, .. } = &arrival.label;
        let mut wrong = |attribute: &str, said: &str, measured: &str| {
            let context = format!(
                "the document of {} has the {attribute} {measured}, not {said}",
                arrival.label.unique_id
            );
            let code = ErrorCode::RepositoryMetadataError;
            errors.push(RegistryError::error(code, context).at(&arrival.label.entry_uuid));
        };
        match &entry.hash {
            Some(said) if !said.eq_ignore_ascii_case(hash) => wrong("hash", said, hash),
            _ => entry.hash = Some(hash.clone()),
        }
        match entry.size {
            Some(said) if said != *size => wrong("size", &said.to_string(), &size.to_string()),
            _ => entry.size = Some(*size),
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Failure::Refused(errors))
    }
}

/// A uniqueId stands for the same bytes for ever. The registry says so too, but it may have
/// forgotten what is kept here.
async fn not_taken(store: &BlobStore, arrivals: &[Arrival]) -> Result<(), Failure> {
    let store = store.clone();
    let labels: Vec<Label> = arrivals
        .iter()
        .map(|arrival| arrival.label.clone())
        .collect();
    let search = move || {
        let mut errors = Vec::new();
        for label in labels {
            let Some(there) = store.find(&label.unique_id)? else {
                continue;
            };
            let differs = [
                (
                    there.label.hash != label.hash,
                    ErrorCode::NonIdenticalHash,
                    "hash",
                ),
                (
                    there.label.size != label.size,
                    ErrorCode::NonIdenticalSize,
                    "size",
                ),
            ];
            for (_, code, what) in differs.into_iter().filter(|(differs, ..)| *differs) {
                let context = format!("{} is kept here with another {what}", label.unique_id);
                errors.push(RegistryError::error(code, context).at(&label.entry_uuid));
            }
        }
        Ok::<_, std::io::Error>(errors)
    };
    let searched = tokio::task::spawn_blocking(search).await;
    let errors = searched.map_err(|error| Failure::Internal(error.into()))??;
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Failure::Refused(errors))
    }
}

/// What the audit says of a submission, as far as it can be read.
#[derive(Debug)]
pub(crate) struct Described {
    transaction: Transaction,
    unique_id: String,
    patient_id: Option<String>,
}

impl Described {
    pub(crate) fn by(objects: &RegistryObjectList) -> Self {
        let set = objects
            .objects
            .iter()
            .find(|object| is_set(objects, object));
        let identifier = |scheme| {
            let value = set.and_then(|set| set.external_identifier(scheme));
            value.map(str::to_owned)
        };
        let is_imaging = objects.objects.iter().any(rad68::is_manifest);
        Self {
            transaction: if is_imaging {
                Transaction::ProvideAndRegisterImaging
            } else {
                Transaction::ProvideAndRegister
            },
            unique_id: identifier(submission_set::UNIQUE_ID).unwrap_or_default(),
            patient_id: identifier(submission_set::PATIENT_ID),
        }
    }

    pub(crate) fn audited(&self) -> SubmissionSet<'_> {
        SubmissionSet {
            unique_id: &self.unique_id,
            patient: self.patient_id.as_deref(),
        }
    }
}

/// Whether this is the submission set; the classification may stand in it or beside it.
fn is_set(objects: &RegistryObjectList, object: &RegistryObject) -> bool {
    object.is_classified_as(submission_set::NODE)
        || objects.loose_classifications.iter().any(|beside| {
            beside.node.as_deref() == Some(submission_set::NODE)
                && beside.classified_object == object.id
        })
}
