//! One file from one transfer syntax to another, element by element and frame by frame.

use std::collections::BTreeMap;
use std::path::Path;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::syntax::Syntax;
use super::{Decoded, MAX_DECODED_BYTES, TranscodeError, codec, decode};
use crate::bulk::Content;
use crate::frames::{FrameError, Frames};
use crate::part10::{self, Changes, Writer, Written};
use crate::pixels::ImagePixel;
use crate::walk::{self, DataSet, Part10, Value};

/// One file on its way from one syntax to another.
pub(super) struct Transcoding<'a> {
    pub(super) path: &'a Path,
    pub(super) file: &'a Part10,
    pub(super) from: Syntax,
    pub(super) to: Syntax,
}

/// An image whose pixels are written otherwise.
pub(super) struct Recoded {
    frames: Frames,
    changes: Changes,
    /// The first frame, which told what decoding makes of the colours.
    first: Decoded,
}

impl Transcoding<'_> {
    /// Writes a data set: the file's, or an item, with what becomes of its pixels. `signed` is
    /// inherited from around an item.
    pub(super) fn data_set(
        &self,
        writer: &mut Writer<'_>,
        data: &DataSet,
        mut recoded: Option<Recoded>,
        signed: bool,
    ) -> Result<(), TranscodeError> {
        let representation = data.number(tags::PIXEL_REPRESENTATION);
        let own = representation.map_or(signed, |it| it != 0.0);
        let changes = recoded.as_mut().map(|it| std::mem::take(&mut it.changes));
        let changes = changes.unwrap_or_default();
        for (tag, vr, written) in part10::elements(data, &changes) {
            let vr = part10::written_vr(self.file, tag, vr, own);
            match written {
                Written::Kept(value) if tag == tags::PIXEL_DATA => match recoded.take() {
                    Some(image) => self.pixels(writer, image)?,
                    None => self.native(writer, data, vr, value)?,
                },
                Written::Kept(Value::Items(items)) => self.sequence(writer, tag, items, own)?,
                // Only pixel data is encapsulated.
                Written::Kept(Value::Fragments(_)) => return Err(FrameError::NoPixels.into()),
                Written::Kept(value) => {
                    part10::plain(writer, (self.path, self.file), (tag, vr), value)?;
                }
                Written::Changed(bytes) => writer.element(tag, vr, bytes)?,
            }
        }
        Ok(())
    }

    fn sequence(
        &self,
        writer: &mut Writer<'_>,
        tag: Tag,
        items: &[DataSet],
        signed: bool,
    ) -> Result<(), TranscodeError> {
        if items.is_empty() {
            return Ok(writer.header(tag, VR::SQ, Some(0))?);
        }
        writer.header(tag, VR::SQ, None)?;
        for item in items {
            writer.begin_item()?;
            let image = self.recoded(item, false)?;
            self.data_set(writer, item, image, signed)?;
            writer.end_item()?;
        }
        Ok(writer.end_sequence()?)
    }

    /// What becomes of a data set that has pixels; `None` if they stay as they are but for the order
    /// of their bytes. Images in items (icons) are decoded with the others, but never compressed.
    pub(super) fn recoded(
        &self,
        data: &DataSet,
        top: bool,
    ) -> Result<Option<Recoded>, TranscodeError> {
        let compress = self.to.encapsulated() && top;
        let pixels = match data.get(tags::PIXEL_DATA) {
            Some((_, Value::Fragments(_))) => true,
            Some(_) => compress,
            // Only an image can be compressed.
            None if compress => return Err(FrameError::NoPixels.into()),
            None => false,
        };
        if !pixels {
            return Ok(None);
        }
        let frames = Frames::within(self.path, self.file, data)?;
        let image = frames.image();
        if image.frame_bytes() * u64::from(image.frames) > MAX_DECODED_BYTES {
            return Err(TranscodeError::TooLarge);
        }
        let first = decode(self.path, self.file, &frames, 1)?;
        let changes = self.changes(data, image, &first);
        if compress {
            // Whether its kind of pixels can be compressed.
            codec::compressible(self.to, image)
                .map_err(|broken| TranscodeError::Codec { number: 1, broken })?;
        }
        Ok(Some(Recoded {
            frames,
            changes,
            first,
        }))
    }

    /// What the data set says otherwise of pixels that were decoded.
    fn changes(&self, data: &DataSet, image: &ImagePixel, decoded: &Decoded) -> Changes {
        let mut changes: Changes = BTreeMap::new();
        let text = |text: &str| Some((VR::CS, text.as_bytes().to_vec()));
        let number = |number: u16| Some((VR::US, number.to_le_bytes().to_vec()));
        if decoded.photometric != image.photometric {
            changes.insert(tags::PHOTOMETRIC_INTERPRETATION, text(&decoded.photometric));
        }
        if image.samples > 1 {
            changes.insert(tags::PLANAR_CONFIGURATION, number(0));
        }
        changes.insert(tags::EXTENDED_OFFSET_TABLE, None);
        changes.insert(tags::EXTENDED_OFFSET_TABLE_LENGTHS, None);
        let said = data.ascii(tags::LOSSY_IMAGE_COMPRESSION);
        if self.from == Syntax::JpegLossy && said.as_deref() != Some("01") {
            // Once lost, always lost (PS3.3 section C.7.6.1.1.5).
            changes.insert(tags::LOSSY_IMAGE_COMPRESSION, text("01"));
        }
        changes
    }

    /// Writes pixels out of one compression, or into one.
    fn pixels(&self, writer: &mut Writer<'_>, recoded: Recoded) -> Result<(), TranscodeError> {
        let frames = &recoded.frames;
        let image = frames.image();
        let mut first = Some(recoded.first);
        let mut decoded = |number| match first.take() {
            Some(first) => Ok(first),
            None => decode(self.path, self.file, frames, number),
        };
        if self.to.encapsulated() {
            writer.header(tags::PIXEL_DATA, VR::OB, None)?;
            // No table of offsets: each frame is one fragment.
            writer.fragment(&[])?;
            for number in 1..=frames.count() {
                let frame = codec::encode(self.to, image, &decoded(number)?.bytes)
                    .map_err(|broken| TranscodeError::Codec { number, broken })?;
                writer.fragment(&frame)?;
            }
            return Ok(writer.end_sequence()?);
        }
        // At most u32::MAX - 1: checked when it was found.
        let length = image.frame_bytes() * u64::from(image.frames);
        let (vr, unit) = match image.bits_allocated {
            8 => (VR::OB, 1),
            bits => (VR::OW, usize::from(bits / 8)),
        };
        let odd = length % 2;
        let length = u32::try_from(length + odd).map_err(|_| TranscodeError::TooLarge)?;
        writer.header(tags::PIXEL_DATA, vr, Some(length))?;
        for number in 1..=frames.count() {
            writer.numbers(&decoded(number)?.bytes, unit)?;
        }
        Ok(writer.numbers(&[0][..odd as usize], 1)?)
    }

    /// Writes native pixel data as native pixel data.
    fn native(
        &self,
        writer: &mut Writer<'_>,
        data: &DataSet,
        vr: VR,
        value: &Value,
    ) -> Result<(), TranscodeError> {
        // Without a description the VR says how long its numbers are.
        let unit = match Frames::within(self.path, self.file, data) {
            Ok(frames) => frames.unit(),
            Err(_) => walk::unit(vr),
        };
        match value {
            Value::Apart(apart) => {
                let content = Content::open(self.path, self.file, vec![*apart], unit)?;
                Ok(writer.copied(tags::PIXEL_DATA, vr, content, unit)?)
            }
            _ => Ok(part10::plain(
                writer,
                (self.path, self.file),
                (tags::PIXEL_DATA, vr),
                value,
            )?),
        }
    }
}
