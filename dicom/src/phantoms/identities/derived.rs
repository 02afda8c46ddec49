//! Objects that refer to images: report, key objects, segmentation, structures, presentation; and a
//! document and a foreign ultrasound image, which must be refused.

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};

use super::documents::{key_objects, report};
use super::images::ct_uid;
use super::people::{Person, Random};
use super::sheet::Sheet;
use super::subject::common;
use super::{Action, Planted};
use crate::write::WriteError;

/// Seven objects of a patient, of which one must be refused.
pub(super) fn of(person: &Person, random: &mut Random) -> Result<Vec<Planted>, WriteError> {
    let mut document = document(person).planted(person, "pdf1")?;
    document.required = None;
    Ok(vec![
        report(person).planted(person, "sr1")?,
        key_objects(person).planted(person, "ko1")?,
        segmentation(person, random).planted(person, "seg1")?,
        structures(person).planted(person, "rs1")?,
        presentation(person).planted(person, "pr1")?,
        document,
    ])
}

pub(super) fn reference(person: &Person, number: usize) -> Sheet {
    Sheet::new()
        .kept(
            tags::REFERENCED_SOP_CLASS_UID,
            VR::UI,
            uids::CT_IMAGE_STORAGE,
        )
        .uid(tags::REFERENCED_SOP_INSTANCE_UID, &ct_uid(person, number))
}

pub(super) fn evidence(person: &Person) -> Sheet {
    let series = Sheet::new()
        .removed(tags::RETRIEVE_AE_TITLE, VR::AE, &person.station[..8])
        .uid(tags::SERIES_INSTANCE_UID, &person.uid("CT"))
        .items(
            tags::REFERENCED_SOP_SEQUENCE,
            vec![reference(person, 1), reference(person, 2)],
        );
    Sheet::new()
        .uid(tags::STUDY_INSTANCE_UID, &person.uid("study"))
        .items(tags::REFERENCED_SERIES_SEQUENCE, vec![series])
}

fn segmentation(person: &Person, random: &mut Random) -> Sheet {
    let number = |number: u16| PrimitiveValue::from(number);
    let segment = Sheet::new()
        .value(tags::SEGMENT_NUMBER, VR::US, number(1))
        .kept(tags::SEGMENT_LABEL, VR::LO, "Nodule 1")
        .mixed(
            tags::SEGMENT_DESCRIPTION,
            VR::ST,
            &format!("Nodule of {}", person.family),
            &[&person.family],
            &["Nodule of"],
        )
        .uid(tags::TRACKING_UID, &person.uid("nodule"))
        .kept(tags::SEGMENT_ALGORITHM_TYPE, VR::CS, "MANUAL")
        .code(
            tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE,
            ("27925004", "SCT", "Nodule"),
        );
    let series = Sheet::new()
        .uid(tags::SERIES_INSTANCE_UID, &person.uid("CT"))
        .items(
            tags::REFERENCED_INSTANCE_SEQUENCE,
            vec![reference(person, 1)],
        );
    let source = Sheet::new().items(tags::SOURCE_IMAGE_SEQUENCE, vec![reference(person, 1)]);
    let group = Sheet::new().items(tags::DERIVATION_IMAGE_SEQUENCE, vec![source]);
    let bits: Vec<u8> = (0..32 * 32 / 8).map(|_| random.next() as u8).collect();
    common(
        person,
        uids::SEGMENTATION_STORAGE,
        "SEG",
        &person.uid("seg1"),
    )
    .kept(tags::IMAGE_TYPE, VR::CS, "DERIVED\\PRIMARY")
    .kept(tags::CONTENT_LABEL, VR::CS, "NODULES")
    .removed(tags::CONTENT_CREATOR_NAME, VR::PN, &person.operator)
    .kept(tags::SEGMENTATION_TYPE, VR::CS, "BINARY")
    .items(tags::SEGMENT_SEQUENCE, vec![segment])
    .items(tags::REFERENCED_SERIES_SEQUENCE, vec![series])
    .items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, vec![group])
    .uid(tags::FRAME_OF_REFERENCE_UID, &person.uid("frame"))
    .kept(tags::NUMBER_OF_FRAMES, VR::IS, "1")
    .value(tags::SAMPLES_PER_PIXEL, VR::US, number(1))
    .kept(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
    .value(tags::ROWS, VR::US, number(32))
    .value(tags::COLUMNS, VR::US, number(32))
    .value(tags::BITS_ALLOCATED, VR::US, number(1))
    .value(tags::BITS_STORED, VR::US, number(1))
    .value(tags::HIGH_BIT, VR::US, number(0))
    .value(tags::PIXEL_REPRESENTATION, VR::US, number(0))
    .pixels(
        VR::OB,
        PrimitiveValue::U8(bits.into()),
        vec![Action::PixelsRetained(Vec::new())],
    )
}

