//! What the headers of a series say of each frame: where it lies, how it is scaled, when it was made.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::groups::Groups;
use super::{Unsuitable, mosaic, sidecar};
use crate::instance;
use crate::uid::Uid;
use crate::walk::{self, Apart, DataSet, Part10, Value};

const PIXEL_DATA: Tag = tags::PIXEL_DATA;
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
/// Directions and sizes that differ by less are the same.
pub(super) const SAME: f64 = 1e-4;

/// All frames of a series, and what they have in common.
pub(super) struct Series {
    pub(super) files: Vec<SourceFile>,
    pub(super) frames: Vec<Frame>,
    pub(super) uids: Vec<Uid>,
    pub(super) study_instance_uid: Uid,
    pub(super) series_instance_uid: Uid,
    pub(super) format: PixelFormat,
    pub(super) plane: Plane,
    pub(super) modality: String,
    /// Of MR, in milliseconds.
    pub(super) repetition_ms: Option<f64>,
    /// Temporal Resolution (0020,0110), in milliseconds.
    pub(super) resolution_ms: Option<f64>,
    /// Slices as they are cut and spaced by the header, in millimetres.
    pub(super) thickness_mm: Option<f64>,
    pub(super) spacing_mm: Option<f64>,
    pub(super) dim_info: u8,
    pub(super) sidecar: serde_json::Map<String, serde_json::Value>,
}

/// A file and where its pixels are.
#[derive(Debug, Clone)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) pixels: PixelsIn,
}

/// How pixels stand in a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum PixelsIn {
    /// As they are, from this byte on.
    Native { offset: u64, swap: Swap },
    /// From this byte on of the deflated data set.
    Deflated { offset: u64 },
    /// Compressed by a codec.
    Compressed,
}

/// Which bytes of pixels change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swap {
    None,
    /// Big endian words; they may hold two samples of a byte each.
    Words,
}

impl SourceFile {
    pub(super) fn is_compressed(&self) -> bool {
        matches!(self.pixels, PixelsIn::Compressed)
    }
}

/// Image Pixel module: how a frame's numbers are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PixelFormat {
    pub(super) rows: u16,
    pub(super) columns: u16,
    pub(super) samples: u16,
    pub(super) allocated: u16,
    pub(super) stored: u16,
    pub(super) high_bit: u16,
    pub(super) signed: bool,
    /// The samples of a frame stand one after the other, not pixel by pixel.
    pub(super) planar: bool,
    /// Images stand beside each other in a frame, this many in a row and a column.
    pub(super) mosaic: Option<u16>,
}

impl PixelFormat {
    pub(super) fn is_colour(&self) -> bool {
        self.samples == 3
    }

    /// Bytes of a frame as it stands in the file.
    pub(super) fn frame_bytes(&self) -> u64 {
        let samples = u64::from(self.rows) * u64::from(self.columns) * u64::from(self.samples);
        samples * u64::from(self.allocated / 8)
    }
}

/// In which plane frames lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plane {
    /// Along a row, and along a column.
    pub(super) along: [[f64; 3]; 2],
    /// Between rows, and between columns, in millimetres.
    pub(super) spacing: [f64; 2],
}

/// One image of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) file: usize,
    /// From zero.
    pub(super) index: u32,
    /// Which image of a mosaic.
    pub(super) tile: u16,
    /// Centre of the first pixel.
    pub(super) position: [f64; 3],
    pub(super) rescale: (f64, f64),
    pub(super) made: Made,
}

/// What may tell frames at the same position apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Made {
    pub(super) image_type: String,
    pub(super) temporal_position: Option<f64>,
    pub(super) echo_ms: Option<f64>,
    pub(super) b_value: Option<f64>,
    pub(super) direction: Option<[f64; 3]>,
    pub(super) trigger_ms: Option<f64>,
    pub(super) reference_ms: Option<f64>,
    pub(super) duration_ms: Option<f64>,
    pub(super) acquisition: Option<f64>,
    /// Seconds of the acquisition, since some midnight.
    pub(super) instant_s: Option<f64>,
}

