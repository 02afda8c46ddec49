//! The codes that an affinity domain agreed upon: `codes.xml`, as connectathon tools exchange it.
//!
//! ```xml
//! <Codes>
//!   <AssigningAuthority id="1.2.3"/>
//!   <CodeType name="classCode" classScheme="urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a">
//!     <Code code="REPORTS" display="Reports" codingScheme="1.3.6.1.4.1.19376.1.2.6.1"/>
//!   </CodeType>
//!   <CodeType name="mimeType" classScheme=""><Code code="text/plain"/></CodeType>
//! </Codes>
//! ```
//!
//! A kind of code that the file does not list is not restricted.

use std::collections::HashMap;

use yaserde::YaDeserialize;

use crate::codes::ebrim_uuids::{association, document_entry, folder, submission_set};
use crate::metadata::Code;

/// `codes.xml` as it is written.
mod file {
    use super::YaDeserialize;

    #[derive(YaDeserialize)]
    #[yaserde(rename = "Codes")]
    pub(super) struct Codes {
        #[yaserde(rename = "AssigningAuthority")]
        pub(super) assigning_authorities: Vec<AssigningAuthority>,
        #[yaserde(rename = "CodeType")]
        pub(super) code_types: Vec<CodeType>,
    }

    #[derive(YaDeserialize)]
    pub(super) struct AssigningAuthority {
        #[yaserde(attribute = true)]
        pub(super) id: String,
    }

    #[derive(YaDeserialize)]
    pub(super) struct CodeType {
        #[yaserde(attribute = true)]
        pub(super) name: String,
        #[yaserde(attribute = true, rename = "classScheme")]
        pub(super) class_scheme: Option<String>,
        #[yaserde(rename = "Code")]
        pub(super) codes: Vec<Code>,
    }

    #[derive(YaDeserialize)]
    pub(super) struct Code {
        #[yaserde(attribute = true)]
        pub(super) code: String,
        #[yaserde(attribute = true)]
        pub(super) display: Option<String>,
        #[yaserde(attribute = true, rename = "codingScheme")]
        pub(super) coding_scheme: Option<String>,
    }
}

macro_rules! code_kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $name:literal, $scheme:expr;)*) => {
        /// An attribute whose codes an affinity domain restricts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CodeKind {
            $($(#[doc = $doc])* $kind,)*
        }

        impl CodeKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Its name in the file and in errors.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The classification scheme by which it travels (ITI TF-3 4.2.5).
            pub fn scheme(self) -> &'static str {
                match self {
                    $(Self::$kind => $scheme,)*
                }
            }
        }
    };
}

code_kinds! {
    /// classCode of documents.
    ClassCode = "classCode", document_entry::CLASS_CODE;
    /// typeCode of documents.
    TypeCode = "typeCode", document_entry::TYPE_CODE;
    /// formatCode of documents.
    FormatCode = "formatCode", document_entry::FORMAT_CODE;
    /// practiceSettingCode of documents.
    PracticeSettingCode = "practiceSettingCode", document_entry::PRACTICE_SETTING_CODE;
    /// healthcareFacilityTypeCode of documents.
    HealthcareFacilityTypeCode = "healthcareFacilityTypeCode", document_entry::HEALTHCARE_FACILITY_TYPE_CODE;
    /// confidentialityCode of documents.
    ConfidentialityCode = "confidentialityCode", document_entry::CONFIDENTIALITY_CODE;
    /// eventCodeList of documents.
    EventCode = "eventCodeList", document_entry::EVENT_CODE;
    /// contentTypeCode of submission sets.
    ContentTypeCode = "contentTypeCode", submission_set::CONTENT_TYPE_CODE;
    /// codeList of folders.
    FolderCode = "folderCodeList", folder::CODE_LIST;
    /// Documentation of associations.
    AssociationDocumentation = "associationDocumentation", association::DOCUMENTATION;
}

/// What is allowed in an affinity domain.
#[derive(Debug, Clone, Default)]
pub struct AffinityCodes {
    /// The OIDs of the authorities that assign patient ids here.
    pub assigning_authorities: Vec<String>,
    /// The MIME types that documents may have, in lower case. None if all are allowed.
    pub mime_types: Option<Vec<String>>,
    /// By kind, scheme and code: how the code is displayed.
    kinds: HashMap<CodeKind, HashMap<String, HashMap<String, String>>>,
    /// The same in the order of the file.
    listed: HashMap<CodeKind, Vec<Code>>,
}

