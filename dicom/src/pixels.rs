//! What a pixel is: the Image Pixel module (PS3.3 section C.7.6.3).

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::walk::DataSet;

/// Why the description of pixels is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PixelError {
    /// An attribute without which pixels mean nothing.
    #[error("the image does not say its {0}")]
    Missing(&'static str),
    /// Values that no image has, or that contradict each other.
    #[error("{0} of the image is not possible")]
    Impossible(&'static str),
    /// More frames or pixels than are accepted ([`super::frames::MAX_FRAMES`],
    /// [`super::frames::MAX_FRAME_BYTES`]).
    #[error("the image is larger than is accepted")]
    TooLarge,
    /// Less pixel data than there are pixels.
    #[error("there is less pixel data than the image says")]
    TooShort,
}

/// How a sample is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// Pixel Representation 0.
    Unsigned,
    /// Pixel Representation 1: two's complement of Bits Stored bits.
    Signed,
    /// Float Pixel Data or Double Float Pixel Data: IEEE 754 of Bits Allocated bits.
    Float,
}

/// The description of an image's pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePixel {
    /// Rows (0028,0010), at least one.
    pub rows: u16,
    /// Columns (0028,0011), at least one.
    pub columns: u16,
    /// Number of Frames (0028,0008), at least one.
    pub frames: u32,
    /// Samples per Pixel (0028,0002): 1, 3 or 4.
    pub samples: u16,
    /// Bits Allocated (0028,0100): 1, 8, 16, 32 or 64.
    pub bits_allocated: u16,
    /// Bits Stored (0028,0101), at most Bits Allocated.
    pub bits_stored: u16,
    /// High Bit (0028,0102), at least Bits Stored - 1.
    pub high_bit: u16,
    /// Pixel Representation (0028,0103), or float by the element that holds the pixels.
    pub sample: Sample,
    /// Planar Configuration (0028,0006) is 1: all red, then all green, then all blue.
    pub planar: bool,
    /// Photometric Interpretation (0028,0004), such as `MONOCHROME2`.
    pub photometric: String,
}

impl ImagePixel {
    /// Reads the description. `pixels` is the element that holds them.
    pub fn of(data: &DataSet, pixels: Tag) -> Result<Self, PixelError> {
        use PixelError::{Impossible, Missing};
        let number = |tag, name| {
            let number = data.number(tag).ok_or(Missing(name))?;
            // Of VR US everywhere, so nothing is cut off.
            Ok::<_, PixelError>(number as u16)
        };
        let rows = number(tags::ROWS, "Rows")?;
        let columns = number(tags::COLUMNS, "Columns")?;
        let samples = number(tags::SAMPLES_PER_PIXEL, "Samples per Pixel").unwrap_or(1);
        let bits_allocated = number(tags::BITS_ALLOCATED, "Bits Allocated")?;
        let float = pixels != tags::PIXEL_DATA;
        let or_all = |tag, otherwise| match data.number(tag) {
            Some(number) if !float => number as u16,
            _ => otherwise,
        };
        let bits_stored = or_all(tags::BITS_STORED, bits_allocated);
        let high_bit = or_all(tags::HIGH_BIT, bits_stored.wrapping_sub(1));
        let frames = data.number(tags::NUMBER_OF_FRAMES).unwrap_or(1.0);
        if !(0.0..=f64::from(u32::MAX)).contains(&frames) {
            return Err(Impossible("Number of Frames"));
        }
        if rows == 0 || columns == 0 {
            return Err(Impossible("size"));
        }
        if !matches!(samples, 1 | 3 | 4) {
            return Err(Impossible("Samples per Pixel"));
        }
        if !matches!(bits_allocated, 1 | 8 | 16 | 32 | 64) || (bits_allocated == 1 && samples > 1) {
            return Err(Impossible("Bits Allocated"));
        }
        if !(1..=bits_allocated).contains(&bits_stored)
            || !(bits_stored - 1..bits_allocated).contains(&high_bit)
        {
            return Err(Impossible("Bits Stored"));
        }
        Ok(Self {
            rows,
            columns,
            frames: (frames as u32).max(1),
            samples,
            bits_allocated,
            bits_stored,
            high_bit,
            sample: match data.number(tags::PIXEL_REPRESENTATION) {
                _ if float => Sample::Float,
                Some(1.0) => Sample::Signed,
                _ => Sample::Unsigned,
            },
            planar: samples > 1 && data.number(tags::PLANAR_CONFIGURATION) == Some(1.0),
            photometric: data
                .ascii(tags::PHOTOMETRIC_INTERPRETATION)
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| if samples == 1 { "MONOCHROME2" } else { "RGB" }.to_owned()),
        })
    }

    /// Pixels of a frame.
    pub fn pixels(&self) -> usize {
        usize::from(self.rows) * usize::from(self.columns)
    }

    /// Bits of a native frame. YBR_FULL_422 has two samples for each pixel (PS3.3 section C.7.6.3.1.2);
    /// frames of one bit a pixel follow each other within a byte.
    pub fn frame_bits(&self) -> u64 {
        let samples = match self.photometric.as_str() {
            "YBR_FULL_422" | "YBR_PARTIAL_422" if self.samples == 3 => 2,
            _ => u64::from(self.samples),
        };
        self.pixels() as u64 * samples * u64::from(self.bits_allocated)
    }

    /// Bytes of a decoded frame, with all samples of every pixel and at least a byte for each.
    pub fn frame_bytes(&self) -> u64 {
        self.pixels() as u64 * u64::from(self.samples) * u64::from(self.bits_allocated.div_ceil(8))
    }
}
