//! A structured report and a key object selection with identities in their content.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::derived::{evidence, reference};
use super::people::Person;
use super::sheet::Sheet;
use super::subject::common;

type Code = (&'static str, &'static str, &'static str);

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

pub(super) fn report(person: &Person) -> Sheet {
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

pub(super) fn key_objects(person: &Person) -> Sheet {
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
