//! A registry, a repository and an imaging source that stands beside archives.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hilum_audit::summary::Summary;
use hilum_audit::{Audit, AuditConfig, spool};
use hilum_dicom::phantoms::{self, Detail, Phantom};
use hilum_dicom::{instance, scan, walk};
use hilum_registry::{Registry, RegistryConfig, UnknownPatients};
use hilum_repository::imaging::archives::ArchiveConfig;
use hilum_repository::imaging::dimse::{DimseConfig, Requestor};
use hilum_repository::imaging::{ImagingConfig, ImagingSource, Publishing};
use hilum_repository::{Repository, RepositoryConfig};
use hilum_transport::{Client, HttpRequest, Incoming, Limits, Replies, Reply, Rest, streams};
use tempfile::TempDir;
use tokio::net::TcpListener;
use xds_schemas::affinity_codes::AffinityCodes;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::{RegistryResponse, ReturnType};
use xds_schemas::iti18_registry_stored_query::{
    DocumentFilter, FindDocuments, RegistryStoredQuery, StoredQuery,
};
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, RetrieveDocumentSet, RetrieveDocumentSetRequest,
};
use xds_schemas::metadata::{DocumentEntry, PatientId};
use xds_schemas::rad69_retrieve_imaging_document_set::{
    RetrieveImagingDocumentSet, RetrieveImagingDocumentSetRequest, SeriesRequest, StudyRequest,
};

const REPOSITORY: &str = "1.2.3.99";
const AUTHORITY: &str = "1.2.3.7";
pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
/// What `hilum init` writes.
const CODES: &str = include_str!("../../../cli/src/init/codes.xml");

pub(crate) struct Node {
    pub(crate) folder: TempDir,
    pub(crate) imaging: String,
    pub(crate) source: ImagingSource,
    registry: String,
    repository: String,
    pub(crate) client: Client,
}

/// What came back: SOP Instance UID and the file.
pub(crate) type Got = Vec<(String, Vec<u8>)>;

impl Node {
    pub(crate) async fn beside(archives: Vec<ArchiveConfig>) -> Self {
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
        let registry = serve(registry, |registry, incoming| async move {
            hilum_registry::routes::serve(&registry, incoming).await
        });
        let registry = format!("http://127.0.0.1:{}/registry", registry.await);
        let store = format!("file:{}", at("documents").display());
        let mut config = RepositoryConfig::new(REPOSITORY.into(), &registry, store);
        config.vault = crate::vault::vault();
        let client = Client::new(None, Limits::default());
        let repository =
            Repository::open(config, audit(&at("audit of repository")), client.clone());
        let repository = serve(repository.unwrap(), |repository, incoming| async move {
            hilum_repository::routes::serve(&repository, incoming).await
        });
        let repository = format!("http://127.0.0.1:{}/repository", repository.await);
        let store = format!("file:{}", at("images").display());
        let mut config = ImagingConfig::new(REPOSITORY.into(), AUTHORITY, store);
        config.vault = crate::vault::vault();
        config.settle = Duration::from_millis(100);
        let source = ImagingSource::open(config, audit(&at("audit of imaging"))).unwrap();
        source.publish(Publishing {
            codes,
            repository: repository.clone(),
            registry: Some(registry.clone()),
            client: client.clone(),
        });
        source.stand_beside(archives, None, &Limits::default());
        Self {
            imaging: address(&source).await,
            source,
            registry,
            repository,
            client,
            folder,
        }
    }

    /// A new process with the same index, beside other archives.
    pub(crate) async fn again_beside(self, archives: Vec<ArchiveConfig>) -> Self {
        let at = |name: &str| self.folder.path().join(name);
        let store = format!("file:{}", at("images").display());
        let mut config = ImagingConfig::new(REPOSITORY.into(), AUTHORITY, store);
        config.vault = crate::vault::vault();
        let source = ImagingSource::open(config, audit(&at("another audit"))).unwrap();
        source.stand_beside(archives, None, &Limits::default());
        Self {
            imaging: address(&source).await,
            source,
            ..self
        }
    }

    /// Takes what is sent by DICOM's own protocol, as HILUM.
    pub(crate) fn take_dicom(&self, listener: TcpListener) {
        let requestor = Requestor::new("HILUM", None, Limits::default());
        let provider = self.source.dimse(DimseConfig::new("HILUM"), requestor);
        let handle = move |incoming| {
            let provider = provider.clone();
            async move { provider.receive(incoming).await }
        };
        let forever = std::future::pending();
        tokio::spawn(streams::serve(
            listener,
            None,
            Limits::default(),
            32,
            handle,
            forever,
        ));
    }

