//! Objects into which nobody here can look: refused, unless the profile says that they are known.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::profile::{Profile, Region, RegionRule};
use super::{Refused, rewrite};
use crate::walk::{DataSet, Part10, Value};

/// Beginnings of SOP Class UIDs, and why such objects are refused.
const CLOSED: [(&str, &str); 5] = [
    (
        "1.2.840.10008.1.3.10",
        "a directory of a medium names patients and files",
    ),
    ("1.2.840.10008.5.1.4.1.1.104.", "an encapsulated document"),
    ("1.2.840.10008.5.1.4.1.1.9.4.", "a recorded voice"),
    ("1.2.840.10008.5.1.4.1.1.201.", "an inventory of an archive"),
    ("1.2.840.10008.5.1.4.1.1.77.1.1.1", "video"),
];
/// Beginnings of transfer syntaxes.
const CLOSED_SYNTAXES: [(&str, &str); 4] = [
    ("1.2.840.10008.1.2.4.10", "video"),
    ("1.2.840.10008.1.2.7.", "video"),
    ("1.2.840.10008.1.2.4.94", "pixels are elsewhere"),
    ("1.2.840.10008.1.2.4.95", "pixels are elsewhere"),
];
/// SOP classes whose pixels are screens and captures: text in them is the rule.
const CAPTURES: [&str; 10] = [
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.6.2",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.7.1",
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.3",
    "1.2.840.10008.5.1.4.1.1.7.4",
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.6",
];
/// Modalities whose images show the patient's name as a rule, or the patient.
const LABELLED: [&str; 6] = ["US", "IVUS", "BDUS", "ES", "XC", "OT"];
/// Whole values of Image Type (0008,0008) by which modalities mark screens.
const SCREENS: [&str; 6] = [
    "SCREEN SAVE",
    "SCREENSHOT",
    "SCREEN_CAPTURE",
    "DOSE_INFO",
    "DOSE INFO",
    "CAPTURE",
];

/// Refuses what cannot be looked into.
pub(super) fn refuse_closed(file: &Part10, profile: &Profile) -> Result<(), Refused> {
    let class = file.data.ascii(tags::SOP_CLASS_UID).unwrap_or_default();
    let accepted = profile.accepted_unseen.contains(&class);
    let closed = CLOSED
        .iter()
        .find(|(beginning, _)| class.starts_with(beginning));
    let syntax = file.transfer_syntax_uid.as_str();
    let closed = closed.or_else(|| {
        CLOSED_SYNTAXES
            .iter()
            .find(|(beginning, _)| syntax.starts_with(beginning))
    });
    let document = file.data.get(tags::ENCAPSULATED_DOCUMENT).is_some();
    match closed {
        _ if accepted => Ok(()),
        Some((_, why)) => Err(Refused::Closed(why)),
        None if document => Err(Refused::Closed("an encapsulated document")),
        None => Ok(()),
    }
}

/// The regions to be blanked, or `None` if there is no reason to blank any.
pub(super) fn regions(data: &DataSet, profile: &Profile) -> Result<Option<Vec<Region>>, Refused> {
    if data.get(tags::PIXEL_DATA).is_none() {
        return Ok(None);
    }
    let has_overlay = |(tag, _, value): (Tag, _, &Value)| {
        let position = tag.element() == 0x0102 && rewrite::is_graphics(tag);
        let in_pixels = matches!(value, Value::Bytes(bytes) if bytes.iter().any(|byte| *byte != 0));
        (position && in_pixels).then_some(tag)
    };
    if let Some(tag) = data.elements().find_map(has_overlay) {
        return Err(Refused::attribute(
            tag,
            "an overlay hidden in bits of the pixel data",
        ));
    }
    let mut rules = profile
        .regions
        .iter()
        .filter(|rule| fits(rule, data))
        .peekable();
    if rules.peek().is_some() && profile.options.clean_pixel_data {
        return Ok(Some(
            rules
                .flat_map(|rule| rule.regions.iter().copied())
                .collect(),
        ));
    }
    match text_in_pixels(data, profile) {
        Some((tag, why)) => Err(Refused::attribute(tag, why)),
        None => Ok(None),
    }
}

/// Why there may be text in the pixels.
fn text_in_pixels(data: &DataSet, profile: &Profile) -> Option<(Tag, &'static str)> {
    let text = |tag| data.ascii(tag).unwrap_or_default().to_ascii_uppercase();
    match text(tags::BURNED_IN_ANNOTATION).as_str() {
        "" => {}
        "NO" if profile.trust_burned_in_no => return None,
        "NO" => {}
        _ => {
            return Some((
                tags::BURNED_IN_ANNOTATION,
                "text is burned in, and no rule says where",
            ));
        }
    }
    let class = text(tags::SOP_CLASS_UID);
    if CAPTURES.contains(&class.as_str()) || LABELLED.contains(&text(tags::MODALITY).as_str()) {
        return Some((
            tags::SOP_CLASS_UID,
            "such images show text, and no rule says where",
        ));
    }
    if data
        .get(tags::CONVERSION_TYPE)
        .is_some_and(|(_, value)| !super::verdict::is_empty(value))
    {
        return Some((
            tags::CONVERSION_TYPE,
            "a capture or a scan of a film, and no rule says where it shows text",
        ));
    }
    let kinds = text(tags::IMAGE_TYPE);
    let screen = kinds.split('\\').any(|kind| SCREENS.contains(&kind.trim()));
    screen.then_some((
        tags::IMAGE_TYPE,
        "a screen of a modality, and no rule says where it shows text",
    ))
}

fn fits(rule: &RegionRule, data: &DataSet) -> bool {
    let text = |wanted: &Option<String>, tag| {
        wanted.as_ref().is_none_or(|wanted| {
            let found = data.ascii(tag).unwrap_or_default().to_lowercase();
            let wanted = wanted.trim().to_lowercase();
            match wanted.strip_suffix('*') {
                Some(beginning) => found.starts_with(beginning),
                None => found == wanted,
            }
        })
    };
    let number = |wanted: Option<u16>, tag| {
        wanted.is_none_or(|wanted| data.number(tag) == Some(wanted.into()))
    };
    text(&rule.manufacturer, tags::MANUFACTURER)
        && text(&rule.model, tags::MANUFACTURER_MODEL_NAME)
        && text(&rule.modality, tags::MODALITY)
        && text(&rule.sop_class, tags::SOP_CLASS_UID)
        && number(rule.rows, tags::ROWS)
        && number(rule.columns, tags::COLUMNS)
}

/// Objects that may show a face are taken under the Clean Recognizable Visual Features Option only if
/// they say that they do not.
pub(super) fn refuse_faces(data: &DataSet, profile: &Profile) -> Result<(), Refused> {
    let wanted = profile.options.clean_recognizable_visual_features;
    let said = data
        .ascii(tags::RECOGNIZABLE_VISUAL_FEATURES)
        .unwrap_or_default();
    if wanted && data.get(tags::PIXEL_DATA).is_some() && said != "NO" {
        let why = "nobody has said that the patient cannot be recognised";
        return Err(Refused::attribute(tags::RECOGNIZABLE_VISUAL_FEATURES, why));
    }
    Ok(())
}
