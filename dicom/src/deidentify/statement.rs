//! What is said about what was done: in the object, and to the caller.

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::Refused;
use super::plan::{Actions, Element, Planned};
use super::profile::{Options, Profile};

/// By what and according to what: De-identification Method (0012,0063).
pub(super) const METHOD: &str = "Hilum, DICOM PS3.15 annex E 2026c";

/// What was done to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What stands for the patient, in Patient ID and Patient's Name.
    pub patient: String,
    /// SOP Class UID, as it was.
    pub sop_class_uid: String,
    /// New Study Instance UID; empty if the object has none.
    pub study_instance_uid: String,
    /// New Series Instance UID; empty if the object has none.
    pub series_instance_uid: String,
    /// New SOP Instance UID.
    pub sop_instance_uid: String,
    /// Transfer syntax of the new file.
    pub transfer_syntax_uid: String,
    /// Codes of CID 7050 that were written into the object.
    pub codes: Vec<&'static str>,
    /// Counts of attributes.
    pub actions: Actions,
}

/// That and how it has been de-identified (PS3.15 section E.1.1).
pub(super) fn elements(profile: &Profile, blanked: bool) -> Vec<Element> {
    let text = Element::text;
    let dates = match profile.options {
        Options {
            full_dates: true, ..
        } => "UNMODIFIED",
        Options {
            modified_dates: true,
            ..
        } => "MODIFIED",
        _ => "REMOVED",
    };
    let codes = profile.options.codes().into_iter().map(|(code, meaning)| {
        vec![
            text(tags::CODE_VALUE, VR::SH, code),
            text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM"),
            text(tags::CODE_MEANING, VR::LO, meaning),
        ]
    });
    let mut elements = vec![
        text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        text(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES"),
        text(tags::DEIDENTIFICATION_METHOD, VR::LO, METHOD),
        Element::items(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, codes.collect()),
        text(
            tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
            VR::CS,
            dates,
        ),
    ];
    if blanked {
        elements.insert(0, text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO"));
    }
    elements
}

pub(super) fn report(
    elements: &[Element],
    patient: &str,
    profile: &Profile,
    transfer_syntax: &str,
    actions: Actions,
) -> Result<Report, Refused> {
    let text = |tag| {
        let element = elements.iter().find(|element| element.tag == tag)?;
        match &element.value {
            Planned::Bytes(bytes) => {
                let text = str::from_utf8(bytes).ok()?;
                Some(text.trim_matches([' ', '\0']).to_owned())
            }
            _ => None,
        }
    };
    let needed = |tag| {
        let value = text(tag).filter(|value| !value.is_empty());
        value.ok_or_else(|| Refused::attribute(tag, "missing"))
    };
    Ok(Report {
        patient: patient.to_owned(),
        sop_class_uid: needed(tags::SOP_CLASS_UID)?,
        study_instance_uid: text(tags::STUDY_INSTANCE_UID).unwrap_or_default(),
        series_instance_uid: text(tags::SERIES_INSTANCE_UID).unwrap_or_default(),
        sop_instance_uid: needed(tags::SOP_INSTANCE_UID)?,
        transfer_syntax_uid: transfer_syntax.to_owned(),
        codes: profile.options.codes().iter().map(|code| code.0).collect(),
        actions,
    })
}
