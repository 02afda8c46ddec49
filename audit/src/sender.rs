//! ITI-20 Record Audit Event, the sending side: what is in the spool gets to every receiver.
//!
//! Each receiver has a worker of its own ([`worker`]), which reads on in the spools ([`reader`]): the
//! node's own, and those of the programs that run beside it. So one that is down holds up nobody.
//! Records are sent as they stand in the spool, byte for byte, and those of one spool in their order.
//!
//! Syslog has no acknowledgement. A worker therefore sends in windows, and closes the connection after
//! each: a receiver that closes in turn has read everything up to there. How far each receiver has got
//! is on disk ([`cursor`]) a moment after that. If anything breaks, a worker goes back to there and
//! sends again, so records may come twice, in the same order, but none is lost. Segments of the spool
//! that everybody has are removed when they are old enough ([`keeping`]).
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-20.html>

mod backlog;
mod cursor;
mod keeping;
mod reader;
mod target;
mod worker;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hilum_security::iti19_authenticate_node::ClientTls;
use hilum_transport::Limits;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::spool::{Position, SpoolError};

pub use backlog::Backlog;
pub(crate) use reader::spools;
pub use target::{DATAGRAM_BYTES, Road, Target, TargetError};

use backlog::Counts;
use cursor::{Places, SendingLock};
use worker::Worker;

/// Records in a second to a receiver over TLS or TCP, if nothing else is said.
pub const RECORDS_PER_SECOND: u32 = 5_000;
/// Records in a second in datagrams: what receivers with usual buffers can be expected to take.
pub const DATAGRAMS_PER_SECOND: u32 = 500;
/// Days for which records are kept that every receiver has.
pub const KEEP_DAYS: u32 = 90;
/// How long a sender that is stopped goes on with what is there.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How long it may take then until receivers have confirmed it.
const GRACE: Duration = Duration::from_secs(10);
/// How often another process is asked whether it still sends.
const LOCK_PAUSE: Duration = Duration::from_secs(1);

/// What is sent, and to whom.
#[derive(Debug, Clone)]
pub struct SenderConfig {
    /// The node's own spool. What receivers have got is remembered in it.
    pub spool: PathBuf,
    /// The folder of the spools of programs that run beside the node.
    pub clients: PathBuf,
    /// Who gets everything.
    pub receivers: Vec<Receiver>,
    /// How long records are kept that every receiver has.
    pub keep: Duration,
    /// What connections may take.
    pub limits: Limits,
}

/// Somebody who gets every record.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Where it is.
    pub target: Target,
    /// Our side of TLS, which `syslog+tls` needs.
    pub tls: Option<ClientTls>,
    /// At most so many records in a second.
    pub records_per_second: NonZeroU32,
}

/// Sends for as long as it is held.
#[derive(Debug)]
pub struct Sender {
    stop: watch::Sender<Option<Instant>>,
    tasks: JoinSet<()>,
    watcher: Watcher,
}

impl Sender {
    /// Begins to send. `durable` is up to where the node's records are on disk, from
    /// [`Spool::durable`](crate::spool::Spool::durable).
    pub fn start(config: SenderConfig, durable: watch::Receiver<Position>) -> Self {
        let watcher = Watcher::new(&config);
        let stop = watch::Sender::new(None);
        let mut tasks = JoinSet::new();
        let stopping = stop.subscribe();
        let states = watcher.states.clone();
        tasks.spawn(async move { send(config, states, durable, stopping).await });
        Self {
            stop,
            tasks,
            watcher,
        }
    }

    /// How receivers stand, for as long as somebody asks.
    pub fn watcher(&self) -> Watcher {
        self.watcher.clone()
    }

    /// Sends what is there already, as far as that goes quickly, and ends.
    pub async fn stop(mut self) {
        self.stop.send_replace(Some(Instant::now() + LAST_WORDS));
        let ended = timeout(GRACE, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::warn!("some audit receivers did not confirm in time: they are sent again");
        }
    }
}

/// Sends to everybody until it is to stop.
async fn send(
    config: SenderConfig,
    states: Vec<Arc<State>>,
    durable: watch::Receiver<Position>,
    mut stop: watch::Receiver<Option<Instant>>,
) {
    let Some(_lock) = locked(&config, &mut stop).await else {
        return;
    };
    let mut workers = JoinSet::new();
    for (receiver, state) in config.receivers.iter().zip(&states) {
        let durable = Some(durable.clone());
        let worker = Worker::new(&config, receiver, Arc::clone(state), durable, false);
        let stop = stop.clone();
        workers.spawn(async move {
            // Why it could not send was logged when it happened.
            let _ = worker.run(stop).await;
        });
    }
    let keeping = keeping::keep(config, states, stop);
    tokio::select! {
        () = keeping => {}
        () = async { while workers.join_next().await.is_some() {} } => {}
    }
    while workers.join_next().await.is_some() {}
}

/// The place of the one who sends, as soon as nobody else has it; nothing if it is to stop.
async fn locked(
    config: &SenderConfig,
    stop: &mut watch::Receiver<Option<Instant>>,
) -> Option<SendingLock> {
    let mut said = false;
    loop {
        let why = match cursor::lock(&config.spool) {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) => "another process does".to_owned(),
            Err(error) => error.to_string(),
        };
        if !said {
            tracing::warn!(why, "audit records are not sent from here");
            said = true;
        }
        tokio::select! {
            _ = stop.wait_for(Option::is_some) => return None,
            () = tokio::time::sleep(LOCK_PAUSE) => {}
        }
    }
}

