//! What one DICOM file says about itself: identifiers, and what a DocumentEntry can say of a study.
//!
//! Only the header is read, by our own [`walk`]; pixel data is stepped over.

use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

use super::acquisition::{self, Acquired};
use super::manifest::{self, KeyObjects};
use super::measurements::{self, Measured};
use super::quality::InstanceFacts;
use super::specimens::{self, Specimen};
use super::text::CharacterSet;
use super::uid::{BadUid, Uid};
use super::walk::{self, DataSet, Part10, WalkError};

/// Study Instance UID, for those who look for nothing else.
pub const STUDY_INSTANCE_UID: Tag = tags::STUDY_INSTANCE_UID;

/// One instance of a study, without its pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// SOP Class UID (0008,0016).
    pub sop_class_uid: Uid,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: Uid,
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: Uid,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: Uid,
    /// Transfer syntax as stored (0002,0010).
    pub transfer_syntax_uid: Uid,
    /// Instance Number (0020,0013).
    pub instance_number: Option<i64>,
    /// Rows, columns and frames of an image.
    pub size: Option<ImageSize>,
    /// Whose it is.
    pub patient: Patient,
    /// What it says about its study.
    pub study: StudyFacts,
    /// What it says about its series.
    pub series: SeriesFacts,
    /// Accession numbers: the study's, and those of the requests that the series answers.
    pub accessions: Vec<Accession>,
    /// How it was made.
    pub acquired: Acquired,
    /// What was measured, if it is an object that says so.
    pub measured: Option<Measured>,
    /// The specimens that it shows.
    pub specimens: Vec<Specimen>,
    /// The collection into which it came, if the door knows one.
    pub collection: Option<String>,
    /// What rules for a whole study need of it.
    pub judged: Option<InstanceFacts>,
    /// Orders that the requests named.
    pub orders: Vec<Order>,
    /// As what it selects its instances, if it is a key object selection.
    pub key_objects: Option<KeyObjects>,
}

/// Rows (0028,0010), Columns (0028,0011) and Number of Frames (0028,0008).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSize {
    /// Rows of a frame.
    pub rows: u16,
    /// Columns of a frame.
    pub columns: u16,
    /// Frames; one if the file does not say.
    pub frames: u32,
}

/// The patient as the department knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patient {
    /// Patient ID (0010,0020).
    pub id: Option<String>,
    /// Issuer of Patient ID (0010,0021), a local name.
    pub issuer: Option<String>,
    /// Universal Entity ID of the issuer, (0010,0024) > (0040,0032).
    pub issuer_oid: Option<String>,
    /// Patient's Name (0010,0010), components still divided by `^`.
    pub name: Option<String>,
    /// Patient's Birth Date (0010,0030), `YYYYMMDD`.
    pub birth_date: Option<String>,
    /// Patient's Sex (0010,0040).
    pub sex: Option<String>,
}

/// What is said of a whole study.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudyFacts {
    /// Study Date (0008,0020).
    pub date: Option<String>,
    /// Study Time (0008,0030).
    pub time: Option<String>,
    /// Timezone Offset From UTC (0008,0201), `+0100`.
    pub utc_offset: Option<String>,
    /// Accession Number (0008,0050).
    pub accession_number: Option<String>,
    /// Study ID (0020,0010).
    pub id: Option<String>,
    /// Study Description (0008,1030).
    pub description: Option<String>,
    /// Referring Physician's Name (0008,0090).
    pub referring_physician: Option<String>,
    /// Institution Name (0008,0080).
    pub institution: Option<String>,
    /// Procedure Code Sequence (0008,1032).
    pub procedure_codes: Vec<CodedConcept>,
}

/// What is said of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesFacts {
    /// Modality (0008,0060).
    pub modality: Option<String>,
    /// Series Number (0020,0011).
    pub number: Option<i64>,
    /// Series Description (0008,103E).
    pub description: Option<String>,
    /// Series Date (0008,0021).
    #[serde(default)]
    pub date: Option<String>,
    /// Series Time (0008,0031).
    #[serde(default)]
    pub time: Option<String>,
    /// Body Part Examined (0018,0015).
    pub body_part: Option<String>,
    /// Anatomic Region Sequence (0008,2218).
    pub anatomic_regions: Vec<CodedConcept>,
}

