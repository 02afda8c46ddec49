//! An imaging source, a repository and a registry, and what others do with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hilum_audit::summary::Summary;
use hilum_audit::{Audit, AuditConfig, spool};
use hilum_registry::{Registry, RegistryConfig, UnknownPatients};
use hilum_repository::imaging::{
    Fate, ImagingConfig, ImagingSource, Imported, Importing, Report, import,
};
use hilum_repository::{Repository, RepositoryConfig};
use hilum_security::development_ca::Identity;
use hilum_security::iti19_authenticate_node::{self as iti19, TlsFiles};
use hilum_transport::{Client, Incoming, Limits, Reply};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;
use xds_schemas::affinity_codes::AffinityCodes;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::{RegistryResponse, ReturnType, SubmitObjectsRequest};
use xds_schemas::iti18_registry_stored_query::{
    DocumentFilter, FindDocuments, RegistryStoredQuery, StoredQuery,
};
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, RetrieveDocumentSet, RetrieveDocumentSetRequest,
};
use xds_schemas::iti57_update_document_set::UpdateDocumentSet;
use xds_schemas::metadata::{DocumentEntry, PatientId, Submission};
use xds_schemas::rad69_retrieve_imaging_document_set::{
    RetrieveImagingDocumentSet, RetrieveImagingDocumentSetRequest, SeriesRequest, StudyRequest,
};

use crate::link::Link;

/// The repositoryUniqueId of repository and imaging source.
pub(crate) const REPOSITORY: &str = "1.2.3.99";
/// The authority of patient IDs.
pub(crate) const AUTHORITY: &str = "1.2.3.7";
pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// What `hilum init` writes.
const CODES: &str = include_str!("../../../cli/src/init/codes.xml");

pub(crate) struct Site {
    pub(crate) folder: TempDir,
    /// Between the one who imports and the repository.
    pub(crate) link: Link,
    pub(crate) client: Client,
    pub(crate) config: ImagingConfig,
    pub(crate) imaging: String,
    pub(crate) registry: String,
    pub(crate) repository: String,
    pub(crate) codes: AffinityCodes,
    pub(crate) audit: Audit,
}

/// What came back: SOP Instance UID and SHA-256 of the file.
pub(crate) type Got = (String, String);

impl Site {
    pub(crate) async fn open() -> Self {
        Self::with(false).await
    }

    /// A site whose imaging source asks for certificates.
    pub(crate) async fn secure() -> Self {
        Self::with(true).await
    }

    async fn with(secure: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let codes = AffinityCodes::parse(CODES).unwrap();
        let at = |name: &str| folder.path().join(name);
        let database = format!("sqlite:{}", at("registry.db").display());
        let registry = RegistryConfig {
            affinity_codes: Some(codes.clone()),
            unknown_patients: UnknownPatients::Accept,
            ..RegistryConfig::new(database, "urn:oid:1.2.3".into())
        };
        let registry = Registry::open(registry, audit(&at("audit of registry"))).unwrap();
        let registry = serve(None, registry, |registry, incoming| async move {
            hilum_registry::routes::serve(&registry, incoming).await
        });
        let registry = format!("http://127.0.0.1:{}/registry", registry.await);
        let store = format!("file:{}", at("documents").display());
        let mut config = RepositoryConfig::new(REPOSITORY.into(), &registry, store);
        config.vault = crate::vault::vault();
        let to_registry = Client::new(None, Limits::default());
        let repository = Repository::open(config, audit(&at("audit of repository")), to_registry);
        let repository = serve(
            None,
            repository.unwrap(),
            |repository, incoming| async move {
                hilum_repository::routes::serve(&repository, incoming).await
            },
        );
        let link = Link::to(repository.await).await;
        let store = format!("file:{}", at("images").display());
        let mut config = ImagingConfig::new(REPOSITORY.into(), AUTHORITY, store);
        config.vault = crate::vault::vault();
        let (imaging, client) = open_source(folder.path(), config.clone(), secure).await;
        Self {
            repository: format!("http://127.0.0.1:{}/repository", link.port),
            imaging,
            audit: audit(&at("audit of import")),
            link,
            client,
            config,
            registry,
            codes,
            folder,
        }
    }

    /// A folder for DICOM files.
    pub(crate) fn dicom(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("dicom")
    }

    pub(crate) async fn import(&self, folder: &Path) -> Report {
        self.import_beside(folder, Some(&self.registry))
            .await
            .unwrap()
    }

