//! A planned volume as NIfTI-1: the header, then slice after slice.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};

use super::geometry::dot;
use super::pixels::Reader;
use super::{FourthDimension, FrameDecoder, Plan};
use crate::nifti::Affine;

/// Header and the four bytes that say that no extension follows.
const OFFSET: usize = 352;
/// Level 6 is zlib's own choice; the bytes depend on it.
const COMPRESSION: Compression = Compression::new(6);
/// An XFL of zero and an unknown operating system: nothing of when, where and by whom.
const UNKNOWN_SYSTEM: u8 = 255;

/// Why a planned volume could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteFault {
    /// A file could not be read, or the volume not be written.
    #[error("cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// A frame could not be decoded.
    #[error("a frame cannot be decoded: {0}")]
    Decode(String),
    /// The files are not those of the plan any more.
    #[error("the files have changed since the volume was planned")]
    Changed,
}

impl Plan {
    /// Writes the volume as `.nii.gz`. One slice is held at a time, or one mosaic. The same files
    /// always give the same bytes. For series of which nothing is compressed, `decode` is
    /// [`native_only`](super::native_only).
    pub fn write(&self, to: impl Write, decode: &mut FrameDecoder<'_>) -> Result<(), WriteFault> {
        let builder = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
        let mut packed = builder.write(to, COMPRESSION);
        self.write_plain(&mut packed, decode)?;
        packed.finish()?.flush()?;
        Ok(())
    }

    /// As [`write`](Self::write), not compressed: a `.nii`.
    pub fn write_plain(
        &self,
        mut to: impl Write,
        decode: &mut FrameDecoder<'_>,
    ) -> Result<(), WriteFault> {
        to.write_all(&self.header())?;
        let mut reader = Reader::new(self, decode);
        for frame in &self.frames {
            to.write_all(&reader.slice(frame)?)?;
        }
        to.flush()?;
        Ok(())
    }

    /// How long the volume is when it is not compressed.
    pub fn plain_bytes(&self) -> u64 {
        let [columns, rows, slices] = self.size.map(u64::from);
        let voxels = columns * rows * slices * u64::from(self.volumes);
        OFFSET as u64 + voxels * u64::from(self.datatype.1)
    }

    fn header(&self) -> [u8; OFFSET] {
        let mut header = Header([0; OFFSET]);
        header.put(0, &348_i32.to_le_bytes());
        // What Analyze had, and some programs still look for.
        header.put(38, b"r");
        header.put(39, &[self.dim_info]);
        let [columns, rows, slices] = self.size;
        let several = self.volumes > 1;
        let count = if several { 4 } else { 3 };
        let dim = [count, columns, rows, slices, self.volumes, 1, 1, 1];
        for (index, length) in dim.iter().enumerate() {
            header.put(40 + 2 * index, &length.to_le_bytes());
        }
        let (step, time) = self.step();
        header.put(70, &self.datatype.0.to_le_bytes());
        header.put(72, &(i16::from(self.datatype.1) * 8).to_le_bytes());
        let (quaternion, sign) = quaternion(&self.affine, self.voxel_mm);
        let [x, y, z] = self.voxel_mm;
        header.floats(76, &[sign, x, y, z, step, 1.0, 1.0, 1.0]);
        let (slope, intercept) = self.rescale.unwrap_or((1.0, 0.0));
        header.floats(108, &[OFFSET as f64, slope, intercept]);
        header.put(123, &[2 | time]);
        header.put(148, b"Hilum");
        // Both affines lead to the scanner's coordinates.
        header.put(252, &[1, 0, 1, 0]);
        header.floats(256, &quaternion);
        header.floats(268, &self.affine.map(|row| row[3]));
        for (index, row) in self.affine.iter().enumerate() {
            header.floats(280 + 16 * index, row);
        }
        header.put(344, b"n+1\0");
        header.0
    }

    /// The step along the fourth dimension and the code of its unit: seconds, or unknown. A volume of
    /// three dimensions has the unit all the same, since the standard knows no other way to say it.
    fn step(&self) -> (f64, u8) {
        match &self.fourth {
            None => (0.0, 8),
            Some(FourthDimension::Time {
                step_s: Some(step), ..
            }) => (*step, 8),
            Some(_) => (1.0, 0),
        }
    }
}

struct Header([u8; OFFSET]);

impl Header {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn floats(&mut self, at: usize, numbers: &[f64]) {
        for (index, number) in numbers.iter().enumerate() {
            self.put(at + 4 * index, &(*number as f32).to_le_bytes());
        }
    }
}

/// Parts b, c, d of the quaternion of an affine's rotation, and the sign of its third axis, by which
/// a left-handed affine becomes a rotation (`nifti1.h`, method 2).
fn quaternion(affine: &Affine, sizes: [f64; 3]) -> ([f64; 3], f64) {
    let mut axes: [[f64; 3]; 3] =
        std::array::from_fn(|axis| affine.map(|row| row[axis] / sizes[axis]));
    let sign = if dot(super::geometry::cross(axes[0], axes[1]), axes[2]) < 0.0 {
        axes[2] = axes[2].map(|part| -part);
        -1.0
    } else {
        1.0
    };
    let at = |row: usize, column: usize| axes[column][row];
    // Four times the square of each part; the largest is divided by.
    let trace = at(0, 0) + at(1, 1) + at(2, 2);
    let squares = [
        1.0 + trace,
        1.0 + 2.0 * at(0, 0) - trace,
        1.0 + 2.0 * at(1, 1) - trace,
        1.0 + 2.0 * at(2, 2) - trace,
    ];
    let largest = (0..4).fold(0, |best, it| {
        if squares[it] > squares[best] {
            it
        } else {
            best
        }
    });
    let double = squares[largest].max(0.0).sqrt();
    let over = |sum: f64| sum / (2.0 * double);
    let [a, b, c, d] = match largest {
        0 => [
            double / 2.0,
            over(at(2, 1) - at(1, 2)),
            over(at(0, 2) - at(2, 0)),
            over(at(1, 0) - at(0, 1)),
        ],
        1 => [
            over(at(2, 1) - at(1, 2)),
            double / 2.0,
            over(at(0, 1) + at(1, 0)),
            over(at(0, 2) + at(2, 0)),
        ],
        2 => [
            over(at(0, 2) - at(2, 0)),
            over(at(0, 1) + at(1, 0)),
            double / 2.0,
            over(at(1, 2) + at(2, 1)),
        ],
        _ => [
            over(at(1, 0) - at(0, 1)),
            over(at(0, 2) + at(2, 0)),
            over(at(1, 2) + at(2, 1)),
            double / 2.0,
        ],
    };
    // The first part is not written, and never negative.
    let turn = if a < 0.0 { -1.0 } else { 1.0 };
    ([b, c, d].map(|part| turn * part + 0.0), sign)
}
