//! MTOM and XOP: `multipart/related` bodies, their parts, and the references between them.
//!
//! Everything here works on bytes in memory. The scanner is fed with chunks as they arrive and
//! points into them, so that a document is never copied to find its end.
//! <https://www.w3.org/TR/soap12-mtom/>, <https://www.w3.org/TR/xop10/>, RFC 2046, RFC 2387

mod mixed;

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem::Finder;
use thiserror::Error;

use crate::xml::{Reader, TextOrChild, Writer, XmlError, ns};

pub use mixed::{COMMUNITY, MIXED, mixed_content_type, mixed_opening, mixed_part};

/// Characters of a boundary. RFC 2046 allows 70, but Orthanc sends 73.
const BOUNDARY: usize = 200;

/// What is wrong with a multipart body.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MtomError {
    /// The `Content-Type` cannot be read.
    #[error("the Content-Type cannot be read: {0}")]
    ContentType(&'static str),
    /// `multipart/related` without a usable boundary.
    #[error("the Content-Type multipart/related has no boundary of 1 to 200 characters")]
    NoBoundary,
    /// The body does not start with the boundary.
    #[error("the boundary \"{0}\" of the Content-Type is not found where the body begins")]
    WrongBoundary(String),
    /// Bytes between boundary and line end.
    #[error("the boundary \"{0}\" is followed by something else than a line end")]
    GarbledBoundary(String),
    /// The closing boundary never came.
    #[error("the body ends in part {0} before the closing boundary")]
    Truncated(usize),
    /// Too many bytes of headers in one part.
    #[error("the headers of part {part} are longer than {limit} bytes")]
    HeadersTooLong {
        /// The part, counted from 1.
        part: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many parts.
    #[error("the body has more than {0} parts")]
    TooManyParts(usize),
    /// A header of a part that cannot be read.
    #[error("a header of part {0} cannot be read")]
    GarbledHeader(usize),
    /// Base64 or quoted-printable, which MTOM does not use.
    #[error("part {0} has a Content-Transfer-Encoding other than binary, 8bit and 7bit")]
    TransferEncoding(usize),
}

/// A media type with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    /// Type and subtype in lower case: `multipart/related`.
    pub essence: String,
    /// Names in lower case, values without quotes.
    parameters: Vec<(String, String)>,
}

impl ContentType {
    /// Reads the value of a `Content-Type` header.
    pub fn parse(value: &str) -> Result<Self, MtomError> {
        let (essence, mut rest) = value.split_once(';').unwrap_or((value, ""));
        let essence = essence.trim().to_ascii_lowercase();
        if !essence
            .split_once('/')
            .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
        {
            return Err(MtomError::ContentType("no type/subtype"));
        }
        let mut parameters = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ';']);
            if rest.is_empty() {
                return Ok(Self {
                    essence,
                    parameters,
                });
            }
            let (name, after) = rest
                .split_once('=')
                .ok_or(MtomError::ContentType("a parameter without a value"))?;
            let (value, after) = parameter_value(after.trim_start())?;
            parameters.push((name.trim().to_ascii_lowercase(), value));
            rest = after;
        }
    }

    /// The value of a parameter, whose name is given in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte))
}

/// A parameter's value and what follows it. Boundaries like `==ZMM/==` are not tokens, but are
/// sent without quotes all the same.
fn parameter_value(text: &str) -> Result<(String, &str), MtomError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Ok((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            _ => value.push(character),
        }
    }
    Err(MtomError::ContentType("a quoted string without its end"))
}

/// The form in which Content-IDs are compared, whether they come from a `Content-ID` header, from
/// the parameter `start` or from `xop:Include href`: without `cid:`, `<>` and percent-encoding.
pub fn content_id(text: &str) -> String {
    let text = text.trim();
    let text = match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("cid:") => &text[4..],
        _ => text,
    };
    let text = text
        .strip_prefix('<')
        .and_then(|inner| inner.strip_suffix('>'))
        .unwrap_or(text);
    percent_decoded(text)
}

fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| {
        bytes
            .get(at)
            .and_then(|byte| char::from(*byte).to_digit(16))
    };
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
            }
            (byte, _, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

/// The headers of one part, as far as they are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartHeaders {
    /// `Content-ID`, in the form of [`content_id`].
    pub content_id: Option<String>,
    /// `Content-Type`, as it was sent.
    pub content_type: Option<String>,
    /// `Content-Location`, as it was sent: what MTOM has no use for, but others name parts by.
    pub content_location: Option<String>,
    /// [`COMMUNITY`], as it was sent.
    pub community: Option<String>,
}

impl PartHeaders {
    /// Reads the header lines of part number `part`, up to and without the empty line.
    fn parse(block: &[u8], part: usize) -> Result<Self, MtomError> {
        let block = String::from_utf8_lossy(block)
            .replace("\r\n ", " ")
            .replace("\r\n\t", " ");
        let mut headers = Self::default();
        for line in block.split("\r\n").filter(|line| !line.trim().is_empty()) {
            let (name, value) = line.split_once(':').ok_or(MtomError::GarbledHeader(part))?;
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("content-id") {
                headers.content_id = Some(content_id(value));
            } else if name.eq_ignore_ascii_case("content-type") {
                headers.content_type = Some(value.to_owned());
            } else if name.eq_ignore_ascii_case("content-location") {
                headers.content_location = Some(value.to_owned());
            } else if name.eq_ignore_ascii_case(COMMUNITY) {
                headers.community = Some(value.to_owned());
            } else if name.eq_ignore_ascii_case("content-transfer-encoding")
                && !["binary", "8bit", "7bit"]
                    .iter()
                    .any(|known| value.eq_ignore_ascii_case(known))
            {
                return Err(MtomError::TransferEncoding(part));
            }
        }
        Ok(headers)
    }
}

/// How much of a multipart body is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanLimits {
    /// Bytes of the headers of one part, and of what stands before the first part.
    pub header_bytes: usize,
    /// Parts, the root part included.
    pub parts: usize,
}

/// What the scanner found in a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing more: give it the next chunk.
    Nothing,
    /// A part begins.
    Part(PartHeaders),
    /// This range of the chunk belongs to the part.
    Data(Range<usize>),
    /// This range of [`Scanner::delimiter`] belongs to the part: the end of an earlier chunk
    /// looked like the beginning of a boundary, but was none.
    Withheld(Range<usize>),
    /// The part is complete.
    PartEnd,
    /// The last part is complete; whatever follows has no meaning.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// Behind a boundary, before its line end.
    Boundary,
    /// In the header lines of a part.
    Headers,
    /// In the content of a part.
    Content,
    /// Behind the closing boundary.
    Epilogue,
}

/// Finds the parts of a multipart body in chunks of any size.
#[derive(Debug)]
pub struct Scanner {
    /// Line end, two hyphens and the boundary.
    delimiter: Vec<u8>,
    finder: Finder<'static>,
    limits: ScanLimits,
    state: State,
    /// How much of the delimiter the chunks before this one ended with.
    matched: usize,
    /// How much of `matched` is no content: the line end that closed the headers may be the one
    /// that opens the delimiter, and so may the beginning of the body.
    borrowed: usize,
    /// What of a boundary line or of header lines came so far.
    held: Vec<u8>,
    skipped: usize,
    parts: usize,
}

impl Scanner {
    /// A scanner for the boundary that the `Content-Type` names.
    pub fn new(content_type: &ContentType, limits: ScanLimits) -> Result<Self, MtomError> {
        let boundary = content_type
            .parameter("boundary")
            .filter(|boundary| (1..=BOUNDARY).contains(&boundary.len()))
            .filter(|boundary| {
                boundary
                    .bytes()
                    .all(|byte| byte == b' ' || byte.is_ascii_graphic())
            })
            .ok_or(MtomError::NoBoundary)?;
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Ok(Self {
            finder: Finder::new(&delimiter).into_owned(),
            delimiter,
            limits,
            state: State::Preamble,
            matched: 2,
            borrowed: 2,
            held: Vec::new(),
            skipped: 0,
            parts: 0,
        })
    }

