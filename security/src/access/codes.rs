//! When two codes, two names or two identifiers mean the same, however they are written.

use xds_schemas::metadata::PatientId;

use crate::caller::{Caller, NodeName, User, UserCode};

/// Code systems that have a URI as well as an OID.
const SYSTEMS: [(&str, &str); 10] = [
    (
        "http://terminology.hl7.org/CodeSystem/v3-ActReason",
        ACT_REASON,
    ),
    ("http://hl7.org/fhir/v3/ActReason", ACT_REASON),
    (
        "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "2.16.840.1.113883.5.25",
    ),
    (
        "http://hl7.org/fhir/v3/Confidentiality",
        "2.16.840.1.113883.5.25",
    ),
    (
        "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
        "2.16.840.1.113883.5.111",
    ),
    (
        "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
        "2.16.840.1.113883.5.90",
    ),
    ("http://loinc.org", "2.16.840.1.113883.6.1"),
    ("http://snomed.info/sct", "2.16.840.1.113883.6.96"),
    (
        "http://dicom.nema.org/resources/ontology/DCM",
        "1.2.840.10008.2.16.4",
    ),
    (
        "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse",
        "urn:oasis:names:tc:xspa:1.0",
    ),
];

/// The code system of purposes of use.
pub(super) const ACT_REASON: &str = "2.16.840.1.113883.5.8";

/// A code system, written as an OID if it has one.
pub(super) fn system(text: &str) -> &str {
    let text = text.trim();
    let known = SYSTEMS.iter().find(|(uri, _)| *uri == text);
    known.map_or_else(
        || text.strip_prefix("urn:oid:").unwrap_or(text),
        |(_, oid)| oid,
    )
}

/// A code as rules and consents write it: with its system, or of whatever system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) code: String,
    pub(super) system: Option<String>,
}

impl Word {
    /// Reads `code` or `code^^system`.
    pub(super) fn parse(text: &str) -> Self {
        let (code, of) = split(text);
        Self {
            code: code.to_owned(),
            system: of.map(|of| system(of).to_owned()),
        }
    }

    fn is(&self, code: &str, of: &str) -> bool {
        self.code == code && self.system.as_deref().is_none_or(|own| own == system(of))
    }

    /// Whether a user has it.
    pub(super) fn is_one_of(&self, codes: &[UserCode]) -> bool {
        codes.iter().any(|it| self.is(&it.code, &it.system))
    }

    /// Whether a document's code, `code^^scheme`, is this.
    pub(super) fn means(&self, coded: &str) -> bool {
        let (code, of) = split(coded);
        self.is(code, of.unwrap_or_default())
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once("^^") {
        Some((code, system)) => (code, Some(system)),
        None => (text, None),
    }
}

/// Whether one of the words is one of a user's codes.
pub(super) fn any_of_user(wanted: &[String], codes: &[UserCode]) -> bool {
    wanted.iter().any(|it| Word::parse(it).is_one_of(codes))
}

/// Whether one of the words is a document's code.
pub(super) fn any(wanted: &[String], coded: &str) -> bool {
    wanted.iter().any(|it| Word::parse(it).means(coded))
}

/// The name or the identifier of a person, a program, a node or an organisation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a>(&'a str);

impl<'a> Name<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self(identifier(text))
    }

    /// Whether a user is of this organisation.
    pub(super) fn is_organisation_of(self, user: &User) -> bool {
        let id = user.organization_id.as_deref().map(identifier);
        id == Some(self.0) || user.organization.as_deref() == Some(self.0)
    }

    /// Whether an institution that is written as XON is this one.
    pub(super) fn is_institution(self, xon: &str) -> bool {
        let mut components = xon.split('^');
        let name = components.next().unwrap_or_default();
        // XON-10 behind XON-1: the identifier.
        let id = components.nth(8).unwrap_or_default();
        self.0 == name || (!id.is_empty() && self.0 == identifier(id))
    }

    /// Whether somebody is called so, by whoever.
    pub(super) fn is_of(self, caller: &Caller) -> bool {
        let node = caller.node.as_ref();
        node.is_some_and(|node| node.is_called(self.0))
            || (caller.user.as_deref()).is_some_and(|user| self.is_user(user))
    }

    /// Whether a user is called so: `name`, or `issuer|name`.
    pub(super) fn is_user(self, user: &User) -> bool {
        if let Some((issuer, name)) = self.0.rsplit_once('|')
            && issuer == user.issuer
            && name == user.name
        {
            return true;
        }
        self.0 == user.name
            || user.alias.as_deref() == Some(self.0)
            || user.client_id.as_deref() == Some(self.0)
            || user.provider_ids.iter().any(|id| id == self.0)
    }
}

