//! Text of a data set in whatever character set it was written in.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

use super::walk::DataSet;

/// The character set that a data set names in (0008,0005).
#[derive(Clone)]
pub(crate) struct CharacterSet(SpecificCharacterSet);

impl CharacterSet {
    /// With code extensions several sets are named. The last one is taken: it also reads ASCII, and
    /// the ISO 2022 sets in use are named behind the ASCII or Japanese Roman one that they extend.
    pub(crate) fn of(data: &DataSet) -> Self {
        let names = data.ascii(tags::SPECIFIC_CHARACTER_SET).unwrap_or_default();
        let set = names.rsplit('\\').find_map(|name| match name.trim() {
            "" => None,
            name => SpecificCharacterSet::from_code(name),
        });
        // Without a name it should be ASCII, and what is not is most often Latin-1.
        Self(set.unwrap_or(SpecificCharacterSet::ISO_IR_100))
    }

    /// Whether every set that a data set names is one that can be read.
    pub(crate) fn is_known(data: &DataSet) -> bool {
        let names = data.ascii(tags::SPECIFIC_CHARACTER_SET).unwrap_or_default();
        let mut names = names
            .split('\\')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        names.all(|name| SpecificCharacterSet::from_code(name).is_some())
    }

    /// A text with its line breaks and padding; `None` if it is not of this character set.
    pub(crate) fn exactly(&self, bytes: &[u8]) -> Option<String> {
        match self.0.name().as_ref() {
            // Their decoder needs to see the escape sequences.
            "ISO_IR 87" | "ISO_IR 13" => self.0.decode(bytes).ok(),
            _ => self.0.decode(&without_designations(bytes)).ok(),
        }
    }

    /// An element's text without padding; `None` if it is absent or empty.
    pub(crate) fn text(&self, data: &DataSet, tag: Tag) -> Option<String> {
        self.decode(data.bytes(tag)?)
    }

    /// The text of an element's bytes without padding; `None` if it is empty.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Option<String> {
        let text = self.whole(bytes);
        let text = text.trim_matches(|c: char| c == ' ' || c == '\0');
        // Control characters have no place in these elements, and XML cannot carry them.
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        (!text.is_empty()).then_some(text)
    }

    /// The values of an element that may have several, with their padding. Where a character of
    /// several bytes may contain a backslash, it is looked for in the text, otherwise in the bytes:
    /// what cannot be decoded is written with backslashes.
    pub(crate) fn values(&self, bytes: &[u8]) -> Vec<String> {
        match self.0.name().as_ref() {
            "GB18030" | "GBK" | "ISO_IR 87" | "ISO_IR 13" => {
                self.whole(bytes).split('\\').map(str::to_owned).collect()
            }
            _ => bytes
                .split(|byte| *byte == b'\\')
                .map(|value| self.whole(value))
                .collect(),
        }
    }

    /// Bytes as text, with their padding and line breaks.
    pub(crate) fn whole(&self, bytes: &[u8]) -> String {
        if matches!(self.0.name().as_ref(), "ISO_IR 87" | "ISO_IR 13") {
            return japanese(bytes);
        }
        let bytes = without_designations(bytes);
        match self.0.decode(&bytes) {
            Ok(text) => text,
            Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

/// Japanese text switches within itself: after `ESC $ B` two bytes of JIS X 0208 are a character,
/// after `ESC ( B` and `ESC ( J` single bytes are, and from 0xA1 on these are katakana (JIS X 0201).
fn japanese(bytes: &[u8]) -> String {
    let part = |bytes: &[u8], code: &str| {
        let set = SpecificCharacterSet::from_code(code);
        match set.and_then(|set| set.decode(bytes).ok()) {
            Some(text) => text,
            None => String::from_utf8_lossy(bytes).into_owned(),
        }
    };
    let escapes = (1..bytes.len()).filter(|at| bytes[*at] == 0x1B);
    let ends = escapes.chain([bytes.len()]);
    let mut text = String::new();
    let mut begin = 0;
    for end in ends {
        let run = &bytes[begin.min(end)..end];
        begin = end;
        text += &match run {
            [0x1B, b'(' | b')', _, rest @ ..] => part(rest, "ISO_IR 13"),
            [0x1B, ..] => part(run, "ISO_IR 87"),
            _ => part(run, "ISO_IR 13"),
        };
    }
    text
}

/// ISO 2022 escape sequences which only announce the set that is decoded anyway are left out.
fn without_designations(bytes: &[u8]) -> Vec<u8> {
    if !bytes.contains(&0x1B) {
        return bytes.to_vec();
    }
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != 0x1B {
            kept.push(byte);
            continue;
        }
        // ESC, intermediate bytes 02/00 to 02/15, one final byte.
        while rest.next_if(|next| (0x20..=0x2F).contains(next)).is_some() {}
        rest.next();
    }
    kept
}