    /// Line end, two hyphens and the boundary: what [`Found::Withheld`] counts.
    pub fn delimiter(&self) -> &[u8] {
        &self.delimiter
    }

    /// Looks at the rest of the current chunk: how many of its bytes are done with, and what they
    /// were. Call it until it finds [`Found::Nothing`], then bring the next chunk.
    pub fn step(&mut self, chunk: &[u8]) -> Result<(usize, Found), MtomError> {
        let mut at = 0;
        loop {
            let rest = &chunk[at..];
            if rest.is_empty() {
                return Ok((at, Found::Nothing));
            }
            let (used, found) = match self.state {
                State::Preamble => (self.preamble(rest)?, None),
                State::Boundary => self.boundary(rest)?,
                State::Headers => self.headers(rest)?,
                State::Content => {
                    let (used, found) = self.content(rest);
                    // The range is one of the caller's chunk.
                    let found = match found {
                        Some(Found::Data(range)) => {
                            Some(Found::Data(range.start + at..range.end + at))
                        }
                        found => found,
                    };
                    (used, found)
                }
                State::Epilogue => (rest.len(), None),
            };
            at += used;
            if let Some(found) = found {
                return Ok((at, found));
            }
        }
    }

    /// Checks that the body may end here.
    pub fn finish(&self) -> Result<(), MtomError> {
        match self.state {
            State::Epilogue => Ok(()),
            State::Preamble => Err(self.wrong_boundary()),
            _ => Err(MtomError::Truncated(self.parts.max(1))),
        }
    }

    /// What stands before the first part is limited, however the body arrives.
    fn preamble(&mut self, rest: &[u8]) -> Result<usize, MtomError> {
        let (used, found) = self.until_delimiter(rest);
        self.skipped += used;
        let delimiter = match found {
            true => self.delimiter.len(),
            false => self.matched,
        };
        if self.skipped.saturating_sub(delimiter) > self.limits.header_bytes {
            return Err(self.wrong_boundary());
        }
        if found {
            self.state = State::Boundary;
        }
        Ok(used)
    }

    /// Goes on to behind the next delimiter or, if there is none, to the end.
    fn until_delimiter(&mut self, rest: &[u8]) -> (usize, bool) {
        if self.matched > 0 {
            match self.continued(rest) {
                Continued::Complete(used) => return (used, true),
                Continued::Partly => return (rest.len(), false),
                Continued::Not => self.matched = 0,
            }
        }
        match self.finder.find(rest) {
            Some(at) => (at + self.delimiter.len(), true),
            None => {
                self.matched = self.open_end(rest);
                (rest.len(), false)
            }
        }
    }

    fn boundary(&mut self, rest: &[u8]) -> Result<(usize, Option<Found>), MtomError> {
        // White space may pad the line; nobody pads it with more than this.
        const PADDING: usize = 256;
        for (at, byte) in rest.iter().enumerate() {
            self.held.push(*byte);
            match self.held.as_slice() {
                b"--" => {
                    self.held.clear();
                    self.state = State::Epilogue;
                    return Ok((at + 1, Some(Found::End)));
                }
                [.., b'\r', b'\n'] => {
                    self.held.clear();
                    self.parts += 1;
                    if self.parts > self.limits.parts {
                        return Err(MtomError::TooManyParts(self.limits.parts));
                    }
                    self.state = State::Headers;
                    return Ok((at + 1, None));
                }
                [.., b' ' | b'\t'] | [.., b'\r'] | [b'-'] if self.held.len() < PADDING => {}
                _ => return Err(MtomError::GarbledBoundary(self.boundary_name())),
            }
        }
        Ok((rest.len(), None))
    }

