//! Parametric maps: which quantity each pixel has, in which unit (PS3.3 sections A.75 and
//! C.7.6.16.2.11).

use dicom_dictionary_std::tags;
use xds_schemas::imaging::measurement::Measurement;
use xds_schemas::metadata::Code;

use super::Values;
use super::codes::{self, DCM, SCT, key};
use super::content::Item;
use super::inherited::Inherited;
use crate::text::CharacterSet;
use crate::walk::DataSet;

/// Reads the quantities of a map, each once however many frames it has.
pub(super) fn read(data: &DataSet, set: &CharacterSet, values: &mut Values) {
    let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let per_frame = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let site = shared
        .iter()
        .chain(per_frame)
        .find_map(|groups| site(groups, set));
    let calculation = shared
        .iter()
        .chain(per_frame)
        .find_map(|groups| calculation(groups, set));
    let mut known: Vec<(Option<Code>, Option<Code>)> = Vec::new();
    let mappings = shared
        .iter()
        .chain(per_frame)
        .chain([data])
        .flat_map(|groups| groups.items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE));
    for mapping in mappings {
        let Some(mut quantity) = quantity(mapping, set) else {
            continue;
        };
        let name = (quantity.concept.clone(), quantity.unit.clone());
        // Maps have few quantities; a file with thousands is not asked to be one.
        if known.contains(&name) || known.len() >= 64 {
            continue;
        }
        known.push(name);
        quantity.site = quantity.site.or_else(|| site.clone());
        quantity.method = quantity.method.or_else(|| calculation.clone());
        (quantity.source_series, quantity.source_instances) = values.evidence.named();
        values.add(quantity);
    }
}

/// Quantity, unit and method of one mapping. `None` if it has neither of the former.
fn quantity(mapping: &DataSet, set: &CharacterSet) -> Option<Measurement> {
    let unit = codes::first(mapping, tags::MEASUREMENT_UNITS_CODE_SEQUENCE, set);
    let mut concept = None;
    let mut inherited = Inherited::default();
    for definition in mapping.items(tags::QUANTITY_DEFINITION_SEQUENCE) {
        let item = Item::new(definition, set);
        match item.name() {
            Some(name) if key(&name) == ("246205007", SCT) => concept = item.code(),
            // Method, derivation and other definitions.
            _ => {
                inherited.take(item);
            }
        }
    }
    if concept.is_none() && unit.is_none() {
        return None;
    }
    Some(Measurement {
        concept,
        unit,
        per_pixel: true,
        ..inherited.said()
    })
}

fn site(groups: &DataSet, set: &CharacterSet) -> Option<Code> {
    let anatomy = groups.items(tags::FRAME_ANATOMY_SEQUENCE).first()?;
    codes::first(anatomy, tags::ANATOMIC_REGION_SEQUENCE, set)
}

/// By which calculation the pixels were made of those of other images, if that is told.
fn calculation(groups: &DataSet, set: &CharacterSet) -> Option<Code> {
    const UNSPECIFIED: &str = "112187";
    let derived = groups.items(tags::DERIVATION_IMAGE_SEQUENCE).first()?;
    let calculation = codes::first(derived, tags::DERIVATION_CODE_SEQUENCE, set)?;
    (key(&calculation) != (UNSPECIFIED, DCM)).then_some(calculation)
}
