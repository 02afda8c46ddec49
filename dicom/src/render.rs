//! A frame as a picture of 8 bits, for WADO-RS rendered and thumbnail (PS3.18 section 8.3.5) and for
//! WADO-URI.
//!
//! Grey values go through the modality transform, then the window or VOI LUT (PS3.3 section C.11);
//! palettes and colour differences become RGB. Pixels that are not square are made so.

mod colour;
mod grey;
mod lut;
mod scale;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::str::FromStr;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::bulk::Content;
use super::frames::{FrameError, Frames};
use super::transcode::{self, TranscodeError};
use super::walk::{self, DataSet, Part10, Value};

/// A picture has at most this many pixels in one direction.
pub const MAX_SIDE: u32 = 4096;
/// Thumbnails fit into a square of this many pixels, unless something else is asked for.
pub const THUMBNAIL_SIDE: u32 = 128;
/// Tables are not longer: 65536 entries of 16 bits.
const MAX_TABLE: u64 = 128 * 1024;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The object has no pixels, such as a report, a document or key objects; or pixels that are not
    /// shown as they are. HTTP says 406 to that.
    #[error("this kind of object is not shown as an image")]
    NotShown,
    /// What was asked for makes no sense. HTTP says 400.
    #[error("{0}")]
    Asked(&'static str),
    /// The frame is not there or could not be decoded.
    #[error(transparent)]
    Transcode(#[from] TranscodeError),
    /// A table of colours or grey values contradicts itself.
    #[error("a table of the image is broken: {0}")]
    Table(&'static str),
    /// The picture could not be written.
    #[error("cannot be written as a picture")]
    Written,
}

/// What a picture is to look like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Appearance {
    /// Window instead of the file's; it applies to grey values after the modality transform.
    pub window: Option<Window>,
    /// Which part of the frame is shown how large.
    pub viewport: Option<Viewport>,
}

/// A window on grey values (PS3.3 section C.11.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Window Center.
    pub center: f64,
    /// Window Width, at least 1 for [`Function::Linear`], else above 0.
    pub width: f64,
    /// VOI LUT Function.
    pub function: Function,
}

/// VOI LUT Function (0028,1056).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Function {
    /// `LINEAR`: from center - 0.5 - (width - 1) / 2 up.
    #[default]
    Linear,
    /// `LINEAR_EXACT`: from center - width / 2 up.
    LinearExact,
    /// `SIGMOID`.
    Sigmoid,
}

/// How large, and which part of the frame (PS3.18 section 8.3.5.1.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Viewport {
    /// The picture is at most this wide.
    pub width: u32,
    /// The picture is at most this high.
    pub height: u32,
    /// The part of the frame that is shown; all of it if there is none.
    pub region: Option<Region>,
}

/// A rectangle of a frame in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Left edge.
    pub left: u32,
    /// Upper edge.
    pub top: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Pixels of 8 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1 (grey) or 3 (RGB).
    pub samples: usize,
    /// Row by row, the samples of a pixel together.
    pub bytes: Vec<u8>,
}

impl FromStr for Function {
    type Err = RenderError;

    /// As in the query parameter `window` of WADO-RS (`linear-exact`) or in a file (`LINEAR_EXACT`).
    fn from_str(text: &str) -> Result<Self, RenderError> {
        Ok(match text.to_ascii_lowercase().replace('_', "-").as_str() {
            "linear" => Self::Linear,
            "linear-exact" => Self::LinearExact,
            "sigmoid" => Self::Sigmoid,
            _ => return Err(RenderError::Asked("not a VOI LUT function")),
        })
    }
}

impl Viewport {
    /// A square into which all of the frame fits.
    pub fn square(side: u32) -> Self {
        Self {
            width: side,
            height: side,
            region: None,
        }
    }
}

