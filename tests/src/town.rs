//! A town: a node with its rooms, as `hilum init` writes it and `hilum serve` runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use hilum_security::iti19_authenticate_node::{TlsFiles, client_config};
use hilum_transport::{Client, Correlation, Limits};
use serde_json::Value;
use tempfile::TempDir;

use crate::calls::Expected;
use crate::postgres::Server;
use crate::words::{HOME, PATIENT_AUTHORITY, REPOSITORY};

/// How long a node may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// Below the ports that the system gives to clients.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// What kind of town.
#[derive(Debug, Default, Clone)]
pub struct Setup {
    /// Plain HTTP.
    pub plain: bool,
    /// Patients that no feed has announced are refused.
    pub refuse_unknown_patients: bool,
    /// An Audit Record Repository is there too.
    pub audit_repository: bool,
    /// `homeCommunityId`, if it is not that of every town.
    pub home: Option<String>,
    /// `repositoryUniqueId`, likewise.
    pub repository: Option<String>,
    /// The authority of patient IDs, likewise.
    pub authority: Option<String>,
    /// `--database`; if there is none, SQLite in the node's folder or, if the environment has
    /// `HILUM_TEST_DATABASE=postgres`, a PostgreSQL server of the town's own.
    pub database: Option<String>,
    /// Environment of the node, such as `HILUM_LIMITS__PROGRESS_SECONDS`.
    pub environment: Vec<(String, String)>,
    /// The network namespace in which the node and its commands run.
    pub namespace: Option<String>,
    /// The audit records are not compared with the calls in the end: for tests that lose answers.
    pub uncounted: bool,
    /// The program, if it is not the one under test.
    pub program: Option<PathBuf>,
}

/// A node and a client of it.
#[derive(Debug)]
pub struct Town {
    folder: TempDir,
    base: u16,
    setup: Setup,
    process: Option<Child>,
    /// Goes when the node is gone.
    _server: Option<Server>,
    /// The client: a Document Source and Consumer with a certificate of the node's authority.
    pub client: Client,
    /// Where the client wants its answers, if not on its connections.
    pub answers: Option<Correlation>,
    /// What must have been recorded in the end.
    pub expected: Expected,
}

impl Town {
    /// A town with mutual TLS.
    pub fn secure() -> Self {
        Self::found(Setup::default())
    }

    /// A town with plain HTTP.
    pub fn plain() -> Self {
        Self::found(Setup {
            plain: true,
            ..Setup::default()
        })
    }

    /// A town that was set up and runs.
    pub fn found(setup: Setup) -> Self {
        let mut town = Self::set_up(setup);
        town.start();
        town
    }

    /// A town that was set up and does not run.
    pub fn set_up(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = free_ports();
        let node = folder.path().join("node");
        let mut command = program(setup.program.as_deref());
        command.arg("init").arg(&node);
        command.args(["--port-base", &base.to_string()]);
        let authority = setup.authority.as_deref().unwrap_or(PATIENT_AUTHORITY);
        command.args(["--patient-authority", authority]);
        command.args(["--home", setup.home.as_deref().unwrap_or(HOME)]);
        let repository = setup.repository.as_deref().unwrap_or(REPOSITORY);
        command.args(["--repository-id", repository]);
        if setup.plain {
            command.arg("--plain");
        }
        if !setup.audit_repository {
            command.arg("--no-audit-repository");
        }
        if !setup.refuse_unknown_patients {
            command.arg("--accept-unknown-patients");
        }
        let server = match (&setup.database, std::env::var("HILUM_TEST_DATABASE")) {
            (None, Ok(kind)) if kind == "postgres" => Server::start(),
            _ => None,
        };
        let own = server.as_ref().map(|server| &server.url);
        if let Some(database) = setup.database.as_ref().or(own) {
            command.args(["--database", database]);
        }
        succeed(&mut command);
        if setup.audit_repository {
            // What a test sends to it is to be told from what the node records itself.
            let config = node.join("hilum.toml");
            let text = std::fs::read_to_string(&config).expect("a configuration");
            let sends = |line: &&str| line.starts_with("send = ");
            let kept: Vec<&str> = text.lines().filter(|line| !sends(line)).collect();
            std::fs::write(&config, kept.join("\n")).expect("it can be changed");
        }
        let client = client(&node, setup.plain, "client");
        Self {
            folder,
            base,
            setup,
            process: None,
            _server: server,
            client,
            answers: None,
            expected: Expected::default(),
        }
    }