    /// The manifests of a patient that are in force.
    pub(crate) async fn manifests(&self, patient: &str) -> Vec<DocumentEntry> {
        let query = StoredQuery::FindDocuments(FindDocuments {
            patient: PatientId::new(patient, AUTHORITY),
            statuses: vec![AvailabilityStatus::Approved],
            filter: DocumentFilter::default(),
        });
        let request = query.to_request(ReturnType::LeafClass);
        let url = &self.registry;
        let answer = self
            .client
            .send::<RegistryStoredQuery>(url, &request, Vec::new());
        let response = answer.await.unwrap().response;
        assert_eq!(response.status, ResponseStatus::Success);
        let entry = |object: RegistryObject| match object.body {
            Body::ExtrinsicObject { .. } => DocumentEntry::from_ebrim(&object).ok(),
            _ => None,
        };
        response.objects.into_iter().filter_map(entry).collect()
    }

    /// SOP Instance UIDs that a patient's manifests list.
    pub(crate) async fn listed(&self, patient: &str) -> Vec<String> {
        let mut listed = Vec::new();
        for entry in self.manifests(patient).await {
            let document = self.document(entry.unique_id.as_str()).await;
            for series in hilum_dicom::manifest::references(&document).unwrap() {
                listed.extend(series.instances.iter().map(|(_, uid)| uid.to_string()));
            }
        }
        listed.sort();
        listed
    }

