//! From a header to what is known, and what is wrong with it.

use super::extensions::Listed;
use super::header::Header;
use super::stored::{self, Stored};
use super::{
    AffineSource, Data, Flag, Format, Layout, Named, NiftiFacts, Orientation, Scaling, Slices,
    SpaceUnit, TimeAxis, TimeUnit, codes, orientation,
};

/// Voxel sizes and steps of the affine may differ by this part, by rounding.
const SIZE_TOLERANCE: f64 = 0.01;

/// Everything that is known of a header and its files.
pub(super) fn facts(header: &Header, stored: Stored, listed: Listed) -> NiftiFacts {
    let (orientation, mut flags) = orientation::of(header);
    let time = time_axis(header);
    flags.extend(doubts(header, &orientation, time.as_ref()));
    let mut problems = problems(header);
    problems.extend(stored.problems.iter().cloned());
    problems.extend(sizes(header, &stored));
    problems.extend(listed.problem);
    let (datatype, bits) =
        codes::datatype(header.format, header.datatype).unwrap_or(("unknown", 0));
    NiftiFacts {
        format: header.format,
        layout: header.layout,
        byte_order: header.byte_order,
        dimensions: dimensions(header).unwrap_or_default(),
        voxel_size: std::array::from_fn(|axis| finite(header.pixdim[axis + 1])),
        space_unit: codes::space_unit(header.units),
        time,
        datatype: named(header.datatype, datatype),
        bits,
        scaling: scaling(header),
        display: display(header),
        orientation,
        slices: slices(header),
        encoding: [
            header.dim_info & 3,
            header.dim_info >> 2 & 3,
            header.dim_info >> 4 & 3,
        ],
        intent: named(header.intent, codes::intent(header.intent)),
        text_fields: header.text.iter().map(|it| (*it).to_owned()).collect(),
        extensions: listed.extensions,
        data: Data {
            offset: stored.offset,
            expected: stored.expected,
            present: stored.present,
        },
        flags,
        problems,
        files: stored.files,
    }
}

fn named(code: i32, name: &str) -> Named {
    Named {
        code,
        name: name.to_owned(),
    }
}

/// JSON has no word for what is not finite; a problem says that it was not.
fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

/// The lengths that count, if there are any and all are positive.
fn dimensions(header: &Header) -> Option<Vec<u64>> {
    let used = usize::try_from(header.dim[0]).ok()?;
    let lengths = header.dim.get(1..=used).filter(|it| !it.is_empty())?;
    let length = |length: &i64| u64::try_from(*length).ok().filter(|it| *it > 0);
    lengths.iter().map(length).collect()
}

fn time_axis(header: &Header) -> Option<TimeAxis> {
    let volumes = *dimensions(header)?.get(3)?;
    (volumes > 1).then(|| TimeAxis {
        volumes,
        step: finite(header.pixdim[4]),
        offset: finite(header.toffset),
        unit: codes::time_unit(header.units),
    })
}

/// A slope of zero says that nothing is scaled; in colours nothing is either.
fn scaling(header: &Header) -> Option<Scaling> {
    let scaled = header.slope != 0.0 && header.slope.is_finite() && header.inter.is_finite();
    let trivial = header.slope == 1.0 && header.inter == 0.0;
    let colour = matches!(header.datatype, 128 | 2304);
    (scaled && !trivial && !colour).then_some(Scaling {
        slope: header.slope,
        intercept: header.inter,
    })
}

fn display(header: &Header) -> Option<[f64; 2]> {
    let [max, min] = header.display;
    (max > min && max.is_finite() && min.is_finite()).then_some([min, max])
}

fn slices(header: &Header) -> Option<Slices> {
    let said = header.slice_code != 0
        || header.slice_end != 0
        || (header.slice_duration != 0.0 && header.slice_duration.is_finite());
    said.then(|| Slices {
        order: named(header.slice_code, codes::slice_order(header.slice_code)),
        first: header.slice_start,
        last: header.slice_end,
        duration: finite(header.slice_duration),
    })
}

/// What is doubtful beside orientation.
fn doubts(header: &Header, orientation: &Orientation, time: Option<&TimeAxis>) -> Vec<Flag> {
    let mut flags = Vec::new();
    if codes::space_unit(header.units) == SpaceUnit::Unknown {
        flags.push(Flag::SpaceUnitUnknown);
    }
    if let (AffineSource::Sform, Some(affine)) = (orientation.source, &orientation.affine) {
        let steps = orientation::steps(affine);
        let differs = |axis: usize| {
            let size = header.pixdim[axis + 1].abs();
            size.is_finite() && (steps[axis] - size).abs() > SIZE_TOLERANCE * size.max(steps[axis])
        };
        if (0..3).any(differs) {
            flags.push(Flag::VoxelSizesDisagree);
        }
    }
    if let Some(time) = time {
        let seconds = match time.unit {
            TimeUnit::Second => Some(time.step),
            TimeUnit::Millisecond => Some(time.step / 1e3),
            TimeUnit::Microsecond => Some(time.step / 1e6),
            _ => None,
        };
        if time.unit == TimeUnit::Unknown {
            flags.push(Flag::TimeUnitUnknown);
        }
        if seconds.is_some_and(|it| it != 0.0 && !(0.001..=60.0).contains(&it)) {
            flags.push(Flag::TimeStepImplausible);
        }
    }
    if header.format == Format::Analyze75 && scaling(header).is_some() {
        flags.push(Flag::SpmScaling);
    }
    flags
}

