//! A node that runs, in a folder of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a node may take to listen, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a new node listens for, and says so in a line each.
pub(crate) const LISTENERS: usize = 12;

/// Runs `hilum` anywhere.
pub(crate) fn hilum(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hilum"));
    command.args(arguments).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A base such that the ports that follow it are free, below those that the system gives to clients.
pub(crate) fn port_base() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const PLACES: u16 = 650;
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = u16::try_from(std::process::id() % u32::from(PLACES)).unwrap();
    loop {
        let place = (first + NEXT.fetch_add(1, Ordering::Relaxed)) % PLACES;
        let base = 12_000 + 30 * place;
        if (base + 1..=base + 30).all(free) {
            return base;
        }
    }
}

/// A node that runs until it is dropped.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) base: u16,
    process: Child,
    /// What it and its commands find in their environment, beside ours.
    environment: Vec<(&'static str, &'static str)>,
    /// What it printed when it had started.
    pub(crate) lines: Vec<String>,
}

impl Site {
    /// A node over plain HTTP that takes every patient.
    pub(crate) fn open() -> Self {
        Self::with(&["--plain", "--accept-unknown-patients"])
    }

    /// A node that `hilum init` made with these options.
    pub(crate) fn with(options: &[&str]) -> Self {
        Self::served(options, Vec::new())
    }

    /// The same, but what the node records itself does not go to its Audit Record Repository.
    pub(crate) fn with_empty_audit_log(options: &[&str]) -> Self {
        Self::served(options, vec![("HILUM_AUDIT__SEND", "")])
    }

    fn served(options: &[&str], environment: Vec<(&'static str, &'static str)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = port_base();
        let dir = folder.path().join("node");
        let port = base.to_string();
        let mut arguments = vec!["init", dir.to_str().unwrap(), "--port-base", &port];
        arguments.extend(options);
        let made = hilum(&arguments);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let mut process = Command::new(env!("CARGO_BIN_EXE_hilum"))
            .args(["serve"])
            .envs(environment.iter().copied())
            .current_dir(&dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = first_lines(&mut process, LISTENERS);
        Self {
            folder,
            base,
            process,
            environment,
            lines,
        }
    }

    /// The node's folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    /// Writes a file beside the node, and gives its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs `hilum` in the node's folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hilum"));
        command.envs(self.environment.iter().copied());
        command.args(arguments).current_dir(self.dir());
        command.output().unwrap()
    }

    /// What a command that succeeds prints.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {said:?}");
        said.0
    }

    /// The most memory in kilobytes that a command takes, which must succeed. It is read from
    /// `/proc` while the command runs.
    pub(crate) fn peak(&self, arguments: &[&str]) -> u64 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hilum"))
            .args(arguments)
            .current_dir(self.dir())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", command.id());
        let mut peak = 0;
        loop {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with("VmHWM:"));
            let number = line.and_then(|line| line.split_whitespace().nth(1));
            peak = number
                .and_then(|number| number.parse().ok())
                .unwrap_or(peak);
            if let Some(status) = command.try_wait().unwrap() {
                assert!(status.success(), "{arguments:?}");
                assert!(peak > 0, "it was too quick to be looked at");
                return peak;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What a command prints that succeeds with `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    /// Exit status, standard output and standard error of a command that fails.
    pub(crate) fn refused(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.run(arguments);
        let said = (text(&output.stdout), text(&output.stderr));
        assert!(!output.status.success(), "{arguments:?}: {said:?}");
        (output.status.code().unwrap(), said.0, said.1)
    }

    /// Submits a text, for P-1 unless the options say somebody else, and gives its uniqueId and
    /// entryUUID.
    pub(crate) fn submit(&self, name: &str, content: &str, options: &[&str]) -> (String, String) {
        let file = self.file(name, content);
        let patient: &[&str] = match options.contains(&"--patient") {
            true => &[],
            false => &["--patient", "P-1"],
        };
        let arguments = [&["submit", &file], patient, options].concat();
        let document = &self.json(&arguments)["documents"][0];
        let said = |name: &str| document[name].as_str().unwrap().to_owned();
        (said("uniqueId"), said("entryUUID"))
    }

    /// The audit records, as JSON.
    pub(crate) fn records(&self) -> Vec<Value> {
        let listed = self.ok(&["audit", "list", "--json"]);
        let lines = listed.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// How many records there are of a transaction, by their events: who gave and who took.
    pub(crate) fn recorded(&self, transaction: &str) -> Vec<String> {
        let records = self.records();
        let records = records
            .iter()
            .filter(|record| record["transaction"] == transaction);
        let mut events: Vec<String> = records
            .map(|record| {
                format!(
                    "{} {}",
                    record["event"].as_str().unwrap(),
                    record["outcome"].as_str().unwrap()
                )
            })
            .collect();
        events.sort();
        events
    }

    /// Stops the node as an operator does.
    pub(crate) fn stop(&mut self) {
        let id = self.process.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status();
        assert!(killed.unwrap().success());
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the node does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Site {
    /// Stops the node and starts it again.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.process = Command::new(env!("CARGO_BIN_EXE_hilum"))
            .args(["serve"])
            .envs(self.environment.iter().copied())
            .current_dir(self.dir())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        self.lines = first_lines(&mut self.process, LISTENERS);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It may have been stopped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first lines that a process prints; it must not take for ever.
fn first_lines(process: &mut Child, count: usize) -> Vec<String> {
    let output = process.stdout.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    let next = |_| receiver.recv_timeout(PATIENCE);
    let lines: Result<Vec<String>, _> = (0..count).map(next).collect();
    lines.unwrap_or_else(|error| {
        let _ = process.kill();
        panic!("the node does not listen: {error}");
    })
}
