//! Short words for building data sets, and the one way in which we write a file.

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::instance::CodedConcept;

/// Implementation Class UID: which program wrote the file (PS3.7 annex D.3.3.2). Fixed forever.
pub(crate) const IMPLEMENTATION_CLASS_UID: &str = "2.25.127469321879431873294612370983187213041";
pub(crate) const IMPLEMENTATION_VERSION_NAME: &str = "HILUM";

/// A data set could not be written: one of its values does not fit its VR.
#[derive(Debug, thiserror::Error)]
#[error("cannot write DICOM: {0}")]
pub struct WriteError(String);

/// A data set that is being built.
#[derive(Debug, Clone)]
pub(super) struct Builder(InMemDicomObject);

impl Builder {
    pub(super) fn new() -> Self {
        Self(InMemDicomObject::new_empty())
    }

    /// Text, codes, UIDs, dates and numbers as text. An empty text is an element without value.
    pub(super) fn text(mut self, tag: Tag, vr: VR, text: &str) -> Self {
        let value = if text.is_empty() {
            PrimitiveValue::Empty
        } else {
            PrimitiveValue::from(text)
        };
        self.0.put(DataElement::new(tag, vr, value));
        self
    }

    pub(super) fn value(mut self, tag: Tag, vr: VR, value: impl Into<PrimitiveValue>) -> Self {
        self.0.put(DataElement::new(tag, vr, value.into()));
        self
    }

    pub(super) fn items(mut self, tag: Tag, items: impl IntoIterator<Item = Self>) -> Self {
        let items: Vec<_> = items.into_iter().map(|item| item.0).collect();
        self.0
            .put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
        self
    }

    /// A sequence of one coded concept.
    pub(super) fn code(self, tag: Tag, (value, scheme, meaning): (&str, &str, &str)) -> Self {
        let item = Self::new()
            .text(tags::CODE_VALUE, VR::SH, value)
            .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme)
            .text(tags::CODE_MEANING, VR::LO, meaning);
        self.items(tag, [item])
    }

    /// Everything of `other` as well.
    pub(super) fn with(mut self, other: Self) -> Self {
        for element in other.0 {
            self.0.put(element);
        }
        self
    }

    /// The data set as a Part 10 file, explicit VR little endian. The same elements always give the
    /// same bytes.
    pub(super) fn part10(self) -> Result<Vec<u8>, WriteError> {
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
            .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
            .implementation_version_name(IMPLEMENTATION_VERSION_NAME);
        let file = self
            .0
            .with_meta(meta)
            .map_err(|error| WriteError(error.to_string()))?;
        let mut bytes = Vec::new();
        file.write_all(&mut bytes)
            .map_err(|error| WriteError(error.to_string()))?;
        Ok(bytes)
    }
}

impl From<&CodedConcept> for Builder {
    fn from(concept: &CodedConcept) -> Self {
        Self::new()
            .text(tags::CODE_VALUE, VR::SH, &concept.value)
            .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, &concept.scheme)
            .text(tags::CODE_MEANING, VR::LO, &concept.meaning)
    }
}
