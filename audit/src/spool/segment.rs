//! The files of a spool.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::spool::{Position, SpoolError};
use crate::syslog::{Frame, first_frame};

/// The end of the name of a segment; what comes before is its number.
const EXTENSION: &str = "syslog";

/// The segments of a spool that is open for writing: the last one is written.
#[derive(Debug)]
pub(crate) struct Segments {
    folder: PathBuf,
    /// Held as long as this exists; the system gives the lock back if the process is killed.
    _lock: File,
    number: u64,
    file: File,
    /// How much of the file is known to be on disk.
    length: u64,
    limit: u64,
    /// Whether the file ends in something that could not be cut off.
    damaged: bool,
}

impl Segments {
    pub(super) fn open(folder: &Path, limit: u64) -> Result<Self, SpoolError> {
        // Records name patients, who concern nobody else on this machine.
        let mut private = DirBuilder::new();
        let made = private.recursive(true).mode(0o700).create(folder);
        made.map_err(SpoolError::at(folder))?;
        let lock = lock(folder)?;
        let last = numbers(folder)?.last().copied();
        let number = last.unwrap_or(1);
        let path = path(folder, number);
        let (file, length) = match last {
            Some(_) => mend(&path).map_err(SpoolError::at(&path))?,
            None => (create(folder, number).map_err(SpoolError::at(&path))?, 0),
        };
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
            number,
            file,
            length,
            limit,
            damaged: false,
        })
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
            self.file = create(&self.folder, self.number + 1)?;
            self.number += 1;
            self.length = 0;
            self.damaged = false;
        }
        let written = self
            .file
            .write_all(frames)
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

/// Begins a segment. Its name is on disk before anything is written into it.
fn create(folder: &Path, number: u64) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path(folder, number))?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Opens the last segment and cuts off what is no whole record. It was never acknowledged, but it
/// is not thrown away: it goes into a file beside the segment.
fn mend(path: &Path) -> io::Result<(File, u64)> {
    let bytes = std::fs::read(path)?;
    let mut whole = 0;
    while let Frame::Whole(_, length) = first_frame(&bytes[whole..]) {
        whole += length;
    }
    let file = OpenOptions::new().append(true).open(path)?;
    let rest = &bytes[whole..];
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
    Ok((file, whole as u64))
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
            number: 1,
            file: create(folder, 1).unwrap(),
            length: 0,
            limit: 1 << 20,
            damaged: false,
        }
    }
}
