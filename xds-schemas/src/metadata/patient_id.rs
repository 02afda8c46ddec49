//! CX and CXi: whom something is about, and what else names it (ITI TF-3 Table 4.2.3.1.7-2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::hl7;

/// A patient identifier: `ID^^^&OID&ISO`.
///
/// Displayed as it travels. Never put it into logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PatientId {
    /// The identifier within the domain, HL7 escapes undone.
    pub id: String,
    /// The OID of the assigning authority.
    pub authority: String,
}

impl PatientId {
    /// The identifier `id` of the domain `authority` (an OID).
    pub fn new(id: impl Into<String>, authority: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            authority: authority.into(),
        }
    }

    /// Reads a CX. Delimiters at the end are ignored, as HL7 wants it.
    ///
    /// # Errors
    /// Says in which way the text is no CX of the framework's form; never quotes it.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "is not of the form ID^^^&OID&ISO";
        let mut components = text.trim_end_matches('^').split('^');
        let id = components.next().unwrap_or_default();
        let (Some(""), Some(""), Some(authority), None) = (
            components.next(),
            components.next(),
            components.next(),
            components.next(),
        ) else {
            return Err(FORM.to_owned());
        };
        if id.is_empty() || id.contains('&') {
            return Err(FORM.to_owned());
        }
        let authority = hl7::oid_of_authority(authority)
            .ok_or("has an assigning authority that is not &OID&ISO without a namespace")?;
        Ok(Self {
            id: hl7::unescape(id)?.into_owned(),
            authority: authority.to_owned(),
        })
    }
}

impl fmt::Display for PatientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        hl7::write_escaped(&self.id, formatter)?;
        write!(formatter, "^^^&{}&ISO", self.authority)
    }
}

impl TryFrom<String> for PatientId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<PatientId> for String {
    fn from(patient: PatientId) -> Self {
        patient.to_string()
    }
}

impl FromStr for PatientId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

/// One value of `referenceIdList`: `ID^^^&OID&ISO^type`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReferenceId {
    /// The identifier, HL7 escapes undone.
    pub id: String,
    /// The assigning authority as it was written (CXi.4), if there is one.
    pub authority: Option<String>,
    /// The identifier type (CXi.5), like `urn:ihe:iti:xds:2016:studyInstanceUID`.
    pub id_type: String,
}

/// Identifier types of the framework (ITI TF-3 Table 4.2.3.1.7-2, CXi.5), and ours.
pub mod id_type {
    /// The uniqueId of a document.
    pub const UNIQUE_ID: &str = "urn:ihe:iti:xds:2013:uniqueId";
    /// An accession number.
    pub const ACCESSION: &str = "urn:ihe:iti:xds:2013:accession";
    /// A referral.
    pub const REFERRAL: &str = "urn:ihe:iti:xds:2013:referral";
    /// An order.
    pub const ORDER: &str = "urn:ihe:iti:xds:2013:order";
    /// A workflow (XDW).
    pub const WORKFLOW_INSTANCE: &str = "urn:ihe:iti:xdw:2013:workflowInstanceId";
    /// An encounter.
    pub const ENCOUNTER: &str = "urn:ihe:iti:xds:2015:encounterId";
    /// A DICOM study.
    pub const STUDY_INSTANCE_UID: &str = "urn:ihe:iti:xds:2016:studyInstanceUID";
    /// A specimen, by the identifier that a laboratory gave it. Ours: the framework has none.
    pub const SPECIMEN: &str = "urn:hilum:xds:2026:specimen";
    /// A specimen, by its Specimen UID of DICOM. Ours.
    pub const SPECIMEN_UID: &str = "urn:hilum:xds:2026:specimenUID";
    /// What a specimen is in: a slide, a block. Ours.
    pub const CONTAINER: &str = "urn:hilum:xds:2026:container";
}

impl ReferenceId {
    /// The study with this Study Instance UID.
    pub fn study(uid: impl Into<String>) -> Self {
        Self {
            id: uid.into(),
            authority: None,
            id_type: id_type::STUDY_INSTANCE_UID.to_owned(),
        }
    }

    /// The accession number `number` of the authority `oid`.
    pub fn accession(number: impl Into<String>, oid: &str) -> Self {
        Self {
            id: number.into(),
            authority: Some(format!("&{oid}&ISO")),
            id_type: id_type::ACCESSION.to_owned(),
        }
    }

    /// The specimen `identifier` of the authority `oid`, if one is known.
    pub fn specimen(identifier: impl Into<String>, oid: Option<&str>) -> Self {
        Self {
            id: identifier.into(),
            authority: oid.map(|oid| format!("&{oid}&ISO")),
            id_type: id_type::SPECIMEN.to_owned(),
        }
    }

    /// The specimen with this Specimen UID.
    pub fn specimen_uid(uid: impl Into<String>) -> Self {
        Self {
            id: uid.into(),
            authority: None,
            id_type: id_type::SPECIMEN_UID.to_owned(),
        }
    }

    /// The container `identifier` of the authority `oid`, if one is known.
    pub fn container(identifier: impl Into<String>, oid: Option<&str>) -> Self {
        Self {
            id_type: id_type::CONTAINER.to_owned(),
            ..Self::specimen(identifier, oid)
        }
    }

    /// Reads a CXi. Types that the framework does not name are as good as those it names.
    ///
    /// # Errors
    /// Says in which way the text is no CXi; never quotes it.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "is not of the form ID^^^&OID&ISO^TYPE";
        let mut components = text.trim_end_matches('^').split('^');
        let id = components.next().unwrap_or_default();
        let (Some(""), Some(""), Some(authority), Some(id_type), None) = (
            components.next(),
            components.next(),
            components.next(),
            components.next(),
            components.next(),
        ) else {
            return Err(FORM.to_owned());
        };
        if id.is_empty() || id_type.is_empty() {
            return Err(FORM.to_owned());
        }
        // A namespace may name the authority alone (the id is then unique with it); an OID needs its type.
        let mut parts = authority.split('&');
        let (namespace, oid, kind) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let sound = match (namespace, oid, kind) {
            (_, None, None) => true,
            (_, Some(oid), Some(kind)) => !oid.is_empty() && !kind.is_empty(),
            _ => false,
        };
        if !sound || parts.next().is_some() {
            return Err("has an assigning authority that is not &OID&ISO".to_owned());
        }
        Ok(Self {
            id: hl7::unescape(id)?.into_owned(),
            authority: (!authority.is_empty()).then(|| authority.to_owned()),
            id_type: hl7::unescape(id_type)?.into_owned(),
        })
    }
}

impl fmt::Display for ReferenceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        hl7::write_escaped(&self.id, formatter)?;
        write!(
            formatter,
            "^^^{}^",
            self.authority.as_deref().unwrap_or_default()
        )?;
        hl7::write_escaped(&self.id_type, formatter)
    }
}

impl FromStr for ReferenceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}
