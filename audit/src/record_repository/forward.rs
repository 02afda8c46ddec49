//! Forwarding: syslog messages that were received go on to other repositories, byte for byte and in the
//! order of the log.
//!
//! It is done as the [`sender`](crate::sender) does it with a node's own records: in windows, at whose
//! end the connection is closed. A receiver that closes in turn has read everything; when it stays well
//! for a moment longer, that is remembered on disk. If anything breaks, forwarding goes back to there,
//! so records may come twice, but none is left out. What came over FHIR cannot be said in syslog, and
//! what the log says of itself is nobody else's: both stay here.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hilum_transport::Limits;
use hilum_transport::outlet::Outlet;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::RecordRepository;
use super::log::{Log, LogError};
use super::received::{Form, Received, Via};
use crate::sender::{DATAGRAM_BYTES, Receiver, Road, Target};

/// Records that are sent before the receiver must confirm.
const WINDOW: u64 = 10_000;
/// How long after the first of them it must.
const CONFIRM: Duration = Duration::from_secs(10);
/// How long a receiver must stay well after it has confirmed, until that counts.
const SETTLE: Duration = Duration::from_secs(5);
/// Records that are read at once.
const BATCH: usize = 256;
/// The first pause after a failure, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl RecordRepository {
    /// Forwards to one receiver until `stop`. A receiver that gets records for the first time gets
    /// everything that is there.
    pub async fn forward(
        &self,
        receiver: Receiver,
        limits: Limits,
        stop: impl Future<Output = ()>,
    ) -> bool {
        let cursor = Cursor::of(self, &receiver.target);
        let mut forwarder = Forwarder {
            log: self.log().clone(),
            changes: self.log().changes(),
            next: 0,
            settling: VecDeque::new(),
            is_down: false,
            paced: Instant::now(),
            cursor,
            receiver,
            limits,
        };
        tokio::select! {
            // What was sent and not confirmed is sent again by the next process.
            () = stop => {}
            () = forwarder.run() => {}
        }
        forwarder.settle(true).await;
        true
    }
}

struct Forwarder {
    log: Log,
    changes: watch::Receiver<u64>,
    receiver: Receiver,
    limits: Limits,
    cursor: Cursor,
    /// The next record to be sent.
    next: u64,
    /// What was confirmed and has to settle: when, and up to where.
    settling: VecDeque<(Instant, u64)>,
    is_down: bool,
    /// When the next record may be sent.
    paced: Instant,
}

