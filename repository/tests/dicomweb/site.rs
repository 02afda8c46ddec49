//! An imaging source, and what others do with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hilum_audit::summary::Summary;
use hilum_audit::{Audit, AuditConfig, spool};
use hilum_dicom::instance::{self, Instance};
use hilum_dicom::phantoms::{self, Detail};
use hilum_repository::imaging::{ImagingConfig, ImagingSource, Taken, dicomweb};
use hilum_transport::{
    Client, HttpRequest, Limits, PartSource, RelatedPart, Replies, Rest, Trouble,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) const DICOM: &str = "multipart/related; type=\"application/dicom\"";
pub(crate) const OCTETS: &str = "multipart/related; type=\"application/octet-stream\"";
pub(crate) const JSON: &str = "application/dicom+json";

pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) source: ImagingSource,
    pub(crate) client: Client,
    /// What stands before the paths.
    pub(crate) server: String,
    config: ImagingConfig,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) warnings: String,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// A part that came.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) content_type: String,
    pub(crate) location: String,
    pub(crate) bytes: Bytes,
}

/// One file and what it says.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) instance: Instance,
}

impl File {
    pub(crate) fn of(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        Self {
            path: path.to_owned(),
            instance: instance::read_bytes(&bytes).unwrap(),
            bytes,
        }
    }

    /// Its path in DICOMweb.
    pub(crate) fn url(&self) -> String {
        format!(
            "{}/instances/{}",
            self.series_url(),
            self.instance.sop_instance_uid
        )
    }

    pub(crate) fn series_url(&self) -> String {
        format!(
            "{}/series/{}",
            self.study_url(),
            self.instance.series_instance_uid
        )
    }

    pub(crate) fn study_url(&self) -> String {
        format!("/dicom-web/studies/{}", self.instance.study_instance_uid)
    }
}

impl Site {
    pub(crate) async fn open() -> Self {
        Self::with(Limits::default(), &[]).await
    }

    pub(crate) async fn with(limits: Limits, cors_origins: &[&str]) -> Self {
        Self::configured(limits, |config| {
            config.cors_origins = cors_origins.iter().map(|it| (*it).to_owned()).collect();
        })
        .await
    }

    pub(crate) async fn configured(
        limits: Limits,
        change: impl FnOnce(&mut ImagingConfig),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("file:{}", folder.path().join("images").display());
        let mut config = ImagingConfig::new("1.2.3.99".into(), "1.2.3.7", store);
        config.vault = crate::vault::vault();
        change(&mut config);
        let audit = AuditConfig {
            spool: folder.path().join("audit"),
            source_id: "test".to_owned(),
            enterprise_site: None,
            host: "localhost".to_owned(),
            segment_bytes: 1 << 24,
        };
        let source = ImagingSource::open(config.clone(), Audit::open(audit).unwrap()).unwrap();
        let server = serve(source.clone(), limits).await;
        Self {
            folder,
            source,
            client: Client::new(None, Limits::default()),
            server,
            config,
        }
    }

    /// Opens the source again, under another address.
    pub(crate) async fn known_as(&mut self, url: &str) {
        let config = ImagingConfig {
            web_url: Some(url.to_owned()),
            ..self.config.clone()
        };
        let audit = AuditConfig {
            spool: self.folder.path().join("audit of another"),
            source_id: "test".to_owned(),
            enterprise_site: None,
            host: "localhost".to_owned(),
            segment_bytes: 1 << 24,
        };
        self.source = ImagingSource::open(config, Audit::open(audit).unwrap()).unwrap();
        self.server = serve(self.source.clone(), Limits::default()).await;
    }

    /// The files of four studies of three patients, which are not here yet.
    pub(crate) fn phantoms(&self) -> Vec<Vec<File>> {
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        phantoms_at(&self.folder.path().join("phantoms"), now)
    }

    /// Brings files in, past the network.
    pub(crate) async fn take(&self, files: &[File]) {
        for file in files {
            let taken = self.source.take_file(&file.path, "test").await.unwrap();
            assert!(
                matches!(taken, Taken::Stored | Taken::AlreadyHere),
                "{taken:?}"
            );
        }
    }

    /// The first phantom, which is here.
    pub(crate) async fn one_study(&self) -> Vec<File> {
        let files = self.phantoms().remove(0);
        self.take(&files).await;
        files
    }

