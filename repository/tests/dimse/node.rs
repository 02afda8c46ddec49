//! An imaging source that takes objects by DICOM's own protocol, and files to be sent to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, UNIX_EPOCH};

use hilum_audit::summary::Summary;
use hilum_audit::{Audit, AuditConfig, spool};
use hilum_dicom::phantoms::{self, Detail};
use hilum_dicom::walk;
use hilum_repository::imaging::dimse::{DimseConfig, Peer, Provider, Requestor};
use hilum_repository::imaging::{ImagingConfig, ImagingSource};
use hilum_transport::{Limits, streams};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub(crate) const IMPLICIT: &str = "1.2.840.10008.1.2";

pub(crate) struct Node {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    stop: watch::Sender<bool>,
    running: JoinHandle<bool>,
}

/// What is there: the object files by SOP Instance UID.
pub(crate) type Objects = BTreeMap<String, PathBuf>;

impl Node {
    /// A node in this folder, which has been one before or not.
    pub(crate) async fn open(folder: &Path) -> Self {
        Self::with(folder, DimseConfig::new("HILUM")).await
    }

    pub(crate) async fn with(folder: &Path, config: DimseConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::at(folder, config, listener).await
    }

    pub(crate) async fn at(folder: &Path, config: DimseConfig, listener: TcpListener) -> Self {
        Self::configured(folder, config, listener, |_| {}).await
    }

    pub(crate) async fn configured(
        folder: &Path,
        config: DimseConfig,
        listener: TcpListener,
        change: impl FnOnce(&mut ImagingConfig),
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let store = format!("file:{}", folder.join("images").display());
        let mut imaging = ImagingConfig::new("1.2.3.99".into(), "1.2.3.7", store);
        imaging.vault = crate::vault::vault();
        change(&mut imaging);
        let audit = AuditConfig {
            spool: folder.join("audit"),
            source_id: "test".to_owned(),
            enterprise_site: None,
            host: "localhost".to_owned(),
            segment_bytes: 1 << 24,
        };
        // The last connection of a node before may still be going.
        let mut ledger = None;
        eventually("nobody else writes there", async || {
            ledger = Audit::open(audit.clone()).ok();
            ledger.is_some()
        })
        .await;
        let source = ImagingSource::open(imaging, ledger.unwrap()).unwrap();
        let provider = source.dimse(config, requestor("HILUM"));
        let stop = watch::Sender::new(false);
        let mut stopping = stop.subscribe();
        let stopped = async move {
            let _ = stopping.wait_for(|it| *it).await;
        };
        let handle = move |incoming| {
            let provider: Provider = provider.clone();
            async move { provider.receive(incoming).await }
        };
        let limits = Limits::default();
        let serving = streams::serve(listener, None, limits, 32, handle, stopped);
        Self {
            folder: folder.to_owned(),
            port,
            stop,
            running: tokio::spawn(serving),
        }
    }

    /// Stops it; says whether everything that had begun could finish.
    pub(crate) async fn stop(self) -> bool {
        self.stop.send_replace(true);
        self.running.await.unwrap()
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer {
            ae_title: "HILUM".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls: false,
        }
    }

    pub(crate) fn objects(&self) -> Objects {
        objects(&self.folder.join("images/objects"))
    }

    /// What is being written, or was left behind.
    pub(crate) fn incoming(&self) -> usize {
        let incoming = fs::read_dir(self.folder.join("images/objects/incoming"));
        incoming.unwrap().count()
    }

    /// What was recorded: "transaction event outcome patient".
    pub(crate) fn records(&self) -> Vec<String> {
        let said = |message: Vec<u8>| {
            let begin = b"<AuditMessage";
            let xml = message.windows(begin.len()).position(|at| at == begin);
            let it = Summary::read(&message[xml.unwrap()..]).unwrap();
            let (of, what) = (it.patient.unwrap_or_default(), it.transaction);
            let what = what.unwrap_or_default();
            format!("{what} {} {} {of}", it.event, it.outcome)
        };
        let records = spool::records(&self.folder.join("audit")).unwrap();
        records
            .map(|record| said(record.unwrap().message))
            .collect()
    }
}

