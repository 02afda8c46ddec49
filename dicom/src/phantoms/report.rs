//! A structured report of the follow-up CT: how large the nodule is, and how dense the liver.
//!
//! Comprehensive SR with the Imaging Measurement Report template (PS3.16 TID 1500). The nodule is
//! as large as it was drawn; the liver's attenuation is measured in the picture.

use std::io;

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};

use super::content::{coded, container, item, named, number, template};
use super::stack::{Point, Stack};
use super::thorax::{LIVER_BELOW, NODULE, NODULE_GROWN_MM, hounsfield, stack};
use super::{Detail, Examination, SeriesWords, Uids};
use crate::write::Builder;

/// Radius of the circle in which the liver is measured.
const LIVER_RADIUS_MM: f64 = 20.0;

/// Writes the report on the CT of `exam`, in which the nodule has grown.
pub(super) fn measurements(
    exam: &Examination,
    uids: Uids<'_>,
    detail: Detail,
) -> io::Result<Vec<u8>> {
    let words = SeriesWords {
        modality: "SR",
        number: "9",
        description: "Measurements",
        model: "Phantom report",
    };
    let stack = stack(detail);
    let nodule = MeasuredImage::at(NODULE, NODULE_GROWN_MM, &stack, exam, uids);
    let liver = MeasuredImage::at(LIVER_BELOW, LIVER_RADIUS_MM, &stack, exam, uids);
    let groups = vec![
        nodule_measurements(uids, &nodule),
        liver_measurements(uids, &liver, attenuation(&liver, &stack)),
    ];
    let images = [&nodule, &liver];
    let file = exam
        .common(uids, uids::COMPREHENSIVE_SR_STORAGE, &words, 1)
        .items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, [])
        .text(tags::COMPLETION_FLAG, VR::CS, "COMPLETE")
        .text(tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED")
        .items(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, [])
        .items(
            tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
            [evidence(exam, uids, images)],
        )
        .text(tags::VALUE_TYPE, VR::CS, "CONTAINER")
        .code(
            tags::CONCEPT_NAME_CODE_SEQUENCE,
            ("126000", "DCM", "Imaging Measurement Report"),
        )
        .text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE")
        .items(tags::CONTENT_TEMPLATE_SEQUENCE, [template("1500")])
        .items(tags::CONTENT_SEQUENCE, content(exam, images, groups));
    file.part10().map_err(io::Error::other)
}

/// The slice in which something was measured, and where.
struct MeasuredImage {
    uid: String,
    slice: u16,
    /// Column and row, as SR counts them: the first pixel's corner is 0.
    centre: (f32, f32),
    radius: f32,
    /// The same in millimetres from the middle of the image.
    circle: ([f64; 2], f64),
}

impl MeasuredImage {
    /// The slice that is nearest to a place in the patient.
    fn at(
        place: [f64; 3],
        radius_mm: f64,
        stack: &Stack,
        exam: &Examination,
        uids: Uids<'_>,
    ) -> Self {
        let distance = |slice: &u16| (stack.z(*slice) - place[2]).abs();
        let slice = (0..stack.slices)
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap_or_default();
        let pixel = |mm: f64| ((mm - stack.origin()) / stack.pixel_mm() + 0.5) as f32;
        Self {
            uid: exam
                .instance_uid(uids, "CT", usize::from(slice) + 1)
                .to_string(),
            slice,
            centre: (pixel(place[0]), pixel(place[1])),
            radius: (radius_mm / stack.pixel_mm()) as f32,
            circle: ([place[0], place[1]], radius_mm),
        }
    }

    /// An item that refers to it.
    fn item(&self, relationship: &str) -> Builder {
        item(relationship, "IMAGE").items(tags::REFERENCED_SOP_SEQUENCE, [self.reference()])
    }

    fn reference(&self) -> Builder {
        Builder::new()
            .text(
                tags::REFERENCED_SOP_CLASS_UID,
                VR::UI,
                uids::CT_IMAGE_STORAGE,
            )
            .text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &self.uid)
    }
}

