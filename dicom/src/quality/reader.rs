//! Reads the tables of a card. Whatever is wrong is refused with its line.

use regex::{Regex, RegexBuilder};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::finding::Severity;

/// A card longer than this is no card.
const MAX_CARD: usize = 256 * 1024;
/// A pattern may be this long, and its automaton may take this much memory.
const MAX_PATTERN: usize = 512;
const MAX_AUTOMATON: usize = 1024 * 1024;
/// More rules of one kind than this are refused.
const MAX_RULES: usize = 1000;

/// Why a text is no rule card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct CardError {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A table of the card and where it stands.
#[derive(Clone)]
pub(super) struct Section<'a> {
    text: &'a str,
    name: String,
    start: usize,
    table: &'a DeTable<'a>,
}

type Value<'a> = Spanned<DeValue<'a>>;

/// Parses the card and hands its root to `read`.
pub(super) fn with_root<T>(
    text: &str,
    read: impl FnOnce(&Section<'_>) -> Result<T, CardError>,
) -> Result<T, CardError> {
    if text.len() > MAX_CARD {
        return Err(CardError {
            line: 1,
            message: format!("longer than {MAX_CARD} bytes: not a rule card"),
        });
    }
    let parsed = DeTable::parse(text).map_err(|error| CardError {
        line: line(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    read(&Section {
        text,
        name: String::new(),
        start: 0,
        table: parsed.get_ref(),
    })
}

fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

impl<'a> Section<'a> {
    /// An error at the section itself.
    pub(super) fn error(&self, message: impl Into<String>) -> CardError {
        self.error_at(self.start, message)
    }

    /// An error at the value of a key.
    pub(super) fn error_of(&self, key: &str, message: impl Into<String>) -> CardError {
        let start = self
            .value(key)
            .map_or(self.start, |value| value.span().start);
        self.error_at(start, format!("{}: {}", self.full(key), message.into()))
    }

    fn error_at(&self, at: usize, message: impl Into<String>) -> CardError {
        CardError {
            line: line(self.text, at),
            message: message.into(),
        }
    }

    fn full(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    /// Refuses keys that mean nothing, by name and with the nearest one that does.
    pub(super) fn only(&self, known: &[&[&str]]) -> Result<(), CardError> {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !known.iter().any(|keys| keys.contains(&name)) {
                let hint = nearest(name, known.iter().flat_map(|keys| keys.iter().copied()));
                let message = format!("unknown key {}; {hint}", self.full(name));
                return Err(self.error_at(key.span().start, message));
            }
        }
        Ok(())
    }

    fn value(&self, key: &str) -> Option<&'a Value<'a>> {
        let mut entries = self.table.iter();
        entries.find_map(|(name, value)| (name.get_ref().as_ref() == key).then_some(value))
    }

    /// Whether the key is there at all.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    pub(super) fn string(&self, key: &str) -> Result<Option<String>, CardError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() => Ok(Some(text.to_owned())),
            Some(_) => Err(self.error_of(key, "is empty")),
            None => Err(self.error_of(key, "is a text, in quotation marks")),
        }
    }

    pub(super) fn required(&self, key: &str) -> Result<String, CardError> {
        let text = self.string(key)?;
        text.ok_or_else(|| self.error(format!("{} is missing", self.full(key))))
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, CardError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let number = number(value.get_ref()).filter(|number| number.is_finite());
        number
            .map(Some)
            .ok_or_else(|| self.error_of(key, "is a number, without quotation marks"))
    }

    pub(super) fn count(&self, key: &str) -> Result<Option<u64>, CardError> {
        let Some(number) = self.number(key)? else {
            return Ok(None);
        };
        if number.fract() == 0.0 && (0.0..1e9).contains(&number) {
            Ok(Some(number as u64))
        } else {
            Err(self.error_of(key, "is a whole number, not below zero"))
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, CardError> {
        let Some(value) = self.value(key) else {
            return Ok(false);
        };
        let flag = value.get_ref().as_bool();
        flag.ok_or_else(|| self.error_of(key, "is true or false"))
    }

    /// A list of texts and numbers, as texts. One alone needs no brackets.
    pub(super) fn list(&self, key: &str) -> Result<Vec<String>, CardError> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        let wrong = || self.error_of(key, "is a list of texts or numbers, and not empty");
        let values: Vec<&DeValue<'_>> = match value.get_ref() {
            DeValue::Array(values) => values.iter().map(Spanned::get_ref).collect(),
            one => vec![one],
        };
        if values.is_empty() {
            return Err(wrong());
        }
        values
            .into_iter()
            .map(|value| match value.as_str() {
                Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
                _ => number(value).map(|it| it.to_string()).ok_or_else(wrong),
            })
            .collect()
    }

    /// A list of words of which each must be known.
    pub(super) fn words(&self, key: &str, known: &[&str]) -> Result<Vec<String>, CardError> {
        let words = self.list(key)?;
        for word in &words {
            if !known.contains(&word.as_str()) {
                let hint = nearest(word, known.iter().copied());
                return Err(self.error_of(key, format!("unknown word {word}; {hint}")));
            }
        }
        Ok(words)
    }

    pub(super) fn pattern(&self, key: &str) -> Result<Option<Regex>, CardError> {
        let Some(text) = self.string(key)? else {
            return Ok(None);
        };
        if text.len() > MAX_PATTERN {
            let message = format!("a pattern has at most {MAX_PATTERN} characters");
            return Err(self.error_of(key, message));
        }
        let pattern = RegexBuilder::new(&text)
            .size_limit(MAX_AUTOMATON)
            .dfa_size_limit(MAX_AUTOMATON)
            .nest_limit(50)
            .build();
        pattern.map(Some).map_err(|error| {
            // The parser's own text spans lines and draws; its last line says what is wrong.
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default().trim();
            let last = last.trim_start_matches("error: ");
            self.error_of(key, format!("not a pattern: {last}"))
        })
    }

    /// The severity of what the section wants; quarantine if it does not say.
    pub(super) fn severity(&self) -> Result<Severity, CardError> {
        match self.string("severity")?.as_deref() {
            None | Some("quarantine") => Ok(Severity::Quarantine),
            Some("warn") => Ok(Severity::Warn),
            Some(_) => Err(self.error_of("severity", "is \"warn\" or \"quarantine\"")),
        }
    }

    /// Lower and upper limit, of which the lower may not be above the upper.
    pub(super) fn range(
        &self,
        lower: &str,
        upper: &str,
    ) -> Result<(Option<f64>, Option<f64>), CardError> {
        let range = (self.number(lower)?, self.number(upper)?);
        match range {
            (Some(low), Some(high)) if low > high => {
                let message = format!("{low} is above {} = {high}", self.full(upper));
                Err(self.error_of(lower, message))
            }
            range => Ok(range),
        }
    }

    /// As [`range`](Self::range), of whole numbers.
    pub(super) fn counts(
        &self,
        lower: &str,
        upper: &str,
    ) -> Result<(Option<u64>, Option<u64>), CardError> {
        self.range(lower, upper)?;
        Ok((self.count(lower)?, self.count(upper)?))
    }

    /// A table below this one.
    pub(super) fn section(&self, key: &str) -> Result<Option<Self>, CardError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let table = value.get_ref().as_table();
        let table = table.ok_or_else(|| self.error_of(key, format!("is a section, [{key}]")))?;
        Ok(Some(self.below(key, value.span().start, table)))
    }

    /// A list of tables below this one.
    pub(super) fn sections(&self, key: &str) -> Result<Vec<Self>, CardError> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        let wrong = || self.error_of(key, format!("is a list of sections, [[{key}]]"));
        let values = value.get_ref().as_array().ok_or_else(wrong)?;
        if values.len() > MAX_RULES {
            return Err(self.error_of(key, format!("more than {MAX_RULES} of them")));
        }
        values
            .iter()
            .map(|value| {
                let table = value.get_ref().as_table().ok_or_else(wrong)?;
                Ok(self.below(key, value.span().start, table))
            })
            .collect()
    }

    fn below(&self, key: &str, start: usize, table: &'a DeTable<'a>) -> Self {
        Section {
            text: self.text,
            name: self.full(key),
            start,
            table,
        }
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(integer) => {
            let digits = integer.as_str().replace('_', "");
            let number = i64::from_str_radix(&digits, integer.radix()).ok()?;
            Some(number as f64)
        }
        DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
        _ => None,
    }
}

/// "did you mean …?" with the nearest known word.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let nearest = known.min_by_key(|known| strsim::damerau_levenshtein(word, known));
    nearest.map_or_else(String::new, |nearest| format!("did you mean {nearest}?"))
}
