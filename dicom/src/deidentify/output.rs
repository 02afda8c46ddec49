//! The new file: explicit VR little endian, or the old encapsulation, written as it is read.
//!
//! PS3.10 section 7.1 (file), PS3.5 section 7.1 (elements).

use std::io::Write;

use dicom_core::{Tag, VR};

use super::Refused;
use super::origin::Origin;
use super::pixels::{Blanking, RLE};
use super::plan::{Element, Planned};
use super::rewrite::Rewriting;
use crate::text::CharacterSet;
use crate::walk::{Apart, unit};
use crate::write::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

pub(super) const EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
const UNDEFINED: u32 = u32::MAX;
/// Text longer than this is not cleaned, and so not taken.
const MAX_TEXT: u64 = 64 * 1024 * 1024;
const MAX_FRAGMENT: u64 = 1 << 30;

const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// Writes the parts of a file.
pub(super) struct Writer<'a, 'b, W> {
    pub(super) out: &'a mut W,
    pub(super) origin: Origin<'b>,
    pub(super) rewriting: &'a Rewriting<'a>,
    pub(super) characters: &'a CharacterSet,
    pub(super) big_endian: bool,
    /// Bytes of a sample.
    pub(super) pixel_bytes: usize,
    pub(super) transfer_syntax: &'a str,
    pub(super) blanking: Option<Blanking>,
}

impl<W: Write> Writer<'_, '_, W> {
    /// Preamble, mark and file meta information. The old preamble may hold anything, and so is not kept.
    pub(super) fn beginning(&mut self, sop_class: &str, sop_instance: &str) -> Result<(), Refused> {
        let element = |number, vr, text: &str| Element::text(Tag(2, number), vr, text);
        let version = Element::bytes(Tag(2, 1), VR::OB, vec![0, 1]);
        let meta = [
            version,
            element(0x0002, VR::UI, sop_class),
            element(0x0003, VR::UI, sop_instance),
            element(0x0010, VR::UI, self.transfer_syntax),
            element(0x0012, VR::UI, IMPLEMENTATION_CLASS_UID),
            element(0x0013, VR::SH, IMPLEMENTATION_VERSION_NAME),
        ];
        let mut group = Vec::new();
        for Element { tag, vr, value } in meta {
            if let Planned::Bytes(bytes) = value {
                plain(&mut group, tag, vr, bytes)?;
            }
        }
        self.out.write_all(&[0; 128])?;
        self.out.write_all(b"DICM")?;
        let length = (group.len() as u32).to_le_bytes().to_vec();
        plain(self.out, Tag(2, 0), VR::UL, length)?;
        Ok(self.out.write_all(&group)?)
    }

    /// The elements of a data set or item.
    pub(super) fn data_set(&mut self, elements: Vec<Element>) -> Result<(), Refused> {
        for Element { tag, vr, value } in elements {
            match value {
                Planned::Bytes(bytes) => plain(self.out, tag, vr, bytes)?,
                Planned::Items(items) => self.sequence(tag, items)?,
                Planned::Text(apart) => {
                    let bytes = self.origin.read(apart, MAX_TEXT)?;
                    let text = self.rewriting.long_text(tag, vr, &bytes, self.characters)?;
                    plain(self.out, tag, vr, text)?;
                }
                Planned::Copy(apart) => self.copied(tag, vr, apart)?,
                Planned::Pixels(apart) => self.pixels(tag, vr, apart)?,
                Planned::Fragments(fragments) => self.fragments(tag, &fragments)?,
            }
        }
        Ok(())
    }

    /// Sequences end with a delimiter, so that nobody needs to know how long they will be.
    fn sequence(&mut self, tag: Tag, items: Vec<Vec<Element>>) -> Result<(), Refused> {
        long_header(self.out, tag, VR::SQ, UNDEFINED)?;
        for item in items {
            marker(self.out, ITEM, UNDEFINED)?;
            self.data_set(item)?;
            marker(self.out, ITEM_END, 0)?;
        }
        marker(self.out, SEQUENCE_END, 0)
    }

    fn copied(&mut self, tag: Tag, vr: VR, apart: Apart) -> Result<(), Refused> {
        let unit = match self.big_endian {
            // Samples of more than a word are turned around as a whole.
            true if tag == PIXEL_DATA && vr == VR::OW => unit(vr).max(self.pixel_bytes),
            true => unit(vr),
            false => 1,
        };
        let length = u32::try_from(apart.length + apart.length % 2);
        let length = length.map_err(|_| Refused::attribute(tag, "a value of more than 4 GiB"))?;
        // A short length does not hold it: then the standard wants UN (PS3.5 section 6.2.2).
        let vr = if has_long_form(vr) { vr } else { VR::UN };
        long_header(self.out, tag, vr, length)?;
        self.origin.copy(apart, unit, self.out)?;
        Ok(self.out.write_all(&[0][..(apart.length % 2) as usize])?)
    }

