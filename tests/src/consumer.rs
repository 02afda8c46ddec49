//! A Document Metadata Notification Recipient: takes ITI-53 as well or as badly as a test wants.

use std::net::TcpListener as StdListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hilum_security::Permission;
use hilum_security::iti19_authenticate_node::{TlsFiles, server_config};
use hilum_transport::{Incoming, Limits, Reply, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use xds_schemas::iti53_document_metadata_notify::{DocumentMetadataNotify, Notify};
use xds_schemas::soap::{Fault, Header};

use crate::Town;

/// How long something may take that must happen: a node that was started anew, on a machine that
/// has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a consumer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It takes what it is told.
    Willing,
    /// It answers with a fault.
    Refusing,
    /// It answers after so long.
    Slow(Duration),
}

/// What came: who sent it, if the connection was secure, its SOAP header, and what it says.
pub type Came = (Option<String>, Header, Notify);

#[derive(Debug)]
struct State {
    mood: Mood,
    came: Vec<Came>,
    taken: Vec<Notify>,
}

/// A consumer on a port of its own.
#[derive(Debug)]
pub struct Consumer {
    address: std::net::SocketAddr,
    tls: Option<TlsFiles>,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Consumer {
    /// One that the town's node can call, with the certificate of the town if it is `secure`; it
    /// does not listen yet.
    pub fn absent(town: &Town, secure: bool) -> Self {
        let free = StdListener::bind("127.0.0.1:0").expect("a port is free");
        let certs = town.node().join("certs");
        let tls = TlsFiles {
            certificate: certs.join("node.pem"),
            key: certs.join("node.key"),
            trust: vec![certs.join("ca.pem")],
            client_certificate_required: true,
            check_server_name: true,
        };
        let state = State {
            mood: Mood::Willing,
            came: Vec::new(),
            taken: Vec::new(),
        };
        Self {
            address: free.local_addr().expect("it has an address"),
            tls: secure.then_some(tls),
            state: Arc::new(Mutex::new(state)),
            stop: None,
        }
    }

    /// One that listens.
    pub fn of(town: &Town, secure: bool) -> Self {
        let mut consumer = Self::absent(town, secure);
        consumer.listen();
        consumer
    }

    /// Begins to listen.
    pub fn listen(&mut self) {
        let listener = StdListener::bind(self.address).expect("the port is still free");
        listener.set_nonblocking(true).expect("it can be told");
        let listener = TcpListener::from_std(listener).expect("it is a listener");
        let tls = self.tls.as_ref();
        let tls = tls.map(|files| server_config(files).expect("init writes good certificates"));
        let state = Arc::clone(&self.state);
        let answer = move |incoming| take(Arc::clone(&state), incoming);
        let (stop, stopped) = oneshot::channel();
        self.stop = Some(stop);
        let stopped = async { drop(stopped.await) };
        tokio::spawn(serve(listener, tls, Limits::default(), answer, stopped));
    }

    /// Its address.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}/notify", self.address.port())
    }

    /// From now on it answers otherwise.
    pub fn becomes(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// Everything that came, refused or not.
    pub fn came(&self) -> Vec<Came> {
        self.lock().came.clone()
    }

    /// The ids of the objects that were taken, in the order in which they came.
    pub fn objects(&self) -> Vec<String> {
        let taken = self.lock().taken.clone();
        let messages = taken.iter().flat_map(|notify| &notify.messages);
        let objects = messages.flat_map(|message| message.objects().to_vec());
        objects.map(|object| object.id).collect()
    }

    /// Waits until so many notifications were taken.
    pub async fn takes(&self, count: usize) {
        let taken = || async { self.lock().taken.len() >= count };
        eventually("notifications are taken", taken).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(state: Arc<Mutex<State>>, incoming: Incoming) -> Reply {
    let Incoming::Call(call) = incoming else {
        return Reply::plain(404, "text/plain", "nothing");
    };
    let sender = call.caller().node.as_ref().map(|node| node.subject.clone());
    let header = call.header().clone();
    let read = call
        .permitted(Permission::Subscribe)
        .and_then(|permitted| permitted.read::<DocumentMetadataNotify>());
    let notify = match read {
        Ok((_, notify, _)) => notify,
        Err(fault) => return Reply::fault(&fault),
    };
    let mood = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.came.push((sender, header, notify.clone()));
        if state.mood != Mood::Refusing {
            state.taken.push(notify);
        }
        state.mood
    };
    match mood {
        Mood::Willing => Reply::accepted(),
        Mood::Refusing => Reply::fault(&Fault::receiver("not now")),
        Mood::Slow(pause) => {
            tokio::time::sleep(pause).await;
            Reply::accepted()
        }
    }
}

/// Waits for something that must happen.
///
/// # Panics
/// If it does not happen in time.
pub async fn eventually<F: Future<Output = bool>>(what: &str, happened: impl Fn() -> F) {
    let began = Instant::now();
    while !happened().await {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
