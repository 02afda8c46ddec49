//! UIDs that name no instance: classes, transfer syntaxes, coding schemes.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// Attributes whose value is a class of things. Vendors have classes of their own, so the value alone
/// does not tell.
const CLASSES: [Tag; 14] = [
    tags::SOP_CLASS_UID,
    tags::REFERENCED_SOP_CLASS_UID,
    tags::RELATED_GENERAL_SOP_CLASS_UID,
    tags::ORIGINAL_SPECIALIZED_SOP_CLASS_UID,
    tags::SOP_CLASSES_IN_STUDY,
    tags::SOP_CLASSES_SUPPORTED,
    tags::CODING_SCHEME_UID,
    tags::CONTEXT_UID,
    tags::MAPPING_RESOURCE_UID,
    tags::AVAILABLE_TRANSFER_SYNTAX_UID,
    tags::MAC_CALCULATION_TRANSFER_SYNTAX_UID,
    tags::FLOW_TRANSFER_SYNTAX_UID,
    tags::PERTINENT_SOP_CLASSES_IN_STUDY,
    tags::PERTINENT_SOP_CLASSES_IN_SERIES,
];

/// The standard's own: classes, transfer syntaxes and well-known frames of reference are all below
/// 1.2.840.10008.1 and 1.2.840.10008.5. Some devices made instance UIDs below the root alone.
const WELL_KNOWN: [&str; 5] = [
    "1.2.840.10008.1.",
    "1.2.840.10008.2.",
    "1.2.840.10008.5.",
    "1.2.840.10008.6.",
    "1.2.840.10008.15.",
];
/// These are never well known, whatever they say.
const INSTANCES: [Tag; 3] = [
    tags::SOP_INSTANCE_UID,
    tags::STUDY_INSTANCE_UID,
    tags::SERIES_INSTANCE_UID,
];

/// Whether a UID is kept as it is.
pub(super) fn stays(tag: Tag, uid: &str) -> bool {
    // Well-known instances (palettes, push models) are all below this one.
    let roots = match tag {
        tags::REFERENCED_SOP_INSTANCE_UID => &WELL_KNOWN[..1],
        _ => &WELL_KNOWN[..],
    };
    let well_known = roots.iter().any(|root| uid.starts_with(root));
    CLASSES.contains(&tag) || (well_known && !INSTANCES.contains(&tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_no_instance_stays() {
        let class = "1.2.840.10008.5.1.4.1.1.2";
        assert!(stays(tags::SOP_CLASS_UID, "1.3.12.2.1107.5.9.1"));
        assert!(stays(tags::UID, class));
        assert!(stays(tags::FRAME_OF_REFERENCE_UID, "1.2.840.10008.1.4.1.1"));
        assert!(stays(
            tags::REFERENCED_SOP_INSTANCE_UID,
            "1.2.840.10008.1.5.1"
        ));
        assert!(!stays(tags::REFERENCED_SOP_INSTANCE_UID, class));
        assert!(!stays(tags::SOP_INSTANCE_UID, "1.2.840.10008.1.5.1"));
        assert!(!stays(tags::UID, "1.3.12.2.1107.5.9.1"));
    }
}
