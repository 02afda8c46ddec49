//! A file in another transfer syntax, and single frames out of their compression.
//!
//! Nothing is lost on the way: pixels are decoded and encoded without loss only, and the object stays
//! the same instance (PS3.4 section C.4.2.2 asks for a new SOP Instance UID after lossy compression
//! alone). Frames go through one by one, so that memory holds the header, one frame and its stream.

mod codec;
mod jpeg;
mod jpeg2000;
mod rle;
mod syntax;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::frames::{FrameError, Frames};
use super::part10::{self, Changes, Writer, Written};
use super::pixels::{ImagePixel, Sample};
use super::walk::{self, DataSet, Part10, Value, WalkError};

pub use codec::Broken;
use syntax::{Syntax, WRITTEN};

/// Decoded, an image has at most this many bytes: a value of native pixel data cannot be longer.
pub const MAX_DECODED_BYTES: u64 = u32::MAX as u64 - 1;

/// Why a file was not transcoded, or a frame not decoded.
#[derive(Debug, thiserror::Error)]
pub enum TranscodeError {
    /// Not DICOM, truncated, or hostile.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// There is no image, or not that frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Broken compressed data, or pixels that a codec does not take.
    #[error("frame {number}: {broken}")]
    Codec {
        /// Counted from 1.
        number: u32,
        /// What is wrong.
        broken: Broken,
    },
    /// See [`can`].
    #[error("cannot transcode from {from} to {to}")]
    Unsupported {
        /// Transfer syntax of the file.
        from: String,
        /// Transfer syntax that was asked for.
        to: String,
    },
    /// Decoded, the image is longer than [`MAX_DECODED_BYTES`].
    #[error("decoded, the image is longer than a file can hold")]
    TooLarge,
    /// The file could not be read, or the output not be written.
    #[error("cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

/// Whether files of one transfer syntax can be given in another, both by UID. A single file may still
/// be refused: lossy JPEG of more than 8 bits is not decoded, and images of one bit a pixel are not
/// compressed.
pub fn can(from: &str, to: &str) -> bool {
    from == to || (Syntax::read(from).is_some() && Syntax::written(to).is_some())
}

/// The transfer syntax in which a file is given to someone who accepts these, all by UID: as it is
/// stored if that is among them, else the one without loss that costs least. `None` if there is none.
pub fn choose<'a>(stored: &str, accepted: &[&'a str]) -> Option<&'a str> {
    let as_stored = accepted.iter().find(|uid| **uid == stored);
    let cheapest = || {
        let mut written = WRITTEN.iter();
        written.find_map(|(uid, _)| accepted.iter().find(|it| *it == uid && can(stored, it)))
    };
    as_stored.or_else(cheapest).copied()
}

/// Writes the file at `path` to `out` in the transfer syntax `to`. A file that has it already is
/// copied as it is.
///
/// When this fails, `out` may have got a part of the file.
pub fn transcode(path: &Path, to: &str, out: &mut dyn Write) -> Result<(), TranscodeError> {
    let file = walk::whole_file(path)?;
    let from = file.transfer_syntax_uid.as_str();
    if from == to {
        io::copy(&mut File::open(path)?, out)?;
        return Ok(());
    }
    let syntaxes = Syntax::read(from).zip(Syntax::written(to));
    let Some((from, to_syntax)) = syntaxes else {
        return Err(TranscodeError::Unsupported {
            from: from.to_owned(),
            to: to.to_owned(),
        });
    };
    let work = Transcoding {
        path,
        file: &file,
        from,
        to: to_syntax,
    };
    part10::file_meta(out, &file, to)?;
    if to_syntax != Syntax::Deflated {
        return work.data_set(
            &mut Writer::new(out, to_syntax.encoding()),
            &file.data,
            None,
        );
    }
    let mut deflated = DeflateEncoder::new(Counted { out, count: 0 }, Compression::fast());
    let mut writer = Writer::new(&mut deflated, to_syntax.encoding());
    work.data_set(&mut writer, &file.data, None)?;
    let written = deflated.finish()?;
    // A file's length is even (PS3.5 section A.5).
    written
        .out
        .write_all(&[0][..(written.count % 2) as usize])?;
    Ok(())
}

/// A frame as pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
    /// Samples of a pixel: 1, 3 or 4.
    pub samples: u16,
    /// 8, 16, 32 or 64. Images of one bit a pixel have a byte for each here.
    pub bits_allocated: u16,
    /// Bits Stored of the file.
    pub bits_stored: u16,
    /// High Bit of the file.
    pub high_bit: u16,
    /// How a sample is to be read.
    pub sample: Sample,
    /// Photometric Interpretation of `bytes`, which may be another than the file's: lossy JPEG of
    /// `YBR_FULL_422` comes as `RGB`.
    pub photometric: String,
    /// Row by row, the samples of a pixel together, little endian.
    pub bytes: Vec<u8>,
}