    /// Starts the node and waits until it listens.
    pub fn start(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"));
        let mut command = self.command();
        command.args(["serve", "--config"]).arg(self.config());
        command.envs(self.setup.environment.iter().cloned());
        command.stdout(Stdio::piped());
        command.stderr(log.expect("a log file"));
        let mut process = command.spawn().expect("the node starts");
        let said = process.stdout.take().expect("its output is taken");
        let (listening, listens) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                if line.starts_with("listening ") {
                    // Nobody may wait for it any more.
                    let _ = listening.send(line);
                }
            }
        });
        self.process = Some(process);
        for _ in 0..self.listeners() {
            if listens.recv_timeout(PATIENCE).is_err() {
                panic!("the node does not listen:\n{}", self.log());
            }
        }
    }

    /// The program, where the node is.
    fn command(&self) -> Command {
        let program = program(self.setup.program.as_deref());
        let Some(namespace) = &self.setup.namespace else {
            return program;
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]);
        // The process is the program's in the end.
        command.arg(program.get_program()).stdin(Stdio::null());
        command
    }

    /// How many lines the node says when it listens: one for each section of its configuration that
    /// has `listen`, in the file or in the environment.
    fn listeners(&self) -> usize {
        let text = std::fs::read_to_string(self.config()).expect("a configuration");
        let mut sections = BTreeSet::new();
        let mut section = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            } else if line.starts_with("listen = ") {
                sections.insert(section.to_owned());
            }
        }
        for (key, _) in &self.setup.environment {
            let name = key
                .strip_prefix("HILUM_")
                .and_then(|key| key.strip_suffix("__LISTEN"));
            sections.extend(name.map(str::to_ascii_lowercase));
        }
        // The gateway is two rooms.
        sections.len() + usize::from(sections.contains("gateway"))
    }

    /// What the node logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// `hilum.toml`.
    pub fn config(&self) -> PathBuf {
        self.node().join("hilum.toml")
    }

    /// The folder of the node.
    pub fn node(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    /// A folder beside the node's.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port of a room: 1 is the registry, 2 the repository and the imaging source.
    pub const fn port(&self, room: u16) -> u16 {
        self.base + room
    }

    /// The registry's URL.
    pub fn registry(&self) -> String {
        self.url(1, "registry")
    }

    /// The repository's URL.
    pub fn repository(&self) -> String {
        self.url(2, "repository")
    }

    /// The imaging source's URL.
    pub fn imaging(&self) -> String {
        self.url(2, "imaging")
    }

    /// The URL of the gateway that answers the town's own consumers.
    pub fn initiating(&self) -> String {
        self.url(3, "initiating")
    }

    /// The URL of the gateway that answers other communities.
    pub fn responding(&self) -> String {
        self.url(3, "responding")
    }

    /// What stands before `/homeCommunityId` in WADO-RS of the gateway that answers the town's own consumers.
    pub fn initiating_wado(&self) -> String {
        self.url(3, "initiating-wado-rs")
    }

    /// The same of the gateway that answers other communities.
    pub fn responding_wado(&self) -> String {
        self.url(3, "responding-wado-rs")
    }

    /// A variable of the environment in which the node is started.
    pub fn set(&mut self, name: &str, value: &str) {
        let variable = (name.to_owned(), value.to_owned());
        self.setup.environment.push(variable);
    }

    /// The URL of the feed of patients.
    pub fn feed(&self) -> String {
        let scheme = if self.setup.plain { "mllp" } else { "mllps" };
        format!("{scheme}://localhost:{}", self.port(5))
    }

    /// The Document Recipient's URL.
    pub fn recipient(&self) -> String {
        self.url(2, "recipient")
    }

    /// The Audit Record Repository's URL: what stands before its paths.
    pub fn audit_repository(&self) -> String {
        let url = self.url(4, "");
        url.trim_end_matches('/').to_owned()
    }

    fn url(&self, room: u16, path: &str) -> String {
        let scheme = if self.setup.plain { "http" } else { "https" };
        format!("{scheme}://localhost:{}/{path}", self.port(room))
    }

    /// The certificate of the client; nothing where HTTP is plain.
    pub fn client_files(&self) -> Option<TlsFiles> {
        (!self.setup.plain).then(|| tls_files(&self.node(), "client"))
    }

    /// Another client, whose certificate is `certs/NAME.pem`.
    pub fn client_named(&self, name: &str) -> Client {
        client(&self.node(), self.setup.plain, name)
    }

    /// Runs `hilum` with these arguments in the node's folder.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command();
        command.args(arguments).current_dir(self.node());
        command.output().expect("the program can be run")
    }

    /// The audit records as `hilum audit list --json` tells them.
    pub fn records(&self) -> Vec<Value> {
        let output = self.run(&["audit", "list", "--json"]);
        assert!(output.status.success(), "{output:?}");
        let lines = output.stdout.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).expect("a JSON object a line"))
            .collect()
    }

    /// The audit messages themselves.
    pub fn messages(&self) -> Vec<String> {
        let output = self.run(&["audit", "list", "--xml"]);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("the messages are UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    /// The most memory the node ever had, in bytes (`VmHWM`).
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:") * 1024
    }

    /// The memory that the node has now, in bytes (`VmRSS`).
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:") * 1024
    }

    /// Lets the peak begin anew at what the node has now.
    pub fn forget_peak(&self) {
        let file = format!("/proc/{}/clear_refs", self.pid());
        std::fs::write(file, "5").expect("the kernel forgets the peak");
    }

    fn status(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the node runs");
        let line = status.lines().find(|line| line.starts_with(key));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|number| number.parse().ok()).expect("kB")
    }

    /// The node's process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the node runs").id()
    }

    /// Whether the node still runs.
    pub fn alive(&mut self) -> bool {
        let process = self.process.as_mut().expect("the node was started");
        process.try_wait().expect("it can be asked").is_none()
    }

    /// Ends the node as a power cut does.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("the node runs");
        process.kill().expect("it can be killed");
        process.wait().expect("it ends");
    }

    /// Ends the node as an operator does.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        succeed(Command::new("kill").args(["-TERM", &process.id().to_string()]));
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = process.try_wait().expect("it can be asked") {
                assert!(status.success(), "{status}:\n{}", self.log());
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        process.kill().expect("it can be killed");
        panic!("the node does not stop:\n{}", self.log());
    }

    /// One record for each call, no more and no less.
    fn settle(&self) {
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for record in self.records() {
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            *counts
                .entry((text("transaction"), text("event")))
                .or_default() += 1;
        }
        let count = |transaction: &str, event: &str| {
            let key = (transaction.to_owned(), event.to_owned());
            counts.get(&key).copied().unwrap_or_default()
        };
        let expected = self.expected.counts();
        for ((transaction, event), records) in &expected {
            if *transaction != "ITI-42" {
                assert_eq!(count(transaction, event), *records, "{transaction} {event}");
            }
        }
        // What the repository registers is recorded on both sides.
        let direct = expected
            .get(&("ITI-42", "Import"))
            .copied()
            .unwrap_or_default();
        let (sent, taken) = (count("ITI-42", "Export"), count("ITI-42", "Import"));
        assert_eq!(taken, sent + direct, "ITI-42");
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the node's log:\n{}", self.log());
            if let Some(mut process) = self.process.take() {
                // It may have ended already.
                let _ = process.kill();
                let _ = process.wait();
            }
            return;
        }
        self.stop();
        if !self.setup.uncounted {
            self.settle();
        }
    }
}

