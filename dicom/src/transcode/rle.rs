//! RLE Lossless (PS3.5 annex G): the bytes of a frame, the highest of every sample first, each plane
//! of bytes packed by itself.

use super::codec::Broken;
use crate::pixels::ImagePixel;

/// The header: how many segments, then where each begins; 16 numbers of 32 bits.
const HEADER: usize = 64;
const MAX_SEGMENTS: usize = 15;

/// Unpacks a frame into samples by pixel, little endian.
pub(super) fn decode(image: &ImagePixel, frame: &[u8]) -> Result<Vec<u8>, Broken> {
    let width = usize::from(image.bits_allocated / 8);
    let samples = usize::from(image.samples);
    let numbers: Vec<usize> = frame
        .get(..HEADER)
        .ok_or(Broken("RLE: no header"))?
        .chunks_exact(4)
        .map(|it| u32::from_le_bytes([it[0], it[1], it[2], it[3]]) as usize)
        .collect();
    let segments = samples * width;
    if numbers[0] != segments || segments > MAX_SEGMENTS {
        return Err(Broken("RLE: another number of segments"));
    }
    let pixels = image.pixels();
    let mut bytes = vec![0; pixels * segments];
    let mut plane = Vec::with_capacity(pixels);
    for segment in 0..segments {
        let begin = numbers[1 + segment];
        let end = if segment + 1 < segments {
            numbers[2 + segment]
        } else {
            frame.len()
        };
        let packed = frame.get(begin..end).ok_or(Broken("RLE: no segment"))?;
        plane.clear();
        unpack(packed, pixels, &mut plane)?;
        // The first segment of a sample is its highest byte, which is its last one here.
        let (sample, byte) = (segment / width, width - 1 - segment % width);
        let places = bytes[sample * width + byte..].iter_mut().step_by(segments);
        places.zip(&plane).for_each(|(place, byte)| *place = *byte);
    }
    Ok(bytes)
}

/// PackBits, until `length` bytes are there.
fn unpack(mut packed: &[u8], length: usize, plane: &mut Vec<u8>) -> Result<(), Broken> {
    while plane.len() < length {
        let left = length - plane.len();
        match packed {
            // A run of bytes as they are; the last may reach beyond the frame, for padding.
            [count @ 0..=127, rest @ ..] => {
                let run = usize::from(*count) + 1;
                let run = rest.get(..run).ok_or(Broken("RLE: ends early"))?;
                plane.extend_from_slice(&run[..run.len().min(left)]);
                packed = &rest[run.len()..];
            }
            [128, rest @ ..] => packed = rest,
            [count, byte, rest @ ..] => {
                let run = 257 - usize::from(*count);
                plane.resize(plane.len() + run.min(left), *byte);
                packed = rest;
            }
            _ => return Err(Broken("RLE: ends early")),
        }
    }
    Ok(())
}

/// Packs samples by pixel, little endian, as one frame.
pub(super) fn encode(image: &ImagePixel, bytes: &[u8]) -> Result<Vec<u8>, Broken> {
    let width = usize::from(image.bits_allocated / 8);
    let segments = usize::from(image.samples) * width;
    if segments > MAX_SEGMENTS {
        return Err(Broken("RLE: too many bytes a pixel"));
    }
    let mut frame = vec![0; HEADER];
    frame[..4].copy_from_slice(&(segments as u32).to_le_bytes());
    let columns = usize::from(image.columns);
    let mut row = Vec::with_capacity(columns);
    for segment in 0..segments {
        let begin = u32::try_from(frame.len()).map_err(|_| Broken("RLE: too long"))?;
        frame[4 + segment * 4..8 + segment * 4].copy_from_slice(&begin.to_le_bytes());
        let (sample, byte) = (segment / width, width - 1 - segment % width);
        for pixels in bytes.chunks_exact(columns * segments) {
            row.clear();
            row.extend(pixels[sample * width + byte..].iter().step_by(segments));
            pack(&row, &mut frame);
        }
        if frame.len() % 2 == 1 {
            frame.push(0);
        }
    }
    Ok(frame)
}

/// Packs one row; runs do not cross rows (PS3.5 section G.3.1).
fn pack(row: &[u8], packed: &mut Vec<u8>) {
    let mut rest = row;
    while let Some(first) = rest.first() {
        let run = rest
            .iter()
            .take(128)
            .take_while(|byte| *byte == first)
            .count();
        if run > 1 {
            packed.extend([(257 - run) as u8, *first]);
            rest = &rest[run..];
            continue;
        }
        // Until three are equal: two cost as much either way.
        let until = rest
            .windows(3)
            .take(128)
            .position(|it| it[0] == it[1] && it[1] == it[2]);
        let run = until.unwrap_or(rest.len().min(128));
        packed.push((run - 1) as u8);
        packed.extend_from_slice(&rest[..run]);
        rest = &rest[run..];
    }
}
