//! Documents, as rules look at them.

use xds_schemas::metadata::{Code, DocumentEntry};

/// A document as rules look at it: what its metadata say. Codes are `code^^scheme`, as stored
/// queries write them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// CX of the affinity domain.
    pub patient_id: Option<String>,
    /// The document's uniqueId; for images, the Study Instance UID.
    pub unique_id: Option<String>,
    /// `confidentialityCode`s.
    pub confidentiality_codes: Vec<String>,
    /// `classCode`
    pub class_code: Option<String>,
    /// `typeCode`
    pub type_code: Option<String>,
    /// `formatCode`
    pub format_code: Option<String>,
    /// `practiceSettingCode`
    pub practice_setting_code: Option<String>,
    /// `healthcareFacilityTypeCode`
    pub healthcare_facility_type_code: Option<String>,
    /// Institutions of the authors: XON as it stands in `authorInstitution`.
    pub author_institutions: Vec<String>,
    /// The collection of the imaging source to which it belongs.
    pub collection: Option<String>,
    /// The community where it lies.
    pub home_community_id: Option<String>,
}

impl Described {
    /// What an entry says of its document.
    pub fn of(entry: &DocumentEntry) -> Self {
        let code = |code: &Option<Code>| code.as_ref().map(coded);
        let institutions = entry.authors.iter().flat_map(|it| &it.institutions);
        Self {
            patient_id: entry.patient_id.as_ref().map(ToString::to_string),
            unique_id: Some(entry.unique_id.0.clone()),
            confidentiality_codes: entry.confidentiality_codes.iter().map(coded).collect(),
            class_code: code(&entry.class_code),
            type_code: code(&entry.type_code),
            format_code: code(&entry.format_code),
            practice_setting_code: code(&entry.practice_setting_code),
            healthcare_facility_type_code: code(&entry.healthcare_facility_type_code),
            author_institutions: institutions.cloned().collect(),
            collection: None,
            home_community_id: entry.home_community_id.as_ref().map(|it| it.0.clone()),
        }
    }
}

/// As stored queries write a code.
fn coded(code: &Code) -> String {
    format!("{}^^{}", code.code, code.scheme)
}