impl Decoded {
    /// All samples as numbers, without the bits that are not stored.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        let width = usize::from(self.bits_allocated / 8);
        let shift = i32::from(self.high_bit) + 1 - i32::from(self.bits_stored);
        let unused = 64 - u32::from(self.bits_stored);
        let number = move |bytes: &[u8]| {
            let mut all = [0; 8];
            all[..width].copy_from_slice(bytes);
            let bits = u64::from_le_bytes(all);
            match self.sample {
                Sample::Float if width == 4 => f32::from_bits(bits as u32).into(),
                Sample::Float => f64::from_bits(bits),
                // Beyond 2^53 they are not exact, and no detector counts that far.
                Sample::Signed => (((bits >> shift << unused) as i64) >> unused) as f64,
                Sample::Unsigned => (bits >> shift << unused >> unused) as f64,
            }
        };
        self.bytes.chunks_exact(width).map(number)
    }
}

/// Decodes frame `number`, counted from 1, of the file at `path`.
pub fn frame(path: &Path, number: u32) -> Result<Decoded, TranscodeError> {
    let file = walk::whole_file(path)?;
    let frames = Frames::of(path, &file)?;
    decode(path, &file, &frames, number)
}

/// As [`frame`], for a file that was walked and whose frames were found: for many frames of one file.
pub fn decode(
    path: &Path,
    file: &Part10,
    frames: &Frames,
    number: u32,
) -> Result<Decoded, TranscodeError> {
    let Some(syntax) = Syntax::read(&file.transfer_syntax_uid) else {
        return Err(TranscodeError::Unsupported {
            from: file.transfer_syntax_uid.clone(),
            to: WRITTEN[0].0.to_owned(),
        });
    };
    // An icon or an image in a compressed file may be native all the same.
    let syntax = match frames.encapsulated() {
        false if syntax.encapsulated() => WRITTEN[0].1,
        _ => syntax,
    };
    let image = frames.image();
    let stored = frames.read(path, file, number)?;
    let decoded = codec::decode(syntax, image, &stored);
    let (bytes, photometric) =
        decoded.map_err(|broken| TranscodeError::Codec { number, broken })?;
    Ok(Decoded {
        rows: image.rows,
        columns: image.columns,
        samples: image.samples,
        bits_allocated: image.bits_allocated.max(8),
        bits_stored: image.bits_stored,
        high_bit: image.high_bit,
        sample: image.sample,
        photometric,
        bytes,
    })
}

/// One file on its way from one syntax to another.
struct Transcoding<'a> {
    path: &'a Path,
    file: &'a Part10,
    from: Syntax,
    to: Syntax,
}

/// An image whose pixels are written otherwise.
struct Recoded {
    frames: Frames,
    changes: Changes,
}

