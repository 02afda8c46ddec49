//! Text burned into pixels, blanked: in native pixel data row by row, in RLE frame by frame.
//!
//! PS3.5 section 8.1 (native), annex G (RLE).

use std::io::Write;

use dicom_dictionary_std::tags;

use super::Refused;
use super::origin::Origin;
use super::profile::Region;
use crate::walk::{Apart, DataSet};

pub(super) const RLE: &str = "1.2.840.10008.1.2.5";
/// A frame of 16,384 x 16,384 pixels in colour fits.
const MAX_FRAME: u64 = 1 << 30;

/// How pixels lie in bytes, and which of them are blanked.
#[derive(Debug, Clone)]
pub(super) struct Blanking {
    rows: u64,
    columns: u64,
    samples: u64,
    bytes: u64,
    /// Each colour has a plane of its own.
    planar: bool,
    /// Pairs of pixels share their colour: two bytes for each pixel.
    paired: bool,
    frames: u64,
    regions: Vec<Region>,
}

impl Blanking {
    /// Refuses regions that do not lie in the image, and pixels that are not whole bytes.
    pub(super) fn of(data: &DataSet, regions: Vec<Region>) -> Result<Self, Refused> {
        let number = |tag, absent: u64| match data.number(tag) {
            Some(number) if number >= 0.0 => number as u64,
            _ => absent,
        };
        let allocated = number(tags::BITS_ALLOCATED, 0);
        if !matches!(allocated, 8 | 16 | 32) {
            return Err(Refused::attribute(
                tags::BITS_ALLOCATED,
                "pixels that are not whole bytes cannot be blanked",
            ));
        }
        let photometric = data
            .ascii(tags::PHOTOMETRIC_INTERPRETATION)
            .unwrap_or_default();
        let blanking = Self {
            rows: number(tags::ROWS, 0),
            columns: number(tags::COLUMNS, 0),
            samples: number(tags::SAMPLES_PER_PIXEL, 1),
            bytes: allocated / 8,
            planar: number(tags::PLANAR_CONFIGURATION, 0) == 1,
            paired: photometric == "YBR_FULL_422",
            frames: number(tags::NUMBER_OF_FRAMES, 1).max(1),
            regions,
        };
        let outside = |region: &Region| {
            u64::from(region.x) + u64::from(region.width) > blanking.columns
                || u64::from(region.y) + u64::from(region.height) > blanking.rows
        };
        if blanking.regions.iter().any(outside) {
            return Err(Refused::attribute(
                tags::ROWS,
                "the rule's regions do not lie in the image",
            ));
        }
        if !matches!(blanking.samples, 1 | 3 | 4) || blanking.frame() > MAX_FRAME {
            return Err(Refused::attribute(
                tags::SAMPLES_PER_PIXEL,
                "pixels that cannot be blanked",
            ));
        }
        Ok(blanking)
    }

    pub(super) fn regions(&self) -> u64 {
        self.regions.len() as u64
    }

    fn frame(&self) -> u64 {
        let pixel = if self.paired {
            2
        } else {
            self.samples * self.bytes
        };
        self.rows * self.columns * pixel
    }

    /// Bytes of one row in the file, and how many rows make a frame.
    fn row(&self) -> (u64, u64) {
        if self.planar && self.samples > 1 && !self.paired {
            (self.columns * self.bytes, self.rows * self.samples)
        } else {
            (self.frame() / self.rows.max(1), self.rows)
        }
    }

    /// Native pixel data, with the regions of every frame set to zero.
    pub(super) fn native(
        &self,
        origin: &mut Origin<'_>,
        pixels: Apart,
        out: &mut impl Write,
    ) -> Result<(), Refused> {
        let frame = self.frame();
        let whole = frame.saturating_mul(self.frames);
        if pixels.length != whole && pixels.length != whole + whole % 2 {
            return Err(Refused::attribute(
                tags::PIXEL_DATA,
                "not as many pixels as the image says",
            ));
        }
        let (row_bytes, rows) = self.row();
        for at in 0..self.frames * rows {
            let place = Apart {
                offset: pixels.offset + at * row_bytes,
                length: row_bytes,
            };
            let mut row = origin.read(place, MAX_FRAME)?;
            let pixel = row_bytes / self.columns.max(1);
            self.blank_row(&mut row, (at % rows) % self.rows, pixel);
            out.write_all(&row)?;
        }
        Ok(())
    }