/// Reads the headers of all files.
pub(super) fn read(paths: &[PathBuf]) -> Result<Series, Unsuitable> {
    let (first, rest) = paths.split_first().ok_or(Unsuitable::Nothing)?;
    let mut series = read_one(first, 0)?;
    let mut seen: BTreeSet<Uid> = series.uids.iter().cloned().collect();
    for (index, path) in rest.iter().enumerate() {
        let next = read_one(path, index + 1)?;
        differences(&series, &next)?;
        // What holds for some only is not said, and so the order of the files does not matter.
        let common =
            |name: &String, value: &mut serde_json::Value| next.sidecar.get(name) == Some(value);
        series.sidecar.retain(common);
        series.files.extend(next.files);
        series.frames.extend(next.frames);
        for uid in next.uids {
            if !seen.insert(uid.clone()) {
                return Err(Unsuitable::Doubled(index + 2));
            }
            series.uids.push(uid);
        }
    }
    Ok(series)
}

fn differences(a: &Series, b: &Series) -> Result<(), Unsuitable> {
    let size = |it: &PixelFormat| (it.rows, it.columns, it.mosaic);
    let what = if a.series_instance_uid != b.series_instance_uid {
        "series"
    } else if a.modality != b.modality {
        "modality"
    } else if size(&a.format) != size(&b.format) {
        "rows and columns"
    } else if a.format != b.format {
        "the form of their pixels"
    } else {
        return same_plane(&a.plane, &b.plane);
    };
    Err(Unsuitable::Mixed(what))
}

fn same_plane(a: &Plane, b: &Plane) -> Result<(), Unsuitable> {
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < SAME);
    if !(0..2).all(|axis| near(&a.along[axis], &b.along[axis])) {
        return Err(Unsuitable::Mixed("orientation (a localizer?)"));
    }
    if !near(&a.spacing, &b.spacing) {
        return Err(Unsuitable::Mixed("pixel spacing"));
    }
    Ok(())
}

