//! Bytes of a file that are read as they are asked for, and values by their place in the data set.
//!
//! A data set may be deflated, big endian, or hold images whose frames begin within a byte.
//! [`Content`] hides that: it is the value as a little endian file would have it, read in pieces.

use std::fmt;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::str::FromStr;

use dicom_core::{Tag, VR};
use flate2::bufread::DeflateDecoder;

use super::opened::{self, Opened};
use super::walk::{self, Apart, DataSet, Part10, Value};

/// Where an element stands: the sequences and items that lead to it, then its tag. Written
/// `7FE00010`, or `54000100/0/54001010` for an element of the first item of a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TagPath {
    items: Vec<(Tag, u32)>,
    tag: Tag,
}

/// A text that is no [`TagPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a path of tags such as 54000100/0/54001010")]
pub struct BadTagPath;

impl TagPath {
    /// An element of the data set itself.
    pub fn top(tag: Tag) -> Self {
        Self {
            items: Vec::new(),
            tag,
        }
    }

    pub(crate) fn within(items: &[(Tag, u32)], tag: Tag) -> Self {
        let items = items.to_vec();
        Self { items, tag }
    }

    /// The tag of the element.
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// The element, if the walk kept it or knows where it stands.
    pub fn find<'a>(&self, data: &'a DataSet) -> Option<(VR, &'a Value)> {
        let mut data = data;
        for (sequence, item) in &self.items {
            data = data.items(*sequence).get(*item as usize)?;
        }
        data.get(self.tag)
    }
}

impl fmt::Display for TagPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (Tag(group, element), item) in &self.items {
            write!(f, "{group:04X}{element:04X}/{item}/")?;
        }
        let Tag(group, element) = self.tag;
        write!(f, "{group:04X}{element:04X}")
    }
}

impl FromStr for TagPath {
    type Err = BadTagPath;

    fn from_str(text: &str) -> Result<Self, BadTagPath> {
        let mut parts = text.split('/');
        let mut items = Vec::new();
        let mut at = tag(parts.next())?;
        while let Some(item) = parts.next() {
            if items.len() >= walk::MAX_DEPTH {
                return Err(BadTagPath);
            }
            items.push((at, item.parse().map_err(|_| BadTagPath)?));
            at = tag(parts.next())?;
        }
        Ok(Self { items, tag: at })
    }
}

fn tag(text: Option<&str>) -> Result<Tag, BadTagPath> {
    let text = text.filter(|text| text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit()));
    let number = u32::from_str_radix(text.ok_or(BadTagPath)?, 16).map_err(|_| BadTagPath)?;
    Ok(Tag((number >> 16) as u16, number as u16))
}

/// The bytes of a value or of a frame, in little endian. Reading it reads the file.
pub struct Content {
    from: From,
    /// What is still to be read.
    ranges: Vec<Apart>,
    length: u64,
    /// How many bytes of a number are turned around; 1 if none.
    unit: usize,
    /// Bytes that are turned around already, and how many of them are read.
    turned: Vec<u8>,
    given: usize,
}

enum From {
    Held(Cursor<Vec<u8>>),
    File(Opened),
    Inflated(Box<Inflated>),
}

/// How much is turned around at once. A multiple of every unit.
const TURNED_AT_ONCE: u64 = 16 * 1024;

impl Content {
    /// The value at `at`: an element that is no sequence. Encapsulated pixel data comes as its
    /// fragments, one behind the other. `None` if there is no such value.
    ///
    /// `file` is what [`walk::whole_file`] found at `path`.
    pub fn of(path: &Path, file: &Part10, at: &TagPath) -> io::Result<Option<Self>> {
        Ok(Some(match at.find(&file.data) {
            None | Some((_, Value::Items(_))) => return Ok(None),
            Some((_, Value::Bytes(bytes))) => Self::held(bytes.clone()),
            Some((vr, Value::Apart(apart))) => {
                Self::open(path, file, vec![*apart], walk::unit(vr))?
            }
            Some((_, Value::Fragments(fragments))) => {
                let frames = fragments.iter().skip(1).copied().collect();
                Self::open(path, file, frames, 1)?
            }
        }))
    }

    pub(crate) fn held(bytes: Vec<u8>) -> Self {
        Self {
            ranges: Vec::new(),
            length: bytes.len() as u64,
            unit: 1,
            turned: Vec::new(),
            given: 0,
            from: From::Held(Cursor::new(bytes)),
        }
    }

