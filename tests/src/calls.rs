//! The calls that peers make, counted so that the audit records can be compared with them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hilum_transport::{Answer, Attachments, ClientError, Part, PartSource};
use sha1::{Digest, Sha1};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{AdhocQueryResponse, RegistryResponse};
use xds_schemas::iti52_document_metadata_subscribe::SubscribeResponse;
use xds_schemas::iti69_create_destroy_pull_point::CreatePullPointResponse;
use xds_schemas::iti70_pull_notification::GetMessagesResponse;
use xds_schemas::mtom;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

use crate::Town;
use crate::words::{self, Submission};

/// Documents up to this size are kept when they are retrieved; of longer ones only the hash.
const KEPT: usize = 16 * 1024 * 1024;

/// A body that is sent as it is, or was received.
#[derive(Debug, Clone)]
pub struct Raw(pub String);

impl ToXml for Raw {
    fn to_xml(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }
}

impl FromXml for Raw {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        reader.skip()?;
        Ok(Self(element.name().to_owned()))
    }
}

macro_rules! transactions {
    ($($(#[doc = $doc:literal])* $name:ident: $action:literal => $answer:literal, $mtom:literal, $response:ty;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl Transaction for $name {
            const ACTION: &'static str = $action;
            const RESPONSE_ACTION: &'static str = $answer;
            const MTOM: bool = $mtom;
            type Request = Raw;
            type Response = $response;
        }
    )*};
}

transactions! {
    /// ITI-41 and RAD-68.
    Provide: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
        => "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse", true, RegistryResponse;
    /// ITI-42.
    Register: "urn:ihe:iti:2007:RegisterDocumentSet-b"
        => "urn:ihe:iti:2007:RegisterDocumentSet-bResponse", false, RegistryResponse;
    /// ITI-18.
    Query: "urn:ihe:iti:2007:RegistryStoredQuery"
        => "urn:ihe:iti:2007:RegistryStoredQueryResponse", false, AdhocQueryResponse;
    /// ITI-51.
    QuerySeveral: "urn:ihe:iti:2009:MultiPatientStoredQuery"
        => "urn:ihe:iti:2009:MultiPatientStoredQueryResponse", false, AdhocQueryResponse;
    /// ITI-57.
    Update: "urn:ihe:iti:2010:UpdateDocumentSet"
        => "urn:ihe:iti:2010:UpdateDocumentSetResponse", false, RegistryResponse;
    /// ITI-62.
    RemoveMetadata: "urn:ihe:iti:2010:DeleteDocumentSet"
        => "urn:ihe:iti:2010:DeleteDocumentSetResponse", false, RegistryResponse;
    /// ITI-92.
    RestrictedUpdate: "urn:ihe:iti:2018:RestrictedUpdateDocumentSet"
        => "urn:ihe:iti:2018:RestrictedUpdateDocumentSetResponse", false, RegistryResponse;
    /// ITI-43.
    Retrieve: "urn:ihe:iti:2007:RetrieveDocumentSet"
        => "urn:ihe:iti:2007:RetrieveDocumentSetResponse", true, RetrieveResponse;
    /// ITI-61.
    RegisterOnDemand: "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry"
        => "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse", false, RegistryResponse;
    /// ITI-86.
    Remove: "urn:ihe:iti:2017:RemoveDocuments"
        => "urn:ihe:iti:2017:RemoveDocumentsResponse", false, RegistryResponse;
    /// ITI-38.
    CrossQuery: "urn:ihe:iti:2007:CrossGatewayQuery"
        => "urn:ihe:iti:2007:CrossGatewayQueryResponse", false, AdhocQueryResponse;
    /// ITI-39.
    CrossRetrieve: "urn:ihe:iti:2007:CrossGatewayRetrieve"
        => "urn:ihe:iti:2007:CrossGatewayRetrieveResponse", true, RetrieveResponse;
    /// ITI-80.
    CrossProvide: "urn:ihe:iti:2015:CrossGatewayDocumentProvide"
        => "urn:ihe:iti:2015:CrossGatewayDocumentProvideResponse", true, RegistryResponse;
    /// RAD-75.
    CrossRetrieveImages: "urn:ihe:rad:2011:CrossGatewayRetrieveImagingDocumentSet"
        => "urn:ihe:rad:2011:CrossGatewayRetrieveImagingDocumentSetResponse", true, RetrieveResponse;
    /// RAD-69.
    RetrieveImages: "urn:ihe:rad:2009:RetrieveImagingDocumentSet"
        => "urn:ihe:iti:2007:RetrieveDocumentSetResponse", true, RetrieveResponse;
    /// ITI-52, to begin.
    Subscribe: "http://docs.oasis-open.org/wsn/bw-2/NotificationProducer/SubscribeRequest"
        => "http://docs.oasis-open.org/wsn/bw-2/NotificationProducer/SubscribeResponse", false, SubscribeResponse;
    /// ITI-52, to cancel.
    Unsubscribe: "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest"
        => "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeResponse", false, Raw;
    /// ITI-54.
    Publish: "http://docs.oasis-open.org/wsn/bw-2/NotificationConsumer/Notify" => "", false, Raw;
    /// ITI-69, to make a pull point.
    CreatePullPoint: "http://docs.oasis-open.org/wsn/bw-2/CreatePullPoint/CreatePullPointRequest"
        => "http://docs.oasis-open.org/wsn/bw-2/CreatePullPoint/CreatePullPointResponse", false, CreatePullPointResponse;
    /// ITI-69, to remove it.
    DestroyPullPoint: "http://docs.oasis-open.org/wsn/bw-2/PullPoint/DestroyPullPointRequest"
        => "http://docs.oasis-open.org/wsn/bw-2/PullPoint/DestroyPullPointResponse", false, Raw;
    /// ITI-70.
    GetMessages: "http://docs.oasis-open.org/wsn/bw-2/PullPoint/GetMessagesRequest"
        => "http://docs.oasis-open.org/wsn/bw-2/PullPoint/GetMessagesResponse", false, GetMessagesResponse;
}

