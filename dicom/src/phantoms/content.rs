//! Words for building an SR content tree (PS3.3 section C.17.3).

use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::write::Builder;

pub(crate) type Code = (&'static str, &'static str, &'static str);

pub(crate) fn item(relationship: &str, value_type: &str) -> Builder {
    Builder::new()
        .text(tags::RELATIONSHIP_TYPE, VR::CS, relationship)
        .text(tags::VALUE_TYPE, VR::CS, value_type)
}

pub(crate) fn named(relationship: &str, value_type: &str, name: Code) -> Builder {
    item(relationship, value_type).code(tags::CONCEPT_NAME_CODE_SEQUENCE, name)
}

pub(crate) fn coded(relationship: &str, name: Code, code: Code) -> Builder {
    named(relationship, "CODE", name).code(tags::CONCEPT_CODE_SEQUENCE, code)
}

pub(crate) fn container(name: Code, items: Vec<Builder>) -> Builder {
    named("CONTAINS", "CONTAINER", name)
        .text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE")
        .items(tags::CONTENT_SEQUENCE, items)
}

pub(crate) fn number(name: Code, value: f64, unit: Code) -> Builder {
    let measured = Builder::new()
        .code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, unit)
        .text(tags::NUMERIC_VALUE, VR::DS, &value.to_string());
    named("CONTAINS", "NUM", name).items(tags::MEASURED_VALUE_SEQUENCE, [measured])
}

pub(crate) fn template(identifier: &str) -> Builder {
    Builder::new()
        .text(tags::MAPPING_RESOURCE, VR::CS, "DCMR")
        .text(tags::TEMPLATE_IDENTIFIER, VR::CS, identifier)
}
