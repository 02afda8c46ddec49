//! One frame of pixels out of its bit stream, or into one.
//!
//! Codecs are other people's code on bytes of strangers: what a stream says of its size is compared
//! with the image's before anything is reserved, and a panic is an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::syntax::Syntax;
use super::{jpeg, jpeg_ls, jpeg2000, rle};
use crate::pixels::{ImagePixel, Sample};

/// A bit stream that cannot be decoded, or pixels that a codec does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub(super) &'static str);

/// Decodes a frame to samples by pixel, little endian, in Bits Allocated. The second part is the
/// Photometric Interpretation of the result.
pub(super) fn decode(
    syntax: Syntax,
    image: &ImagePixel,
    frame: &[u8],
) -> Result<(Vec<u8>, String), Broken> {
    if syntax.encapsulated() && image.bits_allocated == 1 {
        return Err(Broken("one bit a pixel in a compressed image"));
    }
    let bytes = guarded(|| match syntax {
        Syntax::Native(_) | Syntax::Deflated => by_pixel(image, frame),
        Syntax::Rle => rle::decode(image, frame),
        Syntax::JpegLossy | Syntax::JpegLossless => jpeg::decode(image, frame),
        Syntax::JpegLs => jpeg_ls::decode(image, frame),
        Syntax::Jpeg2000 => jpeg2000::decode(image, frame),
    })?;
    let bits = image.bits_allocated.max(8);
    if bytes.len() != image.pixels() * usize::from(image.samples) * usize::from(bits / 8) {
        return Err(Broken("a frame of another length"));
    }
    let photometric = match image.photometric.as_str() {
        // Decoding has undone the transform, or filled in the colours that were left out.
        "YBR_ICT" | "YBR_RCT" => "RGB",
        name if syntax == Syntax::JpegLossy && name.starts_with("YBR") => "RGB",
        "YBR_FULL_422" => "YBR_FULL",
        "YBR_PARTIAL_422" => "YBR_PARTIAL",
        name => name,
    };
    Ok((bytes, photometric.to_owned()))
}

/// Encodes samples by pixel, little endian, as one frame.
pub(super) fn encode(syntax: Syntax, image: &ImagePixel, bytes: &[u8]) -> Result<Vec<u8>, Broken> {
    compressible(syntax, image)?;
    guarded(|| match syntax {
        Syntax::Rle => rle::encode(image, bytes),
        Syntax::JpegLossless => jpeg::lossless::encode(image, bytes),
        _ => Err(Broken("not a way in which we compress")),
    })
}

/// Whether pixels of this kind are encoded.
pub(super) fn compressible(syntax: Syntax, image: &ImagePixel) -> Result<(), Broken> {
    match image.bits_allocated {
        _ if image.sample == Sample::Float => Err(Broken("floats are not compressed")),
        1 => Err(Broken("one bit a pixel is not compressed")),
        8 | 16 => Ok(()),
        32 if syntax == Syntax::Rle && image.samples <= 3 => Ok(()),
        _ => Err(Broken("so many bits a pixel are not compressed")),
    }
}

/// What panics is broken.
fn guarded(work: impl FnOnce() -> Result<Vec<u8>, Broken>) -> Result<Vec<u8>, Broken> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Broken("the codec gave up")))
}

/// A native frame with all samples of a pixel together, and a byte for each pixel of one bit.
fn by_pixel(image: &ImagePixel, frame: &[u8]) -> Result<Vec<u8>, Broken> {
    let pixels = image.pixels();
    if image.bits_allocated == 1 {
        let bits = (0..pixels).map(|at| Some((frame.get(at / 8)? >> (at % 8)) & 1));
        return bits
            .collect::<Option<_>>()
            .ok_or(Broken("a frame that is too short"));
    }
    let width = usize::from(image.bits_allocated / 8);
    let samples = usize::from(image.samples);
    if matches!(
        image.photometric.as_str(),
        "YBR_FULL_422" | "YBR_PARTIAL_422"
    ) && samples == 3
    {
        // Y1 Y2 CB CR: two pixels of the same colour (PS3.3 section C.7.6.3.1.2).
        let pairs = frame.chunks_exact(4 * width);
        return Ok(pairs
            .flat_map(|pair| {
                let (lights, colours) = pair.split_at(2 * width);
                let lights = lights.chunks_exact(width);
                lights.flat_map(move |light| light.iter().chain(colours).copied())
            })
            .collect());
    }
    if !image.planar {
        return Ok(frame.to_vec());
    }
    let mut bytes = vec![0; frame.len()];
    for (sample, plane) in frame.chunks_exact(pixels * width).enumerate() {
        let places = bytes.chunks_exact_mut(width).skip(sample).step_by(samples);
        places
            .zip(plane.chunks_exact(width))
            .for_each(|(place, value)| place.copy_from_slice(value));
    }
    Ok(bytes)
}

/// Writes a sample of `precision` bits as the image stores it: signed ones with their sign up to the
/// highest bit. Streams say of themselves whether they are signed, and do not always agree.
pub(super) fn store(image: &ImagePixel, value: i32, precision: u32, bytes: &mut Vec<u8>) {
    let unused = 32_u32.saturating_sub(precision);
    let value = match image.sample {
        Sample::Signed => (value << unused) >> unused,
        _ => ((value as u32) << unused >> unused) as i32,
    };
    let value = i64::from(value).to_le_bytes();
    bytes.extend_from_slice(&value[..usize::from(image.bits_allocated / 8)]);
}
