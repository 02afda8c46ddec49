//! The log: everything that was received, in the order in which it became durable.
//!
//! A record is a leaf of a Merkle tree ([`tree`](super::tree)): its number is its place there and never
//! changes. The log is a folder:
//!
//! | file | holds |
//! |---|---|
//! | `lock` | nothing; who writes holds its lock |
//! | `segments/N.records` | records from number N on ([`segment`]), encrypted if the site wants that ([`leaves`]) |
//! | `segments/N.offsets` | where in it each of them begins; made again when it is missing |
//! | `tree/0` … `tree/4` | the hashes of all leaves, and of complete subtrees |
//! | `heads.jsonl` | signed tree heads, oldest first ([`head`](super::head)) |
//! | `torn/` | what was cut off an unfinished end |
//!
//! One thread writes. What many callers hand in while it is busy shares the next write and its
//! `fdatasync`; only then the records have numbers, and callers hear of it.

pub(crate) mod encrypting;
pub(super) mod headers;
pub(crate) mod leaves;
mod opening;
pub(crate) mod segment;
#[cfg(test)]
mod tests;
mod writing;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use hilum_security::at_rest::Vault;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use super::received::Received;
use super::tree::{Hash, Tree};
use segment::Segment;
use writing::{Batch, Job};

/// Bytes after which a new segment is begun: some 30,000 records.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// How long a segment is continued. Segments are removed as a whole when their time is over.
pub const SEGMENT_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes that [`Log::from`] gives at most, unless a single record is longer.
const READ_BYTES: usize = 16 * 1024 * 1024;

/// Where the log is, and how it is cut into segments.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// The folder.
    pub store: PathBuf,
    /// [`SEGMENT_BYTES`]
    pub segment_bytes: u64,
    /// [`SEGMENT_TIME`]
    pub segment_time: Duration,
    /// How new segments are written, and the index. Those that are there are read as they are.
    pub vault: Vault,
}

impl LogConfig {
    /// A log in `store`, cut as usual.
    pub fn new(store: impl Into<PathBuf>) -> Self {
        Self {
            store: store.into(),
            segment_bytes: SEGMENT_BYTES,
            segment_time: SEGMENT_TIME,
            vault: Vault::default(),
        }
    }
}

/// Why the log cannot be opened or read.
#[derive(Debug, Error)]
pub enum LogError {
    /// Two processes must not write into one log.
    #[error("{}: another process keeps its records here", store.display())]
    InUse {
        /// The folder of the log.
        store: PathBuf,
    },
    /// Records are encrypted, and their key is not there or another one.
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
    /// Records are gone together with their hashes: nothing can be appended to what is not known.
    #[error(
        "{}: it has the hashes of {there} records, but {signed} were signed for; look at it with \
         `hilum audit verify`, and move it away to begin a new log", store.display()
    )]
    Shortened {
        /// The folder of the log.
        store: PathBuf,
        /// How many hashes there are.
        there: u64,
        /// How many the last signed head has.
        signed: u64,
    },
    /// A record is not what was written.
    #[error("record {0} is damaged")]
    Damaged(u64),
}

impl LogError {
    pub(super) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }
}

/// What was received could not be made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("what was received could not be kept")]
pub struct NotKept;

/// A log that is open for writing. Clones share it; the last one to go closes it.
#[derive(Debug, Clone)]
pub struct Log {
    shared: Arc<Shared>,
    /// Behind `shared`, so that the thread, which shares it, can end.
    writing: Arc<Writing>,
}

/// A log that somebody else keeps open: it closes when they let it go.
#[derive(Debug, Clone)]
pub(super) struct WeakLog {
    shared: Weak<Shared>,
    writing: Weak<Writing>,
}

impl WeakLog {
    /// The log, unless it was closed.
    pub(super) fn upgrade(&self) -> Option<Log> {
        Some(Log {
            shared: self.shared.upgrade()?,
            writing: self.writing.upgrade()?,
        })
    }
}

