//! ITI-20 Record Audit Event, as the repository receives it: syslog over TLS (RFC 5425), over TCP
//! without it, and over UDP (RFC 5426).
//!
//! Syslog knows no acknowledgement. What was read of a connection is made durable before more of it is
//! read, and before it is closed: a sender that closes its side, and waits until the repository closes
//! the other, knows then that everything is kept.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-20.html>

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use hilum_transport::streams::{Connection, Duplex, Incoming};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::framing::{Framing, Next};
use super::received::{Form, Received, Via};
use super::{RecordRepository, datagrams};
use crate::Event;

/// How long a connection may bring nothing. Syslog has no acknowledgement, so a sender loses what it
/// writes into a connection that was closed for being silent: this is generous.
const SILENCE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the rest of a message may bring nothing.
const UNFINISHED: Duration = Duration::from_secs(60);
/// How long the rest of a message is waited for when the repository stops.
const STOPPING: Duration = Duration::from_secs(3);
/// How long a connection is listened to that brings nothing when the repository stops: what is on its
/// way arrives, and a farewell is answered.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes that are read of a connection, if they are there, before they are kept together.
const BATCH_BYTES: usize = 512 * 1024;
/// Messages longer than this are few at a time.
const LARGE_BYTES: usize = 1024 * 1024;
/// How long to wait before keeping is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Datagrams that wait for being kept; more wait in the system.
const DATAGRAMS: usize = 4096;
/// Datagrams that are kept together.
const DATAGRAM_BATCH: usize = 512;
/// The longest datagram.
const DATAGRAM_BYTES: usize = 65_535;
/// How often it is looked whether the system dropped datagrams.
const DROPS: Duration = Duration::from_secs(10);

/// How a connection goes on.
enum Went {
    On,
    /// Its bytes are at an end, for this reason if it is none of the usual ones.
    Ended(Option<String>),
    Stopping,
}

impl RecordRepository {
    /// Receives what comes on a connection. `via` says whether it is one with TLS.
    pub async fn receive(&self, via: Via, incoming: Incoming) {
        match incoming {
            Incoming::Connection(connection) => self.read(via, connection).await,
            Incoming::Refused(refusal) => {
                let recorded = self.audit().record(Event::from(&refusal), ()).await;
                if let Ok(recorded) = recorded {
                    recorded.into_inner();
                }
            }
        }
    }

    async fn read(&self, via: Via, connection: Connection) {
        let Connection {
            mut stream,
            caller,
            mut stopping,
        } = connection;
        let from = caller.address;
        let node = caller.node.map(|node| node.subject);
        tracing::debug!(%from, node, "a sender of audit records is connected");
        let mut receiving = Receiving {
            via,
            from,
            node,
            framing: Framing::new(self.message_bytes()),
            batch: Vec::new(),
            broken: false,
        };
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut large = None;
        let mut deadline = None;
        loop {
            let went = wait(
                &mut stream,
                &mut chunk,
                &mut receiving.framing,
                &mut stopping,
            )
            .await;
            let endless = receiving.take();
            let farewell = matches!(went, Went::Ended(None)) && !endless;
            let mut reason = endless.then(|| "a message was far too long".to_owned());
            let mut ended = endless || matches!(went, Went::Stopping);
            if *stopping.borrow() {
                // However fast a peer sends.
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + STOPPING);
                ended |= Instant::now() >= deadline;
            }
            if let Went::Ended(why) = went {
                ended = true;
                reason = reason.or(why);
            }
            if ended && !endless {
                receiving.take_rest();
            }
            let batch = std::mem::take(&mut receiving.batch);
            let kept = self.keep(&batch, &stopping).await;
            if let Some(reason) = reason {
                tracing::warn!(%from, reason, "a connection with audit records was closed");
            }
            if ended {
                if kept && farewell && !receiving.broken {
                    // Nobody in between can close TLS: it is an acknowledgement of everything.
                    let _ = timeout(STOPPING, stream.shutdown()).await;
                }
                return;
            }
            // Large messages wait for each other, so that many of them do not take all memory.
            if receiving.framing.waiting() < LARGE_BYTES {
                large = None;
            } else if large.is_none() {
                large = self.large().acquire_owned().await.ok();
            }
        }
    }

    /// Keeps records, and tries again until it succeeds or the repository stops. Says whether it did.
    async fn keep(&self, records: &[Received], stopping: &watch::Receiver<bool>) -> bool {
        if records.is_empty() {
            return true;
        }
        while self.log().keep(records).await.is_err() {
            if *stopping.borrow() {
                let records = records.len();
                tracing::error!(
                    records,
                    "records were lost: the repository stopped without being able to keep them"
                );
                return false;
            }
            sleep(RETRY).await;
        }
        true
    }

    /// Receives datagrams until `stop`. Says whether everything that was read is kept.
    pub async fn receive_datagrams(
        &self,
        socket: UdpSocket,
        stop: impl Future<Output = ()>,
    ) -> bool {
        let (sender, mut waiting) = mpsc::channel::<Received>(DATAGRAMS);
        let (stopped, stopping) = watch::channel(false);
        let repository = self.clone();
        let keeper = tokio::spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, DATAGRAM_BATCH).await > 0 {
                repository.keep(&batch, &stopping).await;
                batch.clear();
            }
        });
        let mut drops = datagrams::Drops::of(&socket);
        let mut look = tokio::time::interval(DROPS);
        let mut bytes = vec![0; DATAGRAM_BYTES];
        let mut stop = std::pin::pin!(stop);
        loop {
            let received = tokio::select! {
                biased;
                // First, because datagrams are dropped when the socket always has another one.
                _ = look.tick() => {
                    self.count_drops(&mut drops);
                    continue;
                }
                received = socket.recv_from(&mut bytes) => received,
                () = &mut stop => break,
            };
            match received {
                Ok((length, from)) if length > 0 => {
                    // Whoever does not take it any more has panicked, which was logged.
                    let _ = sender.send(datagram(&bytes[..length], from)).await;
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "a datagram could not be read"),
            }
        }
        while let Ok((length, from)) = socket.try_recv_from(&mut bytes) {
            let _ = sender.send(datagram(&bytes[..length], from)).await;
        }
        self.count_drops(&mut drops);
        stopped.send_replace(true);
        drop(sender);
        keeper.await.is_ok()
    }

    fn count_drops(&self, drops: &mut datagrams::Drops) {
        let dropped = drops.since_last();
        if dropped > 0 {
            let total = self.add_dropped(dropped);
            tracing::warn!(
                dropped,
                total,
                "the system dropped datagrams with audit records, as they came faster than they \
                 were read"
            );
        }
    }
}

