//! Characters: escapes, character sets, and how text is written.

use super::Delimiters;
use crate::metadata::hl7;

impl Delimiters {
    /// Undoes escapes (HL7 v2.5 section 2.7): delimiters and hexadecimal data mean characters, what
    /// only changes how text looks means nothing, and what is no escape stays as it is.
    pub(super) fn unescape(self, text: &str) -> String {
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(self.escape) {
            plain.push_str(&rest[..at]);
            let after = &rest[at + self.escape.len_utf8()..];
            let Some(end) = after.find(self.escape) else {
                rest = &rest[at..];
                break;
            };
            match self.meaning(&after[..end]) {
                Some(meaning) => plain.push_str(&meaning),
                None => {
                    plain.push(self.escape);
                    plain.push_str(&after[..end]);
                    plain.push(self.escape);
                }
            }
            rest = &after[end + self.escape.len_utf8()..];
        }
        plain.push_str(rest);
        plain
    }

    fn meaning(self, escape: &str) -> Option<String> {
        let delimiter = match escape {
            "F" => self.field,
            "S" => self.component,
            "T" => self.subcomponent,
            "R" => self.repetition,
            "E" => self.escape,
            "H" | "N" => return Some(String::new()),
            ".br" => '\n',
            _ => return hexadecimal(escape.strip_prefix('X')?),
        };
        Some(delimiter.to_string())
    }
}

/// The text whose bytes are these in hexadecimal.
fn hexadecimal(digits: &str) -> Option<String> {
    let digits = digits.as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks_exact(2) {
        let byte = digit(pair[0])? * 16 + digit(pair[1])?;
        bytes.push(u8::try_from(byte).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// The text of a message, and whether it is certain. MSH-18 says how it is encoded (ITI TF-2
/// C.2.2); what says nothing is ASCII, or else UTF-8 if it is valid as such.
pub(super) fn decode(bytes: &[u8], field: char) -> (String, bool) {
    let first = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let mut fields = first
        .unwrap_or_default()
        .split(|byte| char::from(*byte) == field);
    let charset = fields.nth(17).unwrap_or_default();
    let latin1 = || bytes.iter().map(|byte| char::from(*byte)).collect();
    match (charset, std::str::from_utf8(bytes)) {
        (b"8859/1", _) => (latin1(), true),
        (b"" | b"ASCII" | b"UNICODE UTF-8" | b"UNICODE" | b"UTF-8", Ok(text)) => {
            (text.to_owned(), true)
        }
        (_, Ok(text)) => (text.to_owned(), text.is_ascii()),
        (_, Err(_)) => (latin1(), false),
    }
}

/// Text as one subcomponent with the usual delimiters. Control characters, which would end a
/// segment or a message, become spaces.
pub fn encode(text: &str) -> String {
    let harmless = |character: char| match character.is_control() {
        true => ' ',
        false => character,
    };
    let text: String = text.chars().map(harmless).collect();
    hl7::escape(&text)
}

/// A segment of fields that are encoded already; those at the end that are empty are left out.
pub fn segment(name: &str, fields: &[&str]) -> String {
    let Delimiters { field, .. } = Delimiters::STANDARD;
    let mut segment = name.to_owned();
    let used = fields.iter().rposition(|text| !text.is_empty());
    for text in &fields[..used.map_or(0, |last| last + 1)] {
        segment.push(field);
        segment.push_str(text);
    }
    segment.push('\r');
    segment
}
