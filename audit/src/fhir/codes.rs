//! Code systems: how audit messages name them, and how FHIR does.

use xds_schemas::audit_message::CodedValue;
use xds_schemas::metadata::hl7::is_oid;

use super::audit_event::Coding;

/// DICOM's own codes.
pub(crate) const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
/// Transactions of IHE: `ITI-18`.
pub(crate) const TRANSACTION: &str = "urn:ihe:event-type-code";
/// `rest`, and others that DICOM has not.
pub(crate) const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
/// `read`, `create`, …
pub(crate) const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
/// 1 person, 2 system object, 3 organization, 4 other.
pub(crate) const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
/// What part an object played.
pub(crate) const ENTITY_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
/// 0 success, 4 minor, 8 serious, 12 major failure.
pub(crate) const OUTCOME: &str = "http://terminology.hl7.org/CodeSystem/audit-event-outcome";
/// What was done: C, R, U, D, E.
pub(crate) const ACTION: &str = "http://hl7.org/fhir/audit-event-action";
/// What happened to an object in its life.
pub(crate) const LIFE_CYCLE: &str = "http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle";
/// Kinds of audit sources.
pub(crate) const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
/// How confidential something is.
pub(crate) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
/// Kinds of identifiers that RFC 3881 counts.
pub(crate) const RFC_3881: &str = "urn:ietf:rfc:3881";
/// Why there is nothing.
pub(crate) const ABSENT: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
/// Our own: `unreadable`.
pub(crate) const HILUM: &str = "urn:hilum:audit-event-type";
/// What could not be understood is an event of this type.
pub(crate) const UNREADABLE: &str = "unreadable";

/// What a code stands for, where a message does not name its system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `EventID`.
    Event,
    /// `EventTypeCode`.
    EventType,
    /// `RoleIDCode`, `MediaType`.
    Participant,
    /// `AuditSourceTypeCode`.
    Source,
    /// `ParticipantObjectIDTypeCode`.
    Object,
    /// `PurposeOfUse`.
    Purpose,
}

