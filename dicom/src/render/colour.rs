//! Colours: palettes (PS3.3 section C.7.9) and colour differences (section C.7.6.3.1.2) as RGB.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::lut::{Lut, words};
use super::{RenderError, Said};
use crate::pixels::Sample;
use crate::transcode::Decoded;

/// Descriptor, data and segmented data of red, green and blue.
const PALETTE: [(Tag, Tag, Tag); 3] = [
    (
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
    (
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
    (
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
];

/// RGB of an image whose values are numbers of colours.
pub(super) fn from_palette(said: &Said<'_>, decoded: &Decoded) -> Result<Vec<u8>, RenderError> {
    let data = said.data();
    let signed = decoded.sample == Sample::Signed;
    let luts = PALETTE
        .iter()
        .map(|(descriptor, plain, segmented)| {
            Lut::new(data, *descriptor, signed, |count| {
                if data.get(*plain).is_some() {
                    return said.table(data, *plain);
                }
                let bits = data.numbers(*descriptor).get(2).copied();
                expanded(&said.table(data, *segmented)?, bits == Some(8.0), count)
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let values = decoded.values();
    Ok(values
        .flat_map(|value| luts.iter().map(move |lut| lut.byte(value)))
        .collect())
}

/// Segments as words of 16 bits (PS3.3 section C.7.9.2): runs of entries, lines from the entry before,
/// and copies of earlier segments. Segments of a table of 8 bits are bytes.
fn expanded(bytes: &[u8], narrow: bool, count: usize) -> Result<Vec<u8>, RenderError> {
    let segments = if narrow {
        bytes.iter().map(|byte| (*byte).into()).collect()
    } else {
        words(bytes)
    };
    let mut entries = Vec::new();
    append(&segments, narrow, count, &mut entries, true)?;
    if entries.len() < count {
        return Err(RenderError::Table("fewer entries than it says"));
    }
    Ok(entries
        .iter()
        .flat_map(|entry| entry.to_le_bytes())
        .collect())
}

fn append(
    segments: &[u16],
    narrow: bool,
    count: usize,
    entries: &mut Vec<u16>,
    top: bool,
) -> Result<(), RenderError> {
    const SHORT: RenderError = RenderError::Table("a segment ends early");
    let mut rest = segments;
    while entries.len() < count {
        match *rest {
            [0, length, ref after @ ..] => {
                let run = after.get(..length.into()).ok_or(SHORT)?;
                entries.extend_from_slice(run);
                rest = &after[run.len()..];
            }
            [1, length, end, ref after @ ..] => {
                let begin = f64::from(*entries.last().ok_or(SHORT)?);
                let step = (f64::from(end) - begin) / f64::from(length.max(1));
                entries
                    .extend((1..=length).map(|at| step.mul_add(at.into(), begin).round() as u16));
                rest = after;
            }
            // How many segments, and where they begin, in bytes, the low half first.
            [2, number, ref after @ ..] if top => {
                let (low, high, after) = match (narrow, after) {
                    (false, [low, high, after @ ..]) => (u32::from(*low), u32::from(*high), after),
                    (true, [a, b, c, d, after @ ..]) => (
                        u32::from(*a) | u32::from(*b) << 8,
                        u32::from(*c) | u32::from(*d) << 8,
                        after,
                    ),
                    _ => return Err(SHORT),
                };
                let offset = (low | high << 16) as usize / if narrow { 1 } else { 2 };
                let copied = first_segments(segments.get(offset..).ok_or(SHORT)?, number);
                append(copied.ok_or(SHORT)?, narrow, count, entries, false)?;
                rest = after;
            }
            [] => return Ok(()),
            _ => return Err(RenderError::Table("an unknown kind of segment")),
        }
    }
    Ok(())
}

/// The first `number` segments, which are runs and lines.
fn first_segments(segments: &[u16], number: u16) -> Option<&[u16]> {
    let mut length = 0;
    for _ in 0..number {
        length += match segments.get(length..)? {
            [0, run, ..] => 2 + usize::from(*run),
            [1, ..] => 3,
            _ => return None,
        };
    }
    segments.get(..length)
}

/// RGB of an image of three samples.
pub(super) fn shown(decoded: &Decoded) -> Vec<u8> {
    let bytes = eight_bits(decoded);
    if !decoded.photometric.starts_with("YBR") {
        return bytes;
    }
    let partial = decoded.photometric.starts_with("YBR_PARTIAL");
    let pixels = bytes.chunks_exact(3);
    pixels
        .flat_map(|it| rgb(partial, [it[0].into(), it[1].into(), it[2].into()]))
        .collect()
}

/// The highest eight bits that are stored.
fn eight_bits(decoded: &Decoded) -> Vec<u8> {
    if decoded.bits_allocated == 8 && decoded.bits_stored == 8 {
        return decoded.bytes.clone();
    }
    let highest = (2_f64).powi(decoded.bits_stored.into()) - 1.0;
    let values = decoded.values();
    values
        .map(|value| (value / highest * 255.0).round() as u8)
        .collect()
}

/// ITU-R BT.601 (PS3.3 section C.7.6.3.1.2).
fn rgb(partial: bool, [y, cb, cr]: [f64; 3]) -> [u8; 3] {
    let (y, cb, cr) = match partial {
        true => (
            (y - 16.0) * 255.0 / 219.0,
            (cb - 128.0) * 255.0 / 224.0,
            (cr - 128.0) * 255.0 / 224.0,
        ),
        false => (y, cb - 128.0, cr - 128.0),
    };
    // A cast keeps within 0 to 255.
    [
        1.402_f64.mul_add(cr, y).round() as u8,
        (y - 0.344_136 * cb - 0.714_136 * cr).round() as u8,
        1.772_f64.mul_add(cb, y).round() as u8,
    ]
}
