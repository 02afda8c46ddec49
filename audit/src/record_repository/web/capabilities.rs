//! What this can do, as FHIR says it: a `CapabilityStatement`. It says nothing of anybody, so it is not
//! recorded.

use serde_json::{Value, json};

use crate::record_repository::iti81_retrieve_atna_audit_event::PARAMETERS;

/// What was last changed in what is said here.
const DATE: &str = "2026-11-27";
/// Profiles that events are known to follow (BALP).
const PROFILES: [&str; 10] = [
    "Create",
    "Read",
    "Update",
    "Delete",
    "Query",
    "PatientCreate",
    "PatientRead",
    "PatientUpdate",
    "PatientDelete",
    "PatientQuery",
];

/// The statement of the server at this origin.
pub(super) fn statement(origin: &str) -> Value {
    let profile = |name| {
        format!("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.{name}")
    };
    let profiles: Vec<String> = PROFILES.iter().map(profile).collect();
    let parameters = PARAMETERS
        .iter()
        .map(|(name, kind)| json!({ "name": name, "type": kind }));
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATE,
        "kind": "instance",
        "software": { "name": "Hilum", "version": env!("CARGO_PKG_VERSION") },
        "implementation": {
            "description": "Audit Record Repository",
            "url": format!("{origin}/fhir"),
        },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml"],
        "rest": [{
            "mode": "server",
            "resource": [{
                "type": "AuditEvent",
                "supportedProfile": profiles,
                "interaction": [
                    { "code": "read" },
                    { "code": "search-type" },
                    { "code": "create" },
                ],
                "versioning": "no-version",
                "searchParam": parameters.collect::<Vec<_>>(),
            }],
            "interaction": [{ "code": "batch" }, { "code": "transaction" }],
        }],
    })
}