/// Names and OIDs of code systems, in lower case, and what FHIR calls them.
const SYSTEMS: [(&str, &str); 20] = [
    ("dcm", DCM),
    ("1.2.840.10008.2.16.4", DCM),
    ("ihe transactions", TRANSACTION),
    ("ihetransactions", TRANSACTION),
    ("rfc-3881", RFC_3881),
    ("rfc3881", RFC_3881),
    ("rfc 3881", RFC_3881),
    ("restful-interaction", INTERACTION),
    ("sct", "http://snomed.info/sct"),
    ("srt", "http://snomed.info/srt"),
    ("snomed-ct", "http://snomed.info/sct"),
    ("2.16.840.1.113883.6.96", "http://snomed.info/sct"),
    ("ln", "http://loinc.org"),
    ("loinc", "http://loinc.org"),
    ("2.16.840.1.113883.6.1", "http://loinc.org"),
    (
        "2.16.840.1.113883.5.8",
        "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    ),
    ("2.16.840.1.113883.5.25", CONFIDENTIALITY),
    (
        "2.16.840.1.113883.1.11.20448",
        "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    ),
    (
        "actreason",
        "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    ),
    (
        "purposeofuse",
        "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    ),
];

/// What FHIR calls the system that a message calls so. What nobody knows becomes a URI, since FHIR has
/// no other way to write a system.
pub(crate) fn system(name: &str) -> String {
    let name = name.trim();
    let folded = name.to_ascii_lowercase();
    let plain = folded.strip_prefix("urn:oid:").unwrap_or(&folded);
    if let Some((_, system)) = SYSTEMS.iter().find(|(it, _)| *it == plain) {
        return (*system).to_owned();
    }
    if is_oid(plain) {
        return format!("urn:oid:{plain}");
    }
    let scheme = name.split_once(':').map(|(scheme, _)| scheme);
    let is_uri = scheme.is_some_and(|it| it.starts_with(|one: char| one.is_ascii_alphabetic()))
        && !name.contains(|one: char| one.is_whitespace() || one.is_control());
    match is_uri {
        true => name.to_owned(),
        false => format!("urn:hilum:code-system:{}", encoded(name)),
    }
}

/// The code in words of FHIR.
pub(crate) fn coding(value: &CodedValue, place: Place) -> Coding {
    let code = token(&value.code);
    let named = value.system_name.as_deref().or(value.system_id.as_deref());
    let system = match named {
        // Kinds of sources are a list of DICOM's that HL7 has published.
        Some(name) if place == Place::Source && is_digit(&code) && system(name) == DCM => {
            Some(SOURCE_TYPE.to_owned())
        }
        Some(name) => Some(system(name)),
        None => unnamed(&code, place).map(str::to_owned),
    };
    Coding {
        system,
        code: Some(code),
        display: value.display.clone(),
    }
}

/// The system of a code that is said without one.
fn unnamed(code: &str, place: Place) -> Option<&'static str> {
    let is_dicom =
        code.len() == 6 && code.starts_with("11") && code.bytes().all(|it| it.is_ascii_digit());
    match place {
        _ if is_dicom => Some(DCM),
        Place::EventType if code.starts_with("ITI-") || code.starts_with("RAD-") => {
            Some(TRANSACTION)
        }
        Place::Source if is_digit(code) => Some(SOURCE_TYPE),
        Place::Object if code.len() <= 2 && code.bytes().all(|it| it.is_ascii_digit()) => {
            Some(RFC_3881)
        }
        _ => None,
    }
}

fn is_digit(code: &str) -> bool {
    matches!(code.as_bytes(), [b'1'..=b'9'])
}

/// A `code` has no space at its ends and only single ones inside.
pub(crate) fn token(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// Everything but letters, digits and a few signs as percent signs and digits.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// What people call a type, role or stage of life of an object.
pub(crate) fn display(system: &str, code: &str) -> Option<&'static str> {
    let names: &[&str] = match system {
        ENTITY_TYPE => &["Person", "System Object", "Organization", "Other"],
        ENTITY_ROLE => &[
            "Patient",
            "Location",
            "Report",
            "Domain Resource",
            "Master file",
            "User",
            "List",
            "Doctor",
            "Subscriber",
            "Guarantor",
            "Security User Entity",
            "Security User Group",
            "Security Resource",
            "Security Granularity Definition",
            "Practitioner",
            "Data Destination",
            "Data Repository",
            "Schedule",
            "Customer",
            "Job",
            "Job Stream",
            "Table",
            "Routing Criteria",
            "Query",
        ],
        LIFE_CYCLE => &[
            "Origination / Creation",
            "Import / Copy from original",
            "Amendment",
            "Verification",
            "Translation",
            "Access / Use",
            "De-identification",
            "Aggregation, summarization, derivation",
            "Report",
            "Export / Copy to target",
            "Disclosure",
            "Receipt of disclosure",
            "Archiving",
            "Logical deletion",
            "Permanent erasure / Physical destruction",
        ],
        _ => return None,
    };
    let number: usize = code.parse().ok()?;
    names.get(number.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_as_fhir_calls_them() {
        assert_eq!(system("DCM"), DCM);
        assert_eq!(system("urn:oid:1.2.840.10008.2.16.4"), DCM);
        assert_eq!(system("IHE Transactions"), TRANSACTION);
        assert_eq!(system("1.2.3"), "urn:oid:1.2.3");
        assert_eq!(system("urn:x:y"), "urn:x:y");
        assert_eq!(
            system("IHE XDS Metadata"),
            "urn:hilum:code-system:IHE%20XDS%20Metadata"
        );
        assert_eq!(system("a: b"), "urn:hilum:code-system:a%3A%20b");
    }

    #[test]
    fn codes_without_a_system() {
        let of = |code: &str, place| {
            let value = CodedValue {
                code: code.to_owned(),
                ..CodedValue::default()
            };
            coding(&value, place).system
        };
        assert_eq!(of("110112", Place::Event).as_deref(), Some(DCM));
        assert_eq!(of("ITI-18", Place::EventType).as_deref(), Some(TRANSACTION));
        assert_eq!(of("4", Place::Source).as_deref(), Some(SOURCE_TYPE));
        assert_eq!(of("2", Place::Object).as_deref(), Some(RFC_3881));
        assert_eq!(of("doctor", Place::Participant), None);
        assert_eq!(display(ENTITY_ROLE, "24"), Some("Query"));
        assert_eq!(display(ENTITY_ROLE, "0"), None);
        assert_eq!(display(LIFE_CYCLE, "16"), None);
    }
}
