//! Syslog over TLS, TCP and UDP into a repository that listens.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hilum_audit::record_repository::{Form, Received, RecordRepository, Via};
use hilum_audit::spool::records;
use hilum_security::development_ca::Identity;
use hilum_security::iti19_authenticate_node::{ClientTls, TlsFiles, client_config, server_config};
use hilum_transport::{Limits, streams};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::store::Store;

/// How long something may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// A repository that listens with TLS, without it, and for datagrams.
struct Listening {
    store: Store,
    certificates: tempfile::TempDir,
    repository: RecordRepository,
    stop: watch::Sender<bool>,
    running: JoinSet<bool>,
    tls: SocketAddr,
    tcp: SocketAddr,
    udp: SocketAddr,
}

impl Listening {
    async fn start(store: Store) -> Self {
        let certificates = tempfile::tempdir().unwrap();
        let authority = Identity::authority("CA", 1).unwrap();
        let path = |name: &str| certificates.path().join(name);
        authority.write(&path("ca.pem"), &path("ca.key")).unwrap();
        for name in ["repository", "sender"] {
            let node = authority.issue(name, &[], 1).unwrap();
            let file = |end| path(&format!("{name}.{end}"));
            node.write(&file("pem"), &file("key")).unwrap();
        }
        let repository = store.open();
        let (stop, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        let mut addresses = Vec::new();
        for via in [Via::Tls, Via::Tcp] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            let tls = server_config(&files(&certificates, "repository")).unwrap();
            let tls = Some(tls).filter(|_| via == Via::Tls);
            let repository = repository.clone();
            let handle = move |incoming| {
                let repository = repository.clone();
                async move { repository.receive(via, incoming).await }
            };
            let stop = ended(stopped.clone());
            let limits = Limits::default();
            running.spawn(streams::serve(listener, tls, limits, 10, handle, stop));
        }
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let udp = socket.local_addr().unwrap();
        let receiving = repository.clone();
        let stopping = ended(stopped);
        running.spawn(async move { receiving.receive_datagrams(socket, stopping).await });
        Self {
            store,
            certificates,
            repository,
            stop,
            running,
            tls: addresses[0],
            tcp: addresses[1],
            udp,
        }
    }

    async fn plain() -> Self {
        Self::start(Store::new()).await
    }

    fn client(&self) -> ClientTls {
        client_config(&files(&self.certificates, "sender")).unwrap()
    }

    async fn connect(&self) -> Box<dyn streams::Duplex> {
        let (tls, port) = (self.client(), self.tls.port());
        let stream = streams::connect("localhost", port, Some(&tls), &Limits::default()).await;
        stream.unwrap()
    }

    /// Writes with TLS, and closes when the repository does.
    async fn send(&self, bytes: &[u8]) {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        // TLS 1.3 servers send tickets. Who closes without having read them resets the connection, and
        // with it loses what is still on its way.
        let mut tickets = Vec::new();
        let closed = stream.read_to_end(&mut tickets).await;
        assert_eq!(closed.map_err(|error| error.to_string()), Ok(0));
    }

    /// What was received, once it is so many.
    async fn received(&self, count: u64) -> Vec<Received> {
        let mut end = self.repository.log().changes();
        let enough = end.wait_for(|end| *end >= count);
        tokio::time::timeout(PATIENCE, enough)
            .await
            .unwrap()
            .unwrap();
        let all = self.repository.log().from(0, usize::MAX).unwrap();
        all.into_iter().map(|(_, record)| record).collect()
    }

    async fn texts(&self, count: u64) -> Vec<String> {
        let received = self.received(count).await;
        let text = |record: Received| String::from_utf8_lossy(&record.bytes).into_owned();
        received.into_iter().map(text).collect()
    }

    async fn stop(mut self) -> Store {
        self.stop.send_replace(true);
        while let Some(ended) = self.running.join_next().await {
            assert!(ended.unwrap());
        }
        self.repository.sign().await;
        self.store
    }
}

fn files(folder: &tempfile::TempDir, name: &str) -> TlsFiles {
    TlsFiles {
        certificate: folder.path().join(format!("{name}.pem")),
        key: folder.path().join(format!("{name}.key")),
        trust: vec![folder.path().join("ca.pem")],
        client_certificate_required: true,
        check_server_name: true,
    }
}