    /// Waits until a patient's manifests list these instances.
    pub(crate) async fn until_listed(&self, patient: &str, mut expected: Vec<String>) {
        expected.sort();
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            let listed = self.listed(patient).await;
            if listed == expected {
                return;
            }
            let (has, wanted) = (listed.len(), expected.len());
            assert!(
                Instant::now() < patience,
                "{has} instances instead of {wanted}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn document(&self, unique_id: &str) -> Vec<u8> {
        let request = RetrieveDocumentSetRequest {
            documents: vec![named(unique_id)],
        };
        let url = &self.repository;
        let answer = self
            .client
            .send::<RetrieveDocumentSet>(url, &request, Vec::new());
        let mut attachments = answer.await.unwrap().attachments;
        let attachment = attachments.next().await.unwrap().unwrap();
        attachment.collect(1 << 24).await.unwrap().to_vec()
    }

    /// RAD-69, as a consumer does it: one instance after the other. An error is that of the first
    /// one that does not come to its end.
    pub(crate) async fn retrieve(
        &self,
        request: &RetrieveImagingDocumentSetRequest,
    ) -> (RegistryResponse, Got, Option<String>) {
        let url = format!("{}/imaging", self.imaging);
        let client = Client::new(None, Limits::default());
        let answer = client.send::<RetrieveImagingDocumentSet>(&url, request, Vec::new());
        let answer = answer.await.unwrap();
        let response = answer.response;
        let mut attachments = answer.attachments;
        let mut got = Vec::new();
        loop {
            let attachment = match attachments.next().await {
                Ok(Some(attachment)) => attachment,
                Ok(None) => break,
                Err(error) => return (response.registry_response, got, Some(error.to_string())),
            };
            let document = response.document_in(attachment.content_id()).unwrap();
            let id = document.document_unique_id.to_string();
            match attachment.collect(1 << 30).await {
                Ok(bytes) => got.push((id, bytes.to_vec())),
                Err(error) => return (response.registry_response, got, Some(error.to_string())),
            }
        }
        (response.registry_response, got, None)
    }

    /// DICOMweb.
    pub(crate) async fn get(&self, path: &str, accept: &str) -> (u16, String, Vec<u8>) {
        let request = HttpRequest {
            method: "GET",
            url: &format!("{}{path}", self.imaging),
            headers: &[("accept", accept.to_owned())],
            body: Default::default(),
        };
        let answer = self.client.exchange_http(request, 1 << 28).await.unwrap();
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        (answer.status, kind, answer.body.to_vec())
    }

    /// Instances as WADO-RS gives them.
    pub(crate) async fn instances(&self, path: &str) -> (u16, Got) {
        let accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
        let request = HttpRequest {
            method: "GET",
            url: &format!("{}{path}", self.imaging),
            headers: &[("accept", accept.to_owned())],
            body: Default::default(),
        };
        let answer = self.client.open_http(request).await.unwrap();
        let status = answer.status();
        if status >= 300 {
            return (status, Vec::new());
        }
        let mut parts = answer.into_parts().unwrap();
        let mut got = Vec::new();
        while let Some(part) = parts.next().await.unwrap() {
            let bytes = part.collect(1 << 28).await.unwrap().to_vec();
            let uid = instance::read_bytes(&bytes).unwrap().sop_instance_uid;
            got.push((uid.to_string(), bytes));
        }
        (status, got)
    }

    /// What the imaging source recorded: "transaction event outcome patient".
    pub(crate) fn records(&self) -> Vec<String> {
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
        let records = spool::records(&self.folder.path().join("audit of imaging")).unwrap();
        records.map(|it| summary(it.unwrap().message)).collect()
    }
}

async fn address(source: &ImagingSource) -> String {
    let port = serve(source.clone(), |source, incoming| async move {
        hilum_repository::imaging::routes::serve(&source, incoming).await
    });
    format!("http://127.0.0.1:{}", port.await)
}

/// The studies of a demonstration, each with its files.
pub(crate) fn studies(folder: &Path, detail: Detail) -> Vec<(Phantom, Vec<PathBuf>)> {
    let studies = phantoms::write(folder, "archive", SystemTime::now(), detail).unwrap();
    let files = |study: Phantom| {
        let files = scan::files_below(&study.folder).unwrap();
        (study, files)
    };
    studies.into_iter().map(files).collect()
}

/// SOP Instance UIDs of files.
pub(crate) fn uids(files: &[PathBuf]) -> Vec<String> {
    let uid = |file: &PathBuf| instance::read(file).unwrap().sop_instance_uid.to_string();
    files.iter().map(uid).collect()
}

/// A request for what is in these files.
pub(crate) fn request(files: &[PathBuf], syntaxes: &[&str]) -> RetrieveImagingDocumentSetRequest {
    let mut studies: BTreeMap<String, BTreeMap<String, Vec<DocumentRequest>>> = BTreeMap::new();
    for file in files {
        let instance = instance::read(file).unwrap();
        let series = studies
            .entry(instance.study_instance_uid.to_string())
            .or_default();
        let documents = series
            .entry(instance.series_instance_uid.to_string())
            .or_default();
        documents.push(named(instance.sop_instance_uid.as_str()));
    }
    let series = |(series_instance_uid, documents)| SeriesRequest {
        series_instance_uid,
        documents,
    };
    RetrieveImagingDocumentSetRequest {
        studies: studies
            .into_iter()
            .map(|(study_instance_uid, all)| StudyRequest {
                study_instance_uid,
                series: all.into_iter().map(series).collect(),
            })
            .collect(),
        transfer_syntax_uids: syntaxes.iter().map(|uid| (*uid).to_owned()).collect(),
    }
}

/// The data set of a file, without its file meta information, which archives write anew.
pub(crate) fn data_set(bytes: &[u8]) -> Vec<u8> {
    let offset = walk::whole(bytes).unwrap().data_offset;
    bytes[usize::try_from(offset).unwrap()..].to_vec()
}

/// Asserts that what came is what is in these files.
pub(crate) fn assert_same(got: &Got, files: &[PathBuf]) {
    let by_uid: BTreeMap<String, &PathBuf> = uids(files).into_iter().zip(files).collect();
    assert_eq!(got.len(), files.len());
    for (uid, bytes) in got {
        let file = std::fs::read(by_uid[uid]).unwrap();
        assert!(data_set(bytes) == data_set(&file), "{uid}");
    }
}

/// Asserts that what came says what these files say, and has pixels of the same length: by C-STORE,
/// sequences may be written in another way.
pub(crate) fn assert_alike(got: &Got, files: &[PathBuf]) {
    let by_uid: BTreeMap<String, &PathBuf> = uids(files).into_iter().zip(files).collect();
    assert_eq!(got.len(), files.len());
    let says = |bytes: &[u8]| {
        let file = walk::whole(bytes).unwrap();
        let pixels = match file.data.get(dicom_dictionary_std::tags::PIXEL_DATA) {
            Some((_, walk::Value::Apart(apart))) => {
                let offset = usize::try_from(apart.offset).unwrap();
                bytes[offset..][..usize::try_from(apart.length).unwrap()].to_vec()
            }
            _ => Vec::new(),
        };
        let said = hilum_dicom::json::metadata(&file, &|_| String::new());
        (file.transfer_syntax_uid, said, pixels)
    };
    for (uid, bytes) in got {
        let file = std::fs::read(by_uid[uid]).unwrap();
        assert!(says(bytes) == says(&file), "{uid}");
    }
}

fn named(uid: &str) -> DocumentRequest {
    DocumentRequest {
        home_community_id: None,
        repository_unique_id: REPOSITORY.into(),
        document_unique_id: uid.into(),
    }
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
    let limits = Limits::default();
    let forever = std::future::pending();
    let rest = Rest::under(["dicom-web", "wado"]);
    tokio::spawn(hilum_transport::serve_with(
        listener,
        None,
        limits,
        Replies::nobody(),
        rest,
        routes,
        forever,
    ));
    port
}
