//! The parts of a document that has several (`multipart/related`): files for people and programs
//! that look at a medium. The document itself lies beside them, byte for byte.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use xds_schemas::iti32_distribute_document_set_on_media::document_file;
use xds_schemas::mtom::{ContentType, Found, ScanLimits, Scanner};

/// Bytes of a document whose parts are written: longer ones have been retrieved, but are no pages.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// Parts of one document.
const MOST_PARTS: usize = 1_000;
/// Bytes of the headers of a part.
const HEADER_BYTES: usize = 16 * 1024;

/// A part of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The name of its file.
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

/// The parts of the document in `file`; none if they cannot be told apart, which loses nothing.
pub(super) fn parts(mime_type: &str, file: &Path) -> std::io::Result<Vec<Part>> {
    let mut open = BufReader::new(File::open(file)?);
    let mut beginning = Vec::new();
    (&mut open).take(1024).read_until(b'\n', &mut beginning)?;
    let mut document = beginning.clone();
    open.take(MOST_BYTES).read_to_end(&mut document)?;
    let whole = document.len() as u64 <= MOST_BYTES;
    let scanner = scanner(mime_type, &beginning, &document).filter(|_| whole);
    Ok(scanner
        .and_then(|scanner| split(scanner, &document))
        .unwrap_or_default())
}

/// The boundary stands in the media type, or in the header with which the document begins, or else
/// the document begins with it.
fn scanner(mime_type: &str, beginning: &[u8], document: &[u8]) -> Option<Scanner> {
    let limits = ScanLimits {
        header_bytes: HEADER_BYTES,
        parts: MOST_PARTS,
    };
    for said in [Some(mime_type.to_owned()), header(document)] {
        if let Some(content_type) = said.and_then(|said| ContentType::parse(&said).ok())
            && let Ok(scanner) = Scanner::new(&content_type, limits)
        {
            return Some(scanner);
        }
    }
    let line = std::str::from_utf8(beginning).ok()?;
    let boundary = line.trim_end().strip_prefix("--")?;
    let content_type = format!("multipart/related; boundary=\"{boundary}\"");
    Scanner::new(&ContentType::parse(&content_type).ok()?, limits).ok()
}

/// The Content-Type of a document that begins like a message (RFC 2045), with its lines unfolded.
fn header(document: &[u8]) -> Option<String> {
    let beginning = &document[..document.len().min(HEADER_BYTES)];
    let mut found: Option<String> = None;
    for line in beginning.split(|byte| *byte == b'\n') {
        let line = std::str::from_utf8(line).ok()?.trim_end();
        if line.is_empty() {
            return found;
        }
        if line.starts_with([' ', '\t']) {
            if let Some(found) = &mut found {
                found.push_str(line);
            }
            continue;
        }
        if found.is_some() {
            return found;
        }
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("Content-Type") {
            found = Some(value.trim().to_owned());
        }
    }
    None
}

fn split(mut scanner: Scanner, document: &[u8]) -> Option<Vec<Part>> {
    let delimiter = scanner.delimiter().to_vec();
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = document;
    loop {
        let (used, found) = scanner.step(rest).ok()?;
        match found {
            Found::Nothing => break,
            Found::Part(headers) => {
                let mime_type = headers.content_type.unwrap_or_default();
                let name = document_file(parts.len() + 1, &mime_type);
                parts.push(Part {
                    name: name.replacen("DOC", "PRT", 1),
                    content: Vec::new(),
                });
            }
            Found::Data(range) => parts.last_mut()?.content.extend_from_slice(&rest[range]),
            Found::Withheld(range) => {
                parts
                    .last_mut()?
                    .content
                    .extend_from_slice(&delimiter[range]);
            }
            Found::PartEnd | Found::End => {}
        }
        rest = &rest[used..];
    }
    scanner.finish().ok()?;
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &[u8] = b"--b\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n\
        --b\r\nContent-Type: image/png\r\n\r\n\x89\r\n--not\r\n--b--\r\n";

    fn of(mime_type: &str, document: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, document).unwrap();
        let parts = parts(mime_type, file.path()).unwrap();
        parts
            .into_iter()
            .map(|part| (part.name, part.content))
            .collect()
    }

    /// ITI TF-2 3.32.4.1.2.2: one sub-directory with all the parts as files.
    #[test]
    fn parts_are_told_by_their_boundary() {
        let expected = vec![
            ("PRT00001.HTM".to_owned(), b"<p>x</p>".to_vec()),
            ("PRT00002.PNG".to_owned(), b"\x89\r\n--not".to_vec()),
        ];
        assert_eq!(of("multipart/related; boundary=b", DOCUMENT), expected);
        assert_eq!(of("multipart/related", DOCUMENT), expected);
        let header = "MIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n boundary=b\r\n\r\n";
        let message = [header.as_bytes(), DOCUMENT].concat();
        assert_eq!(of("multipart/related", &message), expected);
    }

    #[test]
    fn what_has_no_parts_is_left_whole() {
        for document in [
            &b""[..],
            b"hello",
            b"--b\r\nno end",
            b"--\r\n",
            b"--b\r\n\r\nx\r\n--b",
        ] {
            assert_eq!(of("multipart/related", document), []);
        }
    }
}
