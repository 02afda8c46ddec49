//! A picture in another size: smaller by the average of what a pixel covers, larger by interpolation.

use super::{MAX_SIDE, Picture, Region, RenderError, Viewport};

/// The part of `whole` that is to be shown, as large as is asked for, with square pixels. `aspect` is
/// the height of a pixel by its width.
pub(super) fn fitted(
    whole: Picture,
    aspect: f64,
    viewport: Option<Viewport>,
) -> Result<Picture, RenderError> {
    let picture = match viewport.and_then(|it| it.region) {
        Some(region) => cut(&whole, region)?,
        None => whole,
    };
    // In square pixels nothing gets smaller.
    let width = f64::from(picture.width) * (1.0 / aspect).max(1.0);
    let height = f64::from(picture.height) * aspect.max(1.0);
    let limit = f64::from(MAX_SIDE);
    let by = match viewport {
        Some(it) if it.width == 0 || it.height == 0 => {
            return Err(RenderError::Asked("a viewport without pixels"));
        }
        Some(it) if it.width > MAX_SIDE || it.height > MAX_SIDE => {
            return Err(RenderError::Asked("a viewport that is too large"));
        }
        Some(it) => (f64::from(it.width) / width).min(f64::from(it.height) / height),
        None => (limit / width).min(limit / height).min(1.0),
    };
    let side = |length: f64| ((length * by).round() as u32).clamp(1, MAX_SIDE);
    let (width, height) = (side(width), side(height));
    if (width, height) == (picture.width, picture.height) {
        return Ok(picture);
    }
    Ok(resized(&picture, width, height))
}

fn cut(whole: &Picture, region: Region) -> Result<Picture, RenderError> {
    let inside = |begin: u32, length: u32, side: u32| {
        length > 0 && begin.checked_add(length).is_some_and(|end| end <= side)
    };
    if !inside(region.left, region.width, whole.width)
        || !inside(region.top, region.height, whole.height)
    {
        return Err(RenderError::Asked("a region outside the image"));
    }
    let row = whole.width as usize * whole.samples;
    let left = region.left as usize * whole.samples;
    let right = left + region.width as usize * whole.samples;
    let rows = whole.bytes.chunks_exact(row);
    let rows = rows.skip(region.top as usize).take(region.height as usize);
    Ok(Picture {
        width: region.width,
        height: region.height,
        samples: whole.samples,
        bytes: rows.flat_map(|row| &row[left..right]).copied().collect(),
    })
}

/// Rows first, as there are then fewer columns to go through.
fn resized(picture: &Picture, width: u32, height: u32) -> Picture {
    let samples = picture.samples;
    let across = shares(picture.width, width);
    let row = picture.width as usize * samples;
    let mut narrow = Vec::with_capacity(picture.height as usize * width as usize * samples);
    for row in picture.bytes.chunks_exact(row) {
        for (first, weights) in &across {
            for sample in 0..samples {
                let pixels = row[first * samples + sample..].iter().step_by(samples);
                let sum: f32 = weights
                    .iter()
                    .zip(pixels)
                    .map(|(w, p)| w * f32::from(*p))
                    .sum();
                narrow.push(sum);
            }
        }
    }
    let row = width as usize * samples;
    let mut bytes = Vec::with_capacity(height as usize * row);
    for (first, weights) in shares(picture.height, height) {
        for column in 0..row {
            let pixels = narrow[first * row + column..].iter().step_by(row);
            let sum: f32 = weights.iter().zip(pixels).map(|(w, p)| w * p).sum();
            bytes.push(sum.round() as u8);
        }
    }
    Picture {
        width,
        height,
        samples,
        bytes,
    }
}

/// For each new pixel: the first old pixel that it takes from, and how much of that and the following.
fn shares(old: u32, new: u32) -> Vec<(usize, Vec<f32>)> {
    let step = f64::from(old) / f64::from(new);
    let last = f64::from(old) - 1.0;
    let share = |at: u32| {
        let begin = f64::from(at) * step;
        if step <= 1.0 {
            // Between the centres of two pixels.
            let centre = (begin + step / 2.0 - 0.5).clamp(0.0, last);
            let first = centre.floor().min((last - 1.0).max(0.0));
            let second = (centre - first) as f32;
            return (first as usize, vec![1.0 - second, second]);
        }
        let end = (begin + step).min(f64::from(old));
        let covered = begin.floor() as u32..end.ceil() as u32;
        let weights = covered.map(|pixel| {
            let pixel = f64::from(pixel);
            (((pixel + 1.0).min(end) - pixel.max(begin)) / (end - begin)) as f32
        });
        (begin.floor() as usize, weights.collect())
    };
    (0..new).map(share).collect()
}
