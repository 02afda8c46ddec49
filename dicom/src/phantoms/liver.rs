//! A liver as an ultrasound probe sees it: a fan of echoes, 8 bits.

use std::f64::consts::PI;
use std::io;

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};

use super::noise::{smooth, uniform};
use super::stack::grey;
use super::{Examination, SeriesWords, Uids};
use crate::write::Builder;

const ROWS: u16 = 480;
const COLUMNS: u16 = 640;
/// The fan: where its lines meet (above the picture), where it begins and ends, and how wide it is.
const APEX: (f64, f64) = (320.0, -70.0);
const NEAR: f64 = 105.0;
const FAR: f64 = 525.0;
const HALF_ANGLE: f64 = 0.58;
const CM_PER_PIXEL: f64 = 0.035;

/// The US Image IOD's file.
pub(super) fn image(exam: &Examination, uids: Uids<'_>) -> io::Result<Vec<u8>> {
    let words = SeriesWords {
        modality: "US",
        number: "1",
        description: "Right lobe, sagittal",
        model: "Phantom US",
    };
    let mut pixels = Vec::with_capacity(usize::from(ROWS) * usize::from(COLUMNS));
    for row in 0..ROWS {
        pixels.extend((0..COLUMNS).map(|column| brightness(f64::from(column), f64::from(row))));
    }
    let file = exam
        .common(uids, uids::ULTRASOUND_IMAGE_STORAGE, &words, 1)
        .with(exam.image("ABDOMEN", "ORIGINAL\\PRIMARY\\ABDOMINAL\\0001"))
        .text(tags::PATIENT_ORIENTATION, VR::CS, "")
        .value(
            tags::ULTRASOUND_COLOR_DATA_PRESENT,
            VR::US,
            PrimitiveValue::from(0_u16),
        )
        .items(tags::SEQUENCE_OF_ULTRASOUND_REGIONS, [region()])
        .with(grey(ROWS, COLUMNS, 8, 8))
        .value(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(pixels.into()));
    file.part10().map_err(io::Error::other)
}

/// US Region Calibration: one fan of tissue in which distances can be measured.
fn region() -> Builder {
    let long = |value: u32| PrimitiveValue::from(value);
    let short = |value: u16| PrimitiveValue::from(value);
    Builder::new()
        .value(tags::REGION_SPATIAL_FORMAT, VR::US, short(1))
        .value(tags::REGION_DATA_TYPE, VR::US, short(1))
        .value(tags::REGION_FLAGS, VR::UL, long(2))
        .value(tags::REGION_LOCATION_MIN_X0, VR::UL, long(0))
        .value(tags::REGION_LOCATION_MIN_Y0, VR::UL, long(0))
        .value(
            tags::REGION_LOCATION_MAX_X1,
            VR::UL,
            long(u32::from(COLUMNS) - 1),
        )
        .value(
            tags::REGION_LOCATION_MAX_Y1,
            VR::UL,
            long(u32::from(ROWS) - 1),
        )
        .value(tags::PHYSICAL_UNITS_X_DIRECTION, VR::US, short(3))
        .value(tags::PHYSICAL_UNITS_Y_DIRECTION, VR::US, short(3))
        .value(
            tags::PHYSICAL_DELTA_X,
            VR::FD,
            PrimitiveValue::from(CM_PER_PIXEL),
        )
        .value(
            tags::PHYSICAL_DELTA_Y,
            VR::FD,
            PrimitiveValue::from(CM_PER_PIXEL),
        )
}

fn brightness(x: f64, y: f64) -> u8 {
    // A grey scale beside the fan, as machines show it.
    if (20.0..30.0).contains(&x) && (100.0..356.0).contains(&y) {
        return (355.0 - y) as u8;
    }
    let (dx, dy) = (x - APEX.0, y - APEX.1);
    let (depth, angle) = (dx.hypot(dy), dx.atan2(dy));
    if angle.abs() > HALF_ANGLE || !(NEAR..FAR).contains(&depth) {
        return 0;
    }
    let echo = echogenicity(x, y, depth, angle) * speckle(depth, angle);
    // Logarithmic compression, as between the echo and the screen of every machine.
    (58.0 * (1.0 + 12.0 * echo).ln()).clamp(0.0, 255.0) as u8
}

/// Speckle is fine along the beam and coarser across it, and coarser still with depth. Its amplitude
/// follows the Rayleigh distribution.
fn speckle(depth: f64, angle: f64) -> f64 {
    let (along, across) = (depth / 3.0, angle * 95.0);
    let fine = smooth(31, along, across, 0.0) * 0.5 + 0.5;
    let grain = uniform(32, (along * 1.5) as i64, (across * 1.5 + 500.0) as i64, 0);
    (-2.0 * (1.0 - 0.97 * (0.75 * fine + 0.25 * grain)).ln()).sqrt()
}

/// How much the tissue at this place echoes.
fn echogenicity(x: f64, y: f64, depth: f64, angle: f64) -> f64 {
    let inside =
        |cx: f64, cy: f64, ax: f64, ay: f64| ((x - cx) / ax).powi(2) + ((y - cy) / ay).powi(2);
    let skin = depth - NEAR;
    if skin < 34.0 {
        // Skin, fat and muscle lie in layers.
        return 0.75 + 0.5 * (skin / 5.0 * PI / 2.0).sin() * (1.0 - skin / 60.0);
    }
    let gallbladder = inside(415.0, 175.0, 48.0, 24.0);
    if gallbladder < 1.15 {
        return if gallbladder < 1.0 { 0.015 } else { 1.3 };
    }
    let kidney = inside(225.0, 320.0, 70.0, 36.0);
    if kidney < 1.1 {
        return match kidney {
            k if k < 0.22 => 1.5, // fat of the renal sinus
            k if k < 0.95 => 0.3,
            _ => 1.1,
        };
    }
    for (cx, cy, radius) in [
        (300.0, 170.0, 10.0),
        (350.0, 255.0, 14.0),
        (250.0, 215.0, 7.0),
        (390.0, 310.0, 9.0),
    ] {
        let vessel = inside(cx, cy, radius * 1.8, radius);
        if vessel < 1.3 {
            return if vessel < 1.0 { 0.03 } else { 1.5 };
        }
    }
    // The diaphragm: a bright arc, and beyond it only its mirror image.
    let arc = depth - 430.0 - 38.0 * (angle * 4.0).sin();
    if arc.abs() < 4.0 {
        return 4.0;
    }
    let beyond = if arc > 0.0 { 0.35 } else { 1.0 };
    // Sound that crossed fluid comes back stronger.
    let enhanced = if (x - 415.0 - (y - 175.0) * 0.38).abs() < 40.0 && y > 195.0 {
        1.9
    } else {
        1.0
    };
    let fading = 1.0 - 0.35 * (depth - NEAR) / (FAR - NEAR);
    let texture = 0.5 + 0.07 * smooth(33, x / 22.0, y / 22.0, 0.0);
    texture * beyond * enhanced * fading
}
