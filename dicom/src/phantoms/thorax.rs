//! A thorax for computed tomography, in Hounsfield units.

use std::io;
use std::sync::LazyLock;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::noise::{normal, smooth};
use super::stack::{Point, Stack, drawn_in_parallel, twelve_bits};
use super::{Detail, Examination, SeriesWords, Uids};
use crate::write::Builder;

/// Radius of the nodule in the first examination.
pub(super) const NODULE_MM: f64 = 5.0;
/// And in the follow-up.
pub(super) const NODULE_GROWN_MM: f64 = 8.0;
/// Where it lies: in the upper lobe of the right lung.
pub(super) const NODULE: [f64; 3] = [-78.0, -12.0, 33.0];

/// A place well inside the liver, near the lowest slices.
pub(super) const LIVER_BELOW: [f64; 3] = [-75.0, 4.0, -105.0];

const AIR: f64 = -1000.0;
const LUNG: f64 = -860.0;
const FAT: f64 = -95.0;
const MUSCLE: f64 = 55.0;
const BLOOD: f64 = 42.0;
const LIVER: f64 = 62.0;
const MARROW: f64 = 190.0;
const BONE: f64 = 780.0;

/// Stored value 0 is this many Hounsfield units.
const INTERCEPT: f64 = -1024.0;

pub(super) fn stack(detail: Detail) -> Stack {
    let slices = detail.slices();
    let spacing_mm = if detail == Detail::Full { 6.0 } else { 30.0 };
    Stack {
        pixels: detail.pixels(),
        slices,
        field_mm: 384.0,
        spacing_mm,
        window: (-500, 1500),
    }
}

/// The CT Image IOD's files, from the lowest slice up.
pub(super) fn slices(
    exam: &Examination,
    uids: Uids<'_>,
    detail: Detail,
    nodule_mm: f64,
) -> io::Result<Vec<Vec<u8>>> {
    let stack = stack(detail);
    let words = SeriesWords {
        modality: "CT",
        number: "2",
        description: "Thorax 6 mm",
        model: "Phantom CT",
    };
    let slice = |slice: u16| {
        let draw = |at: Point| hounsfield(at, nodule_mm) - INTERCEPT;
        let file = exam
            .common(uids, uids::CT_IMAGE_STORAGE, &words, usize::from(slice) + 1)
            .with(exam.image("CHEST", "ORIGINAL\\PRIMARY\\AXIAL"))
            .with(stack.plane(uids, exam, slice))
            .with(ct_image())
            .with(twelve_bits(stack.pixels, stack.draw(slice, draw)));
        file.part10().map_err(io::Error::other)
    };
    drawn_in_parallel(stack.slices, slice)
}

/// CT Image module.
fn ct_image() -> Builder {
    Builder::new()
        .text(tags::KVP, VR::DS, "120")
        .text(tags::CONVOLUTION_KERNEL, VR::SH, "SOFT")
        .text(tags::X_RAY_TUBE_CURRENT, VR::IS, "180")
        .text(tags::EXPOSURE_TIME, VR::IS, "500")
        .text(tags::RESCALE_INTERCEPT, VR::DS, &INTERCEPT.to_string())
        .text(tags::RESCALE_SLOPE, VR::DS, "1")
        .text(tags::RESCALE_TYPE, VR::LO, "HU")
}

/// What the machine measures at a place.
pub(super) fn hounsfield(at: Point, nodule_mm: f64) -> f64 {
    tissue(at, nodule_mm) + grain(at, nodule_mm)
}

fn grain(at: Point, nodule_mm: f64) -> f64 {
    // The two examinations are not the same picture with another nodule.
    let seed = nodule_mm.to_bits();
    let cell = |value: f64| (value * 4.0).round() as i64;
    14.0 * normal(seed, cell(at.x), cell(at.y), cell(at.z))
}

fn tissue(at: Point, nodule_mm: f64) -> f64 {
    let body = at.in_column([0.0, 0.0], [165.0, 112.0]);
    if body > 1.0 {
        return table(at);
    }
    if let Some(bone) = skeleton(at, body) {
        return bone;
    }
    match body {
        b if b > 0.97 => MUSCLE - 20.0, // skin
        b if b > 0.80 => FAT + 8.0 * smooth(1, at.x / 9.0, at.y / 9.0, at.z / 9.0),
        b if b > 0.69 => muscle(at),
        _ => inside(at, nodule_mm),
    }
}

