//! The files of a spool.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

use hilum_security::at_rest::{HEADER, KeyRing, is_damaged};

use crate::spool::frames::{Found, Frames};
use crate::spool::{Position, SpoolError};

/// The end of the name of a segment; what comes before is its number.
const EXTENSION: &str = "syslog";

/// Bytes that are looked at to see whether a segment begins as one does: those of a header.
#[allow(clippy::cast_possible_truncation, reason = "it is 1024")]
const BEGINNING: usize = HEADER as usize;

/// The segments of a spool that is open for writing: the last one is written.
#[derive(Debug)]
pub(crate) struct Segments {
    folder: PathBuf,
    /// Held as long as this exists; the system gives the lock back if the process is killed.
    _lock: File,
    /// With which segments are encrypted, if they are.
    ring: Option<KeyRing>,
    number: u64,
    file: File,
    /// How records stand in it.
    frames: Frames,
    /// How much of the file is known to be on disk.
    length: u64,
    limit: u64,
    /// Whether the file ends in something that could not be cut off.
    damaged: bool,
}

impl Segments {
    /// Opens a spool, which is made if need be. With a ring, what is written from now on is encrypted; what
    /// is there stays as it is.
    pub(super) fn open(
        folder: &Path,
        limit: u64,
        ring: Option<&KeyRing>,
    ) -> Result<Self, SpoolError> {
        // Records name patients, who concern nobody else on this machine.
        let mut private = DirBuilder::new();
        let made = private.recursive(true).mode(0o700).create(folder);
        made.map_err(SpoolError::at(folder))?;
        let lock = lock(folder)?;
        let last = numbers(folder)?.last().copied();
        set_damaged_aside(folder)?;
        let number = match last {
            None => 1,
            // Where it was, others would look for its records.
            Some(last) => last + u64::from(!path(folder, last).exists()),
        };
        let begun = path(folder, number);
        let begun = match last {
            Some(last) if last == number => mend(&begun, ring)?,
            _ => begin(folder, number, ring).map_err(SpoolError::at(&begun))?,
        };
        let mut segments = Self {
            folder: folder.to_owned(),
            _lock: lock,
            ring: ring.cloned(),
            number,
            file: begun.0,
            frames: begun.1,
            length: begun.2,
            limit,
            damaged: false,
        };
        if ring.is_some() && !segments.frames.are_sealed() {
            // Of a plain one with records in it, others read on.
            let number = number + u64::from(segments.length > 0);
            let path = path(folder, number);
            segments.next(number).map_err(SpoolError::at(&path))?;
        }
        Ok(segments)
    }

    /// Goes on in a segment that has nothing in it yet.
    fn next(&mut self, number: u64) -> io::Result<()> {
        let begun = begin(&self.folder, number, self.ring.as_ref())?;
        (self.file, self.frames, self.length) = begun;
        self.number = number;
        self.damaged = false;
        Ok(())
    }

    /// Up to where everything is on disk.
    pub(super) const fn end(&self) -> Position {
        Position {
            segment: self.number,
            offset: self.length,
        }
    }

    /// Appends whole frames and waits until they are on disk.
    pub(super) fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        if self.damaged || self.length >= self.limit {
            self.next(self.number + 1)?;
        }
        let frames = self.frames.written(self.length, frames)?;
        let written = self
            .file
            .write_all(&frames)
            .and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.length += frames.len() as u64,
            // What may have got onto the disk is cut off, so that what comes next is readable. If
            // not even that can be done, the next record begins a new segment.
            Err(_) => self.damaged = self.file.set_len(self.length).is_err(),
        }
        written
    }
}

fn lock(folder: &Path) -> Result<File, SpoolError> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(SpoolError::at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse {
            folder: folder.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(SpoolError::File { path, source }),
    }
}

/// A segment to which records are appended: its file, how they stand in it, and its length.
type Begun = (File, Frames, u64);

/// Begins a segment. Its name is on disk before anything is written into it, and its header with the first
/// record.
fn begin(folder: &Path, number: u64, ring: Option<&KeyRing>) -> io::Result<Begun> {
    let path = path(folder, number);
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let (frames, header) = Frames::begin_with(ring, &path)?;
    if frames.are_sealed() {
        // Part of a header may be there, from an attempt that failed.
        file.set_len(0)?;
        file.write_all(&header)?;
    }
    File::open(folder)?.sync_all()?;
    Ok((file, frames, header.len() as u64))
}

/// Renames segments whose beginning is damaged: nobody can read their records any more. One whose key is
/// missing stays.
fn set_damaged_aside(folder: &Path) -> Result<(), SpoolError> {
    let mut unreadable = Vec::new();
    for number in numbers(folder)? {
        let path = path(folder, number);
        if !begins_well(&path).map_err(SpoolError::at(&path))? {
            unreadable.push(path);
        }
    }
    for path in unreadable {
        // What opened another one since is the key of its name.
        if begins_well(&path).map_err(SpoolError::at(&path))? {
            continue;
        }
        let kept = unused(&path, "damaged");
        let moved = std::fs::rename(&path, &kept).and_then(|()| File::open(folder)?.sync_all());
        moved.map_err(SpoolError::at(&path))?;
        tracing::error!(
            segment = %path.display(),
            kept = %kept.display(),
            "a file of audit records is damaged where it begins: it is passed over, and what was not sent of \
             it is lost unless it is put back from a copy"
        );
    }
    Ok(())
}

