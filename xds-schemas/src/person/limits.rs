//! What is kept of what somebody sends: so much, and nothing that cannot be given back.

use crate::hl7v2::cx;
use crate::metadata::hl7::is_oid;
use crate::metadata::{PatientId, Timestamp};

/// Names, addresses and the like that are kept of one person. Further ones are passed over.
pub const MOST_OF_A_KIND: usize = 16;
/// Parts of one kind that are kept of a name or an address.
pub const MOST_PARTS: usize = 8;
/// Characters that are kept of one text.
pub const LONGEST_TEXT: usize = 200;

/// The text without what XML or HL7 v2 could not give back, with single spaces, if something is left.
/// `""` is how HL7 v2 says that there is nothing.
pub(crate) fn clean(text: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    let mut clean = String::new();
    let words = text.split(odd).filter(|word| !word.is_empty());
    for word in words {
        if !clean.is_empty() {
            clean.push(' ');
        }
        clean.push_str(word);
    }
    if let Some((end, _)) = clean.char_indices().nth(LONGEST_TEXT) {
        clean.truncate(end);
        clean.truncate(clean.trim_end().len());
    }
    (!clean.is_empty() && clean != "\"\"").then_some(clean)
}

/// Adds a part of a name or an address.
pub(crate) fn push_text(parts: &mut Vec<String>, text: &str) {
    if let Some(text) = clean(text)
        && parts.len() < MOST_PARTS
    {
        parts.push(text);
    }
}

/// Adds one of several, if it is not among them.
pub(crate) fn push<T: PartialEq>(all: &mut Vec<T>, one: T, most: usize) {
    if all.len() < most && !all.contains(&one) {
        all.push(one);
    }
}

/// The identifier, if an OID names its domain.
pub(crate) fn identifier(id: &str, authority: &str) -> Option<PatientId> {
    let id = id.trim();
    (is_oid(authority) && cx::check_id(id).is_ok()).then(|| PatientId::new(id, authority))
}

/// A moment of HL7, whose fraction of a second and time zone are passed over: of a birth the local date
/// counts.
pub(crate) fn birth_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    Timestamp::parse(text.get(..digits.min(14))?).ok()
}