    fn pixels(&mut self, tag: Tag, vr: VR, apart: Apart) -> Result<(), Refused> {
        let Some(blanking) = self.blanking.clone() else {
            return self.copied(tag, vr, apart);
        };
        if self.big_endian && unit(vr) > 1 {
            return Err(Refused::attribute(tag, "big endian pixels are not blanked"));
        }
        let length = u32::try_from(apart.length);
        let length = length.map_err(|_| Refused::attribute(tag, "a value of more than 4 GiB"))?;
        long_header(self.out, tag, vr, length + length % 2)?;
        blanking.native(&mut self.origin, apart, self.out)?;
        Ok(self.out.write_all(&[0][..blanking.padding() as usize])?)
    }

    fn fragments(&mut self, tag: Tag, fragments: &[Apart]) -> Result<(), Refused> {
        long_header(self.out, tag, VR::OB, UNDEFINED)?;
        match self.blanking.clone() {
            Some(blanking) => self.blanked_frames(tag, &blanking, fragments)?,
            None => {
                for fragment in fragments {
                    let length = u32::try_from(fragment.length);
                    let length = length.map_err(|_| Refused::attribute(tag, "a long fragment"))?;
                    marker(self.out, ITEM, length)?;
                    self.origin.copy(*fragment, 1, self.out)?;
                }
            }
        }
        marker(self.out, SEQUENCE_END, 0)
    }

    /// In RLE a frame is one fragment. Their lengths change, so the offset table is left empty.
    fn blanked_frames(
        &mut self,
        tag: Tag,
        blanking: &Blanking,
        fragments: &[Apart],
    ) -> Result<(), Refused> {
        if self.transfer_syntax != RLE {
            return Err(Refused::attribute(
                tag,
                "compressed pixels of this transfer syntax are not blanked",
            ));
        }
        let frames = fragments.get(1..).unwrap_or_default();
        if frames.len() as u64 != blanking.frames() {
            return Err(Refused::attribute(tag, "not one fragment for each frame"));
        }
        marker(self.out, ITEM, 0)?;
        for frame in frames {
            let frame = blanking.rle(&self.origin.read(*frame, MAX_FRAGMENT)?)?;
            marker(self.out, ITEM, frame.len() as u32)?;
            self.out.write_all(&frame)?;
        }
        Ok(())
    }
}

/// An element whose value is at hand.
fn plain(out: &mut impl Write, tag: Tag, vr: VR, mut bytes: Vec<u8>) -> Result<(), Refused> {
    if bytes.len() % 2 == 1 {
        let spaced = super::verdict::is_text(vr) && vr != VR::UI;
        bytes.push(if spaced { b' ' } else { 0 });
    }
    match u16::try_from(bytes.len()) {
        Ok(length) if !has_long_form(vr) => {
            header(out, tag, vr)?;
            out.write_all(&length.to_le_bytes())?;
        }
        _ => {
            let vr = if has_long_form(vr) { vr } else { VR::UN };
            let length = u32::try_from(bytes.len());
            let length =
                length.map_err(|_| Refused::attribute(tag, "a value of more than 4 GiB"))?;
            long_header(out, tag, vr, length)?;
        }
    }
    Ok(out.write_all(&bytes)?)
}

fn header(out: &mut impl Write, tag: Tag, vr: VR) -> Result<(), Refused> {
    out.write_all(&tag.group().to_le_bytes())?;
    out.write_all(&tag.element().to_le_bytes())?;
    Ok(out.write_all(&vr.to_bytes())?)
}

fn long_header(out: &mut impl Write, tag: Tag, vr: VR, length: u32) -> Result<(), Refused> {
    header(out, tag, vr)?;
    out.write_all(&[0; 2])?;
    Ok(out.write_all(&length.to_le_bytes())?)
}

fn marker(out: &mut impl Write, tag: Tag, length: u32) -> Result<(), Refused> {
    out.write_all(&tag.group().to_le_bytes())?;
    out.write_all(&tag.element().to_le_bytes())?;
    Ok(out.write_all(&length.to_le_bytes())?)
}

const fn has_long_form(vr: VR) -> bool {
    use VR::*;
    matches!(
        vr,
        OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV
    )
}