/// Whether records of a segment can be read, or would be if their key were there.
fn begins_well(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let frames = match Frames::of(&file, path) {
        Ok(frames) => frames,
        Err(error) if is_damaged(&error) => return Ok(false),
        // That is told where it matters.
        Err(_) => return Ok(true),
    };
    if frames.are_sealed() {
        return Ok(true);
    }
    let mut first = [0; BEGINNING];
    let length = file.read_at(&mut first, 0)?;
    let first = first.get(..length).unwrap_or_default();
    if frames.first(0, first)? != Found::Garbage {
        return Ok(true);
    }
    // As a crash leaves one of which nothing was acknowledged: part of a header, or zeros.
    let bytes = std::fs::read(path)?;
    let rest = bytes.get(BEGINNING..).unwrap_or_default();
    Ok(rest.iter().all(|byte| *byte == 0))
}

/// How records stand in a segment that is there. If its key may be another one of the same name, what else is
/// in the spool shows whether it is.
pub(crate) fn frames(file: &File, path: &Path) -> io::Result<Frames> {
    match Frames::of(file, path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData && !is_damaged(&error) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            for number in numbers(folder).unwrap_or_default() {
                let path = self::path(folder, number);
                // It proves its key, or nothing.
                let _ = File::open(&path).and_then(|file| Frames::of(&file, &path));
            }
            Frames::of(file, path)
        }
        frames => frames,
    }
}

/// Whether nothing is in a segment that is there.
pub(crate) fn is_empty(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.len() == 0)
}

/// The first of these segments that is neither there nor set aside, which was said when that was done.
pub(crate) fn missing(folder: &Path, numbers: Range<u64>) -> Option<u64> {
    let mut numbers = numbers;
    numbers.find(|number| {
        let path = path(folder, *number);
        let aside = path.with_extension(format!("{EXTENSION}.damaged"));
        !path.exists() && !aside.exists()
    })
}

/// The segments in `folder` of which nobody can read a record because their header is damaged.
///
/// # Errors
/// If they cannot be listed.
pub fn damaged_files(folder: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let all = numbers(folder)?.into_iter();
    let all = all.map(|number| path(folder, number));
    let is_lost = |path: &PathBuf| {
        let frames = File::open(path).and_then(|file| frames(&file, path));
        frames.is_err_and(|error| is_damaged(&error))
    };
    Ok(all.filter(is_lost).collect())
}

/// A name beside a file that nothing has.
fn unused(path: &Path, extension: &str) -> PathBuf {
    let first = path.with_extension(format!("{EXTENSION}.{extension}"));
    let more =
        (2_u32..).map(|number| path.with_extension(format!("{EXTENSION}.{extension}{number}")));
    let mut names = std::iter::once(first.clone()).chain(more);
    names.find(|name| !name.exists()).unwrap_or(first)
}

/// Opens the last segment and cuts off what is no whole record. It was never acknowledged, but it
/// is not thrown away: it goes into a file beside the segment. So does part of a header.
fn mend(path: &Path, ring: Option<&KeyRing>) -> Result<Begun, SpoolError> {
    let mut options = OpenOptions::new();
    let file = options.read(true).append(true).open(path);
    let file = file.map_err(SpoolError::at(path))?;
    let frames = Frames::of(&file, path).map_err(|source| SpoolError::Locked {
        path: path.to_owned(),
        source: unless_configured(source, ring),
    })?;
    cut(file, frames, path).map_err(SpoolError::at(path))
}

/// Why records cannot be read. Without any keys, that is the reason.
pub(crate) fn unless_configured(error: io::Error, ring: Option<&KeyRing>) -> io::Error {
    match ring {
        Some(_) => error,
        None => io::Error::new(error.kind(), "[at_rest] names no keys"),
    }
}

fn cut(file: File, frames: Frames, path: &Path) -> io::Result<Begun> {
    let bytes = std::fs::read(path)?;
    let whole = frames.end(&bytes)?;
    let rest = bytes.get(whole..).unwrap_or_default();
    if !rest.is_empty() {
        let torn = path.with_extension(format!("{EXTENSION}.torn"));
        std::fs::write(&torn, rest)?;
        file.set_len(whole as u64)?;
        tracing::warn!(
            bytes = rest.len(),
            kept = %torn.display(),
            "the audit spool ended in an unfinished record, which was cut off"
        );
    }
    // Whole records may be there that never reached the disk; from now on they count.
    file.sync_all()?;
    Ok((file, frames, whole as u64))
}

pub(crate) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.{EXTENSION}"))
}

/// The numbers of all segments, in order.
pub(crate) fn numbers(folder: &Path) -> Result<Vec<u64>, SpoolError> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(SpoolError::at(folder))? {
        let path = entry.map_err(SpoolError::at(folder))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == EXTENSION)
        {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            numbers.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
impl Segments {
    /// The first segment is there already and takes nothing.
    pub(super) fn full_for_test(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            _lock: lock(folder).unwrap(),
            ring: None,
            number: 1,
            file: begin(folder, 1, None).unwrap().0,
            frames: Frames::default(),
            length: 0,
            limit: 1 << 20,
            damaged: false,
        }
    }
}
