//! A structured report of the follow-up CT: the nodule and how large it is.
//!
//! Comprehensive SR with the Imaging Measurement Report template (PS3.16 TID 1500).

use std::io;

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};

use super::thorax::{NODULE, NODULE_GROWN_MM, stack};
use super::{Detail, Examination, SeriesWords, Uids};
use crate::write::Builder;

type Code = (&'static str, &'static str, &'static str);

/// Writes the report on the grown nodule in the CT of `exam`.
pub(super) fn nodule(exam: &Examination, uids: Uids<'_>, detail: Detail) -> io::Result<Vec<u8>> {
    let words = SeriesWords {
        modality: "SR",
        number: "9",
        description: "Nodule measurement",
        model: "Phantom report",
    };
    let image = MeasuredImage::of(exam, uids, detail);
    let file = exam
        .common(uids, uids::COMPREHENSIVE_SR_STORAGE, &words, 1)
        .items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, [])
        .text(tags::COMPLETION_FLAG, VR::CS, "COMPLETE")
        .text(tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED")
        .items(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, [])
        .items(
            tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
            [evidence(exam, uids, &image)],
        )
        .text(tags::VALUE_TYPE, VR::CS, "CONTAINER")
        .code(
            tags::CONCEPT_NAME_CODE_SEQUENCE,
            ("126000", "DCM", "Imaging Measurement Report"),
        )
        .text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE")
        .items(tags::CONTENT_TEMPLATE_SEQUENCE, [template("1500")])
        .items(tags::CONTENT_SEQUENCE, content(exam, uids, &image));
    file.part10().map_err(io::Error::other)
}

/// The slice through the middle of the nodule, and where it lies in it.
struct MeasuredImage {
    uid: String,
    /// Column and row, as SR counts them: the first pixel's corner is 0.
    centre: (f32, f32),
    radius: f32,
}

impl MeasuredImage {
    fn of(exam: &Examination, uids: Uids<'_>, detail: Detail) -> Self {
        let stack = stack(detail);
        let distance = |slice: &u16| (stack.z(*slice) - NODULE[2]).abs();
        let slice = (0..stack.slices)
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap_or_default();
        let pixel = |mm: f64| ((mm - stack.origin()) / stack.pixel_mm() + 0.5) as f32;
        Self {
            uid: exam
                .instance_uid(uids, "CT", usize::from(slice) + 1)
                .to_string(),
            centre: (pixel(NODULE[0]), pixel(NODULE[1])),
            radius: (NODULE_GROWN_MM / stack.pixel_mm()) as f32,
        }
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

fn evidence(exam: &Examination, uids: Uids<'_>, image: &MeasuredImage) -> Builder {
    let series = Builder::new()
        .items(tags::REFERENCED_SOP_SEQUENCE, [image.reference()])
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

fn content(exam: &Examination, uids: Uids<'_>, image: &MeasuredImage) -> [Builder; 6] {
    let library_image =
        item("CONTAINS", "IMAGE").items(tags::REFERENCED_SOP_SEQUENCE, [image.reference()]);
    let group = container(
        ("126200", "DCM", "Image Library Group"),
        vec![library_image],
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
        container(
            ("126010", "DCM", "Imaging Measurements"),
            vec![measurements(uids, image)],
        ),
    ]
}

/// One tracked finding with its measurements (TID 1501).
fn measurements(uids: Uids<'_>, image: &MeasuredImage) -> Builder {
    let volume = 4.0 / 3.0 * std::f64::consts::PI * NODULE_GROWN_MM.powi(3);
    let diameter = number(
        ("103339001", "SCT", "Long Axis"),
        2.0 * NODULE_GROWN_MM,
        ("mm", "UCUM", "millimeter"),
    );
    let items = vec![
        named(
            "HAS OBS CONTEXT",
            "TEXT",
            ("112039", "DCM", "Tracking Identifier"),
        )
        .text(tags::TEXT_VALUE, VR::UT, "Nodule 1"),
        named(
            "HAS OBS CONTEXT",
            "UIDREF",
            ("112040", "DCM", "Tracking Unique Identifier"),
        )
        .text(tags::UID, VR::UI, uids.of("nodule-1").as_str()),
        coded(
            "CONTAINS",
            ("121071", "DCM", "Finding"),
            ("27925004", "SCT", "Nodule"),
        ),
        coded(
            "HAS CONCEPT MOD",
            ("363698007", "SCT", "Finding Site"),
            ("45653009", "SCT", "Upper lobe of lung"),
        ),
        diameter.items(tags::CONTENT_SEQUENCE, [long_axis(image)]),
        number(
            ("118565006", "SCT", "Volume"),
            volume.round(),
            ("mm3", "UCUM", "cubic millimeter"),
        ),
    ];
    container(("125007", "DCM", "Measurement Group"), items)
        .items(tags::CONTENT_TEMPLATE_SEQUENCE, [template("1501")])
}

/// From where to where the diameter was measured, and in which image.
fn long_axis(image: &MeasuredImage) -> Builder {
    let ((x, y), r) = (image.centre, image.radius);
    let selected =
        item("SELECTED FROM", "IMAGE").items(tags::REFERENCED_SOP_SEQUENCE, [image.reference()]);
    item("INFERRED FROM", "SCOORD")
        .value(
            tags::GRAPHIC_DATA,
            VR::FL,
            PrimitiveValue::F32([x - r, y, x + r, y].into_iter().collect()),
        )
        .text(tags::GRAPHIC_TYPE, VR::CS, "POLYLINE")
        .items(tags::CONTENT_SEQUENCE, [selected])
}

fn item(relationship: &str, value_type: &str) -> Builder {
    Builder::new()
        .text(tags::RELATIONSHIP_TYPE, VR::CS, relationship)
        .text(tags::VALUE_TYPE, VR::CS, value_type)
}

fn named(relationship: &str, value_type: &str, name: Code) -> Builder {
    item(relationship, value_type).code(tags::CONCEPT_NAME_CODE_SEQUENCE, name)
}

fn coded(relationship: &str, name: Code, code: Code) -> Builder {
    named(relationship, "CODE", name).code(tags::CONCEPT_CODE_SEQUENCE, code)
}

fn container(name: Code, items: Vec<Builder>) -> Builder {
    named("CONTAINS", "CONTAINER", name)
        .text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE")
        .items(tags::CONTENT_SEQUENCE, items)
}

fn number(name: Code, value: f64, unit: Code) -> Builder {
    let measured = Builder::new()
        .code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, unit)
        .text(tags::NUMERIC_VALUE, VR::DS, &value.to_string());
    named("CONTAINS", "NUM", name).items(tags::MEASURED_VALUE_SEQUENCE, [measured])
}

fn template(identifier: &str) -> Builder {
    Builder::new()
        .text(tags::MAPPING_RESOURCE, VR::CS, "DCMR")
        .text(tags::TEMPLATE_IDENTIFIER, VR::CS, identifier)
}
