//! DICOM JSON that others wrote: answers of archives to QIDO-RS and to WADO-RS for metadata.
//!
//! An answer is a list of data sets, which may be longer than memory. It is cut into data sets as it
//! comes, and each of them becomes a [`DataSet`] as a file would give it: text in UTF-8, numbers little
//! endian. Values behind an address (`BulkDataURI`) stand apart, and are in no file.

mod value;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use crate::walk::{DataSet, Value};

use value::Attribute;

/// Bytes of one data set as JSON. An enhanced image of a thousand frames has a few million.
pub const MAX_DATA_SET: usize = 32 * 1024 * 1024;
/// Elements, items and values in one data set.
const MAX_ELEMENTS: usize = 1_000_000;
/// Objects and lists within each other: forty sequences.
const MAX_DEPTH: usize = 120;

/// Why an answer is no list of data sets. The texts repeat nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Something else than a list of objects.
    #[error("it is not a list of data sets in DICOM JSON")]
    NotAList,
    /// The list is not closed.
    #[error("it ends in the middle")]
    Truncated,
    /// One data set is too long.
    #[error("a data set is longer than {MAX_DATA_SET} bytes")]
    TooLong,
    /// Too deep.
    #[error("a data set is nested too deeply")]
    TooDeep,
    /// A data set that cannot be read.
    #[error("data set {0} cannot be read: {1}")]
    Garbled(u64, String),
}

/// Cuts a list of data sets that comes in pieces.
#[derive(Debug, Default)]
pub struct DataSets {
    state: State,
    /// What has come of the data set that is coming.
    coming: Vec<u8>,
    depth: usize,
    /// Within a string, and behind a backslash there.
    in_string: bool,
    escaped: bool,
    /// Data sets so far.
    count: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    BeforeList,
    /// A data set or the end of the list may come.
    First,
    /// A data set must come.
    Next,
    Within,
    /// A comma or the end of the list may come.
    Behind,
    Ended,
}

impl DataSets {
    /// Nothing has come yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a piece and gives the data sets that are complete with it.
    ///
    /// # Errors
    /// If it cannot be such a list. Then no more may be given.
    pub fn add(&mut self, piece: &[u8]) -> Result<Vec<DataSet>, JsonError> {
        let mut complete = Vec::new();
        // Where in the piece the data set that is coming begins.
        let mut begin = 0;
        for (at, byte) in piece.iter().enumerate() {
            match self.state {
                State::Within => {
                    if self.coming.len() + (at - begin) > MAX_DATA_SET {
                        return Err(JsonError::TooLong);
                    }
                    if self.closes(*byte)? {
                        self.coming.extend_from_slice(&piece[begin..=at]);
                        complete.push(self.complete()?);
                        self.state = State::Behind;
                    }
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => {
                    self.state = match (self.state, byte) {
                        (State::BeforeList, b'[') => State::First,
                        (State::First | State::Next, b'{') => {
                            (begin, self.depth) = (at, 1);
                            State::Within
                        }
                        (State::First | State::Behind, b']') => State::Ended,
                        (State::Behind, b',') => State::Next,
                        _ => return Err(JsonError::NotAList),
                    };
                }
            }
        }
        if self.state == State::Within {
            self.coming.extend_from_slice(&piece[begin..]);
        }
        Ok(complete)
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// If something is missing.
    pub fn finish(self) -> Result<(), JsonError> {
        match self.state {
            State::Ended => Ok(()),
            _ => Err(JsonError::Truncated),
        }
    }

    /// Whether the data set ends with this byte.
    fn closes(&mut self, byte: u8) -> Result<bool, JsonError> {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return Ok(false);
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(JsonError::TooDeep);
                }
            }
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        Ok(self.depth == 0)
    }

    fn complete(&mut self) -> Result<DataSet, JsonError> {
        self.count += 1;
        let read = data_set(&self.coming);
        self.coming.clear();
        // One long data set must not keep its memory until the last one has come.
        self.coming.shrink_to(64 * 1024);
        read.map_err(|error| {
            // Its text may repeat what stands there.
            let place = format!("line {}, column {}", error.line(), error.column());
            let what = match error.classify() {
                serde_json::error::Category::Data => "it is not DICOM JSON",
                _ => "it is not JSON",
            };
            JsonError::Garbled(self.count, format!("{what} ({place})"))
        })
    }
}

/// Reads one data set. Its text is in UTF-8, and it says so.
fn data_set(json: &[u8]) -> serde_json::Result<DataSet> {
    let mut counted = 0;
    let mut json = serde_json::Deserializer::from_slice(json);
    let mut object = json.deserialize_map(Object {
        counted: &mut counted,
    })?;
    json.end()?;
    let elements = &mut object.elements;
    elements.retain(|(tag, ..)| *tag != tags::SPECIFIC_CHARACTER_SET);
    let set = Value::Bytes(b"ISO_IR 192".to_vec());
    elements.insert(0, (tags::SPECIFIC_CHARACTER_SET, VR::CS, set));
    Ok(DataSet::of(object.into_elements()))
}

/// A JSON object: an item of a sequence, or the groups of a name.
#[derive(Debug, Default)]
struct Read {
    elements: Vec<(Tag, VR, Value)>,
    /// Alphabetic, ideographic and phonetic.
    name: [Option<String>; 3],
}

impl Read {
    /// By tag, each once: the first counts.
    fn into_elements(mut self) -> Vec<(Tag, VR, Value)> {
        self.elements.sort_by_key(|(tag, ..)| *tag);
        self.elements.dedup_by_key(|(tag, ..)| *tag);
        self.elements
    }
}

/// Reads an object.
struct Object<'c> {
    counted: &'c mut usize,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Read;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        let mut read = Read::default();
        while let Some(key) = map.next_key::<String>()? {
            count(self.counted)?;
            let group = match key.as_str() {
                "Alphabetic" => Some(0),
                "Ideographic" => Some(1),
                "Phonetic" => Some(2),
                _ => None,
            };
            if let Some(group) = group {
                read.name[group] = map.next_value::<Option<String>>()?;
                continue;
            }
            let Some(tag) = tag_of(&key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let attribute = map.next_value_seed(Attribute {
                counted: &mut *self.counted,
            })?;
            if let Some((vr, value)) = attribute {
                read.elements.push((tag, vr, value));
            }
        }
        Ok(read)
    }
}

/// Counts elements, items and values.
fn count<E: serde::de::Error>(counted: &mut usize) -> Result<(), E> {
    *counted += 1;
    match *counted > MAX_ELEMENTS {
        true => Err(E::custom("too many elements")),
        false => Ok(()),
    }
}

/// Eight hexadecimal digits.
fn tag_of(text: &str) -> Option<Tag> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(text, 16).ok().filter(|_| digits)?;
    Some(Tag((number >> 16) as u16, (number & 0xFFFF) as u16))
}

#[cfg(test)]
mod tests;
