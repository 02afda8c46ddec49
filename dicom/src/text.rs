//! Text of a data set in whatever character set it was written in.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

use super::walk::DataSet;

/// The character set that a data set names in (0008,0005).
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

    /// An element's text without padding; `None` if it is absent or empty.
    pub(crate) fn text(&self, data: &DataSet, tag: Tag) -> Option<String> {
        self.decode(data.bytes(tag)?)
    }

    /// The text of an element's bytes without padding; `None` if it is empty.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Option<String> {
        let bytes = without_designations(bytes, &self.0);
        let text = match self.0.decode(&bytes) {
            Ok(text) => text,
            Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
        };
        let text = text.trim_matches(|c: char| c == ' ' || c == '\0');
        // Control characters have no place in these elements, and XML cannot carry them.
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        (!text.is_empty()).then_some(text)
    }
}

/// ISO 2022 escape sequences which only announce the set that is decoded anyway. The Japanese sets
/// (87, 13) switch within the text, so their decoder needs to see them.
fn without_designations(bytes: &[u8], set: &SpecificCharacterSet) -> Vec<u8> {
    if !bytes.contains(&0x1B) || matches!(set.name().as_ref(), "ISO_IR 87" | "ISO_IR 13") {
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