fn identifier(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix("urn:oid:").unwrap_or(text)
}

/// Whether two communities are the same.
pub(super) fn same_identifier(one: &str, other: &str) -> bool {
    identifier(one) == identifier(other)
}

/// Whether two CX name the same patient, whatever namespace they give beside the OID.
pub(super) fn same_patient(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    match (PatientId::parse(one), PatientId::parse(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

impl NodeName {
    /// Whether the node's certificate calls it so: by the whole subject, or by one part of it, such as
    /// `CN=viewer.example`.
    pub fn is_called(&self, subject: &str) -> bool {
        if self.subject == subject {
            return true;
        }
        let mut rest = self.subject.as_str();
        let mut from = 0;
        // A comma within a value stands behind a backslash.
        while let Some(at) = rest[from..].find(", ") {
            let at = from + at;
            if rest[..at].ends_with('\\') {
                from = at + 2;
                continue;
            }
            if &rest[..at] == subject {
                return true;
            }
            rest = &rest[at + 2..];
            from = 0;
        }
        rest == subject
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Shown;

    fn node(subject: &str) -> NodeName {
        NodeName {
            subject: subject.to_owned(),
            fingerprint: "00".repeat(32),
            certificate: Shown::default(),
        }
    }

    #[test]
    fn a_part_of_a_value_is_no_part_of_the_subject() {
        let clinic = node("CN=viewer, O=Example Clinic");
        assert!(clinic.is_called("CN=viewer"));
        assert!(clinic.is_called("O=Example Clinic"));
        assert!(clinic.is_called("CN=viewer, O=Example Clinic"));
        assert!(!clinic.is_called("CN=view"));
        assert!(!clinic.is_called("viewer"));
        let sly = node("CN=x\\, CN=registry, O=Example Clinic");
        assert!(!sly.is_called("CN=registry"));
        assert!(sly.is_called("O=Example Clinic"));
    }

    #[test]
    fn code_systems_may_be_written_in_several_ways() {
        let word = Word::parse("TREAT^^http://terminology.hl7.org/CodeSystem/v3-ActReason");
        assert!(word.means("TREAT^^2.16.840.1.113883.5.8"));
        assert!(word.means("TREAT^^urn:oid:2.16.840.1.113883.5.8"));
        assert!(!word.means("TREAT^^1.2.3"));
        assert!(!word.means("TREAT"));
        assert!(Word::parse("TREAT").means("TREAT^^1.2.3"));
        assert!(!Word::parse("TREAT").means("TREATDS^^1.2.3"));
    }

    #[test]
    fn institutions_are_known_by_name_or_identifier() {
        let xon = "Some Hospital^^^^^^^^^1.2.3.4";
        assert!(Name::of("Some Hospital").is_institution(xon));
        assert!(Name::of("urn:oid:1.2.3.4").is_institution(xon));
        assert!(!Name::of("Some").is_institution(xon));
        assert!(!Name::of("").is_institution("X^^^^^^^^^"));
    }

    #[test]
    fn patients_are_compared_by_what_they_say() {
        assert!(same_patient("P1^^^&1.2.3&ISO", "P1^^^&1.2.3&ISO^"));
        assert!(!same_patient("P1^^^&1.2.3&ISO", "P1^^^&1.2.4&ISO"));
        assert!(!same_patient("P1", "P2"));
    }
}
