//! Slices made for tests, in every uncompressed transfer syntax.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use flate2::Compression;
use flate2::write::DeflateEncoder;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Implicit,
    Explicit,
    BigEndian,
    Deflated,
}

pub(super) const SYNTAXES: [Syntax; 4] = [
    Syntax::Implicit,
    Syntax::Explicit,
    Syntax::BigEndian,
    Syntax::Deflated,
];

/// A data set of text and numbers, without sequences.
#[derive(Debug, Clone, Default)]
pub(super) struct Elements(std::collections::BTreeMap<Tag, (VR, Content)>);

#[derive(Debug, Clone)]
enum Content {
    Bytes(Vec<u8>),
    Shorts(Vec<u16>),
}

impl Elements {
    pub(super) fn text(mut self, tag: Tag, vr: VR, text: &str) -> Self {
        self.0
            .insert(tag, (vr, Content::Bytes(text.as_bytes().to_vec())));
        self
    }

    pub(super) fn short(mut self, tag: Tag, number: u16) -> Self {
        self.0.insert(tag, (VR::US, Content::Shorts(vec![number])));
        self
    }

    pub(super) fn bytes(mut self, tag: Tag, vr: VR, bytes: Vec<u8>) -> Self {
        self.0.insert(tag, (vr, Content::Bytes(bytes)));
        self
    }

    pub(super) fn shorts(mut self, tag: Tag, vr: VR, numbers: Vec<u16>) -> Self {
        self.0.insert(tag, (vr, Content::Shorts(numbers)));
        self
    }

    pub(super) fn without(mut self, tag: Tag) -> Self {
        self.0.remove(&tag);
        self
    }

    pub(super) fn part10(&self, syntax: Syntax) -> Vec<u8> {
        let uid = match syntax {
            Syntax::Implicit => "1.2.840.10008.1.2",
            Syntax::Explicit => "1.2.840.10008.1.2.1",
            Syntax::BigEndian => "1.2.840.10008.1.2.2",
            Syntax::Deflated => "1.2.840.10008.1.2.1.99",
        };
        let meta = Self::default()
            .bytes(Tag(2, 1), VR::OB, vec![0, 1])
            .text(Tag(2, 2), VR::UI, &self.string(tags::SOP_CLASS_UID))
            .text(Tag(2, 3), VR::UI, &self.string(tags::SOP_INSTANCE_UID))
            .text(Tag(2, 0x10), VR::UI, uid)
            .text(Tag(2, 0x12), VR::UI, "2.25.1");
        let meta = meta.data_set(Syntax::Explicit);
        let length = (meta.len() as u32).to_le_bytes();
        let mut file = [
            &[0; 128][..],
            b"DICM",
            &[2, 0, 0, 0],
            b"UL",
            &[4, 0],
            &length,
        ]
        .concat();
        file.extend(meta);
        let data = self.data_set(syntax);
        if syntax == Syntax::Deflated {
            let mut deflated = DeflateEncoder::new(file, Compression::fast());
            deflated.write_all(&data).unwrap();
            return deflated.finish().unwrap();
        }
        file.extend(data);
        file
    }

    fn string(&self, tag: Tag) -> String {
        match self.0.get(&tag) {
            Some((_, Content::Bytes(bytes))) => String::from_utf8(bytes.clone()).unwrap(),
            _ => String::new(),
        }
    }

    fn data_set(&self, syntax: Syntax) -> Vec<u8> {
        let big = syntax == Syntax::BigEndian;
        let short = |it: u16| {
            if big {
                it.to_be_bytes()
            } else {
                it.to_le_bytes()
            }
        };
        let long = |it: u32| {
            if big {
                it.to_be_bytes()
            } else {
                it.to_le_bytes()
            }
        };
        let mut bytes = Vec::new();
        for (tag, (vr, content)) in &self.0 {
            let mut value: Vec<u8> = match content {
                Content::Bytes(bytes) => bytes.clone(),
                Content::Shorts(numbers) => numbers.iter().flat_map(|it| short(*it)).collect(),
            };
            if value.len() % 2 == 1 {
                value.push(if *vr == VR::UI || *vr == VR::OB {
                    0
                } else {
                    b' '
                });
            }
            bytes.extend(short(tag.group()));
            bytes.extend(short(tag.element()));
            if syntax == Syntax::Implicit {
                bytes.extend(long(value.len() as u32));
            } else if matches!(vr, VR::OB | VR::OW | VR::UN) {
                bytes.extend(vr.to_bytes());
                bytes.extend([0, 0]);
                bytes.extend(long(value.len() as u32));
            } else {
                bytes.extend(vr.to_bytes());
                bytes.extend(short(value.len() as u16));
            }
            bytes.extend(value);
        }
        bytes
    }
}

/// A series of slices: where they lie and what is in them.
#[derive(Debug, Clone)]
pub(super) struct Slices {
    pub(super) rows: u16,
    pub(super) columns: u16,
    pub(super) along: [[f64; 3]; 2],
    pub(super) spacing: [f64; 2],
    pub(super) first: [f64; 3],
    pub(super) step: [f64; 3],
    pub(super) modality: &'static str,
    pub(super) sop_class: &'static str,
    pub(super) signed: bool,
    pub(super) stored: u16,
}

