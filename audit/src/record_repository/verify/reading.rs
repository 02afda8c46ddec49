//! Reading the files of a log.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hilum_security::at_rest::has_keys;

use super::difference::differences;
use super::{Compare, Finding};
use crate::event::removed_records;
use crate::record_repository::log::LogError;
use crate::record_repository::log::leaves::{Leaf, Leaves};
use crate::record_repository::log::segment::{self, Stored};
use crate::record_repository::received::{Received, Via};
use crate::record_repository::tree::Hash;
use crate::summary::Summary;
use crate::syslog;

/// Hashes that are read at a time.
const HASHES: u64 = 4096;

/// The file of hashes.
pub(super) struct Hashes {
    file: File,
    length: u64,
}

impl Hashes {
    pub(super) fn open(store: &Path) -> Result<Self, LogError> {
        let path = store.join("tree").join("0");
        let open = || {
            let file = File::open(&path)?;
            let length = file.metadata()?.len() / 32;
            Ok(Self { file, length })
        };
        open().map_err(LogError::at(&path))
    }

    /// The hashes of a range; of what is not there, nothing.
    fn read(&self, range: Range<u64>) -> io::Result<Vec<Hash>> {
        let end = range.end.min(self.length);
        let count = usize::try_from(end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let mut bytes = vec![0; count * 32];
        self.file.read_exact_at(&mut bytes, range.start * 32)?;
        Ok(bytes.as_chunks().0.to_vec())
    }
}

/// What there is to be looked at.
pub(super) struct Scan {
    segments: Vec<Segment>,
    firsts: Vec<u64>,
    hashes: Hashes,
    /// The first record that is there.
    pub(super) begin: u64,
    /// How many there ever were.
    pub(super) end: u64,
    pub(super) unfinished: u64,
    last: Found,
}

/// A file of records.
struct Segment {
    file: File,
    /// How they stand in it.
    leaves: Leaves,
    /// Why it cannot be opened, though there are keys or none is needed to see it.
    trouble: Option<String>,
}

/// The records of a file.
#[derive(Default)]
struct Found {
    /// The hash of each, and the number that it says it has.
    records: Vec<(Hash, u64)>,
    /// Whether the hash behind a record is its own.
    sound: Vec<bool>,
    /// Where bytes are no record, and how many.
    garbage: Vec<(u64, u64)>,
    /// Up to which record the log says that everything was removed.
    said: u64,
    /// How many of them nobody here can open.
    locked: u64,
}

impl Scan {
    /// Opens everything. `covered` is how many records were signed for.
    pub(super) fn of(store: &Path, hashes: Hashes, covered: u64) -> Result<Self, LogError> {
        let folder = store.join("segments");
        let firsts = segment::numbers(&folder)?;
        let mut segments = Vec::new();
        for first in &firsts {
            let path = segment::path(&folder, *first);
            segments.push(opened(&path).map_err(LogError::at(&path))?);
        }
        let begin = firsts.first().copied().unwrap_or(hashes.length);
        let mut last = Found::default();
        let (mut end, mut unfinished) = (hashes.length, 0);
        if let (Some(first), Some(file)) = (firsts.last(), segments.last()) {
            last = found(file).map_err(LogError::at(&folder))?;
            let kept = first + last.records.len() as u64;
            // Behind the last hash, a crash may leave whole records and the beginning of one.
            let acknowledged = hashes.length.max(covered);
            let torn = last.garbage.last().copied();
            if let Some((at, bytes)) = torn
                && kept >= acknowledged
                && at + bytes == length(&file.file).map_err(LogError::at(&folder))?
            {
                last.garbage.pop();
                unfinished = bytes;
            }
            end = end.max(last.numbered(*first, end));
        }
        Ok(Self {
            segments,
            firsts,
            hashes,
            begin,
            end,
            unfinished,
            last,
        })
    }

    /// Compares all records with their hashes, and both with the heads. Gives what differs, up to
    /// which record the log says that everything was removed, and how many records nobody here can open.
    pub(super) fn compare(
        mut self,
        compare: &mut Compare,
    ) -> Result<(Vec<Finding>, u64, u64), LogError> {
        let at = |error| LogError::at(Path::new("segments"))(error);
        let (mut findings, mut said, mut locked) = (Vec::new(), 0, 0);
        let last = std::mem::take(&mut self.last);
        let mut last = Some(last);
        for (place, file) in self.segments.iter().enumerate() {
            let first = self.firsts[place];
            if place == 0 {
                // Their time was over; their hashes are still there.
                self.pass(0..first, compare).map_err(at)?;
            }
            let is_last = place + 1 == self.segments.len();
            let end = self.firsts.get(place + 1).copied().unwrap_or(self.end);
            let found = match last.take_if(|_| is_last) {
                Some(last) => last,
                None => found(file).map_err(at)?,
            };
            findings.extend(file.trouble.clone().map(|why| Finding::Locked {
                segment: first,
                why,
            }));
            said = said.max(found.said);
            locked += found.locked;
            for (at, bytes) in &found.garbage {
                let (segment, at, bytes) = (first, *at, *bytes);
                findings.push(Finding::Garbage { segment, at, bytes });
            }
            let known = self.hashes.read(first..end).map_err(at)?;
            let known = completed(known, &found, end - first);
            let differ = differences(first, &known, &found.records, is_last);
            let fit = differ.is_empty();
            findings.extend(differ);
            if fit {
                let unsound = found.sound.iter().position(|sound| !sound);
                findings.extend(unsound.map(|place| Finding::Changed(first + place as u64)));
            }
            for (place, hash) in known.iter().enumerate() {
                let here = found.records.len() == known.len();
                let record = found.records.get(place).filter(|_| here);
                compare.push(*hash, record.map(|(hash, _)| *hash));
            }
        }
        if self.segments.is_empty() {
            self.pass(0..self.end, compare).map_err(at)?;
        }
        Ok((findings, said, locked))
    }

