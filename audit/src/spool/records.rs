//! Reading a spool.

use std::path::{Path, PathBuf};

use crate::spool::{SpoolError, segment};
use crate::syslog::{Frame, first_frame};

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
    bytes: Vec<u8>,
    offset: usize,
}

/// Reads the spool in `folder`, which may be in use. A record that is just being written is not
/// among them, and neither is damage: reading goes on with the next segment.
pub fn records(folder: &Path) -> Result<Records, SpoolError> {
    let mut segments = segment::numbers(folder)?;
    segments.reverse();
    Ok(Records {
        folder: folder.to_owned(),
        segments,
        segment: 0,
        bytes: Vec::new(),
        offset: 0,
    })
}

impl Iterator for Records {
    type Item = Result<Record, SpoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Frame::Whole(message, length) = first_frame(&self.bytes[self.offset..]) {
                let position = Position {
                    segment: self.segment,
                    offset: self.offset as u64,
                };
                let message = message.to_vec();
                self.offset += length;
                return Some(Ok(Record { position, message }));
            }
            self.segment = self.segments.pop()?;
            let path = segment::path(&self.folder, self.segment);
            self.offset = 0;
            match std::fs::read(&path) {
                Ok(bytes) => self.bytes = bytes,
                Err(error) => {
                    self.bytes.clear();
                    return Some(Err(SpoolError::at(&path)(error)));
                }
            }
        }
    }
}
