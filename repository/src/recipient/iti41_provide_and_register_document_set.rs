//! ITI-41 Provide and Register Document Set-b, to a Document Recipient: keep documents for people.
//!
//! Asked by XDR Document Sources and Metadata-Limited Document Sources; answered by the Document
//! Recipient. A submission is in the inbox, whole and durable, before it is answered with Success.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-41.html>

mod documents;
mod remarks;

use std::time::{SystemTime, UNIX_EPOCH};

use hilum_audit::{Event, Parties, Recorded, Transaction};
use hilum_security::Caller;
use hilum_transport::Attachments;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::{Body, InternationalString, RegistryObject, Slot};
use xds_schemas::ebrs::{RegistryError, RegistryResponse, SubmitObjectsRequest};
use xds_schemas::iti32_distribute_document_set_on_media as iti32;
use xds_schemas::iti41_provide_and_register_document_set::ProvideAndRegisterDocumentSetRequest;
use xds_schemas::metadata::hl7::is_oid;
use xds_schemas::metadata::submission::{Rules, is_limited};
use xds_schemas::metadata::{DocumentEntry, DocumentEntryType, Submission, Timestamp};
use xds_schemas::soap::Fault;

use super::Room;
use super::inbox::{FORMAT, Keeping, Slip, sha1};
use crate::admission::Door;
use crate::blob_store::Measured;
use crate::community;
use crate::failure::Failure;
use crate::iti41_provide_and_register_document_set::{Described, matched};
use crate::iti42_register_document_set::outcome;

/// Who sends, and where and when.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) caller: Caller,
    pub(super) endpoint: String,
    /// The community that the SOAP header names.
    pub(super) home_community_id: Option<String>,
    pub(super) now: SystemTime,
}

/// Takes a submission whole or not at all.
pub(super) async fn answer(
    room: &Room,
    sender: &Sender,
    request: ProvideAndRegisterDocumentSetRequest,
    attachments: Attachments,
) -> Result<Recorded<RegistryResponse>, Fault> {
    let set = Described::by(&request.submit.objects);
    let mut alerts = None;
    let received = receive(room, sender, request, attachments, &mut alerts).await;
    let response = match received {
        Ok(warnings) => RegistryResponse::success(warnings),
        Err(failure) => RegistryResponse::failure(failure.told()?),
    };
    let parties = Parties::answered(&sender.caller, &sender.endpoint);
    let outcome = outcome(response.status, &response.errors);
    let transaction = Transaction::ProvideAndRegister;
    let event = Event::submitted(transaction, &parties, set.audited(), &outcome);
    let event = alerts.into_iter().fold(event, Event::and);
    Ok(room.audit.record(event, response).await?)
}

/// Gives what the sender is to be told of a submission that is in the inbox, and in `alerts` what is
/// alarming about it.
async fn receive(
    room: &Room,
    sender: &Sender,
    request: ProvideAndRegisterDocumentSetRequest,
    attachments: Attachments,
    alerts: &mut Option<Event>,
) -> Result<Vec<RegistryError>, Failure> {
    let ProvideAndRegisterDocumentSetRequest {
        mut submit,
        documents,
    } = request;
    let header = sender.home_community_id.as_deref();
    let mine = room.config.home_community_id.as_ref();
    let home = community::meant_here(mine, header, &submit.slots)?;
    let limited = is_limited(&submit.objects);
    let submission = judged(room, &submit, limited)?;
    let contents = matched(&submission.document_entries, documents)?;
    let door = Door {
        rules: &room.config.access,
        home: mine,
        consents: room.config.consents.clone(),
    };
    *alerts = door.admit(&sender.caller, &submission, sender.now).await?;
    room.inbox.has_room().map_err(Failure::from)?;

    let unique_id = submission.submission_set.unique_id.as_str();
    let arriving = room.inbox.arrive(unique_id).await?;
    let entries = &submission.document_entries;
    let files = file_names(entries);
    let measured = documents::receive(&arriving, entries, &files, contents, attachments).await?;
    verified(entries, &measured)?;
    describe(&mut submit, &files, &measured);
    let metadata = iti32::metadata(&submit);
    let slip = Slip {
        home_community_id: home,
        documents: measured.len() as u64,
        bytes: measured.iter().map(|one| one.size).sum(),
        limited_metadata: limited,
        metadata: sha1(metadata.as_bytes()),
        ..slip(sender, &submission)
    };
    match room.inbox.keep(arriving, slip, metadata).await? {
        // A sender who lost our answer sends again what is here already.
        Keeping::Kept | Keeping::SameAlready => Ok(remarks::on(room, &submission)),
        Keeping::OtherAlready => {
            let set = &submission.submission_set;
            let context = format!(
                "SubmissionSet {} was received before, with other content",
                set.unique_id
            );
            let error = RegistryError::error(ErrorCode::DuplicateUniqueIdInRegistry, context);
            Err(error.at(set.entry_uuid.as_str()).into())
        }
        Keeping::Full => Err(super::inbox::full().into()),
    }
}