    fn headers(&mut self, rest: &[u8]) -> Result<(usize, Option<Found>), MtomError> {
        let before = self.held.len();
        let room = (self.limits.header_bytes + 4).saturating_sub(before);
        self.held.extend_from_slice(&rest[..rest.len().min(room)]);
        let end = if self.held.starts_with(b"\r\n") {
            Some((0, 2))
        } else {
            let from = before.saturating_sub(3);
            memchr::memmem::find(&self.held[from..], b"\r\n\r\n")
                .map(|at| (from + at, from + at + 4))
        };
        let Some((lines, end)) = end else {
            if self.held.len() >= self.limits.header_bytes + 4 {
                return Err(MtomError::HeadersTooLong {
                    part: self.parts,
                    limit: self.limits.header_bytes,
                });
            }
            return Ok((rest.len(), None));
        };
        let headers = PartHeaders::parse(&self.held[..lines], self.parts)?;
        self.held.clear();
        self.state = State::Content;
        self.matched = 2;
        self.borrowed = 2;
        Ok((end - before, Some(Found::Part(headers))))
    }

    fn content(&mut self, rest: &[u8]) -> (usize, Option<Found>) {
        if self.matched > 0 {
            match self.continued(rest) {
                Continued::Complete(used) => return (used, Some(self.part_end())),
                Continued::Partly => return (rest.len(), None),
                Continued::Not => {
                    // What was withheld is content after all. No later beginning of a delimiter
                    // can hide in it, because only its first byte is a carriage return.
                    let borrowed = std::mem::take(&mut self.borrowed);
                    let matched = std::mem::take(&mut self.matched);
                    if matched > borrowed {
                        return (0, Some(Found::Withheld(borrowed..matched)));
                    }
                }
            }
        }
        match self.finder.find(rest) {
            Some(0) => (self.delimiter.len(), Some(self.part_end())),
            Some(at) => (at, Some(Found::Data(0..at))),
            None => {
                self.matched = self.open_end(rest);
                let content = rest.len() - self.matched;
                (rest.len(), (content > 0).then_some(Found::Data(0..content)))
            }
        }
    }

    fn part_end(&mut self) -> Found {
        self.matched = 0;
        self.borrowed = 0;
        self.state = State::Boundary;
        Found::PartEnd
    }

    fn continued(&mut self, rest: &[u8]) -> Continued {
        let expected = &self.delimiter[self.matched..];
        let common = expected.len().min(rest.len());
        if rest[..common] != expected[..common] {
            Continued::Not
        } else if common == expected.len() {
            self.matched = 0;
            Continued::Complete(common)
        } else {
            self.matched += common;
            Continued::Partly
        }
    }

    /// How many bytes at the end of `rest` may be the beginning of a delimiter.
    fn open_end(&self, rest: &[u8]) -> usize {
        let tail = &rest[rest.len().saturating_sub(self.delimiter.len() - 1)..];
        match memchr::memrchr(b'\r', tail) {
            Some(at) if self.delimiter.starts_with(&tail[at..]) => tail.len() - at,
            _ => 0,
        }
    }

    fn boundary_name(&self) -> String {
        String::from_utf8_lossy(&self.delimiter[4..]).into_owned()
    }

    fn wrong_boundary(&self) -> MtomError {
        MtomError::WrongBoundary(self.boundary_name())
    }
}

/// How a chunk goes on after one that ended with the beginning of a delimiter.
enum Continued {
    /// The delimiter is complete after this many bytes.
    Complete(usize),
    /// All of the chunk belongs to the delimiter, and there is more to come.
    Partly,
    /// It was no delimiter.
    Not,
}

/// The `Content-Type` of an MTOM message whose root part is `root`. Requests name their action.
pub fn message_content_type(boundary: &str, root: &str, action: Option<&str>) -> String {
    let mut value = format!(
        "multipart/related; type=\"application/xop+xml\"; boundary=\"{boundary}\"; \
         start=\"<{root}>\"; start-info=\"application/soap+xml\""
    );
    if let Some(action) = action {
        value.push_str("; action=\"");
        value.push_str(action);
        value.push('"');
    }
    value
}

/// The `Content-Type` of the root part.
pub const ROOT_CONTENT_TYPE: &str =
    "application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"";

