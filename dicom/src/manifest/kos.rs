//! Manifests of references alone (XDS-I.b), and what all key object selections of ours share.

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::{Plan, SOP_CLASS_UID};
use crate::moment::date_and_time;
use crate::scan::{Series, StoredInstance, Study};
use crate::write::{Builder, WriteError};

/// Writes a manifest of references alone. The same study and plan always give the same bytes.
pub fn write(study: &Study, plan: &Plan<'_>) -> Result<Vec<u8>, WriteError> {
    let content = study.instances().map(content_item).collect();
    let document = document(
        ("113030", "DCM", "Manifest"),
        content,
        evidence(study, plan),
    );
    header(study, plan).with(document).part10()
}

/// SR Document Content and Key Object Document modules, with the template that key object
/// selections must name.
pub(crate) fn document(
    title: (&str, &str, &str),
    content: Vec<Builder>,
    evidence: Builder,
) -> Builder {
    Builder::new()
        .text(tags::VALUE_TYPE, VR::CS, "CONTAINER")
        .code(tags::CONCEPT_NAME_CODE_SEQUENCE, title)
        .text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE")
        .items(tags::CONTENT_TEMPLATE_SEQUENCE, [template("2010")])
        .items(tags::CONTENT_SEQUENCE, content)
        .items(
            tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
            [evidence],
        )
}

/// Patient, study, series and equipment: as in the study, but in a series of its own.
pub(crate) fn header(study: &Study, plan: &Plan<'_>) -> Builder {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (patient, facts) = (&study.patient, &study.facts);
    let offset = study.utc_offset(plan.utc_offset);
    let (date, time) = date_and_time(plan.made, offset);
    Builder::new()
        .text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192")
        .text(tags::INSTANCE_CREATION_DATE, VR::DA, &date)
        .text(tags::INSTANCE_CREATION_TIME, VR::TM, &time)
        .text(tags::SOP_CLASS_UID, VR::UI, SOP_CLASS_UID)
        .text(
            tags::SOP_INSTANCE_UID,
            VR::UI,
            plan.sop_instance_uid.as_str(),
        )
        .text(tags::STUDY_DATE, VR::DA, &text(&facts.date))
        .text(tags::CONTENT_DATE, VR::DA, &date)
        .text(tags::STUDY_TIME, VR::TM, &text(&facts.time))
        .text(tags::CONTENT_TIME, VR::TM, &time)
        .text(
            tags::ACCESSION_NUMBER,
            VR::SH,
            &text(&facts.accession_number),
        )
        .text(tags::MODALITY, VR::CS, "KO")
        .text(tags::MANUFACTURER, VR::LO, "Hilum")
        .text(
            tags::REFERRING_PHYSICIAN_NAME,
            VR::PN,
            &text(&facts.referring_physician),
        )
        .text(tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, &offset.to_string())
        .items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, [])
        .text(tags::PATIENT_NAME, VR::PN, &text(&patient.name))
        .text(tags::PATIENT_ID, VR::LO, &text(&patient.id))
        .with(issuer(study))
        .text(tags::PATIENT_BIRTH_DATE, VR::DA, &text(&patient.birth_date))
        .text(tags::PATIENT_SEX, VR::CS, &text(&patient.sex))
        .text(tags::STUDY_INSTANCE_UID, VR::UI, study.uid.as_str())
        .text(
            tags::SERIES_INSTANCE_UID,
            VR::UI,
            plan.series_instance_uid.as_str(),
        )
        .text(tags::STUDY_ID, VR::SH, &text(&facts.id))
        .text(tags::SERIES_NUMBER, VR::IS, "1")
        .text(tags::INSTANCE_NUMBER, VR::IS, "1")
}