    /// The same beside this registry or none.
    pub(crate) async fn import_beside(
        &self,
        folder: &Path,
        registry: Option<&str>,
    ) -> anyhow::Result<Report> {
        // A connection that was cut is not used again.
        let client = Client::new(None, Limits::default());
        let importing = Importing {
            config: &self.config,
            codes: &self.codes,
            repository: &self.repository,
            registry,
            client: &client,
            audit: &self.audit,
            now: SystemTime::now(),
        };
        import(&importing, &[folder.to_owned()], Arc::new(|_| {})).await
    }

    /// Imports a folder of one study.
    pub(crate) async fn import_one(&self, folder: &Path) -> Imported {
        let mut report = self.import(folder).await;
        assert_eq!(report.studies.len(), 1, "{report:?}");
        report.studies.remove(0)
    }

    /// The manifests of a patient that are in this state.
    pub(crate) async fn manifests(
        &self,
        patient: &str,
        status: AvailabilityStatus,
    ) -> Vec<DocumentEntry> {
        let query = StoredQuery::FindDocuments(FindDocuments {
            patient: PatientId::new(patient, AUTHORITY),
            statuses: vec![status],
            filter: DocumentFilter::default(),
        });
        let entry = |object: RegistryObject| match object.body {
            Body::ExtrinsicObject { .. } => DocumentEntry::from_ebrim(&object).ok(),
            _ => None,
        };
        self.query(&query)
            .await
            .into_iter()
            .filter_map(entry)
            .collect()
    }

    pub(crate) async fn query(&self, query: &StoredQuery) -> Vec<RegistryObject> {
        let request = query.to_request(ReturnType::LeafClass);
        let client = Client::new(None, Limits::default());
        let answer = client.send::<RegistryStoredQuery>(&self.registry, &request, Vec::new());
        let response = answer.await.unwrap().response;
        assert_eq!(
            response.status,
            ResponseStatus::Success,
            "{:?}",
            response.errors
        );
        response.objects
    }

    /// Has the registry change what it knows (ITI-57).
    pub(crate) async fn update(&self, update: &Submission) {
        let request = SubmitObjectsRequest {
            slots: Vec::new(),
            objects: update.to_ebrim(),
        };
        let client = Client::new(None, Limits::default());
        let answer = client.send::<UpdateDocumentSet>(&self.registry, &request, Vec::new());
        let response = answer.await.unwrap().response;
        assert_eq!(response.errors, []);
    }

    /// A document of the repository.
    pub(crate) async fn document(&self, unique_id: &str) -> Vec<u8> {
        let request = RetrieveDocumentSetRequest {
            documents: vec![instance(unique_id)],
        };
        let client = Client::new(None, Limits::default());
        let url = &self.repository;
        let answer = client.send::<RetrieveDocumentSet>(url, &request, Vec::new());
        let mut attachments = answer.await.unwrap().attachments;
        let attachment = attachments.next().await.unwrap().unwrap();
        attachment.collect(1 << 24).await.unwrap().to_vec()
    }

    pub(crate) async fn retrieve(
        &self,
        request: &RetrieveImagingDocumentSetRequest,
    ) -> (RegistryResponse, Vec<Got>) {
        retrieve(&self.client, &self.imaging, request).await
    }

    /// What the imaging source recorded: "transaction event outcome patient".
    pub(crate) fn records(&self) -> Vec<String> {
        recorded(&self.folder.path().join("audit of imaging"))
    }

    /// What the one who imports recorded.
    pub(crate) fn import_records(&self) -> Vec<String> {
        recorded(&self.folder.path().join("audit of import"))
    }
}

/// Opens an imaging source, which records in `folder`: its URL, and a client that may ask it.
pub(crate) async fn open_source(
    folder: &Path,
    config: ImagingConfig,
    secure: bool,
) -> (String, Client) {
    let source = ImagingSource::open(config, audit(&folder.join("audit of imaging"))).unwrap();
    let routes = |source: ImagingSource, incoming| async move {
        hilum_repository::imaging::routes::serve(&source, incoming).await
    };
    if secure {
        let (server, client) = certificates(folder);
        let port = serve(Some(&server), source, routes).await;
        return (format!("https://localhost:{port}/imaging"), client);
    }
    let port = serve(None, source, routes).await;
    let client = Client::new(None, Limits::default());
    (format!("http://localhost:{port}/imaging"), client)
}