fn structures(person: &Person) -> Sheet {
    let contour = Sheet::new()
        .items(tags::CONTOUR_IMAGE_SEQUENCE, vec![reference(person, 1)])
        .kept(tags::CONTOUR_GEOMETRIC_TYPE, VR::CS, "CLOSED_PLANAR")
        .kept(tags::NUMBER_OF_CONTOUR_POINTS, VR::IS, "3")
        .kept(tags::CONTOUR_DATA, VR::DS, "1.5\\2\\3\\4.25\\5\\3\\7\\8\\3");
    let roi = Sheet::new()
        .kept(tags::ROI_NUMBER, VR::IS, "1")
        .uid(
            tags::REFERENCED_FRAME_OF_REFERENCE_UID,
            &person.uid("frame"),
        )
        .mixed(
            tags::ROI_NAME,
            VR::LO,
            &format!("GTV {}", person.family),
            &[&person.family],
            &["GTV"],
        )
        .kept(tags::ROI_GENERATION_ALGORITHM, VR::CS, "MANUAL");
    let observation = Sheet::new()
        .kept(tags::OBSERVATION_NUMBER, VR::IS, "1")
        .kept(tags::REFERENCED_ROI_NUMBER, VR::IS, "1")
        .kept(tags::RTROI_INTERPRETED_TYPE, VR::CS, "GTV")
        .removed(tags::ROI_INTERPRETER, VR::PN, &person.physician);
    let frame = Sheet::new().uid(tags::FRAME_OF_REFERENCE_UID, &person.uid("frame"));
    common(
        person,
        uids::RT_STRUCTURE_SET_STORAGE,
        "RTSTRUCT",
        &person.uid("rs1"),
    )
    .mixed(
        tags::STRUCTURE_SET_LABEL,
        VR::SH,
        &format!("{} plan", super::people::plain(&person.given)),
        &[&person.given],
        &["plan"],
    )
    .date(tags::STRUCTURE_SET_DATE, VR::DA, &person.study_date)
    .kept(tags::STRUCTURE_SET_TIME, VR::TM, "1500")
    .items(tags::REFERENCED_FRAME_OF_REFERENCE_SEQUENCE, vec![frame])
    .items(tags::STRUCTURE_SET_ROI_SEQUENCE, vec![roi])
    .items(
        tags::ROI_CONTOUR_SEQUENCE,
        vec![
            Sheet::new()
                .items(tags::CONTOUR_SEQUENCE, vec![contour])
                .kept(tags::REFERENCED_ROI_NUMBER, VR::IS, "1"),
        ],
    )
    .items(tags::RTROI_OBSERVATIONS_SEQUENCE, vec![observation])
}

fn presentation(person: &Person) -> Sheet {
    let text = Sheet::new()
        .kept(tags::BOUNDING_BOX_ANNOTATION_UNITS, VR::CS, "PIXEL")
        .mixed(
            tags::UNFORMATTED_TEXT_VALUE,
            VR::ST,
            &format!("Nodule\n{} {}", person.family, person.id),
            &[&person.family, &person.id],
            &["Nodule"],
        );
    let annotation = Sheet::new()
        .kept(tags::GRAPHIC_LAYER, VR::CS, "LAYER1")
        .items(tags::TEXT_OBJECT_SEQUENCE, vec![text]);
    let series = Sheet::new()
        .uid(tags::SERIES_INSTANCE_UID, &person.uid("CT"))
        .items(tags::REFERENCED_IMAGE_SEQUENCE, vec![reference(person, 1)]);
    common(
        person,
        uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE,
        "PR",
        &person.uid("pr1"),
    )
    .items(tags::REFERENCED_SERIES_SEQUENCE, vec![series])
    .items(tags::GRAPHIC_ANNOTATION_SEQUENCE, vec![annotation])
    .date(tags::PRESENTATION_CREATION_DATE, VR::DA, &person.study_date)
    .removed(tags::CONTENT_CREATOR_NAME, VR::PN, &person.operator)
    .kept(tags::CONTENT_LABEL, VR::CS, "NODULE")
}

fn document(person: &Person) -> Sheet {
    let text = format!("%PDF-1.4 Report on {} {}", person.given, person.family);
    common(
        person,
        uids::ENCAPSULATED_PDF_STORAGE,
        "DOC",
        &person.uid("pdf1"),
    )
    .kept(
        tags::MIME_TYPE_OF_ENCAPSULATED_DOCUMENT,
        VR::LO,
        "application/pdf",
    )
    .bytes(tags::ENCAPSULATED_DOCUMENT, VR::OB, &text)
}