impl Transcoding<'_> {
    /// Writes a data set: the file's, or an item. `signed` is inherited from around an item.
    fn data_set(
        &self,
        writer: &mut Writer<'_>,
        data: &DataSet,
        signed: Option<bool>,
    ) -> Result<(), TranscodeError> {
        let representation = data.number(tags::PIXEL_REPRESENTATION);
        let inherited = signed.unwrap_or(false);
        let own = representation.map_or(inherited, |it| it != 0.0);
        let recoded = self.recoded(data, signed.is_none())?;
        let none = Changes::new();
        let changes = recoded.as_ref().map_or(&none, |it| &it.changes);
        for (tag, vr, written) in part10::elements(data, changes) {
            let vr = part10::written_vr(self.file, tag, vr, own);
            match (written, &recoded) {
                (Written::Kept(_), Some(image)) if tag == tags::PIXEL_DATA => {
                    self.pixels(writer, image)?;
                }
                (Written::Kept(Value::Items(items)), _) => {
                    self.sequence(writer, tag, items, own)?;
                }
                (Written::Kept(Value::Fragments(_)), _) => {
                    return Err(FrameError::NoPixels.into());
                }
                (Written::Kept(value), _) if tag == tags::PIXEL_DATA => {
                    self.native(writer, data, vr, value)?;
                }
                (Written::Kept(value), _) => {
                    part10::plain(writer, (self.path, self.file), (tag, vr), value)?;
                }
                (Written::Changed(bytes), _) => writer.element(tag, vr, bytes)?,
            }
        }
        Ok(())
    }

    fn sequence(
        &self,
        writer: &mut Writer<'_>,
        tag: Tag,
        items: &[DataSet],
        signed: bool,
    ) -> Result<(), TranscodeError> {
        if items.is_empty() {
            return Ok(writer.header(tag, VR::SQ, Some(0))?);
        }
        writer.header(tag, VR::SQ, None)?;
        for item in items {
            writer.begin_item()?;
            self.data_set(writer, item, Some(signed))?;
            writer.end_item()?;
        }
        Ok(writer.end_sequence()?)
    }

    /// What becomes of a data set that has pixels; `None` if they stay as they are but for the order
    /// of their bytes. Images in items (icons) are decoded with the others, but never compressed.
    fn recoded(&self, data: &DataSet, top: bool) -> Result<Option<Recoded>, TranscodeError> {
        let compress = self.to.encapsulated() && top;
        let pixels = match data.get(tags::PIXEL_DATA) {
            Some((_, Value::Fragments(_))) => true,
            Some(_) => compress,
            // Only an image can be compressed.
            None if compress => return Err(FrameError::NoPixels.into()),
            None => false,
        };
        if !pixels {
            return Ok(None);
        }
        let frames = Frames::within(self.path, self.file, data)?;
        let image = frames.image();
        if image.frame_bytes() * u64::from(image.frames) > MAX_DECODED_BYTES {
            return Err(TranscodeError::TooLarge);
        }
        // The first frame tells what decoding makes of the colours.
        let first = decode(self.path, self.file, &frames, 1)?;
        let changes = self.changes(data, image, &first);
        Ok(Some(Recoded { frames, changes }))
    }

    /// What the data set says otherwise of pixels that were decoded.
    fn changes(&self, data: &DataSet, image: &ImagePixel, decoded: &Decoded) -> Changes {
        let mut changes: Changes = BTreeMap::new();
        let text = |text: &str| Some((VR::CS, text.as_bytes().to_vec()));
        let number = |number: u16| Some((VR::US, number.to_le_bytes().to_vec()));
        if decoded.photometric != image.photometric {
            changes.insert(tags::PHOTOMETRIC_INTERPRETATION, text(&decoded.photometric));
        }
        if image.samples > 1 {
            changes.insert(tags::PLANAR_CONFIGURATION, number(0));
        }
        changes.insert(tags::EXTENDED_OFFSET_TABLE, None);
        changes.insert(tags::EXTENDED_OFFSET_TABLE_LENGTHS, None);
        let said = data.ascii(tags::LOSSY_IMAGE_COMPRESSION);
        if self.from == Syntax::JpegLossy && said.as_deref() != Some("01") {
            // Once lost, always lost (PS3.3 section C.7.6.1.1.5).
            changes.insert(tags::LOSSY_IMAGE_COMPRESSION, text("01"));
        }
        changes
    }

    /// Writes pixels out of one compression, or into one.
    fn pixels(&self, writer: &mut Writer<'_>, recoded: &Recoded) -> Result<(), TranscodeError> {
        let frames = &recoded.frames;
        let image = frames.image();
        let decoded = |number| decode(self.path, self.file, frames, number);
        if self.to.encapsulated() {
            writer.header(tags::PIXEL_DATA, VR::OB, None)?;
            // No table of offsets: each frame is one fragment.
            writer.fragment(&[])?;
            for number in 1..=frames.count() {
                let frame = codec::encode(self.to, image, &decoded(number)?.bytes)
                    .map_err(|broken| TranscodeError::Codec { number, broken })?;
                writer.fragment(&frame)?;
            }
            return Ok(writer.end_sequence()?);
        }
        // At most u32::MAX - 1: checked when it was found.
        let length = image.frame_bytes() * u64::from(image.frames);
        let (vr, unit) = match image.bits_allocated {
            8 => (VR::OB, 1),
            bits => (VR::OW, usize::from(bits / 8)),
        };
        let odd = length % 2;
        let length = u32::try_from(length + odd).map_err(|_| TranscodeError::TooLarge)?;
        writer.header(tags::PIXEL_DATA, vr, Some(length))?;
        for number in 1..=frames.count() {
            writer.numbers(&decoded(number)?.bytes, unit)?;
        }
        Ok(writer.numbers(&[0][..odd as usize], 1)?)
    }

    /// Writes native pixel data as native pixel data.
    fn native(
        &self,
        writer: &mut Writer<'_>,
        data: &DataSet,
        vr: VR,
        value: &Value,
    ) -> Result<(), TranscodeError> {
        // Without a description the VR says how long its numbers are.
        let unit = match Frames::within(self.path, self.file, data) {
            Ok(frames) => frames.unit(),
            Err(_) => walk::unit(vr),
        };
        match value {
            Value::Apart(apart) => {
                let content = super::bulk::Content::open(self.path, self.file, vec![*apart], unit)?;
                Ok(writer.copied(tags::PIXEL_DATA, vr, content, unit)?)
            }
            _ => Ok(part10::plain(
                writer,
                (self.path, self.file),
                (tags::PIXEL_DATA, vr),
                value,
            )?),
        }
    }
}

/// Counts what is written.
struct Counted<'a> {
    out: &'a mut dyn Write,
    count: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
