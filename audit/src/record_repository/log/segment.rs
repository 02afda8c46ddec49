//! A file of records.
//!
//! A record is written as a mark, its number, the length of its leaf, the leaf and the hash of the
//! leaf. So a torn end is seen, and so is a leaf that was changed. Leaves may be sealed
//! ([`leaves`](super::leaves)).

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hilum_security::at_rest::KeyRing;

use super::LogError;
use super::leaves::Leaves;
use crate::record_repository::received::Received;
use crate::record_repository::tree::{Hash, leaf_hash};

/// What a record begins with.
const MARK: [u8; 2] = *b"HR";
/// Mark, number and length.
pub(super) const HEAD_BYTES: usize = 2 + 8 + 4;
/// The hash behind the leaf.
const HASH_BYTES: usize = 32;
/// The longest leaf. Nothing that is received may be that long.
pub(super) const LEAF_BYTES: usize = 1 << 30;

/// A file of records. Records are read from it while others are appended.
#[derive(Debug)]
pub(in crate::record_repository) struct Segment {
    first: u64,
    path: PathBuf,
    leaves: Leaves,
    open: Arc<OpenFiles>,
    /// The number after its last record.
    end: AtomicU64,
    /// Where that would begin.
    length: AtomicU64,
}

/// The files of segments that were used of late. There may be more segments than a process may have
/// files.
#[derive(Debug, Default)]
pub(super) struct OpenFiles(Mutex<HashMap<u64, Arc<Files>>>);

/// Segments of which files are open.
const OPEN: usize = 32;

/// Records, and where each of them begins.
#[derive(Debug)]
struct Files {
    records: File,
    offsets: File,
}

impl OpenFiles {
    fn of(&self, segment: &Segment) -> io::Result<Arc<Files>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = open.get(&segment.first) {
            return Ok(Arc::clone(files));
        }
        let file = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
        let files = Arc::new(Files {
            records: file(&segment.path)?,
            offsets: file(&segment.offsets_path())?,
        });
        if open.len() >= OPEN {
            open.clear();
        }
        open.insert(segment.first, Arc::clone(&files));
        Ok(files)
    }

    fn forget(&self, first: u64) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&first);
    }
}

/// Appends a record without its number, which [`number`] puts in. Gives its hash.
pub(super) fn write(record: &Received, out: &mut Vec<u8>) -> Hash {
    let begin = out.len();
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&[0; 12]);
    record.write_leaf(out);
    let leaf = begin + HEAD_BYTES;
    let length = u32::try_from(out.len() - leaf).unwrap_or(u32::MAX);
    out[begin + 10..leaf].copy_from_slice(&length.to_be_bytes());
    let hash = leaf_hash(&out[leaf..]);
    out.extend_from_slice(&hash);
    hash
}

/// Gives the record at the beginning of `bytes` its number.
pub(super) fn number(bytes: &mut [u8], index: u64) {
    if let Some(place) = bytes.get_mut(2..10) {
        place.copy_from_slice(&index.to_be_bytes());
    }
}

/// A record as it stands in a file.
#[derive(Debug, Clone, Copy)]
pub(in crate::record_repository) struct Stored<'a> {
    /// The number that it says it has.
    pub(in crate::record_repository) index: u64,
    pub(in crate::record_repository) leaf: &'a [u8],
    /// The hash that stands behind the leaf.
    pub(in crate::record_repository) said: Hash,
    /// Bytes that all of this takes.
    pub(in crate::record_repository) length: usize,
}

/// What the record with this number begins with.
pub(super) fn beginning(index: u64) -> [u8; 2 + 8] {
    let mut beginning = [0; 2 + 8];
    beginning[..2].copy_from_slice(&MARK);
    beginning[2..].copy_from_slice(&index.to_be_bytes());
    beginning
}