/// `xds:RetrieveDocumentSetResponse` as it is written, its documents still references.
#[derive(Debug)]
pub struct RetrieveResponse {
    response: RegistryResponse,
    documents: Vec<DocumentResponse>,
}

#[derive(Debug, Default)]
struct DocumentResponse {
    home: Option<String>,
    repository: String,
    unique_id: String,
    new_repository: Option<String>,
    new_unique_id: Option<String>,
    mime_type: String,
    content_id: String,
}

impl RetrieveResponse {
    /// How it ended, and what is missing.
    pub const fn response(&self) -> &RegistryResponse {
        &self.response
    }
}

impl FromXml for RetrieveResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::XDS, "RetrieveDocumentSetResponse") {
            return Err(reader.unexpected(element, "xds:RetrieveDocumentSetResponse"));
        }
        let first = reader
            .child()?
            .ok_or_else(|| reader.error("no rs:RegistryResponse"))?;
        let response = RegistryResponse::from_xml(reader, &first)?;
        let mut documents = Vec::new();
        while let Some(child) = reader.child()? {
            if !child.is(ns::XDS, "DocumentResponse") {
                return Err(reader.unexpected(&child, "xds:DocumentResponse"));
            }
            documents.push(read_document(reader)?);
        }
        Ok(Self {
            response,
            documents,
        })
    }
}

impl ToXml for RetrieveResponse {
    fn to_xml(&self, writer: &mut Writer) {
        self.response.to_xml(writer);
    }
}

