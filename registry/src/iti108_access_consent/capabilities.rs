//! What is served here, as FHIR says it: a `CapabilityStatement`. It says nothing of anybody, so that
//! everybody who is let in gets it, and it is not recorded.

use hilum_transport::{Reply, Request};
use serde_json::json;

use super::search::PARAMETERS;
use super::{CONSENT, FHIR, JSON, Refused, wants_json};

/// What was last changed in what is said here.
const DATE: &str = "2026-11-27";

/// The answer to `GET [base]/metadata`; nothing if something else is asked.
pub(super) fn answer(request: &Request) -> Option<Reply> {
    let segments = request.segments().ok()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let [FHIR, "metadata"] = segments.as_slice() else {
        return None;
    };
    let reply = match request.method() {
        "GET" | "HEAD" if wants_json(request) => {
            Reply::plain(200, JSON, statement(request.origin()))
        }
        "GET" | "HEAD" => Refused::not_json().reply(),
        _ => Refused::method("GET, HEAD").reply(),
    };
    Some(reply)
}

fn statement(origin: &str) -> String {
    let parameters = PARAMETERS
        .iter()
        .map(|(name, kind)| json!({ "name": name, "type": kind }));
    let interactions = [
        "read",
        "vread",
        "update",
        "history-instance",
        "create",
        "search-type",
    ];
    let interactions = interactions.iter().map(|code| json!({ "code": code }));
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATE,
        "kind": "instance",
        "software": { "name": "Hilum", "version": env!("CARGO_PKG_VERSION") },
        "implementation": {
            "description": "Consent Registry (IHE PCF, ITI-108 Access Consent)",
            "url": format!("{origin}/{FHIR}"),
        },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{
            "mode": "server",
            "documentation": "Consents of patients. A search names a patient, or consents by _id.",
            "resource": [{
                "type": CONSENT,
                "interaction": interactions.collect::<Vec<_>>(),
                "versioning": "versioned-update",
                "readHistory": true,
                "updateCreate": false,
                "conditionalCreate": false,
                "conditionalUpdate": false,
                "conditionalDelete": "not-supported",
                "searchParam": parameters.collect::<Vec<_>>(),
            }],
        }],
    });
    statement.to_string()
}
