//! Where voxels lie: the three methods of NIfTI, and what is doubtful about them.
//!
//! `nifti1.h`, "3D image (volume) orientation and location in space". Coordinates go to the right,
//! to the front and to the head (RAS).

use super::header::Header;
use super::{AffineSource, Flag, Format, Named, Orientation, codes};

/// The rows of a matrix from voxel indices, counted from zero, to coordinates.
pub type Affine = [[f64; 4]; 3];

/// Rounding of 32-bit numbers leaves less than this of a quaternion's or a direction's length.
const ROUNDING: f64 = 1e-4;

/// What a header says of orientation, and what it leaves open.
pub(super) fn of(header: &Header) -> (Orientation, Vec<Flag>) {
    let mut flags = Vec::new();
    let (source, affine) = match header.format {
        Format::Analyze75 => (AffineSource::None, None),
        _ if header.sform_code > 0 => (AffineSource::Sform, Some(header.srow)),
        _ if header.qform_code > 0 => (AffineSource::Qform, Some(qform(header))),
        _ => (AffineSource::VoxelSizes, Some(by_voxel_sizes(header))),
    };
    let affine = affine.filter(|it| it.iter().flatten().all(|number| number.is_finite()));
    let flat = affine.is_some_and(|it| is_flat(&it));
    match source {
        AffineSource::Sform | AffineSource::Qform => {
            if flat {
                flags.push(Flag::DeterminantZero);
            }
            if affine.is_none() || flat {
                flags.push(Flag::LeftRightUnknown);
            }
        }
        AffineSource::VoxelSizes => flags.extend([Flag::NoOrientation, Flag::LeftRightUnknown]),
        AffineSource::None => flags.extend(of_analyze(header)),
    }
    flags.extend(disagreement(header));
    let stated = matches!(source, AffineSource::Sform | AffineSource::Qform) && !flat;
    let orientation = Orientation {
        sform: named_space(header.sform_code),
        qform: named_space(header.qform_code),
        source,
        affine,
        axes: affine.filter(|_| stated).map(|it| axes(&it)),
        radiological: affine.filter(|_| stated).map(|it| determinant(&it) < 0.0),
    };
    (orientation, flags)
}

fn named_space(code: i32) -> Named {
    Named {
        code,
        name: codes::space(code).to_owned(),
    }
}

/// Analyze says at most in which plane slices were made. In it, left is whatever the maker's
/// convention says.
fn of_analyze(header: &Header) -> Vec<Flag> {
    let mut flags = vec![Flag::AnalyzeWithoutOrientation, Flag::LeftRightUnknown];
    let Some(analyze) = header.analyze else {
        return flags;
    };
    // Zero is transverse, and what a header holds of which nobody thought.
    if analyze.orient != 0 {
        flags.push(Flag::AnalyzeOrient(analyze.orient));
    }
    if analyze.origin != [0; 3] && !header.text.contains(&"originator") {
        flags.push(Flag::SpmOrigin(analyze.origin));
    }
    flags
}

/// Method 2: a rotation by a unit quaternion whose first part is left out, and voxel sizes.
pub(super) fn qform(header: &Header) -> Affine {
    let [b, c, d] = header.quatern;
    let squares = b * b + c * c + d * d;
    // Beyond one by rounding: a half turn.
    let (a, [b, c, d]) = if squares > 1.0 {
        (0.0, [b, c, d].map(|it| it / squares.sqrt()))
    } else {
        ((1.0 - squares).sqrt(), [b, c, d])
    };
    let rotation = [
        [
            a * a + b * b - c * c - d * d,
            2.0 * (b * c - a * d),
            2.0 * (b * d + a * c),
        ],
        [
            2.0 * (b * c + a * d),
            a * a + c * c - b * b - d * d,
            2.0 * (c * d - a * b),
        ],
        [
            2.0 * (b * d - a * c),
            2.0 * (c * d + a * b),
            a * a + d * d - b * b - c * c,
        ],
    ];
    let [qfac, x, y, z, ..] = header.pixdim;
    let sizes = [x, y, if qfac < 0.0 { -z } else { z }];
    std::array::from_fn(|row| {
        let [i, j, k] = std::array::from_fn(|column| rotation[row][column] * sizes[column]);
        [i, j, k, header.qoffset[row]]
    })
}

