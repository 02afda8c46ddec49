//! What is known of a volume's files. All of it may be shown to people: none of it is text of theirs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::orientation::Affine;

/// What a file of NIfTI or Analyze, or a pair of them, says and is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NiftiFacts {
    /// Of the three.
    pub format: Format,
    /// One file or two.
    pub layout: Layout,
    /// Of header and voxels.
    pub byte_order: ByteOrder,
    /// The files, the header's first.
    pub files: Vec<StoredFile>,
    /// Lengths of the dimensions: three of space, then time, then others. Empty if they make no sense.
    pub dimensions: Vec<u64>,
    /// Steps along the dimensions of space, as written.
    pub voxel_size: [f64; 3],
    /// In which unit, which is that of the affine as well.
    pub space_unit: SpaceUnit,
    /// The fourth dimension, if it is longer than one.
    pub time: Option<TimeAxis>,
    /// Of a voxel (`datatype`), such as `int16`.
    pub datatype: Named,
    /// Bits of a voxel by its data type.
    pub bits: u32,
    /// What makes values of stored numbers; absent if they are the values.
    pub scaling: Option<Scaling>,
    /// From and to where values are to be displayed, if it is stated (`cal_min`, `cal_max`).
    pub display: Option<[f64; 2]>,
    /// Where voxels lie.
    pub orientation: Orientation,
    /// How slices were acquired, if the header says anything of it.
    pub slices: Option<Slices>,
    /// Which dimensions are those of frequency, phase and slice encoding: 1 to 3, 0 if unknown.
    pub encoding: [u8; 3],
    /// What the values mean (`intent_code`).
    pub intent: Named,
    /// Names of the header's fields that hold text, such as `descrip` or Analyze's `patient_id`.
    pub text_fields: Vec<String>,
    /// Header extensions, in their order.
    pub extensions: Vec<Extension>,
    /// How long the voxels must be and are.
    pub data: Data,
    /// What is doubtful about orientation and units, and was not guessed.
    pub flags: Vec<Flag>,
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
}

/// The three formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// NIfTI-1, and 1.1.
    #[serde(rename = "NIfTI-1")]
    Nifti1,
    /// NIfTI-2.
    #[serde(rename = "NIfTI-2")]
    Nifti2,
    /// Analyze 7.5.
    #[serde(rename = "Analyze 7.5")]
    Analyze75,
}

/// How many files there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Header and voxels in one (`.nii`).
    Single,
    /// One each (`.hdr` and `.img`).
    Pair,
}

/// In which order the bytes of numbers stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByteOrder {
    /// The lowest first.
    Little,
    /// The highest first.
    Big,
}

/// A file as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// What it holds.
    pub role: Role,
    /// Its path as it was given or found. Names of files may name people.
    #[serde(skip)]
    pub path: std::path::PathBuf,
    /// Bytes.
    pub size: u64,
    /// Whether it is a gzip stream.
    pub gzip: bool,
    /// SHA-1 in hexadecimal digits, if the file was read to its end.
    pub sha1: Option<String>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Header and voxels.
    Whole,
    /// The header of a pair.
    Header,
    /// The voxels of a pair.
    Voxels,
}

/// A unit of space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpaceUnit {
    /// Metres.
    #[serde(rename = "m")]
    Metre,
    /// Millimetres.
    #[serde(rename = "mm")]
    Millimetre,
    /// Micrometres.
    #[serde(rename = "um")]
    Micrometre,
    /// Not stated, or a number that means nothing. Most often millimetres are meant.
    #[serde(rename = "unknown")]
    Unknown,
}

/// A unit of the fourth dimension, which is not always time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Second,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millisecond,
    /// Microseconds.
    #[serde(rename = "us")]
    Microsecond,
    /// Hertz.
    #[serde(rename = "Hz")]
    Hertz,
    /// Parts per million.
    #[serde(rename = "ppm")]
    PartsPerMillion,
    /// Radians per second.
    #[serde(rename = "rad/s")]
    RadianPerSecond,
    /// Not stated, or a number that means nothing.
    #[serde(rename = "unknown")]
    Unknown,
}

/// The fourth dimension.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimeAxis {
    /// How many volumes.
    pub volumes: u64,
    /// From one to the next, as written (`pixdim[4]`): of a time series, the repetition time.
    pub step: f64,
    /// Where the first stands (`toffset`).
    pub offset: f64,
    /// In which unit.
    pub unit: TimeUnit,
}

/// A number of a standard and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// As written.
    pub code: i32,
    /// In English.
    pub name: String,
}

/// A value is a stored number times `slope` plus `intercept`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// `scl_slope`.
    pub slope: f64,
    /// `scl_inter`.
    pub intercept: f64,
}

