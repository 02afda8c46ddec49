//! The spool: records on disk before calls are answered.
//!
//! A folder of segment files, to which frames ([`syslog`](crate::syslog)) are only appended.
//! Many calls share one write and one `fdatasync` ([`Spool`]). After a crash, the last segment may
//! end in part of a record that nobody was told is safe; opening the spool cuts it off
//! ([`segment`]). Segments may be encrypted ([`frames`]). [`records()`] reads everything, also while somebody writes.

pub(crate) mod frames;
pub(crate) mod records;
pub(crate) mod segment;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hilum_security::at_rest::KeyRing;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use crate::NotRecorded;

pub use records::{Position, Record, Records, records};
pub use segment::damaged_files;

use segment::Segments;

/// Bytes after which a new segment is begun: some 30,000 records.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// How long a record may wait for others to share its write.
const GATHER: Duration = Duration::from_millis(1);
/// How often it is looked whether somebody still has it open.
const CLOSING: Duration = Duration::from_millis(5);

/// Why a spool cannot be opened or read.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// Two processes must not write into one spool.
    #[error("{}: another process records here", folder.display())]
    InUse {
        /// The folder of the spool.
        folder: PathBuf,
    },
    /// It is encrypted, and its key is not there or another one.
    #[error("{}: audit records are encrypted: {source}", path.display())]
    Locked {
        /// The segment.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// A file or folder cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SpoolError {
    pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }
}

/// A spool that is open for writing. Clones share it; the last one to go closes it.
#[derive(Debug, Clone)]
pub struct Spool {
    writer: Arc<Writer>,
}

/// The thread that writes.
#[derive(Debug)]
struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// Up to where everything is on disk.
    durable: watch::Sender<Position>,
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Queue {
    group: Group,
    /// How many records the writer waits for; 0 while it is busy and will look anyway.
    wanted: usize,
    closing: bool,
    /// Nobody writes any more.
    closed: bool,
}

/// Turns everybody away when the writer ends, even by a panic: nobody waits for ever.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.closed = true;
        queue.group.waiting.clear();
    }
}

/// Records that are written together.
#[derive(Debug, Default)]
struct Group {
    bytes: Vec<u8>,
    waiting: Vec<oneshot::Sender<bool>>,
}

impl Spool {
    /// Opens the spool in `folder`, which is made if need be, and mends its end.
    pub fn open(folder: &Path, segment_bytes: u64) -> Result<Self, SpoolError> {
        Self::open_with(folder, segment_bytes, None)
    }

    /// The same; with a ring, what is written from now on is encrypted. What is there stays as it is, and a
    /// segment whose key is not there is an error.
    pub fn open_with(
        folder: &Path,
        segment_bytes: u64,
        ring: Option<&KeyRing>,
    ) -> Result<Self, SpoolError> {
        let segments = Segments::open(folder, segment_bytes, ring)?;
        let shared = Arc::new(Shared::default());
        shared.durable.send_replace(segments.end());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("audit spool".to_owned())
            .spawn(move || of_thread.write(segments))
            .map_err(SpoolError::at(folder))?;
        let thread = Some(thread);
        Ok(Self {
            writer: Arc::new(Writer { shared, thread }),
        })
    }

    /// Up to where everything is on disk; who waits for it to change waits for records.
    pub fn durable(&self) -> watch::Receiver<Position> {
        self.writer.shared.durable.subscribe()
    }

    /// Waits until nobody else has it open, and closes it; then another process, or this one, can open it
    /// anew. Whether that was so within this time: if not, the last one to go closes it.
    pub async fn close(self, within: Duration) -> bool {
        let began = Instant::now();
        while Arc::strong_count(&self.writer) > 1 {
            if began.elapsed() >= within {
                return false;
            }
            tokio::time::sleep(CLOSING).await;
        }
        // What is left to be written is written first.
        tokio::task::spawn_blocking(move || drop(self))
            .await
            .is_ok()
    }

    /// Appends frames and returns when they are on disk.
    pub async fn append(&self, frames: Vec<u8>) -> Result<(), NotRecorded> {
        let (sender, written) = oneshot::channel();
        self.writer.shared.add(&frames, sender);
        match written.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(NotRecorded),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has told everyone who waited.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, frames: &[u8], sender: oneshot::Sender<bool>) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        queue.group.bytes.extend_from_slice(frames);
        queue.group.waiting.push(sender);
        if queue.wanted > 0 && queue.group.waiting.len() >= queue.wanted {
            queue.wanted = 0;
            self.wake.notify_one();
        }
    }

    /// Writes group after group until the spool is closed.
    fn write(&self, mut segments: Segments) {
        let _closing = Closing(self);
        let mut group = Group::default();
        let mut last = 1;
        while self.take(&mut group, last) {
            last = group.waiting.len();
            let result = segments.append(&group.bytes);
            if let Err(error) = &result {
                tracing::error!(%error, records = last, "audit records were not written");
            }
            self.durable.send_replace(segments.end());
            for waiting in group.waiting.drain(..) {
                // Who no longer waits has gone away; the record stays.
                let _ = waiting.send(result.is_ok());
            }
            group.bytes.clear();
        }
    }

    /// Waits for records and takes all there are. A lone one is taken at once; if the last group
    /// had more, as many are awaited, but not for longer than [`GATHER`].
    fn take(&self, group: &mut Group, last: usize) -> bool {
        let mut queue = self.lock();
        while queue.group.waiting.is_empty() {
            if queue.closing {
                return false;
            }
            queue.wanted = 1;
            let woken = self.wake.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let deadline = Instant::now() + GATHER;
        while queue.group.waiting.len() < last && !queue.closing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queue.wanted = last;
            let woken = self.wake.wait_timeout(queue, left);
            queue = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.wanted = 0;
        std::mem::swap(&mut queue.group, group);
        true
    }
}
