//! Manifests with a description (IHE RAD MADO rev. 1.1, trial implementation, March 2026): beside the
//! references, an image library tells what the study, each series and each instance is, so that a
//! consumer can choose without retrieving.
//!
//! Content: PS3.16 TID 2010 with TID 1600, 1601 and 1602 as changed by CP-2595.
//! <https://profiles.ihe.net/RAD/MADO/>

use dicom_core::VR;
use dicom_core::dictionary::UidDictionary;
use dicom_dictionary_std::{StandardSopClassDictionary, tags};
use uuid::Uuid;

use super::codes::{self, Code, Concept};
use super::{MadoCodes, Plan, content_item, document, evidence, header};
use crate::instance::{Accession, CodedConcept};
use crate::scan::{Series, StoredInstance, Study};
use crate::write::{Builder, WriteError};

/// What such a manifest says that neither the study nor the plan does: it is the site's.
#[derive(Debug, Clone, Default)]
pub struct Description<'a> {
    /// Under which codes.
    pub codes: MadoCodes,
    /// Who makes the manifests: `Some Hospital^^^^^^^^^1.2.3`, as authorInstitution of XDS.
    pub institution: &'a str,
    /// OID of who gives patient ids, for files that do not name it.
    pub patient_id_issuer: Option<&'a str>,
    /// Other ids of the patient with the OIDs of who gave them, such as that of the affinity domain.
    pub other_patient_ids: &'a [(String, String)],
    /// OID of who gives accession numbers, for files that do not name it.
    pub accession_issuer: Option<&'a str>,
    /// OID of who gives order numbers, for files that do not name it.
    pub order_issuer: Option<&'a str>,
    /// Regions of the study out of CID IHE-MADO1. If there are none, they are derived from what the
    /// series say.
    pub regions: &'a [CodedConcept],
}

/// Writes the manifest. The same arguments always give the same bytes.
pub fn write(
    study: &Study,
    plan: &Plan<'_>,
    description: &Description<'_>,
) -> Result<Vec<u8>, WriteError> {
    let codes = description.codes;
    let title = Concept::ManifestWithDescription.code(codes);
    let procedures = study.facts.procedure_codes.iter();
    let procedures = procedures.map(|procedure| {
        coded(
            "HAS CONCEPT MOD",
            Concept::ProcedureCode,
            codes,
            procedure.into(),
        )
    });
    // TID 2010 wants references below the root, where readers of plain selections look for them.
    let content = procedures
        .chain([library(study, description)])
        .chain(study.instances().map(content_item))
        .collect();
    let requests = requests(study, description);
    header(study, plan)
        .with(described_header(study, description))
        .with(document(title, content, evidence(study, plan)))
        .items(tags::REFERENCED_REQUEST_SEQUENCE, requests)
        .part10()
}

/// The accession numbers of a study; for one without any, which must get one, a number made of its
/// Study Instance UID.
pub fn accessions(study: &Study) -> Vec<Accession> {
    if !study.accessions.is_empty() {
        return study.accessions.clone();
    }
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_OID, study.uid.as_str().as_bytes());
    // An accession number has 16 characters at most.
    let number = format!("H{:015X}", uuid.as_u128() >> 68);
    vec![Accession {
        number,
        issuer_oid: None,
    }]
}

/// What the profile wants of patient, study and equipment beyond what every manifest says.
fn described_header(study: &Study, description: &Description<'_>) -> Builder {
    let mut header = Builder::new()
        .text(tags::INSTITUTION_NAME, VR::LO, description.institution)
        .with(accession_number(study, description));
    if let Some(text) = &study.facts.description {
        header = header.text(tags::STUDY_DESCRIPTION, VR::LO, text);
    }
    let patient = &study.patient;
    let issuer = patient.issuer_oid.as_deref();
    let issuer = issuer.or(description.patient_id_issuer);
    let own = patient.id.as_deref().map(|id| (id, issuer));
    if own.is_some()
        && let Some(oid) = issuer
    {
        let qualifiers = tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE;
        header = header.items(qualifiers, [entity(oid)]);
    }
    // The list repeats the main identifier (MADO 6.X.2.5.1.1.2).
    let others = description.other_patient_ids.iter();
    let others = others.map(|(id, oid)| (id.as_str(), Some(oid.as_str())));
    let all: Vec<_> = own
        .into_iter()
        .chain(others.filter(|other| Some(*other) != own))
        .map(|(id, issuer)| other_patient_id(id, issuer))
        .collect();
    if all.is_empty() {
        return header;
    }
    header.items(tags::OTHER_PATIENT_I_DS_SEQUENCE, all)
}