    /// Parts of a file one behind the other; numbers of `unit` bytes are turned around if the file is
    /// big endian.
    pub(crate) fn open(
        path: &Path,
        file: &Part10,
        mut ranges: Vec<Apart>,
        unit: usize,
    ) -> io::Result<Self> {
        let opened = opened::open(path)?;
        let from = if walk::DEFLATED.contains(&file.transfer_syntax_uid.as_str()) {
            From::Inflated(Box::new(Inflated::new(opened, file.data_offset)?))
        } else {
            From::File(opened)
        };
        let big_endian = file.transfer_syntax_uid == walk::EXPLICIT_VR_BIG_ENDIAN;
        let length = ranges.iter().map(|range| range.length).sum();
        ranges.reverse();
        Ok(Self {
            from,
            ranges,
            length,
            unit: if big_endian { unit } else { 1 },
            turned: Vec::new(),
            given: 0,
        })
    }

    /// How many bytes there are altogether.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// All of it, if it is not longer than `limit`.
    pub(crate) fn all(mut self, limit: u64) -> io::Result<Vec<u8>> {
        if self.length > limit {
            return Err(io::Error::other("longer than allowed"));
        }
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// All of it in pieces, each a multiple of every unit except the last.
    pub(crate) fn pieces(
        mut self,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut piece = vec![0; TURNED_AT_ONCE as usize * 4];
        let mut left = self.length;
        while left > 0 {
            let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.read_exact(&mut piece[..most])?;
            take(&piece[..most])?;
            left -= most as u64;
        }
        Ok(())
    }

    /// Reads as the file has it.
    fn raw(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(range) = self.ranges.last_mut() else {
            return Ok(0);
        };
        if range.length == 0 {
            self.ranges.pop();
            return self.raw(buffer);
        }
        let most = buffer
            .len()
            .min(usize::try_from(range.length).unwrap_or(usize::MAX));
        let read = match &mut self.from {
            From::Held(held) => held.read(&mut buffer[..most])?,
            From::File(file) => {
                file.seek(SeekFrom::Start(range.offset))?;
                file.read(&mut buffer[..most])?
            }
            From::Inflated(inflated) => inflated.read_at(range.offset, &mut buffer[..most])?,
        };
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        range.offset += read as u64;
        range.length -= read as u64;
        Ok(read)
    }

    /// Reads the next piece whole and turns its numbers around.
    fn turn(&mut self) -> io::Result<()> {
        let Some(range) = self.ranges.last().copied() else {
            return Ok(());
        };
        let piece = range.length.min(TURNED_AT_ONCE) as usize;
        self.turned = vec![0; piece];
        self.given = 0;
        let mut filled = 0;
        while filled < piece {
            let mut buffer = std::mem::take(&mut self.turned);
            let read = self.raw(&mut buffer[filled..]);
            self.turned = buffer;
            filled += read?;
        }
        if self.ranges.last().is_some_and(|range| range.length == 0) {
            self.ranges.pop();
        }
        let numbers = self.turned.chunks_exact_mut(self.unit);
        numbers.for_each(<[u8]>::reverse);
        Ok(())
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let From::Held(held) = &mut self.from {
            return held.read(buffer);
        }
        if self.unit == 1 {
            return self.raw(buffer);
        }
        if self.given == self.turned.len() {
            self.turned.clear();
            self.given = 0;
            self.turn()?;
        }
        let rest = &self.turned[self.given..];
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        self.given += read;
        Ok(read)
    }
}

/// A data set that is inflated on the way. Forward is cheap; backward begins again.
struct Inflated {
    decoder: DeflateDecoder<BufReader<Opened>>,
    begin: u64,
    position: u64,
}

impl Inflated {
    fn new(mut file: Opened, begin: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(begin))?;
        let decoder = DeflateDecoder::new(BufReader::new(file));
        Ok(Self {
            decoder,
            begin,
            position: 0,
        })
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset < self.position {
            let file = self.decoder.get_ref().get_ref().again()?;
            *self = Self::new(file, self.begin)?;
        }
        let skip = offset - self.position;
        let skipped = io::copy(&mut (&mut self.decoder).take(skip), &mut io::sink())?;
        self.position += skipped;
        if skipped < skip {
            return Ok(0);
        }
        let read = self.decoder.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}
