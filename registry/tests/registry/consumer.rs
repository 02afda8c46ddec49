//! Somebody who is to be told: a server that takes notifications, as well or as badly as a test
//! wants.

use std::net::TcpListener as StdListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hilum_security::Permission;
use hilum_transport::{Incoming, Limits, Reply, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::iti53_document_metadata_notify::{DocumentMetadataNotify, Notify};
use xds_schemas::soap::{Fault, Header};

/// How long something may take that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a consumer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It takes what it is told.
    Willing,
    /// It answers with a fault.
    Refusing,
    /// It takes a notification and then does not answer for so long.
    Slow(Duration),
}

#[derive(Debug)]
struct State {
    mood: Mood,
    /// What came, also if it was refused.
    came: Vec<(Header, Notify)>,
    taken: Vec<Notify>,
}

/// A consumer.
pub(crate) struct Consumer {
    address: std::net::SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Consumer {
    /// One that listens.
    pub(crate) fn new(mood: Mood) -> Self {
        let mut consumer = Self::absent(mood);
        consumer.listen();
        consumer
    }

    /// One that does not listen yet.
    pub(crate) fn absent(mood: Mood) -> Self {
        let free = StdListener::bind("127.0.0.1:0").unwrap();
        let state = State {
            mood,
            came: Vec::new(),
            taken: Vec::new(),
        };
        Self {
            address: free.local_addr().unwrap(),
            state: Arc::new(Mutex::new(state)),
            stop: None,
        }
    }

    /// Begins to listen.
    pub(crate) fn listen(&mut self) {
        let listener = StdListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let state = Arc::clone(&self.state);
        let answer = move |incoming| take(Arc::clone(&state), incoming);
        let (stop, stopped) = oneshot::channel();
        self.stop = Some(stop);
        let stopped = async { drop(stopped.await) };
        tokio::spawn(serve(listener, None, Limits::default(), answer, stopped));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/notify", self.address)
    }

    pub(crate) fn becomes(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// Whatever came, with its header.
    pub(crate) fn came(&self) -> Vec<(Header, Notify)> {
        self.state.lock().unwrap().came.clone()
    }

    /// What was taken.
    pub(crate) fn taken(&self) -> Vec<Notify> {
        self.state.lock().unwrap().taken.clone()
    }

    /// The objects of what was taken.
    pub(crate) fn objects(&self) -> Vec<RegistryObject> {
        let taken = self.taken();
        let messages = taken.iter().flat_map(|notify| &notify.messages);
        messages.flat_map(|it| it.objects().to_vec()).collect()
    }

    /// Waits until so many notifications were taken.
    pub(crate) async fn takes(&self, count: usize) {
        eventually("notifications are taken", || async {
            self.taken().len() >= count
        })
        .await;
    }
}

async fn take(state: Arc<Mutex<State>>, incoming: Incoming) -> Reply {
    let Incoming::Call(call) = incoming else {
        return Reply::plain(404, "text/plain", "nothing");
    };
    let header = call.header().clone();
    let permitted = call.permitted(Permission::Subscribe).unwrap();
    let (_, notify, _) = permitted.read::<DocumentMetadataNotify>().unwrap();
    let mood = {
        let mut state = state.lock().unwrap();
        state.came.push((header, notify.clone()));
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
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, happened: impl Fn() -> F) {
    let began = Instant::now();
    while !happened().await {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