fn other_patient_id(id: &str, issuer: Option<&str>) -> Builder {
    let mut item = Builder::new().text(tags::PATIENT_ID, VR::LO, id);
    if let Some(oid) = issuer {
        let qualifiers = tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE;
        item = item.items(qualifiers, [entity(oid)]);
    }
    item.text(tags::TYPE_OF_PATIENT_ID, VR::CS, "TEXT")
}

/// An assigner by its OID (PS3.3 section 10.14).
fn entity(oid: &str) -> Builder {
    Builder::new()
        .text(tags::UNIVERSAL_ENTITY_ID, VR::UT, oid)
        .text(tags::UNIVERSAL_ENTITY_ID_TYPE, VR::CS, "ISO")
}

/// Said of the whole study only if there is exactly one (MADO 6.X.2.6.1).
fn accession_number(study: &Study, description: &Description<'_>) -> Builder {
    match &accessions(study)[..] {
        [only] => accession(only, description),
        _ => Builder::new().text(tags::ACCESSION_NUMBER, VR::SH, ""),
    }
}

fn accession(accession: &Accession, description: &Description<'_>) -> Builder {
    let item = Builder::new().text(tags::ACCESSION_NUMBER, VR::SH, &accession.number);
    let issuer = accession.issuer_oid.as_deref();
    match issuer.or(description.accession_issuer) {
        Some(oid) => item.items(tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE, [entity(oid)]),
        None => item,
    }
}

/// One item for each combination of accession and order (MADO 6.X.2.8.1). An order that does not say
/// under which accession it was filled belongs to all of them.
fn requests(study: &Study, description: &Description<'_>) -> Vec<Builder> {
    let mut requests = Vec::new();
    for number in accessions(study) {
        let orders: Vec<_> = study
            .orders
            .iter()
            .filter(|order| {
                let filled = order.accession_number.as_ref();
                filled.is_none_or(|filled| *filled == number.number)
            })
            .collect();
        let item = |order: Option<(&str, Option<&str>)>| {
            let (order, issuer) = order.unwrap_or_default();
            let placer = tags::PLACER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST;
            let mut item = accession(&number, description)
                .text(tags::STUDY_INSTANCE_UID, VR::UI, study.uid.as_str())
                .items(tags::REFERENCED_STUDY_SEQUENCE, [])
                .text(tags::REQUESTED_PROCEDURE_DESCRIPTION, VR::LO, "")
                .items(tags::REQUESTED_PROCEDURE_CODE_SEQUENCE, [])
                .text(tags::REQUESTED_PROCEDURE_ID, VR::SH, "")
                .text(placer, VR::LO, order)
                .text(
                    tags::FILLER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST,
                    VR::LO,
                    "",
                );
            if let Some(oid) = issuer {
                item = item.items(tags::ORDER_PLACER_IDENTIFIER_SEQUENCE, [entity(oid)]);
            }
            item
        };
        if orders.is_empty() {
            requests.push(item(None));
        }
        for order in orders {
            let issuer = order.issuer_oid.as_deref().or(description.order_issuer);
            requests.push(item(Some((&order.number, issuer))));
        }
    }
    requests
}

/// TID 1600: what the study is, then a group for each series.
fn library(study: &Study, description: &Description<'_>) -> Builder {
    let codes = description.codes;
    let mut content = Vec::new();
    for modality in modalities(study) {
        content.push(context_code(Concept::Modality, codes, modality));
    }
    let derived;
    let regions = if description.regions.is_empty() {
        derived = codes::high_level(study.series.iter());
        &derived
    } else {
        description.regions
    };
    for region in regions {
        content.push(coded(
            "HAS ACQ CONTEXT",
            Concept::TargetRegion,
            codes,
            region.into(),
        ));
    }
    content.push(count(
        Concept::StudyRelatedSeries,
        codes,
        study.series.len(),
        ("{series}", "UCUM", "series"),
    ));
    content.extend(study.series.iter().map(|series| group(series, codes)));
    container(Concept::ImageLibrary, content)
}

/// Modalities that acquire, or, if there is none, those that do not, each once.
fn modalities(study: &Study) -> Vec<Code<'static>> {
    let all = study.series.iter().map(codes::modality);
    let (acquire, others): (Vec<_>, Vec<_>) = all.partition(|(_, acquires)| *acquires);
    let mut found = Vec::new();
    for (modality, _) in if acquire.is_empty() { others } else { acquire } {
        if !found.contains(&modality) {
            found.push(modality);
        }
    }
    found
}

