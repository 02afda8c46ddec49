//! Who sends to one receiver.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hilum_transport::Limits;
use hilum_transport::outlet::{Farewell, Outlet};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::sender::cursor::{Cursor, Places};
use crate::sender::reader::{Batch, Reader};
use crate::sender::target::{DATAGRAM_BYTES, Road};
use crate::sender::{DOWN, Receiver, SenderConfig, State, UP};
use crate::spool::Position;

/// Records that are sent before the receiver must confirm, by closing, that it has read them.
const WINDOW: u64 = 10_000;
/// How long after the first of them it must.
const CONFIRM: Duration = Duration::from_secs(5);
/// How long a receiver must stay well after it has confirmed, until that counts: what it has read it
/// may have lost, if it is killed before it has written it.
const SETTLE: Duration = Duration::from_secs(3);
/// How often spools of other processes are looked at.
const POLL: Duration = Duration::from_secs(1);
/// How long it takes until a datagram that nobody took comes back as an error.
const ECHO: Duration = Duration::from_millis(50);
/// The first pause after a failure, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Parts of a second for which records are sent at once.
const SLICES: u32 = 50;

/// Sends to one receiver.
pub(super) struct Worker {
    receiver: Receiver,
    limits: Limits,
    reader: Arc<Mutex<Reader>>,
    cursor: Arc<Cursor>,
    /// What was confirmed and has to settle: when, up to where, and how many records.
    settling: VecDeque<(Instant, Places, u64)>,
    state: Arc<State>,
    durable: Option<watch::Receiver<Position>>,
    /// Whether it ends when everything is sent.
    once: bool,
    failures: u32,
    /// Records that were sent and not confirmed.
    unconfirmed: u64,
    /// Whether it was said that the receiver does not close TLS.
    unsaid: bool,
    /// When the next record may be sent.
    next: Instant,
}

/// Becomes the time at which everything must be over.
type Stop = watch::Receiver<Option<Instant>>;

impl Worker {
    pub(super) fn new(
        config: &SenderConfig,
        receiver: &Receiver,
        state: Arc<State>,
        durable: Option<watch::Receiver<Position>>,
        once: bool,
    ) -> Self {
        let reader = Reader::new(&config.spool, &config.clients, durable.clone());
        Self {
            receiver: receiver.clone(),
            limits: config.limits.clone(),
            reader: Arc::new(Mutex::new(reader)),
            cursor: Arc::new(Cursor::of(&config.spool, &receiver.target)),
            settling: VecDeque::new(),
            state,
            durable,
            once,
            failures: 0,
            unconfirmed: 0,
            unsaid: false,
            next: Instant::now(),
        }
    }

    /// Sends until it is to stop, or everything is sent.
    ///
    /// # Errors
    /// Says why it was not, if there is no time to try again.
    pub(super) async fn run(mut self, mut stop: Stop) -> Result<(), String> {
        self.rewind().await;
        loop {
            let window = match self.receiver.target.road {
                Road::Udp => self.datagrams(&mut stop).await,
                Road::Tls | Road::Tcp => self.window(&mut stop).await,
            };
            match window {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(why) => {
                    self.went_away(&why);
                    self.rewind().await;
                    if self.once || self.pause(&mut stop).await {
                        return Err(why);
                    }
                }
            }
        }
    }

    /// Goes back to where the receiver is known to have everything.
    async fn rewind(&mut self) {
        self.settling.clear();
        let cursor = Arc::clone(&self.cursor);
        let read = tokio::task::spawn_blocking(move || cursor.read()).await;
        let places = match read {
            Ok(Ok(places)) => places,
            Ok(Err(error)) => {
                tracing::warn!(%error, to = %self.receiver.target, "all audit records are sent again");
                Places::new()
            }
            Err(_) => self.state.places().unwrap_or_default(),
        };
        self.state.set_places(places.clone());
        let reader = self.reader.lock();
        reader.unwrap_or_else(PoisonError::into_inner).seek(places);
    }

    /// One connection, from the first record to the confirmation. Says whether that is all.
    async fn window(&mut self, stop: &mut Stop) -> Result<bool, String> {
        let Some(mut batch) = self.first(stop).await? else {
            return Ok(true);
        };
        let target = self.receiver.target.clone();
        let tls = match target.road {
            Road::Tls => Some(self.receiver.tls.as_ref().ok_or("there is no [tls]")?),
            _ => None,
        };
        let opened = Outlet::open(&target.host, target.port, tls, &self.limits);
        let mut outlet = unless_over(stop, opened).await?;
        let end = Instant::now() + CONFIRM;
        let places = loop {
            outlet.write(&batch.bytes).await?;
            self.paced(batch.messages.len()).await;
            if self.unconfirmed >= WINDOW || is_over(stop) {
                break batch.places;
            }
            let places = batch.places;
            match self.more(&mut outlet, end, stop).await? {
                Some(more) => batch = more,
                None => break places,
            }
        };
        let unsaid = outlet.finish().await? == Farewell::Unsaid;
        if unsaid && target.road == Road::Tls && !self.unsaid {
            self.unsaid = true;
            tracing::warn!(
                to = %target,
                "an audit receiver closes connections without closing TLS: what it has is believed all \
                 the same"
            );
        }
        self.confirmed(places).await?;
        Ok(false)
    }

