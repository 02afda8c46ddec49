//! A node that is started, stopped and killed, and looked at from outside.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hilum_dicom::instance;
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A node's folder, and its process while it runs.
pub(crate) struct Node {
    pub(crate) folder: TempDir,
    pub(crate) base: u16,
    process: Option<Child>,
}

impl Node {
    /// A node over plain HTTP that takes every patient, and does not run yet.
    pub(crate) fn made(options: &[&str]) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let start = 10_000 + u16::try_from(std::process::id() % 20_000).unwrap();
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        let base = loop {
            let base = start + 12 * NEXT.fetch_add(1, Ordering::Relaxed);
            if (1..=11).all(|port| free(base + port)) {
                break base;
            }
        };
        let node = Self {
            folder: tempfile::tempdir().unwrap(),
            base,
            process: None,
        };
        let (dir, port) = (node.dir(), base.to_string());
        let mut command = Command::new(env!("CARGO_BIN_EXE_hilum"));
        command.args(["init", dir.to_str().unwrap(), "--port-base", &port]);
        command.args(["--plain", "--accept-unknown-patients"]);
        let made = command.args(options).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        // Studies are published soon, since tests wait for that.
        node.edit("# settle_seconds = 10", "settle_seconds = 1");
        node
    }

    /// The same, and it runs.
    pub(crate) fn running(options: &[&str]) -> Self {
        let mut node = Self::made(options);
        node.start();
        node
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    pub(crate) fn data(&self, below: &str) -> PathBuf {
        self.dir().join("data").join(below)
    }

    pub(crate) fn edit(&self, from: &str, to: &str) {
        let file = self.dir().join("hilum.toml");
        let config = fs::read_to_string(&file).unwrap();
        assert!(config.contains(from), "{from}");
        fs::write(&file, config.replacen(from, to, 1)).unwrap();
    }

    pub(crate) fn start(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir().join("log"))
            .unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_hilum"))
            .arg("serve")
            .current_dir(self.dir())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let output = process.stdout.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        for _ in 0..6 {
            if receiver.recv_timeout(PATIENCE).is_err() {
                let _ = process.kill();
                panic!("the node does not listen: {}", self.log());
            }
        }
        self.process = Some(process);
    }

    pub(crate) fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        let id = process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let begun = Instant::now();
        while process.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "the node does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir().join("log")).unwrap_or_default()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hilum"));
        command.args(arguments).current_dir(self.dir());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = (text(&output.stdout), text(&output.stderr));
        assert!(
            output.status.success(),
            "{arguments:?}: {said:?} {}",
            self.log()
        );
        said.0
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).unwrap()
    }

    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!output.status.success(), "{arguments:?}: {said}");
        said
    }

    /// Submits a document and gives its uniqueId.
    pub(crate) fn submit(&self, content: &[u8]) -> String {
        let file = tempfile::Builder::new().suffix(".txt").tempfile().unwrap();
        fs::write(file.path(), content).unwrap();
        let path = file.path().to_str().unwrap();
        let sent = self.json(&["submit", path, "--patient", "P-1"]);
        sent["documents"][0]["uniqueId"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// What a document is when it is retrieved.
    pub(crate) fn retrieved(&self, unique_id: &str) -> Vec<u8> {
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().to_str().unwrap();
        let got = self.json(&["retrieve", unique_id, "--out", folder]);
        let file = got["documents"][0]["file"].as_str().unwrap();
        fs::read(self.dir().join(file)).unwrap()
    }

    /// Where a document is stored.
    pub(crate) fn document(&self, unique_id: &str) -> PathBuf {
        let digest = sha256(unique_id.as_bytes());
        let folder = self.data("documents/documents");
        folder.join(&digest[..2]).join(&digest[2..4]).join(&digest)
    }

    /// An answer to GET: its status, its body and how curl ended.
    pub(crate) fn get(&self, path: &str, accept: &str) -> (u16, Vec<u8>, bool) {
        let body = tempfile::NamedTempFile::new().unwrap();
        let output = Command::new("curl")
            .args([
                "-s",
                "-o",
                body.path().to_str().unwrap(),
                "-w",
                "%{http_code}",
            ])
            .args(["-H", &format!("Accept: {accept}")])
            .arg(format!("http://127.0.0.1:{}{path}", self.base + 2))
            .output()
            .expect("curl is needed");
        let status = text(&output.stdout).parse().unwrap();
        (
            status,
            fs::read(body.path()).unwrap(),
            output.status.success(),
        )
    }

    /// Waits until a study can be found by its patient.
    pub(crate) fn published(&self, patient: &str) {
        let begun = Instant::now();
        while !text(&self.run(&["query", "--patient", patient]).stdout)
            .contains("1.2.840.10008.5.1.4.1.1.88.59")
            && !text(&self.run(&["query", "--patient", patient]).stdout)
                .contains("application/dicom")
        {
            assert!(begun.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

/// The files below a folder in which these bytes stand.
pub(crate) fn holding(folder: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    files(folder).into_iter().filter(holds).collect()
}

/// DICOM files by SOP Instance UID.
pub(crate) fn instances(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |path: PathBuf| {
        let instance = instance::read(&path).ok()?;
        Some((
            instance.sop_instance_uid.to_string(),
            fs::read(path).unwrap(),
        ))
    };
    files(folder).into_iter().filter_map(read).collect()
}

/// Through the system's own program, so that nothing of ours says where documents are.
fn sha256(bytes: &[u8]) -> String {
    use std::io::Write;
    let mut sum = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    sum.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = sum.wait_with_output().unwrap();
    text(&output.stdout)[..64].to_owned()
}
