//! The DICOM JSON Model (PS3.18 annex F): what a data set says, for WADO-RS metadata and QIDO-RS.
//!
//! Text comes in UTF-8 whatever its character set was, values that are long or binary as an address
//! at which they are fetched. The file meta information (group 0002) and group lengths are left out.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part18.html#chapter_F>

mod attributes;
mod read;
#[cfg(test)]
mod tests;
mod value;

use std::fmt::Write;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use super::bulk::TagPath;
use super::text::CharacterSet;
use super::walk::{self, DataSet, Part10, Value};

pub use attributes::Attributes;
pub use read::{DataSets, JsonError, MAX_DATA_SET};

/// Binary values up to this many bytes are written into the JSON (`InlineBinary`); longer ones get
/// an address.
pub const MAX_INLINE: usize = 1024;

/// The data set of a file as one JSON object.
///
/// `file` was walked by [`walk::whole_file`]. `bulk_uri` gives the address (`BulkDataURI`) of a value
/// that is not written here: pixel data, long or long binary values. [`super::bulk::Content::of`]
/// finds what stands there.
pub fn metadata(file: &Part10, bulk_uri: &dyn Fn(&TagPath) -> String) -> String {
    let mut json = String::with_capacity(8 * 1024);
    let mut writing = Writing {
        implicit: file.transfer_syntax_uid == walk::IMPLICIT_VR_LITTLE_ENDIAN,
        bulk_uri,
        path: Vec::new(),
    };
    let top = Around {
        set: CharacterSet::of(&file.data),
        signed: false,
    };
    writing.data_set(&mut json, &file.data, &top);
    json
}

/// What a data set inherits from the one around it.
struct Around {
    set: CharacterSet,
    /// Pixel Representation: whether values of the kind of a pixel are signed.
    signed: bool,
}

struct Writing<'a> {
    implicit: bool,
    bulk_uri: &'a dyn Fn(&TagPath) -> String,
    path: Vec<(Tag, u32)>,
}

impl Writing<'_> {
    fn data_set(&mut self, json: &mut String, data: &DataSet, around: &Around) {
        // By tag, each once (annex F.2.2); files keep to that order, but need not.
        let mut elements: Vec<_> = data.elements().collect();
        elements.sort_by_key(|(tag, ..)| *tag);
        elements.dedup_by_key(|(tag, ..)| *tag);
        let set = match data.bytes(tags::SPECIFIC_CHARACTER_SET) {
            Some(_) => CharacterSet::of(data),
            None => around.set.clone(),
        };
        let signed = match data.number(tags::PIXEL_REPRESENTATION) {
            Some(representation) => representation != 0.0,
            None => around.signed,
        };
        let around = Around { set, signed };
        json.push('{');
        let mut first = true;
        for (tag, vr, value) in elements {
            // The file meta information, group lengths, and padding are no attributes.
            if matches!(tag.group(), 0x0002 | 0xFFFC) || tag.element() == 0 {
                continue;
            }
            if !first {
                json.push(',');
            }
            first = false;
            self.attribute(json, (tag, vr, value), &around);
        }
        json.push('}');
    }

    fn attribute(
        &mut self,
        json: &mut String,
        (tag, vr, value): (Tag, VR, &Value),
        around: &Around,
    ) {
        let vr = match value {
            Value::Items(_) => VR::SQ,
            _ => known(tag, vr, self.implicit, around.signed),
        };
        value::name(json, tag, vr);
        match value {
            Value::Items(items) if !items.is_empty() => self.items(json, tag, items, around),
            Value::Items(_) => {}
            Value::Bytes(bytes) if bytes.is_empty() => {}
            Value::Bytes(bytes) if value::is_binary(vr) && bytes.len() > MAX_INLINE => {
                self.address(json, tag);
            }
            Value::Bytes(bytes) => value::write(json, vr, bytes, &around.set),
            Value::Apart(apart) if apart.length == 0 => {}
            Value::Apart(_) | Value::Fragments(_) => self.address(json, tag),
        }
        json.push('}');
    }

    fn items(&mut self, json: &mut String, tag: Tag, items: &[DataSet], around: &Around) {
        json.push_str(",\"Value\":[");
        for (index, item) in (0..).zip(items) {
            if index > 0 {
                json.push(',');
            }
            self.path.push((tag, index));
            self.data_set(json, item, around);
            self.path.pop();
        }
        json.push(']');
    }

    fn address(&self, json: &mut String, tag: Tag) {
        let uri = (self.bulk_uri)(&TagPath::within(&self.path, tag));
        json.push_str(",\"BulkDataURI\":");
        value::string(json, &uri);
    }
}

/// The VR of an element for which the file gives none or UN. Private creators are LO always (PS3.5
/// section 7.8.1), others what the dictionary says. In implicit VR, elements of the kind of a pixel
/// (smallest value, padding value, LUT descriptor), which the walk calls OW, are of the VR that Pixel
/// Representation says.
pub(crate) fn known(tag: Tag, vr: VR, implicit: bool, signed: bool) -> VR {
    if vr != VR::UN && !(vr == VR::OW && implicit) {
        return vr;
    }
    if tag.group() % 2 == 1 {
        let creator = (0x10..=0xFF).contains(&tag.element());
        return if creator { VR::LO } else { vr };
    }
    match StandardDataDictionary.by_tag(tag).map(|entry| entry.vr()) {
        // A sequence would have been walked into.
        Some(VirtualVr::Exact(VR::SQ)) | None => vr,
        Some(VirtualVr::Exact(vr)) => vr,
        Some(VirtualVr::Xs) if signed => VR::SS,
        Some(VirtualVr::Xs) => VR::US,
        Some(_) => VR::OW,
    }
}

/// A tag as it names an attribute: eight hexadecimal digits.
fn hexadecimal(json: &mut String, tag: Tag) {
    // Writing to a String does not fail.
    let _ = write!(json, "{:04X}{:04X}", tag.group(), tag.element());
}
