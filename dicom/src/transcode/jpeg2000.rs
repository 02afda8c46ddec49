//! JPEG 2000 and HTJ2K, decoded by openjp2.

use jpeg2k::{DecodeParameters, Image};

use super::codec::{Broken, store};
use crate::pixels::ImagePixel;

/// Start of codestream, and the size segment that always follows.
const BEGIN: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];
/// Some put the codestream in boxes (JP2), which DICOM does not allow. It begins within this.
const MAX_BOXES: usize = 4096;
/// Tiles of one image. Encoders make one, or a few hundred.
const MAX_TILES: u64 = 16 * 1024;

/// Decodes a frame to samples by pixel, little endian.
pub(super) fn decode(image: &ImagePixel, frame: &[u8]) -> Result<Vec<u8>, Broken> {
    let searched = &frame[..frame.len().min(MAX_BOXES)];
    let begin = searched.windows(4).position(|it| it == BEGIN);
    let stream = &frame[begin.ok_or(Broken("JPEG 2000: no codestream"))?..];
    sized(image, stream)?;
    let parameters = DecodeParameters::new().strict(true);
    let decoded = Image::from_bytes_with(stream, parameters)
        .map_err(|_| Broken("JPEG 2000: a broken stream"))?;
    let components = decoded.components();
    if components.len() != usize::from(image.samples) {
        return Err(Broken("JPEG 2000: another number of samples"));
    }
    let mut planes = Vec::with_capacity(components.len());
    for component in components {
        let precision = component.precision();
        if !(1..=u32::from(image.bits_allocated)).contains(&precision)
            || component.data().len() != image.pixels()
        {
            return Err(Broken("JPEG 2000: samples of another size"));
        }
        planes.push((component.data(), precision));
    }
    let mut bytes = Vec::with_capacity(image.frame_bytes() as usize);
    for pixel in 0..image.pixels() {
        for (plane, precision) in &planes {
            store(image, plane[pixel], *precision, &mut bytes);
        }
    }
    Ok(bytes)
}

/// The size segment (ISO 15444-1 section A.5.1) is that of the image, and of not too many tiles.
fn sized(image: &ImagePixel, stream: &[u8]) -> Result<(), Broken> {
    let number = |at: usize| {
        let bytes = stream.get(at..at + 4)?.try_into().ok()?;
        Some(u64::from(u32::from_be_bytes(bytes)))
    };
    // Behind the marks: length, capabilities, then eight numbers.
    let numbers: Option<Vec<u64>> = (0..8).map(|index| number(8 + index * 4)).collect();
    let numbers = numbers.ok_or(Broken("JPEG 2000: no size"))?;
    let [right, bottom, left, top, width, height, tile_left, tile_top] = numbers[..] else {
        return Err(Broken("JPEG 2000: no size"));
    };
    let same = right.checked_sub(left) == Some(image.columns.into())
        && bottom.checked_sub(top) == Some(image.rows.into());
    if !same {
        return Err(Broken("JPEG 2000: an image of another size"));
    }
    if width == 0 || height == 0 || tile_left > left || tile_top > top {
        return Err(Broken("JPEG 2000: impossible tiles"));
    }
    let tiles = (right - tile_left).div_ceil(width) * (bottom - tile_top).div_ceil(height);
    if tiles > MAX_TILES {
        return Err(Broken("JPEG 2000: too many tiles"));
    }
    let samples = stream
        .get(40..42)
        .map(|it| u16::from_be_bytes([it[0], it[1]]));
    if samples != Some(image.samples) {
        return Err(Broken("JPEG 2000: another number of samples"));
    }
    Ok(())
}
