//! Sequences that a program without a dictionary wrote as values of unknown representation.
//!
//! Inside they are implicit VR little endian, whatever the file is (PS3.5 section 6.2.2).

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use crate::walk::{self, DataSet, Value};

/// The items of such a sequence; `None` if it is none, or cannot be read.
pub(super) fn items(tag: Tag, vr: VR, value: &Value) -> Option<Vec<DataSet>> {
    let (VR::UN, Value::Bytes(bytes)) = (vr, value) else {
        return None;
    };
    let known = StandardDataDictionary.by_tag(tag)?.vr();
    if known != VirtualVr::Exact(VR::SQ) || bytes.is_empty() {
        return None;
    }
    let mut file = vec![0; 128];
    file.extend(b"DICM\x02\0\x10\0UI\x12\x001.2.840.10008.1.2\0");
    file.extend(tag.group().to_le_bytes());
    file.extend(tag.element().to_le_bytes());
    file.extend(u32::try_from(bytes.len()).ok()?.to_le_bytes());
    file.extend(bytes);
    let walked = walk::whole(&file).ok()?.data;
    match walked.get(tag)? {
        (_, Value::Items(items)) if items.iter().all(is_at_hand) => Some(items.clone()),
        _ => None,
    }
}

/// No value of it stands elsewhere: the places would be those of another file.
fn is_at_hand(data: &DataSet) -> bool {
    data.elements().all(|(_, _, value)| match value {
        Value::Bytes(_) => true,
        Value::Items(items) => items.iter().all(is_at_hand),
        Value::Apart(_) | Value::Fragments(_) => false,
    })
}
