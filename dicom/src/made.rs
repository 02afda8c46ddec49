//! Files made up for tests: any elements, any pixels, any transfer syntax.

use std::path::PathBuf;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use tempfile::TempDir;

use crate::part10::{Encoding, Writer};
use crate::walk::{self, Part10};

pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub(crate) const IMPLICIT: &str = "1.2.840.10008.1.2";
pub(crate) const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
pub(crate) const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
pub(crate) const RLE: &str = "1.2.840.10008.1.2.5";
pub(crate) const JPEG: &str = "1.2.840.10008.1.2.4.50";
pub(crate) const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
pub(crate) const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";

/// An element with its value in little endian.
pub(crate) type Element = (Tag, VR, Vec<u8>);

/// What a made image says of its pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Image {
    pub(crate) rows: u16,
    pub(crate) columns: u16,
    pub(crate) frames: u32,
    pub(crate) samples: u16,
    pub(crate) allocated: u16,
    pub(crate) stored: u16,
    pub(crate) signed: bool,
    pub(crate) planar: bool,
    pub(crate) photometric: &'static str,
}

impl Image {
    /// Grey of 16 bits.
    pub(crate) const GREY: Self = Self {
        rows: 2,
        columns: 3,
        frames: 1,
        samples: 1,
        allocated: 16,
        stored: 16,
        signed: false,
        planar: false,
        photometric: "MONOCHROME2",
    };
    /// Colours of 8 bits.
    pub(crate) const COLOUR: Self = Self {
        samples: 3,
        allocated: 8,
        stored: 8,
        photometric: "RGB",
        ..Self::GREY
    };

    pub(crate) fn bytes(&self) -> usize {
        let pixels = usize::from(self.rows) * usize::from(self.columns) * self.frames as usize;
        pixels * usize::from(self.samples) * usize::from(self.allocated / 8)
    }

    pub(crate) fn elements(&self) -> Vec<Element> {
        let number = |tag, number: u16| (tag, VR::US, number.to_le_bytes().to_vec());
        let mut elements = vec![
            text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.7.3"),
            text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4"),
            number(tags::SAMPLES_PER_PIXEL, self.samples),
            text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, self.photometric),
            text(tags::NUMBER_OF_FRAMES, VR::IS, &self.frames.to_string()),
            number(tags::ROWS, self.rows),
            number(tags::COLUMNS, self.columns),
            number(tags::BITS_ALLOCATED, self.allocated),
            number(tags::BITS_STORED, self.stored),
            number(tags::HIGH_BIT, self.stored - 1),
            number(tags::PIXEL_REPRESENTATION, self.signed.into()),
        ];
        if self.samples > 1 {
            elements.push(number(tags::PLANAR_CONFIGURATION, self.planar.into()));
        }
        elements
    }
}

pub(crate) fn text(tag: Tag, vr: VR, text: &str) -> Element {
    (tag, vr, text.as_bytes().to_vec())
}

/// Preamble, mark, meta information and elements, by tag.
pub(crate) fn file(transfer_syntax: &str, mut elements: Vec<Element>) -> Vec<u8> {
    let mut file = vec![0; 128];
    file.extend(b"DICM");
    let meta = Encoding {
        explicit: true,
        big_endian: false,
    };
    let uid = transfer_syntax.as_bytes();
    let mut writer = Writer::new(&mut file, meta);
    writer
        .element(tags::TRANSFER_SYNTAX_UID, VR::UI, uid)
        .unwrap();
    elements.sort_by_key(|(tag, ..)| *tag);
    let encoding = Encoding {
        explicit: transfer_syntax != IMPLICIT,
        big_endian: transfer_syntax == BIG_ENDIAN,
    };
    let mut data = Vec::new();
    let mut writer = Writer::new(&mut data, encoding);
    for (tag, vr, value) in &elements {
        writer.element(*tag, *vr, value).unwrap();
    }
    if transfer_syntax == DEFLATED {
        data = deflated(&data);
    }
    file.extend(data);
    file
}

pub(crate) fn deflated(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut deflater = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflater.write_all(data).unwrap();
    deflater.finish().unwrap()
}

/// A file with native pixel data.
pub(crate) fn native(transfer_syntax: &str, image: Image, pixels: &[u8]) -> Vec<u8> {
    let vr = if image.allocated > 8 { VR::OW } else { VR::OB };
    let mut elements = image.elements();
    elements.push((tags::PIXEL_DATA, vr, pixels.to_vec()));
    file(transfer_syntax, elements)
}

/// A file with encapsulated pixel data: a table of offsets, then fragments.
pub(crate) fn encapsulated(
    transfer_syntax: &str,
    elements: Vec<Element>,
    table: &[u8],
    fragments: &[&[u8]],
) -> Vec<u8> {
    let mut file = file(transfer_syntax, elements);
    let encoding = Encoding {
        explicit: true,
        big_endian: false,
    };
    let mut writer = Writer::new(&mut file, encoding);
    writer.header(tags::PIXEL_DATA, VR::OB, None).unwrap();
    writer.fragment(table).unwrap();
    for fragment in fragments {
        writer.fragment(fragment).unwrap();
    }
    writer.end_sequence().unwrap();
    file
}

/// A file on disk, and what a walk finds in it.
pub(crate) struct Stored {
    pub(crate) path: PathBuf,
    pub(crate) file: Part10,
    _dir: TempDir,
}

pub(crate) fn stored(bytes: &[u8]) -> Stored {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file.dcm");
    std::fs::write(&path, bytes).unwrap();
    Stored {
        file: walk::whole_file(&path).unwrap(),
        path,
        _dir: dir,
    }
}