impl Forwarder {
    async fn run(&mut self) {
        let mut pause = FIRST_PAUSE;
        self.rewind();
        loop {
            match self.window().await {
                Ok(reached) => {
                    self.settling.push_back((Instant::now(), reached));
                    pause = FIRST_PAUSE;
                    if std::mem::take(&mut self.is_down) {
                        tracing::info!(to = %self.receiver.target, "an audit receiver is back");
                    }
                }
                Err(why) => {
                    let to = &self.receiver.target;
                    if !std::mem::replace(&mut self.is_down, true) {
                        tracing::warn!(%to, why, "nothing is forwarded: audit records wait");
                    }
                    self.rewind();
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            self.settle(false).await;
        }
    }

    /// Goes back to where the receiver is known to have everything.
    fn rewind(&mut self) {
        self.settling.clear();
        let to = &self.receiver.target;
        let known = self.cursor.read().unwrap_or_else(|error| {
            tracing::warn!(%to, %error, "all audit records are forwarded again");
            None
        });
        let begin = self.log.begin();
        self.next = match known {
            Some(next) if next < begin => {
                let records = begin - next;
                tracing::error!(%to, records, "audit records were removed before they were forwarded");
                begin
            }
            Some(next) if next <= self.log.end() => next,
            _ => begin,
        };
    }

    /// One connection, from the first record to the confirmation. Says up to where.
    async fn window(&mut self) -> Result<u64, String> {
        let mut messages = self.first().await?;
        let Receiver { target, tls, .. } = self.receiver.clone();
        if target.road == Road::Udp {
            return self.datagrams(&messages).await;
        }
        if target.road == Road::Tls && tls.is_none() {
            return Err("there is no [tls]".to_owned());
        }
        let mut outlet =
            Outlet::open(&target.host, target.port, tls.as_ref(), &self.limits).await?;
        let end = Instant::now() + CONFIRM;
        let mut sent = 0;
        loop {
            for message in &messages {
                let mut frame = format!("{} ", message.len()).into_bytes();
                frame.extend_from_slice(message);
                outlet.write(&frame).await?;
            }
            sent += messages.len() as u64;
            self.pace(messages.len()).await;
            if sent >= WINDOW {
                break;
            }
            messages = self.read().await?;
            while messages.is_empty() && Instant::now() < end {
                tokio::select! {
                    why = outlet.closed() => return Err(why),
                    _ = self.changes.changed() => messages = self.read().await?,
                    () = sleep_until(end) => {}
                }
            }
            if messages.is_empty() {
                break;
            }
        }
        outlet.finish().await?;
        Ok(self.next)
    }

    /// The next messages, whenever they come.
    async fn first(&mut self) -> Result<Vec<Vec<u8>>, String> {
        loop {
            let messages = self.read().await?;
            if !messages.is_empty() {
                return Ok(messages);
            }
            tokio::select! {
                _ = self.changes.changed() => {}
                () = sleep(SETTLE) => {}
            }
            self.settle(false).await;
        }
    }

    async fn datagrams(&mut self, messages: &[Vec<u8>]) -> Result<u64, String> {
        let Target { host, port, .. } = &self.receiver.target;
        let said = |error: io::Error| error.to_string();
        let found = tokio::net::lookup_host((&**host, *port)).await;
        let address = found.map_err(said)?.next().ok_or("it has no address")?;
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = UdpSocket::bind(any).await.map_err(said)?;
        socket.connect(address).await.map_err(said)?;
        for message in messages {
            if message.len() > DATAGRAM_BYTES {
                let (to, bytes) = (&self.receiver.target, message.len());
                tracing::warn!(%to, bytes, "an audit record is too long for a datagram: not forwarded");
                continue;
            }
            socket.send(message).await.map_err(said)?;
        }
        self.pace(messages.len()).await;
        Ok(self.next)
    }

    /// The next messages that are there, if there are any.
    async fn read(&mut self) -> Result<Vec<Vec<u8>>, String> {
        loop {
            let end = *self.changes.borrow_and_update();
            if self.next >= end {
                return Ok(Vec::new());
            }
            let (log, next) = (self.log.clone(), self.next);
            let read = tokio::task::spawn_blocking(move || log.from(next, BATCH)).await;
            let records = read.map_err(|error| error.to_string())?;
            let records = records.map_err(|error| error.to_string())?;
            // If there are none, they are all damaged, which was logged.
            self.next = records.last().map_or(end, |(index, _)| index + 1);
            let messages = records.into_iter().map(|(_, record)| record);
            let messages: Vec<Vec<u8>> = messages.filter(goes_on).map(|it| it.bytes).collect();
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
    }

    /// Waits until more may be sent.
    async fn pace(&mut self, sent: usize) {
        let rate = f64::from(self.receiver.records_per_second.get());
        let takes = Duration::from_secs_f64(sent as f64 / rate);
        self.paced = self.paced.max(Instant::now() - takes) + takes;
        sleep_until(self.paced).await;
    }

    /// Remembers durably what was confirmed long enough ago, or all that was.
    async fn settle(&mut self, all: bool) {
        let now = Instant::now();
        let is_due = |(when, _): &(Instant, u64)| all || *when + SETTLE <= now;
        let mut settled = None;
        while self.settling.front().is_some_and(is_due) {
            settled = self.settling.pop_front();
        }
        let Some((_, next)) = settled else { return };
        let cursor = self.cursor.clone();
        let written = tokio::task::spawn_blocking(move || cursor.write(next)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "audit records will be forwarded again");
        }
    }
}

/// Whether syslog can say it, and others should hear it.
fn goes_on(record: &Received) -> bool {
    record.form == Form::Syslog && record.via != Via::Own && !record.bytes.is_empty()
}

/// How far a receiver has got, on disk: a small file, replaced as a whole or not at all.
#[derive(Debug, Clone)]
struct Cursor {
    file: PathBuf,
    /// What the file must begin with: another log, or another receiver, begins anew.
    header: String,
}

impl Cursor {
    fn of(repository: &RecordRepository, target: &Target) -> Self {
        let folder = repository.log().store().join("forwarded");
        let log = repository.log_id();
        Self {
            file: folder.join(format!("{}.cursor", target.file_name())),
            header: format!("hilum audit forward 1\nlog {log}\nto {target}\n"),
        }
    }

    fn read(&self) -> Result<Option<u64>, LogError> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LogError::at(&self.file)(error)),
        };
        let next = text.strip_prefix(&self.header);
        Ok(next.and_then(|next| next.trim().parse().ok()))
    }

    fn write(&self, next: u64) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let fresh = self.file.with_extension("new");
        let mut private = OpenOptions::new();
        let opened = private.create(true).truncate(true).write(true).mode(0o600);
        let mut file = opened.open(&fresh)?;
        file.write_all(format!("{}{next}\n", self.header).as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.file)?;
        File::open(folder)?.sync_all()
    }
}
