//! Reads tables and the values in them.

use std::time::SystemTime;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Read, RulesError};
use crate::access::moment;

/// A text longer than this is no rules file.
const MAX_BYTES: usize = 1024 * 1024;
/// A list may have so many items.
const MAX_ITEMS: usize = 10_000;

/// A table and where it stands.
#[derive(Clone)]
pub(super) struct Section<'a> {
    text: &'a str,
    name: String,
    start: usize,
    table: &'a DeTable<'a>,
}

/// A text and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) text: String,
    at: usize,
}

/// Parses the file and hands its root to `read`.
pub(super) fn with_root<T>(text: &str, read: impl FnOnce(&Section<'_>) -> Read<T>) -> Read<T> {
    if text.len() > MAX_BYTES {
        return Err(RulesError {
            line: 1,
            message: format!("longer than {MAX_BYTES} bytes: no rules file"),
        });
    }
    let parsed = DeTable::parse(text).map_err(|error| RulesError {
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
    /// Where it begins.
    pub(super) fn line(&self) -> usize {
        line(self.text, self.start)
    }

    /// An error at the section itself.
    pub(super) fn error(&self, message: &str) -> RulesError {
        let message = match self.name.as_str() {
            "" => message.to_owned(),
            name => format!("{name}: {message}"),
        };
        self.error_at(self.start, message)
    }

    /// An error at the value of a key.
    pub(super) fn error_of(&self, key: &str, message: &str) -> RulesError {
        let value = self.value(key);
        let start = value.map_or(self.start, |value| value.span().start);
        self.error_at(start, format!("{}: {message}", self.full(key)))
    }

    /// An error at one text in the list of a key.
    pub(super) fn error_in(&self, key: &str, text: &Text, message: &str) -> RulesError {
        let message = format!("{}: {:?}: {message}", self.full(key), text.text);
        self.error_at(text.at, message)
    }

    /// The refusal of a word that is none of those that are known.
    pub(super) fn unknown<'b>(
        &self,
        (key, text): (&str, &Text),
        known: impl Iterator<Item = &'b str>,
    ) -> RulesError {
        let hint = nearest(&text.text, known);
        self.error_in(key, text, &format!("it is unknown{hint}"))
    }

    fn error_at(&self, at: usize, message: String) -> RulesError {
        RulesError {
            line: line(self.text, at),
            message,
        }
    }

    fn full(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    /// Refuses keys that mean nothing, by name and with the nearest one that does.
    pub(super) fn only(&self, known: &[&str]) -> Read<()> {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let hint = nearest(name, known.iter().copied());
                let message = format!("unknown key {}{hint}", self.full(name));
                return Err(self.error_at(key.span().start, message));
            }
        }
        Ok(())
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        let mut entries = self.table.iter();
        entries.find_map(|(name, value)| (name.get_ref().as_ref() == key).then_some(value))
    }

    /// One text.
    pub(super) fn text(&self, key: &str) -> Read<Option<Text>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() => Ok(Some(Text {
                text: text.to_owned(),
                at: value.span().start,
            })),
            _ => Err(self.error_of(key, "it is a text, in quotation marks")),
        }
    }

    /// One text that must be there.
    pub(super) fn required(&self, key: &str) -> Read<String> {
        let text = self.text(key)?.map(|it| it.text);
        text.ok_or_else(|| self.error(&format!("{key} is missing")))
    }

    /// A list of texts, not empty. One alone needs no brackets.
    pub(super) fn texts(&self, key: &str) -> Read<Option<Vec<Text>>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let DeValue::Array(values) = value.get_ref() else {
            return Ok(self.text(key)?.map(|text| vec![text]));
        };
        if values.is_empty() || values.len() > MAX_ITEMS {
            return Err(self.error_of(key, "it is a list of texts, and not empty"));
        }
        let text = |value: &Spanned<DeValue<'_>>| match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() => Ok(Text {
                text: text.to_owned(),
                at: value.span().start,
            }),
            _ => Err(self.error_of(key, "it is a list of texts, none of them empty")),
        };
        values.iter().map(text).collect::<Read<_>>().map(Some)
    }

    /// The same without where they stand.
    pub(super) fn plain(&self, key: &str) -> Read<Option<Vec<String>>> {
        let texts = self.texts(key)?;
        Ok(texts.map(|all| all.into_iter().map(|it| it.text).collect()))
    }

    /// True or false.
    pub(super) fn flag(&self, key: &str) -> Read<bool> {
        let Some(value) = self.value(key) else {
            return Ok(false);
        };
        let flag = value.get_ref().as_bool();
        flag.ok_or_else(|| self.error_of(key, "it is true or false"))
    }

    /// A word that is one of these.
    pub(super) fn one_of<T: Copy>(&self, key: &str, known: &[(&str, T)]) -> Read<Option<T>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        self.among(key, &text, known).map(Some)
    }

    /// Words of which each is one of these.
    pub(super) fn some_of<T: Copy>(&self, key: &str, known: &[(&str, T)]) -> Read<Option<Vec<T>>> {
        let Some(texts) = self.texts(key)? else {
            return Ok(None);
        };
        let texts = texts.iter();
        let words = texts.map(|text| self.among(key, text, known));
        words.collect::<Read<_>>().map(Some)
    }

    fn among<T: Copy>(&self, key: &str, text: &Text, known: &[(&str, T)]) -> Read<T> {
        let found = known.iter().find(|(word, _)| *word == text.text);
        let word = found.map(|(_, meant)| *meant);
        word.ok_or_else(|| self.unknown((key, text), known.iter().map(|(word, _)| *word)))
    }

    /// A date or a time: the first moment that it may mean, and the first after those. Without an
    /// offset it is UTC.
    pub(super) fn moment(&self, key: &str) -> Read<Option<(SystemTime, SystemTime)>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let read = |value: &DeValue<'_>| {
            let date = match value {
                DeValue::Datetime(date) => date.to_string(),
                _ => return None,
            };
            let time = date.split_once('T').map(|(_, time)| time);
            let is_local = time.is_some_and(|it| !it.contains(['Z', '+', '-']));
            moment::fhir(&if is_local { date + "Z" } else { date })
        };
        let moment = read(value.get_ref());
        moment.map(Some).ok_or_else(|| {
            self.error_of(
                key,
                "it is a date or a time, such as 2026-11-27, without quotation marks",
            )
        })
    }

    /// A table below this one.
    pub(super) fn table(&self, key: &str) -> Read<Option<Self>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let table = value.get_ref().as_table();
        let table = table.ok_or_else(|| self.error_of(key, "it is a table"))?;
        Ok(Some(self.below(key, value.span().start, table)))
    }

    /// A list of tables below this one.
    pub(super) fn tables(&self, key: &str, most: usize) -> Read<Vec<Self>> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        let wrong = || self.error_of(key, &format!("it is a list of tables, [[{key}]]"));
        let values = value.get_ref().as_array().ok_or_else(wrong)?;
        if values.len() > most {
            return Err(self.error_of(key, &format!("there are more than {most} of them")));
        }
        let table = |value: &'a Spanned<DeValue<'a>>| {
            let table = value.get_ref().as_table().ok_or_else(wrong)?;
            Ok(self.below(key, value.span().start, table))
        };
        values.iter().map(table).collect()
    }

    /// The tables below a table, by name.
    pub(super) fn named(&self, key: &str, most: usize) -> Read<Vec<(String, Self)>> {
        let Some(section) = self.table(key)? else {
            return Ok(Vec::new());
        };
        if section.table.len() > most {
            return Err(self.error_of(key, &format!("there are more than {most} of them")));
        }
        let names = section.table.keys().map(|name| name.get_ref().to_string());
        let table = |name: String| {
            let table = section.table(&name)?;
            table
                .map(|table| (name, table))
                .ok_or_else(|| section.error("it is a table"))
        };
        names.map(table).collect()
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

/// "; did you mean …?" with the nearest known word.
pub(in crate::access) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let small = word.to_lowercase();
    let nearest = known.min_by_key(|known| {
        let differs = strsim::damerau_levenshtein(&small, &known.to_lowercase());
        (differs, strsim::damerau_levenshtein(word, known))
    });
    nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"))
}