pub(crate) fn requestor(ae_title: &str) -> Requestor {
    Requestor::new(ae_title, None, Limits::default()).patient_for(Duration::from_secs(20))
}

/// The DICOM files below a folder.
pub(crate) fn objects(folder: &Path) -> Objects {
    let mut found = Objects::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "incoming" {
            found.extend(objects(&path));
        } else if path.is_file() {
            let instance = hilum_dicom::instance::read(&path).unwrap();
            let before = found.insert(instance.sop_instance_uid.to_string(), path);
            assert!(before.is_none(), "twice: {before:?}");
        }
    }
    found
}

/// Four studies of three patients, 32 files or so: their folders.
pub(crate) fn phantoms(folder: &Path) -> Vec<PathBuf> {
    let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let studies = phantoms::write(folder, "dimse", now, Detail::Small).unwrap();
    studies.into_iter().map(|it| it.folder).collect()
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

/// What a file says, however it is written: senders write sequences anew, with other lengths. Of what
/// is deflated, long values are told by their length only.
pub(crate) fn content(file: &Path) -> String {
    let read = walk::whole_file(file).unwrap();
    let deflated = read.transfer_syntax_uid.ends_with(".99");
    let bytes = if deflated {
        Vec::new()
    } else {
        // It may be kept encrypted.
        let mut bytes = Vec::new();
        let mut opened = hilum_dicom::opened::open(file).unwrap();
        std::io::Read::read_to_end(&mut opened, &mut bytes).unwrap();
        bytes
    };
    let mut said = String::new();
    say(&read.data, &bytes, &mut said);
    said
}

fn say(data: &walk::DataSet, file: &[u8], said: &mut String) {
    let apart = |it: &walk::Apart| {
        let from = usize::try_from(it.offset).unwrap();
        let bytes = file.get(from..from + usize::try_from(it.length).unwrap());
        let hash = bytes.map(|bytes| format!("{:x?}", Sha256::digest(bytes)));
        format!("{} {hash:?}", it.length)
    };
    for (tag, vr, value) in data.elements() {
        write!(said, "{tag} {vr:?} ").unwrap();
        match value {
            walk::Value::Bytes(bytes) => writeln!(said, "{bytes:x?}").unwrap(),
            walk::Value::Items(items) => {
                writeln!(said, "{} items", items.len()).unwrap();
                items.iter().for_each(|item| say(item, file, said));
            }
            walk::Value::Apart(it) => writeln!(said, "{}", apart(it)).unwrap(),
            walk::Value::Fragments(all) => {
                let all: Vec<String> = all.iter().map(apart).collect();
                writeln!(said, "{all:?}").unwrap();
            }
        }
    }
}

pub(crate) fn transfer_syntax(file: &Path) -> String {
    walk::file(file, &[]).unwrap().transfer_syntax_uid
}

/// Every one of these is there, with the very same content in the very same encoding.
pub(crate) fn assert_same(there: &Objects, sent: &Objects) {
    let uids = |of: &Objects| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(uids(there), uids(sent));
    for (uid, file) in sent {
        assert_eq!(transfer_syntax(&there[uid]), transfer_syntax(file), "{uid}");
        assert_eq!(content(&there[uid]), content(file), "{uid}");
    }
}

/// Where a program is. Without it, its tests cannot be done: with `HILUM_TEST_ALL` set, as in
/// `.ci/run`, that is a failure.
pub(crate) fn program(path: &'static str) -> Option<&'static Path> {
    if Path::new(path).exists() {
        return Some(Path::new(path));
    }
    assert!(
        std::env::var_os("HILUM_TEST_ALL").is_none(),
        "{path} is missing, and HILUM_TEST_ALL asks for every test: install dcmtk and orthanc"
    );
    eprintln!("NOT TESTED: {path} is missing; install Debian's dcmtk and orthanc");
    None
}

/// Runs a program to its end, beside what the test does.
pub(crate) async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// Runs a program that must succeed.
pub(crate) async fn succeed(command: Command) -> String {
    let shown = format!("{command:?}");
    let output = run(command).await;
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}: {said}");
    said.into_owned()
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Waits until this is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
