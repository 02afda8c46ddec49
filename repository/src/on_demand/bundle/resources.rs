//! Resources of a summary, from metadata of XDS.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use xds_schemas::ebrim::InternationalString;
use xds_schemas::metadata::{Code, DocumentEntry, PatientId, Timestamp};

use super::super::fhir::{
    Attachment, Coding, Concept, Content, Context, DICOM_UID, Device, DeviceName,
    DocumentReference, HumanName, Identifier, ImagingStudy, Patient, Reference, URI, date_time,
    string,
};
use super::super::summary::Study;

/// The coding scheme of modalities.
const DCM: &str = "1.2.840.10008.2.16.4";
/// The largest `unsignedInt`.
const LARGEST: u64 = 2_147_483_647;

pub(super) fn imaging_study(study: &Study<'_>, subject: &Reference) -> ImagingStudy {
    let described = study.description();
    let accession = |(number, authority): (&str, Option<&str>)| Identifier {
        kind: Some(Concept::new(
            "http://terminology.hl7.org/CodeSystem/v2-0203",
            "ACSN",
            "Accession ID",
        )),
        system: authority.map(|oid| format!("urn:oid:{oid}")),
        value: number.to_owned(),
    };
    let uid = Identifier::of_oid(DICOM_UID, &study.uid);
    let accessions = study.accessions().into_iter().map(accession);
    ImagingStudy {
        identifier: std::iter::once(uid).chain(accessions).collect(),
        status: "available",
        modality: modalities(described).collect(),
        subject: subject.clone(),
        started: described.service_start_time.as_ref().map(date_time),
        procedure_code: concepts(&described.type_code),
        description: described.title.as_ref().and_then(text),
    }
}

pub(super) fn reference(
    document: &DocumentEntry,
    subject: &Reference,
    study: Option<&Reference>,
) -> DocumentReference {
    let home = document.home_community_id.as_ref();
    let home = home.and_then(|home| string(home.as_str()));
    let custodian = home.map(|home| Reference::Identifier(Identifier::new(URI, home)));
    DocumentReference {
        master_identifier: Identifier::of_oid(URI, document.unique_id.as_str()),
        identifier: vec![Identifier::new(URI, document.entry_uuid.as_str())],
        status: "current",
        kind: document.type_code.as_ref().and_then(Concept::of),
        category: concepts(&document.class_code),
        subject: subject.clone(),
        custodian,
        description: document.title.as_ref().and_then(text),
        security_label: concepts(&document.confidentiality_codes),
        content: vec![Content {
            attachment: attachment(document),
            format: document.format_code.as_ref().and_then(Coding::of),
        }],
        context: Context {
            event: concepts(&document.event_codes),
            facility_type: document
                .healthcare_facility_type_code
                .as_ref()
                .and_then(Concept::of),
            practice_setting: document
                .practice_setting_code
                .as_ref()
                .and_then(Concept::of),
            related: study.cloned().into_iter().collect(),
        },
    }
}

fn attachment(document: &DocumentEntry) -> Attachment {
    let hash = document.hash.as_deref().and_then(from_hexadecimal);
    Attachment {
        content_type: string(&document.mime_type),
        language: document.language_code.as_deref().and_then(string),
        size: document.size.filter(|size| *size <= LARGEST),
        hash: hash.map(|hash| BASE64.encode(hash)),
        title: document.title.as_ref().and_then(text),
        creation: document.creation_time.as_ref().map(date_time),
    }
}

/// The patient as documents describe it: PID-5 is a name (XPN), PID-7 a birth date, PID-8 a sex.
pub(super) fn patient(id: &PatientId, info: &[String]) -> Patient {
    let field = |name: &str| info.iter().find_map(|field| field.strip_prefix(name));
    let name = field("PID-5|").map(|name| {
        let mut parts = name.split('^').map(string);
        let family = parts.next().flatten();
        let given = parts.take(2).flatten().collect();
        HumanName { family, given }
    });
    let is_said = |name: &HumanName| name.family.is_some() || !name.given.is_empty();
    // A date may be less precise, and a time may follow it.
    let birth_date = field("PID-7|").map(|digits| digits.get(..8).unwrap_or(digits));
    let birth_date = birth_date.and_then(|digits| Timestamp::parse(digits).ok());
    Patient {
        identifier: vec![Identifier::new(
            format!("urn:oid:{}", id.authority),
            id.id.as_str(),
        )],
        name: name.filter(is_said).into_iter().collect(),
        gender: field("PID-8|").and_then(|sex| match sex {
            "M" => Some("male"),
            "F" => Some("female"),
            "O" | "A" => Some("other"),
            "U" => Some("unknown"),
            _ => None,
        }),
        birth_date: birth_date.as_ref().map(date_time),
    }
}

pub(super) fn device() -> Device {
    let name = DeviceName {
        name: "Hilum On-Demand Document Source",
        kind: "user-friendly-name",
    };
    Device {
        device_name: vec![name],
    }
}

/// Modalities of the study that a document describes.
pub(super) fn modalities(document: &DocumentEntry) -> impl Iterator<Item = Coding> {
    let codes = document.event_codes.iter();
    codes
        .filter(|code| code.scheme == DCM)
        .filter_map(Coding::of)
}

fn concepts<'a>(codes: impl IntoIterator<Item = &'a Code>) -> Vec<Concept> {
    codes.into_iter().filter_map(Concept::of).collect()
}

pub(super) fn text(text: &InternationalString) -> Option<String> {
    text.first().and_then(string)
}

fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits
        .map(byte)
        .collect::<Option<Vec<u8>>>()
        .filter(|bytes| !bytes.is_empty())
}
