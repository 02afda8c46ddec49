//! The content tree of structured reports and key object documents (PS3.3 section C.17.3): what an item
//! says depends on its concept name.

use dicom_dictionary_std::tags;

use super::table::Action;
use super::verdict::Verdict;
use crate::walk::DataSet;

/// Concepts of PS3.16 whose value is the identity of a person, a device, a place or an order.
const IDENTIFYING: [&str; 26] = [
    "121008", "121009", "121013", "121016", "121017", "121022", "121024", "121025", "121026",
    "121027", "121029", "121030", "121031", "121036", "121037", "121088", "121093", "121094",
    "121095", "121096", "121114", "121152", "121153", "121173", "128774", "128775",
];

/// What is known of a content item when its values are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// Its value identifies.
    pub(super) identifying: bool,
    /// Its text is cleaned; otherwise it is replaced.
    cleaned: bool,
}

impl Item {
    pub(super) fn of(item: &DataSet, cleaned: bool) -> Self {
        let concept = item.items(tags::CONCEPT_NAME_CODE_SEQUENCE).first();
        let code = |tag| {
            concept
                .and_then(|concept| concept.ascii(tag))
                .unwrap_or_default()
        };
        let identifying = code(tags::CODING_SCHEME_DESIGNATOR) == "DCM"
            && IDENTIFYING.contains(&code(tags::CODE_VALUE).as_str());
        Self {
            identifying,
            cleaned,
        }
    }
}

/// The verdict on an attribute that may be a value of a content item.
pub(super) fn verdict(tag: dicom_core::Tag, verdict: Verdict, item: Option<Item>) -> Verdict {
    let Some(item) = item else {
        return verdict;
    };
    let action = match tag {
        tags::TEXT_VALUE if item.cleaned && !item.identifying => Action::Clean,
        tags::TEXT_VALUE => Action::Dummy,
        tags::DATE | tags::DATE_TIME | tags::TIME if item.identifying => Action::Dummy,
        _ => return verdict,
    };
    Verdict {
        action,
        identifies: item.identifying,
        ..verdict
    }
}
