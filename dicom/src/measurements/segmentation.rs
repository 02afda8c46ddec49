//! Segmentations: what was outlined, where and by what (PS3.3 section C.8.20).

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use xds_schemas::imaging::measurement::{ContextValue, Measurement};
use xds_schemas::metadata::Code;

use super::Values;
use super::codes::{self, DCM, SCT, key};
use super::sources::uid;
use crate::text::CharacterSet;
use crate::walk::DataSet;

/// Right, left, both sides, one side.
const SIDES: [&str; 4] = ["24028007", "7771000", "51440002", "66459002"];

/// Reads the segments of a segmentation: `data` is the data set, `said_in` its own UID.
pub(super) fn read(data: &DataSet, set: &CharacterSet, said_in: &str, values: &mut Values) {
    for segment in data.items(tags::SEGMENT_SEQUENCE) {
        let mut segment = segment_of(segment, set, said_in);
        (segment.source_series, segment.source_instances) = values.evidence.named();
        values.add(segment);
    }
}

fn segment_of(item: &DataSet, set: &CharacterSet, said_in: &str) -> Measurement {
    let region = item.items(tags::ANATOMIC_REGION_SEQUENCE).first();
    let first = |tag| codes::first(item, tag, set);
    let number = item.number(tags::SEGMENT_NUMBER);
    let number = number.filter(|number| (1.0..=65_535.0).contains(number));
    let property = item
        .items(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE)
        .first();
    let modifiers = [
        property.map(|it| (it, tags::SEGMENTED_PROPERTY_TYPE_MODIFIER_CODE_SEQUENCE)),
        region.map(|it| (it, tags::ANATOMIC_REGION_MODIFIER_SEQUENCE)),
    ];
    Measurement {
        concept: Some(Code::new("113076", DCM, "Segmentation")),
        finding: first(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE),
        site: region.and_then(|region| codes::code(region, set)),
        laterality: modifiers
            .into_iter()
            .flatten()
            .find_map(|(item, tag)| side(item, tag, set)),
        algorithm: algorithm(item, set),
        tracking_identifier: set.text(item, tags::TRACKING_ID),
        tracking_uid: uid(item, tags::TRACKING_UID),
        segment: number.map(|number| (said_in.to_owned(), number as u32)),
        context: context(item, set),
        ..Measurement::default()
    }
}

fn side(item: &DataSet, tag: Tag, set: &CharacterSet) -> Option<Code> {
    let modifiers = item.items(tag).iter();
    let mut codes = modifiers.filter_map(|modifier| codes::code(modifier, set));
    codes.find(|code| {
        let (code, scheme) = key(code);
        scheme == SCT && SIDES.contains(&code)
    })
}

/// Name and version: of the identified algorithm, or else the segment's own name for it.
fn algorithm(item: &DataSet, set: &CharacterSet) -> Option<(String, String)> {
    let identified = item
        .items(tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE)
        .first();
    let version = identified.and_then(|it| set.text(it, tags::ALGORITHM_VERSION));
    let name = identified
        .and_then(|it| set.text(it, tags::ALGORITHM_NAME))
        .or_else(|| set.text(item, tags::SEGMENT_ALGORITHM_NAME))?;
    Some((name, version.unwrap_or_default()))
}

/// The category of what was segmented, and whether a program or a person drew it.
fn context(item: &DataSet, set: &CharacterSet) -> Vec<(Code, ContextValue)> {
    let category = codes::first(item, tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, set);
    let category = category.map(|category| {
        let name = Code::new("276214006", SCT, "Finding category");
        (name, ContextValue::Code(category))
    });
    // An attribute has its tag as its code.
    let kind = set.text(item, tags::SEGMENT_ALGORITHM_TYPE).map(|kind| {
        let name = Code::new("00620008", DCM, "Segment Algorithm Type");
        (name, ContextValue::Text(kind))
    });
    category.into_iter().chain(kind).collect()
}
