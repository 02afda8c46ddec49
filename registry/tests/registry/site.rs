//! A registry that listens, and a client of it.

use std::path::PathBuf;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use hilum_audit::spool::records;
use hilum_audit::summary::Summary;
use hilum_audit::{Audit, AuditConfig, syslog};
use hilum_registry::{Registry, RegistryConfig, UnknownPatients, routes};
use hilum_transport::{Asynchronous, Client, ClientError, Limits, Replies, Rest, mllp, serve_with};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::ebrs::{
    AdhocQueryResponse, RegistryError, RegistryResponse, ReturnType, SubmitObjectsRequest,
};
use xds_schemas::hl7v2::{Acknowledgement, PatientDomain};
use xds_schemas::iti18_registry_stored_query::{
    MetadataLevel, RegistryStoredQuery, StoredQuery, Visibility,
};
use xds_schemas::iti42_register_document_set::RegisterDocumentSet;
use xds_schemas::iti57_update_document_set::UpdateDocumentSet;
use xds_schemas::iti61_register_on_demand_document_entry::RegisterOnDemandDocumentEntry;
use xds_schemas::iti62_remove_metadata::{RemoveMetadata, RemoveObjectsRequest};
use xds_schemas::iti92_restricted_update_document_set::RestrictedUpdateDocumentSet;
use xds_schemas::metadata::{EntryUuid, HomeCommunityId, Submission};
use xds_schemas::transaction::Transaction;

use crate::words::{new_oid, patient};

/// A registry that knows the patients P1 and P2.
pub(crate) struct Site {
    folder: TempDir,
    config: RegistryConfig,
    spool: PathBuf,
    pub(crate) registry: Registry,
    pub(crate) client: Client,
    pub(crate) url: String,
    /// Where HL7 v2 is taken.
    pub(crate) feed: String,
    /// When it goes, the registry stops and gives its connections to the database back.
    _listening: watch::Sender<()>,
}