async fn ended(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

#[tokio::test]
async fn every_byte_that_comes_with_tls_is_kept_with_who_sent_it() {
    let listening = Listening::plain().await;
    // `send` waits until the repository closes: then everything is kept.
    // All 8 bits, and no message of anything.
    let wild: Vec<u8> = (0..=255).collect();
    let message = "<85>1 2026-11-27T17:00:00Z host app - - - <AuditMessage/>\n";
    let mut sent = format!("{} {message}256 ", message.len()).into_bytes();
    sent.extend_from_slice(&wild);
    sent.extend_from_slice(b"9 <1>last");
    for number in 0..20_u64 {
        listening.send(b"5 <1>ab".repeat(500).as_slice()).await;
        // It was closed by TLS, so all of it is durable already.
        assert_eq!(listening.repository.log().end(), 500 * (number + 1));
    }
    let begin = usize::try_from(listening.repository.log().end()).unwrap();
    listening.send(&sent).await;
    let received = listening.received(10_003).await;
    let received = &received[begin..];
    assert_eq!(received[0].bytes, message.as_bytes());
    assert_eq!(received[1].bytes, wild);
    // The connection ended within it.
    assert_eq!(
        (&received[2].bytes[..], received[2].cut),
        (&b"9 <1>last"[..], true)
    );
    for record in received {
        assert_eq!((record.via, record.form), (Via::Tls, Form::Syslog));
        let node = record.node.as_deref();
        assert_eq!(node, Some("CN=sender, O=Hilum development"));
        assert!(record.at.elapsed().unwrap() < PATIENCE);
    }
    assert_eq!(listening.stop().await.findings(), []);
}

#[tokio::test]
async fn nobody_is_listened_to_without_a_certificate() {
    let listening = Listening::plain().await;
    let mut stream = TcpStream::connect(listening.tls).await.unwrap();
    stream.write_all(b"5 <1>ab5 <1>ab").await.unwrap();
    // The connection is closed, perhaps after an alert.
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let began = Instant::now();
    let spool = listening.store.audit_spool();
    loop {
        let recorded = records(&spool).unwrap().filter_map(Result::ok);
        let text = |message: Vec<u8>| String::from_utf8(message).unwrap();
        if recorded
            .map(|it| text(it.message))
            .any(|it| it.contains("110126"))
        {
            break;
        }
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(listening.repository.log().end(), 0);
}

#[tokio::test]
async fn lines_and_datagrams_are_received_too() {
    let listening = Listening::plain().await;
    let mut stream = TcpStream::connect(listening.tcp).await.unwrap();
    stream
        .write_all(b"<1>a line\n<1>another\n8 <1>count")
        .await
        .unwrap();
    let expected = ["<1>a line", "<1>another", "<1>count"];
    assert_eq!(listening.texts(3).await, expected);
    stream.write_all(b"<1>third\n").await.unwrap();
    assert_eq!(listening.texts(4).await[3], "<1>third");
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket
        .send_to(b"<1>a datagram", listening.udp)
        .await
        .unwrap();
    let long = vec![b'x'; 60_000];
    socket.send_to(&long, listening.udp).await.unwrap();
    let received = listening.received(6).await;
    let from = socket.local_addr().unwrap();
    let datagrams: Vec<&Received> = received.iter().filter(|it| it.via == Via::Udp).collect();
    assert_eq!(datagrams[0].bytes, b"<1>a datagram");
    assert_eq!(datagrams[1].bytes, long);
    assert_eq!((datagrams[1].from, datagrams[1].cut), (from, false));
    assert_eq!(listening.repository.dropped_datagrams(), 0);
}

/// More than was agreed upon: the beginning is kept, and what follows is understood.
#[tokio::test]
async fn a_message_that_is_too_long_is_kept_in_part() {
    let mut store = Store::new();
    store.config.message_bytes = 2_000_000;
    let listening = Listening::start(store).await;
    let long = vec![b'x'; 2_500_000];
    let whole = vec![b'y'; 2_000_000];
    let mut sent = Vec::new();
    for message in [&long, &whole] {
        sent.extend_from_slice(format!("{} ", message.len()).as_bytes());
        sent.extend_from_slice(message);
    }
    sent.extend_from_slice(b"5 <1>ab");
    listening.send(&sent).await;
    let received = listening.received(3).await;
    let kept: Vec<(usize, bool)> = received.iter().map(|it| (it.bytes.len(), it.cut)).collect();
    assert_eq!(kept, [(2_000_000, true), (2_000_000, false), (5, false)]);
}

/// What was sent before the repository stops is kept, and senders learn that it stops.
#[tokio::test]
async fn a_stop_loses_nothing_that_arrived() {
    let listening = Listening::plain().await;
    let mut stream = TcpStream::connect(listening.tcp).await.unwrap();
    let lines: String = (0..5000).map(|number| format!("<1>{number}\n")).collect();
    stream.write_all(lines.as_bytes()).await.unwrap();
    listening.received(1).await;
    let store = listening.stop().await;
    let mut rest = Vec::new();
    let closed = stream.read_to_end(&mut rest).await;
    assert_eq!(closed.unwrap(), 0);
    let repository = store.open();
    assert_eq!(repository.log().end(), 5000);
    drop(repository);
    assert_eq!(store.findings(), []);
}

/// rsyslog forwards over TLS with a certificate, as sites do whose programs know plain syslog only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsyslog_sends_over_tls() {
    if !["/usr/sbin/rsyslogd", "/usr/bin/logger"]
        .iter()
        .all(|it| std::path::Path::new(it).exists())
    {
        const INSTALL: &str =
            "rsyslogd or logger is missing: install rsyslog rsyslog-openssl bsdutils";
        assert!(std::env::var_os("HILUM_TEST_ALL").is_none(), "{INSTALL}");
        eprintln!("SKIPPED: {INSTALL}");
        return;
    }
    let listening = Listening::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let (mut rsyslog, port) = rsyslog(&listening, &folder);
    let mut socket = loop {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(socket) => break socket,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    for number in 0..300 {
        let message = format!("<85>1 2026-11-27T17:00:00Z host app 1 IHE+RFC-3881 - n{number}.\n");
        socket.write_all(message.as_bytes()).await.unwrap();
    }
    let texts = listening.texts(300).await;
    let ours = |text: &&String| text.contains("IHE+RFC-3881 - n");
    let numbers: Vec<String> = texts.iter().filter(ours).cloned().collect();
    rsyslog.kill().unwrap();
    rsyslog.wait().unwrap();
    assert_eq!(numbers.len(), 300, "{:?}", &texts[..3]);
    for (number, text) in numbers.iter().enumerate() {
        // Its template ends with a line feed, which is part of what it counts.
        assert!(
            text.trim_end().ends_with(&format!("n{number}.")),
            "{number}: {text}"
        );
    }
    let received = listening.received(300).await;
    assert!(received.iter().all(|it| it.node.is_some() && !it.cut));
}

/// rsyslog, which takes lines at the port and forwards them.
fn rsyslog(listening: &Listening, folder: &tempfile::TempDir) -> (Child, u16) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let certificate = |name: &str| {
        listening
            .certificates
            .path()
            .join(name)
            .display()
            .to_string()
    };
    let configuration = format!(
        r#"global(workDirectory="{0}" maxMessageSize="64k"
  defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{1}"
  defaultNetstreamDriverCertFile="{2}" defaultNetstreamDriverKeyFile="{3}")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="{port}")
action(type="omfwd" target="localhost" port="{4}" protocol="tcp"
  tcp_framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"
  StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/certvalid"
  action.resumeRetryCount="-1" queue.type="LinkedList")
"#,
        folder.path().display(),
        certificate("ca.pem"),
        certificate("sender.pem"),
        certificate("sender.key"),
        listening.tls.port()
    );
    let file = folder.path().join("rsyslog.conf");
    std::fs::write(&file, configuration).unwrap();
    let rsyslog = Command::new("/usr/sbin/rsyslogd")
        .args(["-n", "-i"])
        .arg(folder.path().join("pid"))
        .arg("-f")
        .arg(&file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    (rsyslog, port)
}
