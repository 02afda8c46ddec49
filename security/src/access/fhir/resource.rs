//! Consent and what is in it, as JSON has it.

use serde::Deserialize;
use serde_json::Value;

use super::NotAConsent;

/// A resource longer than this is no consent.
const MAX_BYTES: usize = 256 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bundle {
    #[serde(default)]
    pub(super) resource_type: String,
    #[serde(default)]
    pub(super) link: Vec<Link>,
    #[serde(default)]
    pub(super) entry: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    pub(super) relation: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) resource: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    #[serde(default)]
    pub(super) resource_type: String,
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) status: String,
    pub(super) patient: Option<Reference>,
    pub(super) date_time: Option<String>,
    pub(super) policy_rule: Option<CodeableConcept>,
    pub(super) provision: Option<Provision>,
    pub(super) modifier_extension: Option<Value>,
    pub(super) implicit_rules: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provision {
    #[serde(rename = "type")]
    pub(super) wish: Option<String>,
    pub(super) period: Option<Period>,
    #[serde(default)]
    pub(super) actor: Vec<Actor>,
    #[serde(default)]
    pub(super) action: Vec<CodeableConcept>,
    #[serde(default)]
    pub(super) security_label: Vec<Coding>,
    #[serde(default)]
    pub(super) purpose: Vec<Coding>,
    #[serde(default)]
    pub(super) class: Vec<Coding>,
    #[serde(default)]
    pub(super) code: Vec<CodeableConcept>,
    pub(super) data_period: Option<Value>,
    #[serde(default)]
    pub(super) data: Vec<Data>,
    #[serde(default)]
    pub(super) provision: Vec<Self>,
    pub(super) modifier_extension: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Period {
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Actor {
    pub(super) role: Option<CodeableConcept>,
    pub(super) reference: Option<Reference>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Data {
    #[serde(default)]
    pub(super) meaning: String,
    pub(super) reference: Option<Reference>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct CodeableConcept {
    #[serde(default)]
    pub(super) coding: Vec<Coding>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Coding {
    pub(super) system: Option<String>,
    pub(super) code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    pub(super) reference: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) identifier: Option<Identifier>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Identifier {
    pub(super) system: Option<String>,
    pub(super) value: Option<String>,
}

pub(super) fn parse(json: &[u8]) -> Result<Resource, NotAConsent> {
    if json.len() > MAX_BYTES {
        return Err(NotAConsent(format!("longer than {MAX_BYTES} bytes")));
    }
    serde_json::from_slice(json).map_err(not_json)
}

/// The library quotes values, and values are about patients.
pub(super) fn not_json(error: serde_json::Error) -> NotAConsent {
    NotAConsent(format!(
        "line {}, column {}: it is no JSON of a Consent",
        error.line(),
        error.column()
    ))
}