fn issuer(study: &Study) -> Builder {
    let mut issuer = Builder::new();
    if let Some(name) = &study.patient.issuer {
        issuer = issuer.text(tags::ISSUER_OF_PATIENT_ID, VR::LO, name);
    }
    if let Some(oid) = &study.patient.issuer_oid {
        let item = Builder::new()
            .text(tags::UNIVERSAL_ENTITY_ID, VR::UT, oid)
            .text(tags::UNIVERSAL_ENTITY_ID_TYPE, VR::CS, "ISO");
        issuer = issuer.items(tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE, [item]);
    }
    issuer
}

pub(crate) fn template(identifier: &str) -> Builder {
    Builder::new()
        .text(tags::MAPPING_RESOURCE, VR::CS, "DCMR")
        .text(tags::TEMPLATE_IDENTIFIER, VR::CS, identifier)
}

/// TID 2010 row 8: the reference without a concept name, which is forbidden there.
pub(crate) fn content_item(instance: &StoredInstance) -> Builder {
    Builder::new()
        .text(tags::RELATIONSHIP_TYPE, VR::CS, "CONTAINS")
        .text(
            tags::VALUE_TYPE,
            VR::CS,
            value_type(instance.sop_class_uid.as_str()),
        )
        .items(tags::REFERENCED_SOP_SEQUENCE, [reference(instance)])
}

fn reference(instance: &StoredInstance) -> Builder {
    Builder::new()
        .text(
            tags::REFERENCED_SOP_CLASS_UID,
            VR::UI,
            instance.sop_class_uid.as_str(),
        )
        .text(
            tags::REFERENCED_SOP_INSTANCE_UID,
            VR::UI,
            instance.sop_instance_uid.as_str(),
        )
}

pub(crate) fn evidence(study: &Study, plan: &Plan<'_>) -> Builder {
    let series = |series: &Series| {
        let mut item = Builder::new().text(tags::RETRIEVE_AE_TITLE, VR::AE, plan.retrieve_ae_title);
        if let Some(url) = plan.retrieve_url {
            item = item.text(tags::RETRIEVE_URL, VR::UR, url);
        }
        item.items(
            tags::REFERENCED_SOP_SEQUENCE,
            series.instances.iter().map(reference),
        )
        .text(tags::SERIES_INSTANCE_UID, VR::UI, series.uid.as_str())
        .text(
            tags::RETRIEVE_LOCATION_UID,
            VR::UI,
            plan.retrieve_location_uid.as_str(),
        )
    };
    Builder::new()
        .items(
            tags::REFERENCED_SERIES_SEQUENCE,
            study.series.iter().map(series),
        )
        .text(tags::STUDY_INSTANCE_UID, VR::UI, study.uid.as_str())
}

/// Which value type refers to an instance (PS3.3 C.17.3.2.1): a waveform, an image, or anything else.
fn value_type(sop_class_uid: &str) -> &'static str {
    const STORAGE: &str = "1.2.840.10008.5.1.4.1.1.";
    /// Storage classes that are no images: reports, presentation states, registrations, fiducials,
    /// value mappings, surfaces, tracts, raw data, encapsulated documents, radiotherapy structures,
    /// plans and records.
    const COMPOSITE: [&str; 18] = [
        "88.", "11.", "66.1.", "66.2.", "66.3.", "66.5.", "66.6.", "67.", "66.", "104.", "481.3.",
        "481.4.", "481.5.", "481.6.", "481.7.", "481.8.", "481.9.", "34.",
    ];
    let Some(class) = sop_class_uid.strip_prefix(STORAGE) else {
        return "COMPOSITE";
    };
    let class = format!("{class}.");
    if class.starts_with("9.") {
        return "WAVEFORM";
    }
    let of_family = |family: &&str| match *family {
        // Raw Data is 66 itself; 66.4 below it are segmentations, which are images.
        "66." => class == "66.",
        family => class.starts_with(family),
    };
    if COMPOSITE.iter().any(of_family) {
        "COMPOSITE"
    } else {
        "IMAGE"
    }
}
