//! What the new file will hold: small values as they will be written, large ones as places in the old
//! file, so that no image is ever held in memory.

use dicom_core::{Tag, VR};

use crate::walk::Apart;

/// An element of the new file.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) tag: Tag,
    pub(super) vr: VR,
    pub(super) value: Planned,
}

/// Where its value comes from.
#[derive(Debug)]
pub(super) enum Planned {
    /// As it will be written, without padding.
    Bytes(Vec<u8>),
    /// The items of a sequence.
    Items(Vec<Vec<Element>>),
    /// As it stands in the old file, in its byte order.
    Copy(Apart),
    /// A long text of the old file; cleaned when it is written.
    Text(Apart),
    /// Native pixel data of the old file.
    Pixels(Apart),
    /// Encapsulated pixel data of the old file: offset table and fragments.
    Fragments(Vec<Apart>),
}

impl Element {
    pub(super) fn bytes(tag: Tag, vr: VR, bytes: Vec<u8>) -> Self {
        Self {
            tag,
            vr,
            value: Planned::Bytes(bytes),
        }
    }

    pub(super) fn text(tag: Tag, vr: VR, text: &str) -> Self {
        Self::bytes(tag, vr, text.as_bytes().to_vec())
    }

    pub(super) const fn items(tag: Tag, items: Vec<Vec<Self>>) -> Self {
        Self {
            tag,
            vr: VR::SQ,
            value: Planned::Items(items),
        }
    }
}

/// In the order of tags, each tag once (the first): files that were made carelessly are not always so.
pub(super) fn in_order(elements: &mut Vec<Element>) {
    elements.sort_by_key(|element| element.tag);
    elements.dedup_by_key(|element| element.tag);
}

/// What was done to an object, as counts of attributes at all levels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Actions {
    /// Removed, private ones not counted.
    pub removed: u64,
    /// Left without value.
    pub emptied: u64,
    /// Replaced by a dummy value or a pseudonym.
    pub replaced: u64,
    /// Text out of which something was taken.
    pub cleaned: u64,
    /// UIDs replaced.
    pub uids: u64,
    /// Dates shifted.
    pub dates: u64,
    /// Kept as they were.
    pub kept: u64,
    /// Private attributes removed.
    pub private_removed: u64,
    /// Private attributes kept.
    pub private_kept: u64,
    /// Regions blanked in every frame.
    pub regions: u64,
}
