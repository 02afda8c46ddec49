//! Receivers of audit records that others have made: rsyslog and syslog-ng, each in a folder of its own.
//!
//! Every message that they take becomes a line of a file, as it came.

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a receiver may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// How messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// TLS with certificates on both sides, those of the node whose folder of certificates this is.
    Tls,
    /// TCP, messages counted in octets.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A program that takes syslog.
#[derive(Debug)]
enum Program {
    Rsyslog(PathBuf),
    /// With the folder that its package was unpacked into, if it is not installed: it cannot be
    /// beside rsyslog.
    SyslogNg(PathBuf, Option<PathBuf>),
}

/// A receiver, which runs or does not.
#[derive(Debug)]
pub struct Receiver {
    folder: TempDir,
    program: Program,
    by: By,
    port: u16,
    process: Option<Child>,
}

impl Receiver {
    /// Starts rsyslog with the certificates in `certs`. Where it is not installed, this says so and
    /// there is none; with `HILUM_TEST_ALL` set, as in `.ci/run`, it must be there.
    pub fn rsyslog(by: By, certs: &Path) -> Option<Self> {
        let program = found(Path::new("/usr/sbin/rsyslogd"), "rsyslog, rsyslog-openssl")?;
        Some(Self::with(Program::Rsyslog(program), by, certs))
    }

    /// The same with syslog-ng: installed, or unpacked into the folder that `HILUM_SYSLOG_NG` names.
    pub fn syslog_ng(by: By, certs: &Path) -> Option<Self> {
        let root = std::env::var_os("HILUM_SYSLOG_NG").map(PathBuf::from);
        let program = Path::new("usr/sbin/syslog-ng");
        let path = root.as_deref().unwrap_or(Path::new("/")).join(program);
        let program = found(&path, "syslog-ng-core, see HILUM_SYSLOG_NG")?;
        Some(Self::with(Program::SyslogNg(program, root), by, certs))
    }

    fn with(program: Program, by: By, certs: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = match by {
            By::Udp => UdpSocket::bind("127.0.0.1:0").and_then(|free| free.local_addr()),
            _ => TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()),
        };
        let mut receiver = Self {
            folder,
            program,
            by,
            port: port.expect("a free port").port(),
            process: None,
        };
        let text = match &receiver.program {
            Program::Rsyslog(_) => receiver.rsyslog_conf(certs),
            Program::SyslogNg(..) => receiver.syslog_ng_conf(certs),
        };
        fs::write(receiver.path("conf"), text).expect("a configuration");
        receiver.start();
        receiver
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn rsyslog_conf(&self, certs: &Path) -> String {
        let (folder, port) = (self.folder.path().display(), self.port);
        let certs = certs.display();
        // Written before the next message is read, so that what was read is not lost with the process.
        let rules = format!(
            "template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\n\
             ruleset(name=\"audit\") {{ action(type=\"omfile\" file=\"{folder}/received\" \
             template=\"raw\" asyncWriting=\"off\" flushOnTXEnd=\"on\") }}\n"
        );
        let global = format!(
            "global(workDirectory=\"{folder}\" maxMessageSize=\"8m\" \
             parser.escapeControlCharactersOnReceive=\"off\" \
             defaultNetstreamDriverCAFile=\"{certs}/ca.pem\" \
             defaultNetstreamDriverCertFile=\"{certs}/node.pem\" \
             defaultNetstreamDriverKeyFile=\"{certs}/node.key\")\n"
        );
        let input = match self.by {
            By::Udp => format!(
                "module(load=\"imudp\")\n{rules}input(type=\"imudp\" address=\"127.0.0.1\" \
                 port=\"{port}\" rcvbufSize=\"8m\" ruleset=\"audit\")\n"
            ),
            By::Tcp => format!(
                "module(load=\"imtcp\")\n{rules}input(type=\"imtcp\" address=\"127.0.0.1\" \
                 port=\"{port}\" ruleset=\"audit\")\n"
            ),
            By::Tls => format!(
                "module(load=\"imtcp\" StreamDriver.Name=\"ossl\" StreamDriver.Mode=\"1\" \
                 StreamDriver.AuthMode=\"x509/certvalid\")\n{rules}input(type=\"imtcp\" \
                 address=\"127.0.0.1\" port=\"{port}\" ruleset=\"audit\")\n"
            ),
        };
        format!("{global}{input}")
    }

