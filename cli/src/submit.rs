//! `hilum submit`: hands in documents by ITI-41 Provide and Register Document Set-b.

mod arguments;
mod build;
mod content;
mod description;
mod outcome;
pub(crate) mod prepared;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use hilum_audit::{Audit, Event, Parties, SubmissionSet, Transaction};
use hilum_transport::{ClientError, Part, PartSource};
use xds_schemas::codes::ebrim_uuids;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::ebrs::{RegistryResponse, SubmitObjectsRequest};
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::iti41_provide_and_register_document_set::{
    Document, ProvideAndRegisterDocumentSet, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::iti80_cross_gateway_document_provide::name_in;
use xds_schemas::metadata::{AssociationType, EntryUuid, HomeCommunityId, Timestamp};
use xds_schemas::mtom;
use xds_schemas::rad68_provide_and_register_imaging_document_set as rad68;
use xds_schemas::xml::{ToXml, Writer};

use crate::client::{self, Node};
use crate::domain::Domain;
use crate::query::{self, Question};
use crate::refusal::{By, judge};
use crate::status::Usage;
use crate::terminal::{bytes_bar, say, say_json, tell, waiting};

use build::{Builder, Related};
use content::Content;
use description::Description;

pub(crate) use arguments::Arguments;
pub(crate) use content::extension;

/// A request with the files that it refers to.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) request: ProvideAndRegisterDocumentSetRequest,
    pub(crate) parts: Vec<Part>,
    /// The community for which it is meant, if it is not this one.
    pub(crate) community: Option<HomeCommunityId>,
}

impl Prepared {
    /// Adds a part as the document with this id.
    pub(crate) fn attach(&mut self, id: &str, part: Part) {
        self.request.documents.push(Document {
            id: id.to_owned(),
            content: mtom::Content::Include(part.content_id.clone()),
        });
        self.parts.push(part);
    }

    /// Adds a file as the document with this id.
    pub(crate) fn attach_file(&mut self, id: &str, mime_type: &str, path: PathBuf, length: u64) {
        let part = Part {
            content_id: format!("document{}@hilum", self.parts.len() + 1),
            content_type: mime_type.to_owned(),
            source: PartSource::File {
                path,
                offset: 0,
                length,
            },
        };
        self.attach(id, part);
    }
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let mut prepared = match &arguments.xml {
        Some(file) => prepared::read(file, &arguments.document)?,
        None => described(arguments, &node).await?,
    };
    if let Some(home) = &arguments.community {
        let home = match home.starts_with("urn:oid:") {
            true => HomeCommunityId::from(home.as_str()),
            false => HomeCommunityId(format!("urn:oid:{home}")),
        };
        name_in(&mut prepared.request.submit.slots, &home);
        prepared.community = Some(home);
    }
    if arguments.print {
        let mut writer = Writer::default();
        prepared.request.to_xml(&mut writer);
        say(&writer.finish())?;
        return Ok(());
    }
    let ledger = node.ledger()?;
    // What was sent is told after the answer has come, when the request is gone.
    let objects = prepared.request.submit.objects.objects.clone();
    let response = send(&node, &ledger, prepared).await?;
    let repository = match &arguments.community {
        // Where another community keeps it, only that one knows.
        Some(_) => None,
        None => node.config.repository_unique_id(),
    };
    if arguments.json {
        let json = outcome::json(&objects, &response, repository);
        say_json(&json)?;
    } else if response.status == ResponseStatus::Success {
        say(&outcome::table(&objects, repository).text())?;
    }
    let (by, what) = match &arguments.community {
        Some(_) => (By::Gateway, "the community did not take the submission"),
        None => (By::Room, "the repository refused the submission"),
    };
    let judged = judge(response.status, &response.errors, what);
    Ok(judged.map_err(|refused| refused.by(by))?)
}

/// Sends the request, and records that it was sent before anybody sees the answer.
pub(crate) async fn send(
    node: &Node,
    ledger: &Audit,
    prepared: Prepared,
) -> anyhow::Result<RegistryResponse> {
    let Prepared {
        request,
        parts,
        community,
    } = prepared;
    let (url, client) = match &community {
        Some(home) => (node.initiating()?, node.client.for_community(home.as_str())),
        None => (node.repository()?, node.client.clone()),
    };
    let set = submission_set(&request.submit);
    let value = |scheme| set.and_then(|set| set.external_identifier(scheme));
    let progress = waiting("sending");
    let answer = client.send::<ProvideAndRegisterDocumentSet>(&url, &request, parts);
    let answer = answer.await;
    progress.finish_and_clear();
    let outcome = client::outcome(&answer, |response| (response.status, &response.errors[..]));
    let set = SubmissionSet {
        unique_id: value(ebrim_uuids::submission_set::UNIQUE_ID).unwrap_or_default(),
        patient: value(ebrim_uuids::submission_set::PATIENT_ID),
    };
    let transaction = match request
        .submit
        .objects
        .objects
        .iter()
        .any(rad68::is_manifest)
    {
        true => Transaction::ProvideAndRegisterImaging,
        false => Transaction::ProvideAndRegister,
    };
    let event = Event::submitted(transaction, &Parties::asked(&url), set, &outcome);
    let answer = ledger.record(event, answer).await?.into_inner();
    let lost = matches!(&answer, Err(ClientError::Unreachable { sent: true, .. }));
    let answer = answer.map_err(anyhow::Error::from);
    match lost {
        true => Ok(answer.with_context(|| uncertain(&request.submit))?.response),
        false => Ok(answer?.response),
    }
}

