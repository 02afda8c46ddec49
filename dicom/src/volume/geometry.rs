//! Slices in their order along the normal, and the affine that follows.

use super::Unsuitable;
use super::fourth::Weighting;
use super::frames::{Frame, Plane, Series};
use crate::nifti::Affine;
use crate::nifti::orientation::distance;

/// Positions that differ by less are the same, in millimetres: scanners write two or three decimals.
const SAME_MM: f64 = 0.01;
/// By how much of their distance slices may be off, beside [`SAME_MM`].
const SPACING_TOLERANCE: f64 = 0.01;
/// How far the last slice may be shifted in its plane against the first, in pixels.
const SHIFT_PIXELS: f64 = 0.1;

/// Slices of a volume.
pub(super) struct Stack {
    /// The frames of each position, along the normal.
    pub(super) positions: Vec<Vec<Frame>>,
    /// Columns, rows, slices.
    pub(super) size: [usize; 3],
    pub(super) voxel_mm: [f64; 3],
    pub(super) affine: Affine,
    pub(super) notes: Vec<String>,
    /// Unit vectors of the stored axes in DICOM's coordinates.
    axes: [[f64; 3]; 3],
}

/// Arranges the frames of a series.
pub(super) fn arrange(series: &Series) -> Result<Stack, Unsuitable> {
    let Plane { along, spacing } = series.plane;
    let [row, column] = along.map(unit);
    let normal = unit(cross(row, column));
    let positions = by_position(series.frames.clone(), normal)?;
    let at = |slice: &Vec<Frame>| slice[0].position;
    let step = match &positions[..] {
        [] => return Err(Unsuitable::Nothing),
        [_] => single_step(series)?,
        slices => equal_step(&slices.iter().map(at).collect::<Vec<_>>(), normal, spacing)?,
    };
    let mut notes = Vec::new();
    if let (Some(said), true) = (series.spacing_mm, positions.len() > 1)
        && (said.abs() - step).abs() > SAME_MM + SPACING_TOLERANCE * step
    {
        notes.push(format!(
            "Spacing Between Slices is {said} mm, and the positions are {step:.3} mm apart; positions count."
        ));
    }
    let rows = usize::from(series.format.rows);
    // The row that is stored first is the last one.
    let down = scaled(column, spacing[0] * (rows as f64 - 1.0));
    let first = add(at(&positions[0]), down);
    let axes = [row, scaled(column, -1.0), normal];
    let voxel_mm = [spacing[1], spacing[0], step];
    let columns: [[f64; 3]; 3] = std::array::from_fn(|axis| scaled(axes[axis], voxel_mm[axis]));
    // Right is minus left, front is minus back.
    let affine = std::array::from_fn(|i| {
        let sign = if i < 2 { -1.0 } else { 1.0 };
        [columns[0][i], columns[1][i], columns[2][i], first[i]].map(|it| sign * it + 0.0)
    });
    Ok(Stack {
        size: [usize::from(series.format.columns), rows, positions.len()],
        positions,
        voxel_mm,
        affine,
        notes,
        axes,
    })
}

impl Stack {
    /// Diffusion directions along the stored axes, as FSL wants them for left-handed volumes.
    pub(super) fn in_image_axes(&self, weightings: Vec<Weighting>) -> Vec<Weighting> {
        let turn = |direction| self.axes.map(|axis| dot(axis, direction));
        let turned = weightings.into_iter().map(|it| Weighting {
            direction: it.direction.map(turn),
            ..it
        });
        turned.collect()
    }
}

/// Frames by their height along the normal.
fn by_position(mut frames: Vec<Frame>, normal: [f64; 3]) -> Result<Vec<Vec<Frame>>, Unsuitable> {
    let height = |frame: &Frame| dot(frame.position, normal);
    frames.sort_by(|a, b| height(a).total_cmp(&height(b)));
    let mut positions: Vec<Vec<Frame>> = Vec::new();
    for frame in frames {
        match positions.last_mut() {
            Some(slice) if height(&frame) - height(&slice[0]) < SAME_MM => {
                if distance(frame.position, slice[0].position) > 2.0 * SAME_MM {
                    return Err(Unsuitable::Mixed("position within the same plane"));
                }
                slice.push(frame);
            }
            _ => positions.push(vec![frame]),
        }
    }
    let lengths = || positions.iter().map(Vec::len);
    let (least, most) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
    if least != most {
        return Err(Unsuitable::Uneven { least, most });
    }
    Ok(positions)
}

/// The distance between slices, if it is always the same and along the normal.
fn equal_step(at: &[[f64; 3]], normal: [f64; 3], spacing: [f64; 2]) -> Result<f64, Unsuitable> {
    let first = at[0];
    let heights: Vec<f64> = at
        .iter()
        .map(|it| dot(subtract(*it, first), normal))
        .collect();
    let steps: Vec<f64> = heights.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let least = steps.iter().copied().fold(f64::INFINITY, f64::min);
    let most = steps.iter().copied().fold(0.0, f64::max);
    let last = heights[heights.len() - 1];
    let mean = last / steps.len() as f64;
    let tolerance = SAME_MM + SPACING_TOLERANCE * mean;
    let off = heights
        .iter()
        .enumerate()
        .any(|(i, height)| (height - mean * i as f64).abs() > tolerance);
    if off || most - least > 2.0 * tolerance {
        return Err(unequal(&heights, &steps, least, most));
    }
    // How far the line through the slices leaves the normal.
    let shift = |it: &[f64; 3]| {
        let from_first = subtract(*it, first);
        let along = scaled(normal, dot(from_first, normal));
        distance(from_first, along)
    };
    let shifted = at.iter().map(shift).fold(0.0, f64::max);
    if shifted > SHIFT_PIXELS * spacing[0].min(spacing[1]) + SAME_MM {
        let degrees = shifted.atan2(last).to_degrees();
        return Err(Unsuitable::Tilted { degrees });
    }
    Ok(mean)
}

/// A gap of whole slices is told as such.
fn unequal(heights: &[f64], steps: &[f64], least: f64, most: f64) -> Unsuitable {
    let whole =
        |step: &f64| ((step / least).round() - step / least).abs() < 2.0 * SPACING_TOLERANCE;
    let widest = steps.iter().position(|step| *step >= most);
    match widest {
        Some(at) if steps.iter().all(whole) && most / least < 1e6 => Unsuitable::Gap {
            missing: ((most / least).round() as usize).saturating_sub(1),
            from: heights[at],
            to: heights[at + 1],
        },
        _ => Unsuitable::Unequal { least, most },
    }
}

/// A single slice is as thick as its header says.
fn single_step(series: &Series) -> Result<f64, Unsuitable> {
    let stated = series.spacing_mm.or(series.thickness_mm).map(f64::abs);
    let none = || Unsuitable::File(1, "a single slice without a thickness".to_owned());
    stated.filter(|it| *it > 0.0).ok_or_else(none)
}

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

pub(super) fn scaled(a: [f64; 3], by: f64) -> [f64; 3] {
    a.map(|it| it * by)
}

pub(super) fn add(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| a[i] + b[i])
}

fn subtract(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| a[i] - b[i])
}

fn unit(a: [f64; 3]) -> [f64; 3] {
    scaled(a, 1.0 / dot(a, a).sqrt())
}
