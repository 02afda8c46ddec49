//! The little of HL7 v2 that metadata borrows: delimiters, escapes, OIDs (ITI TF-3 Table 4.2.3.1.7-2).

use std::borrow::Cow;
use std::fmt;

const ESCAPES: [(char, &str); 5] = [
    ('\\', "\\E\\"),
    ('^', "\\S\\"),
    ('&', "\\T\\"),
    ('~', "\\R\\"),
    ('|', "\\F\\"),
];

/// Undoes the escapes of the five delimiters; no others are allowed.
pub(crate) fn unescape(text: &str) -> Result<Cow<'_, str>, String> {
    if !text.contains('\\') {
        return Ok(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let escape = ESCAPES.iter().find(|(_, escape)| rest.starts_with(escape));
        let (delimiter, escape) = escape.ok_or(
            "has an HL7 escape that stands for no delimiter (\\F\\ \\S\\ \\R\\ \\T\\ \\E\\)",
        )?;
        plain.push(*delimiter);
        rest = &rest[escape.len()..];
    }
    plain.push_str(rest);
    Ok(Cow::Owned(plain))
}

/// Writes `text` with its delimiters escaped.
pub(super) fn write_escaped(text: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut written = 0;
    for (at, character) in text.char_indices() {
        if let Some((_, escape)) = ESCAPES
            .iter()
            .find(|(delimiter, _)| *delimiter == character)
        {
            out.write_str(&text[written..at])?;
            out.write_str(escape)?;
            written = at + 1;
        }
    }
    out.write_str(&text[written..])
}

/// `text` with its delimiters escaped, as one component of a data type.
pub fn escape(text: &str) -> String {
    struct Escaped<'a>(&'a str);
    impl fmt::Display for Escaped<'_> {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_escaped(self.0, formatter)
        }
    }
    Escaped(text).to_string()
}

/// Whether this is an OID: digits and dots, no leading zeros, at most 64 characters
/// (ITI TF-2 Appendix B). Which numbers may stand first is not asked: the test data of
/// connectathons have `3.4.5`.
pub fn is_oid(text: &str) -> bool {
    let arc = |arc: &str| {
        !arc.is_empty()
            && arc.bytes().all(|byte| byte.is_ascii_digit())
            && (arc.len() == 1 || !arc.starts_with('0'))
    };
    text.len() <= 64 && text.contains('.') && text.split('.').all(arc)
}

/// The OID of an assigning authority `&OID&ISO`, whose namespace must be empty.
pub(super) fn oid_of_authority(authority: &str) -> Option<&str> {
    let oid = authority.strip_prefix('&')?.strip_suffix("&ISO")?;
    is_oid(oid).then_some(oid)
}
