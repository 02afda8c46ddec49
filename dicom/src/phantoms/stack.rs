//! Images as values at places: where each pixel lies in the patient, and how it is stored.

use std::io;

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::tags;

use super::{Examination, Uids};
use crate::write::Builder;

/// An axial stack: Frame of Reference, Image Plane and VOI LUT modules.
pub(super) struct Stack {
    pub(super) pixels: u16,
    pub(super) slices: u16,
    pub(super) field_mm: f64,
    pub(super) spacing_mm: f64,
    /// Centre and width of the window in which it is shown.
    pub(super) window: (i32, i32),
}

impl Stack {
    pub(super) fn pixel_mm(&self) -> f64 {
        self.field_mm / f64::from(self.pixels)
    }

    /// Height of a slice above the middle of the stack; the first is the lowest.
    pub(super) fn z(&self, slice: u16) -> f64 {
        (f64::from(slice) - (f64::from(self.slices) - 1.0) / 2.0) * self.spacing_mm
    }

    /// Centre of the first pixel, from the middle of the image, in both directions.
    pub(super) fn origin(&self) -> f64 {
        (self.pixel_mm() - self.field_mm) / 2.0
    }

    /// The slice's values, row by row from the front left corner (the patient's right).
    pub(super) fn draw(&self, slice: u16, value: impl Fn(Point) -> f64) -> Vec<u16> {
        let stored = |at| value(at).clamp(0.0, 4095.0).round() as u16;
        self.points(slice).map(stored).collect()
    }

    /// The centres of the slice's pixels in the same order.
    pub(super) fn points(&self, slice: u16) -> impl Iterator<Item = Point> {
        let (origin, step, z) = (self.origin(), self.pixel_mm(), self.z(slice));
        let (rows, columns) = (self.pixels, self.pixels);
        (0..rows).flat_map(move |row| {
            (0..columns).map(move |column| Point {
                x: origin + f64::from(column) * step,
                y: origin + f64::from(row) * step,
                z,
            })
        })
    }

    pub(super) fn plane(&self, uids: Uids<'_>, examination: &Examination, slice: u16) -> Builder {
        let (origin, z, step) = (self.origin(), self.z(slice), self.pixel_mm());
        Builder::new()
            .text(tags::SLICE_THICKNESS, VR::DS, &self.spacing_mm.to_string())
            .text(
                tags::SPACING_BETWEEN_SLICES,
                VR::DS,
                &self.spacing_mm.to_string(),
            )
            .text(tags::PATIENT_POSITION, VR::CS, "HFS")
            .text(tags::ACQUISITION_NUMBER, VR::IS, "1")
            .text(
                tags::IMAGE_POSITION_PATIENT,
                VR::DS,
                &format!("{origin}\\{origin}\\{z}"),
            )
            .text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0")
            .text(
                tags::FRAME_OF_REFERENCE_UID,
                VR::UI,
                uids.of(&format!("{}/frame", examination.key)).as_str(),
            )
            .text(tags::POSITION_REFERENCE_INDICATOR, VR::LO, "")
            .text(tags::SLICE_LOCATION, VR::DS, &z.to_string())
            .text(tags::PIXEL_SPACING, VR::DS, &format!("{step}\\{step}"))
            .text(tags::WINDOW_CENTER, VR::DS, &self.window.0.to_string())
            .text(tags::WINDOW_WIDTH, VR::DS, &self.window.1.to_string())
    }
}

/// Draws the slices of a stack on as many threads as there are processors.
pub(super) fn drawn_in_parallel(
    slices: u16,
    slice: impl Fn(u16) -> io::Result<Vec<u8>> + Sync,
) -> io::Result<Vec<Vec<u8>>> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8) as u16);
    let share = slices.div_ceil(threads).max(1);
    let slice = &slice;
    std::thread::scope(|scope| {
        let draw =
            |from: u16| scope.spawn(move || (from..slices.min(from + share)).map(slice).collect());
        let workers: Vec<_> = (0..slices).step_by(usize::from(share)).map(draw).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, io::Result<Vec<_>>>| {
            worker.join().expect("drawing does not panic")
        };
        let shares: Vec<Vec<_>> = workers.into_iter().map(join).collect::<io::Result<_>>()?;
        Ok(shares.into_iter().flatten().collect())
    })
}

/// A place in the patient in millimetres: to the left, to the back, to the head.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) z: f64,
}

impl Point {
    /// Below one inside the ellipsoid.
    pub(super) fn in_ellipsoid(self, centre: [f64; 3], axes: [f64; 3]) -> f64 {
        let part = |value: f64, index: usize| ((value - centre[index]) / axes[index]).powi(2);
        part(self.x, 0) + part(self.y, 1) + part(self.z, 2)
    }

    /// Below one inside the upright cylinder.
    pub(super) fn in_column(self, centre: [f64; 2], axes: [f64; 2]) -> f64 {
        ((self.x - centre[0]) / axes[0]).powi(2) + ((self.y - centre[1]) / axes[1]).powi(2)
    }
}

/// Image Pixel module of a grey image with 12 bits in 16.
pub(super) fn twelve_bits(pixels: u16, values: Vec<u16>) -> Builder {
    grey(pixels, pixels, 16, 12).value(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(values.into()))
}

/// Image Pixel module of a grey image.
pub(super) fn grey(rows: u16, columns: u16, allocated: u16, stored: u16) -> Builder {
    let number = |number: u16| PrimitiveValue::from(number);
    Builder::new()
        .value(tags::SAMPLES_PER_PIXEL, VR::US, number(1))
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
        .value(tags::ROWS, VR::US, number(rows))
        .value(tags::COLUMNS, VR::US, number(columns))
        .value(tags::BITS_ALLOCATED, VR::US, number(allocated))
        .value(tags::BITS_STORED, VR::US, number(stored))
        .value(tags::HIGH_BIT, VR::US, number(stored - 1))
        .value(tags::PIXEL_REPRESENTATION, VR::US, number(0))
}