/// Asks for instances, and takes them as a consumer does: one after the other.
pub(crate) async fn retrieve(
    client: &Client,
    url: &str,
    request: &RetrieveImagingDocumentSetRequest,
) -> (RegistryResponse, Vec<Got>) {
    let answer = client.send::<RetrieveImagingDocumentSet>(url, request, Vec::new());
    let answer = answer.await.unwrap();
    let mut attachments = answer.attachments;
    let mut got = Vec::new();
    while let Some(mut attachment) = attachments.next().await.unwrap() {
        let name = attachment.content_id();
        let document = answer.response.document_in(name).unwrap();
        assert_eq!(document.mime_type, "application/dicom");
        assert_eq!(attachment.content_type(), "application/dicom");
        let id = document.document_unique_id.to_string();
        let mut hash = Sha256::new();
        while let Some(chunk) = attachment.chunk().await.unwrap() {
            hash.update(&chunk);
        }
        got.push((id, hexadecimal(&hash.finalize())));
    }
    assert_eq!(got.len(), answer.response.documents.len());
    (answer.response.registry_response, got)
}

/// The uniqueId of the manifest that was sent.
pub(crate) fn sent(imported: &Imported) -> String {
    match &imported.fate {
        Fate::Registered { manifest } | Fate::Replaced { manifest, .. } => manifest.to_string(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn instance(uid: &str) -> DocumentRequest {
    DocumentRequest {
        home_community_id: None,
        repository_unique_id: REPOSITORY.into(),
        document_unique_id: uid.into(),
    }
}

/// A request for instances of one series.
pub(crate) fn request(
    study: &str,
    series: &str,
    instances: &[&str],
    syntaxes: &[&str],
) -> RetrieveImagingDocumentSetRequest {
    RetrieveImagingDocumentSetRequest {
        studies: vec![StudyRequest {
            study_instance_uid: study.to_owned(),
            series: vec![SeriesRequest {
                series_instance_uid: series.to_owned(),
                documents: instances.iter().map(|uid| instance(uid)).collect(),
            }],
        }],
        transfer_syntax_uids: syntaxes.iter().map(|uid| (*uid).to_owned()).collect(),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn audit(spool: &Path) -> Audit {
    let config = AuditConfig {
        spool: spool.to_owned(),
        source_id: "test".to_owned(),
        enterprise_site: None,
        host: "localhost".to_owned(),
        segment_bytes: 1 << 24,
    };
    Audit::open(config).unwrap()
}

/// Opens a room to the public, and says on which port.
async fn serve<R, F>(
    tls: Option<&TlsFiles>,
    room: R,
    routes: impl Fn(R, Incoming) -> F + Clone + Send + Sync + 'static,
) -> u16
where
    R: Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let routes = move |incoming| routes(room.clone(), incoming);
    let limits = Limits {
        drain_seconds: 5,
        ..Limits::default()
    };
    let tls = tls.map(|files| iti19::server_config(files).unwrap());
    let forever = std::future::pending();
    tokio::spawn(hilum_transport::serve(
        listener, tls, limits, routes, forever,
    ));
    port
}

/// Key and certificate of a server, and a client that it trusts.
fn certificates(folder: &Path) -> (TlsFiles, Client) {
    let authority = Identity::authority("Test CA", 2).unwrap();
    let save = |identity: &Identity, name: &str| {
        let path = |kind: &str| folder.join(format!("{name}.{kind}"));
        identity.write(&path("pem"), &path("key")).unwrap();
    };
    save(&authority, "ca");
    let files = |name: &str| {
        save(&authority.issue(name, &[], 2).unwrap(), name);
        TlsFiles {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
            trust: vec![folder.join("ca.pem")],
            client_certificate_required: true,
            check_server_name: true,
        }
    };
    let server = files("server");
    let client = iti19::client_config(&files("viewer")).unwrap();
    (server, Client::new(Some(client), Limits::default()))
}

fn recorded(spool: &Path) -> Vec<String> {
    let summary = |message: Vec<u8>| {
        let begin = b"<AuditMessage";
        let xml = message.windows(begin.len()).position(|at| at == begin);
        let summary = Summary::read(&message[xml.unwrap()..]).unwrap();
        format!(
            "{} {} {} {}",
            summary.transaction.unwrap_or_default(),
            summary.event,
            summary.outcome,
            summary.patient.unwrap_or_default()
        )
    };
    let records = spool::records(spool).unwrap();
    records
        .map(|record| summary(record.unwrap().message))
        .collect()
}

/// Moments that differ in the modification time of files.
pub(crate) fn later() {
    std::thread::sleep(Duration::from_millis(20));
}
