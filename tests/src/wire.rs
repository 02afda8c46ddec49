//! A line between two nodes that is as bad as a test wants: it delays, throttles, loses, is cut, and comes
//! back. It carries bytes of TCP and knows nothing of them.
//!
//! It needs no rights, so it is always there. What a kernel does with lost packets is proven in network
//! namespaces (`tests/stories/namespaces.rs`); here a loss is what applications see of it: a pause.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes that travel together.
const CHUNK: usize = 16 * 1024;
/// Chunks that are on their way in one direction.
const CHUNKS: usize = 64;
/// Bytes that the kernel keeps for us, so that what is sent is soon what has arrived.
const BUFFER: u32 = 64 * 1024;
/// How long a lost chunk is late.
const RETRANSMISSION: Duration = Duration::from_millis(250);

/// What is made up for when something came later than its time.
const CREDIT: Duration = Duration::from_millis(50);

/// How the line is.
#[derive(Debug, Clone, Default)]
struct Weather {
    /// For each direction.
    delay: Duration,
    /// Bytes a second of answers; as many as there are if none is given.
    rate: Option<u64>,
    /// Of a thousand chunks of answers so many are lost, and come late.
    lost: u64,
    /// Nothing arrives any more, and nobody is told.
    cut: bool,
    /// It is cut when so many bytes of answers have gone by.
    cut_at: Option<u64>,
    /// Connections are reset when this grows.
    resets: usize,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    weather: watch::Sender<Weather>,
    /// Bytes of answers that the asked one has sent, and those that have arrived.
    sent: AtomicU64,
    arrived: AtomicU64,
    chunks: AtomicU64,
    open: AtomicUsize,
    opened: AtomicUsize,
    end: Notify,
}

/// A line to a port of this machine.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Wire {
    /// A line to this port. Whoever connects to [`Wire::port`] is connected with it.
    pub fn to(port: u16) -> Self {
        let shared = Arc::new(Shared {
            weather: watch::Sender::new(Weather::default()),
            sent: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
            chunks: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            end: Notify::new(),
        });
        let (told, here) = std::sync::mpsc::channel();
        let of_thread = Arc::clone(&shared);
        // A thread of its own: a test that blocks does not stop the line.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .expect("a runtime")
                .block_on(run(port, &of_thread, &told));
        });
        let port = here.recv().expect("the line listens");
        Self {
            port,
            shared,
            thread: Mutex::new(Some(thread)),
        }
    }

    /// Where the line begins.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Everything takes so much longer, in each direction.
    pub fn delay(&self, delay: Duration) {
        self.change(|weather| weather.delay = delay);
    }

    /// Answers come with so many bytes a second.
    pub fn throttle(&self, bytes_per_second: u64) {
        self.change(|weather| weather.rate = Some(bytes_per_second));
    }

    /// Of a thousand pieces of an answer so many are lost, and have to be sent again.
    pub fn lose(&self, of_thousand: u64) {
        self.change(|weather| weather.lost = of_thousand);
    }

    /// From now on nothing arrives, and nobody is told: as when a cable is cut.
    pub fn cut(&self) {
        self.change(|weather| weather.cut = true);
    }

    /// The line is cut when so many more bytes of answers have arrived.
    pub fn cut_after(&self, bytes: u64) {
        let at = self.arrived() + bytes;
        self.change(|weather| weather.cut_at = Some(at));
    }

    /// All connections are reset: as when the other machine is started anew.
    pub fn reset(&self) {
        self.change(|weather| weather.resets += 1);
    }

    /// The line is good again. What waited in it arrives.
    pub fn mend(&self) {
        self.change(|weather| {
            *weather = Weather {
                resets: weather.resets,
                ..Weather::default()
            };
        });
    }

    /// Bytes of answers that were sent into the line.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Bytes of answers that came out of it.
    pub fn arrived(&self) -> u64 {
        self.shared.arrived.load(Ordering::Relaxed)
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Connections that were ever opened.
    pub fn opened(&self) -> usize {
        self.shared.opened.load(Ordering::Relaxed)
    }

    fn change(&self, how: impl FnOnce(&mut Weather)) {
        self.shared.weather.send_modify(how);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.end.notify_one();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // What it has to say it has said.
            let _ = thread.join();
        }
    }
}