impl Site {
    /// A site with a database in a file.
    pub(crate) fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("registry.db").display());
        Self::open(folder, url)
    }

    /// A site with this database.
    pub(crate) fn on(database: String) -> Self {
        Self::open(tempfile::tempdir().unwrap(), database)
    }

    fn open(folder: TempDir, database: String) -> Self {
        let home = HomeCommunityId::from("urn:oid:1.2.3");
        let mut config = RegistryConfig::new(database, home);
        config.feed.domain = Some(PatientDomain::new("1.2.3.9"));
        config.vault = crate::vault::vault();
        Self::start(folder, config)
    }

    fn start(folder: TempDir, config: RegistryConfig) -> Self {
        let spool = folder.path().join("audit");
        let spool = match spool.exists() {
            true => folder.path().join(new_oid()),
            false => spool,
        };
        let audit = open_audit(spool.clone());
        let registry = Registry::open(config.clone(), audit).unwrap();
        registry.notify_with(Client::new(None, Limits::default()));
        let (listening, stop) = watch::channel(());
        let url = listen(registry.clone(), stop.clone());
        let feed = listen_for_feeds(registry.clone(), stop);
        Self {
            spool,
            folder,
            config,
            registry,
            client: Client::new(None, Limits::default()),
            url,
            feed,
            _listening: listening,
        }
    }

    /// The same site, its registry opened anew with another configuration.
    pub(crate) fn configured(self, change: impl FnOnce(&mut RegistryConfig)) -> Self {
        let mut config = self.config.clone();
        change(&mut config);
        let spool = self.folder.path().join(new_oid());
        let audit = Audit::open(AuditConfig {
            spool: spool.clone(),
            source_id: "test".to_owned(),
            enterprise_site: None,
            host: "localhost".to_owned(),
            segment_bytes: 1 << 30,
        });
        let registry = Registry::open(config.clone(), audit.unwrap()).unwrap();
        registry.notify_with(Client::new(None, Limits::default()));
        let (listening, stop) = watch::channel(());
        let url = listen(registry.clone(), stop.clone());
        let feed = listen_for_feeds(registry.clone(), stop);
        Self {
            config,
            registry,
            url,
            feed,
            spool,
            _listening: listening,
            ..self
        }
    }

    /// The URL of the database.
    pub(crate) fn database(&self) -> &str {
        &self.config.database
    }

    /// Stops the registry; its connections go when its last tasks have ended.
    pub(crate) fn stopped(self) -> (TempDir, RegistryConfig) {
        (self.folder, self.config)
    }

    /// A site that was stopped.
    pub(crate) fn again(folder: TempDir, config: RegistryConfig) -> Self {
        Self::start(folder, config)
    }

    /// Whether the database is a file.
    pub(crate) fn is_on_sqlite(&self) -> bool {
        self.config.database.starts_with("sqlite:")
    }

    /// Changes the database behind the registry's back.
    pub(crate) fn sabotage(&self, sql: &str) {
        let url = &self.config.database;
        match url.strip_prefix("sqlite:") {
            Some(path) => {
                let mut connection = SqliteConnection::establish(path).unwrap();
                connection.batch_execute(sql).unwrap();
            }
            None => {
                let mut connection = PgConnection::establish(url).unwrap();
                connection.batch_execute(sql).unwrap();
            }
        }
    }

    /// Makes P1 and P2 known.
    pub(crate) async fn with_patients(self) -> Self {
        for id in ["P1", "P2"] {
            assert!(self.registry.add_patient(&patient(id)).await.unwrap());
        }
        self
    }

    /// Submits; says how it was answered.
    pub(crate) async fn submit(&self, submission: &Submission) -> RegistryResponse {
        self.send(&objects_of(submission)).await.unwrap()
    }

    /// Sends ITI-42.
    pub(crate) async fn send(
        &self,
        request: &SubmitObjectsRequest,
    ) -> Result<RegistryResponse, ClientError> {
        let sent = self
            .client
            .send::<RegisterDocumentSet>(&self.url, request, Vec::new());
        sent.await.map(|answer| answer.response)
    }

    /// Sends an update (ITI-57).
    pub(crate) async fn update(&self, update: &Submission) -> RegistryResponse {
        self.call::<UpdateDocumentSet>(&objects_of(update)).await
    }

    /// Sends a restricted update (ITI-92).
    pub(crate) async fn restricted_update(&self, update: &Submission) -> RegistryResponse {
        self.call::<RestrictedUpdateDocumentSet>(&objects_of(update))
            .await
    }

    /// Asks for objects to be forgotten (ITI-62).
    pub(crate) async fn remove(&self, objects: &[EntryUuid]) -> RegistryResponse {
        let request = RemoveObjectsRequest {
            objects: objects.to_vec(),
            ..RemoveObjectsRequest::default()
        };
        self.call::<RemoveMetadata>(&request).await
    }

    /// Asks for whatever transaction it is.
    pub(crate) async fn call<T: Transaction>(&self, request: &T::Request) -> T::Response {
        let sent = self.client.send::<T>(&self.url, request, Vec::new()).await;
        sent.unwrap().response
    }

    /// What a query that must succeed finds for those who know of versions.
    pub(crate) async fn find_all(&self, query: &StoredQuery) -> Vec<RegistryObject> {
        let visibility = Visibility {
            level: MetadataLevel::Two,
            association_statuses: Vec::new(),
        };
        self.find_visible(query, &visibility).await
    }

    /// What a query that must succeed finds of what may be seen.
    pub(crate) async fn find_visible(
        &self,
        query: &StoredQuery,
        visibility: &Visibility,
    ) -> Vec<RegistryObject> {
        let request = query.to_visible_request(ReturnType::LeafClass, visibility);
        let response = self.call::<RegistryStoredQuery>(&request).await;
        assert_eq!(response.errors, []);
        response.objects
    }

    /// Sends ITI-61; says how it was answered.
    pub(crate) async fn submit_on_demand(&self, submission: &Submission) -> RegistryResponse {
        let request = objects_of(submission);
        let (client, url) = (&self.client, &self.url);
        let sent = client.send::<RegisterOnDemandDocumentEntry>(url, &request, Vec::new());
        let answer = sent.await.unwrap();
        // ITI TF-2 3.61.4.2.2: "Entry" is not in it.
        let action = "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse";
        assert_eq!(answer.header.action, action);
        answer.response
    }

    /// Submits what must be accepted.
    pub(crate) async fn accept(&self, submission: &Submission) {
        succeeded(&self.submit(submission).await);
    }

    /// Submits what must be refused with these codes, in any order; gives the errors.
    pub(crate) async fn refuse(
        &self,
        submission: &Submission,
        codes: &[ErrorCode],
    ) -> Vec<RegistryError> {
        refused(self.submit(submission).await, codes)
    }

    /// Asks for whole objects.
    pub(crate) async fn query(&self, query: &StoredQuery) -> AdhocQueryResponse {
        self.ask(query, ReturnType::LeafClass).await
    }

    /// Asks.
    pub(crate) async fn ask(&self, query: &StoredQuery, wanted: ReturnType) -> AdhocQueryResponse {
        let request = query.to_request(wanted);
        let sent = self
            .client
            .send::<RegistryStoredQuery>(&self.url, &request, Vec::new());
        sent.await.unwrap().response
    }

    /// What a query that must succeed finds, whole and by reference.
    pub(crate) async fn find(&self, query: &StoredQuery) -> Vec<RegistryObject> {
        let whole = self.query(query).await;
        assert_eq!(whole.errors, []);
        assert_eq!(whole.status, ResponseStatus::Success);
        let references = self.ask(query, ReturnType::ObjectRef).await;
        let ids = |objects: &[RegistryObject]| -> Vec<String> {
            objects.iter().map(|object| object.id.clone()).collect()
        };
        assert_eq!(ids(&whole.objects), ids(&references.objects));
        whole.objects
    }

    /// Sends a message of HL7 v2.
    pub(crate) async fn tell(&self, message: &str) -> Acknowledgement {
        let limits = Limits::default();
        let connection = mllp::Connection::open(&self.feed, None, &limits).await;
        let answer = connection.unwrap().exchange(message.as_bytes()).await;
        Acknowledgement::read(&answer.unwrap()).unwrap()
    }

    /// Sends a message of HL7 v2 that must be taken.
    pub(crate) async fn taken(&self, message: &str) {
        let answer = self.tell(message).await;
        assert_eq!((&*answer.code, &answer.reasons), ("AA", &Vec::new()));
    }

    /// Sends one that must not be taken, for a reason that says this.
    pub(crate) async fn not_taken(&self, message: &str, code: &str, said: &str) {
        let answer = self.tell(message).await;
        assert_eq!(answer.code, code, "{:?}", answer.reasons);
        assert!(
            answer.reasons.concat().contains(said),
            "{:?}",
            answer.reasons
        );
    }

    /// Everything that was recorded since the registry was configured.
    pub(crate) fn recorded(&self) -> Vec<Summary> {
        let all = records(&self.spool).unwrap();
        all.map(|record| Summary::read(syslog::xml(&record.unwrap().message).unwrap()).unwrap())
            .collect()
    }

    /// Everything that was recorded.
    pub(crate) fn audit(&self) -> Vec<Summary> {
        let folder: PathBuf = self.folder.path().join("audit");
        let all = records(&folder).unwrap();
        all.map(|record| Summary::read(syslog::xml(&record.unwrap().message).unwrap()).unwrap())
            .collect()
    }
}

