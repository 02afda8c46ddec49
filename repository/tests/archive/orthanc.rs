//! A real archive: Orthanc, with its DICOMweb plugin.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hilum_repository::imaging::archives::{ArchiveConfig, Credentials, Road};
use hilum_repository::imaging::dimse::Peer;
use hilum_transport::{Client, HttpRequest, Limits};
use tempfile::TempDir;

const PROGRAM: &str = "/usr/sbin/Orthanc";
const PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";
const PASSWORD: &str = "not a secret";
/// Orthanc's own answer is this JSON.
const NAMES: &str = "\"ID\" : \"";

pub(crate) struct Orthanc {
    process: Option<Child>,
    folder: TempDir,
    pub(crate) http: u16,
    pub(crate) dicom: u16,
    client: Client,
}

impl Orthanc {
    /// A new one; `None`, loudly, if it is not installed. `nodes` are AE titles and ports on this
    /// machine.
    pub(crate) async fn start(nodes: &[(&str, u16)]) -> Option<Self> {
        for path in [PROGRAM, PLUGIN] {
            if !Path::new(path).exists() {
                assert!(
                    std::env::var_os("HILUM_TEST_ALL").is_none(),
                    "{path} is missing, and HILUM_TEST_ALL asks for every test: install orthanc \
                     and orthanc-dicomweb"
                );
                eprintln!("NOT TESTED: {path} is missing; install Debian's orthanc-dicomweb");
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let (http, dicom) = (free_port(), free_port());
        let nodes: Vec<String> = nodes
            .iter()
            .map(|(title, port)| format!("\"{title}\": [\"{title}\", \"127.0.0.1\", {port}]"))
            .collect();
        let shown = folder.path().display();
        let config = format!(
            r#"{{"Name": "PACS", "StorageDirectory": "{shown}/db", "IndexDirectory": "{shown}/db",
            "Plugins": ["{PLUGIN}"], "HttpPort": {http}, "DicomPort": {dicom}, "DicomAet": "PACS",
            "RemoteAccessAllowed": false, "AuthenticationEnabled": true,
            "RegisteredUsers": {{"hilum": "{PASSWORD}"}}, "DicomCheckCalledAet": false,
            "DicomAlwaysAllowFind": true, "DicomAlwaysAllowMove": true,
            "DicomModalities": {{{}}},
            "DicomWeb": {{"Enable": true, "Root": "/dicom-web/", "EnableWado": true}}}}"#,
            nodes.join(", ")
        );
        std::fs::write(folder.path().join("orthanc.json"), config).unwrap();
        let mut orthanc = Self {
            process: None,
            folder,
            http,
            dicom,
            client: Client::new(None, Limits::default()),
        };
        orthanc.run().await;
        Some(orthanc)
    }

    /// Starts it, or starts it again.
    pub(crate) async fn run(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let child = Command::new(PROGRAM)
            .arg(self.folder.path().join("orthanc.json"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.process = Some(child.unwrap());
        let patience = Instant::now() + Duration::from_secs(60);
        while self.ask("GET", "/system", Bytes::new()).await.is_none() {
            assert!(Instant::now() < patience, "Orthanc does not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Kills it. What it has stays.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// As an archive of this name that is looked at all the time.
    pub(crate) fn config(&self, name: &str) -> ArchiveConfig {
        let mut config = ArchiveConfig::new(
            name,
            Road::DicomWeb {
                url: format!("http://127.0.0.1:{}/dicom-web/", self.http),
                credentials: Credentials::Basic {
                    user: "hilum".to_owned(),
                    password: PASSWORD.to_owned(),
                },
            },
        );
        config.interval = Duration::from_millis(300);
        config.sweep = Duration::ZERO;
        config.patience = Duration::from_secs(5);
        config
    }

    /// The same by DICOM's own protocol.
    pub(crate) fn dimse(&self, name: &str) -> ArchiveConfig {
        ArchiveConfig {
            road: Road::Dimse {
                peer: Peer {
                    ae_title: "PACS".to_owned(),
                    host: "127.0.0.1".to_owned(),
                    port: self.dicom,
                    tls: false,
                },
                own_ae_title: "HILUM".to_owned(),
            },
            ..self.config(name)
        }
    }

    pub(crate) async fn store(&self, files: &[PathBuf]) {
        for file in files {
            let bytes = std::fs::read(file).unwrap();
            let answer = self.ask("POST", "/instances", bytes.into()).await.unwrap();
            assert_eq!(answer.0, 200, "{}", file.display());
        }
    }

    /// Deletes what has this UID: a study or an instance.
    pub(crate) async fn delete(&self, kind: &str, uid: &str) {
        let found = self
            .ask("POST", "/tools/lookup", uid.to_owned().into())
            .await
            .unwrap();
        let found = String::from_utf8(found.1.to_vec()).unwrap();
        let (_, id) = found.split_once(NAMES).unwrap();
        let (id, _) = id.split_once('"').unwrap();
        let path = format!("/{kind}/{id}");
        let (status, _) = self.ask("DELETE", &path, Bytes::new()).await.unwrap();
        assert_eq!(status, 200, "{uid}");
    }

    async fn ask(&self, method: &str, path: &str, body: Bytes) -> Option<(u16, Bytes)> {
        use base64::Engine;
        let user = base64::engine::general_purpose::STANDARD.encode(format!("hilum:{PASSWORD}"));
        let request = HttpRequest {
            method,
            url: &format!("http://127.0.0.1:{}{path}", self.http),
            headers: &[("authorization", format!("Basic {user}"))],
            body,
        };
        let answer = self.client.exchange_http(request, 1 << 24).await.ok()?;
        Some((answer.status, answer.body))
    }
}

impl Drop for Orthanc {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