    /// Takes the hashes of records that are not there as they are.
    fn pass(&self, range: Range<u64>, compare: &mut Compare) -> io::Result<()> {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + HASHES);
            for hash in self.hashes.read(start..end)? {
                compare.push(hash, Some(hash));
            }
            start = end;
        }
        Ok(())
    }
}

/// The hashes of a file of records: those that a power failure kept from the disk are the records'.
fn completed(mut known: Vec<Hash>, found: &Found, length: u64) -> Vec<Hash> {
    let length = usize::try_from(length)
        .unwrap_or(usize::MAX)
        .min(known.len() + found.records.len());
    let missing = found.records.get(known.len()..).unwrap_or_default();
    known.extend(missing.iter().map(|(hash, _)| *hash));
    known.truncate(length);
    for (hash, (record, _)) in known.iter_mut().zip(&found.records) {
        if *hash == Hash::default() {
            *hash = *record;
        }
    }
    known
}

impl Found {
    /// How many records there are if those behind the last hash count that number themselves rightly.
    fn numbered(&self, first: u64, hashes: u64) -> u64 {
        let known = usize::try_from(hashes.saturating_sub(first)).unwrap_or(usize::MAX);
        let mut end = hashes;
        for ((_, index), sound) in self.records.iter().zip(&self.sound).skip(known) {
            if *index != end || !sound {
                break;
            }
            end += 1;
        }
        end
    }
}

fn length(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}

/// Opens a file of records, with its key if that is here. Only where there are no keys at all, it is nobody's
/// fault that one is missing: else somebody may have changed which key the header names.
fn opened(path: &Path) -> io::Result<Segment> {
    use io::ErrorKind::{InvalidData, PermissionDenied};
    let file = File::open(path)?;
    let (leaves, trouble) = match Leaves::of(&file, path) {
        Err(error) if error.kind() == PermissionDenied && !has_keys() => (Leaves::Locked, None),
        Err(error) if matches!(error.kind(), PermissionDenied | InvalidData) => {
            (Leaves::Locked, Some(error.to_string()))
        }
        leaves => (leaves?, None),
    };
    Ok(Segment {
        file,
        leaves,
        trouble,
    })
}

/// All records of a file, also behind bytes that are none.
fn found(Segment { file, leaves, .. }: &Segment) -> io::Result<Found> {
    let length = usize::try_from(length(file)?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    let mut found = Found::default();
    let mut at = usize::try_from(leaves.begin()).map_err(io::Error::other)?;
    let mut garbage = None;
    while at < bytes.len() {
        if let Some((stored, hash, leaf)) = record(leaves, &bytes[at..], garbage.is_some())? {
            let begin = garbage.take();
            found
                .garbage
                .extend(begin.map(|begin| (begin as u64, (at - begin) as u64)));
            found.sound.push(stored.said == hash);
            found.records.push((hash, stored.index));
            match leaf {
                Some(leaf) => found.said = found.said.max(removed(&leaf)),
                None => found.locked += u64::from(matches!(leaves, Leaves::Locked)),
            }
            at += stored.length;
        } else {
            garbage.get_or_insert(at);
            let mark = bytes[at + 1..].iter().position(|byte| *byte == b'H');
            at = mark.map_or(bytes.len(), |mark| at + 1 + mark);
        }
    }
    let begin = garbage.take();
    found
        .garbage
        .extend(begin.map(|begin| (begin as u64, (at - begin) as u64)));
    Ok(found)
}

/// A record, its hash, and its leaf if that can be opened.
type Read<'a> = (Stored<'a>, Hash, Option<Leaf<'a>>);

/// The record at the beginning of `bytes`, its hash, and its leaf if that can be opened. One that was changed is one too, if another
/// follows or nothing; but behind bytes that are none, only what is whole is believed.
fn record<'a>(
    leaves: &Leaves,
    bytes: &'a [u8],
    behind_garbage: bool,
) -> io::Result<Option<Read<'a>>> {
    let Some(stored) = segment::first(bytes) else {
        return Ok(None);
    };
    let (hash, leaf) = leaves.hashed(&stored)?;
    let rest = &bytes[stored.length..];
    let may_be_changed = !behind_garbage && (rest.is_empty() || rest.starts_with(b"HR"));
    Ok((hash == stored.said || may_be_changed).then_some((stored, hash, leaf)))
}

/// What the record says of records that were removed.
fn removed(leaf: &[u8]) -> u64 {
    // The second byte is the way on which it came: few are looked at.
    if leaf.get(1) != Some(&5) {
        return 0;
    }
    let Some(record) = Received::read_leaf(leaf).filter(|it| it.via == Via::Own) else {
        return 0;
    };
    let xml = syslog::xml(&record.bytes).unwrap_or_default();
    let summary = Summary::read(xml).unwrap_or_default();
    let ranges = summary.objects.iter().filter_map(|it| removed_records(it));
    ranges.map(|range| range.end).max().unwrap_or(0)
}
