//! Values of searches: several between commas, systems before bars, and what is escaped.
//! <https://hl7.org/fhir/R4/search.html#escaping>

use xds_schemas::metadata::hl7::is_oid;

use crate::fhir::{codes, from_dicom};
use crate::record_repository::index::{Kind, Word, Words};

/// What stands between separators that are not escaped.
pub(in crate::record_repository) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut escaped = false;
    let parts = text.split(move |character| {
        let separates = character == separator && !escaped;
        escaped = character == '\\' && !escaped;
        separates
    });
    parts.collect()
}

/// The text without its escapes.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            character => out.push(character),
        }
    }
    out
}

/// The values of a parameter, any of which is asked for.
pub(in crate::record_repository) fn texts(value: &str) -> Vec<String> {
    let parts = split(value, ',').into_iter();
    parts.map(plain).filter(|text| !text.is_empty()).collect()
}

/// A token: its system, if it names one, and its code or value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) system: Option<String>,
    pub(super) value: String,
}

/// The tokens of a parameter, or nothing if one of them has no value.
pub(super) fn tokens(value: &str) -> Option<Vec<Token>> {
    let parts = split(value, ',')
        .into_iter()
        .filter(|part| !part.is_empty());
    let token = |part: &str| {
        let bars = split(part, '|');
        let (system, value) = match bars.as_slice() {
            [value] => (None, *value),
            [system, value] => (Some(plain(system)), *value),
            _ => return None,
        };
        let value = plain(value);
        (!value.is_empty()).then_some(Token { system, value })
    };
    let tokens: Option<Vec<Token>> = parts.map(token).collect();
    tokens.filter(|tokens| !tokens.is_empty())
}

/// The words that a code may be found by. Its system may be called as audit messages call it.
pub(super) fn of_code(words: &Words, kind: Kind, token: &Token) -> Vec<Word> {
    let system = token.system.as_deref().map(|system| match system {
        "" => String::new(),
        system => codes::system(system),
    });
    words.asked(kind, system.as_deref(), &token.value)
}

/// The words that an identifier may be found by: as FHIR writes it, as HL7 does (CX), or as an OID
/// with its prefix or without.
pub(super) fn of_identifier(words: &Words, kind: Kind, token: &Token) -> Vec<Word> {
    let value = token.value.as_str();
    let Some(system) = &token.system else {
        let mut all = words.asked(kind, None, value);
        if let Some((system, value)) = from_dicom::patient_id(value) {
            all.extend(words.asked(kind, Some(&system), &value));
        }
        for value in uids(value) {
            all.extend(words.asked(kind, None, &value));
        }
        return all;
    };
    let named = match is_oid(system) {
        true => format!("urn:oid:{system}"),
        false => system.clone(),
    };
    let mut all = words.asked(kind, Some(&named), value);
    if matches!(system.as_str(), "urn:ietf:rfc:3986" | "urn:dicom:uid") {
        // Audit messages have no systems for these.
        all.extend(words.asked(kind, Some(""), value));
        for value in uids(value) {
            all.extend(words.asked(kind, Some(&named), &value));
            all.extend(words.asked(kind, Some(""), &value));
        }
    }
    all
}

/// The other ways to write a UID.
fn uids(value: &str) -> Vec<String> {
    match (
        value.strip_prefix("urn:oid:"),
        value.strip_prefix("urn:uuid:"),
    ) {
        (Some(plain), _) | (_, Some(plain)) => vec![plain.to_owned()],
        _ if is_oid(value) => vec![format!("urn:oid:{value}")],
        _ => vec![format!("urn:uuid:{value}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_texts() {
        let token = |system: Option<&str>, value: &str| Token {
            system: system.map(str::to_owned),
            value: value.to_owned(),
        };
        assert_eq!(tokens("a"), Some(vec![token(None, "a")]));
        assert_eq!(
            tokens(r"s|a,|b,c\,d,e\|f"),
            Some(vec![
                token(Some("s"), "a"),
                token(Some(""), "b"),
                token(None, "c,d"),
                token(None, "e|f")
            ])
        );
        for wrong in ["", ",", "s|", "a|b|c"] {
            assert_eq!(tokens(wrong), None, "{wrong}");
        }
        assert_eq!(texts(r"a,b\,c,,\\"), ["a", "b,c", "\\"]);
    }
}
