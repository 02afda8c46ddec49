//! Gathers the words by which an object identifies, before any of it is rewritten.

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::Refused;
use super::content;
use super::identity::Identity;
use super::profile::Options;
use super::rewrite::{characters_of, is_graphics, is_words};
use super::unknown;
use super::verdict::{dictionary_vr, verdict};
use crate::text::CharacterSet;
use crate::walk::{DataSet, Value};

/// Reads an object for its identities.
pub(super) struct Collecting<'a> {
    pub(super) options: &'a Options,
    pub(super) signed: bool,
    pub(super) identity: Identity,
}

impl Collecting<'_> {
    /// All levels; inside a sequence that is removed nothing is kept, whatever its rule says.
    pub(super) fn data_set(
        &mut self,
        data: &DataSet,
        characters: &CharacterSet,
        item: Option<content::Item>,
    ) -> Result<(), Refused> {
        let own = characters_of(data);
        let characters = own.as_ref().unwrap_or(characters);
        for (tag, vr, value) in data.elements() {
            let unknown = unknown::items(tag, vr, value);
            let items = match value {
                Value::Items(items) => Some(items.as_slice()),
                _ => unknown.as_deref(),
            };
            if let Some(items) = items {
                for item in items {
                    let content =
                        (tag == tags::CONTENT_SEQUENCE).then(|| content::Item::of(item, false));
                    self.data_set(item, characters, content)?;
                }
                continue;
            }
            let Value::Bytes(bytes) = value else { continue };
            if tag.group() % 2 == 1 || is_graphics(tag) {
                // Of a private attribute only a person's name can be told from other words.
                if vr == VR::PN {
                    self.value(VR::PN, bytes, characters);
                }
                continue;
            }
            let verdict = verdict(tag, vr, value, self.signed, self.options)?;
            let verdict = content::verdict(tag, verdict, item);
            if verdict.identifies {
                // A name is one, whatever VR the file gives it.
                let is_name = dictionary_vr(tag) == Some(VR::PN);
                let vr = if is_name { VR::PN } else { verdict.vr };
                self.value(vr, bytes, characters);
            }
        }
        Ok(())
    }

    fn value(&mut self, vr: VR, bytes: &[u8], characters: &CharacterSet) {
        let text = characters.exactly(bytes);
        let text = text.unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned());
        let whole = matches!(vr, VR::LT | VR::ST | VR::UT | VR::UR);
        let values = text.split(|c| c == '\\' && !whole);
        for value in values.map(|value| value.trim_matches([' ', '\0'])) {
            match vr {
                VR::PN => self.identity.person(value),
                VR::DA => self.identity.date(value),
                VR::DT => self.identity.date(value.get(..8).unwrap_or_default()),
                // These are words of the standard, or too common.
                VR::CS | VR::TM | VR::AS | VR::DS | VR::IS => {}
                VR::UI => self.identity.value(value),
                _ if is_words(vr) => self.identity.value(value),
                _ => {}
            }
        }
    }
}
