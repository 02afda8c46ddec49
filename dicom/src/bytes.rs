//! Where the walk gets its bytes: a file, memory, or a deflated data set inside one of them.

use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};

use flate2::bufread::DeflateDecoder;

use super::opened::Opened;
use super::walk::WalkError;

/// The length that means "until a delimiter".
pub(super) const UNDEFINED_LENGTH: u32 = u32::MAX;
/// A deflated data set may inflate to this much. Inflating is a stream, so this bounds time, not memory.
const MAX_INFLATED: u64 = 1 << 30;
/// A header of 3 to 6 KiB is the rule, so that one read brings it all.
const BUFFER: usize = 8 * 1024;

/// Bytes with a position and an end.
pub(super) struct Source<'a> {
    input: Input<'a>,
    position: u64,
    end: u64,
}

enum Input<'a> {
    File(BufReader<Opened>),
    Bytes(Cursor<&'a [u8]>),
    Inflated(BufReader<DeflateDecoder<Box<dyn BufRead + 'a>>>),
}

impl<'a> Source<'a> {
    pub(super) fn file(file: Opened) -> io::Result<Self> {
        let end = file.length()?;
        Ok(Self {
            input: Input::File(BufReader::with_capacity(BUFFER, file)),
            position: 0,
            end,
        })
    }

    pub(super) fn bytes(bytes: &'a [u8]) -> Self {
        Self {
            input: Input::Bytes(Cursor::new(bytes)),
            position: 0,
            end: bytes.len() as u64,
        }
    }

    /// The rest, inflated. How long that is shows only on the way.
    pub(super) fn inflated(self) -> Self {
        let rest: Box<dyn BufRead + 'a> = match self.input {
            Input::File(file) => Box::new(file),
            Input::Bytes(bytes) => Box::new(bytes),
            Input::Inflated(inflated) => Box::new(inflated),
        };
        let input = Input::Inflated(BufReader::with_capacity(BUFFER, DeflateDecoder::new(rest)));
        Self {
            input,
            position: 0,
            end: MAX_INFLATED,
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes there can be at most.
    pub(super) fn left(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }

    pub(super) fn at_end(&mut self) -> Result<bool, WalkError> {
        match &mut self.input {
            Input::Inflated(inflated) => match inflated.fill_buf() {
                Ok(buffer) => Ok(buffer.is_empty()),
                Err(_) => Err(self.not_deflated()),
            },
            _ => Ok(self.position >= self.end),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WalkError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The caller has checked `length` against what is left and against what it wants to keep.
    pub(super) fn vec(&mut self, length: u64) -> Result<Vec<u8>, WalkError> {
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| WalkError::TooMany)?];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn skip(&mut self, length: u64) -> Result<(), WalkError> {
        if length > self.left() {
            return Err(self.ended_early());
        }
        let offset = i64::try_from(length).map_err(|_| WalkError::Truncated(self.end))?;
        match &mut self.input {
            Input::File(file) => file.seek_relative(offset)?,
            Input::Bytes(bytes) => bytes.seek(SeekFrom::Current(offset)).map(drop)?,
            Input::Inflated(inflated) => {
                let skipped = io::copy(&mut inflated.take(length), &mut io::sink());
                if skipped.map_err(|_| self.not_deflated())? < length {
                    return Err(WalkError::Truncated(self.position));
                }
            }
        }
        self.position += length;
        Ok(())
    }

    /// The group of the next element, which stays unread. Only for the file meta information, which
    /// is never deflated.
    pub(super) fn peek_group(&mut self) -> Result<u16, WalkError> {
        let group = u16::from_le_bytes(self.array()?);
        match &mut self.input {
            Input::File(file) => file.seek_relative(-2)?,
            Input::Bytes(bytes) => bytes.seek(SeekFrom::Current(-2)).map(drop)?,
            Input::Inflated(_) => {}
        }
        self.position -= 2;
        Ok(group)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), WalkError> {
        if bytes.len() as u64 > self.left() {
            return Err(self.ended_early());
        }
        let read = match &mut self.input {
            Input::File(file) => file.read_exact(bytes),
            Input::Bytes(source) => source.read_exact(bytes),
            Input::Inflated(inflated) => inflated.read_exact(bytes),
        };
        match read {
            Ok(()) => {
                self.position += bytes.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(WalkError::Truncated(self.position))
            }
            Err(_) if matches!(self.input, Input::Inflated(_)) => Err(self.not_deflated()),
            Err(error) => Err(WalkError::Io(error)),
        }
    }

    fn ended_early(&self) -> WalkError {
        match self.input {
            Input::Inflated(_) => WalkError::InflatesTooFar(MAX_INFLATED),
            _ => WalkError::Truncated(self.end),
        }
    }

    fn not_deflated(&self) -> WalkError {
        WalkError::Garbled(
            self.position,
            "the data set is not what its deflated transfer syntax promises",
        )
    }
}