fn read_document(reader: &mut Reader<'_>) -> Result<DocumentResponse, XmlError> {
    let mut document = DocumentResponse::default();
    while let Some(field) = reader.child()? {
        match field.name() {
            "HomeCommunityId" => document.home = Some(reader.text()?.into_owned()),
            "RepositoryUniqueId" => document.repository = reader.text()?.into_owned(),
            "DocumentUniqueId" => document.unique_id = reader.text()?.into_owned(),
            "NewRepositoryUniqueId" => {
                document.new_repository = Some(reader.text()?.into_owned());
            }
            "NewDocumentUniqueId" => document.new_unique_id = Some(reader.text()?.into_owned()),
            "mimeType" => document.mime_type = reader.text()?.into_owned(),
            "Document" => {
                let include = reader.child()?;
                let include = include.ok_or_else(|| reader.error("no xop:Include"))?;
                document.content_id = mtom::content_id(&reader.required(&include, "href")?);
                reader.skip()?;
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(document)
}

/// What was retrieved.
#[derive(Debug)]
pub struct Retrieved {
    /// How it ended, and what is missing.
    pub response: RegistryResponse,
    /// What came, in the order of the answer.
    pub documents: Vec<RetrievedDocument>,
}

/// A document that was retrieved.
#[derive(Debug)]
pub struct RetrievedDocument {
    /// `HomeCommunityId`.
    pub home: Option<String>,
    /// `RepositoryUniqueId`.
    pub repository: String,
    /// `DocumentUniqueId`.
    pub unique_id: String,
    /// `NewRepositoryUniqueId`.
    pub new_repository: Option<String>,
    /// `NewDocumentUniqueId`.
    pub new_unique_id: Option<String>,
    /// `mimeType`.
    pub mime_type: String,
    /// How many bytes came.
    pub size: u64,
    /// SHA-1 of them.
    pub sha1: String,
    /// The bytes, if they are not too many.
    pub content: Vec<u8>,
}

/// How many audit records there must be, by transaction and event.
#[derive(Debug, Default)]
pub struct Expected(Mutex<BTreeMap<(&'static str, &'static str), usize>>);

impl Expected {
    /// That many more.
    pub fn add(&self, transaction: &'static str, event: &'static str, records: usize) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((transaction, event)).or_default() += records;
    }

    /// All of them.
    pub fn counts(&self) -> BTreeMap<(&'static str, &'static str), usize> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }
}

/// A partial success is recorded as a success and a failure.
fn records(status: ResponseStatus) -> usize {
    match status {
        ResponseStatus::PartialSuccess => 2,
        ResponseStatus::Success | ResponseStatus::Failure => 1,
    }
}

impl Town {
    /// Asks, and takes the answer where the town's client wants it.
    async fn ask<T: Transaction>(
        &self,
        url: &str,
        request: &T::Request,
        parts: Vec<Part>,
    ) -> Result<Answer<T::Response>, ClientError> {
        let client = &self.client;
        match &self.answers {
            None => client.send::<T>(url, request, parts).await,
            Some(answers) => {
                let asked = client.send_asynchronously::<T>(url, request, parts, answers);
                asked.await
            }
        }
    }

    /// ITI-41 with the documents from memory.
    pub async fn provide(&self, submission: &Submission) -> Result<RegistryResponse, ClientError> {
        self.provide_parts(submission, parts(submission)).await
    }

    /// ITI-41 to the Document Recipient (XDR), with this request and the documents from memory.
    pub async fn send_directly(
        &self,
        submission: &Submission,
        request: String,
    ) -> Result<RegistryResponse, ClientError> {
        let url = self.recipient();
        let answer = self
            .client
            .send::<Provide>(&url, &Raw(request), parts(submission))
            .await?;
        self.expected.add("ITI-41", "Import", 1);
        Ok(answer.response)
    }

    /// ITI-41 with the documents from elsewhere.
    pub async fn provide_parts(
        &self,
        submission: &Submission,
        parts: Vec<Part>,
    ) -> Result<RegistryResponse, ClientError> {
        let request = Raw(submission.provide_request());
        let answer = self
            .ask::<Provide>(&self.repository(), &request, parts)
            .await?;
        self.expected.add("ITI-41", "Import", 1);
        Ok(answer.response)
    }

    /// ITI-42.
    pub async fn register(&self, submission: &Submission) -> Result<RegistryResponse, ClientError> {
        let request = Raw(submission.submit_objects_request());
        let url = self.registry();
        let answer = self.ask::<Register>(&url, &request, Vec::new()).await?;
        self.expected.add("ITI-42", "Import", 1);
        Ok(answer.response)
    }

    /// ITI-18.
    pub async fn query(&self, request: String) -> Result<AdhocQueryResponse, ClientError> {
        let url = self.registry();
        let answer = self.ask::<Query>(&url, &Raw(request), Vec::new()).await?;
        let records = records(answer.response.status);
        self.expected.add("ITI-18", "Query", records);
        Ok(answer.response)
    }

    /// A transaction of the registry that is answered with `rs:RegistryResponse`, and recorded once.
    pub async fn ask_registry<T>(
        &self,
        request: String,
        recorded: (&'static str, &'static str),
    ) -> Result<RegistryResponse, ClientError>
    where
        T: Transaction<Request = Raw, Response = RegistryResponse>,
    {
        let url = self.registry();
        let answer = self.ask::<T>(&url, &Raw(request), Vec::new()).await?;
        let (transaction, event) = recorded;
        self.expected.add(transaction, event, 1);
        Ok(answer.response)
    }

    /// ITI-51 for so many patients.
    pub async fn query_several(
        &self,
        request: String,
        patients: usize,
    ) -> Result<AdhocQueryResponse, ClientError> {
        let url = self.registry();
        let answer = self
            .ask::<QuerySeveral>(&url, &Raw(request), Vec::new())
            .await?;
        self.expected.add("ITI-51", "Query", patients.max(1));
        Ok(answer.response)
    }

    /// ITI-43 of documents of the town's repository.
    pub async fn retrieve(&self, unique_ids: &[&str]) -> Result<Retrieved, ClientError> {
        self.retrieve_as(words::retrieve(words::REPOSITORY, unique_ids))
            .await
    }

    /// ITI-43.
    pub async fn retrieve_as(&self, request: String) -> Result<Retrieved, ClientError> {
        let url = self.repository();
        let answer = self
            .ask::<Retrieve>(&url, &Raw(request), Vec::new())
            .await?;
        let records = records(answer.response.response.status);
        self.expected.add("ITI-43", "Export", records);
        Ok(received(answer.response, answer.attachments).await)
    }

    /// ITI-61.
    pub async fn register_on_demand(
        &self,
        request: String,
    ) -> Result<RegistryResponse, ClientError> {
        let url = self.registry();
        let answer = self
            .ask::<RegisterOnDemand>(&url, &Raw(request), Vec::new())
            .await?;
        self.expected.add("ITI-61", "Import", 1);
        Ok(answer.response)
    }

    /// ITI-86 of documents of the town's repository.
    pub async fn remove(&self, unique_ids: &[&str]) -> Result<RegistryResponse, ClientError> {
        self.remove_as(words::remove(words::REPOSITORY, unique_ids))
            .await
    }

    /// ITI-86.
    pub async fn remove_as(&self, request: String) -> Result<RegistryResponse, ClientError> {
        let url = self.repository();
        let answer = self.ask::<Remove>(&url, &Raw(request), Vec::new()).await?;
        let records = records(answer.response.status);
        self.expected.add("ITI-86", "Patient Record", records);
        Ok(answer.response)
    }

    /// ITI-52: begins a subscription; gives its address.
    pub async fn subscribe(&self, request: String) -> Result<String, Fault> {
        let url = self.registry();
        let request = Raw(request);
        let answer = self.client.send::<Subscribe>(&url, &request, Vec::new());
        let answer = answer.await;
        self.expected.add("ITI-52", "Query", 1);
        faulty(answer.map(|answer| answer.response.subscription))
    }

    /// ITI-52: cancels a subscription.
    pub async fn unsubscribe(&self, address: &str) -> Result<(), Fault> {
        let request = Raw(words::wsnt("Unsubscribe"));
        let client = &self.client;
        let answer = client.send::<Unsubscribe>(address, &request, Vec::new());
        let answer = answer.await;
        self.expected.add("ITI-52", "Query", 1);
        faulty(answer.map(drop))
    }

    /// RAD-69.
    pub async fn retrieve_images(&self, request: String) -> Result<Retrieved, ClientError> {
        let url = self.imaging();
        let answer = self
            .ask::<RetrieveImages>(&url, &Raw(request), Vec::new())
            .await?;
        let records = records(answer.response.response.status);
        self.expected
            .add("RAD-69", "DICOM Instances Transferred", records);
        Ok(received(answer.response, answer.attachments).await)
    }
}

/// The documents of a submission as attachments.
pub fn parts(submission: &Submission) -> Vec<Part> {
    let parts = submission.documents.iter().enumerate();
    let part = |(at, document): (usize, &words::Document)| Part {
        content_id: words::content_id(at),
        content_type: document.mime_type.clone(),
        source: PartSource::Bytes(Bytes::from(document.content.clone())),
    };
    parts.map(part).collect()
}

/// An answer or a fault; anything else is nothing that a test asks for.
fn faulty<T>(answer: Result<T, ClientError>) -> Result<T, Fault> {
    answer.map_err(|error| match error {
        ClientError::Fault { fault, .. } => *fault,
        other => panic!("{other}"),
    })
}

/// Takes all attachments; every one must be referred to and every reference must be answered.
pub async fn received(answer: RetrieveResponse, mut attachments: Attachments) -> Retrieved {
    let mut contents = BTreeMap::new();
    while let Some((id, content)) = next(&mut attachments).await.expect("attachments arrive") {
        contents.insert(id, content);
    }
    let mut documents = Vec::new();
    for document in answer.documents {
        let content = contents.remove(&document.content_id);
        let (size, sha1, content) = content.expect("every reference is answered");
        documents.push(RetrievedDocument {
            home: document.home,
            repository: document.repository,
            unique_id: document.unique_id,
            new_repository: document.new_repository,
            new_unique_id: document.new_unique_id,
            mime_type: document.mime_type,
            size,
            sha1,
            content,
        });
    }
    assert!(contents.is_empty(), "attachments that nothing refers to");
    Retrieved {
        response: answer.response,
        documents,
    }
}

type Content = (u64, String, Vec<u8>);

async fn next(attachments: &mut Attachments) -> Result<Option<(String, Content)>, Fault> {
    let Some(mut attachment) = attachments.next().await? else {
        return Ok(None);
    };
    let id = attachment.content_id().to_owned();
    let (mut size, mut hash, mut kept) = (0, Sha1::new(), Vec::new());
    while let Some(bytes) = attachment.chunk().await? {
        size += bytes.len() as u64;
        hash.update(&bytes);
        if kept.len() < KEPT {
            kept.extend_from_slice(&bytes);
        }
    }
    Ok(Some((id, (size, words::hex(&hash.finalize()), kept))))
}