    pub(crate) async fn get(&self, path: &str, accept: &str) -> Answer {
        self.ask("GET", path, &[("accept", accept)]).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let url = format!("{}{path}", self.server);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, it)| (*name, (*it).to_owned()))
            .collect();
        let request = HttpRequest {
            method,
            url: &url,
            headers: &headers,
            body: Bytes::new(),
        };
        let answer = self.client.exchange_http(request, 1 << 26).await.unwrap();
        let header = |name| answer.header(name).unwrap_or_default().to_owned();
        Answer {
            status: answer.status,
            content_type: header("content-type"),
            warnings: header("warning"),
            body: answer.body,
        }
    }

    /// Status and parts of a multipart answer.
    pub(crate) async fn parts(&self, path: &str, accept: &str) -> (u16, Vec<Part>) {
        let url = format!("{}{path}", self.server);
        let headers = [("accept", accept.to_owned())];
        let request = HttpRequest {
            method: "GET",
            url: &url,
            headers: &headers,
            body: Bytes::new(),
        };
        let answer = self.client.open_http(request).await.unwrap();
        let status = answer.status();
        if status >= 400 {
            let answer = answer.collect(10_000).await.unwrap();
            panic!("{path}: {status} {}", String::from_utf8_lossy(&answer.body));
        }
        let parts = taken(answer.into_parts().unwrap()).await;
        (status, parts.unwrap())
    }

    /// Sends files, as they are.
    pub(crate) async fn store(&self, path: &str, files: &[&[u8]]) -> Answer {
        let part = |bytes: &&[u8]| RelatedPart {
            content_type: "application/dicom".to_owned(),
            content_location: None,
            source: PartSource::Bytes(Bytes::copy_from_slice(bytes)),
        };
        let url = format!("{}{path}", self.server);
        let parts = files.iter().map(part).collect();
        let headers = [("accept", JSON.to_owned())];
        let sent = self
            .client
            .post_related(&url, &headers, "application/dicom", parts);
        let answer = sent.await.unwrap().collect(1 << 24).await.unwrap();
        let header = |name| answer.header(name).unwrap_or_default().to_owned();
        Answer {
            status: answer.status,
            content_type: header("content-type"),
            warnings: header("warning"),
            body: answer.body,
        }
    }

    /// What was recorded: "transaction event outcome patient".
    pub(crate) fn records(&self) -> Vec<String> {
        let summary = |xml: String| {
            let summary = Summary::read(xml.as_bytes()).unwrap();
            let transaction = summary.transaction.unwrap_or_default();
            let patient = summary.patient.unwrap_or_default();
            format!(
                "{transaction} {} {} {patient}",
                summary.event, summary.outcome
            )
        };
        self.messages().into_iter().map(summary).collect()
    }

    /// What was recorded, as XML.
    pub(crate) fn messages(&self) -> Vec<String> {
        let records = spool::records(&self.folder.path().join("audit")).unwrap();
        let message = |message: Vec<u8>| {
            let text = String::from_utf8(message).unwrap();
            text[text.find("<AuditMessage").unwrap()..].to_owned()
        };
        records
            .map(|record| message(record.unwrap().message))
            .collect()
    }
}

/// Opens the source to the public, and gives what stands before the paths.
async fn serve(source: ImagingSource, limits: Limits) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let routes = move |incoming| {
        let source = source.clone();
        async move { hilum_repository::imaging::routes::serve(&source, incoming).await }
    };
    let rest = Rest::under([dicomweb::DICOM_WEB, dicomweb::WADO]);
    let (nobody, forever) = (Replies::nobody(), std::future::pending());
    tokio::spawn(hilum_transport::serve_with(
        listener, None, limits, nobody, rest, routes, forever,
    ));
    server
}

async fn taken(mut parts: hilum_transport::Parts) -> Result<Vec<Part>, Trouble> {
    let mut all = Vec::new();
    while let Some(part) = parts.next().await? {
        let content_type = part.content_type().unwrap_or_default().to_owned();
        let location = part.content_location().unwrap_or_default().to_owned();
        all.push(Part {
            content_type,
            location,
            bytes: part.collect(1 << 26).await?,
        });
    }
    Ok(all)
}

fn phantoms_at(folder: &Path, now: SystemTime) -> Vec<Vec<File>> {
    let phantoms = phantoms::write(folder, "dicomweb", now, Detail::Small).unwrap();
    let files = |folder: &Path| {
        let mut all = BTreeMap::new();
        below(folder, &mut all);
        all.into_values().collect()
    };
    phantoms
        .iter()
        .map(|phantom| files(&phantom.folder))
        .collect()
}

fn below(folder: &Path, all: &mut BTreeMap<PathBuf, File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => below(&path, all),
            false => _ = all.insert(path.clone(), File::of(&path)),
        }
    }
}

/// The values of an attribute in DICOM JSON.
pub(crate) fn values(object: &Value, tag: &str) -> Vec<Value> {
    let values = object.get(tag).and_then(|it| it.get("Value"));
    values
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

/// The first value, as text.
pub(crate) fn text(object: &Value, tag: &str) -> String {
    match values(object, tag).first() {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
