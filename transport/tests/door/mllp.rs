//! HL7 v2 over MLLP: who gets in, what is answered, and when it ends.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hilum_security::development_ca::Identity;
use hilum_security::iti19_authenticate_node::{self as iti19, TlsFiles};
use hilum_security::{Caller, Permission};
use hilum_transport::mllp::{self, Connection, Incoming};
use hilum_transport::{ClientError, Limits, Refused};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const HELLO: &[u8] = b"MSH|^~\\&|hello\rPID|1\r";

#[derive(Default)]
struct Log {
    refused: Vec<(Refused, String)>,
    callers: Vec<Caller>,
}

struct Room {
    address: SocketAddr,
    folder: TempDir,
    log: Arc<Mutex<Log>>,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<bool>,
}

impl Room {
    async fn open(limits: Limits, secure: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Identity::authority("Test CA", 2).unwrap();
        let path = |name: &str| folder.path().join(name);
        authority.write(&path("ca.pem"), &path("ca.key")).unwrap();
        for name in ["server", "source"] {
            let node = authority.issue(name, &[], 2).unwrap();
            let [certificate, key] = ["pem", "key"].map(|kind| path(&format!("{name}.{kind}")));
            node.write(&certificate, &key).unwrap();
        }
        let tls = secure.then(|| iti19::server_config(&files(&folder, "server")).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let (stop, stopped) = oneshot::channel();
        let of_room = Arc::clone(&log);
        let routes = move |incoming| answer(Arc::clone(&of_room), incoming);
        let served = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            mllp::serve(listener, tls, limits, routes, stopped).await
        });
        Self {
            address,
            folder,
            log,
            stop,
            served,
        }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.address.port())
    }

    async fn refusal(&self) -> (Refused, String) {
        for _ in 0..200 {
            if let Some(refused) = self.log.lock().unwrap().refused.pop() {
                return refused;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing was refused");
    }
}

fn files(folder: &TempDir, node: &str) -> TlsFiles {
    let path = |name: &str| folder.path().join(name);
    TlsFiles {
        certificate: path(&format!("{node}.pem")),
        key: path(&format!("{node}.key")),
        trust: vec![path("ca.pem")],
        client_certificate_required: true,
        check_server_name: true,
    }
}

/// Answers a message with its first segment and its length, after a while if it says `slow`.
async fn answer(log: Arc<Mutex<Log>>, incoming: Incoming) -> Option<Bytes> {
    let message = match incoming {
        Incoming::Message(message) => message,
        Incoming::Refused(refusal) => {
            let refused = (refusal.what, refusal.fault.to_string());
            log.lock().unwrap().refused.push(refused);
            return None;
        }
    };
    log.lock().unwrap().callers.push(message.caller().clone());
    let header = String::from_utf8(message.header().to_vec()).unwrap();
    if header.contains("slow") {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(!header.contains("panic"), "as asked");
    if header.contains("nothing") {
        return None;
    }
    let whole = message.permitted(Permission::Announce).unwrap();
    Some(format!("{header} {}", whole.len()).into())
}

#[tokio::test]
async fn messages_follow_each_other() {
    let limits = Limits::default();
    let room = Room::open(limits.clone(), false).await;
    let mut connection = Connection::open(&room.url("mllp"), None, &limits)
        .await
        .unwrap();
    for _ in 0..3 {
        let answer = connection.exchange(HELLO).await.unwrap();
        assert_eq!(answer, &b"MSH|^~\\&|hello 21"[..]);
    }
    assert_eq!(room.log.lock().unwrap().callers[2].node, None);
    let error = connection
        .exchange(b"MSH|^~\\&|nothing\r")
        .await
        .unwrap_err();
    assert!(
        matches!(error, ClientError::Unreachable { sent: true, .. }),
        "{error}"
    );
}

/// ITI-19: the sender is named by its certificate, and without one nobody gets in.
#[tokio::test]
async fn nodes_show_certificates() {
    let limits = Limits::default();
    let room = Room::open(limits.clone(), true).await;
    let tls = iti19::client_config(&files(&room.folder, "source")).unwrap();
    let url = room.url("mllps");
    let mut connection = Connection::open(&url, Some(&tls), &limits).await.unwrap();
    connection.exchange(HELLO).await.unwrap();
    let caller = room.log.lock().unwrap().callers[0].clone();
    assert_eq!(caller.node.unwrap().short(), "source");
    let other = Identity::authority("Other CA", 2).unwrap();
    let stranger = other.issue("stranger", &[], 2).unwrap();
    let path = |name: &str| room.folder.path().join(name);
    stranger
        .write(&path("stranger.pem"), &path("stranger.key"))
        .unwrap();
    let tls = iti19::client_config(&files(&room.folder, "stranger")).unwrap();
    // TLS 1.3 tells of a refusal only afterwards.
    if let Ok(mut connection) = Connection::open(&url, Some(&tls), &limits).await {
        connection.exchange(HELLO).await.unwrap_err();
    }
    let (what, reason) = room.refusal().await;
    assert_eq!(what, Refused::Connection);
    assert!(reason.contains("issuer"), "{reason}");
    // Whoever speaks without TLS is refused as well.
    let mut plain = TcpStream::connect(room.address).await.unwrap();
    plain.write_all(b"\x0bMSH|^~\\&|\r\x1c\r").await.unwrap();
    assert_eq!(room.refusal().await.0, Refused::Connection);
    assert_eq!(room.log.lock().unwrap().callers.len(), 1);
}

#[tokio::test]
async fn what_is_no_message_is_recorded_and_cut_off() {
    let limits = Limits {
        message_bytes: 1000,
        ..Limits::default()
    };
    let room = Room::open(limits, false).await;
    let long = [&b"\x0bMSH|"[..], &[b'A'; 2000]].concat();
    for (bytes, said) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "not MLLP"),
        (&long, "1000 bytes"),
    ] {
        let mut stream = TcpStream::connect(room.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // It may be cut off hard, since not all of it was read.
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer, b"");
        let (what, reason) = room.refusal().await;
        assert_eq!(what, Refused::Message);
        assert!(reason.contains(said), "{reason}");
    }
}