impl Slices {
    /// An oblique MR.
    pub(super) fn oblique() -> Self {
        let (sin, cos) = 0.3_f64.sin_cos();
        let (up, along) = 0.2_f64.sin_cos();
        let row = [cos, sin, 0.0];
        let column = [-sin * along, cos * along, -up];
        let normal = super::super::geometry::cross(row, column);
        Self {
            rows: 12,
            columns: 10,
            along: [row, column],
            spacing: [1.5, 1.25],
            first: [-20.0, -31.5, 12.25],
            step: normal.map(|it| it * 2.5),
            modality: "MR",
            sop_class: "1.2.840.10008.5.1.4.1.1.4",
            signed: false,
            stored: 12,
        }
    }

    pub(super) fn axial_ct() -> Self {
        Self {
            along: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            step: [0.0, 0.0, 2.0],
            modality: "CT",
            sop_class: "1.2.840.10008.5.1.4.1.1.2",
            ..Self::oblique()
        }
    }

    /// The stored number at a place.
    pub(super) fn number(&self, slice: usize, row: usize, column: usize) -> i32 {
        let number = (slice * 331 + row * 17 + column * 3) as i32 % (1 << (self.stored - 1));
        if self.signed && (row + column) % 2 == 1 {
            -number
        } else {
            number
        }
    }

    pub(super) fn slice(&self, slice: usize) -> Elements {
        let position: Vec<f64> = (0..3)
            .map(|i| self.first[i] + self.step[i] * slice as f64)
            .collect();
        let mask = ((1_u32 << self.stored) - 1) as u16;
        let mut pixels = Vec::new();
        for row in 0..usize::from(self.rows) {
            for column in 0..usize::from(self.columns) {
                pixels.push(self.number(slice, row, column) as u16 & mask);
            }
        }
        Elements::default()
            .text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\OTHER")
            .text(tags::SOP_CLASS_UID, VR::UI, self.sop_class)
            .text(
                tags::SOP_INSTANCE_UID,
                VR::UI,
                &format!("2.25.1000.{}", slice + 1),
            )
            .text(tags::STUDY_DATE, VR::DA, "20240102")
            .text(tags::STUDY_TIME, VR::TM, "101112")
            .text(tags::ACQUISITION_DATE, VR::DA, "20240102")
            .text(
                tags::ACQUISITION_TIME,
                VR::TM,
                &format!("1012{:02}", slice % 60),
            )
            .text(tags::MODALITY, VR::CS, self.modality)
            .text(tags::MANUFACTURER, VR::LO, "Hilum")
            .text(tags::PATIENT_NAME, VR::PN, "Nobody^Nora")
            .text(tags::PATIENT_ID, VR::LO, "N-1")
            .text(tags::SLICE_THICKNESS, VR::DS, "2.5")
            .text(tags::REPETITION_TIME, VR::DS, "2000")
            .text(tags::ECHO_TIME, VR::DS, "4.56")
            .text(tags::MAGNETIC_FIELD_STRENGTH, VR::DS, "3")
            .text(tags::PATIENT_POSITION, VR::CS, "HFS")
            .text(tags::STUDY_INSTANCE_UID, VR::UI, "2.25.1")
            .text(tags::SERIES_INSTANCE_UID, VR::UI, "2.25.2")
            .text(tags::SERIES_NUMBER, VR::IS, "4")
            .text(tags::ACQUISITION_NUMBER, VR::IS, "1")
            .text(tags::INSTANCE_NUMBER, VR::IS, &(slice + 1).to_string())
            .text(tags::IMAGE_POSITION_PATIENT, VR::DS, &ds(&position))
            .text(
                tags::IMAGE_ORIENTATION_PATIENT,
                VR::DS,
                &ds(&self.along.concat()),
            )
            .text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "2.25.3")
            .text(tags::PIXEL_SPACING, VR::DS, &ds(&self.spacing))
            .short(tags::SAMPLES_PER_PIXEL, 1)
            .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
            .short(tags::ROWS, self.rows)
            .short(tags::COLUMNS, self.columns)
            .short(tags::BITS_ALLOCATED, 16)
            .short(tags::BITS_STORED, self.stored)
            .short(tags::HIGH_BIT, self.stored - 1)
            .short(tags::PIXEL_REPRESENTATION, self.signed.into())
            .shorts(tags::PIXEL_DATA, VR::OW, pixels)
    }
}

/// Writes files into a folder, and lists them in an order that is not theirs.
pub(super) fn store(folder: &Path, files: &[Vec<u8>]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let path = folder.join(format!("{index:04}.dcm"));
        fs::write(&path, file).unwrap();
        paths.push(path);
    }
    paths.reverse();
    let middle = paths.len() / 2;
    paths.rotate_left(middle);
    paths
}

/// Numbers as text of at most 16 characters.
pub(super) fn ds(numbers: &[f64]) -> String {
    let text = |number: &f64| {
        let long = format!("{number:.10}");
        long.get(..16).unwrap_or(&long).to_owned()
    };
    numbers.iter().map(text).collect::<Vec<_>>().join("\\")
}
