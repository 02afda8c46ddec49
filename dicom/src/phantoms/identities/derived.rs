//! Objects that refer to images: report, key objects, segmentation, structures, presentation; and a
//! document and a foreign ultrasound image, which must be refused.

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};

use super::images::{common, ct_uid};
use super::people::{Person, Random};
use super::sheet::Sheet;
use super::{Action, Planted};
use crate::write::WriteError;

type Code = (&'static str, &'static str, &'static str);

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

fn reference(person: &Person, number: usize) -> Sheet {
    Sheet::new()
        .kept(
            tags::REFERENCED_SOP_CLASS_UID,
            VR::UI,
            uids::CT_IMAGE_STORAGE,
        )
        .uid(tags::REFERENCED_SOP_INSTANCE_UID, &ct_uid(person, number))
}

fn evidence(person: &Person) -> Sheet {
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

fn content(relation: &str, kind: &str, concept: Code) -> Sheet {
    Sheet::new()
        .kept(tags::RELATIONSHIP_TYPE, VR::CS, relation)
        .kept(tags::VALUE_TYPE, VR::CS, kind)
        .code(tags::CONCEPT_NAME_CODE_SEQUENCE, concept)
}

fn document_root(concept: Code, template: &str) -> Sheet {
    let template = Sheet::new()
        .kept(tags::MAPPING_RESOURCE, VR::CS, "DCMR")
        .kept(tags::TEMPLATE_IDENTIFIER, VR::CS, template);
    Sheet::new()
        .kept(tags::VALUE_TYPE, VR::CS, "CONTAINER")
        .code(tags::CONCEPT_NAME_CODE_SEQUENCE, concept)
        .kept(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE")
        .items(tags::CONTENT_TEMPLATE_SEQUENCE, vec![template])
}

fn report(person: &Person) -> Sheet {
    let mut statements = observation_context(person);
    statements.extend(findings(person));
    common(
        person,
        uids::COMPREHENSIVE_SR_STORAGE,
        "SR",
        &person.uid("sr1"),
    )
    .kept(tags::COMPLETION_FLAG, VR::CS, "COMPLETE")
    .kept(tags::VERIFICATION_FLAG, VR::CS, "VERIFIED")
    .items(tags::VERIFYING_OBSERVER_SEQUENCE, vec![verifier(person)])
    .items(
        tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
        vec![evidence(person)],
    )
    .with(document_root(
        ("126000", "DCM", "Imaging Measurement Report"),
        "1500",
    ))
    .items(tags::CONTENT_SEQUENCE, statements)
}

/// Who reports on whom, in the words of TID 1001.
fn observation_context(person: &Person) -> Vec<Sheet> {
    vec![
        content(
            "HAS OBS CONTEXT",
            "PNAME",
            ("121008", "DCM", "Person Observer Name"),
        )
        .replaced(tags::PERSON_NAME, VR::PN, &person.physician),
        content(
            "HAS OBS CONTEXT",
            "TEXT",
            ("121009", "DCM", "Person Observer's Organization Name"),
        )
        .replaced(tags::TEXT_VALUE, VR::UT, &person.institution),
        content(
            "HAS OBS CONTEXT",
            "DATE",
            ("121031", "DCM", "Subject Birth Date"),
        )
        .replaced(tags::DATE, VR::DA, &person.birth_date),
        content(
            "HAS OBS CONTEXT",
            "UIDREF",
            ("121018", "DCM", "Procedure Study Instance UID"),
        )
        .uid(tags::UID, &person.uid("study")),
        content(
            "HAS OBS CONTEXT",
            "DATETIME",
            ("121125", "DCM", "DateTime of Recording"),
        )
        .date(
            tags::DATE_TIME,
            VR::DT,
            &format!("{}120000", person.study_date),
        ),
    ]
}

fn findings(person: &Person) -> Vec<Sheet> {
    let finding = format!(
        "{} {}: nodule in the left lower lobe, compared with {}. Informed Dr. {} by phone {}.",
        if person.sex == "F" { "Mrs" } else { "Mr" },
        person.family,
        person.study_date,
        person.physician.split('^').next().unwrap_or(""),
        person.phone,
    );
    let measured = Sheet::new()
        .code(
            tags::MEASUREMENT_UNITS_CODE_SEQUENCE,
            ("mm", "UCUM", "millimeter"),
        )
        .kept(tags::NUMERIC_VALUE, VR::DS, "11.5");
    vec![
        content("CONTAINS", "TEXT", ("121071", "DCM", "Finding")).mixed(
            tags::TEXT_VALUE,
            VR::UT,
            &finding,
            &[&person.family, &person.study_date, &person.phone[4..7]],
            &["nodule in the left lower lobe"],
        ),
        content("CONTAINS", "NUM", ("81827009", "SCT", "Diameter"))
            .items(tags::MEASURED_VALUE_SEQUENCE, vec![measured]),
        content("CONTAINS", "IMAGE", ("260753009", "SCT", "Source"))
            .items(tags::REFERENCED_SOP_SEQUENCE, vec![reference(person, 1)]),
    ]
}

fn verifier(person: &Person) -> Sheet {
    let code = Sheet::new()
        .removed(tags::CODE_VALUE, VR::SH, &person.other_id)
        .removed(tags::CODE_MEANING, VR::LO, &person.family);
    Sheet::new()
        .removed(tags::VERIFYING_ORGANIZATION, VR::LO, &person.institution)
        .date(
            tags::VERIFICATION_DATE_TIME,
            VR::DT,
            &format!("{}130000", person.study_date),
        )
        .removed(tags::VERIFYING_OBSERVER_NAME, VR::PN, &person.physician)
        .items(
            tags::VERIFYING_OBSERVER_IDENTIFICATION_CODE_SEQUENCE,
            vec![code],
        )
}

fn key_objects(person: &Person) -> Sheet {
    let text = format!("For teaching; {} {} agreed", person.given, person.family);
    let items = vec![
        content(
            "CONTAINS",
            "TEXT",
            ("113012", "DCM", "Key Object Description"),
        )
        .mixed(
            tags::TEXT_VALUE,
            VR::UT,
            &text,
            &[&person.given, &person.family],
            &["For teaching"],
        ),
        Sheet::new()
            .kept(tags::RELATIONSHIP_TYPE, VR::CS, "CONTAINS")
            .kept(tags::VALUE_TYPE, VR::CS, "IMAGE")
            .items(tags::REFERENCED_SOP_SEQUENCE, vec![reference(person, 2)]),
    ];
    common(
        person,
        uids::KEY_OBJECT_SELECTION_DOCUMENT_STORAGE,
        "KO",
        &person.uid("ko1"),
    )
    .items(
        tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
        vec![evidence(person)],
    )
    .with(document_root(("113004", "DCM", "For Teaching"), "2010"))
    .items(tags::CONTENT_SEQUENCE, items)
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
