//! Reading back what was written, with the `nifti` crate and not with our own reader.

use nifti::{InMemNiftiObject, NiftiHeader, NiftiObject, NiftiVolume, ReaderOptions};
use std::path::Path;

use crate::nifti::Affine;

/// A volume that was read.
pub(super) struct Volume {
    pub(super) header: NiftiHeader,
    pub(super) size: [usize; 4],
    values: Vec<f64>,
}

impl Volume {
    pub(super) fn read(path: &Path) -> Self {
        let object: InMemNiftiObject = ReaderOptions::new().read_file(path).unwrap();
        let header = object.header().clone();
        let volume = object.into_volume();
        let mut size = [1; 4];
        for (axis, length) in size.iter_mut().zip(volume.dim()) {
            *axis = usize::from(*length);
        }
        let raw = volume.raw_data();
        // Ours, and those of dcm2niix.
        assert_eq!(header.endianness, nifti::Endianness::Little);
        let stored: Vec<f64> = match header.datatype {
            2 | 128 => raw.iter().map(|it| f64::from(*it)).collect(),
            256 => raw.iter().map(|it| f64::from(it.cast_signed())).collect(),
            4 => each(raw, |it| i16::from_le_bytes(it).into()),
            512 => each(raw, |it| u16::from_le_bytes(it).into()),
            8 => each(raw, |it| i32::from_le_bytes(it).into()),
            768 => each(raw, |it| u32::from_le_bytes(it).into()),
            16 => each(raw, |it| f32::from_le_bytes(it).into()),
            other => panic!("data type {other}"),
        };
        let (slope, inter) = (f64::from(header.scl_slope), f64::from(header.scl_inter));
        let values = stored.iter().map(|it| {
            if slope == 0.0 {
                *it
            } else {
                it * slope + inter
            }
        });
        Self {
            values: values.collect(),
            size,
            header,
        }
    }

    pub(super) fn value(&self, [i, j, k, t]: [usize; 4]) -> f64 {
        let [columns, rows, slices, _] = self.size;
        self.values[i + columns * (j + rows * (k + slices * t))]
    }

    pub(super) fn samples(&self) -> usize {
        self.values.len()
    }

    pub(super) fn sample(&self, at: usize) -> f64 {
        self.values[at]
    }

    pub(super) fn sform(&self) -> Affine {
        [self.header.srow_x, self.header.srow_y, self.header.srow_z].map(|row| row.map(f64::from))
    }
}

fn each<const N: usize>(raw: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    raw.as_chunks::<N>().0.iter().map(|it| read(*it)).collect()
}

pub(super) fn assert_close(a: &Affine, b: &Affine, tolerance: f64) {
    let close = a
        .iter()
        .flatten()
        .zip(b.iter().flatten())
        .all(|(a, b)| (a - b).abs() < tolerance);
    assert!(close, "{a:?}\n{b:?}");
}