fn evidence(exam: &Examination, uids: Uids<'_>, images: [&MeasuredImage; 2]) -> Builder {
    let series = Builder::new()
        .items(
            tags::REFERENCED_SOP_SEQUENCE,
            images.map(MeasuredImage::reference),
        )
        .text(
            tags::SERIES_INSTANCE_UID,
            VR::UI,
            exam.series_uid(uids, "CT").as_str(),
        );
    Builder::new()
        .items(tags::REFERENCED_SERIES_SEQUENCE, [series])
        .text(
            tags::STUDY_INSTANCE_UID,
            VR::UI,
            exam.study_uid(uids).as_str(),
        )
}

fn content(
    exam: &Examination,
    images: [&MeasuredImage; 2],
    measurements: Vec<Builder>,
) -> [Builder; 6] {
    let group = container(
        ("126200", "DCM", "Image Library Group"),
        images.map(|image| image.item("CONTAINS")).into(),
    );
    [
        coded(
            "HAS CONCEPT MOD",
            ("121049", "DCM", "Language of Content Item and Descendants"),
            ("en", "RFC5646", "English"),
        ),
        coded(
            "HAS OBS CONTEXT",
            ("121005", "DCM", "Observer Type"),
            ("121006", "DCM", "Person"),
        ),
        named(
            "HAS OBS CONTEXT",
            "PNAME",
            ("121008", "DCM", "Person Observer Name"),
        )
        .text(tags::PERSON_NAME, VR::PN, "Reader^Emil^^Dr"),
        coded(
            "HAS CONCEPT MOD",
            ("121058", "DCM", "Procedure reported"),
            exam.procedure,
        ),
        container(("111028", "DCM", "Image Library"), vec![group]),
        container(("126010", "DCM", "Imaging Measurements"), measurements),
    ]
}

/// One tracked finding with its measurements (TID 1501).
fn nodule_measurements(uids: Uids<'_>, image: &MeasuredImage) -> Builder {
    let volume = 4.0 / 3.0 * std::f64::consts::PI * NODULE_GROWN_MM.powi(3);
    let diameter = number(
        ("103339001", "SCT", "Long Axis"),
        2.0 * NODULE_GROWN_MM,
        ("mm", "UCUM", "millimeter"),
    );
    let right = coded(
        "HAS CONCEPT MOD",
        ("272741003", "SCT", "Laterality"),
        ("24028007", "SCT", "Right"),
    );
    let mut items = tracked(uids, "Nodule 1", "nodule-1");
    items.extend([
        coded(
            "CONTAINS",
            ("121071", "DCM", "Finding"),
            ("27925004", "SCT", "Nodule"),
        ),
        coded(
            "HAS CONCEPT MOD",
            ("363698007", "SCT", "Finding Site"),
            ("45653009", "SCT", "Upper lobe of lung"),
        )
        .items(tags::CONTENT_SEQUENCE, [right]),
        diameter.items(tags::CONTENT_SEQUENCE, [long_axis(image)]),
        number(
            ("118565006", "SCT", "Volume"),
            volume.round(),
            ("mm3", "UCUM", "cubic millimeter"),
        ),
        coded(
            "CONTAINS",
            ("129737002", "SCT", "Radiographic lesion margin"),
            ("129742005", "SCT", "Spiculated lesion"),
        ),
    ]);
    container(("125007", "DCM", "Measurement Group"), items)
        .items(tags::CONTENT_TEMPLATE_SEQUENCE, [template("1501")])
}

