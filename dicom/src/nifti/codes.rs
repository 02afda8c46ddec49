//! The numbers of the standards by name: data types, units, intents, spaces, extensions.

use super::{Format, SpaceUnit, TimeUnit};

/// Name and bits of a data type (`datatype`); `None` if the format has no such type.
pub(super) fn datatype(format: Format, code: i32) -> Option<(&'static str, u32)> {
    let analyze = matches!(code, 1 | 2 | 4 | 8 | 16 | 32 | 64 | 128);
    if format == Format::Analyze75 && !analyze {
        return None;
    }
    Some(match code {
        1 => ("binary", 1),
        2 => ("uint8", 8),
        4 => ("int16", 16),
        8 => ("int32", 32),
        16 => ("float32", 32),
        32 => ("complex64", 64),
        64 => ("float64", 64),
        128 => ("rgb24", 24),
        256 => ("int8", 8),
        512 => ("uint16", 16),
        768 => ("uint32", 32),
        1024 => ("int64", 64),
        1280 => ("uint64", 64),
        1536 => ("float128", 128),
        1792 => ("complex128", 128),
        2048 => ("complex256", 256),
        2304 => ("rgba32", 32),
        _ => return None,
    })
}

/// The unit of space in `xyzt_units`.
pub(super) fn space_unit(units: i32) -> SpaceUnit {
    match units & 0x07 {
        1 => SpaceUnit::Metre,
        2 => SpaceUnit::Millimetre,
        3 => SpaceUnit::Micrometre,
        _ => SpaceUnit::Unknown,
    }
}

/// The unit of the fourth dimension in `xyzt_units`.
pub(super) fn time_unit(units: i32) -> TimeUnit {
    match units & 0x38 {
        8 => TimeUnit::Second,
        16 => TimeUnit::Millisecond,
        24 => TimeUnit::Microsecond,
        32 => TimeUnit::Hertz,
        40 => TimeUnit::PartsPerMillion,
        48 => TimeUnit::RadianPerSecond,
        _ => TimeUnit::Unknown,
    }
}

/// Analyze names the unit of space in four letters, `vox_units`.
pub(super) fn analyze_units(units: [u8; 4]) -> i32 {
    match units.split(|byte| *byte == 0 || *byte == b' ').next() {
        Some(b"m") => 1,
        Some(b"mm") => 2,
        Some(b"um") => 3,
        _ => 0,
    }
}

/// What coordinates an affine leads to (`qform_code`, `sform_code`).
pub(super) fn space(code: i32) -> &'static str {
    match code {
        0 => "none",
        1 => "scanner",
        2 => "aligned to another image",
        3 => "Talairach",
        4 => "MNI 152",
        5 => "another template",
        _ => "unknown",
    }
}

/// What the values mean (`intent_code`).
pub(super) fn intent(code: i32) -> &'static str {
    match code {
        0 => "none",
        2 => "correlation",
        3 => "t test",
        4 => "F test",
        5 => "z score",
        6 => "chi squared",
        7 => "beta distribution",
        8 => "binomial distribution",
        9 => "gamma distribution",
        10 => "Poisson distribution",
        11 => "normal distribution",
        12 => "noncentral F",
        13 => "noncentral chi squared",
        14 => "logistic distribution",
        15 => "Laplace distribution",
        16 => "uniform distribution",
        17 => "noncentral t",
        18 => "Weibull distribution",
        19 => "chi distribution",
        20 => "inverse Gaussian distribution",
        21 => "extreme value distribution",
        22 => "p value",
        23 => "natural logarithm of p",
        24 => "decimal logarithm of p",
        1001 => "estimate",
        1002 => "labels",
        1003 => "NeuroNames labels",
        1004 => "matrices",
        1005 => "symmetric matrices",
        1006 => "displacement vectors",
        1007 => "vectors",
        1008 => "points",
        1009 => "triangles",
        1010 => "quaternions",
        1011 => "without dimension",
        2001 => "time series",
        2002 => "node indices",
        2003 => "RGB vectors",
        2004 => "RGBA vectors",
        2005 => "shape",
        3001..=3015 => "connectivity (CIFTI)",
        _ => "unknown",
    }
}

/// In which order slices were acquired (`slice_code`).
pub(super) fn slice_order(code: i32) -> &'static str {
    match code {
        0 => "unknown",
        1 => "sequential, increasing",
        2 => "sequential, decreasing",
        3 => "alternating, increasing",
        4 => "alternating, decreasing",
        5 => "alternating, increasing, from the second",
        6 => "alternating, decreasing, from the second but last",
        _ => "undefined",
    }
}

/// Who extends a header, and with what (`ecode`).
pub(super) fn extension(ecode: i32) -> &'static str {
    match ecode {
        0 => "unknown",
        2 => "DICOM",
        4 => "AFNI",
        6 => "comment",
        8 => "XCEDE",
        10 => "JIM dimensions",
        12 => "workflow",
        14 => "FreeSurfer",
        16 => "Python pickle",
        18 => "MiND",
        20 => "MiND b value",
        22 => "MiND direction",
        24 => "MiND tensor component",
        26 => "MiND spherical harmonics",
        28 => "VoxBo",
        30 => "Caret",
        32 => "CIFTI",
        34 => "variable frame timing",
        38 => "evaluation",
        40 => "MATLAB",
        42 => "Quantiphyse",
        44 => "spectroscopy",
        _ => "unregistered",
    }
}
