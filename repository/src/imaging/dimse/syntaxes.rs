//! What is taken in which encoding: SOP classes (PS3.4 annex B) and transfer syntaxes (PS3.5 annex A,
//! PS3.6 annex A).

use dicom_dictionary_std::uids;

/// Everything that DICOM itself defines.
const STANDARD: &str = "1.2.840.10008.";
/// The storage SOP classes, those that are yet to come included.
const STORAGE: &str = "1.2.840.10008.5.1.4.1.1.";
/// Storage SOP classes that stand elsewhere.
const STORAGE_ELSEWHERE: [&str; 6] = [
    uids::RT_BEAMS_DELIVERY_INSTRUCTION_STORAGE,
    uids::RT_BRACHY_APPLICATION_SETUP_DELIVERY_INSTRUCTION_STORAGE,
    // Retired, and still in archives: RT beams delivery instruction (trial), stored print, hardcopy in
    // grey and in colour.
    "1.2.840.10008.5.1.4.34.1",
    "1.2.840.10008.5.1.1.27",
    "1.2.840.10008.5.1.1.29",
    "1.2.840.10008.5.1.1.30",
];

/// Whether objects of this class are taken: every storage class of the standard, and private ones,
/// since nobody but its maker knows what a private class is, and what is not taken is lost.
///
/// Not taken are the standard's classes of things that belong to no patient, such as hanging
/// protocols and colour palettes: there is no study in which they could be found again.
pub(super) fn is_storage(class: &str) -> bool {
    match class.starts_with(STANDARD) {
        true => {
            class.strip_prefix(STORAGE).is_some_and(is_uid) || STORAGE_ELSEWHERE.contains(&class)
        }
        false => is_uid(class),
    }
}

fn is_uid(text: &str) -> bool {
    hilum_dicom::Uid::parse(text).is_ok()
}

/// What an object can be encoded in. Not among them are the syntaxes by which the pixels lie on
/// another server (JPIP): who stores an object here wants it to be here.
pub(super) fn is_readable(syntax: &str) -> bool {
    is_native(syntax) || is_compressed(syntax)
}

/// Uncompressed, best first. Big endian is retired.
const NATIVE: [&str; 3] = [
    uids::EXPLICIT_VR_LITTLE_ENDIAN,
    uids::IMPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.2",
];

fn is_native(syntax: &str) -> bool {
    NATIVE.contains(&syntax)
}

/// Compressed as a whole, or with frames in a sequence of fragments.
fn is_compressed(syntax: &str) -> bool {
    const OTHERS: [&str; 4] = [
        uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
        uids::RLE_LOSSLESS,
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION,
    ];
    const ELSEWHERE: [&str; 4] = [
        uids::JPIP_REFERENCED,
        uids::JPIP_REFERENCED_DEFLATE,
        uids::JPIPHTJ2K_REFERENCED,
        uids::JPIPHTJ2K_REFERENCED_DEFLATE,
    ];
    // JPEG, JPEG-LS, JPEG 2000, JPEG XL, MPEG, HEVC.
    let is_encapsulated = syntax
        .strip_prefix("1.2.840.10008.1.2.4.")
        .is_some_and(is_uid);
    OTHERS.contains(&syntax) || (is_encapsulated && !ELSEWHERE.contains(&syntax))
}

/// Which of the proposed transfer syntaxes an object shall come in.
///
/// Senders propose in one of three ways. Some have a context for each syntax: there is nothing to
/// choose, and each object comes as it is. Some have one context for each class, and put first what
/// the object is in or what they are set up to compress to, followed by what they can fall back on:
/// then the first one is taken if it is compressed, so that nothing is decompressed on the way. The
/// others list what they are able to, and begin with the default, implicit VR little endian: then
/// the pixels are uncompressed at their side, and explicit VR is better, which keeps what private
/// elements are. A compressed syntax further down such a list is not chosen: the sender would have to
/// compress, perhaps with a loss, or could not send what it has.
pub(super) fn chosen(proposed: &[String]) -> Option<&str> {
    let mut readable = proposed.iter().map(String::as_str);
    let first = readable.find(|syntax| is_readable(syntax))?;
    if is_compressed(first) {
        return Some(first);
    }
    let mut best_first = NATIVE.into_iter();
    best_first.find(|syntax| proposed.iter().any(|it| it == syntax))
}

/// The same for commands that carry no objects: no reason to make it hard.
pub(super) fn chosen_for_words(proposed: &[String]) -> Option<&'static str> {
    let mut little = NATIVE.into_iter().take(2);
    little.find(|syntax| proposed.iter().any(|it| it == syntax))
}

#[cfg(test)]
mod tests {
    use dicom_core::dictionary::{UidDictionary, UidDictionaryEntry};
    use dicom_dictionary_std::StandardSopClassDictionary;

    use super::*;

    fn chosen_of(proposed: &[&str]) -> Option<String> {
        let owned: Vec<String> = proposed.iter().map(|it| (*it).to_owned()).collect();
        chosen(&owned).map(str::to_owned)
    }

    #[test]
    fn classes() {
        let keywords = [
            ("CTImageStorage", true),
            ("EnhancedMRImageStorage", true),
            ("Comprehensive3DSRStorage", true),
            ("SegmentationStorage", true),
            ("VLWholeSlideMicroscopyImageStorage", true),
            ("RTBeamsDeliveryInstructionStorage", true),
            ("HardcopyColorImageStorage", true),
            ("Verification", false),
            ("StorageCommitmentPushModel", false),
            ("StudyRootQueryRetrieveInformationModelFind", false),
            ("ModalityPerformedProcedureStep", false),
            ("HangingProtocolStorage", false),
        ];
        for (keyword, taken) in keywords {
            let entry = StandardSopClassDictionary.by_keyword(keyword);
            assert_eq!(is_storage(entry.unwrap().uid()), taken, "{keyword}");
        }
        // Not in any dictionary yet, and a private one.
        assert!(is_storage("1.2.840.10008.5.1.4.1.1.4711"));
        assert!(is_storage("1.2.840.113619.4.30"));
        assert!(!is_storage("1.2.840.10008.5.1.4.1.1."));
        assert!(!is_storage("") && !is_storage("CT"));
    }

    #[test]
    fn the_senders_choice_and_explicit_otherwise() {
        let (implicit, explicit) = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1");
        let (big, deflated) = ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99");
        let (lossless, rle, jpip) = (
            "1.2.840.10008.1.2.4.70",
            "1.2.840.10008.1.2.5",
            "1.2.840.10008.1.2.4.94",
        );
        let cases: [(&[&str], Option<&str>); 9] = [
            (&[implicit, explicit, big], Some(explicit)),
            (&[big, implicit], Some(implicit)),
            (&[big], Some(big)),
            (&[lossless, explicit, implicit], Some(lossless)),
            (&[jpip, rle, explicit], Some(rle)),
            // What some clients propose whatever they are going to send.
            (&[implicit, explicit, deflated, big], Some(explicit)),
            (&[implicit, lossless], Some(implicit)),
            (&[jpip, "1.2.3"], None),
            (&[], None),
        ];
        for (proposed, wanted) in cases {
            assert_eq!(chosen_of(proposed).as_deref(), wanted, "{proposed:?}");
        }
        let words = |proposed: &[&str]| {
            let owned: Vec<String> = proposed.iter().map(|it| (*it).to_owned()).collect();
            chosen_for_words(&owned)
        };
        assert_eq!(words(&[implicit, explicit]), Some(explicit));
        assert_eq!(words(&[big, lossless]), None);
    }
}
