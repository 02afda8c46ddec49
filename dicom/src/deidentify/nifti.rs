//! NIfTI-1, NIfTI-2 and Analyze 7.5: their text fields emptied, their extensions blanked.
//!
//! <https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h>, `nifti2.h`; Analyze: `dbh.h`.

use std::io::{self, Read, Write};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use super::Refused;

const NIFTI_1: usize = 348;
const NIFTI_2: usize = 540;
/// Extensions longer than this are refused: nothing that belongs to an image is.
const MAX_EXTENSIONS: u64 = 256 * 1024 * 1024;

/// What a header was, and what was emptied in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emptied {
    /// Which format.
    pub format: Format,
    /// Names of the fields that held something.
    pub fields: Vec<&'static str>,
    /// Bytes of header extensions that were set to zero.
    pub extensions: u64,
    /// It was compressed, and is again.
    pub gzip: bool,
}

/// What kind of header it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// NIfTI-1, in one file or two.
    Nifti1,
    /// NIfTI-2, in one file or two.
    Nifti2,
    /// Analyze 7.5 (`.hdr`; its `.img` has no text).
    Analyze,
}

/// Name, first byte and end of a field of text.
type Field = (&'static str, usize, usize);

const IN_NIFTI_1: [Field; 5] = [
    ("data_type", 4, 14),
    ("db_name", 14, 32),
    ("descrip", 148, 228),
    ("aux_file", 228, 252),
    ("intent_name", 328, 344),
];
const IN_NIFTI_2: [Field; 3] = [
    ("descrip", 240, 320),
    ("aux_file", 320, 344),
    ("intent_name", 508, 524),
];
const IN_ANALYZE: [Field; 11] = [
    ("data_type", 4, 14),
    ("db_name", 14, 32),
    ("descrip", 148, 228),
    ("aux_file", 228, 252),
    ("originator", 253, 263),
    ("generated", 263, 273),
    ("scannum", 273, 283),
    ("patient_id", 283, 293),
    ("exp_date", 293, 303),
    ("exp_time", 303, 313),
    ("hist_un0", 313, 316),
];

/// Empties the header of a file that begins with one: `.nii`, `.nii.gz`, `.hdr`. What follows the image
/// is dropped: no reader looks at it, and anything may be there.
pub fn header(input: impl Read, output: &mut impl Write) -> Result<Emptied, Refused> {
    let mut input = io::BufReader::new(input);
    let begins = io::BufRead::fill_buf(&mut input)?;
    if begins.starts_with(&[0x1F, 0x8B]) {
        // The old member of gzip may name the file and the host; the new one names nothing.
        let mut packed: GzEncoder<_> = GzBuilder::new().write(output, Compression::default());
        let mut emptied = plain(&mut MultiGzDecoder::new(input), &mut packed)?;
        packed.finish()?;
        emptied.gzip = true;
        return Ok(emptied);
    }
    plain(&mut input, output)
}

/// Writes the file of voxels that belongs to a header of a pair (`.img`): `bytes` of voxels from byte
/// `offset` on. What is before and behind them, no reader looks at: the one becomes zeros, the other is
/// dropped. A compressed file is compressed again, since its stream may name the file and the host.
pub fn voxels(
    input: impl Read,
    output: &mut impl Write,
    (offset, bytes): (u64, u64),
) -> Result<(), Refused> {
    let mut input = io::BufReader::new(input);
    let begins = io::BufRead::fill_buf(&mut input)?;
    if begins.starts_with(&[0x1F, 0x8B]) {
        let mut packed: GzEncoder<_> = GzBuilder::new().write(output, Compression::default());
        copy_voxels(
            &mut MultiGzDecoder::new(input),
            &mut packed,
            (offset, bytes),
        )?;
        packed.finish()?;
        return Ok(());
    }
    copy_voxels(&mut input, output, (offset, bytes))
}

fn copy_voxels(
    input: &mut impl Read,
    output: &mut impl Write,
    (offset, bytes): (u64, u64),
) -> Result<(), Refused> {
    let short = Refused::Closed("the image is shorter than its header says");
    if io::copy(&mut input.by_ref().take(offset), &mut io::sink())? < offset {
        return Err(short);
    }
    io::copy(&mut io::repeat(0).take(offset), output)?;
    match io::copy(&mut input.take(bytes), output)? {
        copied if copied < bytes => Err(short),
        _ => Ok(()),
    }
}

fn plain(input: &mut impl Read, output: &mut impl Write) -> Result<Emptied, Refused> {
    let mut header = vec![0; NIFTI_1];
    input.read_exact(&mut header)?;
    let (format, big_endian) = format(&header)?;
    if format == Format::Nifti2 {
        header.resize(NIFTI_2, 0);
        input.read_exact(&mut header[NIFTI_1..])?;
    }
    let shape = Shape::of(&header, format, big_endian)?;
    let fields = empty(&mut header, format);
    output.write_all(&header)?;
    let extensions = if shape.single {
        blanked_extensions(input, output, shape.offset - header.len() as u64)?
    } else {
        0
    };
    if shape.single {
        let copied = io::copy(&mut input.take(shape.bytes), output)?;
        if copied < shape.bytes {
            return Err(Refused::Closed("the image is shorter than its header says"));
        }
    }
    Ok(Emptied {
        format,
        fields,
        extensions,
        gzip: false,
    })
}

/// Which header it is, and whether its numbers are big endian.
fn format(header: &[u8]) -> Result<(Format, bool), Refused> {
    let size = [header[0], header[1], header[2], header[3]];
    let little = u32::from_le_bytes(size);
    let big = u32::from_be_bytes(size);
    let version = match (little, big) {
        (348, _) | (_, 348) => 1,
        (540, _) | (_, 540) => 2,
        _ => return Err(Refused::Closed("neither NIfTI nor Analyze")),
    };
    let big_endian = matches!(big, 348 | 540);
    let format = match (version, &header[344..348], &header[4..8]) {
        (1, b"n+1\0" | b"ni1\0", _) => Format::Nifti1,
        (2, _, b"n+2\0" | b"ni2\0") => Format::Nifti2,
        (1, ..) => Format::Analyze,
        _ => return Err(Refused::Closed("neither NIfTI nor Analyze")),
    };
    Ok((format, big_endian))
}

/// What the header says about where the image is.
struct Shape {
    /// Header and image are one file.
    single: bool,
    /// The first byte of the image.
    offset: u64,
    /// How many bytes it has.
    bytes: u64,
}

impl Shape {
    fn of(header: &[u8], format: Format, big_endian: bool) -> Result<Self, Refused> {
        let wrong = || Refused::Closed("a header whose numbers cannot be");
        let short = |at: usize| {
            let bytes = [header[at], header[at + 1]];
            i64::from(if big_endian {
                i16::from_be_bytes(bytes)
            } else {
                i16::from_le_bytes(bytes)
            })
        };
        let long = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[at..at + 8]);
            if big_endian {
                i64::from_be_bytes(bytes)
            } else {
                i64::from_le_bytes(bytes)
            }
        };
        let (single, offset, bits) = match format {
            Format::Nifti1 => {
                let at = [header[108], header[109], header[110], header[111]];
                let offset = if big_endian {
                    f32::from_be_bytes(at)
                } else {
                    f32::from_le_bytes(at)
                };
                (&header[344..348] == b"n+1\0", offset as i64, short(72))
            }
            Format::Nifti2 => (&header[4..8] == b"n+2\0", long(168), short(14)),
            Format::Analyze => (false, 0, 0),
        };
        let size = |axis: usize| match format {
            Format::Nifti2 => long(16 + axis * 8),
            _ => short(40 + axis * 2),
        };
        let mut bytes = u64::try_from(bits).map_err(|_| wrong())?;
        if single {
            for axis in 1..=usize::try_from(size(0))
                .ok()
                .filter(|axes| (1..=7).contains(axes))
                .ok_or_else(wrong)?
            {
                let length = u64::try_from(size(axis)).map_err(|_| wrong())?.max(1);
                bytes = bytes.checked_mul(length).ok_or_else(wrong)?;
            }
        }
        let offset = u64::try_from(offset).map_err(|_| wrong())?;
        // Old files of one piece say 0 and mean the byte after the extension flag.
        let smallest = header.len() as u64 + 4;
        let offset = if offset == 0 { smallest } else { offset };
        if single && (offset < smallest || offset - smallest > MAX_EXTENSIONS) {
            return Err(wrong());
        }
        Ok(Self {
            single,
            offset,
            bytes: bytes.div_ceil(8),
        })
    }
}

