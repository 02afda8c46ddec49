//! What a sidecar says of a volume, with the names and units of BIDS.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use serde_json::{Map, Value, json};

use super::groups::Groups;
use super::{FourthDimension, Plan};

/// Numbers: name, functional group, element, and what makes the unit of BIDS of DICOM's.
const NUMBERS: [(&str, Tag, Tag, f64); 22] = {
    const NONE: Tag = Tag(0, 0);
    const TIMING: Tag = tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE;
    const MODIFIER: Tag = tags::MR_MODIFIER_SEQUENCE;
    const EXPOSURE: Tag = tags::CT_EXPOSURE_SEQUENCE;
    [
        (
            "MagneticFieldStrength",
            NONE,
            tags::MAGNETIC_FIELD_STRENGTH,
            1.0,
        ),
        (
            "ImagingFrequency",
            tags::MR_IMAGING_MODIFIER_SEQUENCE,
            tags::IMAGING_FREQUENCY,
            1.0,
        ),
        ("RepetitionTime", TIMING, tags::REPETITION_TIME, 1e-3),
        ("EchoTime", NONE, tags::ECHO_TIME, 1e-3),
        (
            "EchoTime",
            tags::MR_ECHO_SEQUENCE,
            tags::EFFECTIVE_ECHO_TIME,
            1e-3,
        ),
        ("InversionTime", MODIFIER, tags::INVERSION_TIME, 1e-3),
        ("FlipAngle", TIMING, tags::FLIP_ANGLE, 1.0),
        ("EchoTrainLength", TIMING, tags::ECHO_TRAIN_LENGTH, 1.0),
        (
            "NumberOfAverages",
            tags::MR_AVERAGES_SEQUENCE,
            tags::NUMBER_OF_AVERAGES,
            1.0,
        ),
        (
            "PixelBandwidth",
            tags::MR_IMAGING_MODIFIER_SEQUENCE,
            tags::PIXEL_BANDWIDTH,
            1.0,
        ),
        (
            "PercentPhaseFOV",
            tags::MRFOV_GEOMETRY_SEQUENCE,
            tags::PERCENT_PHASE_FIELD_OF_VIEW,
            1.0,
        ),
        (
            "PercentSampling",
            tags::MRFOV_GEOMETRY_SEQUENCE,
            tags::PERCENT_SAMPLING,
            1.0,
        ),
        ("SAR", NONE, tags::SAR, 1.0),
        (
            "SliceThickness",
            tags::PIXEL_MEASURES_SEQUENCE,
            tags::SLICE_THICKNESS,
            1.0,
        ),
        (
            "SpacingBetweenSlices",
            tags::PIXEL_MEASURES_SEQUENCE,
            tags::SPACING_BETWEEN_SLICES,
            1.0,
        ),
        ("KVP", tags::CTX_RAY_DETAILS_SEQUENCE, tags::KVP, 1.0),
        ("XRayTubeCurrent", EXPOSURE, tags::X_RAY_TUBE_CURRENT, 1.0),
        (
            "XRayTubeCurrent",
            EXPOSURE,
            tags::X_RAY_TUBE_CURRENT_INM_A,
            1.0,
        ),
        ("XRayExposure", EXPOSURE, tags::EXPOSURE, 1.0),
        ("XRayExposure", EXPOSURE, tags::EXPOSURE_INM_AS, 1.0),
        ("ExposureTime", EXPOSURE, tags::EXPOSURE_TIME, 1e-3),
        ("ExposureTime", EXPOSURE, tags::EXPOSURE_TIME_INMS, 1e-3),
    ]
};

/// Words that devices choose: name and element. Nobody types them in.
const WORDS: [(&str, Tag); 16] = [
    ("Modality", tags::MODALITY),
    ("Manufacturer", tags::MANUFACTURER),
    ("ManufacturersModelName", tags::MANUFACTURER_MODEL_NAME),
    ("SoftwareVersions", tags::SOFTWARE_VERSIONS),
    ("BodyPartExamined", tags::BODY_PART_EXAMINED),
    ("PatientPosition", tags::PATIENT_POSITION),
    ("MRAcquisitionType", tags::MR_ACQUISITION_TYPE),
    ("ScanningSequence", tags::SCANNING_SEQUENCE),
    ("SequenceVariant", tags::SEQUENCE_VARIANT),
    ("ScanOptions", tags::SCAN_OPTIONS),
    ("SequenceName", tags::SEQUENCE_NAME),
    (
        "InPlanePhaseEncodingDirectionDICOM",
        tags::IN_PLANE_PHASE_ENCODING_DIRECTION,
    ),
    ("ConvolutionKernel", tags::CONVOLUTION_KERNEL),
    ("Units", tags::UNITS),
    ("DecayCorrection", tags::DECAY_CORRECTION),
    (
        "AttenuationCorrectionMethod",
        tags::ATTENUATION_CORRECTION_METHOD,
    ),
];

/// What the first frame of a file says.
pub(super) fn begin(groups: &Groups<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, sequence, tag, factor) in NUMBERS {
        if !fields.contains_key(name)
            && let Some(number) = groups.number(0, sequence, tag)
        {
            fields.insert(name.to_owned(), json!(shortest(number * factor)));
        }
    }
    for (name, tag) in WORDS {
        if let Some(word) = groups.data.ascii(tag).filter(|it| !it.is_empty()) {
            fields.insert(name.to_owned(), json!(word));
        }
    }
    let image_type = groups.data.ascii(tags::IMAGE_TYPE).unwrap_or_default();
    let words: Vec<&str> = image_type.split('\\').map(str::trim).collect();
    fields.insert("ImageType".to_owned(), json!(words));
    fields
}

/// What only the whole series says.
pub(super) fn complete(plan: &mut Plan) {
    let mut put = |name: &str, value: Value| plan.sidecar.insert(name.to_owned(), value);
    put("ConversionSoftware", json!("Hilum"));
    if plan
        .frames
        .iter()
        .any(|frame| frame.rescale != plan.frames[0].rescale)
    {
        put("RescaledPerSlice", json!(true));
    }
    match &plan.fourth {
        None => {}
        Some(FourthDimension::Time { step_s, starts_s }) => {
            put("FourthDimension", json!("time"));
            if let Some(step) = step_s {
                put("VolumeStep", json!(step));
            }
            if !starts_s.is_empty() {
                put("FrameTimesStart", json!(starts_s));
            }
            let slices = usize::from(plan.size[2]).max(1);
            let firsts = plan.frames.iter().step_by(slices);
            let durations: Option<Vec<f64>> = firsts
                .map(|it| it.made.duration_ms.map(|ms| shortest(ms / 1e3)))
                .collect();
            if let Some(durations) = durations {
                put("FrameDuration", json!(durations));
            }
        }
        Some(FourthDimension::Echo(echoes)) => {
            put("FourthDimension", json!("echo"));
            let echoes: Vec<f64> = echoes.iter().map(|ms| shortest(ms / 1e3)).collect();
            put("EchoTime", json!(echoes));
        }
        Some(FourthDimension::TriggerDelay(delays)) => {
            put("FourthDimension", json!("trigger delay"));
            let delays: Vec<f64> = delays.iter().map(|ms| shortest(ms / 1e3)).collect();
            put("TriggerDelayTime", json!(delays));
        }
        Some(FourthDimension::Diffusion(b_values)) => {
            put("FourthDimension", json!("diffusion"));
            put("DiffusionBValue", json!(b_values));
        }
    }
}

/// Without the digits that multiplying brings.
fn shortest(number: f64) -> f64 {
    format!("{number:.12e}").parse().unwrap_or(number)
}
