//! Volumes made here field by field, in both byte orders.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Which of the three, and in which order its bytes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Nifti1,
    Nifti2,
    Analyze,
}

pub(crate) const FORMATS: [Format; 3] = [Format::Nifti1, Format::Nifti2, Format::Analyze];

/// 5 x 4 x 3 voxels of int16, 2 x 2.5 x 3 mm.
const DIMENSIONS: [i64; 8] = [3, 5, 4, 3, 1, 1, 1, 1];
const SIZES: [f64; 4] = [1.0, 2.0, 2.5, 3.0];
const VOXEL_BYTES: usize = 120;

/// A header that is being filled.
struct Header {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Header {
    fn put<const N: usize>(&mut self, at: usize, little: [u8; N]) {
        let mut bytes = little;
        if self.big_endian {
            bytes.reverse();
        }
        self.bytes[at..at + N].copy_from_slice(&bytes);
    }

    fn text(&mut self, at: usize, text: &[u8]) {
        self.bytes[at..at + text.len()].copy_from_slice(text);
    }

    fn i16(&mut self, at: usize, number: i64) {
        self.put(at, i16::try_from(number).unwrap().to_le_bytes());
    }

    fn i32(&mut self, at: usize, number: i32) {
        self.put(at, number.to_le_bytes());
    }

    fn f32(&mut self, at: usize, number: f64) {
        self.put(at, (number as f32).to_le_bytes());
    }
}

/// A header whose axes go to the right, to the front and to the head, except that Analyze cannot say
/// so. `descrip` is a text in it.
pub(crate) fn header(format: Format, big_endian: bool, descrip: &str) -> Vec<u8> {
    let length = match format {
        Format::Nifti1 => 352,
        Format::Nifti2 => 544,
        Format::Analyze => 348,
    };
    let mut header = Header {
        bytes: vec![0; length],
        big_endian,
    };
    if format == Format::Nifti2 {
        header.i32(0, 540);
        header.text(4, b"n+2\0\r\n\x1A\n");
        header.i16(12, 4);
        header.i16(14, 16);
        for (at, length) in DIMENSIONS.iter().enumerate() {
            header.put(16 + 8 * at, length.to_le_bytes());
        }
        for (at, size) in SIZES.iter().enumerate() {
            header.put(104 + 8 * at, size.to_le_bytes());
        }
        header.put(168, 544_i64.to_le_bytes());
        header.text(240, descrip.as_bytes());
        header.i32(348, 1);
        for (at, size) in SIZES[1..].iter().enumerate() {
            header.put(400 + 40 * at, size.to_le_bytes());
        }
        header.i32(500, 10);
        return header.bytes;
    }
    header.i32(0, 348);
    header.i16(70, 4);
    header.i16(72, 16);
    for (at, length) in DIMENSIONS.iter().enumerate() {
        header.i16(40 + 2 * at, *length);
    }
    for (at, size) in SIZES.iter().enumerate() {
        header.f32(76 + 4 * at, *size);
    }
    header.text(148, descrip.as_bytes());
    if format == Format::Analyze {
        header.text(38, b"r");
        header.text(56, b"mm\0\0");
        return header.bytes;
    }
    header.f32(108, 352.0);
    header.text(123, &[10]);
    header.i16(254, 1);
    for (at, size) in SIZES[1..].iter().enumerate() {
        header.f32(280 + 20 * at, *size);
    }
    header.text(344, b"n+1\0");
    header.bytes
}

/// Voxels that are different for each seed.
pub(crate) fn voxels(seed: u8) -> Vec<u8> {
    let voxel = |at: usize| (at as u8).wrapping_mul(31).wrapping_add(seed);
    (0..VOXEL_BYTES).map(voxel).collect()
}

pub(crate) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Writes a volume: `NAME.nii`, or `NAME.hdr` and `NAME.img`. Gives the first.
pub(crate) fn write(folder: &Path, name: &str, format: Format, big_endian: bool) -> PathBuf {
    let seed = name.bytes().fold(7, u8::wrapping_add);
    let header = header(format, big_endian, "made for a test");
    if format == Format::Analyze {
        let path = folder.join(format!("{name}.hdr"));
        fs::write(&path, header).unwrap();
        fs::write(folder.join(format!("{name}.img")), voxels(seed)).unwrap();
        return path;
    }
    let path = folder.join(format!("{name}.nii"));
    fs::write(&path, [header, voxels(seed)].concat()).unwrap();
    path
}

/// The same, compressed: `NAME.nii.gz`.
pub(crate) fn write_packed(folder: &Path, name: &str, format: Format) -> PathBuf {
    let seed = name.bytes().fold(7, u8::wrapping_add);
    let header = header(format, false, "made for a test");
    let path = folder.join(format!("{name}.nii.gz"));
    fs::write(&path, gzipped(&[header, voxels(seed)].concat())).unwrap();
    path
}