impl Picture {
    /// As PNG.
    pub fn png(&self) -> Result<Vec<u8>, RenderError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(match self.samples {
            1 => png::ColorType::Grayscale,
            _ => png::ColorType::Rgb,
        });
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let writer = encoder.write_header();
        let mut writer = writer.map_err(|_| RenderError::Written)?;
        let written = writer.write_image_data(&self.bytes);
        written
            .and_then(|()| writer.finish())
            .map_err(|_| RenderError::Written)?;
        Ok(bytes)
    }

    /// As baseline JPEG of quality 1 to 100.
    pub fn jpeg(&self, quality: u8) -> Result<Vec<u8>, RenderError> {
        let mut bytes = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut bytes, quality.clamp(1, 100));
        let side = |side: u32| u16::try_from(side).map_err(|_| RenderError::Written);
        let colour = match self.samples {
            1 => jpeg_encoder::ColorType::Luma,
            _ => jpeg_encoder::ColorType::Rgb,
        };
        encoder
            .encode(&self.bytes, side(self.width)?, side(self.height)?, colour)
            .map_err(|_| RenderError::Written)?;
        Ok(bytes)
    }
}

/// Frame `number`, counted from 1, of the file at `path`.
pub fn frame(path: &Path, number: u32, appearance: &Appearance) -> Result<Picture, RenderError> {
    if let Some(window) = &appearance.window
        && !window.is_possible()
    {
        return Err(RenderError::Asked("not a possible window"));
    }
    let file = walk::whole_file(path).map_err(TranscodeError::from)?;
    let frames = match Frames::of(path, &file) {
        Err(FrameError::NoPixels) => return Err(RenderError::NotShown),
        frames => frames.map_err(TranscodeError::from)?,
    };
    let decoded = transcode::decode(path, &file, &frames, number)?;
    let said = Said {
        path,
        file: &file,
        frame: number,
    };
    let (samples, bytes) = match (decoded.samples, decoded.photometric.as_str()) {
        (1, "PALETTE COLOR") => (3, colour::from_palette(&said, &decoded)?),
        (1, _) => (1, grey::shown(&said, &decoded, appearance.window)?),
        (3, _) => (3, colour::shown(&decoded)),
        _ => return Err(RenderError::NotShown),
    };
    let whole = Picture {
        width: decoded.columns.into(),
        height: decoded.rows.into(),
        samples,
        bytes,
    };
    scale::fitted(whole, said.pixel_aspect(), appearance.viewport)
}

/// What a file says of one of its frames.
struct Said<'a> {
    path: &'a Path,
    file: &'a Part10,
    frame: u32,
}

impl Said<'_> {
    fn data(&self) -> &DataSet {
        &self.file.data
    }

    /// The item of a functional group for this frame (PS3.3 section C.7.6.16): its own, or the one that
    /// all frames share.
    fn group(&self, sequence: Tag) -> Option<&DataSet> {
        let own = self
            .data()
            .items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
        let own = own.get(self.frame as usize - 1);
        let shared = self.data().items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
        let groups = own.into_iter().chain(shared.first());
        groups.flat_map(|group| group.items(sequence)).next()
    }

    /// The bytes of a table, also of one that the walk did not keep.
    fn table(&self, data: &DataSet, tag: Tag) -> Result<Vec<u8>, RenderError> {
        match data.get(tag) {
            Some((_, Value::Bytes(bytes))) => Ok(bytes.clone()),
            Some((vr, Value::Apart(apart))) => {
                let content = Content::open(self.path, self.file, vec![*apart], walk::unit(vr));
                let bytes = content.and_then(|content| content.all(MAX_TABLE));
                bytes.map_err(|_| RenderError::Table("too long"))
            }
            _ => Err(RenderError::Table("not there")),
        }
    }

    /// Height of a pixel by its width.
    fn pixel_aspect(&self) -> f64 {
        let data = self.data();
        let measures = self.group(tags::PIXEL_MEASURES_SEQUENCE);
        let pairs = [
            data.numbers(tags::PIXEL_ASPECT_RATIO),
            data.numbers(tags::PIXEL_SPACING),
            measures
                .map(|it| it.numbers(tags::PIXEL_SPACING))
                .unwrap_or_default(),
            data.numbers(tags::IMAGER_PIXEL_SPACING),
            data.numbers(tags::NOMINAL_SCANNED_PIXEL_SPACING),
        ];
        let aspect = pairs.iter().find_map(|pair| match pair[..] {
            [vertical, horizontal] if vertical > 0.0 && horizontal > 0.0 => {
                Some(vertical / horizontal)
            }
            _ => None,
        });
        // What is stretched further than this is a mistake of the file.
        aspect
            .filter(|it| (0.05..=20.0).contains(it))
            .unwrap_or(1.0)
    }
}