/// What was measured in a circle in one slice (TID 1410).
fn liver_measurements(
    uids: Uids<'_>,
    image: &MeasuredImage,
    (mean, deviation): (f64, f64),
) -> Builder {
    let derived = |value: f64, how| {
        let value = (value * 10.0).round() / 10.0;
        let unit = ("[hnsf'U]", "UCUM", "Hounsfield unit");
        let derivation = coded("HAS CONCEPT MOD", ("121401", "DCM", "Derivation"), how);
        number(("112031", "DCM", "Attenuation Coefficient"), value, unit)
            .items(tags::CONTENT_SEQUENCE, [derivation])
    };
    let program = |name, text: &str| {
        named("HAS CONCEPT MOD", "TEXT", name).text(tags::TEXT_VALUE, VR::UT, text)
    };
    let mut items = tracked(uids, "Liver", "liver-region");
    items.extend([
        coded(
            "CONTAINS",
            ("121071", "DCM", "Finding"),
            ("10200004", "SCT", "Liver"),
        ),
        coded(
            "HAS CONCEPT MOD",
            ("363698007", "SCT", "Finding Site"),
            ("10200004", "SCT", "Liver"),
        ),
        circle(image),
        program(("111001", "DCM", "Algorithm Name"), "Phantom region"),
        program(
            ("111003", "DCM", "Algorithm Version"),
            env!("CARGO_PKG_VERSION"),
        ),
        derived(mean, ("373098007", "SCT", "Mean")),
        derived(deviation, ("386136009", "SCT", "Standard Deviation")),
    ]);
    container(("125007", "DCM", "Measurement Group"), items)
        .items(tags::CONTENT_TEMPLATE_SEQUENCE, [template("1410")])
}

/// By which a finding is known again.
fn tracked(uids: Uids<'_>, identifier: &str, key: &str) -> Vec<Builder> {
    let (name, unique) = (
        ("112039", "DCM", "Tracking Identifier"),
        ("112040", "DCM", "Tracking Unique Identifier"),
    );
    vec![
        named("HAS OBS CONTEXT", "TEXT", name).text(tags::TEXT_VALUE, VR::UT, identifier),
        named("HAS OBS CONTEXT", "UIDREF", unique).text(tags::UID, VR::UI, uids.of(key).as_str()),
    ]
}

/// Mean and standard deviation of the pixels whose centres lie in the circle, in Hounsfield units.
fn attenuation(image: &MeasuredImage, stack: &Stack) -> (f64, f64) {
    let ([x, y], radius) = image.circle;
    let value = |at: Point| match (at.x - x).hypot(at.y - y) <= radius {
        // As they are stored, in whole numbers.
        true => Some(hounsfield(at, NODULE_GROWN_MM).round()),
        false => None,
    };
    let inside: Vec<f64> = stack.points(image.slice).filter_map(value).collect();
    let count = inside.len() as f64;
    let mean = inside.iter().sum::<f64>() / count;
    let square = |value: &f64| (value - mean).powi(2);
    let variance = inside.iter().map(square).sum::<f64>() / count;
    (mean, variance.sqrt())
}

/// From where to where the diameter was measured, and in which image.
fn long_axis(image: &MeasuredImage) -> Builder {
    let ((x, y), r) = (image.centre, image.radius);
    let shape = item("INFERRED FROM", "SCOORD");
    drawn(shape, "POLYLINE", [x - r, y, x + r, y], image)
}

/// The circle in which something was measured: its centre, and a point on it.
fn circle(image: &MeasuredImage) -> Builder {
    let ((x, y), r) = (image.centre, image.radius);
    let shape = named("CONTAINS", "SCOORD", ("111030", "DCM", "Image Region"));
    drawn(shape, "CIRCLE", [x, y, x + r, y], image)
}

fn drawn(shape: Builder, graphic: &str, points: [f32; 4], image: &MeasuredImage) -> Builder {
    shape
        .value(
            tags::GRAPHIC_DATA,
            VR::FL,
            PrimitiveValue::F32(points.into_iter().collect()),
        )
        .text(tags::GRAPHIC_TYPE, VR::CS, graphic)
        .items(tags::CONTENT_SEQUENCE, [image.item("SELECTED FROM")])
}