/// What is wrong with the header itself.
fn problems(header: &Header) -> Vec<String> {
    let mut problems = Vec::new();
    let mut say = |problem: String| problems.push(problem);
    let used = header.dim[0];
    if !(1..=7).contains(&used) {
        say(format!(
            "The number of dimensions is {used}; it must be 1 to 7."
        ));
    } else if dimensions(header).is_none() {
        say("A dimension is shorter than one voxel.".to_owned());
    } else if stored::voxel_bytes(header).is_none()
        && codes::datatype(header.format, header.datatype).is_some()
    {
        say("The dimensions multiply to more bytes than any file can have.".to_owned());
    }
    match codes::datatype(header.format, header.datatype) {
        None => say(format!("There is no data type {}.", header.datatype)),
        Some((name, bits)) if i64::from(bits) != i64::from(header.bitpix) => say(format!(
            "The data type {name} has {bits} bits, and the header says {}.",
            header.bitpix
        )),
        Some(_) => {}
    }
    let used = usize::try_from(used).unwrap_or(0).min(7);
    for axis in 1..=used.min(3) {
        let size = header.pixdim[axis];
        if !size.is_finite() {
            say(format!(
                "The voxel size along axis {axis} is not a finite number."
            ));
        } else if size <= 0.0 && header.dim[axis] > 1 {
            say(format!("The voxel size along axis {axis} is {size}."));
        }
    }
    if used >= 4 && header.dim[4] > 1 && !header.pixdim[4].is_finite() {
        say("The step in time is not a finite number.".to_owned());
    } else if used >= 4 && header.dim[4] > 1 && header.pixdim[4] <= 0.0 {
        say(format!("The step in time is {}.", header.pixdim[4]));
    }
    if !header.slope.is_finite() || !header.inter.is_finite() {
        say("The scaling is not a finite number.".to_owned());
    }
    problems.extend(wrong_orientation(header));
    problems.extend(wrong_slices(header));
    problems
}

fn wrong_orientation(header: &Header) -> Vec<String> {
    let mut problems = Vec::new();
    if header.qform_code > 0 {
        let numbers = header.quatern.iter().chain(&header.qoffset);
        if !numbers.clone().all(|it| it.is_finite()) {
            problems.push("The qform holds a number that is not finite.".to_owned());
        } else if !orientation::quaternion_is_unit(header) {
            problems.push("The quaternion of the qform is longer than one.".to_owned());
        }
        // Anything but 1 and -1 counts as 1, but zero is so common that it means nothing.
        if ![1.0, -1.0, 0.0].contains(&header.pixdim[0]) {
            problems.push(
                "The sign of the qform's third axis (pixdim[0]) is neither 1 nor -1.".to_owned(),
            );
        }
    }
    if header.sform_code > 0 && !header.srow.iter().flatten().all(|it| it.is_finite()) {
        problems.push("The sform holds a number that is not finite.".to_owned());
    }
    for (name, code) in [
        ("sform_code", header.sform_code),
        ("qform_code", header.qform_code),
    ] {
        if !(0..=5).contains(&code) {
            problems.push(format!("{name} is {code}; it must be 0 to 5."));
        }
    }
    problems
}

fn wrong_slices(header: &Header) -> Option<String> {
    if header.slice_code == 0 {
        return None;
    }
    if !(0..=6).contains(&header.slice_code) {
        return Some(format!(
            "There is no order of slices {}.",
            header.slice_code
        ));
    }
    let axis = usize::from(header.dim_info >> 4 & 3);
    let along = header.dim[if axis == 0 { 3 } else { axis }];
    let within = (0..=header.slice_end).contains(&header.slice_start) && header.slice_end < along;
    (!within).then(|| "The slices that were acquired in order reach beyond the volume.".to_owned())
}

/// What is wrong with the voxels' place and length.
fn sizes(header: &Header, stored: &Stored) -> Vec<String> {
    let mut problems = Vec::new();
    let offset = header.vox_offset;
    if !offset.is_finite() || offset < 0.0 || offset.fract() != 0.0 {
        problems.push(
            "The place of the voxels (vox_offset) is not a whole positive number.".to_owned(),
        );
    } else if header.layout == Layout::Single && offset < stored.offset as f64 {
        problems.push(format!(
            "The voxels begin at byte {offset}, inside the header; byte {} is taken.",
            stored.offset
        ));
    }
    let missing = stored.problems.iter().any(|it| it.contains("is missing"));
    match (stored.expected, stored.present) {
        (Some(expected), Some(present)) if present < expected && !missing => problems.push(
            format!("Truncated: the voxels need {expected} bytes and there are {present}."),
        ),
        (Some(expected), Some(present)) if present > expected => problems.push(format!(
            "{} bytes follow the voxels that the header does not account for.",
            present - expected
        )),
        _ => {}
    }
    problems
}