/// What stands before the content of a part. It closes the part before, if there is one.
pub fn part_opening(boundary: &str, id: &str, content_type: &str) -> String {
    let mut opening = String::with_capacity(192);
    for piece in ["\r\n--", boundary, "\r\nContent-Type: "] {
        opening.push_str(piece);
    }
    push_header_value(&mut opening, content_type);
    opening.push_str("\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <");
    push_header_value(&mut opening, id);
    opening.push_str(">\r\n\r\n");
    opening
}

/// The same for a part that nothing refers to by name.
pub fn related_opening(boundary: &str, content_type: &str, location: Option<&str>) -> String {
    let mut opening = format!("\r\n--{boundary}\r\nContent-Type: ");
    push_header_value(&mut opening, content_type);
    if let Some(location) = location {
        opening.push_str("\r\nContent-Location: ");
        push_header_value(&mut opening, location);
    }
    opening.push_str("\r\n\r\n");
    opening
}

/// What stands behind the last part.
pub fn message_closing(boundary: &str) -> String {
    format!("\r\n--{boundary}--\r\n")
}

/// A media type may have been chosen by whoever submitted the document: line ends in it must not
/// become headers.
fn push_header_value(out: &mut String, value: &str) {
    out.extend(value.chars().filter(|character| !character.is_control()));
}

/// How every reference that [`write_include`] writes begins.
const INCLUDE: &str =
    "<xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:";
/// And how it ends.
const INCLUDE_END: &str = "\"/>";

/// Writes the reference to the part `id` where its content belongs.
pub fn write_include(writer: &mut Writer, id: &str) {
    let mut href = String::from("cid:");
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@!$'()*+,;=:".contains(&byte) {
            href.push(char::from(byte));
        } else {
            href.push_str(&format!("%{byte:02X}"));
        }
    }
    writer
        .open("xop:Include")
        .attribute("xmlns:xop", ns::XOP)
        .attribute("href", &href);
    writer.close("xop:Include");
}

/// The content of an element of type `xs:base64Binary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It travels in the attachment of this name, in the form of [`content_id`].
    Include(String),
    /// It stands in the element itself: the bytes, decoded.
    Inline(Vec<u8>),
}

impl Content {
    /// Reads the content of the element that was just entered, and leaves it.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        match reader.text_or_child()? {
            TextOrChild::Text(text) => {
                // Some stacks wrap base64 into lines.
                let characters: Vec<u8> = text
                    .bytes()
                    .filter(|byte| !byte.is_ascii_whitespace())
                    .collect();
                let bytes = STANDARD
                    .decode(characters)
                    .map_err(|_| reader.error("the content is not base64"))?;
                Ok(Self::Inline(bytes))
            }
            TextOrChild::Child(child) if child.is(ns::XOP, "Include") => {
                let id = content_id(&reader.required(&child, "href")?);
                reader.skip()?;
                match reader.child()? {
                    None => Ok(Self::Include(id)),
                    Some(other) => Err(reader.unexpected(&other, "nothing beside xop:Include")),
                }
            }
            TextOrChild::Child(other) => Err(reader.unexpected(&other, "base64 or xop:Include")),
        }
    }

    /// Writes it into the element opened last.
    pub fn write(&self, writer: &mut Writer) {
        match self {
            Self::Include(id) => write_include(writer, id),
            Self::Inline(bytes) => _ = writer.text(&STANDARD.encode(bytes)),
        }
    }
}

/// The references in XML that was written here: where each stands and which part it names. Text
/// cannot look like one, because its angle brackets are escaped.
pub fn written_includes(xml: &str) -> Vec<(Range<usize>, String)> {
    let mut includes = Vec::new();
    let mut from = 0;
    while let Some(start) = memchr::memmem::find(&xml.as_bytes()[from..], INCLUDE.as_bytes()) {
        let start = from + start;
        let id = start + INCLUDE.len();
        let Some(length) = xml[id..].find(INCLUDE_END) else {
            break;
        };
        from = id + length + INCLUDE_END.len();
        includes.push((start..from, content_id(&xml[id..id + length])));
    }
    includes
}

#[cfg(test)]
mod tests;