/// Reads one file's header as a series of its own.
fn read_one(path: &Path, index: usize) -> Result<Series, Unsuitable> {
    let number = index + 1;
    let part10 = walk::whole_file(path).map_err(|error| Unsuitable::Walk(number, error))?;
    let wrong = |reason: String| Unsuitable::File(number, reason);
    let uid = |tag, name| {
        instance::uid(&part10.data, tag, name).map_err(|error| wrong(error.to_string()))
    };
    let data = &part10.data;
    let mut format = pixel_format(data).map_err(wrong)?;
    let groups = Groups::of(data).map_err(wrong)?;
    let pixels = pixels_in(&part10, &format, groups.count()).map_err(wrong)?;
    let plane = groups.plane(0).map_err(wrong)?;
    let mut frames = Vec::with_capacity(groups.count());
    for at in 0..groups.count() {
        same_plane(&plane, &groups.plane(at).map_err(wrong)?)?;
        frames.push(groups.frame(at, index).map_err(wrong)?);
    }
    if mosaic::is_one(data) {
        frames = mosaic::tiles(data, &mut format, &plane, frames).map_err(wrong)?;
    }
    Ok(Series {
        uids: vec![uid(tags::SOP_INSTANCE_UID, "SOP Instance UID")?],
        study_instance_uid: uid(tags::STUDY_INSTANCE_UID, "Study Instance UID")?,
        series_instance_uid: uid(tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
        modality: data.ascii(tags::MODALITY).unwrap_or_default(),
        repetition_ms: groups.number(
            0,
            tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE,
            tags::REPETITION_TIME,
        ),
        resolution_ms: data.number(tags::TEMPORAL_RESOLUTION),
        thickness_mm: groups.number(0, tags::PIXEL_MEASURES_SEQUENCE, tags::SLICE_THICKNESS),
        spacing_mm: groups.number(
            0,
            tags::PIXEL_MEASURES_SEQUENCE,
            tags::SPACING_BETWEEN_SLICES,
        ),
        dim_info: dim_info(&groups),
        sidecar: sidecar::begin(&groups),
        files: vec![SourceFile {
            path: path.to_owned(),
            pixels,
        }],
        frames,
        format,
        plane,
    })
}

fn pixel_format(data: &DataSet) -> Result<PixelFormat, String> {
    let number = |tag, name: &str| {
        let bytes = data.bytes(tag).and_then(|it| it.get(..2)?.try_into().ok());
        bytes.map(u16::from_le_bytes).ok_or(format!("no {name}"))
    };
    if data.get(PIXEL_DATA).is_none() {
        return Err("no Pixel Data".to_owned());
    }
    if !data.items(tags::MODALITY_LUT_SEQUENCE).is_empty() {
        return Err(
            "values are looked up in a table (Modality LUT), which NIfTI cannot say".to_owned(),
        );
    }
    let format = PixelFormat {
        rows: number(tags::ROWS, "Rows")?,
        columns: number(tags::COLUMNS, "Columns")?,
        samples: number(tags::SAMPLES_PER_PIXEL, "Samples per Pixel")?,
        allocated: number(tags::BITS_ALLOCATED, "Bits Allocated")?,
        stored: number(tags::BITS_STORED, "Bits Stored")?,
        high_bit: number(tags::HIGH_BIT, "High Bit")?,
        signed: number(tags::PIXEL_REPRESENTATION, "Pixel Representation")? == 1,
        planar: number(tags::PLANAR_CONFIGURATION, "").is_ok_and(|it| it == 1),
        mosaic: None,
    };
    let photometric = data
        .ascii(tags::PHOTOMETRIC_INTERPRETATION)
        .unwrap_or_default();
    let compressed = matches!(data.get(PIXEL_DATA), Some((_, Value::Fragments(_))));
    let colour = match photometric.as_str() {
        "MONOCHROME1" | "MONOCHROME2" => false,
        "RGB" => true,
        // A codec turns them into RGB.
        "YBR_FULL" | "YBR_FULL_422" | "YBR_ICT" | "YBR_RCT" if compressed => true,
        _ => return Err("its colours are neither grey nor RGB".to_owned()),
    };
    let grey = format.samples == 1 && [8, 16, 32].contains(&format.allocated);
    let rgb = format.samples == 3 && format.allocated == 8 && format.stored == 8;
    let bits_fit = (1..=format.allocated).contains(&format.stored)
        && (format.stored - 1..format.allocated).contains(&format.high_bit);
    match () {
        () if format.rows == 0 || format.columns == 0 => Err("no rows or columns".to_owned()),
        () if colour && !rgb || !colour && !grey => {
            Err("an unusual number of samples or bits".to_owned())
        }
        () if !bits_fit => {
            Err("Bits Stored and High Bit do not fit into Bits Allocated".to_owned())
        }
        () => Ok(format),
    }
}

fn pixels_in(file: &Part10, format: &PixelFormat, frames: usize) -> Result<PixelsIn, String> {
    let big_endian = file.transfer_syntax_uid == BIG_ENDIAN;
    match file.data.get(PIXEL_DATA) {
        Some((_, Value::Fragments(_))) => Ok(PixelsIn::Compressed),
        Some((vr, Value::Apart(Apart { offset, length }))) => {
            let needed = format.frame_bytes().checked_mul(frames as u64);
            if needed.is_none_or(|needed| needed > *length) {
                return Err(format!(
                    "Pixel Data is {length} bytes long, too short for its frames"
                ));
            }
            if file.transfer_syntax_uid == DEFLATED {
                return Ok(PixelsIn::Deflated { offset: *offset });
            }
            if big_endian && format.allocated == 32 {
                return Err("pixels of 32 bits, big endian".to_owned());
            }
            let words = big_endian && (format.allocated == 16 || vr == VR::OW);
            let swap = if words { Swap::Words } else { Swap::None };
            Ok(PixelsIn::Native {
                offset: *offset,
                swap,
            })
        }
        _ => Err("no Pixel Data".to_owned()),
    }
}

/// Frequency, phase and slice of an image, as NIfTI numbers its dimensions; zero if unknown.
fn dim_info(groups: &Groups<'_>) -> u8 {
    let sequence = tags::MRFOV_GEOMETRY_SEQUENCE;
    let direction = groups.text(0, sequence, tags::IN_PLANE_PHASE_ENCODING_DIRECTION);
    match direction.as_deref() {
        Some("ROW") => 2 | 1 << 2 | 3 << 4,
        Some("COL" | "COLUMN") => 1 | 2 << 2 | 3 << 4,
        _ => 0,
    }
}