impl AffinityCodes {
    /// Reads `codes.xml`. Kinds of codes that are not those of [`CodeKind`] are ignored.
    ///
    /// # Errors
    /// Says why the file cannot be used.
    pub fn parse(xml: &str) -> Result<Self, String> {
        let file: file::Codes = yaserde::de::from_str(xml).map_err(|error| error.to_string())?;
        let mut codes = Self {
            assigning_authorities: file
                .assigning_authorities
                .into_iter()
                .map(|it| it.id)
                .collect(),
            ..Self::default()
        };
        for code_type in file.code_types {
            if code_type.name == "mimeType" {
                let mime_types = code_type
                    .codes
                    .into_iter()
                    .map(|it| it.code.to_ascii_lowercase());
                codes.mime_types.get_or_insert_default().extend(mime_types);
                continue;
            }
            let scheme = code_type.class_scheme.as_deref().unwrap_or_default();
            let is_it = |kind: &&CodeKind| kind.scheme() == scheme || kind.name() == code_type.name;
            let Some(kind) = CodeKind::ALL.iter().find(is_it) else {
                continue;
            };
            let schemes = codes.kinds.entry(*kind).or_default();
            for code in code_type.codes {
                let scheme = code.coding_scheme.filter(|scheme| !scheme.is_empty());
                let scheme = scheme.ok_or_else(|| {
                    format!("{} {} has no codingScheme", code_type.name, code.code)
                })?;
                let display = code.display.unwrap_or_default();
                let listed = Code::new(&code.code, &scheme, &display);
                codes.listed.entry(*kind).or_default().push(listed);
                schemes
                    .entry(scheme)
                    .or_default()
                    .insert(code.code, display);
            }
        }
        match codes.kinds.is_empty() && codes.mime_types.is_none() {
            true => Err("there is no CodeType in it".to_owned()),
            false => Ok(codes),
        }
    }

    /// Whether a code may be used. What it is displayed as does not matter.
    pub fn allows(&self, kind: CodeKind, code: &str, scheme: &str) -> bool {
        let Some(schemes) = self.kinds.get(&kind) else {
            return true;
        };
        schemes
            .get(scheme)
            .is_some_and(|codes| codes.contains_key(code))
    }

    /// Whether documents may be of this MIME type, whatever its parameters.
    pub fn allows_mime_type(&self, mime_type: &str) -> bool {
        let essence = mime_type.split(';').next().unwrap_or_default().trim();
        let allowed = |it: &String| it.eq_ignore_ascii_case(essence);
        self.mime_types
            .as_ref()
            .is_none_or(|types| types.iter().any(allowed))
    }

    /// A code of the domain with its display name.
    pub fn code(&self, kind: CodeKind, code: &str, scheme: &str) -> Option<Code> {
        let display = self.kinds.get(&kind)?.get(scheme)?.get(code)?;
        Some(Code::new(code, scheme, display))
    }

    /// All codes of a kind, in the order of the file.
    pub fn codes(&self, kind: CodeKind) -> Vec<Code> {
        self.listed.get(&kind).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- The codes of a domain. -->
<Codes>
  <AssigningAuthority id="1.2.3"/>
  <AssigningAuthority id="1.2.4"/>
  <CodeType name="classCode" classScheme="urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a">
    <Code code="REPORTS" display="Reports &amp; more" codingScheme="1.3.6"/>
    <Code code="REPORTS" display="Reports" codingScheme="1.3.7"/>
  </CodeType>
  <!-- Tools name this kind differently; its scheme tells. -->
  <CodeType name="codeList" classScheme="urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5">
    <Code code="F" codingScheme="1.3.6"/>
  </CodeType>
  <CodeType name="authorRole" classScheme=""><Code code="x"/></CodeType>
  <CodeType name="mimeType" classScheme="">
    <Code code="text/plain"/>
    <Code code="application/DICOM" ext="dcm"/>
  </CodeType>
</Codes>"#;

    #[test]
    fn the_format_of_connectathon_tools_is_read() {
        let codes = AffinityCodes::parse(FILE).unwrap();
        assert_eq!(codes.assigning_authorities, ["1.2.3", "1.2.4"]);
        assert!(codes.allows(CodeKind::ClassCode, "REPORTS", "1.3.7"));
        assert!(!codes.allows(CodeKind::ClassCode, "REPORTS", "1.3.8"));
        assert!(!codes.allows(CodeKind::ClassCode, "reports", "1.3.6"));
        assert!(codes.allows(CodeKind::FolderCode, "F", "1.3.6"));
        assert!(!codes.allows(CodeKind::FolderCode, "REPORTS", "1.3.6"));
        assert!(
            codes.allows(CodeKind::TypeCode, "anything", "1.2"),
            "not listed, not restricted"
        );
        assert!(codes.allows_mime_type("application/dicom"));
        assert!(codes.allows_mime_type("Text/Plain; charset=utf-8"));
        assert!(!codes.allows_mime_type("text/html"));
        let code = codes.code(CodeKind::ClassCode, "REPORTS", "1.3.6").unwrap();
        assert_eq!(code.display.first(), Some("Reports & more"));
        let listed = codes.codes(CodeKind::ClassCode);
        let schemes: Vec<&str> = listed.iter().map(|code| code.scheme.as_str()).collect();
        assert_eq!(schemes, ["1.3.6", "1.3.7"]);
    }

    #[test]
    fn a_useless_file_is_refused() {
        assert!(AffinityCodes::parse("").is_err());
        assert!(AffinityCodes::parse("<Codes/>").is_err());
        assert!(AffinityCodes::parse("<html><body/></html>").is_err());
        let without_scheme =
            r#"<Codes><CodeType name="classCode"><Code code="A"/></CodeType></Codes>"#;
        assert!(
            AffinityCodes::parse(without_scheme)
                .unwrap_err()
                .contains("codingScheme")
        );
    }

    #[test]
    fn what_init_writes_is_read() {
        let codes = AffinityCodes::parse(include_str!("../../cli/src/init/codes.xml")).unwrap();
        for kind in CodeKind::ALL {
            assert!(!codes.codes(*kind).is_empty(), "{}", kind.name());
        }
        assert!(codes.allows_mime_type("application/dicom"));
    }
}