/// Where voxels lie in space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Orientation {
    /// The space to which the affine leads that is written in full (`sform_code`).
    pub sform: Named,
    /// The space to which the rotation leads (`qform_code`).
    pub qform: Named,
    /// Which of them counts: sform before qform.
    pub source: AffineSource,
    /// From voxel indices to coordinates (right, front, head), in the unit of space. Without a space
    /// these are the voxel sizes alone; absent for Analyze, and if a number is not finite.
    pub affine: Option<Affine>,
    /// Which way the axes go, such as `RAS`; absent if that is not stated.
    pub axes: Option<String>,
    /// Whether stored axes are left-handed, as radiologists look at slices; absent if not stated.
    pub radiological: Option<bool>,
}

/// Where the affine comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AffineSource {
    /// `srow_x`, `srow_y`, `srow_z`.
    Sform,
    /// Quaternion, offset and voxel sizes.
    Qform,
    /// Voxel sizes alone: method 1 of the standard, for files without orientation.
    VoxelSizes,
    /// Nothing; Analyze.
    None,
}

/// How slices were acquired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slices {
    /// `slice_code`.
    pub order: Named,
    /// The first, from zero.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// How long one takes, in the unit of time.
    pub duration: f64,
}

/// A header extension; what is in it is not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// `ecode`, and whose it is.
    pub kind: Named,
    /// Bytes, with the eight that say this.
    pub size: u64,
}

/// The voxels' bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Where they begin, after inflating.
    pub offset: u64,
    /// How many there must be; absent if the header's numbers make no sense.
    pub expected: Option<u64>,
    /// How many there are; absent for compressed files that were not read to their end.
    pub present: Option<u64>,
}

/// What is doubtful. Nothing is guessed: where one of these stands, a person must decide.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// `sform_code` and `qform_code` are both 0.
    NoOrientation,
    /// Analyze does not say how its axes lie.
    AnalyzeWithoutOrientation,
    /// Analyze's `orient`: the plane of slices, of which 3 to 5 are flipped; or another number.
    AnalyzeOrient(u8),
    /// The voxel of the origin, as SPM writes it, counted from one.
    SpmOrigin([i16; 3]),
    /// Which side is left is not stated.
    LeftRightUnknown,
    /// Both affines are given and lead apart by this much, in the unit of space.
    SformAndQformDisagree {
        /// At the corner where it is the most.
        apart: f64,
        /// Whether they claim to lead to the same space.
        same_space: bool,
    },
    /// Axes that lie in a plane: the affine is no map of a volume.
    DeterminantZero,
    /// The affine's steps are not the voxel sizes.
    VoxelSizesDisagree,
    /// The unit of space is not stated.
    SpaceUnitUnknown,
    /// There is a fourth dimension, and its unit is not stated.
    TimeUnitUnknown,
    /// A step in time of more than a minute, or less than a millisecond: seconds and milliseconds may
    /// have been confused.
    TimeStepImplausible,
    /// `funused1` of Analyze holds SPM's scale factor, which other programs do not apply.
    SpmScaling,
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOrientation => {
                f.write_str("Orientation is not stated: sform_code and qform_code are 0.")
            }
            Self::AnalyzeWithoutOrientation => {
                f.write_str("Analyze 7.5 does not state orientation.")
            }
            Self::AnalyzeOrient(orient) => {
                let plane = match orient {
                    0 => "transverse",
                    1 => "coronal",
                    2 => "sagittal",
                    3 => "transverse, flipped",
                    4 => "coronal, flipped",
                    5 => "sagittal, flipped",
                    _ => "of no meaning",
                };
                write!(f, "The field orient is {orient} ({plane}); programs differ in heeding it.")
            }
            Self::SpmOrigin([x, y, z]) => {
                write!(f, "SPM's origin is voxel {x}, {y}, {z}; it does not state which side is left.")
            }
            Self::LeftRightUnknown => f.write_str("Which side is left is not stated."),
            Self::SformAndQformDisagree { apart, same_space } => {
                let spaces = if *same_space { "the same space" } else { "different spaces" };
                write!(f, "sform and qform, of {spaces}, lead {apart:.2} units apart.")
            }
            Self::DeterminantZero => f.write_str("The affine is flat: its determinant is zero."),
            Self::VoxelSizesDisagree => {
                f.write_str("Voxel sizes in pixdim are not those of the affine.")
            }
            Self::SpaceUnitUnknown => f.write_str("The unit of voxel sizes is not stated."),
            Self::TimeUnitUnknown => f.write_str("The unit of the fourth dimension is not stated."),
            Self::TimeStepImplausible => f.write_str(
                "The step in time is more than a minute or less than a millisecond: its unit may be wrong.",
            ),
            Self::SpmScaling => {
                f.write_str("A scale factor as SPM writes it; other programs do not apply it.")
            }
        }
    }
}
