//! Words for people who make images: names of attributes and codes, and where values are set.

use dicom_core::dictionary::UidDictionary;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardSopClassDictionary, tags};

use super::reader::nearest;

/// Transfer syntaxes by the words with which cards name them.
#[rustfmt::skip]
const TRANSFER_SYNTAXES: [(&str, &str); 26] = [
    ("ImplicitVRLittleEndian", "1.2.840.10008.1.2"),
    ("ExplicitVRLittleEndian", "1.2.840.10008.1.2.1"),
    ("DeflatedExplicitVRLittleEndian", "1.2.840.10008.1.2.1.99"),
    ("ExplicitVRBigEndian", "1.2.840.10008.1.2.2"),
    ("JPEGBaseline8Bit", "1.2.840.10008.1.2.4.50"),
    ("JPEGExtended12Bit", "1.2.840.10008.1.2.4.51"),
    ("JPEGLossless", "1.2.840.10008.1.2.4.57"),
    ("JPEGLosslessSV1", "1.2.840.10008.1.2.4.70"),
    ("JPEGLSLossless", "1.2.840.10008.1.2.4.80"),
    ("JPEGLSNearLossless", "1.2.840.10008.1.2.4.81"),
    ("JPEG2000Lossless", "1.2.840.10008.1.2.4.90"),
    ("JPEG2000", "1.2.840.10008.1.2.4.91"),
    ("MPEG2MPML", "1.2.840.10008.1.2.4.100"),
    ("MPEG2MPHL", "1.2.840.10008.1.2.4.101"),
    ("MPEG4HP41", "1.2.840.10008.1.2.4.102"),
    ("MPEG4HP41BD", "1.2.840.10008.1.2.4.103"),
    ("HEVCMP51", "1.2.840.10008.1.2.4.107"),
    ("HEVCM10P51", "1.2.840.10008.1.2.4.108"),
    ("JPEGXLLossless", "1.2.840.10008.1.2.4.110"),
    ("JPEGXLJPEGRecompression", "1.2.840.10008.1.2.4.111"),
    ("JPEGXL", "1.2.840.10008.1.2.4.112"),
    ("HTJ2KLossless", "1.2.840.10008.1.2.4.201"),
    ("HTJ2KLosslessRPCL", "1.2.840.10008.1.2.4.202"),
    ("HTJ2K", "1.2.840.10008.1.2.4.203"),
    ("RLELossless", "1.2.840.10008.1.2.5"),
    ("EncapsulatedUncompressedExplicitVRLittleEndian", "1.2.840.10008.1.2.1.98"),
];

/// Texts of the VRs LO and SH that people at the scanner do not type, so that they name no patient.
const MACHINE_TEXTS: [Tag; 9] = [
    tags::MANUFACTURER,
    tags::MANUFACTURER_MODEL_NAME,
    tags::SOFTWARE_VERSIONS,
    tags::CONVOLUTION_KERNEL,
    tags::SEQUENCE_NAME,
    tags::PULSE_SEQUENCE_NAME,
    tags::RECEIVE_COIL_NAME,
    tags::TRANSMIT_COIL_NAME,
    tags::FILTER_TYPE,
];

/// The SOP class that a card names by keyword or UID, or what is wrong.
pub(super) fn sop_class(word: &str) -> Result<String, String> {
    if is_uid(word) {
        return Ok(word.to_owned());
    }
    match StandardSopClassDictionary.by_keyword(word) {
        Some(class) => Ok(class.uid.to_owned()),
        None => Err(format!(
            "unknown SOP class {word}: it is a UID, or a keyword such as CTImageStorage"
        )),
    }
}

/// The transfer syntax that a card names by keyword or UID, or what is wrong.
pub(super) fn transfer_syntax(word: &str) -> Result<String, String> {
    if is_uid(word) {
        return Ok(word.to_owned());
    }
    let known = TRANSFER_SYNTAXES.iter().find(|(known, _)| *known == word);
    known.map(|(_, uid)| (*uid).to_owned()).ok_or_else(|| {
        let words = TRANSFER_SYNTAXES.iter().map(|(known, _)| *known);
        format!("unknown transfer syntax {word}; {}", nearest(word, words))
    })
}

fn is_uid(word: &str) -> bool {
    word.contains('.') && crate::Uid::parse(word).is_ok()
}

