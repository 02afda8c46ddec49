//! From what is meant to the resource.

use serde_json::{Map, Value, json};
use xds_schemas::metadata::PatientId;

use super::URI;
use crate::access::moment;
use crate::access::{Consent, Period, Provision, Wish};

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

pub(super) fn consent(consent: &Consent) -> Value {
    let mut resource = json!({
        "resourceType": "Consent",
        "status": consent.status.as_str(),
        "scope": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/consentscope",
            "code": "patient-privacy",
        }]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"type": "Patient", "identifier": patient(&consent.patient_id)},
        "provision": root(consent),
    });
    if !consent.id.is_empty() {
        resource["id"] = json!(consent.id);
    }
    if let Some(given) = consent.given {
        resource["dateTime"] = json!(moment::written(given));
    }
    if let Some(base) = consent.base {
        let code = match base {
            Wish::Permit => "OPTIN",
            Wish::Deny => "OPTOUT",
        };
        resource["policyRule"] = json!({"coding": [{"system": ACT_CODE, "code": code}]});
    }
    resource
}

fn patient(cx: &str) -> Value {
    match PatientId::parse(cx) {
        Ok(patient) => json!({
            "system": format!("urn:oid:{}", patient.authority),
            "value": patient.id,
        }),
        Err(_) => json!({"value": cx}),
    }
}

/// The outermost provision is the base, or the only exception to nothing.
fn root(consent: &Consent) -> Value {
    if let (None, [only]) = (consent.base, consent.provisions.as_slice())
        && consent.period == Period::default()
    {
        return provision(only);
    }
    let root = Provision {
        period: consent.period,
        provisions: consent.provisions.clone(),
        ..Provision::of(consent.base.unwrap_or(Wish::Deny))
    };
    provision(&root)
}

fn provision(from: &Provision) -> Value {
    let mut written = Map::new();
    let kind = match from.wish {
        Wish::Permit => "permit",
        Wish::Deny => "deny",
    };
    written.insert("type".to_owned(), json!(kind));
    let mut period = Map::new();
    if let Some(start) = from.period.from {
        period.insert("start".to_owned(), json!(moment::written(start)));
    }
    if let Some(until) = from.period.until {
        // FHIR's end is within.
        let end = until - std::time::Duration::from_secs(1);
        period.insert("end".to_owned(), json!(moment::written(end)));
    }
    let roles = from.roles.iter().map(|role| {
        json!({"role": {"coding": [coding(role)]}, "reference": {"type": "PractitionerRole"}})
    });
    let named = |kind: &'static str| {
        move |name: &String| {
            let reference = json!({"type": kind, "identifier": identifier(name)});
            json!({"role": {"coding": [{"code": "IRCP"}]}, "reference": reference})
        }
    };
    let organisations = from.organisations.iter().map(named("Organization"));
    let actors = from.actors.iter().map(named("Practitioner"));
    let documents = from.documents.iter().map(|document| {
        let reference = json!({"type": "DocumentReference", "identifier": identifier(document)});
        json!({"meaning": "instance", "reference": reference})
    });
    let codes = |codes: &[String]| codes.iter().map(|it| coding(it)).collect();
    let concepts = from
        .class_codes
        .iter()
        .map(|it| json!({"coding": [coding(it)]}));
    let lists: [(&str, Vec<Value>); 6] = [
        ("actor", roles.chain(organisations).chain(actors).collect()),
        ("securityLabel", codes(&from.confidentiality_codes)),
        ("purpose", codes(&from.purposes)),
        ("code", concepts.collect()),
        ("data", documents.collect()),
        ("provision", from.provisions.iter().map(provision).collect()),
    ];
    if !period.is_empty() {
        written.insert("period".to_owned(), Value::Object(period));
    }
    for (name, list) in lists {
        if !list.is_empty() {
            written.insert(name.to_owned(), Value::Array(list));
        }
    }
    Value::Object(written)
}

fn coding(code: &str) -> Value {
    match code.split_once("^^") {
        Some((code, system)) => json!({"system": system, "code": code}),
        None => json!({"code": code}),
    }
}

fn identifier(name: &str) -> Value {
    match name.rsplit_once('|') {
        Some((system, value)) => json!({"system": system, "value": value}),
        None => json!({"system": URI, "value": name}),
    }
}
