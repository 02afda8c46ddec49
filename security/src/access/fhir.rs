//! FHIR R4 Consent, as far as access depends on it.
//!
//! Whoever keeps consents keeps the text. What would change the meaning and is not understood is
//! refused: a denial that nobody heeds is worse than one that is not accepted.
//! <https://hl7.org/fhir/R4/consent.html>

mod known;
mod read;
mod resource;
mod write;

use thiserror::Error;
use xds_schemas::metadata::PatientId;

use super::Consent;

pub use known::Known;
use resource::Bundle;

/// Where the registry's node serves consents.
pub const CONSENT_PATH: &str = "/fhir/Consent";
/// Where the URI of an identifier without a system of its own comes from.
const URI: &str = "urn:ietf:rfc:3986";
/// The names of the parameter that says whose consents are wanted.
const PATIENT_PARAMETERS: [&str; 3] = ["patient", "patient:identifier", "patient.identifier"];

/// This is no consent that is understood here. The text says where, and nothing of the patient.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct NotAConsent(pub String);

impl Consent {
    /// Reads a resource.
    ///
    /// # Errors
    /// If it is not a Consent of R4, or says something that is not understood and matters.
    pub fn from_fhir(json: &[u8]) -> Result<Self, NotAConsent> {
        read::consent(resource::parse(json)?)
    }

    /// Writes a resource. A consent that has several provisions and is silent on the rest cannot be
    /// said so in R4; it is written as one that denies the rest.
    pub fn to_fhir(&self) -> String {
        write::consent(self).to_string()
    }
}

/// The consents in a Bundle (searchset), all of a patient's.
///
/// # Errors
/// If it is no Bundle, one of them is not understood, or there are more on another page.
pub fn consents_of(bundle: &[u8]) -> Result<Vec<Consent>, NotAConsent> {
    let bundle: Bundle = serde_json::from_slice(bundle).map_err(resource::not_json)?;
    if bundle.resource_type != "Bundle" {
        return Err(NotAConsent("resourceType: it is no Bundle".to_owned()));
    }
    if bundle.link.iter().any(|link| link.relation == "next") {
        return Err(NotAConsent("link: there are more consents".to_owned()));
    }
    let resources = bundle.entry.into_iter().filter_map(|entry| entry.resource);
    let consents = resources.filter(|resource| resource["resourceType"] != "OperationOutcome");
    let read =
        |resource| read::consent(serde_json::from_value(resource).map_err(resource::not_json)?);
    consents.map(read).collect()
}

/// Where the node of a registry serves consents: [`CONSENT_PATH`] at the same server.
pub fn consents_url(registry: &str) -> String {
    let host = registry.find("://").map_or(0, |at| at + 3);
    let end = registry[host..]
        .find('/')
        .map_or(registry.len(), |at| host + at);
    format!("{}{CONSENT_PATH}", &registry[..end])
}

/// The search for a patient's consents: what follows the question mark.
pub fn search_of(patient: &PatientId) -> String {
    let token = format!("urn:oid:{}|{}", patient.authority, patient.id);
    let mut search = "patient:identifier=".to_owned();
    for byte in token.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                search.push(char::from(byte));
            }
            byte => search.push_str(&format!("%{byte:02X}")),
        }
    }
    search
}

/// The patient whom a parameter of a search names, percent signs undone. `None` if the parameter is
/// not about patients.
pub fn searched_patient(name: &str, value: &str) -> Option<Result<PatientId, NotAConsent>> {
    if !PATIENT_PARAMETERS.contains(&name) {
        return None;
    }
    let patient = value.split_once('|').and_then(|(system, id)| {
        let oid = system.strip_prefix("urn:oid:")?;
        (!id.is_empty()).then(|| PatientId::new(id, oid))
    });
    Some(patient.ok_or_else(|| NotAConsent(format!("{name}: it is urn:oid:AUTHORITY|ID"))))
}

#[cfg(test)]
mod tests;
