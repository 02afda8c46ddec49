//! Where the frames of an image are in its file.
//!
//! Native pixel data is one frame behind the other (PS3.5 section 8.1.1); encapsulated pixel data is
//! cut into fragments, and which of them belong to a frame is told by a table of offsets, by their
//! number, or only by what they begin with (PS3.5 section A.4).

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::path::Path;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::bulk::Content;
use super::pixels::{ImagePixel, PixelError};
use super::walk::{Apart, DataSet, Part10, Value};

/// An image has at most this many frames; the longest cine and whole-slide images stay below.
pub const MAX_FRAMES: u32 = 1 << 20;
/// A frame has at most this many bytes, stored and decoded: 16384 x 16384 pixels of 16 bits.
pub const MAX_FRAME_BYTES: u64 = 512 * 1024 * 1024;

/// The elements that hold pixels: integers, floats, doubles.
const PIXELS: [Tag; 3] = [
    tags::PIXEL_DATA,
    tags::FLOAT_PIXEL_DATA,
    tags::DOUBLE_FLOAT_PIXEL_DATA,
];
/// MPEG-2, MPEG-4 and HEVC: a stream whose frames cannot be told apart without decoding it.
const VIDEO: std::ops::RangeInclusive<u32> = 100..=108;

/// Why there is no frame to be had.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The object has no pixels: a report, a document, key objects.
    #[error("the object is no image")]
    NoPixels,
    /// The image has fewer frames than that.
    #[error("no frame {asked}: there are {count}")]
    NoSuchFrame {
        /// Counted from 1.
        asked: u32,
        /// How many frames there are.
        count: u32,
    },
    /// The description of the pixels is missing, contradicts itself or is not supported.
    #[error(transparent)]
    Pixels(#[from] PixelError),
    /// Frames that cannot be told apart.
    #[error("frames cannot be told apart: {0}")]
    Together(&'static str),
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Where the frames of an image are.
#[derive(Debug)]
pub struct Frames {
    image: ImagePixel,
    /// Bytes of a number, which are turned around in big endian.
    unit: usize,
    places: Places,
}

#[derive(Debug)]
enum Places {
    /// All of it; frames follow each other without gaps, even within a byte.
    Native { all: Apart, bits: u64 },
    /// The fragments of each frame.
    Fragments(Vec<Vec<Apart>>),
    /// So small that the walk kept it.
    Held(Vec<u8>),
}

impl Frames {
    /// Finds the frames. `file` is what [`super::walk::whole_file`] found at `path`; the file itself is
    /// looked at only if fragments have to be told apart by what they begin with.
    pub fn of(path: &Path, file: &Part10) -> Result<Self, FrameError> {
        Self::within(path, file, &file.data)
    }

    /// As [`Frames::of`], for an image in an item of the file: an icon.
    pub(crate) fn within(path: &Path, file: &Part10, data: &DataSet) -> Result<Self, FrameError> {
        let found = PIXELS.iter().find_map(|tag| {
            let (vr, value) = data.get(*tag)?;
            Some((*tag, vr, value))
        });
        let (tag, vr, value) = found.ok_or(FrameError::NoPixels)?;
        let image = ImagePixel::of(data, tag)?;
        if image.frames > MAX_FRAMES || image.frame_bytes() > MAX_FRAME_BYTES {
            return Err(PixelError::TooLarge.into());
        }
        let places = match value {
            Value::Fragments(fragments) => {
                Places::Fragments(encapsulated(path, file, data, &image, fragments)?)
            }
            Value::Apart(all) => Places::Native {
                all: *all,
                bits: image.frame_bits(),
            },
            Value::Bytes(bytes) if !bytes.is_empty() => Places::Held(bytes.clone()),
            _ => return Err(FrameError::NoPixels),
        };
        // OW is a string of words of 16 bits, but samples of 32 are turned around whole.
        let unit = match vr {
            VR::OW if image.bits_allocated >= 16 => usize::from(image.bits_allocated / 8),
            vr => super::walk::unit(vr),
        };
        Ok(Self {
            image,
            unit,
            places,
        })
    }

    /// What is turned around in big endian.
    pub(crate) fn unit(&self) -> usize {
        self.unit
    }

    /// What a pixel is.
    pub fn image(&self) -> &ImagePixel {
        &self.image
    }

    /// How many frames the file says it has.
    pub fn count(&self) -> u32 {
        self.image.frames
    }

    /// Whether the frames are compressed bit streams rather than pixels.
    pub fn encapsulated(&self) -> bool {
        matches!(self.places, Places::Fragments(_))
    }

    /// Opens a frame, counted from 1 as in WADO-RS: pixels in little endian, or the bit stream as it
    /// is stored, without the items around its fragments.
    pub fn open(&self, path: &Path, file: &Part10, number: u32) -> Result<Content, FrameError> {
        let missing = FrameError::NoSuchFrame {
            asked: number,
            count: self.count(),
        };
        let Some(index) = number.checked_sub(1).filter(|index| *index < self.count()) else {
            return Err(missing);
        };
        match &self.places {
            Places::Fragments(frames) => {
                let fragments = frames.get(index as usize).ok_or(missing)?;
                Ok(Content::open(path, file, fragments.clone(), 1)?)
            }
            Places::Native { all, bits } => self.native(path, file, *all, u64::from(index) * bits),
            Places::Held(bytes) => {
                let begin = u64::from(index) * self.image.frame_bits();
                let frame = cut(bytes, begin, self.image.frame_bits());
                Ok(Content::held(frame.ok_or(PixelError::TooShort)?))
            }
        }
    }

    /// The bytes of a frame.
    pub fn read(&self, path: &Path, file: &Part10, number: u32) -> Result<Vec<u8>, FrameError> {
        Ok(self.open(path, file, number)?.all(MAX_FRAME_BYTES)?)
    }

    /// A native frame that begins `begin` bits into the pixel data.
    fn native(
        &self,
        path: &Path,
        file: &Part10,
        all: Apart,
        begin: u64,
    ) -> Result<Content, FrameError> {
        let bits = self.image.frame_bits();
        let end = (begin + bits).div_ceil(8);
        if end > all.length {
            return Err(PixelError::TooShort.into());
        }
        // Words of a big endian file are turned around, so only whole words can be read.
        let word = self.unit as u64 * 8;
        if begin.is_multiple_of(word) && bits.is_multiple_of(word) {
            let place = Apart {
                offset: all.offset + begin / 8,
                length: bits / 8,
            };
            return Ok(Content::open(path, file, vec![place], self.unit)?);
        }
        let first = begin - begin % word;
        let length = ((begin + bits).div_ceil(word) * word - first) / 8;
        let place = Apart {
            offset: all.offset + first / 8,
            length: length.min(all.length - first / 8),
        };
        let around =
            Content::open(path, file, vec![place], self.unit)?.all(MAX_FRAME_BYTES + 16)?;
        let frame = cut(&around, begin - first, bits);
        Ok(Content::held(frame.ok_or(PixelError::TooShort)?))
    }
}

/// `bits` bits from bit `begin` on, the lowest of each byte first (PS3.5 section 8.1.1).
fn cut(bytes: &[u8], begin: u64, bits: u64) -> Option<Vec<u8>> {
    let first = usize::try_from(begin / 8).ok()?;
    let last = usize::try_from((begin + bits).div_ceil(8)).ok()?;
    let bytes = bytes.get(first..last)?;
    let shift = begin % 8;
    if shift == 0 {
        return Some(bytes.to_vec());
    }
    let next = bytes[1..].iter().chain(&[0]);
    let shifted = bytes.iter().zip(next);
    let mut cut: Vec<u8> = shifted
        .map(|(low, high)| (low >> shift) | (high << (8 - shift)))
        .collect();
    cut.truncate(bits.div_ceil(8) as usize);
    Some(cut)
}

/// The fragments of each frame.
fn encapsulated(
    path: &Path,
    file: &Part10,
    data: &DataSet,
    image: &ImagePixel,
    fragments: &[Apart],
) -> Result<Vec<Vec<Apart>>, FrameError> {
    let (table, fragments) = fragments.split_first().ok_or(FrameError::NoPixels)?;
    let count = image.frames as usize;
    if fragments.is_empty() {
        return Err(PixelError::TooShort.into());
    }
    if is_video(&file.transfer_syntax_uid) {
        return Err(FrameError::Together("a video is one stream"));
    }
    if count == 1 {
        return Ok(vec![fragments.to_vec()]);
    }
    if fragments.len() == count {
        return Ok(fragments.iter().map(|fragment| vec![*fragment]).collect());
    }
    let offsets = offsets(path, file, (data, *table), count)?;
    if offsets.len() == count
        && let Some(frames) = by_offsets(fragments, &offsets)
    {
        return Ok(frames);
    }
    by_beginnings(path, file, fragments, count)
}

/// The Extended Offset Table (7FE0,0001) if there is one, else the Basic Offset Table: where each
/// frame's first item stands, from the first fragment's item.
fn offsets(
    path: &Path,
    file: &Part10,
    (data, table): (&DataSet, Apart),
    count: usize,
) -> Result<Vec<u64>, FrameError> {
    let extended = match data.get(tags::EXTENDED_OFFSET_TABLE) {
        Some((_, Value::Bytes(bytes))) => Some(Content::held(bytes.clone())),
        Some((_, Value::Apart(apart))) => Some(Content::open(path, file, vec![*apart], 1)?),
        _ => None,
    };
    if let Some(content) = extended
        && content.length() == count as u64 * 8
    {
        let bytes = content.all(u64::from(MAX_FRAMES) * 8)?;
        let numbers = bytes.chunks_exact(8).filter_map(|it| it.try_into().ok());
        return Ok(numbers.map(u64::from_le_bytes).collect());
    }
    if table.length != count as u64 * 4 {
        return Ok(Vec::new());
    }
    let bytes = Content::open(path, file, vec![table], 1)?.all(u64::from(MAX_FRAMES) * 4)?;
    let numbers = bytes.chunks_exact(4).filter_map(|it| it.try_into().ok());
    Ok(numbers.map(|it| u32::from_le_bytes(it).into()).collect())
}

/// `None` if the offsets do not point at fragments, or not in order.
fn by_offsets(fragments: &[Apart], offsets: &[u64]) -> Option<Vec<Vec<Apart>>> {
    // An offset points at the item, eight bytes before the fragment.
    let first = fragments.first()?.offset;
    let starts: Vec<_> = offsets
        .iter()
        .map(|offset| {
            fragments
                .binary_search_by_key(&(first.checked_add(*offset)?), |it| it.offset)
                .ok()
        })
        .collect::<Option<_>>()?;
    let end = fragments.len();
    let ends = starts.iter().skip(1).chain([&end]);
    let frames = starts.iter().zip(ends).map(|(start, end)| {
        let frame = fragments.get(*start..*end)?;
        (!frame.is_empty()).then(|| frame.to_vec())
    });
    (starts.first() == Some(&0)).then_some(())?;
    frames.collect()
}

/// A fragment with the beginning of a JPEG (SOI) or JPEG 2000 (SOC) stream begins a frame.
fn by_beginnings(
    path: &Path,
    file: &Part10,
    fragments: &[Apart],
    count: usize,
) -> Result<Vec<Vec<Apart>>, FrameError> {
    let mut frames: Vec<Vec<Apart>> = Vec::new();
    let mut beginnings = fragments.to_vec();
    for beginning in &mut beginnings {
        beginning.length = beginning.length.min(2);
    }
    let mut content = Content::open(path, file, beginnings.clone(), 1)?;
    for (fragment, beginning) in fragments.iter().zip(&beginnings) {
        let mut mark = [0; 2];
        content.read_exact(&mut mark[..beginning.length as usize])?;
        match frames.last_mut() {
            Some(frame) if mark != [0xFF, 0xD8] && mark != [0xFF, 0x4F] => frame.push(*fragment),
            _ => frames.push(vec![*fragment]),
        }
    }
    if frames.len() == count {
        Ok(frames)
    } else {
        Err(FrameError::Together(
            "no table of offsets, and fragments do not begin with an image",
        ))
    }
}

fn is_video(transfer_syntax_uid: &str) -> bool {
    let last = transfer_syntax_uid.strip_prefix("1.2.840.10008.1.2.4.");
    let number = last.and_then(|last| last.split('.').next()?.parse().ok());
    number.is_some_and(|number| VIDEO.contains(&number))
}
