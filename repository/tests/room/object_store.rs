//! An object store of our own, in a folder that goes away with it: `s3s-fs`, which checks signatures
//! and keeps each object as a file.
//!
//! With `HILUM_TEST_STORE=s3` every repository of these tests keeps its documents there.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hilum_repository::Access;
use hilum_transport::{Client, Limits};

const BUCKET: &str = "documents";
const KEY: &str = "AKIAHILUMTESTS";
const SECRET: &str = "only/for+tests";

/// What is missing if it is not there.
const INSTALL: &str =
    "there is no s3s-fs: cargo install s3s-fs --version 0.14.1 --features binary --locked";

/// A server that runs.
pub(crate) struct ObjectStore {
    process: Child,
    folder: PathBuf,
    port: u16,
}

impl ObjectStore {
    /// Whether these tests are to use one.
    pub(crate) fn is_wanted() -> bool {
        std::env::var("HILUM_TEST_STORE").is_ok_and(|kind| kind == "s3")
    }

    /// Starts a server that keeps its buckets in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        let started = Self::start_if_installed(folder);
        started.unwrap_or_else(|| panic!("{INSTALL}"))
    }

    /// The same, or says that there is none. With `HILUM_TEST_ALL` set, as in `.ci/run`, there must
    /// be one.
    pub(crate) fn start_if_installed(folder: &Path) -> Option<Self> {
        let folder = folder.join("buckets");
        std::fs::create_dir_all(folder.join(BUCKET)).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let Ok(process) = run(&folder, port) else {
            assert!(std::env::var_os("HILUM_TEST_ALL").is_none(), "{INSTALL}");
            eprintln!("SKIPPED: {INSTALL}");
            return None;
        };
        let store = Self {
            process,
            folder,
            port,
        };
        store.wait();
        Some(store)
    }

    /// Ends the server, as if it were away.
    pub(crate) fn stop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again.
    pub(crate) fn start_again(&mut self) {
        self.process = run(&self.folder, self.port).unwrap();
        self.wait();
    }

    fn wait(&self) {
        for _ in 0..500 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the object store does not listen");
    }

    /// A store in it.
    pub(crate) fn url(&self) -> String {
        let port = self.port;
        format!("s3://{BUCKET}/a/prefix?endpoint=http://127.0.0.1:{port}")
    }

    /// Where its objects are files.
    pub(crate) fn objects(&self) -> PathBuf {
        self.folder.join(BUCKET).join("a/prefix")
    }

    pub(crate) fn access() -> Access {
        Access {
            key: KEY.to_owned(),
            secret: SECRET.to_owned(),
            client: Client::new(None, Limits::default()),
        }
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(folder: &Path, port: u16) -> std::io::Result<Child> {
    let program = std::env::var_os("HILUM_S3S_FS").unwrap_or_else(|| "s3s-fs".into());
    let mut command = Command::new(program);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--access-key", KEY, "--secret-key", SECRET]);
    command.arg(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}
