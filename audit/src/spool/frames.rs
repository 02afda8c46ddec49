//! How records stand in a segment: as frames of messages, or of messages that are sealed.
//!
//! A segment that is encrypted begins with a header ([`journal`](hilum_security::at_rest::journal)). Its
//! frames are counted as those of a plain one are, but what is counted are sealed bytes, bound to the
//! byte at which the frame begins.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::path::Path;

use hilum_security::at_rest::journal::{Journal, SEALED};
use hilum_security::at_rest::{HEADER, KeyRing};

use crate::syslog::{Counted, Frame, MESSAGE_BYTES, counted, first_frame};

/// How records stand in one segment.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What seals and opens them; nothing if they are plain.
    journal: Option<Journal>,
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A record: its message, and how many bytes its frame takes.
    Record(Cow<'a, [u8]>, usize),
    /// A whole frame, of which somebody or something has changed the record.
    Damaged(usize),
    /// The beginning of a frame that may yet be completed.
    Partial,
    /// Something else.
    Garbage,
}

/// What a segment is called when its key is wrapped: it stays the same when its folder is moved.
pub(crate) fn name(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default();
    format!("spool/{}", file.to_string_lossy())
}

impl Frames {
    /// Those of a new segment at `path`, and the bytes with which it begins.
    pub(super) fn begin_with(ring: Option<&KeyRing>, path: &Path) -> io::Result<(Self, Vec<u8>)> {
        let Some(ring) = ring else {
            return Ok((Self::default(), Vec::new()));
        };
        let (journal, header) = Journal::begin(ring, &name(path))?;
        let journal = Some(journal);
        Ok((Self { journal }, header))
    }

    /// Those of a segment that is there.
    ///
    /// # Errors
    /// If it cannot be read, or its key is not there.
    pub(crate) fn of(file: &File, path: &Path) -> io::Result<Self> {
        let journal = Journal::of(file, &name(path))?;
        Ok(Self { journal })
    }

    /// Where the first of them begins.
    pub(crate) const fn begin(&self) -> u64 {
        match self.journal {
            Some(_) => HEADER,
            None => 0,
        }
    }

    /// Bytes by which what is counted is longer than the message.
    pub(crate) const fn more(&self) -> usize {
        match self.journal {
            Some(_) => SEALED,
            None => 0,
        }
    }

    /// Whether they are sealed.
    pub(super) const fn are_sealed(&self) -> bool {
        self.journal.is_some()
    }

    /// Looks at the first frame in `bytes`, which begins at byte `place` of the segment.
    ///
    /// # Errors
    /// If OpenSSL fails: that says nothing of the record.
    pub(crate) fn first<'a>(&self, place: u64, bytes: &'a [u8]) -> io::Result<Found<'a>> {
        let Some(journal) = &self.journal else {
            return Ok(match first_frame(bytes) {
                Frame::Whole(message, length) => Found::Record(Cow::Borrowed(message), length),
                Frame::Partial => Found::Partial,
                Frame::Garbage => Found::Garbage,
            });
        };
        Ok(match counted(bytes, MESSAGE_BYTES + SEALED) {
            Counted::Whole(sealed, length) => match journal.open(place, sealed)? {
                Some(message) => Found::Record(Cow::Owned(message), length),
                None => Found::Damaged(length),
            },
            Counted::Partial => Found::Partial,
            Counted::Garbage => Found::Garbage,
        })
    }

    /// The message that was counted, without its frame, which begins at byte `place`; nothing if it was changed.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub(crate) fn message<'a>(
        &self,
        place: u64,
        counted: &'a [u8],
    ) -> io::Result<Option<Cow<'a, [u8]>>> {
        Ok(match &self.journal {
            None => Some(Cow::Borrowed(counted)),
            Some(journal) => journal.open(place, counted)?.map(Cow::Owned),
        })
    }

    /// How many bytes the first frame takes, without looking at its record.
    pub(crate) fn skip(&self, bytes: &[u8]) -> Option<usize> {
        match &self.journal {
            None => match first_frame(bytes) {
                Frame::Whole(_, length) => Some(length),
                Frame::Partial | Frame::Garbage => None,
            },
            Some(_) => match counted(bytes, MESSAGE_BYTES + SEALED) {
                Counted::Whole(_, length) => Some(length),
                Counted::Partial | Counted::Garbage => None,
            },
        }
    }

    /// Plain frames as they are written from byte `place` on.
    pub(super) fn written<'a>(&self, place: u64, frames: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
        let Some(journal) = &self.journal else {
            return Ok(Cow::Borrowed(frames));
        };
        let mut written = Vec::with_capacity(frames.len() + frames.len() / 16);
        let mut rest = frames;
        while !rest.is_empty() {
            let Frame::Whole(message, length) = first_frame(rest) else {
                let why = "what is to be recorded is no audit message";
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            };
            let place = place + written.len() as u64;
            written.extend_from_slice((message.len() + SEALED).to_string().as_bytes());
            written.push(b' ');
            journal.seal(place, message, &mut written)?;
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(Cow::Owned(written))
    }

    /// The end of the last record in all bytes of a segment. Behind it, there is nothing that was ever
    /// acknowledged.
    ///
    /// # Errors
    /// If OpenSSL fails: where the end is, is not known then.
    pub(super) fn end(&self, bytes: &[u8]) -> io::Result<usize> {
        let begin = usize::try_from(self.begin()).unwrap_or(usize::MAX);
        let (mut at, mut end) = (begin, begin);
        loop {
            match self.first(at as u64, bytes.get(at..).unwrap_or_default())? {
                Found::Record(_, length) => {
                    at += length;
                    end = at;
                }
                // Another one behind it says that it was whole once.
                Found::Damaged(length) => at += length,
                Found::Partial | Found::Garbage => return Ok(end),
            }
        }
    }
}