/// What to do if the answer was lost.
fn uncertain(submit: &SubmitObjectsRequest) -> String {
    let ids: Vec<&str> = outcome::entries(&submit.objects.objects)
        .map(|(_, id)| id)
        .collect();
    format!(
        "the documents may be registered or not; before they are submitted again, ask: \
         hilum query documents --unique-id {}",
        ids.join(" ")
    )
}

/// The request that files and options describe.
async fn described(arguments: &Arguments, node: &Node) -> anyhow::Result<Prepared> {
    let description = Description::of(arguments)?;
    let domain = Domain::of(&node.config)?;
    let Some(patient) = &description.patient else {
        return Err(Usage::new("whose documents are they? Say --patient ID").into());
    };
    let patient = domain.patient(patient)?;
    let related = related(arguments, node).await?;
    let contents = contents(&arguments.files)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut builder = Builder::new(&domain, patient, Timestamp::from_unix(now.as_secs()));
    let home = &node.config.home_community_id;
    let source_id = home.strip_prefix("urn:oid:").unwrap_or(home);
    let submission = builder.submission(&description, &contents, related, source_id)?;
    if !builder.assumed.is_empty() {
        let assumed = builder.assumed.join(", ");
        tell(&format!("not given, so the affinity domain's: {assumed}"));
    }
    let mut prepared = Prepared::default();
    prepared.request.submit.objects = submission.to_ebrim();
    for (entry, content) in submission.document_entries.iter().zip(contents) {
        let id = entry.entry_uuid.as_str();
        prepared.attach_file(id, &entry.mime_type, content.path, content.size);
    }
    Ok(prepared)
}

fn contents(files: &[PathBuf]) -> Result<Vec<Content>, Usage> {
    let length = |file: &PathBuf| std::fs::metadata(file).map_or(0, |facts| facts.len());
    let progress = bytes_bar(files.iter().map(length).sum(), "reading");
    let contents = files
        .iter()
        .map(|file| Content::read(file, &progress))
        .collect();
    progress.finish_and_clear();
    contents
}

/// Finds in the registry what the options refer to.
async fn related(arguments: &Arguments, node: &Node) -> anyhow::Result<Related> {
    let relations = &arguments.relations;
    let documents = [
        (AssociationType::Replace, &relations.replaces),
        (AssociationType::Append, &relations.appends_to),
        (AssociationType::Transform, &relations.transforms),
    ];
    let mut related = Related::default();
    for (how, id) in documents {
        let Some(id) = id else {
            continue;
        };
        if arguments.files.len() != 1 {
            return Err(
                Usage::new("only one document can replace, append or transform another").into(),
            );
        }
        related.documents.push((how, document(node, id).await?));
    }
    if let Some(id) = &relations.folder {
        related.folder = Some(folder(node, id).await?);
    }
    let title = relations.new_folder.clone();
    related.new_folder = title.map(|title| (title, relations.folder_code.clone()));
    Ok(related)
}

/// The entryUUID of a registered document that is in force.
async fn document(node: &Node, id: &str) -> anyhow::Result<EntryUuid> {
    let Names::UniqueIds(names) = query::name(id) else {
        return Ok(EntryUuid::from(id));
    };
    let question = Question::from(&StoredQuery::GetDocuments(Names::UniqueIds(names)));
    let found = query::find(node, &node.ledger()?, &question).await?;
    let approved = found
        .documents
        .iter()
        .filter(|document| document.availability_status != Some(AvailabilityStatus::Deprecated));
    let approved: Vec<&EntryUuid> = approved.map(|document| &document.entry_uuid).collect();
    match approved.as_slice() {
        [one] => Ok((*one).clone()),
        [] if found.documents.is_empty() => anyhow::bail!("the registry has no document {id}"),
        [] => anyhow::bail!("document {id} is deprecated, so nothing can be related to it"),
        _ => anyhow::bail!("there are several documents {id}; name one by its entryUUID"),
    }
}

/// The entryUUID of a registered folder.
async fn folder(node: &Node, id: &str) -> anyhow::Result<EntryUuid> {
    let Names::UniqueIds(names) = query::name(id) else {
        return Ok(EntryUuid::from(id));
    };
    let question = Question::from(&StoredQuery::GetFolders(Names::UniqueIds(names)));
    let found = query::find(node, &node.ledger()?, &question).await?;
    let first = found.folders.into_iter().next();
    first
        .map(|folder| folder.entry_uuid)
        .ok_or_else(|| anyhow::anyhow!("the registry has no folder {id}"))
}

/// The submission set, which is recorded.
fn submission_set(submit: &SubmitObjectsRequest) -> Option<&RegistryObject> {
    let unique_id = ebrim_uuids::submission_set::UNIQUE_ID;
    let objects = &submit.objects.objects;
    objects
        .iter()
        .find(|object| object.external_identifier(unique_id).is_some())
}