/// What a registry in this folder records.
pub(crate) fn audit(folder: &std::path::Path) -> Audit {
    open_audit(folder.join(new_oid()))
}

fn open_audit(spool: PathBuf) -> Audit {
    let audit = Audit::open(AuditConfig {
        spool,
        source_id: "test".to_owned(),
        enterprise_site: None,
        host: "localhost".to_owned(),
        segment_bytes: 1 << 30,
    });
    audit.unwrap()
}

fn objects_of(submission: &Submission) -> SubmitObjectsRequest {
    SubmitObjectsRequest {
        slots: Vec::new(),
        objects: submission.to_ebrim(),
    }
}

/// Says that it went well.
pub(crate) fn succeeded(response: &RegistryResponse) {
    assert_eq!(response.errors, []);
    assert_eq!(response.status, ResponseStatus::Success);
}

/// Says that it was refused with these codes, in any order; gives the errors.
pub(crate) fn refused(response: RegistryResponse, codes: &[ErrorCode]) -> Vec<RegistryError> {
    assert_eq!(response.status, ResponseStatus::Failure);
    let mut found: Vec<&str> = response.errors.iter().map(|it| it.code.as_str()).collect();
    let mut expected: Vec<&str> = codes.iter().map(ErrorCode::as_str).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{:#?}", response.errors);
    response.errors
}

/// A listener, and its address.
fn bind() -> (TcpListener, std::net::SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (TcpListener::from_std(listener).unwrap(), address)
}

/// Until its sender goes.
async fn gone(mut stop: watch::Receiver<()>) {
    while stop.changed().await.is_ok() {}
}

fn listen_for_feeds(registry: Registry, stop: watch::Receiver<()>) -> String {
    let (listener, address) = bind();
    let answer = move |incoming| {
        let registry = registry.clone();
        async move { hilum_registry::feed::receive(&registry, incoming).await }
    };
    let limits = Limits::default();
    tokio::spawn(mllp::serve(listener, None, limits, answer, gone(stop)));
    format!("mllp://{address}")
}

fn listen(registry: Registry, stop: watch::Receiver<()>) -> String {
    let (listener, address) = bind();
    let answer = move |incoming| {
        let registry = registry.clone();
        async move { routes::serve(&registry, incoming).await }
    };
    let limits = Limits::default();
    let client = Client::new(None, limits.clone());
    let replies = Replies::new(&Asynchronous::default(), client);
    let rest = Rest::under(["fhir"]);
    let stopped = gone(stop);
    tokio::spawn(serve_with(
        listener, None, limits, replies, rest, answer, stopped,
    ));
    format!("http://{address}/registry")
}

/// The default of the affinity domain, the other way round.
pub(crate) const fn accepting(config: &mut RegistryConfig) {
    config.unknown_patients = UnknownPatients::Accept;
}
