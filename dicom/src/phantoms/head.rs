//! A head for magnetic resonance, T1 weighted: fat bright, fluid dark.

use std::io;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::noise::{normal, smooth};
use super::stack::{Point, Stack, drawn_in_parallel, twelve_bits};
use super::{Detail, Examination, SeriesWords, Uids};
use crate::write::Builder;

const AIR: f64 = 12.0;
const BONE: f64 = 90.0;
const FLUID: f64 = 190.0;
const GREY: f64 = 560.0;
const WHITE: f64 = 790.0;
const FAT: f64 = 1250.0;
const MUSCLE: f64 = 430.0;

/// The MR Image IOD's files, from the base of the skull up.
pub(super) fn slices(
    exam: &Examination,
    uids: Uids<'_>,
    detail: Detail,
) -> io::Result<Vec<Vec<u8>>> {
    let spacing_mm = if detail == Detail::Full { 5.0 } else { 20.0 };
    let slices = detail.slices() * 3 / 4;
    let stack = Stack {
        pixels: detail.pixels(),
        slices,
        field_mm: 240.0,
        spacing_mm,
        window: (550, 1000),
    };
    let words = SeriesWords {
        modality: "MR",
        number: "3",
        description: "T1 SE tra 5 mm",
        model: "Phantom MR",
    };
    let slice = |slice: u16| {
        let file = exam
            .common(uids, uids::MR_IMAGE_STORAGE, &words, usize::from(slice) + 1)
            .with(exam.image("HEAD", "ORIGINAL\\PRIMARY\\OTHER"))
            .with(stack.plane(uids, exam, slice))
            .with(mr_image())
            .with(twelve_bits(stack.pixels, stack.draw(slice, signal)));
        file.part10().map_err(io::Error::other)
    };
    drawn_in_parallel(stack.slices, slice)
}

/// MR Image module.
fn mr_image() -> Builder {
    Builder::new()
        .text(tags::SCANNING_SEQUENCE, VR::CS, "SE")
        .text(tags::SEQUENCE_VARIANT, VR::CS, "NONE")
        .text(tags::SCAN_OPTIONS, VR::CS, "")
        .text(tags::MR_ACQUISITION_TYPE, VR::CS, "2D")
        .text(tags::REPETITION_TIME, VR::DS, "500")
        .text(tags::ECHO_TIME, VR::DS, "12")
        .text(tags::ECHO_TRAIN_LENGTH, VR::IS, "1")
        .text(tags::MAGNETIC_FIELD_STRENGTH, VR::DS, "1.5")
        .text(tags::FLIP_ANGLE, VR::DS, "90")
}

fn signal(at: Point) -> f64 {
    let cell = |value: f64| (value * 4.0).round() as i64;
    let noise = 16.0 * normal(21, cell(at.x), cell(at.y), cell(at.z));
    // The coil is nearer to the front.
    let coil = 1.0 - 0.0012 * at.y + 0.05 * smooth(22, at.x / 90.0, at.y / 90.0, at.z / 90.0);
    (tissue(at) * coil + noise).abs()
}

fn tissue(at: Point) -> f64 {
    let head = at
        .in_ellipsoid([0.0, 0.0, -10.0], [78.0, 98.0, 106.0])
        .sqrt();
    if head > 1.0 {
        return nose(at).unwrap_or(AIR);
    }
    if let Some(face) = face(at) {
        return face;
    }
    match head {
        h if h > 0.985 => MUSCLE,
        h if h > 0.935 => FAT + 120.0 * smooth(23, at.x / 6.0, at.y / 6.0, at.z / 6.0),
        h if h > 0.915 => BONE,
        h if h > 0.895 => 0.55 * FAT, // marrow between the tables of the skull
        h if h > 0.87 => BONE,
        h if h > 0.85 => FLUID,
        _ if at.z < -52.0 => hind_brain(at),
        h => cerebrum(at, h),
    }
}

fn nose(at: Point) -> Option<f64> {
    let ridge = at.in_ellipsoid([0.0, -97.0, -62.0], [13.0, 17.0, 24.0]);
    (ridge < 1.0).then_some(if ridge < 0.35 { AIR } else { FAT * 0.75 })
}

