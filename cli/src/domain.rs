//! The affinity domain as commands need it: whose patient IDs are used, and which codes there are.

use std::path::PathBuf;

use xds_schemas::affinity_codes::{AffinityCodes, CodeKind};
use xds_schemas::metadata::{Code, PatientId, Timestamp};

use crate::config::Config;
use crate::rooms;
use crate::status::Usage;

/// Says that no other metadata is needed to read a document than its MIME type.
const MIME_TYPE_SUFFICIENT: &str = "urn:ihe:iti:xds:2017:mimeTypeSufficient";
/// Confidentiality of what is neither public nor particularly sensitive (HL7 Confidentiality).
const NORMAL: &str = "N";
/// What languageCode is if nobody says it.
pub(crate) const LANGUAGE: &str = "en";

/// The affinity domain of a node.
pub(crate) struct Domain {
    authority: String,
    file: PathBuf,
    codes: AffinityCodes,
}

impl Domain {
    /// The affinity domain that the node belongs to.
    pub(crate) fn of(config: &Config) -> anyhow::Result<Self> {
        let domain = &config.affinity_domain;
        Ok(Self {
            authority: domain.patient_id_authority.clone(),
            file: domain.codes.clone(),
            codes: rooms::affinity_codes(config)?,
        })
    }

    /// A patient: a CX, or an ID of the domain's own authority.
    pub(crate) fn patient(&self, text: &str) -> Result<PatientId, Usage> {
        if !text.contains('^') {
            return Ok(PatientId::new(text, &self.authority));
        }
        PatientId::parse(text).map_err(|problem| {
            Usage(format!(
                "a patient ID is ID or ID^^^&OID&ISO; this one {problem}"
            ))
        })
    }

    /// How [`Domain::patient`] is told of an ID of the domain's own authority: by the ID alone, if
    /// that cannot be taken for a CX.
    pub(crate) fn written(&self, id: &str) -> String {
        match id.contains('^') {
            true => PatientId::new(id, &self.authority).to_string(),
            false => id.to_owned(),
        }
    }

    /// A code: `code^^scheme`, `code^display name^scheme`, or the code alone if the domain has it
    /// in one scheme only.
    pub(crate) fn code(&self, kind: CodeKind, text: &str) -> Result<Code, Usage> {
        let parts: Vec<&str> = text.split('^').collect();
        let (code, display, scheme) = match parts.as_slice() {
            [code] => (*code, "", None),
            [code, display, scheme] if !scheme.is_empty() => (*code, *display, Some(*scheme)),
            _ => {
                let problem = format!("{text:?} is no code such as {}", self.example(kind));
                return Err(Usage(problem));
            }
        };
        let alike = |known: &&Code| {
            known.code == code && scheme.is_none_or(|scheme| known.scheme == scheme)
        };
        let known = self.kind(kind);
        let found: Vec<&Code> = known.iter().filter(alike).collect();
        match (found.as_slice(), scheme) {
            ([known], _) if display.is_empty() => Ok((*known).clone()),
            (_, Some(scheme)) => {
                // The registry judges whether the code may be used, not we.
                let display = if display.is_empty() { code } else { display };
                Ok(Code::new(code, scheme, display))
            }
            ([], None) => Err(Usage(format!(
                "{code:?} is no {} in {}; name its scheme, as in {}",
                kind.name(),
                self.file.display(),
                self.example(kind)
            ))),
            (_, None) => Err(Usage(format!(
                "{code:?} is a {} of several schemes; name one, as in {}",
                kind.name(),
                self.example(kind)
            ))),
        }
    }

    /// The code of a kind that nobody gave: the usual one of formatCode and confidentialityCode if
    /// the domain has it, or else the first.
    pub(crate) fn usual(&self, kind: CodeKind) -> Option<Code> {
        let known = self.kind(kind);
        let usual = match kind {
            CodeKind::FormatCode => MIME_TYPE_SUFFICIENT,
            CodeKind::ConfidentialityCode => NORMAL,
            _ => "",
        };
        let is_usual = |code: &&Code| code.code == usual;
        known.iter().find(is_usual).or(known.first()).cloned()
    }

    /// The codes of a kind, in the order of codes.xml.
    pub(crate) fn kind(&self, kind: CodeKind) -> Vec<Code> {
        self.codes.codes(kind)
    }

    fn example(&self, kind: CodeKind) -> String {
        let known = self.kind(kind);
        let first = known.first();
        first.map_or_else(
            || "code^^1.2.3".to_owned(),
            |code| format!("{}^^{}", code.code, code.scheme),
        )
    }
}

/// A time as people may write it: `2026`, `2026-11-25`, `20261125093000`, always in UTC.
pub(crate) fn time(text: &str) -> Result<Timestamp, Usage> {
    let divider = |character: char| matches!(character, '-' | ':' | 'T' | ' ' | 'Z');
    let digits: String = text.chars().filter(|one| !divider(*one)).collect();
    Timestamp::parse(&digits).map_err(|_| {
        Usage(format!(
            "{text:?} is no time such as 2026, 20261125 or 20261125093000 (UTC)"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Domain {
        let xml = "<Codes><AssigningAuthority id='1.2.3'/><CodeType name='classCode' classScheme=''>\
            <Code code='A' display='Letters' codingScheme='1.1'/>\
            <Code code='B' display='Images' codingScheme='1.1'/>\
            <Code code='B' display='Others' codingScheme='1.2'/></CodeType></Codes>";
        Domain {
            authority: "1.2.3".to_owned(),
            file: PathBuf::from("codes.xml"),
            codes: AffinityCodes::parse(xml).unwrap(),
        }
    }

    #[test]
    fn codes_may_be_short() {
        let domain = domain();
        let code = |text| domain.code(CodeKind::ClassCode, text);
        let shown = |text| {
            let code = code(text).unwrap();
            format!(
                "{}^{}^{}",
                code.code,
                code.display.first().unwrap(),
                code.scheme
            )
        };
        assert_eq!(shown("A"), "A^Letters^1.1");
        assert_eq!(shown("B^^1.2"), "B^Others^1.2");
        assert_eq!(shown("A^Own^1.1"), "A^Own^1.1");
        assert_eq!(shown("Z^^9.9"), "Z^Z^9.9");
        assert!(code("B").unwrap_err().0.contains("several schemes"));
        assert!(code("Z").unwrap_err().0.contains("A^^1.1"));
        assert!(code("A^^").is_err() && code("A^B").is_err());
        assert!(domain.code(CodeKind::TypeCode, "A").is_err());
    }

    #[test]
    fn patients_may_be_short() {
        let patient = |text| domain().patient(text).map(|patient| patient.to_string());
        assert_eq!(patient("P-1").unwrap(), "P-1^^^&1.2.3&ISO");
        assert_eq!(patient("P-1^^^&2.9.9&ISO").unwrap(), "P-1^^^&2.9.9&ISO");
        for id in ["P-1", "A^B&C~D|E\\F", "A&B", "\\S\\"] {
            let patient = domain().patient(&domain().written(id)).unwrap();
            assert_eq!((&*patient.id, &*patient.authority), (id, "1.2.3"));
        }
        assert!(patient("P-1^^^HOSPITAL").is_err());
    }

    #[test]
    fn times_may_be_divided() {
        assert_eq!(
            time("2026-11-25T09:30:00Z").unwrap().as_str(),
            "20261125093000"
        );
        assert_eq!(time("2026").unwrap().as_str(), "2026");
        assert!(time("2026-13").is_err() && time("today").is_err());
    }
}
