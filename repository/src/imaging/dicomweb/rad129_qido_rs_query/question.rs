//! What a query asks, read from its parameters (PS3.18 8.3.4).

use std::collections::BTreeSet;

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;

use super::super::asked::Asked;
use super::super::path::Scope;
use super::super::refused::Refused;
use crate::imaging::index::search::{Attribute, Level, Matching, Search};

/// Results of one answer, whoever asks for more. A study may have some thousand instances.
pub(super) const MOST: usize = 10_000;
/// Characters of a parameter's name that are repeated to whoever sent it.
const NAME: usize = 64;

/// A question.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) search: Search,
    /// Whether things are searched everywhere, so that each has to say what it belongs to.
    pub(super) everywhere: bool,
    /// Whether everything that is known is wanted.
    pub(super) all: bool,
    /// What is wanted in addition to what is always said.
    pub(super) include: BTreeSet<Tag>,
    /// Parameters that mean nothing here.
    pub(super) ignored: Vec<String>,
}

impl Question {
    pub(super) fn read(asked: &Asked, scope: &Scope) -> Result<Self, Refused> {
        let mut question = Self {
            search: Search {
                level: scope.level,
                keys: Vec::new(),
                offset: 0,
                limit: MOST,
            },
            everywhere: scope.study.is_none(),
            all: false,
            include: BTreeSet::new(),
            ignored: Vec::new(),
        };
        let within = [
            (Attribute::StudyInstanceUid, &scope.study),
            (Attribute::SeriesInstanceUid, &scope.series),
        ];
        for (attribute, uid) in within {
            if let Some(uid) = uid {
                let matching = Matching::OneOf(vec![uid.to_string()]);
                question.search.keys.push((attribute, matching));
            }
        }
        let fuzzy = match asked.parameter("fuzzymatching") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(wrong("fuzzymatching", "it is true or false")),
        };
        let mut seen = BTreeSet::new();
        for (name, value) in &asked.parameters {
            // Two values of one key could mean either of them, or both; nobody is to guess.
            if name != "includefield" && !seen.insert(name) {
                return Err(wrong(name, "it is there more than once"));
            }
            question.parameter(name, value, fuzzy)?;
        }
        Ok(question)
    }

    fn parameter(&mut self, name: &str, value: &str, fuzzy: bool) -> Result<(), Refused> {
        match name {
            "fuzzymatching" => {}
            "limit" => self.search.limit = number(name, value)?.min(MOST),
            "offset" => self.search.offset = number(name, value)?,
            "includefield" => {
                for field in value.split(',').map(str::trim).filter(|it| !it.is_empty()) {
                    match field {
                        "all" => self.all = true,
                        field => _ = self.include.insert(last(&path(name, field)?)),
                    }
                }
            }
            "emptyvaluematching" | "multiplevaluematching" => {
                if value != "false" {
                    self.ignored.push(name.to_owned());
                }
            }
            name => self.key(name, value, fuzzy)?,
        }
        Ok(())
    }

    /// An attribute by its keyword, by its tag, or within a sequence.
    fn key(&mut self, name: &str, value: &str, fuzzy: bool) -> Result<(), Refused> {
        let tags = path(name, name)?;
        let known = match tags.as_slice() {
            [tag] => Attribute::of(*tag),
            _ => None,
        };
        let Some(attribute) = known.filter(|it| it.level() <= self.search.level) else {
            self.ignored.push(shown(name));
            return Ok(());
        };
        let matching = Matching::of(attribute.kind(), value, fuzzy);
        let matching = matching.map_err(|problem| wrong(name, problem))?;
        self.include.insert(tags[0]);
        self.search.keys.push((attribute, matching));
        Ok(())
    }

    /// Whether the level of what is found, or one above it, is to be described.
    pub(super) fn describes(&self, level: Level) -> bool {
        self.search.level == level || self.everywhere || self.all
    }
}

fn number(name: &str, value: &str) -> Result<usize, Refused> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| digits);
    number.ok_or_else(|| wrong(name, "it is no number"))
}

/// Tags divided by points: an attribute, or one within a sequence.
fn path(parameter: &str, name: &str) -> Result<Vec<Tag>, Refused> {
    let tags: Option<Vec<Tag>> = name.split('.').map(tag).collect();
    tags.filter(|tags| !tags.is_empty())
        .ok_or_else(|| wrong(parameter, "there is no attribute of this name"))
}

fn last(tags: &[Tag]) -> Tag {
    // A path has at least one tag; of those within sequences, the sequence is given.
    tags.first().copied().unwrap_or(Tag(0, 0))
}

fn tag(name: &str) -> Option<Tag> {
    if name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let number = u32::from_str_radix(name, 16).ok()?;
        let [a, b, c, d] = number.to_be_bytes();
        return Some(Tag(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])));
    }
    StandardDataDictionary
        .by_name(name)
        .map(|entry| entry.tag())
}

fn wrong(parameter: &str, problem: &str) -> Refused {
    Refused::new(400, format!("{}: {problem}", shown(parameter)))
}

/// A name that somebody sent, so that it can stand in a header or a log.
fn shown(name: &str) -> String {
    let letters = name.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() || ['.', '_'].contains(&letter) => letter,
        _ => '?',
    });
    letters.take(NAME).collect()
}