async fn run(to: u16, shared: &Arc<Shared>, told: &std::sync::mpsc::Sender<u16>) {
    let listener = listen().expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    told.send(address.port()).expect("somebody waits for it");
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.end.notified() => return,
        };
        if let Ok((near, _)) = accepted {
            let shared = Arc::clone(shared);
            tokio::spawn(async move {
                shared.opened.fetch_add(1, Ordering::Relaxed);
                shared.open.fetch_add(1, Ordering::Relaxed);
                // Who cannot be reached closes the connection.
                let _ = carry(near, to, &shared).await;
                shared.open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Connections that are accepted have the buffer of their listener.
    socket.set_send_buffer_size(BUFFER)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    socket.listen(1024)
}

async fn carry(near: TcpStream, to: u16, shared: &Arc<Shared>) -> io::Result<()> {
    let mut weather = shared.weather.subscribe();
    let resets = weather.borrow().resets;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    let far = socket.connect((Ipv4Addr::LOCALHOST, to).into()).await?;
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
    }
    let (near_reader, near_writer) = near.into_split();
    let (far_reader, far_writer) = far.into_split();
    let asking = direction(near_reader, far_writer, shared, false);
    let answering = direction(far_reader, near_writer, shared, true);
    tokio::select! {
        // Who has asked may close its half; who has answered to the end, ends it.
        ended = async { tokio::join!(asking, answering) } => { ended.0.and(ended.1) }
        _ = weather.wait_for(|weather| weather.resets > resets) => Ok(()),
    }
}

/// One direction of a connection, until it ends. Answers have a pace.
async fn direction(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Arc<Shared>,
    is_answer: bool,
) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS);
    let reading = async move {
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = from.read(&mut chunk).await.unwrap_or_default();
            if length == 0 {
                return;
            }
            if is_answer {
                shared.sent.fetch_add(length as u64, Ordering::Relaxed);
            }
            let due = Instant::now() + shared.weather.borrow().delay;
            let sent = sender.send((due, chunk[..length].to_vec())).await;
            if sent.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        let mut pace = Instant::now();
        while let Some((due, chunk)) = receiver.recv().await {
            sleep_until(due).await;
            pass(&mut to, &chunk, shared, is_answer.then_some(&mut pace)).await?;
        }
        whole(shared).await;
        to.shutdown().await
    };
    // Whoever cannot be written to is not read from any more.
    let mut reading = std::pin::pin!(reading);
    let mut writing = std::pin::pin!(writing);
    tokio::select! {
        written = &mut writing => written,
        () = &mut reading => writing.await,
    }
}

async fn pass(
    to: &mut OwnedWriteHalf,
    chunk: &[u8],
    shared: &Shared,
    pace: Option<&mut Instant>,
) -> io::Result<()> {
    let Some(pace) = pace else {
        whole(shared).await;
        return to.write_all(chunk).await;
    };
    let weather = shared.weather.borrow().clone();
    let number = shared.chunks.fetch_add(1, Ordering::Relaxed);
    // Evenly, so that a test is the same each time.
    if (number * 37) % 1000 < weather.lost {
        sleep(RETRANSMISSION).await;
    }
    let mut rest = chunk;
    while !rest.is_empty() {
        whole(shared).await;
        let weather = shared.weather.borrow().clone();
        let mut length = rest.len() as u64;
        if let Some(rate) = weather.rate {
            length = length.min((rate / 50).max(1));
            let now = Instant::now();
            let earliest = now.checked_sub(CREDIT).unwrap_or(now);
            let needed = Duration::from_secs_f64(length as f64 / rate.max(1) as f64);
            *pace = earliest.max(*pace) + needed;
            sleep_until(*pace).await;
        }
        if let Some(at) = weather.cut_at {
            let left = at.saturating_sub(shared.arrived.load(Ordering::Relaxed));
            if left == 0 {
                shared.weather.send_modify(|weather| weather.cut = true);
                continue;
            }
            length = length.min(left);
        }
        let (now, later) = rest.split_at(length as usize);
        to.write_all(now).await?;
        shared.arrived.fetch_add(length, Ordering::Relaxed);
        rest = later;
    }
    Ok(())
}

/// Waits while the line is cut.
async fn whole(shared: &Shared) {
    let mut weather = shared.weather.subscribe();
    // The line outlives its connections.
    let _ = weather.wait_for(|weather| !weather.cut).await;
}
