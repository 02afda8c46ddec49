//! Coded concepts of data sets (PS3.3 section 8) as codes of XDS, whose schemes are OIDs.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use xds_schemas::metadata::Code;

use super::snomed_rt;
use crate::anatomy::{self, SNOMED_CT};
use crate::text::CharacterSet;
use crate::walk::DataSet;

/// Designators of PS3.16 Table 8-1 that occur, and their OIDs.
const SCHEMES: [(&str, &str); 8] = [
    ("SCT", SNOMED_CT),
    ("DCM", "1.2.840.10008.2.16.4"),
    ("LN", "2.16.840.1.113883.6.1"),
    ("RADLEX", "2.16.840.1.113883.6.256"),
    ("UCUM", "2.16.840.1.113883.6.8"),
    ("FMA", "2.16.840.1.113883.6.119"),
    ("UMLS", "2.16.840.1.113883.6.86"),
    ("NCIt", "2.16.840.1.113883.3.26.1.1"),
];

/// The concept of an item. Codes of SNOMED RT become those of SNOMED CT where that is known. The
/// scheme is an OID if the designator is a known one or the item has its UID, otherwise the
/// designator as it stands.
pub(super) fn concept(item: &DataSet, set: &CharacterSet) -> Option<Code> {
    let text = |tag: Tag| set.text(item, tag);
    let value = text(tags::CODE_VALUE)
        .or_else(|| text(tags::LONG_CODE_VALUE))
        .or_else(|| text(tags::URN_CODE_VALUE))?;
    let designator = text(tags::CODING_SCHEME_DESIGNATOR)?;
    if value == "UNDEFINED" {
        return None; // Philips fills what it does not know with this.
    }
    let meaning = text(tags::CODE_MEANING).unwrap_or_default();
    if matches!(designator.as_str(), "SRT" | "SNM3" | "99SDM") {
        if let Some(region) = anatomy::by_snomed_rt(&value) {
            return Some(region.code());
        }
        if let Some(code) = snomed_rt::in_snomed_ct(&value) {
            return Some(Code::new(code, SNOMED_CT, meaning));
        }
    }
    let known = SCHEMES.iter().find(|(known, _)| *known == designator);
    let scheme = known.map(|(_, oid)| (*oid).to_owned());
    let scheme = scheme.or_else(|| text(tags::CODING_SCHEME_UID));
    Some(Code::new(value, scheme.unwrap_or(designator), meaning))
}

/// As [`concept`], for a region: codes of earlier editions of PS3.16 become the current ones.
pub(super) fn region(item: &DataSet, set: &CharacterSet) -> Option<Code> {
    let code = concept(item, set)?;
    let region = anatomy::by_snomed_ct(&code.code).filter(|_| code.scheme == SNOMED_CT);
    Some(region.map_or(code, anatomy::Region::code))
}

/// The side that a modifier of a region names (CID 244), if it is one.
pub(super) fn side(item: &DataSet, set: &CharacterSet) -> Option<Code> {
    let code = concept(item, set)?;
    match code.code.as_str() {
        "7771000" => anatomy::side("L"),
        "24028007" => anatomy::side("R"),
        "51440002" => anatomy::side("B"),
        "66459002" => Some(Code::new("66459002", SNOMED_CT, "Unilateral")),
        _ => None,
    }
}
