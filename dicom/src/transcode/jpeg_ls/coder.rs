//! Prediction, contexts and runs (ISO 14495-1 annex A).

use super::bits::Bits;
use super::{Broken, Preset};

/// Contexts of the regular mode; sign is folded.
const CONTEXTS: usize = 365;
/// Run lengths by run index (annex A.7.1.2).
const RUN_BITS: [u8; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];

/// The state of the decoder (annex A).
pub(super) struct Coder<'a> {
    pub(super) bits: Bits<'a>,
    preset: Preset,
    near: i32,
    /// RANGE, qbpp and LIMIT (annex A.2.1).
    range: i32,
    value_bits: u8,
    limit: u32,
    contexts: Vec<Context>,
    /// Contexts of what interrupts a run, by whether both neighbours are alike.
    interrupted: [Interruption; 2],
    pub(super) run_index: usize,
}

/// A, B, C and N of a context.
#[derive(Clone, Copy)]
struct Context {
    errors: i32,
    bias: i32,
    correction: i32,
    count: i32,
}

/// A, N and Nn of a context of interruptions.
#[derive(Clone, Copy)]
struct Interruption {
    errors: i32,
    count: i32,
    negative: i32,
}

impl<'a> Coder<'a> {
    pub(super) fn new(bits: Bits<'a>, preset: Preset, near: i32) -> Self {
        let range = (preset.maximum + 2 * near) / (2 * near + 1) + 1;
        let ceiling = |number: i32| 32 - (number - 1).leading_zeros() as i32;
        let value_bits = ceiling(range);
        let sample_bits = ceiling(preset.maximum + 1).max(2);
        let errors = ((range + 32) / 64).max(2);
        Self {
            bits,
            preset,
            near,
            range,
            value_bits: value_bits as u8,
            limit: 2 * (sample_bits + sample_bits.max(8)) as u32,
            contexts: vec![
                Context {
                    errors,
                    bias: 0,
                    correction: 0,
                    count: 1,
                };
                CONTEXTS
            ],
            interrupted: [Interruption {
                errors,
                count: 1,
                negative: 0,
            }; 2],
            run_index: 0,
        }
    }

    /// One row of one component.
    pub(super) fn row(
        &mut self,
        above: &[i32],
        row: &mut [i32],
        columns: usize,
    ) -> Result<(), Broken> {
        let mut at = 1;
        while at <= columns {
            let gradients = gradients(above, row, at);
            if gradients.iter().all(|it| it.abs() <= self.near) {
                at += self.run(above, row, at, columns)?;
            } else {
                row[at] = self.regular(gradients, above, row, at)?;
                at += 1;
            }
        }
        Ok(())
    }

    /// One row of all components, a pixel at a time. A run is one of all of them (annex B.2.3).
    pub(super) fn pixels(
        &mut self,
        above: &[Vec<i32>],
        rows: &mut [Vec<i32>],
        columns: usize,
    ) -> Result<(), Broken> {
        let mut at = 1;
        while at <= columns {
            let flat = above.iter().zip(rows.iter()).all(|(above, row)| {
                gradients(above, row, at)
                    .iter()
                    .all(|it| it.abs() <= self.near)
            });
            if flat {
                let run = self.run_length(columns + 1 - at)?;
                for row in rows.iter_mut() {
                    let value = row[at - 1];
                    row[at..at + run].fill(value);
                }
                at += run;
                if at > columns {
                    break;
                }
                for (above, row) in above.iter().zip(rows.iter_mut()) {
                    // Each as if its neighbours were not alike.
                    row[at] = self.interruption(row[at - 1], above[at], false)?;
                }
                self.run_index = self.run_index.saturating_sub(1);
            } else {
                for (above, row) in above.iter().zip(rows.iter_mut()) {
                    row[at] = self.regular(gradients(above, row, at), above, row, at)?;
                }
            }
            at += 1;
        }
        Ok(())
    }

    /// A value in the regular mode (annex A.4 to A.6).
    fn regular(
        &mut self,
        gradients: [i32; 3],
        above: &[i32],
        row: &[i32],
        at: usize,
    ) -> Result<i32, Broken> {
        let [a, b, c] = gradients.map(|gradient| self.quantized(gradient));
        let folded = 81 * a + 9 * b + c;
        let sign = if folded < 0 { -1 } else { 1 };
        let index = (folded * sign) as usize;
        let context = self.contexts[index];
        let (left, up, corner) = (row[at - 1], above[at], above[at - 1]);
        let predicted = if corner >= left.max(up) {
            left.min(up)
        } else if corner <= left.min(up) {
            left.max(up)
        } else {
            left + up - corner
        };
        let predicted = (predicted + sign * context.correction).clamp(0, self.preset.maximum);
        let k = golomb(context.count, context.errors);
        let mapped = self.bits.golomb(k, self.limit, self.value_bits)?;
        let inverted = self.near == 0 && k == 0 && 2 * context.bias <= -context.count;
        let error = unmapped(mapped as i32, inverted);
        self.contexts[index].update(error, self.near, self.preset.reset)?;
        Ok(self.reconstructed(predicted, sign * error))
    }