/// TID 1602 for a series, then its instances.
fn group(series: &Series, codes: MadoCodes) -> Builder {
    let facts = &series.facts;
    let (modality, _) = codes::modality(series);
    let mut content = vec![context_code(Concept::Modality, codes, modality)];
    if let Some(date) = facts.date.as_deref().filter(|date| is_number(date, 8..=8)) {
        let item = named("HAS ACQ CONTEXT", "DATE", Concept::SeriesDate, codes);
        content.push(item.text(tags::DATE, VR::DA, date));
    }
    // A TM value has digits, and a fraction behind its seconds.
    let is_time = |time: &&str| is_number(time.split('.').next().unwrap_or_default(), 2..=6);
    if let Some(time) = facts.time.as_deref().filter(is_time) {
        let item = named("HAS ACQ CONTEXT", "TIME", Concept::SeriesTime, codes);
        content.push(item.text(tags::TIME, VR::TM, time));
    }
    if let Some(description) = &facts.description {
        content.push(text(Concept::SeriesDescription, codes, description));
    }
    if let Some(number) = facts.number {
        content.push(text(Concept::SeriesNumber, codes, &number.to_string()));
    }
    let uid = named(
        "HAS ACQ CONTEXT",
        "UIDREF",
        Concept::SeriesInstanceUid,
        codes,
    );
    content.push(uid.text(tags::UID, VR::UI, series.uid.as_str()));
    for region in codes::regions(series) {
        content.push(coded(
            "HAS ACQ CONTEXT",
            Concept::TargetRegion,
            codes,
            (&region).into(),
        ));
    }
    content.push(count(
        Concept::SeriesRelatedInstances,
        codes,
        series.instances.len(),
        ("{instances}", "UCUM", "instances"),
    ));
    content.extend(series.instances.iter().map(|it| entry(it, codes)));
    container(Concept::ImageLibraryGroup, content)
}

fn is_number(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// TID 1601 for an instance.
fn entry(instance: &StoredInstance, codes: MadoCodes) -> Builder {
    let mut content = Vec::new();
    if let Some(frames) = instance.size.map(|size| size.frames)
        && (frames > 1 || is_multi_frame(instance.sop_class_uid.as_str()))
    {
        content.push(count(
            Concept::NumberOfFrames,
            codes,
            frames as usize,
            ("{frames}", "UCUM", "frames"),
        ));
    }
    if let Some(number) = instance.number {
        content.push(text(Concept::InstanceNumber, codes, &number.to_string()));
    }
    if let Some(selection) = &instance.key_objects {
        let title = Builder::from(&selection.title);
        content.push(coded(
            "HAS ACQ CONTEXT",
            Concept::DocumentTitle,
            codes,
            title,
        ));
        if let Some(description) = &selection.description {
            content.push(text(Concept::KeyObjectDescription, codes, description));
        }
    }
    let entry = content_item(instance);
    if content.is_empty() {
        return entry;
    }
    entry.items(tags::CONTENT_SEQUENCE, content)
}

/// Whether a SOP class is one of images with frames, told by its name.
fn is_multi_frame(sop_class_uid: &str) -> bool {
    const WORDS: [&str; 7] = [
        "Multi-frame",
        "Enhanced",
        "Tomosynthesis",
        "Segmentation",
        "Parametric Map",
        "Video",
        "Whole Slide",
    ];
    let Some(class) = StandardSopClassDictionary.by_uid(sop_class_uid) else {
        return false;
    };
    // "Enhanced SR" has no frames, but it has no rows either and does not come here.
    WORDS.iter().any(|word| class.name.contains(word))
}

fn named(relationship: &str, value_type: &str, name: Concept, codes: MadoCodes) -> Builder {
    Builder::new()
        .text(tags::RELATIONSHIP_TYPE, VR::CS, relationship)
        .text(tags::VALUE_TYPE, VR::CS, value_type)
        .code(tags::CONCEPT_NAME_CODE_SEQUENCE, name.code(codes))
}

fn container(name: Concept, content: Vec<Builder>) -> Builder {
    named("CONTAINS", "CONTAINER", name, MadoCodes::Dicom)
        .text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE")
        .items(tags::CONTENT_SEQUENCE, content)
}

fn coded(relationship: &str, name: Concept, codes: MadoCodes, code: Builder) -> Builder {
    named(relationship, "CODE", name, codes).items(tags::CONCEPT_CODE_SEQUENCE, [code])
}

fn context_code(name: Concept, codes: MadoCodes, code: Code<'_>) -> Builder {
    named("HAS ACQ CONTEXT", "CODE", name, codes).code(tags::CONCEPT_CODE_SEQUENCE, code)
}

fn text(name: Concept, codes: MadoCodes, text: &str) -> Builder {
    named("HAS ACQ CONTEXT", "TEXT", name, codes).text(tags::TEXT_VALUE, VR::UT, text)
}

fn count(name: Concept, codes: MadoCodes, count: usize, unit: Code<'_>) -> Builder {
    let measured = Builder::new()
        .code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, unit)
        .text(tags::NUMERIC_VALUE, VR::DS, &count.to_string());
    named("HAS ACQ CONTEXT", "NUM", name, codes).items(tags::MEASURED_VALUE_SEQUENCE, [measured])
}
