//! JPEG-LS, lossless and near-lossless (ISO 14495-1), decoded by ourselves: there is no such decoder
//! without a C++ compiler. Written after the standard's annexes A to C.

mod bits;
mod coder;

use super::codec::{Broken, store};
use crate::pixels::ImagePixel;
use bits::Bits;
use coder::Coder;

/// Decodes a frame to samples by pixel, little endian.
pub(super) fn decode(image: &ImagePixel, frame: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut stream = Stream::of(image, frame)?;
    let pixels = image.pixels();
    let samples = usize::from(image.samples);
    let mut planes = vec![Vec::new(); samples];
    let mut done = 0;
    while done < samples {
        let scan = stream.scan()?;
        if scan.components == 0 || done + scan.components > samples {
            return Err(Broken("JPEG-LS: another number of samples"));
        }
        let (decoded, used) = scan.decode(&stream, image)?;
        for plane in decoded {
            planes[done] = plane;
            done += 1;
        }
        stream.rest = &stream.rest[used..];
    }
    let precision = stream.precision.into();
    let mut bytes = Vec::with_capacity(image.frame_bytes() as usize);
    for pixel in 0..pixels {
        for plane in &planes {
            store(image, plane[pixel].into(), precision, &mut bytes);
        }
    }
    Ok(bytes)
}

/// A stream between its frame header and its end.
struct Stream<'a> {
    rest: &'a [u8],
    precision: u8,
    preset: Option<Preset>,
}

/// Coding parameters of a stream (annex C.2.4.1).
#[derive(Debug, Clone, Copy)]
struct Preset {
    maximum: i32,
    thresholds: [i32; 3],
    reset: i32,
}

/// What a scan header says.
struct Scan {
    components: usize,
    near: i32,
    interleave: u8,
}

impl<'a> Stream<'a> {
    fn of(image: &ImagePixel, frame: &'a [u8]) -> Result<Self, Broken> {
        const NONE: Broken = Broken("JPEG-LS: no frame header");
        let mut stream = Self {
            rest: frame.strip_prefix(&[0xFF, 0xD8]).ok_or(NONE)?,
            precision: 0,
            preset: None,
        };
        loop {
            match stream.segment().ok_or(NONE)? {
                (0xF7, &[precision, a, b, c, d, samples, ..]) => {
                    let size = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                    if size != (image.rows, image.columns) || u16::from(samples) != image.samples {
                        return Err(Broken("JPEG-LS: an image of another size"));
                    }
                    if !(2..=16).contains(&precision) || u16::from(precision) > image.bits_allocated
                    {
                        return Err(Broken("JPEG-LS: more bits than allocated"));
                    }
                    stream.precision = precision;
                    return Ok(stream);
                }
                (0xF8, segment) => stream.preset(segment)?,
                (0xDA | 0xF7, _) => return Err(NONE),
                _ => {}
            }
        }
    }

    /// The next mark and its segment.
    fn segment(&mut self) -> Option<(u8, &'a [u8])> {
        let at = self.rest.iter().position(|byte| *byte != 0xFF)?;
        let mark = *self.rest.get(at).filter(|_| at > 0)?;
        let length = self.rest.get(at + 1..at + 3)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let segment = self.rest.get(at + 3..at + 1 + length)?;
        self.rest = &self.rest[at + 1 + length..];
        Some((mark, segment))
    }

    fn preset(&mut self, segment: &[u8]) -> Result<(), Broken> {
        let [1, numbers @ ..] = segment else {
            return Err(Broken(
                "JPEG-LS: mapping tables and sizes apart are not supported",
            ));
        };
        let numbers: Vec<i32> = numbers
            .chunks_exact(2)
            .map(|it| u16::from_be_bytes([it[0], it[1]]).into())
            .collect();
        let [maximum, first, second, third, reset] = numbers[..] else {
            return Err(Broken("JPEG-LS: broken parameters"));
        };
        self.preset = Some(Preset {
            maximum,
            thresholds: [first, second, third],
            reset,
        });
        Ok(())
    }

