//! Pixels of single frames, decoded or as they are stored (PS3.18 10.4.1.1.6).

use std::io;
use std::sync::Arc;

use hilum_dicom::frames::{FrameError, Frames};
use hilum_dicom::walk::{self, Part10};
use hilum_transport::{PartSource, RelatedPart, Reply, Stream};

use super::super::asked::Asked;
use super::super::refused::Refused;
use super::conversion;
use super::representation::{EXPLICIT, Forms, Frame};
use super::{Found, Given, Instance};
use crate::imaging::place::Here;

/// Gives frames of one instance; all if no number is named.
pub(super) fn give(asked: &Asked, found: Found, numbers: &[u32]) -> Result<Given, Refused> {
    let instance = found.one()?;
    let image = Image::open(instance)?;
    let numbers = image.numbers(numbers)?;
    let forms = Forms::of_frames(&asked.accept, numbers.len() == 1)?;
    let stored = instance.stored.transfer_syntax_uid.as_str();
    let decodable = !image.frames.encapsulated() || conversion::can_convert(stored, EXPLICIT);
    let frame = forms.frame(stored, decodable).ok_or_else(|| {
        let text = format!("the pixels are stored in {stored}, and cannot be given as is wanted");
        Refused::new(406, text)
    })?;
    let image = Arc::new(image);
    let reply = match forms.multipart() {
        true => {
            let url = instance.url(&asked.base);
            let parts = numbers.iter().map(|number| RelatedPart {
                content_type: frame.content_type.clone(),
                content_location: Some(format!("{url}/frames/{number}")),
                source: image.source(&frame, *number),
            });
            let kind = frame.content_type.split(';').next().unwrap_or_default();
            Reply::related(200, kind, parts.collect())
        }
        false => {
            let source = image.source(&frame, numbers[0]);
            Reply::content(200, &frame.content_type, source)
        }
    };
    Ok(Given::of(&found, &found.instances, reply))
}

/// An image whose frames are read when their turn comes.
pub(super) struct Image {
    pub(super) path: Here,
    pub(super) file: Part10,
    pub(super) frames: Frames,
}

impl Image {
    pub(super) fn open(instance: &Instance) -> Result<Self, Refused> {
        let file = walk::whole_file(&instance.path).map_err(anyhow::Error::from)?;
        let frames = Frames::of(&instance.path, &file).map_err(refused)?;
        Ok(Self {
            path: instance.path.clone(),
            file,
            frames,
        })
    }

    /// The frames that are asked for, if all of them are there.
    pub(super) fn numbers(&self, asked: &[u32]) -> Result<Vec<u32>, Refused> {
        let count = self.frames.count();
        match asked.iter().find(|number| **number > count) {
            Some(asked) => {
                let asked = *asked;
                Err(refused(FrameError::NoSuchFrame { asked, count }))
            }
            None if asked.is_empty() => Ok((1..=count).collect()),
            None => Ok(asked.to_vec()),
        }
    }

    fn source(self: &Arc<Self>, frame: &Frame, number: u32) -> PartSource {
        let image = Arc::clone(self);
        let native = !self.frames.encapsulated();
        // Pixels of one bit are given as they are packed (PS3.5 section 8.1.1).
        let packed = || self.frames.image().frame_bits().div_ceil(8);
        let length = (native || frame.decoded).then(packed);
        let decoded = frame.decoded;
        PartSource::Stream(Stream::written(length, move |out| {
            if native || !decoded {
                let opened = image.frames.open(&image.path, &image.file, number);
                let mut content = opened.map_err(io::Error::other)?;
                return io::copy(&mut content, out).map(drop);
            }
            out.write_all(&conversion::decoded(&image, number)?)
        }))
    }
}

/// Why there are no pixels, for whoever asked.
pub(super) fn refused(error: FrameError) -> Refused {
    match error {
        FrameError::Io(error) => anyhow::Error::from(error).into(),
        FrameError::NoPixels | FrameError::NoSuchFrame { .. } => {
            Refused::new(404, error.to_string())
        }
        FrameError::Pixels(_) | FrameError::Together(_) => Refused::new(406, error.to_string()),
    }
}
