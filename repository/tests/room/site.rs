//! A repository, the line to its registry, and what others do with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hilum_audit::summary::Summary;
use hilum_audit::{Audit, AuditConfig, spool};
use hilum_repository::{OnDemand, RemoveRegistered, Repository, RepositoryConfig};
use hilum_security::access::Access;
use hilum_security::at_rest::Vault;
use hilum_transport::{Answer, Client, ClientError, Limits, Part};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{RegistryError, RegistryResponse};
use xds_schemas::iti41_provide_and_register_document_set::{
    ProvideAndRegisterDocumentSet, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, DocumentResponse, RetrieveDocumentSet, RetrieveDocumentSetRequest,
    RetrieveDocumentSetResponse,
};
use xds_schemas::iti86_remove_documents::{RemoveDocuments, RemoveDocumentsRequest};
use xds_schemas::mtom::Content;

use crate::link::Link;
use crate::object_store::ObjectStore;
use crate::stand_in::StandIn;
use crate::submissions::Draft;
use crate::vault::vault;

/// The id of the repository.
pub(crate) const REPOSITORY: &str = "1.2.3.99";

pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) registry: Arc<StandIn>,
    pub(crate) link: Link,
    pub(crate) client: Client,
    pub(crate) port: u16,
    /// Where documents are, if not in files.
    objects: Option<ObjectStore>,
    settled: Duration,
    /// What the repository is told when it is started the next time.
    pub(crate) remove_registered: RemoveRegistered,
    pub(crate) on_demand: OnDemand,
    pub(crate) vault: Vault,
    pub(crate) access: Access,
    running: Option<(oneshot::Sender<()>, JoinHandle<bool>)>,
}

/// A document that came back.
pub(crate) type Got = (DocumentResponse, Vec<u8>);

impl Site {
    pub(crate) async fn open() -> Self {
        Self::open_with(Duration::from_secs(60)).await
    }

    /// A site whose registry is trusted not to register a document that it does not know `settled`
    /// after it came.
    pub(crate) async fn open_with(settled: Duration) -> Self {
        let registry = Arc::new(StandIn::default());
        let (port, _) = Arc::clone(&registry).serve().await;
        let folder = tempfile::tempdir().unwrap();
        Self::beside(folder, registry, port, settled).await
    }

    /// A site whose registry is that which listens on `port`.
    pub(crate) async fn beside(
        folder: TempDir,
        registry: Arc<StandIn>,
        port: u16,
        settled: Duration,
    ) -> Self {
        let objects = ObjectStore::is_wanted().then(|| ObjectStore::start(folder.path()));
        Self::with(folder, objects, registry, port, settled).await
    }

