//! Which standard element says which parameter.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, TagRange};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use xds_schemas::imaging::acquisition::{Parameter, parameter, parameters};

/// An element that is read.
#[derive(Clone, Copy)]
pub(super) struct Element {
    pub(super) parameter: &'static Parameter,
    /// From the element's unit to the parameter's.
    pub(super) factor: f64,
}

/// Elements whose parameter has another name or unit.
const OTHERS: [(Tag, &str, f64); 20] = [
    (tags::EXPOSURE_INU_AS, "Exposure", 1e-3),
    (tags::EXPOSURE_INM_AS, "Exposure", 1.0),
    (tags::EXPOSURE_TIME_INU_S, "ExposureTime", 1e-3),
    (tags::EXPOSURE_TIME_INMS, "ExposureTime", 1.0),
    (tags::X_RAY_TUBE_CURRENT_INU_A, "XRayTubeCurrent", 1e-3),
    (tags::X_RAY_TUBE_CURRENT_INM_A, "XRayTubeCurrent", 1.0),
    (tags::ENTRANCE_DOSE, "EntranceDoseInmGy", 100.0),
    (tags::ORGAN_DOSE, "OrganDose", 100.0),
    (tags::EFFECTIVE_ECHO_TIME, "EchoTime", 1.0),
    (tags::INVERSION_TIMES, "InversionTime", 1.0),
    (tags::RF_ECHO_TRAIN_LENGTH, "EchoTrainLength", 1.0),
    (tags::GRADIENT_ECHO_TRAIN_LENGTH, "EchoTrainLength", 1.0),
    (tags::SPECIFIC_ABSORPTION_RATE_VALUE, "SAR", 1.0),
    (tags::DIFFUSION_B_VALUE, "diffusionBValue", 1.0),
    (tags::MAGNETIC_FIELD_STRENGTH, "fieldStrength", 1.0),
    (tags::LATERALITY, "laterality", 1.0),
    (tags::IMAGE_LATERALITY, "laterality", 1.0),
    (tags::FRAME_LATERALITY, "laterality", 1.0),
    (tags::ANATOMIC_REGION_SEQUENCE, "bodyPart", 1.0),
    (tags::FRAME_TYPE, "ImageType", 1.0),
];

/// Sequences of which the items say more of how the images were made. Others name other objects,
/// requests and people.
const WITHIN: [Tag; 51] = [
    tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::PIXEL_MEASURES_SEQUENCE,
    tags::FRAME_ANATOMY_SEQUENCE,
    tags::FRAME_VOILUT_SEQUENCE,
    tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
    tags::CARDIAC_SYNCHRONIZATION_SEQUENCE,
    tags::RESPIRATORY_SYNCHRONIZATION_SEQUENCE,
    tags::CONTRAST_BOLUS_AGENT_SEQUENCE,
    tags::CONTRAST_ADMINISTRATION_PROFILE_SEQUENCE,
    tags::MR_IMAGE_FRAME_TYPE_SEQUENCE,
    tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE,
    tags::MRFOV_GEOMETRY_SEQUENCE,
    tags::MR_ECHO_SEQUENCE,
    tags::MR_MODIFIER_SEQUENCE,
    tags::MR_IMAGING_MODIFIER_SEQUENCE,
    tags::MR_RECEIVE_COIL_SEQUENCE,
    tags::MR_TRANSMIT_COIL_SEQUENCE,
    tags::MR_DIFFUSION_SEQUENCE,
    tags::MR_AVERAGES_SEQUENCE,
    tags::MR_VELOCITY_ENCODING_SEQUENCE,
    tags::MR_ARTERIAL_SPIN_LABELING_SEQUENCE,
    tags::SPECIFIC_ABSORPTION_RATE_SEQUENCE,
    tags::OPERATING_MODE_SEQUENCE,
    tags::CT_IMAGE_FRAME_TYPE_SEQUENCE,
    tags::CT_ACQUISITION_TYPE_SEQUENCE,
    tags::CT_ACQUISITION_DETAILS_SEQUENCE,
    tags::CT_TABLE_DYNAMICS_SEQUENCE,
    tags::CT_GEOMETRY_SEQUENCE,
    tags::CT_RECONSTRUCTION_SEQUENCE,
    tags::CT_EXPOSURE_SEQUENCE,
    tags::CTX_RAY_DETAILS_SEQUENCE,
    tags::PET_FRAME_TYPE_SEQUENCE,
    tags::PET_FRAME_ACQUISITION_SEQUENCE,
    tags::PET_RECONSTRUCTION_SEQUENCE,
    tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE,
    tags::ENERGY_WINDOW_INFORMATION_SEQUENCE,
    tags::ENERGY_WINDOW_RANGE_SEQUENCE,
    tags::DETECTOR_INFORMATION_SEQUENCE,
    tags::ROTATION_INFORMATION_SEQUENCE,
    tags::PATIENT_ORIENTATION_CODE_SEQUENCE,
    tags::VIEW_CODE_SEQUENCE,
    tags::SEQUENCE_OF_ULTRASOUND_REGIONS,
    tags::X_RAY_FILTER_SEQUENCE,
    tags::X_RAY_GRID_SEQUENCE,
    tags::FRAME_ACQUISITION_SEQUENCE,
    tags::POSITIONER_POSITION_SEQUENCE,
    tags::X_RAY_GEOMETRY_SEQUENCE,
    tags::X_RAY3_D_ACQUISITION_SEQUENCE,
    tags::X_RAY_ACQUISITION_DOSE_SEQUENCE,
    tags::OPTICAL_PATH_SEQUENCE,
];