    fn blank_row(&self, row: &mut [u8], y: u64, pixel: u64) {
        for region in &self.regions {
            let top = u64::from(region.y);
            if y < top || y >= top + u64::from(region.height) {
                continue;
            }
            let (mut first, mut end) = (
                u64::from(region.x),
                u64::from(region.x) + u64::from(region.width),
            );
            if self.paired {
                first &= !1;
                end = (end + 1) & !1;
            }
            let end = ((end * pixel) as usize).min(row.len());
            let first = ((first * pixel) as usize).min(end);
            row[first..end].fill(0);
        }
    }

    /// One frame in RLE, blanked.
    pub(super) fn rle(&self, frame: &[u8]) -> Result<Vec<u8>, Refused> {
        let garbled = || Refused::attribute(tags::PIXEL_DATA, "garbled RLE");
        let word = |at: usize| -> Option<usize> {
            let bytes = frame.get(at * 4..at * 4 + 4)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        let count = word(0)
            .filter(|count| *count as u64 == self.samples * self.bytes)
            .ok_or_else(garbled)?;
        let mut offsets: Vec<usize> = (1..=count)
            .map(word)
            .collect::<Option<_>>()
            .ok_or_else(garbled)?;
        offsets.push(frame.len());
        let mut segments = Vec::new();
        for bounds in offsets.windows(2) {
            let packed = frame.get(bounds[0]..bounds[1]).ok_or_else(garbled)?;
            let mut plane =
                unpacked(packed, (self.rows * self.columns) as usize).ok_or_else(garbled)?;
            let rows = plane.chunks_mut((self.columns as usize).max(1));
            // Each segment is one byte of each pixel.
            rows.enumerate()
                .for_each(|(y, row)| self.blank_row(row, y as u64, 1));
            segments.push(packed_rows(&plane, self.columns as usize));
        }
        let mut out = vec![0; 64];
        out[..4].copy_from_slice(&(count as u32).to_le_bytes());
        for (index, segment) in segments.iter().enumerate() {
            let offset = (out.len() as u32).to_le_bytes();
            out[4 + index * 4..8 + index * 4].copy_from_slice(&offset);
            out.extend(segment);
        }
        Ok(out)
    }

    /// Bytes that make the length of native pixel data even.
    pub(super) fn padding(&self) -> u64 {
        self.frame().saturating_mul(self.frames) % 2
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }
}

/// PackBits; `None` if it ends before `length` bytes are there.
fn unpacked(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(length.min(1 << 20));
    let mut rest = packed;
    while out.len() < length {
        let (&control, after) = rest.split_first()?;
        let literal = usize::from(control) + 1;
        match control {
            0..=127 => {
                out.extend(after.get(..literal)?);
                rest = &after[literal..];
            }
            128 => rest = after,
            129.. => {
                let (&byte, after) = after.split_first()?;
                out.extend(std::iter::repeat_n(byte, 257 - usize::from(control)));
                rest = after;
            }
        }
    }
    out.truncate(length);
    Some(out)
}

/// PackBits, each row by itself as the standard wants it, padded to an even length.
fn packed_rows(plane: &[u8], columns: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for mut row in plane.chunks(columns.max(1)) {
        while let Some(&first) = row.first() {
            let same = row
                .iter()
                .take(128)
                .take_while(|byte| **byte == first)
                .count();
            if same >= 2 {
                out.extend([(257 - same) as u8, first]);
                row = &row[same..];
                continue;
            }
            let pairs = row.windows(2).position(|pair| pair[0] == pair[1]);
            let literal = pairs.unwrap_or(row.len()).min(128);
            out.push((literal - 1) as u8);
            out.extend(&row[..literal]);
            row = &row[literal..];
        }
    }
    if out.len() % 2 == 1 {
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packing_and_unpacking_is_nothing(columns in 1_usize..40, bytes in prop::collection::vec(0_u8..4, 1..600)) {
            let rows = bytes.len() / columns;
            let plane = &bytes[..rows * columns];
            let packed = packed_rows(plane, columns);
            prop_assert_eq!(unpacked(&packed, plane.len()).unwrap(), plane);
        }

        #[test]
        fn hostile_runs_do_no_harm(packed in prop::collection::vec(any::<u8>(), 0..200), length in 0_usize..4_000) {
            if let Some(plane) = unpacked(&packed, length) {
                prop_assert_eq!(plane.len(), length);
            }
        }
    }
}