/// Sends everything that there is, once, and says for each receiver how many records it got or why it
/// has not got all of them.
///
/// # Errors
/// If another process sends from this spool, or it cannot be used.
pub async fn send_once(
    config: SenderConfig,
) -> Result<Vec<(Target, Result<u64, String>)>, SendError> {
    let lock = cursor::lock(&config.spool)?;
    let _lock = lock.ok_or(SendError::Sending)?;
    let watcher = Watcher::new(&config);
    let stop = watch::Sender::new(None);
    let mut workers = JoinSet::new();
    for (number, receiver) in config.receivers.iter().enumerate() {
        let state = Arc::clone(&watcher.states[number]);
        let worker = Worker::new(&config, receiver, Arc::clone(&state), None, true);
        let (stop, target) = (stop.subscribe(), receiver.target.clone());
        workers.spawn(async move {
            let sent = worker.run(stop).await;
            let sent = sent.map(|()| state.sent.load(Ordering::Relaxed));
            (number, target, sent)
        });
    }
    let mut results = Vec::new();
    while let Some(result) = workers.join_next().await {
        results.extend(result.ok());
    }
    results.sort_by_key(|(number, ..)| *number);
    let results = results.into_iter();
    Ok(results.map(|(_, target, sent)| (target, sent)).collect())
}

/// Why nothing was sent at all.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Another process sends from this spool.
    #[error("the node runs, and sends by itself")]
    Sending,
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// Sees whether a receiver can be reached.
///
/// # Errors
/// Says why not.
pub async fn check(receiver: &Receiver, limits: &Limits) -> Result<(), String> {
    worker::reach(receiver, limits).await
}

/// How a receiver stands, shared by its worker and by those who ask.
#[derive(Debug)]
struct State {
    target: Target,
    /// [`UNKNOWN`], [`UP`] or [`DOWN`].
    up: AtomicU8,
    sent: AtomicU64,
    again: AtomicU64,
    too_long: AtomicU64,
    /// Up to where the receiver is known to have everything.
    places: Mutex<Option<Places>>,
}

const UNKNOWN: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;

impl State {
    const fn new(target: Target) -> Self {
        Self {
            target,
            up: AtomicU8::new(UNKNOWN),
            sent: AtomicU64::new(0),
            again: AtomicU64::new(0),
            too_long: AtomicU64::new(0),
            places: Mutex::new(None),
        }
    }

    fn places(&self) -> Option<Places> {
        let places = self.places.lock();
        places.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_places(&self, places: Places) {
        let held = self.places.lock();
        *held.unwrap_or_else(PoisonError::into_inner) = Some(places);
    }
}

/// How a receiver stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub target: Target,
    /// Whether it could be reached when that was tried last.
    pub up: Option<bool>,
    /// Records that were sent since this process began, those that were sent again too.
    pub sent: u64,
    /// Those that were sent again, because nobody knows whether they had arrived.
    pub again: u64,
    /// Records that were too long for a datagram.
    pub too_long: u64,
    /// What it does not have yet; nothing if that cannot be read.
    pub backlog: Option<Backlog>,
}

/// Tells how receivers stand.
#[derive(Debug, Clone)]
pub struct Watcher {
    spool: PathBuf,
    clients: PathBuf,
    states: Vec<Arc<State>>,
    counts: Arc<Mutex<Counts>>,
}

impl Watcher {
    fn new(config: &SenderConfig) -> Self {
        let state = |receiver: &Receiver| Arc::new(State::new(receiver.target.clone()));
        Self {
            spool: config.spool.clone(),
            clients: config.clients.clone(),
            states: config.receivers.iter().map(state).collect(),
            counts: Arc::default(),
        }
    }

    /// How every receiver stands. Files are read for that, but of what was counted before only what
    /// has changed. That they cannot be read is logged.
    ///
    /// # Errors
    /// If there is a defect.
    pub async fn standings(&self) -> Result<Vec<Standing>, SpoolError> {
        let this = self.clone();
        let counted = tokio::task::spawn_blocking(move || {
            let counts = this.counts.lock();
            let mut counts = counts.unwrap_or_else(PoisonError::into_inner);
            let states = this.states.iter();
            Ok(states
                .map(|state| this.standing(state, &mut counts))
                .collect())
        });
        counted.await.unwrap_or_else(|error| {
            let source = std::io::Error::other(error);
            Err(SpoolError::at(&self.spool)(source))
        })
    }

    fn standing(&self, state: &State, counts: &mut Counts) -> Standing {
        let (own, clients, target) = (&self.spool, &self.clients, &state.target);
        let backlog = match state.places() {
            Some(places) => Backlog::from_places(own, clients, &places, counts),
            None => Backlog::of(own, clients, target),
        };
        let backlog = match backlog {
            Ok(mut backlog) => {
                if backlog.confirmed.is_none() {
                    backlog.confirmed = cursor::Cursor::of(own, target).written();
                }
                Some(backlog)
            }
            Err(error) => {
                tracing::warn!(%error, to = %target, "nobody knows what an audit receiver lacks");
                None
            }
        };
        let up = state.up.load(Ordering::Relaxed);
        Standing {
            target: target.clone(),
            up: (up != UNKNOWN).then_some(up == UP),
            sent: state.sent.load(Ordering::Relaxed),
            again: state.again.load(Ordering::Relaxed),
            too_long: state.too_long.load(Ordering::Relaxed),
            backlog,
        }
    }

    /// The age of the oldest record that a receiver does not have; nothing if that is not known.
    pub fn age(standing: &Standing, now: SystemTime) -> Option<Duration> {
        let backlog = standing.backlog.as_ref()?;
        Some(backlog.age(now).unwrap_or_default())
    }
}