    fn syslog_ng_conf(&self, certs: &Path) -> String {
        let (folder, port) = (self.folder.path().display(), self.port);
        let certs = certs.display();
        let transport = match self.by {
            By::Udp => "transport(\"udp\")".to_owned(),
            By::Tcp => "transport(\"tcp\")".to_owned(),
            By::Tls => format!(
                "transport(\"tls\") tls(key-file(\"{certs}/node.key\") cert-file(\"{certs}/node.pem\") \
                 ca-file(\"{certs}/ca.pem\") peer-verify(required-trusted))"
            ),
        };
        format!(
            "@version: 3.38\n\
             options {{ keep-hostname(yes); log-msg-size(8388608); stats-freq(0); }};\n\
             source s {{ syslog(ip(\"127.0.0.1\") port({port}) {transport} flags(store-raw-message)); }};\n\
             destination d {{ file(\"{folder}/received\" template(\"${{RAWMSG}}\\n\")); }};\n\
             log {{ source(s); destination(d); flags(flow-control); }};\n"
        )
    }

    /// The address, as a node is configured to send to it.
    pub fn address(&self) -> String {
        let scheme = match self.by {
            By::Tls => "syslog+tls",
            By::Tcp => "syslog+tcp",
            By::Udp => "syslog+udp",
        };
        format!("{scheme}://localhost:{}", self.port)
    }

    /// Starts it, and waits until it listens.
    pub fn start(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"));
        let log = log.expect("a log");
        let mut command = match &self.program {
            Program::Rsyslog(program) => {
                let mut command = Command::new(program);
                command.args(["-n", "-i"]).arg(self.path("pid"));
                command.arg("-f").arg(self.path("conf"));
                command
            }
            Program::SyslogNg(program, root) => {
                let mut command = Command::new(program);
                if let Some(root) = root {
                    let folders = [
                        "usr/lib/syslog-ng",
                        "usr/lib/x86_64-linux-gnu",
                        "lib/x86_64-linux-gnu",
                    ];
                    let folders = folders.map(|folder| root.join(folder));
                    let path = std::env::join_paths(folders).expect("folders without colons");
                    command.env("LD_LIBRARY_PATH", path);
                    let modules = root.join("usr/lib/syslog-ng/3.38");
                    command.arg(format!("--module-path={}", modules.display()));
                }
                command
                    .args(["-F", "-e", "--no-caps", "-p"])
                    .arg(self.path("pid"));
                command.arg("-R").arg(self.path("persist"));
                command.arg("-c").arg(self.path("control"));
                command.arg("-f").arg(self.path("conf"));
                command
            }
        };
        command.stdin(Stdio::null());
        command.stdout(log.try_clone().expect("one more handle"));
        command.stderr(log);
        self.process = Some(command.spawn().expect("the receiver starts"));
        let began = Instant::now();
        while !self.listens() {
            let process = self.process.as_mut().expect("it was started");
            let ended = process.try_wait().expect("it can be asked");
            let late = began.elapsed() > PATIENCE;
            assert!(ended.is_none() && !late, "no receiver:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn listens(&self) -> bool {
        match self.by {
            // Somebody else cannot have the port then.
            By::Udp => UdpSocket::bind(("127.0.0.1", self.port)).is_err(),
            _ => TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
        }
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it can be killed");
            process.wait().expect("it ends");
        }
    }

    /// Lets it hang: it does nothing any more, and its connections stay.
    pub fn freeze(&self) {
        let process = self.process.as_ref().expect("it runs");
        let id = process.id().to_string();
        let asked = Command::new("kill").args(["-STOP", &id]).status();
        assert!(asked.expect("it can be stopped").success());
    }

    /// Ends it as an operator does.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let id = process.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(asked.expect("it can be asked to end").success());
        let began = Instant::now();
        while process.try_wait().expect("it can be asked").is_none() {
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has received: each message, as it came. The last one may be cut off if the receiver was
    /// killed.
    pub fn received(&self) -> Vec<Vec<u8>> {
        let bytes = fs::read(self.path("received")).unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    }

    /// Waits until it has received so many messages.
    pub fn wait_for(&self, messages: usize, patience: Duration) {
        let began = Instant::now();
        loop {
            let received = self.received().len();
            if received >= messages {
                return;
            }
            let late = began.elapsed() > patience;
            assert!(
                !late,
                "{received} of {messages} messages came:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the receiver's log:\n{}", self.log());
        }
        self.kill();
    }
}

fn found(program: &Path, packages: &str) -> Option<PathBuf> {
    if program.is_file() {
        return Some(program.to_owned());
    }
    assert!(
        std::env::var_os("HILUM_TEST_ALL").is_none(),
        "{} is not there ({packages}), and HILUM_TEST_ALL asks for every test",
        program.display()
    );
    eprintln!(
        "SKIPPED, because {} is not there ({packages})",
        program.display()
    );
    None
}
