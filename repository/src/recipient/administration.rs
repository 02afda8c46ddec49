//! The inbox in the hands of those who run the recipient: list, give out, remove.

use std::path::PathBuf;

use hilum_audit::{Event, InboxUse, Outcome, Parties, Recorded, SubmissionSet};
use hilum_security::Caller;
use hilum_transport::{Part, PartSource, Reply};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::Body;
use xds_schemas::ebrs::{RegistryError, RegistryResponse, SubmitObjectsRequest};
use xds_schemas::inbox::{
    DeleteSubmission, FetchResponse, FetchSubmission, ListInbox, ListRequest, ListResponse, PAGE,
};
use xds_schemas::iti41_provide_and_register_document_set::{
    Document, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::mtom::Content;
use xds_schemas::soap::Fault;
use xds_schemas::xml::{FromXml, Reader, ToXml, Writer};

use super::Room;
use super::inbox::{Opened, Slip};
use crate::at_rest;
use crate::failure::Failure;

/// A page of what is there, oldest first.
pub(super) async fn list(
    room: &Room,
    caller: &Caller,
    endpoint: &str,
    request: &ListRequest,
) -> Result<Recorded<Reply>, Fault> {
    let (total, slips) = room.inbox.list(request.skip, PAGE);
    let response = ListResponse {
        total,
        submissions: slips.into_iter().map(Slip::into_words).collect(),
    };
    let parties = Parties::answered(caller, endpoint);
    let event = Event::inbox_used(&parties, InboxUse::Listed, &Outcome::Success);
    let reply = Reply::of::<ListInbox>(&response);
    Ok(room.audit.record(event, reply).await?)
}

/// A submission as it is kept, with its documents.
pub(super) async fn fetch(
    room: &Room,
    caller: &Caller,
    endpoint: &str,
    unique_id: String,
) -> Result<Recorded<Reply>, Fault> {
    let opened = open(room, unique_id.clone()).await;
    let mut writer = Writer::with_capacity(16 * 1024);
    let (patient, outcome, parts) = match opened {
        Ok((slip, (submission, parts))) => {
            FetchResponse::found(submission).to_xml(&mut writer);
            (slip.patient_id, Outcome::Success, parts)
        }
        Err(failure) => {
            let error = failure.told()?.remove(0);
            let outcome = Outcome::Failure(error.code.to_string());
            FetchResponse::refused(error).to_xml(&mut writer);
            (None, outcome, Vec::new())
        }
    };
    let parties = Parties::answered(caller, endpoint);
    let set = SubmissionSet {
        unique_id: &unique_id,
        patient: patient.as_deref(),
    };
    let event = Event::inbox_used(&parties, InboxUse::Fetched(set), &outcome);
    let reply = Reply::mtom::<FetchSubmission>(writer.finish(), parts);
    Ok(room.audit.record(event, reply).await?)
}

async fn open(
    room: &Room,
    unique_id: String,
) -> Result<(Slip, (ProvideAndRegisterDocumentSetRequest, Vec<Part>)), Failure> {
    let opened = room.inbox.open_submission(unique_id.clone()).await?;
    let opened = opened.ok_or_else(|| unknown(&unique_id))?;
    let attach = move || {
        let attached = attached(&opened)?;
        Ok((opened.slip, attached))
    };
    let attached = tokio::task::spawn_blocking(attach).await;
    let attached = attached.map_err(anyhow::Error::from).and_then(|done| done);
    attached.map_err(Failure::Internal)
}

/// Removes a submission for good.
pub(super) async fn delete(
    room: &Room,
    caller: &Caller,
    endpoint: &str,
    unique_id: String,
) -> Result<Recorded<Reply>, Fault> {
    let deleted = room.inbox.delete(unique_id.clone()).await;
    let deleted = deleted
        .map_err(Failure::from)
        .and_then(|slip| slip.ok_or_else(|| unknown(&unique_id).into()));
    let (patient, response) = match deleted {
        Ok(slip) => (slip.patient_id, RegistryResponse::success(Vec::new())),
        Err(failure) => (None, RegistryResponse::failure(failure.told()?)),
    };
    let outcome = crate::iti42_register_document_set::outcome(response.status, &response.errors);
    let parties = Parties::answered(caller, endpoint);
    let set = SubmissionSet {
        unique_id: &unique_id,
        patient: patient.as_deref(),
    };
    let event = Event::inbox_used(&parties, InboxUse::Deleted(set), &outcome);
    let reply = Reply::of::<DeleteSubmission>(&response);
    Ok(room.audit.record(event, reply).await?)
}

fn unknown(unique_id: &str) -> RegistryError {
    let context = format!("there is no submission {unique_id} in the inbox");
    RegistryError::error(ErrorCode::DocumentUniqueIdError, context).at(unique_id)
}

/// The submission with references to its documents, and the documents in their files.
fn attached(opened: &Opened) -> anyhow::Result<(ProvideAndRegisterDocumentSetRequest, Vec<Part>)> {
    let mut reader = Reader::new(&opened.metadata)?;
    let root = reader.root()?;
    let submit = SubmitObjectsRequest::from_xml(&mut reader, &root)?;
    let mut documents = Vec::new();
    let mut parts = Vec::new();
    for object in &submit.objects.objects {
        let Body::ExtrinsicObject { mime_type, .. } = &object.body else {
            continue;
        };
        let uri = object.slot("URI").and_then(|slot| slot.values.first());
        // The names of the files are ours, so that there is no other one in the folder.
        let path = uri.map(|uri| opened.folder.join(uri));
        let path = path.ok_or_else(|| anyhow::anyhow!("an entry in the inbox has no URI"))?;
        let content_id = format!("document-{}@hilum", parts.len() + 1);
        documents.push(Document {
            id: object.id.clone(),
            content: Content::Include(content_id.clone()),
        });
        let octets = || "application/octet-stream".to_owned();
        parts.push(Part {
            content_id,
            content_type: mime_type.clone().unwrap_or_else(octets),
            source: source(path)?,
        });
    }
    let request = ProvideAndRegisterDocumentSetRequest { submit, documents };
    Ok((request, parts))
}

fn source(path: PathBuf) -> std::io::Result<PartSource> {
    let opened = hilum_security::at_rest::open(&path)?;
    let length = opened.length()?;
    Ok(at_rest::source(path, length, !opened.is_sealed()))
}
