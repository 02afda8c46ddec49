//! Text that is a term of the standard or of a manufacturer: no person's name is looked for in it, or a
//! patient called Axial would make images useless.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

/// What manufacturers write into every object of a device.
const OF_THE_DEVICE: [Tag; 12] = [
    tags::MANUFACTURER,
    tags::MANUFACTURER_MODEL_NAME,
    tags::SOFTWARE_VERSIONS,
    tags::SECONDARY_CAPTURE_DEVICE_MANUFACTURER,
    tags::SECONDARY_CAPTURE_DEVICE_MANUFACTURER_MODEL_NAME,
    tags::SECONDARY_CAPTURE_DEVICE_SOFTWARE_VERSIONS,
    tags::DETECTOR_MANUFACTURER_NAME,
    tags::DETECTOR_MANUFACTURER_MODEL_NAME,
    tags::PROCESSING_FUNCTION,
    tags::CONVOLUTION_KERNEL,
    tags::CODING_SCHEME_DESIGNATOR,
    tags::CODING_SCHEME_VERSION,
];
/// Code strings that people type.
const TYPED: [Tag; 2] = [tags::CONTENT_LABEL, tags::GRAPHIC_LAYER];

/// Whether a value is such a term. What has not the form of a code string is none.
pub(super) fn is_term(tag: Tag, vr: VR, bytes: &[u8]) -> bool {
    let formed = |value: &[u8]| {
        let plain = |byte: &u8| {
            byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" _\0".contains(byte)
        };
        value.len() <= 17 && value.iter().all(plain)
    };
    let code_string = vr == VR::CS && !TYPED.contains(&tag);
    OF_THE_DEVICE.contains(&tag) || (code_string && bytes.split(|byte| *byte == b'\\').all(formed))
}

/// The parts of a code (PS3.3 section 8.8).
pub(super) const fn is_code(tag: Tag) -> bool {
    matches!(
        tag,
        tags::CODE_VALUE | tags::LONG_CODE_VALUE | tags::URN_CODE_VALUE | tags::CODE_MEANING
    )
}
