//! JPEG: lossy of 8 bits and lossless, decoded by jpeg-decoder; lossless encoded by ourselves.

pub(super) mod lossless;

use jpeg_decoder::{ColorTransform, Decoder};

use super::codec::{Broken, store};
use crate::pixels::ImagePixel;

/// Decodes a frame to samples by pixel, little endian. Lossy colours come as RGB.
pub(super) fn decode(image: &ImagePixel, frame: &[u8]) -> Result<Vec<u8>, Broken> {
    let header = Header::of(frame).ok_or(Broken("JPEG: no frame header"))?;
    if (header.rows, header.columns) != (image.rows, image.columns)
        || u16::from(header.samples) != image.samples
    {
        return Err(Broken("JPEG: an image of another size"));
    }
    if u16::from(header.precision) > image.bits_allocated {
        return Err(Broken("JPEG: more bits than allocated"));
    }
    if header.precision != 8 && !header.lossless {
        return Err(Broken("JPEG: lossy of more than 8 bits is not supported"));
    }
    let mut decoder = Decoder::new(frame);
    decoder.set_max_decoding_buffer_size(image.pixels() * usize::from(image.samples) * 2);
    if image.samples == 3 {
        // What Adobe's mark says is believed before what DICOM says, as other readers do.
        let transformed = match header.adobe {
            Some(transform) => transform != 0,
            None => image.photometric.starts_with("YBR"),
        };
        decoder.set_color_transform(match transformed {
            true => ColorTransform::YCbCr,
            false => ColorTransform::RGB,
        });
    }
    let decoded = decoder
        .decode()
        .map_err(|_| Broken("JPEG: a broken stream"))?;
    let samples = image.pixels() * usize::from(image.samples);
    if decoded.len() == samples && image.bits_allocated == 8 {
        return Ok(decoded);
    }
    let precision = u32::from(header.precision);
    let mut bytes = Vec::with_capacity(image.frame_bytes() as usize);
    if decoded.len() == samples {
        let values = decoded.into_iter();
        values.for_each(|it| store(image, it.into(), precision, &mut bytes));
    } else {
        // The decoder gives the bytes of u16 as this machine has them.
        let values = decoded
            .chunks_exact(2)
            .map(|it| u16::from_ne_bytes([it[0], it[1]]));
        values.for_each(|it| store(image, it.into(), precision, &mut bytes));
    }
    Ok(bytes)
}

/// What a stream says of itself before its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    lossless: bool,
    precision: u8,
    rows: u16,
    columns: u16,
    samples: u8,
    /// The transform that an Adobe APP14 segment names: 0 is none.
    adobe: Option<u8>,
}

impl Header {
    /// Goes from segment to segment up to the frame header (ISO 10918-1 annex B).
    fn of(stream: &[u8]) -> Option<Self> {
        let mut rest = stream.strip_prefix(&[0xFF, 0xD8])?;
        let mut adobe = None;
        loop {
            // Marks may be filled up with 0xFF in front.
            let at = rest.iter().position(|byte| *byte != 0xFF)?;
            let mark = *rest.get(at).filter(|_| at > 0)?;
            let length = usize::from(u16::from_be_bytes([*rest.get(at + 1)?, *rest.get(at + 2)?]));
            let segment = rest.get(at + 3..at + 1 + length)?;
            match mark {
                // Not a table (C4), reserved (C8) or arithmetic conditioning (CC).
                0xC0..=0xCF if !matches!(mark, 0xC4 | 0xC8 | 0xCC) => {
                    let [precision, a, b, c, d, samples, ..] = *segment else {
                        return None;
                    };
                    return Some(Self {
                        lossless: mark == 0xC3,
                        precision,
                        rows: u16::from_be_bytes([a, b]),
                        columns: u16::from_be_bytes([c, d]),
                        samples,
                        adobe,
                    });
                }
                0xEE if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied(),
                0xD8..=0xDA => return None,
                _ => {}
            }
            rest = rest.get(at + 1 + length..)?;
        }
    }
}
