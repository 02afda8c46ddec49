//! HL7 v2 in its form with vertical bars, as far as feeds of patients need it (HL7 v2.5 chapter 2).
//!
//! [`Message::read`] takes a message apart into segments and looks at nothing else; fields,
//! repetitions, components and subcomponents are found when they are asked for, so that reading
//! costs no more than the message is long. [`acknowledgement`] writes and reads what answers it.
//!
//! Segments end with a carriage return; line feeds, which some senders use, are taken too. The
//! delimiters are those of the message. Whatever bytes come, nothing here panics.

pub mod acknowledgement;
pub mod cx;
mod header;
#[cfg(test)]
mod tests;
mod text;

use std::ops::Range;

use thiserror::Error;

pub use acknowledgement::{Acknowledgement, ErrorCode, Place, Refusal};
pub use cx::PatientDomain;
pub use header::Header;
pub use text::{encode, segment};

/// Segments that a message may have. Messages about patients have less than fifty.
pub const MAX_SEGMENTS: usize = 1000;

/// The text is no HL7 v2 message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("this is no HL7 v2 message: {0}")]
pub struct NotHl7(&'static str);

/// A message, taken apart into segments.
#[derive(Debug, Clone)]
pub struct Message {
    text: String,
    delimiters: Delimiters,
    segments: Vec<Range<usize>>,
    charset_known: bool,
}

/// MSH-1 and MSH-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Delimiters {
    field: char,
    component: char,
    repetition: char,
    escape: char,
    subcomponent: char,
}

/// One segment.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'m> {
    text: &'m str,
    delimiters: Delimiters,
}

/// One field with all of its repetitions; empty if it is not there.
#[derive(Debug, Clone, Copy)]
pub struct Field<'m> {
    text: &'m str,
    delimiters: Delimiters,
}

/// One repetition of a field.
#[derive(Debug, Clone, Copy)]
pub struct Repetition<'m> {
    text: &'m str,
    delimiters: Delimiters,
}

/// One component; empty if it is not there.
#[derive(Debug, Clone, Copy)]
pub struct Component<'m> {
    text: &'m str,
    delimiters: Delimiters,
}

impl Message {
    /// Reads a message that begins with MSH.
    ///
    /// # Errors
    /// Says in which way the bytes are no HL7 v2 message; never quotes them.
    pub fn read(bytes: &[u8]) -> Result<Self, NotHl7> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let delimiters = Delimiters::read(bytes)?;
        let (text, charset_known) = text::decode(bytes, delimiters.field);
        let mut segments = Vec::new();
        let mut begin = 0;
        for line in text.split(['\r', '\n']) {
            let range = begin..begin + line.len();
            begin = range.end + 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            if !is_segment(line, delimiters.field) {
                return Err(NotHl7("a line of it does not begin with a segment's name"));
            }
            if segments.len() == MAX_SEGMENTS {
                return Err(NotHl7("it has more than 1000 segments"));
            }
            segments.push(range);
        }
        Ok(Self {
            text,
            delimiters,
            segments,
            charset_known,
        })
    }

    /// All segments in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.segments.iter().map(|range| Segment {
            text: &self.text[range.clone()],
            delimiters: self.delimiters,
        })
    }

    /// The first segment of this name.
    pub fn segment(&self, name: &str) -> Option<Segment<'_>> {
        self.segments().find(|segment| segment.name() == name)
    }

    /// Whether MSH-18 names a character set that is read here, or nothing but ASCII is used.
    /// Otherwise, characters that are not ASCII may be others than they seem.
    pub fn charset_known(&self) -> bool {
        self.charset_known
    }
}

impl Delimiters {
    /// As we write them.
    const STANDARD: Self = Self {
        field: '|',
        component: '^',
        repetition: '~',
        escape: '\\',
        subcomponent: '&',
    };