/// Method 1: only sizes. Which way the axes go is not said.
fn by_voxel_sizes(header: &Header) -> Affine {
    let [_, x, y, z, ..] = header.pixdim;
    [[x, 0.0, 0.0, 0.0], [0.0, y, 0.0, 0.0], [0.0, 0.0, z, 0.0]]
}

/// Whether the quaternion is one: the squares of its parts are at most one.
pub(super) fn quaternion_is_unit(header: &Header) -> bool {
    let squares: f64 = header.quatern.iter().map(|it| it * it).sum();
    squares <= 1.0 + ROUNDING
}

/// How far sform and qform lead apart at the corners of the volume, if that is more than half a
/// voxel. They may, if they lead to different spaces.
fn disagreement(header: &Header) -> Option<Flag> {
    if header.sform_code <= 0 || header.qform_code <= 0 {
        return None;
    }
    let (sform, qform) = (header.srow, qform(header));
    let last = |axis: usize| (header.dim[axis].clamp(1, i64::from(u32::MAX)) - 1) as f64;
    let corner = |index: usize| {
        let choose = |axis: usize| {
            if index >> axis & 1 == 1 {
                last(axis + 1)
            } else {
                0.0
            }
        };
        [choose(0), choose(1), choose(2)]
    };
    let apart = |at: [f64; 3]| distance(place(&sform, at), place(&qform, at));
    let apart = (0..8).map(|index| apart(corner(index))).fold(0.0, f64::max);
    let smallest = header.pixdim[1..4]
        .iter()
        .fold(f64::INFINITY, |a, b| a.min(b.abs()));
    // Numbers that lead nowhere are a problem of their own.
    (apart.is_finite() && apart > smallest / 2.0).then_some(Flag::SformAndQformDisagree {
        apart,
        same_space: header.sform_code == header.qform_code,
    })
}

/// Where a voxel lies.
pub(crate) fn place(affine: &Affine, at: [f64; 3]) -> [f64; 3] {
    affine.map(|row| row[0] * at[0] + row[1] * at[1] + row[2] * at[2] + row[3])
}

pub(crate) fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    squares.sqrt()
}

/// How long the step to the next voxel is, along each axis.
pub(super) fn steps(affine: &Affine) -> [f64; 3] {
    std::array::from_fn(|axis| {
        affine
            .iter()
            .map(|row| row[axis] * row[axis])
            .sum::<f64>()
            .sqrt()
    })
}

fn determinant(affine: &Affine) -> f64 {
    let [a, b, c] = affine;
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
}

/// Whether the axes lie in a plane, whatever the voxels' size is.
fn is_flat(affine: &Affine) -> bool {
    let volume: f64 = steps(affine).iter().product();
    volume <= 0.0 || (determinant(affine) / volume).abs() < ROUNDING
}

/// Which way each axis goes, such as `RAS`: of all ways to give each its own direction, the one in
/// which they go that way the most.
fn axes(affine: &Affine) -> String {
    const ORDERS: [[usize; 3]; 6] = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let steps = steps(affine);
    let along = |axis: usize, row: usize| affine[row][axis] / steps[axis];
    let sum = |order: &[usize; 3]| {
        (0..3)
            .map(|axis| along(axis, order[axis]).abs())
            .sum::<f64>()
    };
    let best = ORDERS.iter().max_by(|a, b| sum(a).total_cmp(&sum(b)));
    let letter = |(axis, row): (usize, &usize)| {
        let [back, forth] = [['L', 'R'], ['P', 'A'], ['I', 'S']][*row];
        if along(axis, *row) < 0.0 { back } else { forth }
    };
    best.unwrap_or(&ORDERS[0])
        .iter()
        .enumerate()
        .map(letter)
        .collect()
}