/// The program under test.
pub fn hilum() -> Command {
    let beside = || {
        let test = std::env::current_exe().expect("a test knows where it is");
        // target/debug/deps/test
        let folder = test.ancestors().nth(2).expect("it is in a target folder");
        folder.join("hilum")
    };
    let program = std::env::var_os("HILUM_BIN").map_or_else(beside, PathBuf::from);
    assert!(
        program.is_file(),
        "{} is not there: run `cargo build` first",
        program.display()
    );
    self::program(Some(&program))
}

/// This program, or the one under test.
fn program(program: Option<&Path>) -> Command {
    let Some(program) = program else {
        return hilum();
    };
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("the program can be run");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}

/// Certificate and key `certs/NAME.pem` of a node, for somebody who trusts its authority.
pub(crate) fn tls_files(node: &Path, name: &str) -> TlsFiles {
    let certs = node.join("certs");
    TlsFiles {
        certificate: certs.join(format!("{name}.pem")),
        key: certs.join(format!("{name}.key")),
        trust: vec![certs.join("ca.pem")],
        client_certificate_required: true,
        check_server_name: true,
    }
}

fn client(node: &Path, plain: bool, name: &str) -> Client {
    let files = tls_files(node, name);
    let tls = (!plain).then(|| client_config(&files).expect("init writes good certificates"));
    Client::new(tls, Limits::default())
}

/// A base such that the ports of the rooms are free. Towns of one process never share one.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let places = (PORTS.end - PORTS.start) / 20;
    let first = u16::try_from(std::process::id() % u32::from(places)).unwrap_or_default();
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    for _ in 0..places {
        let place = (first + NEXT.fetch_add(1, Ordering::Relaxed)) % places;
        let base = PORTS.start + 20 * place;
        if (base + 1..base + 11).all(free) {
            return base;
        }
    }
    panic!("no free ports");
}
