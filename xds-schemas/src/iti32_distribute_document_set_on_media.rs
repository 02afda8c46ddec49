//! ITI-32 Distribute Document Set on Media: documents with their metadata on a medium.
//!
//! Written by a Portable Media Creator, read by a Portable Media Importer (XDM).
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-32.html>
//!
//! ```text
//! INDEX.HTM                       for people: what is on the medium
//! README.TXT                      for people: who made it, and how it is laid out
//! IHE_XDM/SUBSET01/METADATA.XML   a lcm:SubmitObjectsRequest; one directory for each submission set
//! IHE_XDM/SUBSET01/DOC00001.PDF   a document, to which URI in its entry points
//! IHE_XDM/SUBSET01/DOC00002/…     a document of several parts
//! ```
//!
//! Names are those of ISO 9660 level 1 on every kind of medium.

mod index;
mod path;
mod readme;

use crate::ebrs::SubmitObjectsRequest;
use crate::xml::{ToXml, Writer};

pub use index::{Listed, index};
pub use path::{MediaPath, resolve};
pub use readme::{Creator, readme};

/// The directory of the submission sets.
pub const ROOT: &str = "IHE_XDM";
/// The metadata of a submission set.
pub const METADATA: &str = "METADATA.XML";
/// The page that a browser shows.
pub const INDEX: &str = "INDEX.HTM";
/// The text that helps whoever has trouble.
pub const README: &str = "README.TXT";
/// Submission sets that fit on one medium, because their directories are numbered.
pub const MOST_SUBMISSION_SETS: usize = 99_999;
/// Documents that fit into one submission set, because their files are numbered.
pub const MOST_DOCUMENTS: usize = 99_999;

/// Extensions by media type. DICOM files have none: the framework does not permit `.DCM`
/// (ITI TF-2 3.32.4.1.2.1).
const EXTENSIONS: [(&str, &str); 17] = [
    ("application/dicom", ""),
    ("application/json", "JSN"),
    ("application/pdf", "PDF"),
    ("application/xhtml+xml", "HTM"),
    ("application/xml", "XML"),
    ("application/zip", "ZIP"),
    ("image/gif", "GIF"),
    ("image/jpeg", "JPG"),
    ("image/png", "PNG"),
    ("image/tiff", "TIF"),
    ("text/csv", "CSV"),
    ("text/html", "HTM"),
    ("text/plain", "TXT"),
    ("text/rtf", "RTF"),
    ("text/xml", "XML"),
    ("video/mp4", "MP4"),
    ("video/mpeg", "MPG"),
];

/// The directory of the submission set with this number, from 1.
pub fn submission_set_directory(number: usize) -> String {
    match number {
        ..100 => format!("SUBSET{number:02}"),
        _ => format!("SUB{number:05}"),
    }
}

/// The file for the document with this number, from 1.
pub fn document_file(number: usize, mime_type: &str) -> String {
    match extension(mime_type) {
        "" => format!("DOC{number:05}"),
        extension => format!("DOC{number:05}.{extension}"),
    }
}

/// The extension that a media type has on a medium; none if it is not known or has none.
fn extension(mime_type: &str) -> &'static str {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    let known = EXTENSIONS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(essence));
    match (known, essence) {
        (Some((_, extension)), _) => extension,
        (None, other) if other.ends_with("+xml") => "XML",
        (None, other) if other.ends_with("+json") => "JSN",
        _ => "",
    }
}

/// Whether a document has several parts, each of which is a file on a medium (ITI TF-2
/// 3.32.4.1.2.2).
pub fn is_multipart(mime_type: &str) -> bool {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("multipart/related")
}

/// `METADATA.XML`.
pub fn metadata(submission: &SubmitObjectsRequest) -> String {
    let mut writer = Writer::with_capacity(16 * 1024);
    writer.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    submission.to_xml(&mut writer);
    writer.finish()
}

/// Whether a file or directory may be called so on a medium: ISO 9660 level 1, eight characters and
/// an extension of three, of capital letters, digits and underscores.
pub fn is_media_name(name: &str) -> bool {
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    let sound = |part: &str, most: usize| {
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        part.len() <= most && part.bytes().all(plain)
    };
    !stem.is_empty() && sound(stem, 8) && sound(extension, 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{FromXml, Reader};

    /// ITI TF-2 3.32.4.1.2.1: strict ISO 9660 level 1, and no extension for DICOM files.
    #[test]
    fn names_are_those_of_iso_9660_level_1() {
        for name in [ROOT, METADATA, INDEX, README] {
            assert!(is_media_name(name), "{name}");
        }
        for number in [1, 42, 99, 100, 99_999] {
            assert!(is_media_name(&submission_set_directory(number)), "{number}");
            for mime_type in [
                "text/xml; charset=utf-8",
                "application/fhir+xml",
                "APPLICATION/PDF",
                "application/dicom",
                "x/../../y",
                "",
            ] {
                let name = document_file(number, mime_type);
                assert!(is_media_name(&name), "{name}");
            }
        }
        assert_eq!(document_file(7, "application/dicom"), "DOC00007");
        assert_eq!(document_file(7, "text/xml; a=b"), "DOC00007.XML");
        assert_eq!(submission_set_directory(1), "SUBSET01");
        for name in [
            "doc.xml",
            "DOCUMENT1.XML",
            "A.HTML",
            "",
            ".XML",
            "A B",
            "A.B.C",
        ] {
            assert!(!is_media_name(name), "{name}");
        }
    }

    #[test]
    fn metadata_is_read_as_it_was_written() {
        let submission = SubmitObjectsRequest::default();
        let xml = metadata(&submission);
        assert!(xml.starts_with("<?xml"), "{xml}");
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        let root = reader.root().unwrap();
        let read = SubmitObjectsRequest::from_xml(&mut reader, &root).unwrap();
        assert_eq!(read, submission);
    }

    #[test]
    fn several_parts_are_told_by_the_media_type() {
        assert!(is_multipart("Multipart/Related; boundary=x"));
        assert!(!is_multipart("multipart/mixed") && !is_multipart("text/plain"));
    }
}
