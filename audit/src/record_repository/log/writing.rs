//! The thread that writes the log.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::{Duration, SystemTime};

use hilum_security::at_rest::KeyRing;
use tokio::sync::oneshot;

use super::segment::{self, OpenFiles, Segment};
use super::{NotKept, Shared};
use crate::record_repository::received::Received;
use crate::record_repository::tree::Hash;

/// Bytes that are written together at most, unless a single call brings more.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// What the thread is asked to do.
pub(super) enum Job {
    Append(Batch, oneshot::Sender<Result<Range<u64>, NotKept>>),
    Remove(u64, oneshot::Sender<Result<u64, NotKept>>),
}

/// Records that are ready to be written but for their numbers.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    begins: Vec<u64>,
    hashes: Vec<Hash>,
}

impl Batch {
    /// Written and hashed by who calls, so that the thread need not.
    pub(super) fn of(records: &[Received]) -> Self {
        let mut batch = Self::default();
        for record in records {
            batch.begins.push(batch.bytes.len() as u64);
            batch.hashes.push(segment::write(record, &mut batch.bytes));
        }
        batch
    }

    fn add(&mut self, other: Self) {
        if self.bytes.is_empty() {
            *self = other;
            return;
        }
        let shift = self.bytes.len() as u64;
        self.bytes.extend_from_slice(&other.bytes);
        let begins = other.begins.into_iter();
        self.begins.extend(begins.map(|begin| begin + shift));
        self.hashes.extend(other.hashes);
    }

    fn number(&mut self, first: u64) {
        for (index, begin) in (first..).zip(&self.begins) {
            let begin = usize::try_from(*begin).unwrap_or(usize::MAX);
            if let Some(record) = self.bytes.get_mut(begin..) {
                segment::number(record, index);
            }
        }
    }
}

/// Who waits for a batch: how many records are theirs.
type Waiting = (u64, oneshot::Sender<Result<Range<u64>, NotKept>>);

/// What the thread has.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) folder: PathBuf,
    /// Where records go; none before the first.
    pub(super) segment: Option<Arc<Segment>>,
    /// When the first record of the segment came.
    pub(super) begun: Option<SystemTime>,
    pub(super) open: Arc<OpenFiles>,
    /// With which segments are encrypted, if they are.
    pub(super) ring: Option<KeyRing>,
    pub(super) segment_bytes: u64,
    pub(super) segment_time: Duration,
}

impl Writer {
    /// Does what is asked until nobody can ask any more.
    pub(super) fn write(mut self, jobs: &mpsc::Receiver<Job>) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| jobs.recv().ok()) {
            match job {
                Job::Append(batch, done) => next = self.append_group(batch, done, jobs),
                Job::Remove(end, done) => {
                    let removed = self.remove_before(end);
                    let _ = done.send(removed.map_err(|error| {
                        tracing::error!(%error, "records whose time is over were not removed");
                        NotKept
                    }));
                }
            }
        }
        if let Err(error) = self.shared.tree.sync() {
            tracing::warn!(%error, "the hashes of the audit log will be made again");
        }
    }

    /// Appends a batch and those that wait too. Gives the job that came next.
    fn append_group(
        &mut self,
        batch: Batch,
        done: oneshot::Sender<Result<Range<u64>, NotKept>>,
        jobs: &mpsc::Receiver<Job>,
    ) -> Option<Job> {
        let mut waiting: Vec<Waiting> = vec![(batch.begins.len() as u64, done)];
        let mut group = batch;
        let mut next = None;
        while group.bytes.len() < GROUP_BYTES {
            match jobs.try_recv() {
                Ok(Job::Append(batch, done)) => {
                    waiting.push((batch.begins.len() as u64, done));
                    group.add(batch);
                }
                other => {
                    next = other.ok();
                    break;
                }
            }
        }
        let appended = self.append(&mut group);
        if let Err(error) = &appended {
            let records = group.begins.len();
            tracing::error!(%error, records, "what was received was not kept");
        }
        let mut first = appended.as_ref().copied().unwrap_or_default();
        for (count, done) in waiting {
            let range = first..first + count;
            first = range.end;
            // Who no longer waits has gone away; the records stay.
            let _ = done.send(appended.as_ref().map(|_| range).map_err(|_| NotKept));
        }
        next
    }

    /// Appends records and gives the number of the first.
    fn append(&mut self, group: &mut Batch) -> io::Result<u64> {
        let first = *self.shared.end.borrow();
        if group.begins.is_empty() {
            return Ok(first);
        }
        group.number(first);
        let segment = self.segment(first)?;
        let (bytes, begins) = segment.leaves().written(&group.bytes, &group.begins)?;
        let appended = segment.append(&bytes, &begins);
        let records = group.begins.len() as u64;
        if let Err(error) = appended.and_then(|()| self.shared.tree.put(first, &group.hashes)) {
            let undone = segment.undo();
            if let Err(error) = undone.and_then(|()| self.shared.tree.mend(first, first)) {
                tracing::error!(%error, "what was not kept could not be cut off");
                // Whatever is there now, the next record begins a segment of its own.
                self.segment = None;
            }
            return Err(error);
        }
        segment.publish(records, bytes.len() as u64);
        self.shared.end.send_replace(first + records);
        Ok(first)
    }

    /// Where the records from `first` on go.
    fn segment(&mut self, first: u64) -> io::Result<Arc<Segment>> {
        let now = SystemTime::now();
        if let Some(segment) = &self.segment {
            let age = self.begun.and_then(|begun| now.duration_since(begun).ok());
            let old = age.is_some_and(|age| age >= self.segment_time);
            let fits = segment.leaves().are_sealed() == self.ring.is_some();
            let goes_on = segment.end() == first && segment.length() < self.segment_bytes;
            if goes_on && fits && !old {
                return Ok(Arc::clone(segment));
            }
            // Of what is not the last segment, nothing is made again.
            self.shared.tree.sync()?;
        }
        let segment = Arc::new(Segment::create(
            &self.folder,
            first,
            self.ring.as_ref(),
            &self.open,
        )?);
        let mut segments = self.shared.segments.write();
        let segments = segments
            .as_mut()
            .map_err(|_| io::Error::other("poisoned"))?;
        segments.retain(|it| it.first() != first);
        segments.push(Arc::clone(&segment));
        self.segment = Some(Arc::clone(&segment));
        self.begun = Some(now);
        Ok(segment)
    }

    /// Removes segments that end before or at `end`. The last one always stays.
    fn remove_before(&self, end: u64) -> io::Result<u64> {
        self.shared.tree.sync()?;
        let mut segments = self
            .shared
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        while let [segment, next, ..] = &segments[..] {
            if next.first() > end {
                break;
            }
            segment.remove()?;
            segments.remove(0);
        }
        let begin = segments.first().map_or(0, |segment| segment.first());
        File::open(&self.folder)?.sync_all()?;
        Ok(begin)
    }
}
