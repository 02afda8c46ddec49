//! A decoded frame.

use crate::pixels::Sample;

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
        self.bits().map(|bits| self.value(bits))
    }

    /// The bits of each sample that are stored.
    pub(crate) fn bits(&self) -> impl Iterator<Item = u64> {
        let width = usize::from(self.bits_allocated / 8);
        let shift = self.high_bit + 1 - self.bits_stored;
        let mask = u64::MAX >> (64 - self.bits_stored);
        self.bytes.chunks_exact(width).map(move |bytes| {
            let mut all = [0; 8];
            all[..width].copy_from_slice(bytes);
            (u64::from_le_bytes(all) >> shift) & mask
        })
    }

    /// What stored bits are as a number.
    pub(crate) fn value(&self, bits: u64) -> f64 {
        let unused = 64 - self.bits_stored;
        match self.sample {
            Sample::Float if self.bits_allocated == 32 => f32::from_bits(bits as u32).into(),
            Sample::Float => f64::from_bits(bits),
            // Beyond 2^53 they are not exact, and no detector counts that far.
            Sample::Signed => (((bits << unused) as i64) >> unused) as f64,
            Sample::Unsigned => bits as f64,
        }
    }
}
