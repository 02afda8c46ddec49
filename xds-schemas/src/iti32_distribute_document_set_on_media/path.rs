//! Where on a medium a URI points to (ITI TF-2 3.32.4.1.2.2).
//!
//! A medium comes from anybody. Whatever a URI says, what comes of it is a place on the medium.

use std::fmt;

/// Directories that a place may lie in. ISO 9660 allows eight.
const MOST_DIRECTORIES: usize = 32;

/// A place on a medium: the names of the directories, and of the file, from the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MediaPath(Vec<String>);

impl MediaPath {
    /// The place with these names. None if one of them could lead elsewhere.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut path = Vec::new();
        for name in names {
            if !is_plain(name) || path.len() > MOST_DIRECTORIES {
                return None;
            }
            path.push(name.to_owned());
        }
        Some(Self(path))
    }

    /// The names, from the root.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The last name.
    pub fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The directory that it lies in; the root lies in itself.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// A place below this one.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let mut names = self.0.clone();
        names.push(name.to_owned());
        Self(names)
    }

    /// The same without regard to capital letters, by which names of media are compared.
    #[must_use]
    pub fn folded(&self) -> Self {
        Self(self.0.iter().map(|name| name.to_lowercase()).collect())
    }
}

impl fmt::Display for MediaPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join("/"))
    }
}

/// Whether this is the name of one file or directory and nothing else.
fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

/// The place that `uri` means in an entry whose metadata lies in `directory`. A relative URI may
/// begin with `../`, but it does not lead out of the medium. Some systems write the separators of
/// their own file names.
///
/// # Errors
/// Says what is wrong with the URI.
pub fn resolve(directory: &MediaPath, uri: &str) -> Result<MediaPath, String> {
    let text = uri.trim();
    if text.contains(['#', '?']) {
        return Err("has a query or a fragment, and a file on a medium has neither".to_owned());
    }
    let text = decoded(text)?.replace('\\', "/");
    if text.starts_with('/') {
        return Err("is not relative to the directory of its metadata".to_owned());
    }
    let first = text.split('/').next().unwrap_or_default();
    if first.contains(':') {
        return Err("names a scheme or a drive; it must be relative".to_owned());
    }
    if !text.rsplit('/').next().is_some_and(is_plain) {
        return Err("does not name a file".to_owned());
    }
    let mut names = directory.0.clone();
    for name in text.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                if names.pop().is_none() {
                    return Err("leads out of the medium".to_owned());
                }
            }
            name if name.chars().any(char::is_control) => {
                return Err("has control characters".to_owned());
            }
            name => names.push(name.to_owned()),
        }
    }
    if names.len() > MOST_DIRECTORIES {
        return Err(format!("lies in more than {MOST_DIRECTORIES} directories"));
    }
    Ok(MediaPath(names))
}

/// Without percent-encoding (RFC 3986 2.1). A `%` that begins none stands for itself, since names
/// of files are written into URIs without much thought.
fn decoded(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3);
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|one| one.is_ascii_hexdigit()));
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match octet {
            Some(octet) if bytes[at] == b'%' => {
                decoded.push(octet);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).map_err(|_| "is not UTF-8 when it is decoded".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set() -> MediaPath {
        MediaPath::of([super::super::ROOT, "SUBSET01"]).unwrap()
    }

    fn resolved(uri: &str) -> Result<String, String> {
        resolve(&set(), uri).map(|path| path.to_string())
    }

    /// ITI TF-2 3.32.4.1.2.2: the base is the directory of METADATA.XML; `../` may come first.
    #[test]
    fn uris_are_relative_to_their_metadata() {
        for (uri, place) in [
            ("DOC00001.XML", "IHE_XDM/SUBSET01/DOC00001.XML"),
            (
                "DOC00002/DOC00002.XML",
                "IHE_XDM/SUBSET01/DOC00002/DOC00002.XML",
            ),
            ("./a.xml", "IHE_XDM/SUBSET01/a.xml"),
            ("../SUBSET02/B.PDF", "IHE_XDM/SUBSET02/B.PDF"),
            ("../../DICOM/A", "DICOM/A"),
            ("..\\SUBSET02\\B.PDF", "IHE_XDM/SUBSET02/B.PDF"),
            ("a%20b%2Fc.xml", "IHE_XDM/SUBSET01/a b/c.xml"),
            ("100%.txt", "IHE_XDM/SUBSET01/100%.txt"),
        ] {
            assert_eq!(resolved(uri).as_deref(), Ok(place), "{uri}");
        }
    }

    #[test]
    fn nothing_leads_out_of_the_medium() {
        for uri in [
            "",
            ".",
            "../",
            "../..",
            "../../../x",
            "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
            "/etc/passwd",
            "\\\\server\\share",
            "C:\\x",
            "http://example.org/x",
            "file:///etc/passwd",
            "a#b",
            "a?b",
            "a\0b",
            "a%00b",
            "a/",
            "%ff",
        ] {
            assert!(resolved(uri).is_err(), "{uri:?}: {:?}", resolved(uri));
        }
    }

    proptest! {
        /// Whatever a URI says, its place consists of plain names.
        #[test]
        fn a_place_is_on_the_medium(uri in "(\\.\\.|%2e|[a-zA-Z./\\\\%:\0 ]|\\PC){0,24}") {
            if let Ok(place) = resolve(&set(), &uri) {
                prop_assert!(!place.names().is_empty());
                for name in place.names() {
                    prop_assert!(is_plain(name), "{:?} from {:?}", name, uri);
                    prop_assert!(!name.chars().any(char::is_control));
                }
            }
        }
    }
}
