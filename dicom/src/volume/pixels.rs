//! From the stored bytes of a frame to the bytes of a slice.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::DeflateDecoder;

use super::frames::{Frame, PixelFormat, PixelsIn, SourceFile, Swap};
use super::{FrameDecoder, Plan, WriteFault};
use crate::opened::{self, Opened};

const BUFFER: usize = 64 * 1024;

/// There is no decoder for compressed pixel data here.
#[derive(Debug, thiserror::Error)]
#[error("pixel data is compressed, and there is no decoder")]
pub struct NoPixels;

/// A decoder for series of which none is compressed.
pub fn native_only(_: &Path, _: u32) -> Result<Vec<u8>, String> {
    Err(NoPixels.to_string())
}

/// NIfTI's data type and its bytes for these pixels. Unsigned numbers of less than 16 bits fit into
/// signed ones, which more programs read.
pub(super) fn datatype(format: &PixelFormat, uniform: bool) -> (i16, u8) {
    match (format.allocated, format.signed) {
        _ if format.is_colour() => (128, 3),
        _ if !uniform => (16, 4),
        (8, false) => (2, 1),
        (8, true) => (256, 1),
        (16, false) if format.stored == 16 => (512, 2),
        (16, _) => (4, 2),
        (_, true) => (8, 4),
        (_, false) => (768, 4),
    }
}

/// Reads frames, of which the next is most often in the same file.
pub(super) struct Reader<'a, 'd> {
    plan: &'a Plan,
    decode: &'a mut FrameDecoder<'d>,
    open: Option<(usize, Open)>,
    /// The frame that was read last, of a mosaic.
    mosaic: Option<((usize, u32), Vec<u8>)>,
}

enum Open {
    Native(Opened),
    /// The data set, inflated up to here.
    Deflated(Box<DeflateDecoder<BufReader<Opened>>>, u64),
}

impl<'a, 'd> Reader<'a, 'd> {
    pub(super) fn new(plan: &'a Plan, decode: &'a mut FrameDecoder<'d>) -> Self {
        Self {
            plan,
            decode,
            open: None,
            mosaic: None,
        }
    }

    /// A slice as it is written to NIfTI.
    pub(super) fn slice(&mut self, frame: &Frame) -> Result<Vec<u8>, WriteFault> {
        let plan = self.plan;
        let format = &plan.format;
        let stored = match format.mosaic {
            None => self.frame(frame)?,
            Some(side) => {
                let key = (frame.file, frame.index);
                let whole = match self.mosaic.take() {
                    Some((at, bytes)) if at == key => bytes,
                    _ => self.frame(frame)?,
                };
                let tile = tile(&whole, format, side, frame.tile);
                self.mosaic = Some((key, whole));
                tile.ok_or(WriteFault::Changed)?
            }
        };
        Ok(converted(&stored, format, frame.rescale, plan.datatype.0))
    }

    /// A frame's bytes, little endian, pixel by pixel, as long as they must be.
    fn frame(&mut self, frame: &Frame) -> Result<Vec<u8>, WriteFault> {
        let format = &self.plan.format;
        let file = self.plan.files.get(frame.file).ok_or(WriteFault::Changed)?;
        let tiles = u64::from(format.mosaic.unwrap_or(1)).pow(2);
        let length = format.frame_bytes() * tiles;
        let size = usize::try_from(length).map_err(|_| WriteFault::Changed)?;
        let start = length * u64::from(frame.index);
        let bytes = match file.pixels {
            PixelsIn::Native { offset, swap } => {
                read_native(self.opened(frame.file, file)?, offset, start, size, swap)?
            }
            PixelsIn::Deflated { offset } => {
                self.inflated(frame.file, file, offset + start, size)?
            }
            PixelsIn::Compressed => {
                return decoded((self.decode)(&file.path, frame.index), size);
            }
        };
        Ok(if format.planar {
            pixel_by_pixel(&bytes)
        } else {
            bytes
        })
    }

    fn opened(&mut self, index: usize, file: &SourceFile) -> io::Result<&mut Opened> {
        if !matches!(&self.open, Some((at, Open::Native(_))) if *at == index) {
            self.open = Some((index, Open::Native(opened::open(&file.path)?)));
        }
        match &mut self.open {
            Some((_, Open::Native(file))) => Ok(file),
            _ => Err(io::Error::other("no file is open")),
        }
    }

    /// Frames of a deflated file come in their order most often; if not, it is begun again.
    fn inflated(
        &mut self,
        index: usize,
        file: &SourceFile,
        from: u64,
        size: usize,
    ) -> Result<Vec<u8>, WriteFault> {
        let usable = matches!(&self.open, Some((at, Open::Deflated(_, position))) if *at == index && *position <= from);
        if !usable {
            let input = Box::new(DeflateDecoder::new(data_set(&file.path)?));
            self.open = Some((index, Open::Deflated(input, 0)));
        }
        let Some((_, Open::Deflated(input, position))) = &mut self.open else {
            return Err(WriteFault::Changed);
        };
        io::copy(&mut input.take(from - *position), &mut io::sink())?;
        let mut bytes = vec![0; size];
        input.read_exact(&mut bytes)?;
        *position = from + size as u64;
        Ok(bytes)
    }
}