/// What readers and the writer have in common.
#[derive(Debug)]
pub(super) struct Shared {
    store: PathBuf,
    vault: Vault,
    tree: Tree,
    /// The segments that are there, oldest first.
    segments: RwLock<Vec<Arc<Segment>>>,
    /// The number of the next record.
    end: watch::Sender<u64>,
    /// Held as long as this exists; the system gives the lock back if the process is killed.
    _lock: std::fs::File,
}

/// The thread that writes.
#[derive(Debug)]
struct Writing {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Writing {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A writer that panicked has told everyone who waited.
            drop(thread.join());
        }
    }
}

impl Log {
    /// Opens the log, which is made if need be, and mends its end. `signed` is the size of the last
    /// signed head: so many records there are, whatever the disk says.
    pub(super) fn open_signed(config: &LogConfig, signed: u64) -> Result<Self, LogError> {
        let (writer, shared) = opening::open(config, signed)?;
        let (jobs, waiting) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("audit log".to_owned())
            .spawn(move || writer.write(&waiting))
            .map_err(LogError::at(&config.store))?;
        Ok(Self {
            shared,
            writing: Arc::new(Writing {
                jobs: Some(jobs),
                thread: Mutex::new(Some(thread)),
            }),
        })
    }

    /// Opens the log, which is made if need be, and mends its end.
    ///
    /// # Errors
    /// If it is in use, cannot be read, or lacks what was signed for.
    pub fn open(config: &LogConfig) -> Result<Self, LogError> {
        Self::open_signed(config, 0)
    }

    /// Appends records and returns their numbers when they are on disk.
    ///
    /// # Errors
    /// If they could not be made durable. They may be there all the same.
    pub async fn append(&self, records: Vec<Received>) -> Result<Range<u64>, NotKept> {
        self.keep(&records).await
    }

    /// The same with records that may be handed in again.
    pub(super) async fn keep(&self, records: &[Received]) -> Result<Range<u64>, NotKept> {
        let (done, kept) = oneshot::channel();
        self.send(Job::Append(Batch::of(records), done))?;
        kept.await.unwrap_or(Err(NotKept))
    }

    /// The same log, which this does not keep open.
    pub(super) fn downgrade(&self) -> WeakLog {
        WeakLog {
            shared: Arc::downgrade(&self.shared),
            writing: Arc::downgrade(&self.writing),
        }
    }

    fn send(&self, job: Job) -> Result<(), NotKept> {
        let jobs = self.writing.jobs.as_ref().ok_or(NotKept)?;
        jobs.send(job).map_err(|_| NotKept)
    }

    /// Removes the oldest segments up to record `end`, which is where one begins, and keeps their
    /// hashes. Gives the number of the first record that is left.
    pub(super) async fn remove_before(&self, end: u64) -> Result<u64, NotKept> {
        let (done, removed) = oneshot::channel();
        self.send(Job::Remove(end, done))?;
        removed.await.unwrap_or(Err(NotKept))
    }

