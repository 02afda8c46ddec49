//! As much of FHIR R4 as an imaging summary needs: resources that can only be written.
//!
//! Names are those of FHIR. What is optional there and not said here is left out; empty lists are
//! left out too, because FHIR has none.
//! <https://hl7.org/fhir/R4/documents.html>

mod datatypes;

use serde::Serialize;

pub(super) use datatypes::{
    Coding, Concept, DICOM_UID, Identifier, Reference, URI, date_time, instant, string,
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bundle {
    pub(super) resource_type: &'static str,
    /// Nothing until it is known what the bundle is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identifier: Option<Identifier>,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) timestamp: String,
    pub(super) entry: Vec<Entry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) full_url: String,
    pub(super) resource: Resource,
}

#[derive(Debug, Serialize)]
#[serde(tag = "resourceType")]
pub(super) enum Resource {
    Composition(Box<Composition>),
    Patient(Patient),
    Device(Device),
    ImagingStudy(Box<ImagingStudy>),
    DocumentReference(Box<DocumentReference>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Composition {
    pub(super) identifier: Identifier,
    pub(super) status: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: Concept,
    pub(super) subject: Reference,
    pub(super) date: String,
    pub(super) author: Vec<Reference>,
    pub(super) title: String,
    pub(super) section: Vec<Section>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) text: Narrative,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entry: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) empty_reason: Option<Concept>,
}

#[derive(Debug, Serialize)]
pub(super) struct Narrative {
    pub(super) status: &'static str,
    pub(super) div: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Patient {
    pub(super) identifier: Vec<Identifier>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) name: Vec<HumanName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gender: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) birth_date: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct HumanName {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) family: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) given: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Device {
    pub(super) device_name: Vec<DeviceName>,
}

#[derive(Debug, Serialize)]
pub(super) struct DeviceName {
    pub(super) name: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImagingStudy {
    pub(super) identifier: Vec<Identifier>,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) modality: Vec<Coding>,
    pub(super) subject: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) started: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) procedure_code: Vec<Concept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DocumentReference {
    pub(super) master_identifier: Identifier,
    pub(super) identifier: Vec<Identifier>,
    pub(super) status: &'static str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Concept>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) category: Vec<Concept>,
    pub(super) subject: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) custodian: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) security_label: Vec<Concept>,
    pub(super) content: Vec<Content>,
    pub(super) context: Context,
}

#[derive(Debug, Serialize)]
pub(super) struct Content {
    pub(super) attachment: Attachment,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<Coding>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attachment {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) creation: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) event: Vec<Concept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) facility_type: Option<Concept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) practice_setting: Option<Concept>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) related: Vec<Reference>,
}
