//! The datatypes of FHIR, from those of XDS metadata.

use serde::Serialize;
use xds_schemas::metadata::hl7::is_oid;
use xds_schemas::metadata::{Code, Timestamp};

/// The system of identifiers that are URIs.
pub(in crate::on_demand) const URI: &str = "urn:ietf:rfc:3986";
/// The system of Study Instance UIDs.
pub(in crate::on_demand) const DICOM_UID: &str = "urn:dicom:uid";

/// Coding schemes by OID, and what FHIR calls them.
const SYSTEMS: [(&str, &str); 6] = [
    ("2.16.840.1.113883.6.1", "http://loinc.org"),
    ("2.16.840.1.113883.6.96", "http://snomed.info/sct"),
    (
        "1.2.840.10008.2.16.4",
        "http://dicom.nema.org/resources/ontology/DCM",
    ),
    ("2.16.840.1.113883.6.256", "http://radlex.org"),
    (
        "2.16.840.1.113883.5.25",
        "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    ),
    (
        "1.3.6.1.4.1.19376.1.2.3",
        "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
    ),
];

#[derive(Debug, Clone, Serialize)]
pub(in crate::on_demand) struct Identifier {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(in crate::on_demand) kind: Option<Concept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::on_demand) system: Option<String>,
    pub(in crate::on_demand) value: String,
}

/// A `Reference` to another resource of the bundle, or by an identifier.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::on_demand) enum Reference {
    Reference(String),
    Identifier(Identifier),
}

/// A `CodeableConcept`.
#[derive(Debug, Clone, Serialize)]
pub(in crate::on_demand) struct Concept {
    pub(in crate::on_demand) coding: Vec<Coding>,
}

#[derive(Debug, Clone, Serialize)]
pub(in crate::on_demand) struct Coding {
    pub(in crate::on_demand) system: String,
    pub(in crate::on_demand) code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::on_demand) display: Option<String>,
}

impl Identifier {
    pub(in crate::on_demand) fn new(system: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            kind: None,
            system: Some(system.into()),
            value: value.into(),
        }
    }

    /// The identifier of a document or a study: an OID as the URI that it is, and anything else as
    /// it stands.
    pub(in crate::on_demand) fn of_oid(system: &str, id: &str) -> Self {
        match is_oid(id) {
            true => Self::new(system, format!("urn:oid:{id}")),
            false => Self {
                kind: None,
                system: None,
                value: id.to_owned(),
            },
        }
    }
}

impl Coding {
    /// A code of XDS metadata. Nothing if FHIR has no way to write it.
    pub(in crate::on_demand) fn of(code: &Code) -> Option<Self> {
        let known = SYSTEMS.iter().find(|(oid, _)| *oid == code.scheme);
        let system = match known {
            Some((_, system)) => (*system).to_owned(),
            None if is_oid(&code.scheme) => format!("urn:oid:{}", code.scheme),
            None => code.scheme.clone(),
        };
        let is_written = !code.code.trim().is_empty() && !system.trim().is_empty();
        is_written.then(|| Self {
            system,
            code: token(&code.code),
            display: code.display.first().and_then(string),
        })
    }
}

impl Concept {
    pub(in crate::on_demand) fn of(code: &Code) -> Option<Self> {
        let coding = vec![Coding::of(code)?];
        Some(Self { coding })
    }

    /// A code of FHIR's own.
    pub(in crate::on_demand) fn new(system: &str, code: &str, display: &str) -> Self {
        let coding = vec![Coding {
            system: system.to_owned(),
            code: code.to_owned(),
            display: Some(display.to_owned()),
        }];
        Self { coding }
    }
}

/// A `code` has no space at its ends and only single ones inside.
fn token(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// A `dateTime`: as precise as the timestamp, except that FHIR knows no hours without minutes and
/// seconds.
pub(in crate::on_demand) fn date_time(time: &Timestamp) -> String {
    let digits = time.as_str();
    match digits.len() {
        0..=4 => digits.to_owned(),
        5..=6 => format!("{}-{}", &digits[..4], &digits[4..]),
        7..=8 => date(digits),
        _ => instant(time),
    }
}

/// An `instant`: the first second that the timestamp may mean.
pub(in crate::on_demand) fn instant(time: &Timestamp) -> String {
    let digits = time.earliest();
    let (hour, minute, second) = (&digits[8..10], &digits[10..12], &digits[12..]);
    format!("{}T{hour}:{minute}:{second}Z", date(&digits))
}

/// The first eight digits as a `date`.
fn date(digits: &str) -> String {
    format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..8])
}

/// A `string`: what of it is neither a control character nor a space at its ends.
pub(in crate::on_demand) fn string(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|one| !one.is_control()).collect();
    let plain = plain.trim();
    (!plain.is_empty()).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_fhir_writes_them() {
        let shown = |digits: &str| date_time(&Timestamp::parse(digits).unwrap());
        assert_eq!(shown("2026"), "2026");
        assert_eq!(shown("202611"), "2026-11");
        assert_eq!(shown("20261127"), "2026-11-27");
        assert_eq!(shown("2026112709"), "2026-11-27T09:00:00Z");
        assert_eq!(shown("20261127093015"), "2026-11-27T09:30:15Z");
        let year = Timestamp::parse("2026").unwrap();
        assert_eq!(instant(&year), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn codes_as_fhir_writes_them() {
        let system = |scheme: &str| Coding::of(&Code::new("c", scheme, "")).map(|it| it.system);
        assert_eq!(
            system("2.16.840.1.113883.6.1").as_deref(),
            Some("http://loinc.org")
        );
        assert_eq!(system("1.2.3").as_deref(), Some("urn:oid:1.2.3"));
        assert_eq!(system("Local scheme").as_deref(), Some("Local scheme"));
        assert_eq!(system(" "), None);
        assert!(Coding::of(&Code::new(" ", "1.2.3", "")).is_none());
        let odd = Coding::of(&Code::new(" a  b ", "1.2.3", "d")).unwrap();
        assert_eq!(
            (odd.code.as_str(), odd.display.as_deref()),
            ("a b", Some("d"))
        );
    }
}
