//! Items of an SR document's content tree (PS3.3 section C.17.3).

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use xds_schemas::metadata::Code;

use super::codes;
use super::sources::uid;
use crate::text::CharacterSet;
use crate::walk::{DataSet, Value};

/// One item, with what is needed to read its texts.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    data: &'a DataSet,
    set: &'a CharacterSet,
}

impl<'a> Item<'a> {
    pub(super) fn new(data: &'a DataSet, set: &'a CharacterSet) -> Self {
        Self { data, set }
    }

    pub(super) fn children(self) -> impl Iterator<Item = Self> {
        let items = self.data.items(tags::CONTENT_SEQUENCE).iter();
        items.map(move |data| Self { data, ..self })
    }

    /// Relationship Type (0040,A010).
    pub(super) fn relationship(self) -> String {
        self.data.ascii(tags::RELATIONSHIP_TYPE).unwrap_or_default()
    }

    /// Value Type (0040,A040); empty if the item is only a reference to another.
    pub(super) fn value_type(self) -> String {
        self.data.ascii(tags::VALUE_TYPE).unwrap_or_default()
    }

    /// What the item is: Concept Name Code Sequence (0040,A043).
    pub(super) fn name(self) -> Option<Code> {
        self.code_in(tags::CONCEPT_NAME_CODE_SEQUENCE)
    }

    /// Whether the item's name is this code.
    pub(super) fn is(self, code: &str, scheme: &str) -> bool {
        self.name()
            .is_some_and(|name| codes::key(&name) == (code, scheme))
    }

    /// The value of a CODE item.
    pub(super) fn code(self) -> Option<Code> {
        self.code_in(tags::CONCEPT_CODE_SEQUENCE)
    }

    pub(super) fn code_in(self, tag: Tag) -> Option<Code> {
        codes::first(self.data, tag, self.set)
    }

    /// The value of a TEXT item.
    pub(super) fn text(self) -> Option<String> {
        self.set.text(self.data, tags::TEXT_VALUE)
    }

    /// The value of a UIDREF item.
    pub(super) fn uid(self) -> Option<String> {
        uid(self.data, tags::UID)
    }

    /// The value and unit of a NUM item (PS3.3 section C.18.1). The value is taken as floating
    /// point if it is there, since the decimal string has only 16 characters.
    pub(super) fn number(self) -> Option<(f64, Code)> {
        let measured = self.data.items(tags::MEASURED_VALUE_SEQUENCE).first()?;
        let unit = codes::first(measured, tags::MEASUREMENT_UNITS_CODE_SEQUENCE, self.set)?;
        let finite = |tag| measured.number(tag).filter(|number| number.is_finite());
        let value = finite(tags::FLOATING_POINT_VALUE).or_else(|| finite(tags::NUMERIC_VALUE))?;
        Some((value, unit))
    }

    /// The reference of an IMAGE, COMPOSITE or WAVEFORM item: SOP Instance UID, and the segment
    /// if it names one.
    pub(super) fn instance(self) -> Option<(String, Option<u32>)> {
        let reference = self.data.items(tags::REFERENCED_SOP_SEQUENCE).first()?;
        let segment = reference.number(tags::REFERENCED_SEGMENT_NUMBER);
        let segment = segment.filter(|number| (1.0..=65_535.0).contains(number));
        let instance = uid(reference, tags::REFERENCED_SOP_INSTANCE_UID)?;
        Some((instance, segment.map(|number| number as u32)))
    }

    /// The item that this one stands for, if it is a reference (Referenced Content Item Identifier,
    /// PS3.3 section C.17.3.2.5: positions from the root, of which the first is the root itself).
    pub(super) fn resolved(self, root: Self) -> Option<Self> {
        let Some((_, Value::Bytes(path))) = self.data.get(tags::REFERENCED_CONTENT_ITEM_IDENTIFIER)
        else {
            return Some(self);
        };
        let mut positions = path
            .chunks_exact(4)
            .filter_map(|it| it.try_into().ok().map(u32::from_le_bytes));
        if positions.next() != Some(1) {
            return None;
        }
        positions.try_fold(root, |item, position| {
            let at = usize::try_from(position).ok()?.checked_sub(1)?;
            let data = item.data.items(tags::CONTENT_SEQUENCE).get(at)?;
            Some(Self { data, ..item })
        })
    }
}