    fn quantized(&self, gradient: i32) -> i32 {
        let [first, second, third] = self.preset.thresholds;
        let size = match gradient.abs() {
            size if size <= self.near => 0,
            size if size < first => 1,
            size if size < second => 2,
            size if size < third => 3,
            _ => 4,
        };
        size * gradient.signum()
    }

    fn reconstructed(&self, predicted: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let whole = self.range * step;
        let mut value = predicted + error * step;
        if value < -self.near {
            value += whole;
        } else if value > self.preset.maximum + self.near {
            value -= whole;
        }
        value.clamp(0, self.preset.maximum)
    }

    /// A run and what interrupts it (annex A.7); how many values that are.
    fn run(
        &mut self,
        above: &[i32],
        row: &mut [i32],
        at: usize,
        columns: usize,
    ) -> Result<usize, Broken> {
        let value = row[at - 1];
        let run = self.run_length(columns + 1 - at)?;
        row[at..at + run].fill(value);
        let end = at + run;
        if end > columns {
            return Ok(run);
        }
        let alike = (value - above[end]).abs() <= self.near;
        row[end] = self.interruption(value, above[end], alike)?;
        self.run_index = self.run_index.saturating_sub(1);
        Ok(run + 1)
    }

    fn run_length(&mut self, left: usize) -> Result<usize, Broken> {
        let mut run = 0;
        while self.bits.one()? {
            let step = 1 << RUN_BITS[self.run_index];
            if run + step <= left {
                self.run_index = (self.run_index + 1).min(RUN_BITS.len() - 1);
            }
            // The last step reaches to the end of the row.
            run = (run + step).min(left);
            if run == left {
                return Ok(run);
            }
        }
        let rest = self.bits.number(RUN_BITS[self.run_index])? as usize;
        match run + rest {
            run if run < left => Ok(run),
            _ => Err(Broken("JPEG-LS: a run beyond its row")),
        }
    }

    /// The value behind a run (annex A.7.2).
    fn interruption(&mut self, left: i32, up: i32, alike: bool) -> Result<i32, Broken> {
        let context = self.interrupted[usize::from(alike)];
        let errors = match alike {
            true => context.errors + context.count / 2,
            false => context.errors,
        };
        let k = golomb(context.count, errors);
        let limit = self.limit - u32::from(RUN_BITS[self.run_index]) - 1;
        let mapped = self.bits.golomb(k, limit, self.value_bits)? as i32;
        let with_kind = mapped + i32::from(alike);
        let odd = with_kind % 2 == 1;
        let size = (with_kind + 1) / 2;
        let flipped = k != 0 || 2 * context.negative >= context.count;
        let error = if flipped == odd { -size } else { size };
        let place = &mut self.interrupted[usize::from(alike)];
        if error < 0 {
            place.negative += 1;
        }
        place.errors += (mapped + 1 - i32::from(alike)) / 2;
        if place.count == self.preset.reset {
            place.errors /= 2;
            place.count /= 2;
            place.negative /= 2;
        }
        place.count += 1;
        if alike {
            return Ok(self.reconstructed(left, error));
        }
        let sign = if left > up { -1 } else { 1 };
        Ok(self.reconstructed(up, error * sign))
    }
}

impl Context {
    /// Annex A.6.
    fn update(&mut self, error: i32, near: i32, reset: i32) -> Result<(), Broken> {
        self.bias += error * (2 * near + 1);
        self.errors += error.abs();
        if self.errors > 1 << 24 {
            return Err(Broken("JPEG-LS: errors without end"));
        }
        if self.count == reset {
            self.errors /= 2;
            self.bias >>= 1;
            self.count /= 2;
        }
        self.count += 1;
        if self.bias <= -self.count {
            self.bias = (self.bias + self.count).max(1 - self.count);
            self.correction = (self.correction - 1).max(-128);
        } else if self.bias > 0 {
            self.bias = (self.bias - self.count).min(0);
            self.correction = (self.correction + 1).min(127);
        }
        Ok(())
    }
}

/// Prediction errors are interleaved by sign, in one of two ways (annex A.5.2).
fn unmapped(mapped: i32, inverted: bool) -> i32 {
    match (inverted, mapped % 2) {
        (false, 0) => mapped / 2,
        (false, _) => -(mapped + 1) / 2,
        (true, 0) => -(mapped / 2) - 1,
        (true, _) => (mapped - 1) / 2,
    }
}

/// Rd - Rb, Rb - Rc, Rc - Ra (annex A.3.1).
fn gradients(above: &[i32], row: &[i32], at: usize) -> [i32; 3] {
    [
        above[at + 1] - above[at],
        above[at] - above[at - 1],
        above[at - 1] - row[at - 1],
    ]
}

/// The smallest k for which `count` << k reaches `errors`.
fn golomb(count: i32, errors: i32) -> u8 {
    (0..24).find(|k| count << k >= errors).unwrap_or(24)
}