/// The table: a thin curved board.
fn table(at: Point) -> f64 {
    let below = at.y - 119.0 + at.x * at.x / 1800.0;
    if (0.0..7.0).contains(&below) && at.x.abs() < 150.0 {
        if (1.5..5.5).contains(&below) {
            -900.0
        } else {
            -150.0
        }
    } else {
        AIR
    }
}

fn muscle(at: Point) -> f64 {
    // Layers of fat between the muscles.
    if smooth(2, at.x / 14.0, at.y / 14.0, at.z / 20.0) > 0.45 {
        FAT
    } else {
        MUSCLE
    }
}

fn skeleton(at: Point, body: f64) -> Option<f64> {
    let vertebra = at.in_column([0.0, 58.0], [19.0, 15.0]);
    let level = (at.z + 300.0).rem_euclid(27.0);
    if vertebra < 1.0 {
        return Some(
            match (level < 5.0, vertebra > 0.8 || !(7.0..25.0).contains(&level)) {
                (true, _) => 85.0, // disc
                (false, true) => BONE * 0.7,
                (false, false) => MARROW + 60.0 * smooth(3, at.x / 2.0, at.y / 2.0, at.z / 2.0),
            },
        );
    }
    if at.in_column([0.0, 80.0], [9.0, 8.0]) < 1.0 {
        return Some(25.0); // spinal canal
    }
    let arch = at.in_column([0.0, 80.0], [15.0, 13.0]) < 1.0;
    let spine = at.x.abs() < 4.0 && (88.0..104.0).contains(&at.y) && level > 12.0;
    let transverse = at.x.abs() < 34.0 && (74.0..83.0).contains(&at.y) && level > 16.0;
    if arch && level > 7.0 || spine || transverse {
        return Some(BONE * 0.8);
    }
    let sternum = at.in_column([0.0, -89.0], [19.0, 6.5]);
    if sternum < 1.0 && at.z > -70.0 {
        return Some(if sternum > 0.6 { BONE * 0.7 } else { MARROW });
    }
    rib(at, body).or_else(|| shoulder_blade(at))
}

/// Ribs fall from back to front, so each slice cuts each of them once on either side.
fn rib(at: Point, body: f64) -> Option<f64> {
    if !(0.685..0.785).contains(&body) || at.x.abs() < 22.0 {
        return None;
    }
    let from_back = (at.x.abs() / 165.0).atan2(at.y / 112.0);
    let along = (at.z + from_back * 34.0 + 300.0).rem_euclid(27.0);
    let middle = ((along - 6.0) / 6.0).powi(2) + ((body - 0.735) / 0.05).powi(2);
    (middle < 1.0).then_some(if middle > 0.55 { BONE } else { MARROW + 120.0 })
}

fn shoulder_blade(at: Point) -> Option<f64> {
    let along = at.x.abs() - 92.0;
    let depth = at.y - 74.0 + along * 0.55;
    let blade = (-28.0..28.0).contains(&along) && depth.abs() < 3.5 && at.z > -20.0;
    blade.then_some(BONE * 0.75)
}

fn inside(at: Point, nodule_mm: f64) -> f64 {
    if at.in_ellipsoid([26.0, -28.0, -62.0], [58.0, 46.0, 62.0]) < 1.0 {
        return heart(at);
    }
    if let Some(vessel) = great_vessels(at) {
        return vessel;
    }
    // The diaphragm rises higher on the right, over the liver.
    if at.in_ellipsoid([-62.0, 4.0, -150.0], [86.0, 92.0, 92.0]) < 1.0 {
        return LIVER + 6.0 * smooth(4, at.x / 12.0, at.y / 12.0, at.z / 12.0);
    }
    if at.in_ellipsoid([72.0, 14.0, -165.0], [70.0, 80.0, 86.0]) < 1.0 {
        return 48.0;
    }
    let side = 76.0 * at.x.signum();
    if at.in_ellipsoid([side, 2.0, -30.0], [62.0, 86.0, 165.0]) < 1.0 && at.x.abs() > 17.0 {
        return lung(at, nodule_mm);
    }
    // The mediastinum: fat with small structures in it.
    FAT + 70.0 * smooth(5, at.x / 7.0, at.y / 7.0, at.z / 10.0).max(0.0)
}