    fn read(bytes: &[u8]) -> Result<Self, NotHl7> {
        let rest = bytes
            .strip_prefix(b"MSH")
            .ok_or(NotHl7("it does not begin with MSH"))?;
        let [
            field,
            component,
            repetition,
            escape,
            subcomponent,
            after @ ..,
        ] = rest
        else {
            return Err(NotHl7("MSH names no delimiters"));
        };
        let all = [*field, *component, *repetition, *escape, *subcomponent];
        let sound =
            |(at, byte): (usize, &u8)| byte.is_ascii_punctuation() && !all[..at].contains(byte);
        // HL7 v2.7 has a fifth encoding character, for what was truncated.
        let ends = match after {
            [] | [b'\r' | b'\n', ..] => true,
            [next, ..] if next == field => true,
            [_, next, ..] => next == field,
            [_] => false,
        };
        if !all.iter().enumerate().all(sound) || !ends {
            return Err(NotHl7("MSH-1 and MSH-2 are not five different delimiters"));
        }
        Ok(Self {
            field: char::from(*field),
            component: char::from(*component),
            repetition: char::from(*repetition),
            escape: char::from(*escape),
            subcomponent: char::from(*subcomponent),
        })
    }
}

impl<'m> Segment<'m> {
    /// Its name: three characters.
    pub fn name(&self) -> &'m str {
        let field = self.delimiters.field;
        self.text.split(field).next().unwrap_or_default()
    }

    /// The field of this number, counted from 1 as in the standard.
    pub fn field(&self, number: usize) -> Field<'m> {
        // MSH-1 is the separator itself.
        let place = number - usize::from(number > 0 && self.name() == "MSH");
        let mut fields = self.text.split(self.delimiters.field);
        let text = if place == 0 {
            ""
        } else {
            fields.nth(place).unwrap_or_default()
        };
        Field {
            text,
            delimiters: self.delimiters,
        }
    }
}

impl<'m> Field<'m> {
    /// Whether nothing stands in it.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Its repetitions that are not empty.
    pub fn repetitions(self) -> impl Iterator<Item = Repetition<'m>> {
        let delimiters = self.delimiters;
        let all = self.text.split(delimiters.repetition);
        all.filter(|text| !text.is_empty())
            .map(move |text| Repetition { text, delimiters })
    }

    /// The component of this number of its first repetition.
    pub fn component(&self, number: usize) -> Component<'m> {
        let text = self.text.split(self.delimiters.repetition).next();
        let first = Repetition {
            text: text.unwrap_or_default(),
            delimiters: self.delimiters,
        };
        first.component(number)
    }

    /// Its first repetition with the usual delimiters, at most `limit` characters of it.
    pub fn written(&self, limit: usize) -> String {
        let text = self.text.split(self.delimiters.repetition).next();
        let mut written = String::new();
        for (at, component) in text
            .unwrap_or_default()
            .split(self.delimiters.component)
            .enumerate()
        {
            for (below, part) in component.split(self.delimiters.subcomponent).enumerate() {
                match (at, below) {
                    (0, 0) => {}
                    (_, 0) => written.push('^'),
                    _ => written.push('&'),
                }
                written.push_str(&encode(&self.delimiters.unescape(part)));
                if written.len() > limit {
                    return written.chars().take(limit).collect();
                }
            }
        }
        written
    }
}

impl<'m> Repetition<'m> {
    /// The component of this number, counted from 1.
    pub fn component(&self, number: usize) -> Component<'m> {
        let mut components = self.text.split(self.delimiters.component);
        Component {
            text: components.nth(number.saturating_sub(1)).unwrap_or_default(),
            delimiters: self.delimiters,
        }
    }
}

impl Component<'_> {
    /// The subcomponent of this number, counted from 1, as the text that it means.
    pub fn part(&self, number: usize) -> String {
        let mut parts = self.text.split(self.delimiters.subcomponent);
        let part = parts.nth(number.saturating_sub(1)).unwrap_or_default();
        self.delimiters.unescape(part)
    }

    /// The first subcomponent, as the text that it means.
    pub fn text(&self) -> String {
        self.part(1)
    }
}

/// Three capital letters or digits, and then nothing or a field.
fn is_segment(line: &str, field: char) -> bool {
    let Some((name, rest)) = line.split_at_checked(3) else {
        return false;
    };
    name.bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && (rest.is_empty() || rest.starts_with(field))
}