fn datagram(bytes: &[u8], from: SocketAddr) -> Received {
    Received {
        at: SystemTime::now(),
        via: Via::Udp,
        from,
        node: None,
        form: Form::Syslog,
        cut: false,
        bytes: bytes.to_vec(),
    }
}

/// What is being received on a connection.
struct Receiving {
    via: Via,
    from: SocketAddr,
    node: Option<String>,
    framing: Framing,
    batch: Vec<Received>,
    /// Bytes are missing: its end is none that was wanted.
    broken: bool,
}

impl Receiving {
    /// Takes the messages that are complete. Says whether one will never be.
    fn take(&mut self) -> bool {
        loop {
            match self.framing.next() {
                Next::Message(bytes) => self.add(bytes, false),
                Next::Cut(bytes) => self.add(bytes, true),
                Next::Endless(bytes) => {
                    self.add(bytes, true);
                    return true;
                }
                Next::More => return false,
            }
        }
    }

    /// Takes the beginning of a message of which no more comes.
    fn take_rest(&mut self) {
        if let Some(rest) = self.framing.rest() {
            self.broken = true;
            self.add(rest, true);
        }
    }

    fn add(&mut self, bytes: Vec<u8>, cut: bool) {
        if cut {
            let (from, kept) = (self.from, bytes.len());
            tracing::warn!(%from, kept, "only the beginning of an audit record came or was kept");
        }
        self.batch.push(Received {
            at: SystemTime::now(),
            via: self.via,
            from: self.from,
            node: self.node.clone(),
            form: Form::Syslog,
            cut,
            bytes,
        });
    }
}

/// Waits for bytes, and takes all that are there.
async fn wait(
    stream: &mut Box<dyn Duplex>,
    chunk: &mut [u8],
    framing: &mut Framing,
    stopping: &mut watch::Receiver<bool>,
) -> Went {
    let unfinished = framing.waiting() > 0;
    let limit = if unfinished { UNFINISHED } else { SILENCE };
    let stopped = async {
        drop(stopping.wait_for(|stopping| *stopping).await);
        sleep(if unfinished { STOPPING } else { LAST_WORDS }).await;
    };
    let mut went = tokio::select! {
        biased;
        read = timeout(limit, stream.read(chunk)) => match read {
            Ok(read) => took(read, chunk, framing),
            Err(_) => Went::Ended(Some(format!("nothing came for {} seconds", limit.as_secs()))),
        },
        () = stopped => Went::Stopping,
    };
    let mut taken = 0;
    while !matches!(went, Went::Ended(_)) && taken < BATCH_BYTES {
        let Some(read) = at_once(stream, chunk).await else {
            break;
        };
        taken += read.as_ref().copied().unwrap_or_default();
        match took(read, chunk, framing) {
            Went::On => {}
            ended => went = ended,
        }
    }
    went
}

/// What can be read without waiting.
async fn at_once(stream: &mut Box<dyn Duplex>, chunk: &mut [u8]) -> Option<std::io::Result<usize>> {
    let mut buffer = ReadBuf::new(chunk);
    let read = poll_fn(
        |context| match Pin::new(&mut **stream).poll_read(context, &mut buffer) {
            Poll::Ready(read) => Poll::Ready(Some(read)),
            Poll::Pending => Poll::Ready(None),
        },
    );
    let read = read.await?;
    Some(read.map(|()| buffer.filled().len()))
}

fn took(read: std::io::Result<usize>, chunk: &[u8], framing: &mut Framing) -> Went {
    match read {
        Ok(0) => Went::Ended(None),
        Ok(length) => {
            framing.add(&chunk[..length]);
            Went::On
        }
        // A peer that goes away without saying so is nothing unusual.
        Err(error) => {
            tracing::debug!(%error, "a connection with audit records broke");
            Went::Ended(None)
        }
    }
}