    /// The record with this number, or `None` if its time was over or it is not there yet.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub fn read(&self, index: u64) -> Result<Option<Received>, LogError> {
        let segments = self.shared.segments();
        let Some((segment, range)) = self.shared.segment(&segments, index) else {
            return Ok(None);
        };
        if index >= range.end {
            // Its segment was left behind because it is damaged.
            return Err(LogError::Damaged(index));
        }
        segment.read(index, range.end).map(Some)
    }

    /// Up to `limit` records from number `index` on, with their numbers: fewer if they are many
    /// bytes, none if there are no more. Records whose time was over are skipped, and damaged ones
    /// are skipped with a line in the log of the program.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn from(&self, index: u64, limit: usize) -> Result<Vec<(u64, Received)>, LogError> {
        let end = self.end();
        let mut index = index.max(self.begin());
        let (mut records, mut bytes) = (Vec::new(), 0);
        while index < end && records.len() < limit && bytes < READ_BYTES {
            match self.read(index) {
                Ok(Some(record)) => {
                    bytes += record.bytes.len();
                    records.push((index, record));
                }
                Ok(None) => {}
                Err(LogError::Damaged(record)) => {
                    if let Some(end) = self.locked_until(record) {
                        // That was said when it was opened.
                        index = end;
                        continue;
                    }
                    tracing::error!(record, "a record of the audit log is damaged");
                }
                Err(error) => return Err(error),
            }
            index += 1;
        }
        Ok(records)
    }

    /// Where the file of a record ends, if its header is damaged.
    fn locked_until(&self, index: u64) -> Option<u64> {
        let segments = self.shared.segments();
        let (segment, range) = self.shared.segment(&segments, index)?;
        (segment.is_locked() && range.contains(&index)).then_some(range.end)
    }

    /// Records that cannot be read because the header of their file is damaged.
    pub(super) fn locked(&self) -> impl Iterator<Item = Range<u64>> {
        let segments = self.shared.segments().clone();
        let locked = segments.into_iter().filter(|it| it.is_locked());
        locked.map(|segment| segment.first()..segment.end())
    }

    /// The number of the first record that is there.
    pub fn begin(&self) -> u64 {
        let segments = self.shared.segments();
        segments.first().map_or(0, |segment| segment.first())
    }

    /// The number that the next record gets: so many there ever were.
    pub fn end(&self) -> u64 {
        *self.shared.end.borrow()
    }

    /// Tells of every change of [`end`](Self::end).
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.end.subscribe()
    }

    /// The folder of the log. Others may keep beside its files what belongs to it.
    pub fn store(&self) -> &Path {
        &self.shared.store
    }

    /// The root of the tree of the first `size` records.
    ///
    /// # Errors
    /// If hashes cannot be read.
    pub fn root(&self, size: u64) -> Result<Hash, LogError> {
        self.in_tree(|tree| tree.root(size))
    }

    /// The hash of a record: there even when its time was over.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn leaf(&self, index: u64) -> Result<Hash, LogError> {
        self.in_tree(|tree| tree.leaf(index))
    }

    /// The proof that record `index` is among the first `size`, for which
    /// [`includes`](super::proof::includes) asks.
    ///
    /// # Errors
    /// If hashes cannot be read.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, LogError> {
        self.in_tree(|tree| tree.inclusion(index, size))
    }

    /// The proof that the first `first` records are the first of `second`, for which
    /// [`continues`](super::proof::continues) asks.
    ///
    /// # Errors
    /// If hashes cannot be read.
    pub fn consistency(&self, first: u64, second: u64) -> Result<Vec<Hash>, LogError> {
        self.in_tree(|tree| tree.consistency(first, second))
    }

    /// How it is written.
    pub(super) fn vault(&self) -> &Vault {
        &self.shared.vault
    }

    fn in_tree<T>(&self, read: impl FnOnce(&Tree) -> std::io::Result<T>) -> Result<T, LogError> {
        read(&self.shared.tree).map_err(LogError::at(&self.shared.store.join("tree")))
    }

    /// Where the segments end whose last record came before `limit`: all of the oldest of which that
    /// is true. The last segment does not count.
    pub(super) fn over(&self, limit: SystemTime) -> u64 {
        let segments = self.shared.segments().clone();
        let mut end = segments.first().map_or(0, |segment| segment.first());
        for pair in segments.windows(2) {
            let [segment, next] = pair else { break };
            // Of a file that cannot be read, something came before what follows.
            let last = segment.edge(true).or_else(|| next.edge(false));
            if last.is_none_or(|last| last.at >= limit) {
                break;
            }
            end = next.first();
        }
        end
    }
}

impl Shared {
    fn segments(&self) -> RwLockReadGuard<'_, Vec<Arc<Segment>>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The segment in which record `index` should be, and what is in it.
    fn segment<'s>(
        &self,
        segments: &'s [Arc<Segment>],
        index: u64,
    ) -> Option<(&'s Segment, Range<u64>)> {
        if index >= *self.end.borrow() {
            return None;
        }
        let after = segments.partition_point(|segment| segment.first() <= index);
        let segment = segments.get(after.checked_sub(1)?)?;
        Some((segment, segment.first()..segment.end()))
    }
}