/// Empties the fields of text; says which of them held something.
fn empty(header: &mut [u8], format: Format) -> Vec<&'static str> {
    let fields: &[Field] = match format {
        Format::Nifti1 => &IN_NIFTI_1,
        Format::Nifti2 => &IN_NIFTI_2,
        Format::Analyze => &IN_ANALYZE,
    };
    let mut emptied = Vec::new();
    for (name, first, end) in fields {
        let field = &mut header[*first..*end];
        // SPM keeps the origin there, in five numbers.
        let is_text = field
            .iter()
            .all(|byte| *byte == 0 || (0x20..0x7F).contains(byte) || *byte >= 0xA0);
        if *name == "originator" && !is_text {
            continue;
        }
        if field.iter().any(|byte| *byte != 0) {
            emptied.push(*name);
            field.fill(0);
        }
    }
    emptied
}

/// Everything up to the image is zeros, and with them the flag that extensions follow.
fn blanked_extensions(
    input: &mut impl Read,
    output: &mut impl Write,
    length: u64,
) -> Result<u64, Refused> {
    let mut held = 0;
    let mut left = length;
    let mut chunk = [0; 4096];
    while left > 0 {
        let part = (left as usize).min(chunk.len());
        input.read_exact(&mut chunk[..part])?;
        held += chunk[..part].iter().filter(|byte| **byte != 0).count() as u64;
        chunk[..part].fill(0);
        output.write_all(&chunk[..part])?;
        left -= part as u64;
    }
    Ok(if held > 0 { length } else { 0 })
}
