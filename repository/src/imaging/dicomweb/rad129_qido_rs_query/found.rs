//! What is said of a study, a series or an instance that was found (PS3.18 10.6.3.3).

use dicom_core::VR;
use dicom_dictionary_std::tags;
use hilum_dicom::instance::CodedConcept;
use hilum_dicom::json::Attributes;
use hilum_dicom::scan::StoredInstance;

use super::question::Question;
use crate::imaging::index::search::{Hit, Level, SeriesFound, StudyFound};

/// One object of the answer.
pub(super) fn json(hit: &Hit, question: &Question, base: &str) -> String {
    let study = hit.study.study.uid.as_str();
    let mut url = format!("{base}/studies/{study}");
    let mut attributes = Attributes::new()
        .text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192")
        .text(tags::INSTANCE_AVAILABILITY, VR::CS, "ONLINE")
        .text(tags::STUDY_INSTANCE_UID, VR::UI, study);
    if let Some(offset) = &hit.study.study.facts.utc_offset {
        attributes = attributes.text(tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, offset);
    }
    if question.describes(Level::Study) {
        attributes = of_study(attributes, &hit.study, question);
    }
    if let Some(series) = &hit.series {
        let uid = series.series.uid.as_str();
        url = format!("{url}/series/{uid}");
        attributes = attributes.text(tags::SERIES_INSTANCE_UID, VR::UI, uid);
        if question.describes(Level::Series) {
            attributes = of_series(attributes, series, question);
        } else if let Some(modality) = &series.series.facts.modality {
            attributes = attributes.text(tags::MODALITY, VR::CS, modality);
        }
    }
    if let Some(instance) = &hit.instance {
        url = format!("{url}/instances/{}", instance.sop_instance_uid);
        attributes = of_instance(attributes, instance, question);
    }
    attributes.text(tags::RETRIEVE_URL, VR::UR, &url).to_json()
}

fn of_study(attributes: Attributes, found: &StudyFound, question: &Question) -> Attributes {
    let (facts, patient) = (&found.study.facts, &found.study.patient);
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    let mut attributes = attributes
        .text(tags::STUDY_DATE, VR::DA, &text(&facts.date))
        .text(tags::STUDY_TIME, VR::TM, &text(&facts.time))
        .text(
            tags::ACCESSION_NUMBER,
            VR::SH,
            &text(&facts.accession_number),
        )
        .text(tags::MODALITIES_IN_STUDY, VR::CS, &found.modalities())
        .text(
            tags::REFERRING_PHYSICIAN_NAME,
            VR::PN,
            &text(&facts.referring_physician),
        )
        .text(tags::PATIENT_NAME, VR::PN, &text(&patient.name))
        .text(tags::PATIENT_ID, VR::LO, &text(&patient.id))
        .text(tags::PATIENT_BIRTH_DATE, VR::DA, &text(&patient.birth_date))
        .text(tags::PATIENT_SEX, VR::CS, &text(&patient.sex))
        .text(tags::STUDY_ID, VR::SH, &text(&facts.id))
        .text(tags::STUDY_DESCRIPTION, VR::LO, &text(&facts.description))
        .number(
            tags::NUMBER_OF_STUDY_RELATED_SERIES,
            VR::IS,
            found.series_count.into(),
        )
        .number(
            tags::NUMBER_OF_STUDY_RELATED_INSTANCES,
            VR::IS,
            found.instance_count.into(),
        );
    let more = [
        (tags::INSTITUTION_NAME, &facts.institution),
        (tags::ISSUER_OF_PATIENT_ID, &patient.issuer),
    ];
    for (tag, value) in more {
        if question.all || question.include.contains(&tag) {
            attributes = attributes.text(tag, VR::LO, &text(value));
        }
    }
    if question.all || question.include.contains(&tags::PROCEDURE_CODE_SEQUENCE) {
        let items = facts.procedure_codes.iter().map(code);
        attributes = attributes.items(tags::PROCEDURE_CODE_SEQUENCE, items);
    }
    attributes
}

fn of_series(attributes: Attributes, found: &SeriesFound, question: &Question) -> Attributes {
    let facts = &found.series.facts;
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    let number = facts.number.map(|it| it.to_string()).unwrap_or_default();
    let mut attributes = attributes
        .text(tags::MODALITY, VR::CS, &text(&facts.modality))
        .text(tags::SERIES_NUMBER, VR::IS, &number)
        .text(tags::SERIES_DESCRIPTION, VR::LO, &text(&facts.description))
        .number(
            tags::NUMBER_OF_SERIES_RELATED_INSTANCES,
            VR::IS,
            found.instance_count.into(),
        );
    if question.all || question.include.contains(&tags::BODY_PART_EXAMINED) {
        attributes = attributes.text(tags::BODY_PART_EXAMINED, VR::CS, &text(&facts.body_part));
    }
    if question.all || question.include.contains(&tags::ANATOMIC_REGION_SEQUENCE) {
        let items = facts.anatomic_regions.iter().map(code);
        attributes = attributes.items(tags::ANATOMIC_REGION_SEQUENCE, items);
    }
    attributes
}

fn of_instance(
    attributes: Attributes,
    instance: &StoredInstance,
    question: &Question,
) -> Attributes {
    let number = instance.number.map(|it| it.to_string()).unwrap_or_default();
    let mut attributes = attributes
        .text(tags::SOP_CLASS_UID, VR::UI, instance.sop_class_uid.as_str())
        .text(
            tags::SOP_INSTANCE_UID,
            VR::UI,
            instance.sop_instance_uid.as_str(),
        )
        .text(tags::INSTANCE_NUMBER, VR::IS, &number);
    if let Some(size) = instance.size {
        attributes = attributes
            .number(tags::ROWS, VR::US, size.rows.into())
            .number(tags::COLUMNS, VR::US, size.columns.into());
        if size.frames > 1 {
            attributes = attributes.number(tags::NUMBER_OF_FRAMES, VR::IS, size.frames.into());
        }
    }
    let syntax = tags::AVAILABLE_TRANSFER_SYNTAX_UID;
    if question.all || question.include.contains(&syntax) {
        attributes = attributes.text(syntax, VR::UI, instance.transfer_syntax_uid.as_str());
    }
    attributes
}

fn code(code: &CodedConcept) -> Attributes {
    Attributes::new()
        .text(tags::CODE_VALUE, VR::SH, &code.value)
        .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, &code.scheme)
        .text(tags::CODE_MEANING, VR::LO, &code.meaning)
}