static ELEMENTS: LazyLock<HashMap<Tag, Element>> = LazyLock::new(|| {
    let named = parameters().filter_map(|parameter| {
        let element = Element {
            parameter,
            factor: 1.0,
        };
        Some((tag(parameter.keyword)?, element))
    });
    let others = OTHERS.iter().filter_map(|(tag, keyword, factor)| {
        let element = Element {
            parameter: parameter(keyword)?,
            factor: *factor,
        };
        Some((*tag, element))
    });
    named.chain(others).collect()
});

static SEQUENCES: LazyLock<HashSet<Tag>> = LazyLock::new(|| WITHIN.into_iter().collect());

/// The tag of a keyword of PS3.6.
pub(super) fn tag(keyword: &str) -> Option<Tag> {
    match StandardDataDictionary.by_name(keyword)?.tag_range() {
        TagRange::Single(tag) => Some(tag),
        _ => None,
    }
}

/// The parameter of an element, if it is one.
pub(super) fn element(tag: Tag) -> Option<Element> {
    ELEMENTS.get(&tag).copied()
}

/// Whether the items of a sequence are to be read.
pub(super) fn within(tag: Tag) -> bool {
    SEQUENCES.contains(&tag)
}

/// Numbers that mean something if they are zero or negative. Otherwise that is how devices write
/// that they do not know.
const MAY_BE_ZERO: [&str; 26] = [
    "AveragePulseWidth",
    "DeviationIndex",
    "DetectorTemperature",
    "DopplerCorrectionAngle",
    "EstimatedDoseSaving",
    "FilterThicknessMinimum",
    "FilterThicknessMaximum",
    "GantryDetectorTilt",
    "PatientAge",
    "PositionerPrimaryAngle",
    "PositionerSecondaryAngle",
    "ReconstructionAngle",
    "SteeringAngle",
    "TableHeight",
    "TriggerTime",
    "UltrasoundColorDataPresent",
    "VelocityEncodingMinimumValue",
    "VelocityEncodingMaximumValue",
    "diffusionBValue",
    "uptakeTime",
    "BoneThermalIndex",
    "CranialThermalIndex",
    "SoftTissueThermalIndex",
    "SoftTissueFocusThermalIndex",
    "SoftTissueSurfaceThermalIndex",
    "GradientOutput",
];

/// Whether a number says something.
pub(super) fn says_something(parameter: &Parameter, number: f64) -> bool {
    number > 0.0 || MAY_BE_ZERO.contains(&parameter.keyword)
}

#[cfg(test)]
mod tests {
    use dicom_core::VR;
    use dicom_core::dictionary::VirtualVr;
    use xds_schemas::imaging::acquisition::Kind;

    use super::*;

    #[test]
    fn parameters_of_dicom_are_of_the_kind_that_their_element_is() {
        let mut ours = 0;
        for it in parameters() {
            let Some(entry) = StandardDataDictionary.by_name(it.keyword) else {
                assert!(it.keyword.starts_with(char::is_lowercase), "{}", it.keyword);
                ours += 1;
                continue;
            };
            assert!(it.keyword == "dBdt" || it.keyword.starts_with(char::is_uppercase));
            let VirtualVr::Exact(vr) = entry.vr() else {
                panic!("{}", it.keyword);
            };
            let fits = match it.kind {
                Kind::Number(_) if it.keyword == "PatientAge" => vr == VR::AS,
                Kind::Number(_) => {
                    matches!(
                        vr,
                        VR::DS | VR::IS | VR::FL | VR::FD | VR::US | VR::UL | VR::SL
                    )
                }
                Kind::Text => {
                    matches!(
                        vr,
                        VR::CS | VR::LO | VR::SH | VR::ST | VR::LT | VR::UT | VR::UI
                    )
                }
                Kind::Code => vr == VR::SQ,
            };
            assert!(fits, "{} {vr:?}", it.keyword);
        }
        assert!(ours > 10);
        let others = OTHERS.iter().map(|(_, keyword, _)| *keyword);
        for keyword in MAY_BE_ZERO.into_iter().chain(others) {
            assert!(parameter(keyword).is_some(), "{keyword}");
        }
    }
}