/// An accession number and who gave it, if the file says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Accession {
    /// Accession Number (0008,0050).
    pub number: String,
    /// Universal Entity ID of its issuer, (0008,0051) > (0040,0032), if that is an OID.
    pub issuer_oid: Option<String>,
}

/// An order for imaging, as the party that placed it numbers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Placer Order Number / Imaging Service Request (0040,2016).
    pub number: String,
    /// Universal Entity ID of the placer, (0040,0026) > (0040,0032), if that is an OID.
    pub issuer_oid: Option<String>,
    /// The accession number under which the department filled it.
    pub accession_number: Option<String>,
}

/// A code with its scheme and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodedConcept {
    /// Code Value (0008,0100).
    pub value: String,
    /// Coding Scheme Designator (0008,0102), such as `SCT`.
    pub scheme: String,
    /// Code Meaning (0008,0104).
    pub meaning: String,
}

/// Why a file is no instance that can be offered to others.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Not DICOM, truncated, or hostile.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// One of the identifiers is absent or empty.
    #[error("no {0}")]
    Missing(&'static str),
    /// One of the identifiers is not a UID.
    #[error("{0}: {1}")]
    Uid(&'static str, BadUid),
}

/// Reads a file's header.
pub fn read(path: &Path) -> Result<Instance, InstanceError> {
    of(&walk::whole_file(path)?)
}

/// As [`read`], for a file in memory.
pub fn read_bytes(bytes: &[u8]) -> Result<Instance, InstanceError> {
    of(&walk::whole(bytes)?)
}

/// What a file says of which everything was kept.
pub fn of(file: &Part10) -> Result<Instance, InstanceError> {
    let data = &file.data;
    let set = CharacterSet::of(data);
    let transfer_syntax_uid = Uid::parse(&file.transfer_syntax_uid)
        .map_err(|bad| InstanceError::Uid("Transfer Syntax UID", bad))?;
    Ok(Instance {
        sop_class_uid: uid(data, tags::SOP_CLASS_UID, "SOP Class UID")?,
        sop_instance_uid: uid(data, tags::SOP_INSTANCE_UID, "SOP Instance UID")?,
        series_instance_uid: uid(data, tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
        study_instance_uid: uid(data, tags::STUDY_INSTANCE_UID, "Study Instance UID")?,
        size: image_size(data),
        transfer_syntax_uid,
        instance_number: integer(data, tags::INSTANCE_NUMBER),
        patient: patient(data, &set),
        study: study_facts(data, &set),
        series: series_facts(data, &set),
        accessions: accessions(data, &set),
        acquired: acquisition::read(file),
        measured: measurements::read(file),
        specimens: specimens::read(file),
        collection: None,
        judged: None,
        orders: orders(data, &set),
        key_objects: selection(file),
    })
}

/// As what a key object selection selects its instances.
fn selection(file: &Part10) -> Option<KeyObjects> {
    let class = file.data.ascii(tags::SOP_CLASS_UID)?;
    (class == manifest::SOP_CLASS_UID).then(|| manifest::selected_as(file))?
}

pub(super) fn uid(data: &DataSet, tag: Tag, name: &'static str) -> Result<Uid, InstanceError> {
    match data.ascii(tag) {
        Some(text) if !text.is_empty() => {
            Uid::parse(&text).map_err(|bad| InstanceError::Uid(name, bad))
        }
        _ => Err(InstanceError::Missing(name)),
    }
}

fn patient(data: &DataSet, set: &CharacterSet) -> Patient {
    let issuer = data
        .items(tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE)
        .first();
    Patient {
        id: set.text(data, tags::PATIENT_ID),
        issuer: set.text(data, tags::ISSUER_OF_PATIENT_ID),
        issuer_oid: issuer.and_then(universal_entity_oid),
        name: set.text(data, tags::PATIENT_NAME),
        birth_date: filled(data, tags::PATIENT_BIRTH_DATE),
        sex: filled(data, tags::PATIENT_SEX),
    }
}

fn study_facts(data: &DataSet, set: &CharacterSet) -> StudyFacts {
    StudyFacts {
        date: filled(data, tags::STUDY_DATE),
        time: filled(data, tags::STUDY_TIME),
        utc_offset: filled(data, tags::TIMEZONE_OFFSET_FROM_UTC),
        accession_number: set.text(data, tags::ACCESSION_NUMBER),
        id: set.text(data, tags::STUDY_ID),
        description: set.text(data, tags::STUDY_DESCRIPTION),
        referring_physician: set.text(data, tags::REFERRING_PHYSICIAN_NAME),
        institution: set.text(data, tags::INSTITUTION_NAME),
        procedure_codes: concepts(data.items(tags::PROCEDURE_CODE_SEQUENCE), set),
    }
}

fn series_facts(data: &DataSet, set: &CharacterSet) -> SeriesFacts {
    SeriesFacts {
        modality: filled(data, tags::MODALITY),
        number: integer(data, tags::SERIES_NUMBER),
        description: set.text(data, tags::SERIES_DESCRIPTION),
        date: filled(data, tags::SERIES_DATE),
        time: filled(data, tags::SERIES_TIME),
        body_part: filled(data, tags::BODY_PART_EXAMINED),
        anatomic_regions: concepts(data.items(tags::ANATOMIC_REGION_SEQUENCE), set),
    }
}

/// Where requests are named: by the study, by the series' attributes, by documents.
fn requests(data: &DataSet) -> impl Iterator<Item = &DataSet> {
    let requests = data.items(tags::REQUEST_ATTRIBUTES_SEQUENCE).iter();
    let documents = data.items(tags::REFERENCED_REQUEST_SEQUENCE).iter();
    std::iter::once(data).chain(requests).chain(documents)
}

/// The study's accession number, then those of the requests, each once.
fn accessions(data: &DataSet, set: &CharacterSet) -> Vec<Accession> {
    let mut found = Vec::new();
    for place in requests(data) {
        let Some(number) = set.text(place, tags::ACCESSION_NUMBER) else {
            continue;
        };
        let issuer = place
            .items(tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE)
            .first();
        let accession = Accession {
            number,
            issuer_oid: issuer.and_then(universal_entity_oid),
        };
        if !found.contains(&accession) {
            found.push(accession);
        }
    }
    found
}

fn orders(data: &DataSet, set: &CharacterSet) -> Vec<Order> {
    let mut found = Vec::new();
    for place in requests(data) {
        let number = tags::PLACER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST;
        let Some(number) = set.text(place, number) else {
            continue;
        };
        let issuer = place.items(tags::ORDER_PLACER_IDENTIFIER_SEQUENCE).first();
        let order = Order {
            number,
            issuer_oid: issuer.and_then(universal_entity_oid),
            accession_number: set.text(place, tags::ACCESSION_NUMBER),
        };
        if !found.contains(&order) {
            found.push(order);
        }
    }
    found
}

/// An assigner's OID, if the item names one (PS3.3 section 10.14: type `ISO`).
pub(super) fn universal_entity_oid(item: &DataSet) -> Option<String> {
    let oid = filled(item, tags::UNIVERSAL_ENTITY_ID)?;
    let is_oid = filled(item, tags::UNIVERSAL_ENTITY_ID_TYPE).is_none_or(|kind| kind == "ISO");
    (is_oid && Uid::parse(&oid).is_ok()).then_some(oid)
}

pub(super) fn concepts(items: &[DataSet], set: &CharacterSet) -> Vec<CodedConcept> {
    let concept = |item| {
        Some(CodedConcept {
            value: set
                .text(item, tags::CODE_VALUE)
                .or_else(|| set.text(item, tags::LONG_CODE_VALUE))?,
            scheme: set.text(item, tags::CODING_SCHEME_DESIGNATOR)?,
            meaning: set.text(item, tags::CODE_MEANING).unwrap_or_default(),
        })
    };
    items.iter().filter_map(concept).collect()
}

fn image_size(data: &DataSet) -> Option<ImageSize> {
    let number = |tag| Some(u16::from_le_bytes(data.bytes(tag)?.try_into().ok()?));
    let frames =
        integer(data, tags::NUMBER_OF_FRAMES).and_then(|frames| u32::try_from(frames).ok());
    Some(ImageSize {
        rows: number(tags::ROWS)?,
        columns: number(tags::COLUMNS)?,
        frames: frames.unwrap_or(1),
    })
}

/// A code string, date or number as text; `None` if absent or empty.
fn filled(data: &DataSet, tag: Tag) -> Option<String> {
    data.ascii(tag).filter(|text| !text.is_empty())
}

fn integer(data: &DataSet, tag: Tag) -> Option<i64> {
    filled(data, tag)?.parse().ok()
}
