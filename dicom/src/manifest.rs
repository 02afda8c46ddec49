//! The manifest of a study: a Key Object Selection document that lists the study's instances and
//! where they can be retrieved. It is what RAD-68 submits in place of the images.
//!
//! Key Object Selection Document IOD: PS3.3 A.35.4; content: PS3.16 TID 2010.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part16.html#sect_TID_2010>

use std::time::SystemTime;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};

use super::instance::{InstanceError, uid};
use super::moment::{UtcOffset, date_and_time};
use super::scan::{Series, StoredInstance, Study};
use super::uid::Uid;
use super::walk::{self, DataSet, Part10};
use super::write::{Builder, WriteError};

/// SOP class of manifests, which is also their XDS formatCode.
pub const SOP_CLASS_UID: &str = uids::KEY_OBJECT_SELECTION_DOCUMENT_STORAGE;

/// What the manifest of a study says beside what the study says itself.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// SOP Instance UID of the manifest: the document's uniqueId.
    pub sop_instance_uid: &'a Uid,
    /// The manifest's own series: none of the study's.
    pub series_instance_uid: &'a Uid,
    /// When the manifest is made.
    pub made: SystemTime,
    /// For DICOM C-MOVE (RAD-16), and as a key that consumers map to a host.
    pub retrieve_ae_title: &'a str,
    /// The repositoryUniqueId under which RAD-69 finds the instances.
    pub retrieve_location_uid: &'a Uid,
    /// Base address of WADO-RS, if there is one.
    pub retrieve_url: Option<&'a str>,
    /// Local time of studies that do not say how far from UTC they are.
    pub utc_offset: UtcOffset,
}

/// Writes the manifest. The same study and plan always give the same bytes.
pub fn write(study: &Study, plan: &Plan<'_>) -> Result<Vec<u8>, WriteError> {
    let document = Builder::new()
        .text(tags::VALUE_TYPE, VR::CS, "CONTAINER")
        .code(
            tags::CONCEPT_NAME_CODE_SEQUENCE,
            ("113030", "DCM", "Manifest"),
        )
        .text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE")
        .items(tags::CONTENT_TEMPLATE_SEQUENCE, [template()])
        .items(tags::CONTENT_SEQUENCE, study.instances().map(content_item))
        .items(
            tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
            [evidence(study, plan)],
        );
    header(study, plan).with(document).part10()
}

/// Patient, study, series and equipment: as in the study, but in a series of its own.
fn header(study: &Study, plan: &Plan<'_>) -> Builder {
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

fn template() -> Builder {
    Builder::new()
        .text(tags::MAPPING_RESOURCE, VR::CS, "DCMR")
        .text(tags::TEMPLATE_IDENTIFIER, VR::CS, "2010")
}

/// TID 2010 row 8: the reference without a concept name, which is forbidden there.
fn content_item(instance: &StoredInstance) -> Builder {
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

fn evidence(study: &Study, plan: &Plan<'_>) -> Builder {
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

/// One series as a manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencedSeries {
    /// Study Instance UID.
    pub study_instance_uid: Uid,
    /// Series Instance UID.
    pub series_instance_uid: Uid,
    /// Retrieve AE Title (0008,0054).
    pub retrieve_ae_title: Option<String>,
    /// Retrieve Location UID (0040,E011): the repositoryUniqueId to ask by RAD-69.
    pub retrieve_location_uid: Option<Uid>,
    /// Retrieve URL (0008,1190).
    pub retrieve_url: Option<String>,
    /// SOP Class UID and SOP Instance UID of each instance.
    pub instances: Vec<(Uid, Uid)>,
}

const KEEP: [Tag; 10] = [
    tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
    tags::REFERENCED_SERIES_SEQUENCE,
    tags::REFERENCED_SOP_SEQUENCE,
    tags::REFERENCED_SOP_CLASS_UID,
    tags::REFERENCED_SOP_INSTANCE_UID,
    tags::STUDY_INSTANCE_UID,
    tags::SERIES_INSTANCE_UID,
    tags::RETRIEVE_AE_TITLE,
    tags::RETRIEVE_LOCATION_UID,
    tags::RETRIEVE_URL,
];

/// Reads what a manifest, ours or another's, refers to. The evidence sequence counts, not the content
/// tree: only it says where instances are (RAD TF-2: 4.68.4.1.2).
pub fn references(bytes: &[u8]) -> Result<Vec<ReferencedSeries>, InstanceError> {
    references_of(&walk::bytes(bytes, &KEEP)?)
}

/// As [`references`], for a file that was walked.
pub(super) fn references_of(file: &Part10) -> Result<Vec<ReferencedSeries>, InstanceError> {
    let mut found = Vec::new();
    for study in file
        .data
        .items(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE)
    {
        let study_instance_uid = uid(study, tags::STUDY_INSTANCE_UID, "Study Instance UID")?;
        for series in study.items(tags::REFERENCED_SERIES_SEQUENCE) {
            found.push(referenced_series(study_instance_uid.clone(), series)?);
        }
    }
    if found.is_empty() {
        return Err(InstanceError::Missing(
            "Current Requested Procedure Evidence Sequence",
        ));
    }
    Ok(found)
}

fn referenced_series(
    study_instance_uid: Uid,
    series: &DataSet,
) -> Result<ReferencedSeries, InstanceError> {
    let filled = |tag| series.ascii(tag).filter(|text| !text.is_empty());
    let instance = |item| -> Result<(Uid, Uid), InstanceError> {
        Ok((
            uid(
                item,
                tags::REFERENCED_SOP_CLASS_UID,
                "Referenced SOP Class UID",
            )?,
            uid(
                item,
                tags::REFERENCED_SOP_INSTANCE_UID,
                "Referenced SOP Instance UID",
            )?,
        ))
    };
    Ok(ReferencedSeries {
        study_instance_uid,
        series_instance_uid: uid(series, tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
        retrieve_ae_title: filled(tags::RETRIEVE_AE_TITLE),
        retrieve_location_uid: match filled(tags::RETRIEVE_LOCATION_UID) {
            Some(_) => Some(uid(
                series,
                tags::RETRIEVE_LOCATION_UID,
                "Retrieve Location UID",
            )?),
            None => None,
        },
        retrieve_url: filled(tags::RETRIEVE_URL),
        instances: series
            .items(tags::REFERENCED_SOP_SEQUENCE)
            .iter()
            .map(instance)
            .collect::<Result<_, _>>()?,
    })
}