/// Eyes in the fat of their sockets, and the air of the sinuses.
fn face(at: Point) -> Option<f64> {
    let side = Point {
        x: at.x.abs(),
        ..at
    };
    let eye = side.in_ellipsoid([31.0, -72.0, -48.0], [12.5, 12.5, 12.5]);
    if eye < 1.0 {
        let lens = side.in_ellipsoid([31.0, -82.0, -48.0], [5.0, 2.5, 5.0]) < 1.0;
        return Some(if lens {
            GREY
        } else if eye > 0.85 {
            MUSCLE
        } else {
            FLUID
        });
    }
    if side.in_ellipsoid([26.0, -60.0, -48.0], [18.0, 26.0, 16.0]) < 1.0 {
        let nerve =
            (side.x - 31.0 - (side.y + 72.0) * 0.35).abs() < 2.5 && (side.z + 48.0).abs() < 3.0;
        return Some(if nerve { GREY } else { FAT });
    }
    let sinus = side.in_ellipsoid([0.0, -60.0, -58.0], [11.0, 24.0, 26.0]) < 1.0;
    let frontal = side.in_ellipsoid([9.0, -86.0, -24.0], [9.0, 4.5, 10.0]) < 1.0;
    (sinus || frontal).then_some(AIR)
}

fn cerebrum(at: Point, head: f64) -> f64 {
    // Between the halves: the falx, with fluid beside it.
    let off = at.x + 1.5 * smooth(24, 0.0, at.y / 20.0, at.z / 20.0);
    if off.abs() < 1.6 && at.z > -5.0 {
        return if off.abs() < 0.6 { MUSCLE } else { FLUID };
    }
    if let Some(core) = deep(at) {
        return core;
    }
    // The cortex is folded: its depth swings, and fluid lies in the furrows.
    let fold = smooth(25, at.x / 9.0, at.y / 9.0, at.z / 11.0);
    let fine = smooth(26, at.x / 4.5, at.y / 4.5, at.z / 6.0);
    let depth = (0.85 - head) * 85.0;
    let midline = off.abs() - 1.6;
    let surface = depth.min(if at.z > 15.0 {
        midline * 1.6
    } else {
        midline + 6.0
    });
    if fold.abs() < 0.055 && surface < 15.0 {
        return FLUID + 60.0 * fine;
    }
    let cortex = 4.5 + 7.0 * (1.0 - (fold.abs() * 4.0).min(1.0));
    if surface < cortex {
        GREY + 25.0 * fine
    } else {
        WHITE + 18.0 * fine
    }
}

/// Ventricles and the grey nuclei around them.
fn deep(at: Point) -> Option<f64> {
    let side = Point {
        x: at.x.abs(),
        ..at
    };
    // The lateral ventricles open like a V towards front and back.
    let spread = 5.0 + (at.y - 4.0).abs() * 0.32;
    let lateral = side.in_ellipsoid([spread, 4.0, 14.0], [6.5, 43.0, 12.0]);
    let third = side.in_ellipsoid([0.0, 6.0, -8.0], [2.8, 16.0, 14.0]);
    if lateral < 1.0 || third < 1.0 {
        return Some(FLUID);
    }
    if lateral < 1.25 && at.z > 20.0 {
        return Some(WHITE * 1.03); // corpus callosum
    }
    let caudate = side.in_ellipsoid([13.0, -18.0, 8.0], [5.0, 12.0, 12.0]) < 1.0;
    let putamen = side.in_ellipsoid([27.0, -2.0, 2.0], [6.0, 19.0, 12.0]) < 1.0;
    let thalamus = side.in_ellipsoid([11.0, 16.0, 2.0], [8.5, 14.0, 10.0]) < 1.0;
    (caudate || putamen || thalamus).then_some(GREY + 40.0)
}

/// Cerebellum, brain stem and the temporal lobes beside them.
fn hind_brain(at: Point) -> f64 {
    let side = Point {
        x: at.x.abs(),
        ..at
    };
    if at.in_ellipsoid([0.0, 12.0, -70.0], [15.0, 15.0, 40.0]) < 1.0 {
        return WHITE * 0.92;
    }
    if side.in_ellipsoid([0.0, 33.0, -66.0], [5.0, 5.0, 10.0]) < 1.0 {
        return FLUID; // fourth ventricle
    }
    let cerebellum = side.in_ellipsoid([24.0, 50.0, -68.0], [32.0, 28.0, 24.0]);
    if cerebellum < 1.0 {
        let leaf = ((at.y + at.x.abs() * 0.5) / 1.9).sin();
        return if cerebellum > 0.3 && leaf > 0.0 {
            GREY - 40.0
        } else {
            WHITE * 0.9
        };
    }
    let temporal = side.in_ellipsoid([44.0, -14.0, -58.0], [24.0, 34.0, 22.0]);
    match temporal {
        t if t < 0.6 => WHITE,
        t if t < 1.0 => GREY,
        _ if at.in_ellipsoid([0.0, 30.0, -70.0], [64.0, 60.0, 30.0]) < 1.0 => FLUID,
        _ if smooth(27, at.x / 8.0, at.y / 8.0, at.z / 8.0) > 0.1 => MUSCLE,
        _ => FAT * 0.6,
    }
}