fn heart(at: Point) -> f64 {
    let chamber = |centre, axes| at.in_ellipsoid(centre, axes) < 1.0;
    let left = chamber([42.0, -28.0, -70.0], [26.0, 20.0, 34.0]);
    let right = chamber([4.0, -34.0, -62.0], [24.0, 20.0, 34.0]);
    if left || right {
        BLOOD - 8.0
    } else {
        MUSCLE + 5.0
    }
}

fn great_vessels(at: Point) -> Option<f64> {
    if at.z > -5.0 && at.in_column([0.0, 12.0], [9.0, 9.0]) < 1.0 {
        return Some(AIR); // trachea
    }
    // Main bronchi run down and outwards from its end.
    let down = -5.0 - at.z;
    let off = (at.x.abs() - 4.0 - down * 0.75).powi(2) + (at.y - 12.0).powi(2);
    if (0.0..38.0).contains(&down) && off < 49.0 {
        return Some(AIR);
    }
    let descending = at.in_column([22.0, 46.0], [12.0, 12.0]) < 1.0 && at.z < 30.0;
    let ascending =
        at.in_column([-14.0, -26.0], [15.0, 15.0]) < 1.0 && (-20.0..30.0).contains(&at.z);
    let arch = (at.z - 32.0).abs() < 12.0
        && (at.x - at.y * 0.45).abs() < 13.0
        && (-34.0..58.0).contains(&at.y);
    let cava = at.in_column([-34.0, -12.0], [9.0, 9.0]) < 1.0 && at.z > -20.0;
    let oesophagus = at.in_column([2.0, 36.0], [6.0, 5.0]) < 1.0;
    (descending || ascending || arch || cava || oesophagus).then_some(BLOOD)
}

fn lung(at: Point, nodule_mm: f64) -> f64 {
    let from = at.in_ellipsoid(NODULE, [nodule_mm; 3]).sqrt() * nodule_mm;
    // Not quite round: its edge is spiculated.
    let edge = nodule_mm + 1.6 * smooth(6, at.x / 2.2, at.y / 2.2, at.z / 2.2);
    if from < edge {
        return 38.0;
    }
    if let Some(vessel) = vessel(at) {
        return vessel;
    }
    // Denser towards the back, where the blood is in somebody who lies.
    LUNG + 0.35 * at.y + 22.0 * smooth(7, at.x / 5.0, at.y / 5.0, at.z / 5.0)
}

/// Vessels fan out from the hilum and become thinner.
fn vessel(at: Point) -> Option<f64> {
    let (x, y, z) = (at.x.abs() - 24.0, at.y - 4.0, at.z + 12.0);
    let distance = (x * x + y * y + z * z).sqrt();
    let radius = 5.2 * (1.0 - distance / 125.0);
    if radius < 0.4 {
        return None;
    }
    // All of them swing as they go: the place is turned instead of each.
    let swing = 0.16 * (distance / 9.0).sin();
    let (y, z) = (y + swing * z, z - swing * y);
    let near = |direction: &[f64; 3]| {
        let projected = x * direction[0] + y * direction[1] + z * direction[2];
        projected > 0.0 && distance * distance - projected * projected < radius * radius
    };
    let branches = &BRANCHES[usize::from(at.x > 0.0)];
    branches.iter().any(near).then_some(BLOOD - 60.0 / radius)
}

/// Directions of the branches on either side: a spiral over the hemisphere that looks outwards.
static BRANCHES: LazyLock<[[[f64; 3]; 26]; 2]> = LazyLock::new(|| {
    [0.0, 1.0].map(|side: f64| {
        std::array::from_fn(|branch| {
            let branch = branch as f64;
            let out = (1.0 - (branch + 0.5) / 26.0).mul_add(0.95, 0.05);
            let across = (1.0 - out * out).sqrt();
            let turn = 2.399_963 * branch + side;
            [out, across * turn.cos(), across * turn.sin()]
        })
    })
});