/// A SOP class or transfer syntax for people. Unknown ones are not repeated: a UID may be anything.
pub(super) fn uid_name(uid: &str) -> String {
    let syntax = TRANSFER_SYNTAXES.iter().find(|(_, known)| *known == uid);
    match (StandardSopClassDictionary.by_uid(uid), syntax) {
        (Some(class), _) => class.name.to_owned(),
        (None, Some((word, _))) => spaced(word),
        (None, None) if uid.starts_with("1.2.840.10008.") => uid.to_owned(),
        (None, None) => "one that is not of the DICOM standard".to_owned(),
    }
}

/// `SliceThickness` as `Slice Thickness`, `CTImageStorage` as `CT Image Storage`.
pub(super) fn spaced(keyword: &str) -> String {
    let chars: Vec<char> = keyword.chars().collect();
    let mut spaced = String::new();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let begins_word = before.is_some_and(|before| {
            let ends_capitals =
                before.is_uppercase() && chars.get(at + 1).is_some_and(|next| next.is_lowercase());
            c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit() || ends_capitals)
        });
        if begins_word {
            spaced.push(' ');
        }
        spaced.push(*c);
    }
    spaced
}

/// A value as it may be repeated to people: numbers and codes of the standard, but nothing that
/// describes the patient, nothing that was typed, no date, no identifier.
pub(super) fn shown(tag: Option<Tag>, vr: VR, text: &str) -> Option<String> {
    const MOST: usize = 64;
    let tag = tag?;
    let is_number = !text.is_empty()
        && text
            .split('\\')
            .all(|value| value.trim().parse::<f64>().is_ok());
    let may_be_shown = match vr {
        _ if is_of_patient(tag) => false,
        VR::DS | VR::IS | VR::US | VR::SS | VR::UL | VR::SL => is_number,
        VR::FL | VR::FD | VR::UV | VR::SV => is_number,
        VR::CS => tag.group() % 2 == 0 && text.bytes().all(is_of_code),
        VR::LO | VR::SH => MACHINE_TEXTS.contains(&tag),
        _ => false,
    };
    let short: String = text.chars().take(MOST).collect();
    may_be_shown.then_some(short)
}

/// Groups that describe patient, visit, trial subject or request.
fn is_of_patient(tag: Tag) -> bool {
    matches!(tag.group(), 0x0010 | 0x0012 | 0x0032 | 0x0038)
}

/// The characters of a code string (PS3.5 section 6.2).
const fn is_of_code(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_' | b' ' | b'\\')
}

/// Where the value of an attribute comes from, as a sentence.
pub(super) fn where_set(tag: Option<Tag>) -> &'static str {
    let Some(tag) = tag else {
        return "";
    };
    match (tag.group(), tag.element()) {
        (group, _) if group % 2 == 1 => "It is set by the manufacturer's software at the device.",
        (0x0002, _) => "It is set by the program that sent or wrote the file.",
        (0x0008, 0x0050 | 0x0090 | 0x1030 | 0x1032)
        | (0x0032 | 0x0038, _)
        | (0x0040, 0..0x1000) => "It comes from the order, by the worklist.",
        (0x0008, 0x0060..0x0100 | 0x1010 | 0x1090) => {
            "It is set in the configuration of the device."
        }
        (0x0008, 0x103E) => "It is the name of the protocol step at the device.",
        (0x0010, _) => "It is set when the patient is registered, and comes by the worklist.",
        (0x0012, _) => "It is set where images are prepared for the trial.",
        (0x0018, 0x0015) | (0x0008, 0x2218) => "It is set with the protocol at the device.",
        (0x0018, 0x1000..0x1031) => "It is set in the configuration of the device.",
        (0x0018, _) => "It is set in the acquisition protocol at the device.",
        (0x0020, 0x0030..0x0060 | 0x1041) => "The device sets it when slices are planned.",
        (0x0020 | 0x0008, _) => "The device sets it.",
        (0x0028, 0x0301 | 0x0302) => "It is set where images are processed or stored.",
        (0x0028, 0x2110..0x2115) => "It is set where images are compressed for storage.",
        (0x0028 | 0x7FE0, _) => "It is set when images are reconstructed.",
        (0x0054, _) => "It is set in the acquisition protocol of nuclear medicine.",
        (0x300A | 0x300C | 0x3006, _) => "It is set in treatment planning.",
        _ => "It is set by the program that made the object.",
    }
}