    /// A site whose documents are in an object store, if there is a program for one.
    pub(crate) async fn in_objects() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let objects = ObjectStore::start_if_installed(folder.path())?;
        let registry = Arc::new(StandIn::default());
        let (port, _) = Arc::clone(&registry).serve().await;
        let settled = Duration::from_secs(60);
        Some(Self::with(folder, Some(objects), registry, port, settled).await)
    }

    /// Where documents are in it.
    pub(crate) fn object_url(&self) -> String {
        self.objects.as_ref().unwrap().url()
    }

    /// The object store.
    pub(crate) fn objects(&mut self) -> &mut ObjectStore {
        self.objects.as_mut().unwrap()
    }

    async fn with(
        folder: TempDir,
        objects: Option<ObjectStore>,
        registry: Arc<StandIn>,
        port: u16,
        settled: Duration,
    ) -> Self {
        let mut site = Self {
            folder,
            objects,
            registry,
            link: Link::to(port).await,
            client: Client::new(None, Limits::default()),
            port: 0,
            settled,
            remove_registered: RemoveRegistered::default(),
            on_demand: OnDemand::default(),
            vault: vault(),
            access: Access::everything(),
            running: None,
        };
        site.start().await;
        site
    }

    pub(crate) fn store(&self) -> PathBuf {
        match &self.objects {
            None => self.folder.path().join("store"),
            Some(objects) => objects.objects(),
        }
    }

    /// Whether documents are in an object store, where files do not lie as they do in a folder.
    pub(crate) const fn has_objects(&self) -> bool {
        self.objects.is_some()
    }

    fn spool(&self) -> PathBuf {
        self.folder.path().join("audit")
    }

    /// Starts the repository.
    pub(crate) async fn start(&mut self) {
        let audit = Audit::open(AuditConfig {
            spool: self.spool(),
            source_id: "test".to_owned(),
            enterprise_site: None,
            host: "localhost".to_owned(),
            segment_bytes: 1 << 24,
        });
        let in_files = || format!("file:{}", self.store().display());
        let config = RepositoryConfig {
            store_access: self.objects.as_ref().map(|_| ObjectStore::access()),
            decision: Duration::from_secs(2),
            settled: self.settled,
            remove_registered: self.remove_registered,
            on_demand: self.on_demand,
            vault: self.vault.clone(),
            access: self.access.clone(),
            ..RepositoryConfig::new(
                REPOSITORY.into(),
                format!("http://127.0.0.1:{}/registry", self.link.port),
                self.objects
                    .as_ref()
                    .map_or_else(in_files, ObjectStore::url),
            )
        };
        let client = Client::new(None, Limits::default());
        let repository = Repository::open(config, audit.unwrap(), client).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        let routes = move |incoming| {
            let repository = repository.clone();
            async move { hilum_repository::routes::serve(&repository, incoming).await }
        };
        let limits = Limits {
            drain_seconds: 5,
            ..Limits::default()
        };
        let stopped = async { drop(stopped.await) };
        let serving = hilum_transport::serve(listener, None, limits, routes, stopped);
        self.running = Some((stop, tokio::spawn(serving)));
    }

    /// Stops the repository.
    pub(crate) async fn stop(&mut self) {
        // Our own connections are closed first, so that nobody waits for them.
        self.client = Client::new(None, Limits::default());
        let (stop, running) = self.running.take().unwrap();
        drop(stop);
        running.await.unwrap();
        // An object store has no lock, but the records have one too.
        let locked = match self.has_objects() {
            true => self.spool().join("lock"),
            false => self.store().join("lock"),
        };
        // The question under way may take a moment to see that it is not needed any more.
        for _ in 0..500 {
            let lock = std::fs::File::open(&locked).unwrap();
            if lock.try_lock().is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the store is still in use");
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/repository", self.port)
    }

    pub(crate) async fn send(
        &self,
        request: &ProvideAndRegisterDocumentSetRequest,
        parts: Vec<Part>,
    ) -> Result<RegistryResponse, ClientError> {
        let (client, url) = (&self.client, self.url());
        let answer = client.send::<ProvideAndRegisterDocumentSet>(&url, request, parts);
        answer.await.map(|answer| answer.response)
    }

    pub(crate) async fn provide(&self, draft: &Draft) -> RegistryResponse {
        self.send(&draft.request(), draft.parts()).await.unwrap()
    }

    /// Provides what must be accepted.
    pub(crate) async fn accepted(&self, draft: &Draft) {
        let response = self.provide(draft).await;
        assert_eq!(response, RegistryResponse::success(Vec::new()));
    }

    /// Provides what must be refused with these codes.
    pub(crate) async fn refused(&self, draft: &Draft, codes: &[&str]) -> Vec<RegistryError> {
        let response = self.provide(draft).await;
        refusal(response, codes)
    }

    pub(crate) async fn retrieve(&self, ids: &[&str]) -> (RegistryResponse, Vec<Got>) {
        let documents = ids.iter().map(|id| DocumentRequest {
            home_community_id: None,
            repository_unique_id: REPOSITORY.into(),
            document_unique_id: (*id).into(),
        });
        self.retrieve_as(documents.collect()).await
    }

    pub(crate) async fn retrieve_as(
        &self,
        documents: Vec<DocumentRequest>,
    ) -> (RegistryResponse, Vec<Got>) {
        let request = RetrieveDocumentSetRequest { documents };
        let answer = self
            .client
            .send::<RetrieveDocumentSet>(&self.url(), &request, Vec::new())
            .await
            .unwrap();
        taken(answer).await
    }

    /// The content of a document that must be there.
    pub(crate) async fn content(&self, id: &str) -> Vec<u8> {
        let (response, mut got) = self.retrieve(&[id]).await;
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        assert_eq!(got.len(), 1);
        got.remove(0).1
    }

    /// ITI-86.
    pub(crate) async fn remove(&self, ids: &[&str]) -> RegistryResponse {
        let documents = ids.iter().map(|id| DocumentRequest {
            home_community_id: None,
            repository_unique_id: REPOSITORY.into(),
            document_unique_id: (*id).into(),
        });
        self.remove_as(documents.collect()).await
    }

    pub(crate) async fn remove_as(&self, documents: Vec<DocumentRequest>) -> RegistryResponse {
        let (client, url) = (&self.client, self.url());
        let request = RemoveDocumentsRequest { documents };
        let answer = client.send::<RemoveDocuments>(&url, &request, Vec::new());
        answer.await.unwrap().response
    }

    /// Asserts that a document cannot be retrieved.
    pub(crate) async fn missing(&self, id: &str) {
        let (response, got) = self.retrieve(&[id]).await;
        refusal(response, &["XDSDocumentUniqueIdError"]);
        assert!(got.is_empty());
    }

    /// Files in `incoming`.
    pub(crate) fn incoming(&self) -> Vec<PathBuf> {
        match std::fs::read_dir(self.store().join("incoming")) {
            Ok(folder) => folder.map(|entry| entry.unwrap().path()).collect(),
            // A prefix without objects is not there.
            Err(_) if self.has_objects() => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Files below a folder of the store.
    fn count(&self, folder: &str) -> usize {
        let mut folders = vec![self.store().join(folder)];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files += 1,
                }
            }
        }
        files
    }

    /// Asserts that nothing is undecided. From an object store, what is not wanted goes in a moment.
    pub(crate) async fn nothing_left(&self) {
        match self.has_objects() {
            true => self.nothing_undecided().await,
            false => assert!(self.incoming().is_empty()),
        }
    }

    /// Waits until `incoming` is empty: what is removed on the way may take a moment.
    pub(crate) async fn nothing_undecided(&self) {
        for _ in 0..1000 {
            // Every object that is left belongs to a document that is found.
            let is_whole = || self.count("data") == self.count("documents");
            if self.incoming().is_empty() && (!self.has_objects() || is_whole()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a document is still undecided");
    }

    /// What was recorded: "transaction event outcome patient".
    pub(crate) fn records(&self) -> Vec<String> {
        let records = spool::records(&self.spool()).unwrap();
        let summary = |message: Vec<u8>| {
            let xml = message
                .windows(13)
                .position(|at| at == b"<AuditMessage")
                .unwrap();
            let summary = Summary::read(&message[xml..]).unwrap();
            let transaction = summary.transaction.unwrap_or_default();
            let patient = summary.patient.unwrap_or_default();
            format!(
                "{transaction} {} {} {patient}",
                summary.event, summary.outcome
            )
        };
        records
            .map(|record| summary(record.unwrap().message))
            .collect()
    }
}

/// Asserts that something failed with these codes.
pub(crate) fn refusal(response: RegistryResponse, codes: &[&str]) -> Vec<RegistryError> {
    let found: Vec<&str> = response
        .errors
        .iter()
        .map(|error| error.code.as_str())
        .collect();
    assert_eq!(found, codes, "{response:?}");
    assert_eq!(response.status, ResponseStatus::Failure);
    response.errors
}

/// Takes an answer as a consumer does, one attachment after the other.
async fn taken(answer: Answer<RetrieveDocumentSetResponse>) -> (RegistryResponse, Vec<Got>) {
    let (response, mut attachments) = (answer.response, answer.attachments);
    let mut got: Vec<Got> = Vec::new();
    for document in &response.documents {
        if let Content::Inline(bytes) = &document.content {
            got.push((document.clone(), bytes.clone()));
        }
    }
    while let Some(attachment) = attachments.next().await.unwrap() {
        let document = response
            .document_in(attachment.content_id())
            .unwrap()
            .clone();
        let content = attachment.collect(1 << 30).await.unwrap();
        got.push((document, content.to_vec()));
    }
    assert_eq!(got.len(), response.documents.len());
    (response.registry_response, got)
}
