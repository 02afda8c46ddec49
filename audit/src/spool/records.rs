//! Reading a spool.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use hilum_security::at_rest::is_damaged;

use crate::spool::frames::{Found, Frames};
use crate::spool::{SpoolError, segment};

/// Where a record is: what a sender remembers of how far it got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The number of the segment.
    pub segment: u64,
    /// The byte at which the frame begins.
    pub offset: u64,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it is.
    pub position: Position,
    /// The RFC 5424 message.
    pub message: Vec<u8>,
}

/// The records of a spool, oldest first.
#[derive(Debug)]
pub struct Records {
    folder: PathBuf,
    /// Segments not yet read, last first.
    segments: Vec<u64>,
    segment: u64,
    frames: Frames,
    bytes: Vec<u8>,
    offset: usize,
}

/// Reads the spool in `folder`, which may be in use. A record that is just being written is not
/// among them, and neither is damage: reading goes on with the next segment, or behind a record that is
/// sealed and was changed. A segment whose key is not there is an error.
pub fn records(folder: &Path) -> Result<Records, SpoolError> {
    let mut segments = segment::numbers(folder)?;
    segments.reverse();
    Ok(Records {
        folder: folder.to_owned(),
        segments,
        segment: 0,
        frames: Frames::default(),
        bytes: Vec::new(),
        offset: 0,
    })
}

impl Iterator for Records {
    type Item = Result<Record, SpoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let position = Position {
                segment: self.segment,
                offset: self.offset as u64,
            };
            let rest = self.bytes.get(self.offset..).unwrap_or_default();
            let first = match self.frames.first(position.offset, rest) {
                Ok(first) => first,
                Err(error) => {
                    let path = segment::path(&self.folder, self.segment);
                    self.bytes.clear();
                    return Some(Err(SpoolError::at(&path)(error)));
                }
            };
            match first {
                Found::Record(message, length) => {
                    let message = message.into_owned();
                    self.offset += length;
                    return Some(Ok(Record { position, message }));
                }
                Found::Damaged(length) => {
                    self.offset += length;
                    damaged(&segment::path(&self.folder, self.segment), position.offset);
                    continue;
                }
                Found::Partial | Found::Garbage => {}
            }
            self.segment = self.next_segment()?;
            let path = segment::path(&self.folder, self.segment);
            match read(&path) {
                Ok((frames, bytes)) => {
                    self.offset = usize::try_from(frames.begin()).unwrap_or(usize::MAX);
                    (self.frames, self.bytes) = (frames, bytes);
                }
                Err(error) => {
                    self.bytes.clear();
                    self.offset = 0;
                    if is_damaged(&error) {
                        passed_over(&path);
                        continue;
                    }
                    return Some(Err(SpoolError::at(&path)(error)));
                }
            }
        }
    }
}

impl Records {
    /// The number of the next segment. Says what is missing before it: what comes after a segment was written
    /// when everything in that was whole.
    fn next_segment(&mut self) -> Option<u64> {
        let next = self.segments.pop()?;
        if self.segment == 0 {
            return Some(next);
        }
        let path = segment::path(&self.folder, self.segment);
        if self.offset < self.bytes.len() || segment::is_empty(&path) {
            ends_early(&path, self.offset as u64);
        }
        if let Some(missing) = segment::missing(&self.folder, self.segment + 1..next) {
            not_there(&segment::path(&self.folder, missing), next - missing);
        }
        Some(next)
    }
}

fn read(path: &Path) -> std::io::Result<(Frames, Vec<u8>)> {
    let mut file = File::open(path)?;
    let frames = segment::frames(&file, path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((frames, bytes))
}

/// Says that a record is passed over.
pub(crate) fn damaged(segment: &Path, offset: u64) {
    let segment = segment.display();
    tracing::error!(%segment, offset, "an audit record was changed in the spool: it is passed over");
}

/// Says that a segment has lost its end, or everything.
pub(crate) fn ends_early(segment: &Path, offset: u64) {
    let segment = segment.display();
    tracing::error!(
        %segment,
        offset,
        "a file of audit records was damaged or cut off: from here on, its records are missing"
    );
}

/// Says that segments are gone.
pub(crate) fn not_there(segment: &Path, files: u64) {
    let segment = segment.display();
    tracing::error!(%segment, files, "files of audit records are gone, with their records, from this one on");
}

/// Says that all of a segment is passed over.
pub(crate) fn passed_over(segment: &Path) {
    let segment = segment.display();
    tracing::error!(%segment, "a file of audit records is damaged where it begins: it is passed over");
}
