//! A data set that is being built together with its answer key.

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;

use super::people::Person;
use super::{Action, Planted, Required};
use crate::write::{Builder, WriteError};

/// Elements, and what must become of them.
pub(super) struct Sheet {
    builder: Builder,
    required: Vec<Required>,
}

impl Sheet {
    pub(super) fn new() -> Self {
        Self {
            builder: Builder::new(),
            required: Vec::new(),
        }
    }

    fn and(mut self, tag: Tag, action: Action) -> Self {
        let path = vec![(tag, 0)];
        self.required.push(Required { path, action });
        self
    }

    fn with_text(mut self, tag: Tag, vr: VR, text: &str) -> Self {
        self.builder = self.builder.text(tag, vr, text);
        self
    }

    /// A text that must go as a whole.
    pub(super) fn removed(self, tag: Tag, vr: VR, text: &str) -> Self {
        self.with_text(tag, vr, text)
            .and(tag, Action::TextRemoved(text.to_owned()))
    }

    /// A text of which some words must go and others stay.
    pub(super) fn mixed(
        self,
        tag: Tag,
        vr: VR,
        text: &str,
        removed: &[&str],
        kept: &[&str],
    ) -> Self {
        let sheet = self.with_text(tag, vr, text);
        let sheet = removed.iter().fold(sheet, |sheet, word| {
            sheet.and(tag, Action::TextRemoved((*word).to_owned()))
        });
        kept.iter().fold(sheet, |sheet, word| {
            sheet.and(tag, Action::TextRetained((*word).to_owned()))
        })
    }

    /// A text that must stay.
    pub(super) fn kept(self, tag: Tag, vr: VR, text: &str) -> Self {
        self.with_text(tag, vr, text)
            .and(tag, Action::TextRetained(text.to_owned()))
    }

    /// A text that is replaced by another.
    pub(super) fn replaced(self, tag: Tag, vr: VR, text: &str) -> Self {
        self.removed(tag, vr, text).and(tag, Action::TextNotnull)
    }

    pub(super) fn date(self, tag: Tag, vr: VR, date: &str) -> Self {
        self.with_text(tag, vr, date)
            .and(tag, Action::DateShifted(date.to_owned()))
    }

    pub(super) fn uid(self, tag: Tag, uid: &str) -> Self {
        self.with_text(tag, VR::UI, uid)
            .and(tag, Action::UidChanged(uid.to_owned()))
            .and(tag, Action::UidConsistent(uid.to_owned()))
    }

    pub(super) fn patient_id(self, person: &Person) -> Self {
        self.replaced(tags::PATIENT_ID, VR::LO, &person.id)
            .and(tags::PATIENT_ID, Action::PatidConsistent(person.id.clone()))
    }

    /// Numbers or bytes that must stay.
    pub(super) fn value(mut self, tag: Tag, vr: VR, value: impl Into<PrimitiveValue>) -> Self {
        self.builder = self.builder.value(tag, vr, value);
        self.and(tag, Action::TagRetained)
    }

    /// Bytes that hold a text which must go.
    pub(super) fn bytes(mut self, tag: Tag, vr: VR, text: &str) -> Self {
        let bytes = PrimitiveValue::U8(text.bytes().collect());
        self.builder = self.builder.value(tag, vr, bytes);
        self.and(tag, Action::TextRemoved(text.to_owned()))
    }

    pub(super) fn pixels(mut self, vr: VR, value: PrimitiveValue, actions: Vec<Action>) -> Self {
        self.builder = self.builder.value(tags::PIXEL_DATA, vr, value);
        actions
            .into_iter()
            .fold(self, |sheet, action| sheet.and(tags::PIXEL_DATA, action))
    }

    pub(super) fn code(self, tag: Tag, (value, scheme, meaning): (&str, &str, &str)) -> Self {
        let item = Self::new()
            .kept(tags::CODE_VALUE, VR::SH, value)
            .kept(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme)
            .kept(tags::CODE_MEANING, VR::LO, meaning);
        self.items(tag, vec![item])
    }

    pub(super) fn items(mut self, tag: Tag, items: Vec<Self>) -> Self {
        let mut builders = Vec::new();
        for (number, item) in items.into_iter().enumerate() {
            builders.push(item.builder);
            self.required
                .extend(item.required.into_iter().map(|mut required| {
                    required.path.insert(0, (tag, number));
                    required
                }));
        }
        self.builder = self.builder.items(tag, builders);
        self
    }

    pub(super) fn with(mut self, other: Self) -> Self {
        self.builder = self.builder.with(other.builder);
        self.required.extend(other.required);
        self
    }

    /// The object as a file.
    pub(super) fn planted(self, person: &Person, file: &str) -> Result<Planted, WriteError> {
        Ok(Planted {
            path: format!(
                "{}_{}/{}/{file}.dcm",
                person.family, person.given, person.accession
            ),
            patient: person.number,
            bytes: self.builder.part10()?,
            identities: person.identities(),
            required: Some(self.required),
        })
    }
}