#[tokio::test]
async fn a_panic_costs_one_connection() {
    let limits = Limits::default();
    let room = Room::open(limits.clone(), false).await;
    let url = room.url("mllp");
    let mut connection = Connection::open(&url, None, &limits).await.unwrap();
    connection.exchange(b"MSH|^~\\&|panic\r").await.unwrap_err();
    assert_eq!(room.refusal().await.0, Refused::Lost);
    let mut connection = Connection::open(&url, None, &limits).await.unwrap();
    connection.exchange(HELLO).await.unwrap();
}

/// Messages that have come are answered, and connections on which nothing happens are closed.
#[tokio::test]
async fn it_stops_gracefully() {
    let limits = Limits::default();
    let room = Room::open(limits.clone(), false).await;
    let url = room.url("mllp");
    let mut idle = Connection::open(&url, None, &limits).await.unwrap();
    idle.exchange(HELLO).await.unwrap();
    let busy = tokio::spawn(async move {
        let limits = Limits::default();
        let mut busy = Connection::open(&url, None, &limits).await.unwrap();
        busy.exchange(b"MSH|^~\\&|slow\r").await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    room.stop.send(()).unwrap();
    assert!(room.served.await.unwrap());
    assert_eq!(busy.await.unwrap().unwrap(), &b"MSH|^~\\&|slow 14"[..]);
    idle.exchange(HELLO).await.unwrap_err();
}

/// One who stays in the middle of a message is waited for no longer than the limit.
#[tokio::test]
async fn stopping_has_an_end() {
    let limits = Limits {
        drain_seconds: 0,
        ..Limits::default()
    };
    let room = Room::open(limits, false).await;
    let mut stream = TcpStream::connect(room.address).await.unwrap();
    stream.write_all(b"\x0bMSH").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    room.stop.send(()).unwrap();
    assert!(!room.served.await.unwrap());
}
