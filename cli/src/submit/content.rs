//! The content of a document: what it is, how long, and its SHA-1.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use indicatif::ProgressBar;
use sha1::{Digest, Sha1};

use crate::status::Usage;

/// Bytes that are read at once.
const CHUNK: usize = 1024 * 1024;
/// Bytes at the beginning by which formats are told apart.
const BEGINNING: usize = 512;

/// A file that is to be submitted.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    /// SHA-1 in hexadecimal.
    pub(super) hash: String,
    /// When it was last changed, in seconds since 1970.
    pub(super) changed: u64,
    /// What it seems to be.
    pub(super) mime_type: Option<&'static str>,
}

impl Content {
    /// Reads the file once.
    pub(super) fn read(path: &Path, progress: &ProgressBar) -> Result<Self, Usage> {
        let problem = |error| Usage(format!("{}: cannot be read: {error}", path.display()));
        let mut file = File::open(path).map_err(problem)?;
        let facts = file.metadata().map_err(problem)?;
        if !facts.is_file() {
            return Err(Usage(format!("{}: it is not a file", path.display())));
        }
        let changed = facts.modified().map_err(problem)?;
        let changed = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut buffer = vec![0; CHUNK];
        let mut hash = Sha1::new();
        let mut size = 0;
        let mut beginning = Vec::new();
        loop {
            let read = file.read(&mut buffer).map_err(problem)?;
            if read == 0 {
                break;
            }
            let wanted = BEGINNING.saturating_sub(beginning.len()).min(read);
            beginning.extend_from_slice(&buffer[..wanted]);
            hash.update(&buffer[..read]);
            size += read as u64;
            progress.inc(read as u64);
        }
        let digits = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self {
            path: path.to_owned(),
            size,
            hash: digits,
            changed: changed.as_secs(),
            mime_type: guess(path, &beginning),
        })
    }
}

/// The media type: what the content begins with tells it, or else the name.
fn guess(path: &Path, beginning: &[u8]) -> Option<&'static str> {
    by_content(beginning).or_else(|| by_name(path))
}

fn by_content(beginning: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 7] = [
        (b"%PDF-", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"{\\rtf", "text/rtf"),
        (b"\x1f\x8b", "application/gzip"),
    ];
    // PS3.10 7.1: 128 bytes of anything, then the prefix.
    if beginning.get(128..132) == Some(b"DICM") {
        return Some("application/dicom");
    }
    let text = String::from_utf8_lossy(beginning);
    if text.contains("<ClinicalDocument") {
        return Some("text/xml");
    }
    let found = MAGIC.iter().find(|(magic, _)| beginning.starts_with(magic));
    found.map(|(_, mime_type)| *mime_type)
}

fn by_name(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_lowercase();
    let found = BY_EXTENSION.iter().find(|(known, _)| *known == extension);
    found.map(|(_, mime_type)| *mime_type)
}

/// Extensions and what they mean; of several extensions for one type, the usual one is first.
const BY_EXTENSION: [(&str, &str); 24] = [
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("text", "text/plain"),
    ("md", "text/plain"),
    ("xml", "text/xml"),
    ("cda", "text/xml"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("rtf", "text/rtf"),
    ("json", "application/json"),
    ("dcm", "application/dicom"),
    ("dicom", "application/dicom"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("svg", "image/svg+xml"),
    ("mp4", "video/mp4"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("nii", "application/x-nifti"),
    ("xhtml", "application/xhtml+xml"),
];

/// The usual extension of a media type, parameters aside.
pub(crate) fn extension(mime_type: &str) -> &'static str {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    let known = BY_EXTENSION
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(essence));
    match (known, essence) {
        (Some((extension, _)), _) => extension,
        (None, other) if other.ends_with("+xml") || other.ends_with("/xml") => "xml",
        (None, other) if other.ends_with("+json") => "json",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_by_content_before_name() {
        let dicom = [&[0; 128][..], b"DICM"].concat();
        assert_eq!(
            guess(Path::new("IM0001"), &dicom),
            Some("application/dicom")
        );
        assert_eq!(
            guess(Path::new("x.txt"), b"%PDF-1.7"),
            Some("application/pdf")
        );
        assert_eq!(guess(Path::new("x.TXT"), b"hello"), Some("text/plain"));
        assert_eq!(guess(Path::new("x.unknown"), b"hello"), None);
        assert_eq!(guess(Path::new("x"), b""), None);
    }

    #[test]
    fn types_have_extensions() {
        assert_eq!(extension("text/plain; charset=utf-8"), "txt");
        assert_eq!(extension("application/fhir+json"), "json");
        assert_eq!(extension("text/x-cda-r2+xml"), "xml");
        assert_eq!(extension("../../etc"), "bin");
    }

    #[test]
    fn content_is_read_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::fs::write(&path, vec![b'a'; 3_000_000]).unwrap();
        let progress = ProgressBar::hidden();
        let content = Content::read(&path, &progress).unwrap();
        assert_eq!(content.size, 3_000_000);
        assert_eq!(progress.position(), 3_000_000);
        std::fs::write(&path, b"abc").unwrap();
        let content = Content::read(&path, &progress).unwrap();
        assert_eq!(content.hash, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(Content::read(folder.path(), &progress).is_err());
    }
}