    /// The first records for a connection, whenever they come; nothing if there shall be none.
    async fn first(&mut self, stop: &mut Stop) -> Result<Option<Batch>, String> {
        loop {
            let stopping = self.once || stop.borrow().is_some();
            if !is_over(stop) {
                let batch = match self.batch().await {
                    Ok(batch) => batch,
                    Err(why) => {
                        self.settled().await?;
                        return Err(why);
                    }
                };
                if !batch.messages.is_empty() {
                    return Ok(Some(batch));
                }
            }
            if stopping {
                self.settle(true).await?;
                return Ok(None);
            }
            let settles = self.settling.front().map(|(when, ..)| *when + SETTLE);
            let settles = settles.unwrap_or_else(|| Instant::now() + SETTLE);
            tokio::select! {
                () = woken(&mut self.durable) => {}
                () = sleep_until(settles) => {}
                _ = stop.changed() => {}
            }
            self.settle(false).await?;
        }
    }

    /// Further records for a connection; nothing if it shall be closed.
    async fn more(
        &mut self,
        outlet: &mut Outlet,
        end: Instant,
        stop: &mut Stop,
    ) -> Result<Option<Batch>, String> {
        loop {
            if Instant::now() >= end {
                return Ok(None);
            }
            let stopping = self.once || stop.borrow().is_some();
            let Ok(batch) = self.batch().await else {
                // What was sent before is confirmed first. The next connection says what is wrong.
                return Ok(None);
            };
            if !batch.messages.is_empty() {
                return Ok(Some(batch));
            }
            if stopping {
                return Ok(None);
            }
            tokio::select! {
                why = outlet.closed() => return Err(why),
                () = woken(&mut self.durable) => {}
                () = sleep_until(end) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Sends some datagrams. Says whether that is all.
    async fn datagrams(&mut self, stop: &mut Stop) -> Result<bool, String> {
        let Some(batch) = self.first(stop).await? else {
            return Ok(true);
        };
        let socket = open_udp(&self.receiver.target.host, self.receiver.target.port).await?;
        for message in &batch.messages {
            let message = &batch.bytes[message.clone()];
            if message.len() > DATAGRAM_BYTES {
                self.state.too_long.fetch_add(1, Ordering::Relaxed);
                let (to, bytes) = (&self.receiver.target, message.len());
                tracing::warn!(%to, bytes, "an audit record is too long for a datagram: not sent");
                continue;
            }
            let sent = socket.send(message).await;
            sent.map_err(|error| error.to_string())?;
        }
        self.paced(batch.messages.len()).await;
        if self.state.up.load(Ordering::Relaxed) != UP {
            sleep(ECHO).await;
        }
        match socket.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return Err(error.to_string()),
        }
        self.confirmed(batch.places).await?;
        Ok(false)
    }

    /// The receiver has read everything up to here, or will never say.
    async fn confirmed(&mut self, places: Places) -> Result<(), String> {
        self.failures = 0;
        if self.state.up.swap(UP, Ordering::Relaxed) == DOWN {
            tracing::info!(to = %self.receiver.target, "an audit receiver is back");
        }
        let records = std::mem::take(&mut self.unconfirmed);
        self.settling.push_back((Instant::now(), places, records));
        self.settle(false).await
    }

    async fn batch(&mut self) -> Result<Batch, String> {
        let most = usize::try_from(self.receiver.records_per_second.get() / SLICES);
        let most = most.unwrap_or(usize::MAX).max(1);
        let reader = Arc::clone(&self.reader);
        let read = tokio::task::spawn_blocking(move || {
            let reader = reader.lock();
            reader.unwrap_or_else(PoisonError::into_inner).batch(most)
        });
        let batch = read.await.map_err(|error| error.to_string())?;
        batch.map_err(|error| error.to_string())
    }

    /// Counts records that were sent, and waits until others may be.
    async fn paced(&mut self, sent: usize) {
        self.state.sent.fetch_add(sent as u64, Ordering::Relaxed);
        self.unconfirmed += sent as u64;
        let rate = f64::from(self.receiver.records_per_second.get());
        let takes = Duration::from_secs_f64(sent as f64 / rate);
        self.next = self.next.max(Instant::now() - takes) + takes;
        sleep_until(self.next).await;
    }

    /// Waits until everything that was confirmed has settled: the receiver is well, but no more can be read.
    async fn settled(&mut self) -> Result<(), String> {
        if let Some((when, ..)) = self.settling.back() {
            sleep_until(*when + SETTLE).await;
        }
        self.settle(true).await
    }

    /// Remembers durably what was confirmed long enough ago, or all that was.
    async fn settle(&mut self, all: bool) -> Result<(), String> {
        let now = Instant::now();
        let is_due = |(when, ..): &(Instant, Places, u64)| all || *when + SETTLE <= now;
        let mut settled = None;
        while self.settling.front().is_some_and(is_due) {
            settled = self.settling.pop_front();
        }
        let Some((_, places, _)) = settled else {
            return Ok(());
        };
        let cursor = Arc::clone(&self.cursor);
        let of_state = places.clone();
        let written = tokio::task::spawn_blocking(move || cursor.write(&places)).await;
        let written = written.map_err(|error| error.to_string())?;
        written.map_err(|error| error.to_string())?;
        self.state.set_places(of_state);
        Ok(())
    }

    /// One line when a receiver goes away, however often it is tried.
    fn went_away(&mut self, why: &str) {
        let settling = self.settling.iter().map(|(.., records)| records);
        let again = self.unconfirmed + settling.sum::<u64>();
        self.unconfirmed = 0;
        self.state.again.fetch_add(again, Ordering::Relaxed);
        if self.state.up.swap(DOWN, Ordering::Relaxed) != DOWN {
            let to = &self.receiver.target;
            tracing::warn!(%to, why, "an audit receiver is gone: its records wait");
        }
    }

    /// Waits before it is tried again, longer each time. Says whether it is to stop instead.
    async fn pause(&mut self, stop: &mut Stop) -> bool {
        let random = RandomState::new().hash_one(self.failures);
        let pause = pause(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        tokio::select! {
            () = sleep(pause) => false,
            _ = stop.wait_for(Option::is_some) => true,
        }
    }
}

/// Half of the pause is certain and half is chance, so that nodes that lost a receiver together do not
/// come back together.
fn pause(failures: u32, random: u64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(16));
    let longest = doubled.min(LONGEST_PAUSE);
    let half = longest / 2;
    let span = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
    half + Duration::from_millis(random % (span + 1))
}

/// Whether a sender that is stopped has had its time.
fn is_over(stop: &Stop) -> bool {
    stop.borrow().is_some_and(|end| Instant::now() >= end)
}

/// Waits for something, unless a sender that is stopped has had its time.
async fn unless_over<T>(
    stop: &Stop,
    wanted: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let mut stop = stop.clone();
    let over = async {
        let end = stop.wait_for(Option::is_some).await.map(|end| *end);
        match end {
            Ok(Some(end)) => sleep_until(end).await,
            // Nobody can stop it any more.
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        result = wanted => result,
        () = over => Err("there was no time left to reach it".to_owned()),
    }
}

/// Waits until there may be new records.
async fn woken(durable: &mut Option<watch::Receiver<Position>>) {
    match durable {
        Some(durable) => tokio::select! {
            changed = durable.changed() => if changed.is_err() {
                // Nobody records any more.
                sleep(POLL).await;
            },
            () = sleep(POLL) => {}
        },
        None => sleep(POLL).await,
    }
}

async fn open_udp(host: &str, port: u16) -> Result<UdpSocket, String> {
    let found = tokio::net::lookup_host((host, port)).await;
    let address = found.map_err(|error| error.to_string())?.next();
    let address = address.ok_or("it has no address")?;
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any).await;
    let socket = socket.map_err(|error| error.to_string())?;
    let connected = socket.connect(address).await;
    connected.map_err(|error| error.to_string())?;
    Ok(socket)
}

/// Opens a connection and closes it; of datagrams, only whether the host has an address.
pub(super) async fn reach(receiver: &Receiver, limits: &Limits) -> Result<(), String> {
    let target = &receiver.target;
    let tls = match target.road {
        Road::Udp => return open_udp(&target.host, target.port).await.map(drop),
        Road::Tcp => None,
        Road::Tls => Some(receiver.tls.as_ref().ok_or("there is no [tls]")?),
    };
    let outlet = Outlet::open(&target.host, target.port, tls, limits).await?;
    outlet.finish().await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_differ() {
        for random in [0, 1, 999, u64::MAX] {
            let mut least = Duration::ZERO;
            for failures in 0..100 {
                let pause = pause(failures, random);
                assert!(pause <= LONGEST_PAUSE, "{pause:?}");
                assert!(pause >= FIRST_PAUSE / 2);
                least = least.max(pause);
            }
            assert!(least >= LONGEST_PAUSE / 2);
        }
        assert_ne!(pause(3, 1), pause(3, 2));
    }
}
