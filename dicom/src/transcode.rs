//! A file in another transfer syntax, and single frames out of their compression.
//!
//! Nothing is lost on the way: pixels are decoded and encoded without loss only, and the object stays
//! the same instance (PS3.4 section C.4.2.2 asks for a new SOP Instance UID after lossy compression
//! alone). Frames go through one by one, so that memory holds the header, one frame and its stream.

mod codec;
mod decoded;
mod jpeg;
mod jpeg2000;
mod jpeg_ls;
mod recode;
mod rle;
mod syntax;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::frames::{FrameError, Frames};
use super::opened;
use super::part10::{self, Writer};
use super::walk::{self, Part10, WalkError};

pub use codec::Broken;
pub use decoded::Decoded;
use recode::Transcoding;
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
/// A file that cannot be transcoded at all fails before anything is written: its first frame is
/// decoded before. When a later frame turns out to be broken, `out` has got a part of the file.
pub fn transcode(path: &Path, to: &str, out: &mut dyn Write) -> Result<(), TranscodeError> {
    let file = walk::whole_file(path)?;
    let from = file.transfer_syntax_uid.as_str();
    if from == to {
        io::copy(&mut opened::open(path)?, out)?;
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
    let image = work.recoded(&file.data, true)?;
    part10::file_meta(out, &file, to)?;
    if to_syntax != Syntax::Deflated {
        let mut writer = Writer::new(out, to_syntax.encoding());
        return work.data_set(&mut writer, &file.data, image, false);
    }
    let mut deflated = DeflateEncoder::new(Counted { out, count: 0 }, Compression::fast());
    let mut writer = Writer::new(&mut deflated, to_syntax.encoding());
    work.data_set(&mut writer, &file.data, image, false)?;
    let written = deflated.finish()?;
    // A file's length is even (PS3.5 section A.5).
    written
        .out
        .write_all(&[0][..(written.count % 2) as usize])?;
    Ok(())
}

/// Decodes frame `number`, counted from 1, of the file at `path`.
pub fn frame(path: &Path, number: u32) -> Result<Decoded, TranscodeError> {
    let file = walk::whole_file(path)?;
    let frames = Frames::of(path, &file)?;
    decode(path, &file, &frames, number)
}

/// Whether a file itself can be given in another transfer syntax, as [`can`] says of its kind: whether
/// it has pixels that can be written so, and whether its first frame can be decoded. It costs as much
/// as decoding and encoding that frame.
pub fn check(path: &Path, to: &str) -> Result<(), TranscodeError> {
    let mut nowhere = Nowhere { reached: false };
    match transcode(path, to, &mut nowhere) {
        Err(TranscodeError::Io(_)) if nowhere.reached => Ok(()),
        done => done,
    }
}

/// Fails as soon as something is written, which is when nothing else has failed.
struct Nowhere {
    reached: bool,
}

impl Write for Nowhere {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.reached = true;
        Err(io::ErrorKind::Other.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