/// The submission, if it is one that a recipient may take (ITI TF-2 3.41.4.1.3.1).
fn judged(
    room: &Room,
    submit: &SubmitObjectsRequest,
    limited: bool,
) -> Result<Submission, Failure> {
    let rules = match limited && room.config.limited_metadata {
        true => Rules::ReceiveLimited,
        false => Rules::Receive,
    };
    let submission = Submission::read(&submit.objects, rules).map_err(Failure::Refused)?;
    let mut errors = Vec::new();
    let mut wrong = |id: &str, problem: &str| {
        let error = RegistryError::error(rules.metadata_error(), format!("{id}: {problem}"));
        errors.push(error.at(id));
    };
    let set = &submission.submission_set;
    // The folder in the inbox is called so.
    if !is_oid(set.unique_id.as_str()) {
        let problem = "uniqueId of the SubmissionSet is not an OID";
        wrong(set.entry_uuid.as_str(), problem);
    }
    for entry in &submission.document_entries {
        if entry.entry_type == DocumentEntryType::OnDemand {
            let problem = "an on-demand entry cannot be sent, since it has no document";
            wrong(entry.entry_uuid.as_str(), problem);
        }
    }
    match errors.is_empty() {
        true => Ok(submission),
        false => Err(Failure::Refused(errors)),
    }
}

/// How the documents are called in the inbox, which is laid out as a medium is.
fn file_names(entries: &[DocumentEntry]) -> Vec<String> {
    let name =
        |(at, entry): (usize, &DocumentEntry)| iti32::document_file(at + 1, &entry.mime_type);
    entries.iter().enumerate().map(name).collect()
}

/// What the sender says of hash and size must be true (ITI TF-2 3.41.4.1.3).
fn verified(entries: &[DocumentEntry], measured: &[Measured]) -> Result<(), Failure> {
    let mut errors = Vec::new();
    for (entry, Measured { hash, size }) in entries.iter().zip(measured) {
        let mut wrong = |attribute: &str, said: &str, measured: &str| {
            let context = format!(
                "the document of {} has the {attribute} {measured}, not {said}",
                entry.unique_id
            );
            let error = RegistryError::error(ErrorCode::RepositoryMetadataError, context);
            errors.push(error.at(entry.entry_uuid.as_str()));
        };
        if let Some(said) = entry
            .hash
            .as_ref()
            .filter(|said| !said.eq_ignore_ascii_case(hash))
        {
            wrong("hash", said, hash);
        }
        if let Some(said) = entry.size.filter(|said| said != size) {
            wrong("size", &said.to_string(), &size.to_string());
        }
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Failure::Refused(errors)),
    }
}

/// Makes the metadata what a medium needs: each entry says where its document is, how long, and its
/// hash. Everything else stays as it came.
fn describe(submit: &mut SubmitObjectsRequest, files: &[String], measured: &[Measured]) {
    let objects = &mut submit.objects.objects;
    // The schema wants an id, and some senders leave it out where nothing refers to it.
    for (at, object) in objects.iter_mut().enumerate() {
        if object.id.is_empty() {
            object.id = format!("Association{at}");
        }
    }
    let is_entry =
        |object: &&mut RegistryObject| matches!(object.body, Body::ExtrinsicObject { .. });
    let entries = objects.iter_mut().filter(is_entry);
    for ((object, file), Measured { hash, size }) in entries.zip(files).zip(measured) {
        for (name, value) in [
            ("URI", file.as_str()),
            ("hash", hash),
            ("size", &size.to_string()),
        ] {
            object.slots.retain(|slot| slot.name != name);
            object.slots.push(Slot::single(name, value));
        }
    }
}

/// What is noted of a submission beside it.
fn slip(sender: &Sender, submission: &Submission) -> Slip {
    let set = &submission.submission_set;
    let patients = submission.document_entries.iter();
    let mut patients = patients.filter_map(|entry| entry.patient_id.as_ref());
    let patient = set.patient_id.as_ref().or_else(|| patients.next());
    let caller = &sender.caller;
    let address = || caller.address.ip().to_canonical().to_string();
    let since = sender.now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Slip {
        format: FORMAT,
        unique_id: set.unique_id.to_string(),
        time: Timestamp::from_unix(since.as_secs()).as_str().to_owned(),
        sender: caller
            .node
            .as_ref()
            .map_or_else(address, |node| node.subject.clone()),
        source_id: set.source_id.clone(),
        patient_id: patient.map(ToString::to_string),
        title: set
            .title
            .as_ref()
            .and_then(InternationalString::first)
            .map(str::to_owned),
        intended_recipients: set.intended_recipients.clone(),
        ..Slip::default()
    }
}
