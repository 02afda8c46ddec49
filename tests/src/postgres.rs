//! A PostgreSQL server of our own, in a folder that goes away with it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    /// Where it is: `postgres://…` of an empty database.
    pub url: String,
}

impl Server {
    /// Starts a server. Where PostgreSQL is not installed, this says so and there is none; with
    /// `HILUM_TEST_ALL` set, as in `.ci/run`, it must be there.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var_os("HILUM_TEST_ALL").is_none(),
                "PostgreSQL is not installed, and HILUM_TEST_ALL asks for every test"
            );
            eprintln!("SKIPPED, because PostgreSQL (initdb, pg_ctl) is not installed");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.expect("a free port").port();
        let server = Self {
            folder,
            programs,
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        };
        if is_root() {
            // The server refuses to run as root.
            succeed(Command::new("chown").arg("postgres").arg(server.path()));
        }
        let data = server.path().join("data");
        let log = server.path().join("log");
        let options = format!("-p {port} -h 127.0.0.1 -k {}", server.path().display());
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
            &data,
        );
        let start = ["-w", "-l", &text(&log), "-o", &options, "start", "-D"];
        server.run("pg_ctl", &start, &data);
        Some(server)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, program: &str, arguments: &[&str], data: &Path) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // Its output would be waited for as long as the server has it open.
        command.stdout(std::process::Stdio::null());
        succeed(command.args(arguments).arg(data).current_dir("/"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.path().join("data");
        self.run("pg_ctl", &["-m", "immediate", "stop", "-D"], &data);
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
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn succeed(command: &mut Command) {
    let output = command
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit());
    let status = output.status().expect("the program can be run");
    assert!(status.success(), "{command:?}: {status}");
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    /// The server speaks its protocol (here: it has no TLS) for as long as it is held.
    #[test]
    fn a_server_runs_while_it_is_held() {
        let Some(server) = Server::start() else {
            return;
        };
        let address = server.url.split(['@', '/']).nth(3);
        let address = address.expect("a host and a port").to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
        let mut answer = [0];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"N");
        drop((stream, server));
        assert!(TcpStream::connect(address).is_err());
    }
}
