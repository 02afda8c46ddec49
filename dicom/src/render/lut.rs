//! Lookup tables of the Modality LUT, VOI LUT and Palette Color Lookup Table modules.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::{RenderError, Said};
use crate::walk::DataSet;

/// Entries for values from `first` on; below and above, the first and the last entry hold.
pub(super) struct Lut {
    first: i64,
    entries: Vec<u16>,
    /// Bits of an entry.
    pub(super) bits: u16,
}

impl Lut {
    /// The table of an item with LUT Descriptor and LUT Data.
    pub(super) fn of_item(
        said: &Said<'_>,
        item: &DataSet,
        signed: bool,
    ) -> Result<Self, RenderError> {
        let data = said.table(item, tags::LUT_DATA)?;
        Self::new(item, tags::LUT_DESCRIPTOR, signed, |_| Ok(data))
    }

    /// A table by its descriptor: number of entries, first value, bits (PS3.3 section C.11.1.1).
    /// `data` gets the number of entries and gives their bytes.
    pub(super) fn new(
        item: &DataSet,
        descriptor: Tag,
        signed: bool,
        data: impl FnOnce(usize) -> Result<Vec<u8>, RenderError>,
    ) -> Result<Self, RenderError> {
        let descriptor = item.bytes(descriptor).unwrap_or_default();
        let words: Vec<u16> = words(descriptor);
        let [count, first, bits] = words[..] else {
            return Err(RenderError::Table("no descriptor"));
        };
        // 0 stands for 65536, which does not fit.
        let count = if count == 0 {
            1 << 16
        } else {
            usize::from(count)
        };
        let first = match signed {
            true => i64::from(first as i16),
            false => i64::from(first),
        };
        if !(8..=16).contains(&bits) {
            return Err(RenderError::Table("not 8 to 16 bits"));
        }
        let data = data(count)?;
        // Entries of 8 bits may be packed.
        let entries: Vec<u16> = if bits == 8 && data.len() < count * 2 {
            data.iter().map(|byte| (*byte).into()).take(count).collect()
        } else {
            words_of(&data).take(count).collect()
        };
        if entries.is_empty() {
            return Err(RenderError::Table("no entries"));
        }
        Ok(Self {
            first,
            entries,
            bits,
        })
    }

    pub(super) fn at(&self, value: f64) -> u16 {
        let last = self.entries.len() as i64 - 1;
        let index = (value as i64).saturating_sub(self.first).clamp(0, last);
        self.entries[index as usize]
    }

    /// As [`Lut::at`], with the highest possible entry as 255.
    pub(super) fn byte(&self, value: f64) -> u8 {
        let highest = (1_u32 << self.bits) - 1;
        (u32::from(self.at(value)).min(highest) * 255 / highest) as u8
    }
}

fn words_of(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes
        .chunks_exact(2)
        .map(|it| u16::from_le_bytes([it[0], it[1]]))
}

pub(super) fn words(bytes: &[u8]) -> Vec<u16> {
    words_of(bytes).collect()
}
