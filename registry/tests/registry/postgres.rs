//! A PostgreSQL server of our own, in a folder that goes away with it.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A server that runs, reachable through a socket in its folder only.
pub(crate) struct Server {
    folder: TempDir,
    programs: PathBuf,
    databases: Cell<u32>,
}

impl Server {
    /// Starts a server. Where PostgreSQL is not installed, this says so and there is none; with
    /// `HILUM_TEST_ALL` set, as in `.ci/run`, it must be there.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var_os("HILUM_TEST_ALL").is_none(),
                "PostgreSQL is not installed, and HILUM_TEST_ALL asks for it"
            );
            eprintln!("NOT RUN: PostgreSQL (initdb, pg_ctl) is not installed");
            return None;
        };
        let server = Self {
            folder: tempfile::tempdir().unwrap(),
            programs,
            databases: Cell::new(0),
        };
        if is_root() {
            // The server refuses to run as root.
            succeed(Command::new("chown").arg("postgres").arg(server.path()));
        }
        server.run(
            "initdb",
            &[
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--no-sync",
                "-D",
            ],
        );
        // Registries of earlier cases keep their connections until the end.
        let log = server.path().join("log");
        // Registries of earlier cases keep their connections.
        let options = format!(
            "-c listen_addresses= -c fsync=off -c max_connections=1000 -k {}",
            server.path().display()
        );
        let log = log.display().to_string();
        server.run("pg_ctl", &["-w", "-l", &log, "-o", &options, "start", "-D"]);
        Some(server)
    }

    /// The URL of an empty database: a schema of its own.
    pub(crate) fn new_database(&self) -> String {
        let number = self.databases.replace(self.databases.get() + 1);
        let socket = self.path().display().to_string();
        let name = format!("site{number}");
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-q", "-U", "postgres", "-h", &socket]);
        succeed(psql.args(["-c", &format!("CREATE SCHEMA {name}")]));
        let socket = socket.replace('/', "%2F");
        format!("postgres://postgres@{socket}/postgres?options=-c%20search_path%3D{name}")
    }

    /// The folder of the server.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        let data = self.path().join("data");
        succeed(command.args(arguments).arg(data).current_dir("/"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-m", "immediate", "stop", "-D"]);
    }
}

fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.flatten().map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut folders = versions.chain(path);
    folders.find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn succeed(command: &mut Command) {
    // Its output would be waited for as long as the server has it open.
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
