//! Mosaics of Siemens: all slices of a volume side by side in one image, in rows from the top left.
//!
//! The position is that of a single image as large as the mosaic, around the same centre as a slice.
//! In which direction slices follow each other stands in the private CSA header only.

use dicom_dictionary_std::tags;

use super::frames::{Frame, PixelFormat, Plane};
use super::geometry::{add, scaled};
use crate::walk::{self, DataSet, Value};

/// A CSA header has some hundred entries of a few values.
const MAX_ENTRIES: u32 = 1_000;

pub(super) fn is_one(data: &DataSet) -> bool {
    let image_type = data.ascii(tags::IMAGE_TYPE).unwrap_or_default();
    image_type.split('\\').any(|word| word.trim() == "MOSAIC")
}

/// The slices of a mosaic as frames; `format` becomes that of a slice.
pub(super) fn tiles(
    data: &DataSet,
    format: &mut PixelFormat,
    plane: &Plane,
    mosaics: Vec<Frame>,
) -> Result<Vec<Frame>, String> {
    let [mosaic] = mosaics
        .try_into()
        .map_err(|_| "a mosaic of several frames".to_owned())?;
    if format.is_colour() {
        return Err("a mosaic in colour".to_owned());
    }
    let csa = private(data, 0x0029, "SIEMENS CSA HEADER", 0x10).unwrap_or_default();
    let own = private(data, 0x0019, "SIEMENS MR HEADER", 0x0A);
    let own = own.map(|bytes| walk::numbers(dicom_core::VR::US, bytes));
    let count = own
        .and_then(|it| it.first().copied())
        .or_else(|| csa_numbers(csa, "NumberOfImagesInMosaic").first().copied());
    let count = count
        .filter(|it| (1.0..=4_096.0).contains(it))
        .ok_or("a mosaic of nobody knows how many slices")?;
    let normal: [f64; 3] = csa_numbers(csa, "SliceNormalVector")
        .try_into()
        .map_err(|_| {
            "a mosaic whose direction of slices is not stated (no CSA header)".to_owned()
        })?;
    let spacing = data.number(tags::SPACING_BETWEEN_SLICES);
    let spacing = spacing.ok_or("a mosaic without Spacing Between Slices")?;
    let side = count.sqrt().ceil();
    let (rows, columns) = (
        f64::from(format.rows) / side,
        f64::from(format.columns) / side,
    );
    if rows.fract() != 0.0 || columns.fract() != 0.0 {
        return Err("a mosaic that is not divisible into its slices".to_owned());
    }
    let middle = |whole: u16, part: f64| (f64::from(whole) - part) / 2.0;
    let right = scaled(
        plane.along[0],
        plane.spacing[1] * middle(format.columns, columns),
    );
    let down = scaled(plane.along[1], plane.spacing[0] * middle(format.rows, rows));
    let first = add(mosaic.position, add(right, down));
    (format.rows, format.columns) = (rows as u16, columns as u16);
    format.mosaic = Some(side as u16);
    let tile = |tile: u16| Frame {
        tile,
        position: add(first, scaled(normal, spacing * f64::from(tile))),
        ..mosaic.clone()
    };
    Ok((0..count as u16).map(tile).collect())
}

fn private<'a>(data: &'a DataSet, group: u16, creator: &str, element: u8) -> Option<&'a [u8]> {
    match data.private(group, creator, element)? {
        (_, Value::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

/// The numbers of an entry of a CSA header: a mark, how many entries there are, and for each a name of
/// 64 bytes, its multiplicity, VR, type and items, each item's length four times and its text.
fn csa_numbers(csa: &[u8], wanted: &str) -> Vec<f64> {
    let Some(mut rest) = csa.strip_prefix(b"SV10").and_then(|it| it.get(4..)) else {
        return Vec::new();
    };
    let entries = take_number(&mut rest).unwrap_or(0).min(MAX_ENTRIES);
    let _ = take_number(&mut rest);
    for _ in 0..entries {
        let Some(numbers) = csa_entry(&mut rest, wanted) else {
            break;
        };
        if !numbers.is_empty() {
            return numbers;
        }
    }
    Vec::new()
}

/// Takes an entry off; its numbers if it is the wanted one. `None` at the end.
fn csa_entry(rest: &mut &[u8], wanted: &str) -> Option<Vec<f64>> {
    let name = take(rest, 64)?;
    let name = name.split(|byte| *byte == 0).next()?;
    let multiplicity = take_number(rest)?;
    take(rest, 8)?;
    let items = take_number(rest)?.min(MAX_ENTRIES);
    take(rest, 4)?;
    let mut numbers = Vec::new();
    for item in 0..items {
        let lengths = take(rest, 16)?;
        let length = u32::from_le_bytes(lengths.get(4..8)?.try_into().ok()?) as usize;
        let text = take(rest, length)?;
        take(rest, (4 - length % 4) % 4)?;
        if item < multiplicity && name == wanted.as_bytes() {
            numbers.extend(walk::numbers(dicom_core::VR::DS, text));
        }
    }
    Some(numbers)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_number(rest: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(take(rest, 4)?.try_into().ok()?))
}
