//! A DICOM series as a volume: planned from headers, written slice by slice as NIfTI-1.
//!
//! The plan either holds exactly or there is none: slices that are missing, doubled, unequally spaced
//! or sheared, and images that differ in more than one way, are refused with a sentence. Nothing is
//! resampled, and stored numbers are kept wherever one scaling holds for all of them.
//!
//! Geometry is that of the Image Plane module (PS3.3 section C.7.6.2): DICOM's coordinates go to the
//! left, to the back and to the head, those of NIfTI to the right and to the front. Rows are written
//! from the last to the first, so that the stored axes are those of an Analyze file, and slices along
//! the normal, as `dcm2niix` does.

mod fourth;
mod frames;
mod geometry;
mod groups;
mod mosaic;
mod pixels;
mod sidecar;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};

pub use fourth::{FourthDimension, Weighting};
pub use pixels::{NoPixels, native_only};
pub use write::WriteFault;

use super::nifti::Affine;
use super::uid::Uid;
use super::walk::WalkError;

use frames::{Frame, PixelFormat, SourceFile};

/// Decodes a frame (counted from zero) of a file whose pixel data is compressed.
///
/// It gives the frame as it would stand uncompressed in explicit VR little endian: Bits Allocated for
/// each sample, the samples of a pixel side by side, colour as RGB. Its error is a sentence without
/// anything that the file says.
pub type FrameDecoder<'a> = dyn FnMut(&Path, u32) -> Result<Vec<u8>, String> + 'a;

/// How a series becomes a volume.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Columns, rows, slices.
    pub size: [u16; 3],
    /// How many volumes.
    pub volumes: u16,
    /// What tells them apart, if there are several.
    pub fourth: Option<FourthDimension>,
    /// Step between columns, rows and slices, in millimetres.
    pub voxel_mm: [f64; 3],
    /// From voxel indices to millimetres to the right, front and head.
    pub affine: Affine,
    /// How a voxel is stored (`datatype` of NIfTI) and how many bytes it takes.
    pub datatype: (i16, u8),
    /// Slope and intercept of all stored numbers; `None` if they differ from slice to slice, so that
    /// values are written (float32), and for colour.
    pub rescale: Option<(f64, f64)>,
    /// Diffusion weighting of each volume, if every image states it.
    pub diffusion: Option<Vec<Weighting>>,
    /// Study Instance UID.
    pub study_instance_uid: Uid,
    /// Series Instance UID.
    pub series_instance_uid: Uid,
    /// SOP Instance UIDs that the volume is made of, sorted: what an XFRM association points from.
    pub source_instance_uids: Vec<Uid>,
    /// Whether a decoder is needed to write it.
    pub compressed: bool,
    /// What is worth saying and no reason to refuse.
    pub notes: Vec<String>,
    sidecar: serde_json::Map<String, serde_json::Value>,
    dim_info: u8,
    format: PixelFormat,
    files: Vec<SourceFile>,
    /// Volume by volume, slices along the normal.
    frames: Vec<Frame>,
}

/// Why files are no volume. Files are named by their place in the list, from one.
#[derive(Debug, thiserror::Error)]
pub enum Unsuitable {
    /// An empty list.
    #[error("there are no images")]
    Nothing,
    /// A file that cannot be walked.
    #[error("file {0}: {1}")]
    Walk(usize, WalkError),
    /// A file that has not what a slice needs.
    #[error("file {0}: {1}")]
    File(usize, String),
    /// Images that do not belong into one volume.
    #[error("the images differ in {0}")]
    Mixed(&'static str),
    /// The same instance in two files.
    #[error("an instance is there twice (file {0})")]
    Doubled(usize),
    /// A position is missing among equally spaced ones.
    #[error("{missing} slices are missing between {from:.2} and {to:.2} mm along the normal")]
    Gap {
        /// How many.
        missing: usize,
        /// Below the gap, from the first slice.
        from: f64,
        /// Above it.
        to: f64,
    },
    /// Distances between slices differ.
    #[error("slices are not equally spaced: {least:.3} to {most:.3} mm")]
    Unequal {
        /// The smallest distance.
        least: f64,
        /// The largest.
        most: f64,
    },
    /// Slices are shifted against each other in their plane.
    #[error(
        "slices are shifted along their plane, by {degrees:.2} degrees from the normal (a tilted gantry?)"
    )]
    Tilted {
        /// Between the line through the slices and the normal.
        degrees: f64,
    },
    /// Not as many images at each position.
    #[error("there are {least} to {most} images at a position: some are missing or doubled")]
    Uneven {
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
    },
    /// Several images at each position, and nothing or too much tells them apart.
    #[error("there are {0} images at each position, and {1}")]
    Fourth(usize, String),
    /// More than the format can count.
    #[error("{0} is more than NIfTI-1 can count (32,767)")]
    TooLarge(usize),
}

/// Plans the volume that the files of a series are. Their headers are read one after the other.
pub fn plan(files: &[PathBuf]) -> Result<Plan, Unsuitable> {
    let series = frames::read(files)?;
    let mut stack = geometry::arrange(&series)?;
    let fourth::Sorted {
        frames,
        fourth,
        diffusion,
    } = fourth::sort(std::mem::take(&mut stack.positions), &series)?;
    let count = |length: usize| i16::try_from(length).map_err(|_| Unsuitable::TooLarge(length));
    let mut size = [0; 3];
    for (axis, length) in size.iter_mut().zip(stack.size) {
        *axis = count(length)?.unsigned_abs();
    }
    let volumes = count(frames.len() / stack.size[2].max(1))?.unsigned_abs();
    let rescale = uniform_rescale(&frames, &series.format);
    let mut source_instance_uids = series.uids.clone();
    source_instance_uids.sort();
    let mut plan = Plan {
        size,
        volumes,
        fourth,
        voxel_mm: stack.voxel_mm,
        affine: stack.affine,
        datatype: pixels::datatype(&series.format, rescale.is_some()),
        rescale,
        diffusion: diffusion.map(|it| stack.in_image_axes(it)),
        study_instance_uid: series.study_instance_uid,
        series_instance_uid: series.series_instance_uid,
        source_instance_uids,
        compressed: series.files.iter().any(SourceFile::is_compressed),
        notes: stack.notes,
        sidecar: series.sidecar,
        dim_info: series.dim_info,
        format: series.format,
        files: series.files,
        frames,
    };
    sidecar::complete(&mut plan);
    Ok(plan)
}

/// The scaling, if it is the same in all frames. Colours have none.
fn uniform_rescale(frames: &[Frame], format: &PixelFormat) -> Option<(f64, f64)> {
    let first = frames.first()?.rescale;
    let uniform = frames.iter().all(|frame| frame.rescale == first);
    (uniform && !format.is_colour()).then_some(first)
}

impl Plan {
    /// What the volume is and how it was acquired, as JSON with the names of BIDS. It holds no text
    /// that people typed in, no dates and no identifiers.
    pub fn sidecar(&self) -> String {
        let value = serde_json::Value::Object(self.sidecar.clone());
        format!("{value:#}\n")
    }

    /// The texts of `.bval` and `.bvec` files (FSL), if every volume states its diffusion weighting.
    pub fn gradients(&self) -> Option<[String; 2]> {
        self.diffusion.as_deref().map(fourth::gradients)
    }
}