    /// The header of the next scan.
    fn scan(&mut self) -> Result<Scan, Broken> {
        loop {
            match self.segment().ok_or(Broken("JPEG-LS: no scan"))? {
                (0xDA, segment) => {
                    let components = usize::from(*segment.first().unwrap_or(&0));
                    let parameters = segment.get(1 + components * 2..).unwrap_or_default();
                    let [near, interleave, point] = *parameters else {
                        return Err(Broken("JPEG-LS: no scan header"));
                    };
                    if point != 0 || interleave > 2 || (components > 1) != (interleave > 0) {
                        return Err(Broken("JPEG-LS: an unknown kind of scan"));
                    }
                    return Ok(Scan {
                        components,
                        near: near.into(),
                        interleave,
                    });
                }
                (0xF8, segment) => self.preset(segment)?,
                (0xDD, _) => return Err(Broken("JPEG-LS: restarts are not supported")),
                _ => {}
            }
        }
    }
}

impl Preset {
    /// Values that a stream does not name (annex C.2.4.1.1).
    fn complete(preset: Option<Self>, precision: u8, near: i32) -> Result<Self, Broken> {
        let named = preset.unwrap_or(Self {
            maximum: 0,
            thresholds: [0; 3],
            reset: 0,
        });
        let highest = (1_i32 << precision) - 1;
        let or = |named: i32, otherwise: i32| if named == 0 { otherwise } else { named };
        let maximum = or(named.maximum, highest);
        let within = |value: i32, low: i32| {
            if value > maximum || value < low {
                low
            } else {
                value
            }
        };
        let by = |wide: i32, narrow: i32, more: i32| {
            if maximum >= 128 {
                let factor = (maximum.min(4095) + 128) / 256;
                factor * (wide - narrow) + narrow + more
            } else {
                let factor = 256 / (maximum + 1);
                (wide / factor + more).max(narrow)
            }
        };
        let first = within(by(3, 2, 3 * near), near + 1);
        let second = within(by(7, 3, 5 * near), first);
        let third = within(by(21, 4, 7 * near), second);
        let [a, b, c] = named.thresholds;
        let complete = Self {
            maximum,
            thresholds: [or(a, first), or(b, second), or(c, third)],
            reset: or(named.reset, 64),
        };
        let [a, b, c] = complete.thresholds;
        let sound = maximum <= highest
            && near <= (maximum / 2).min(255)
            && near < a
            && a <= b
            && b <= c
            && c <= maximum
            && complete.reset >= 3;
        match sound {
            true => Ok(complete),
            false => Err(Broken("JPEG-LS: impossible parameters")),
        }
    }
}

impl Scan {
    /// The planes of the scan, and how many bytes it has.
    fn decode(
        &self,
        stream: &Stream<'_>,
        image: &ImagePixel,
    ) -> Result<(Vec<Vec<u16>>, usize), Broken> {
        let preset = Preset::complete(stream.preset, stream.precision, self.near)?;
        let (rows, columns) = (usize::from(image.rows), usize::from(image.columns));
        let mut coder = Coder::new(Bits::new(stream.rest), preset, self.near);
        let mut planes = vec![Vec::with_capacity(rows * columns); self.components];
        // A row with a value before and behind it (annex A.2.1).
        let mut above = vec![vec![0; columns + 2]; self.components];
        let mut runs = vec![0; self.components];
        for _ in 0..rows {
            let mut rows: Vec<Vec<i32>> = above
                .iter_mut()
                .map(|above| {
                    // Behind the row above, its last value again; before this one, the one above it.
                    above[columns + 1] = above[columns];
                    let mut row = vec![0; columns + 2];
                    row[0] = above[1];
                    row
                })
                .collect();
            if self.interleave == 2 {
                coder.pixels(&above, &mut rows, columns)?;
            } else {
                for (index, row) in rows.iter_mut().enumerate() {
                    coder.run_index = runs[index];
                    coder.row(&above[index], row, columns)?;
                    runs[index] = coder.run_index;
                }
            }
            for (plane, row) in planes.iter_mut().zip(&rows) {
                plane.extend(row[1..=columns].iter().map(|value| *value as u16));
            }
            above = rows;
        }
        Ok((planes, coder.bits.used()))
    }
}