/// The record at the beginning of `bytes`, if they look like one.
pub(in crate::record_repository) fn first(bytes: &[u8]) -> Option<Stored<'_>> {
    let rest = bytes.strip_prefix(&MARK)?;
    let (index, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if length > LEAF_BYTES {
        return None;
    }
    let (leaf, rest) = rest.split_at_checked(length)?;
    let (said, _) = rest.split_first_chunk()?;
    Some(Stored {
        index: u64::from_be_bytes(*index),
        leaf,
        said: *said,
        length: HEAD_BYTES + length + HASH_BYTES,
    })
}

/// Where the segment with this first record is.
pub(crate) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.records"))
}

/// The first records of all segments in `folder`, in order.
pub(crate) fn numbers(folder: &Path) -> Result<Vec<u64>, LogError> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(LogError::at(folder))? {
        let path = entry.map_err(LogError::at(folder))?.path();
        if path.extension().is_some_and(|it| it == "records") {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            numbers.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

impl Segment {
    /// The segment that begins with record `first`, which is there. Where its records begin is put in
    /// by [`keep_offsets`](Self::keep_offsets) or was before.
    pub(super) fn open(
        folder: &Path,
        first: u64,
        leaves: Leaves,
        open: &Arc<OpenFiles>,
    ) -> io::Result<Self> {
        let path = path(folder, first);
        let length = std::fs::metadata(&path)?.len();
        let offsets = made(&path.with_extension("offsets"))?;
        let known = offsets.metadata()?.len() / 8;
        Ok(Self {
            first,
            path,
            leaves,
            open: Arc::clone(open),
            end: AtomicU64::new(first + known),
            length: AtomicU64::new(length),
        })
    }

    /// A new one. A file that a failed attempt left behind begins anew.
    pub(super) fn create(
        folder: &Path,
        first: u64,
        ring: Option<&KeyRing>,
        open: &Arc<OpenFiles>,
    ) -> io::Result<Self> {
        open.forget(first);
        let path = path(folder, first);
        let file = made(&path)?;
        file.set_len(0)?;
        let (leaves, header) = Leaves::begin_with(ring, &path)?;
        if !header.is_empty() {
            file.write_all_at(&header, 0)?;
            file.sync_all()?;
        }
        let segment = Self::open(folder, first, leaves, open)?;
        segment.keep_offsets(&[], header.len() as u64)?;
        File::open(folder)?.sync_all()?;
        Ok(segment)
    }

    fn files(&self) -> io::Result<Arc<Files>> {
        self.open.of(self)
    }

    fn offsets_path(&self) -> PathBuf {
        self.path.with_extension("offsets")
    }

    /// The number of its first record.
    pub(in crate::record_repository) fn first(&self) -> u64 {
        self.first
    }

    /// The number after its last record.
    pub(in crate::record_repository) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(super) fn length(&self) -> u64 {
        self.length.load(Ordering::Acquire)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its header is damaged, so that nobody can read its records.
    pub(super) const fn is_locked(&self) -> bool {
        matches!(self.leaves, Leaves::Locked)
    }

    /// How its leaves stand in it.
    pub(super) const fn leaves(&self) -> &Leaves {
        &self.leaves
    }

    /// Makes it end here, durably.
    pub(super) fn cut(&self, length: u64) -> io::Result<()> {
        let files = self.files()?;
        files.records.set_len(length)?;
        files.records.sync_all()
    }

    /// Everything in it.
    pub(super) fn bytes(&self) -> io::Result<Vec<u8>> {
        std::fs::read(&self.path)
    }

    /// The records at the beginning of `bytes` whose numbers follow each other and whose hashes are
    /// right: where each begins, their hashes, and where they end.
    ///
    /// # Errors
    /// If OpenSSL fails: what is whole is not known then, and nothing may be cut off.
    pub(super) fn whole(&self, bytes: &[u8]) -> io::Result<(Vec<u64>, Vec<Hash>, usize)> {
        let (mut offsets, mut hashes) = (Vec::new(), Vec::new());
        let begin = usize::try_from(self.leaves.begin()).unwrap_or(usize::MAX);
        let mut at = begin.min(bytes.len());
        while let Some(stored) = first(&bytes[at..]) {
            let (hash, _) = self.leaves.hashed(&stored)?;
            if stored.index != self.first + offsets.len() as u64 || stored.said != hash {
                break;
            }
            offsets.push(at as u64);
            hashes.push(hash);
            at += stored.length;
        }
        Ok((offsets, hashes, at))
    }

    /// Says where all its records begin, and where they end.
    pub(super) fn keep_offsets(&self, offsets: &[u64], length: u64) -> io::Result<()> {
        let files = self.files()?;
        files.offsets.set_len(0)?;
        files.put_offsets(0, offsets)?;
        let end = self.first + offsets.len() as u64;
        self.length.store(length, Ordering::Release);
        self.end.store(end, Ordering::Release);
        Ok(())
    }

    /// Appends numbered records, which begin at `begins` in `bytes`, and waits until they are on
    /// disk. Readers have them when they are [published](Self::publish).
    pub(super) fn append(&self, bytes: &[u8], begins: &[u64]) -> io::Result<()> {
        let (files, length) = (self.files()?, self.length());
        files.records.write_all_at(bytes, length)?;
        files.records.sync_data()?;
        let offsets: Vec<u64> = begins.iter().map(|begin| length + begin).collect();
        files.put_offsets(self.end() - self.first, &offsets)
    }

    /// Cuts off what was appended and is not published, as nobody was told that it is there.
    pub(super) fn undo(&self) -> io::Result<()> {
        let files = self.files()?;
        files.records.set_len(self.length())?;
        files.offsets.set_len((self.end() - self.first) * 8)?;
        files.records.sync_data()
    }

    /// Lets readers have what was appended.
    pub(super) fn publish(&self, records: u64, bytes: u64) {
        self.length.fetch_add(bytes, Ordering::AcqRel);
        self.end.fetch_add(records, Ordering::AcqRel);
    }

    /// Record `index`, which is before `end`.
    pub(super) fn read(&self, index: u64, end: u64) -> Result<Received, LogError> {
        let stored = self.stored(index, end).map_err(LogError::at(&self.path))?;
        let stored = first(&stored).filter(|it| it.index == index);
        let leaf = stored.map(|it| self.leaves.leaf(&it)).transpose();
        let leaf = leaf.map_err(LogError::at(&self.path))?.flatten();
        let record = leaf.and_then(|leaf| Received::read_leaf(&leaf));
        record.ok_or(LogError::Damaged(index))
    }

    fn stored(&self, index: u64, end: u64) -> io::Result<Vec<u8>> {
        let (files, length) = (self.files()?, self.length());
        let mut places = [0; 16];
        let is_last = index + 1 == end;
        let known = if is_last {
            &mut places[..8]
        } else {
            &mut places[..]
        };
        files
            .offsets
            .read_exact_at(known, (index - self.first) * 8)?;
        let (begin, next) = places.split_at(8);
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_be_bytes);
        let (begin, mut next) = (number(begin), number(next));
        if is_last {
            // More may have been appended meanwhile, but `first` looks at one record only.
            next = length;
        }
        let most = (HEAD_BYTES + LEAF_BYTES + HASH_BYTES) as u64;
        let bytes = next.saturating_sub(begin).min(most).min(length);
        let mut stored = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        files.records.read_exact_at(&mut stored, begin)?;
        Ok(stored)
    }

    /// The first or the last record that can be read.
    pub(super) fn edge(&self, last: bool) -> Option<Received> {
        let end = self.end();
        let index = if last {
            end.checked_sub(1)?
        } else {
            self.first
        };
        (self.first..end).contains(&index).then_some(())?;
        self.read(index, end).ok()
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        self.open.forget(self.first);
        std::fs::remove_file(&self.path)?;
        // Without its records, this says nothing any more.
        let _ = std::fs::remove_file(self.path.with_extension("offsets"));
        Ok(())
    }
}

impl Files {
    fn put_offsets(&self, place: u64, offsets: &[u64]) -> io::Result<()> {
        let bytes: Vec<u8> = offsets.iter().flat_map(|it| it.to_be_bytes()).collect();
        self.offsets.write_all_at(&bytes, place * 8)
    }
}

/// Opens a file, which is made if need be.
fn made(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
}