/// What a decoder gave, if it is as long as a frame; a byte of padding may follow.
fn decoded(given: Result<Vec<u8>, String>, size: usize) -> Result<Vec<u8>, WriteFault> {
    let mut bytes = given.map_err(WriteFault::Decode)?;
    if bytes.len() < size || bytes.len() > size + 1 {
        let given = bytes.len();
        return Err(WriteFault::Decode(format!(
            "the decoder gave {given} bytes, and a frame has {size}"
        )));
    }
    bytes.truncate(size);
    Ok(bytes)
}

/// Reads from an even byte on, since words of big endian files may begin in the frame before.
pub(super) fn read_native(
    file: &mut (impl Read + Seek),
    offset: u64,
    start: u64,
    size: usize,
    swap: Swap,
) -> io::Result<Vec<u8>> {
    let odd = match swap {
        Swap::Words => usize::from(start % 2 == 1),
        Swap::None => 0,
    };
    let padded = match swap {
        Swap::Words => (odd + size).next_multiple_of(2),
        Swap::None => size,
    };
    file.seek(SeekFrom::Start(offset + start - odd as u64))?;
    let mut bytes = vec![0; padded];
    file.read_exact(&mut bytes)?;
    if swap == Swap::Words {
        bytes
            .as_chunks_mut::<2>()
            .0
            .iter_mut()
            .for_each(|word| word.reverse());
        bytes.drain(..odd);
        bytes.truncate(size);
    }
    Ok(bytes)
}

/// The data set of a file whose header has been walked: behind the file meta information, which is
/// explicit VR little endian and of short values, but for the version, a private one and padding.
fn data_set(path: &Path) -> io::Result<BufReader<Opened>> {
    let mut input = BufReader::with_capacity(BUFFER, opened::open(path)?);
    input.seek_relative(132)?;
    loop {
        let mut header = [0; 8];
        input.read_exact(&mut header)?;
        if header[..2] != [2, 0] {
            input.seek_relative(-8)?;
            return Ok(input);
        }
        let short = u16::from_le_bytes([header[6], header[7]]).into();
        let length = match &header[4..6] {
            b"OB" | b"OW" | b"UN" | b"UT" | b"SQ" | b"UC" | b"UR" => {
                let mut long = [0; 4];
                input.read_exact(&mut long)?;
                u32::from_le_bytes(long)
            }
            _ => short,
        };
        input.seek_relative(length.into())?;
    }
}

/// Samples that stand in three planes, pixel by pixel.
fn pixel_by_pixel(planes: &[u8]) -> Vec<u8> {
    let pixels = planes.len() / 3;
    let sample = |at: usize| planes.get(at % 3 * pixels + at / 3).copied().unwrap_or(0);
    (0..planes.len()).map(sample).collect()
}

/// One slice out of a mosaic of `side` times `side`; `None` if it lies outside.
fn tile(whole: &[u8], format: &PixelFormat, side: u16, tile: u16) -> Option<Vec<u8>> {
    let width = usize::from(format.columns) * usize::from(format.allocated / 8);
    let (down, right) = (usize::from(tile / side), usize::from(tile % side));
    let mut bytes = Vec::with_capacity(width * usize::from(format.rows));
    for row in 0..usize::from(format.rows) {
        let row = down * usize::from(format.rows) + row;
        let start = (row * usize::from(side) + right) * width;
        bytes.extend(whole.get(start..start + width)?);
    }
    Some(bytes)
}

/// A frame with its rows from the last to the first, in NIfTI's data type, little endian. Bits that
/// are not the pixel's are taken off.
fn converted(stored: &[u8], format: &PixelFormat, rescale: (f64, f64), datatype: i16) -> Vec<u8> {
    let sample_bytes = usize::from(format.allocated / 8);
    let row_bytes = usize::from(format.columns) * usize::from(format.samples) * sample_bytes;
    let mut bytes = Vec::with_capacity(stored.len());
    let rows = stored.chunks_exact(row_bytes.max(1)).rev();
    let as_it_is = format.stored == format.allocated && datatype != 16;
    if as_it_is {
        rows.for_each(|row| bytes.extend(row));
        return bytes;
    }
    let (slope, intercept) = rescale;
    for sample in rows.flat_map(|row| row.chunks_exact(sample_bytes)) {
        let mut four = [0; 4];
        four[..sample_bytes].copy_from_slice(sample);
        let number = number(u32::from_le_bytes(four), format);
        if datatype == 16 {
            let value = (number as f64).mul_add(slope, intercept) as f32;
            bytes.extend(value.to_le_bytes());
        } else {
            bytes.extend(&number.to_le_bytes()[..sample_bytes]);
        }
    }
    bytes
}

/// The stored number of a pixel: the bits below High Bit, with their sign if they have one.
fn number(cell: u32, format: &PixelFormat) -> i64 {
    let stored = u32::from(format.stored).clamp(1, 32);
    let lowest = u32::from(format.high_bit + 1).saturating_sub(stored);
    let bits = i64::from(cell.checked_shr(lowest).unwrap_or(0)) & ((1 << stored) - 1);
    let negative = format.signed && bits >> (stored - 1) & 1 == 1;
    if negative { bits - (1 << stored) } else { bits }
}
