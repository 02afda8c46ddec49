//! Part 10 files as they are written (PS3.10 section 7): the beginning of one for a data set that comes
//! without, and a file that was walked in another transfer syntax. Values that were not kept are copied
//! from the file, so that memory holds the header and a piece of a value.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::bulk::Content;
use super::json::known;
use super::walk::{self, DataSet, Part10, Value};
use super::write::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

const UNDEFINED_LENGTH: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_DELIMITATION: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_DELIMITATION: Tag = Tag(0xFFFE, 0xE0DD);

/// How a data set is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) explicit: bool,
    pub(crate) big_endian: bool,
}

/// Elements of a data set that are written otherwise, or left out.
pub(crate) type Changes = BTreeMap<Tag, Option<(VR, Vec<u8>)>>;

/// Writes elements one behind the other.
pub(crate) struct Writer<'a> {
    out: &'a mut dyn Write,
    encoding: Encoding,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, encoding: Encoding) -> Self {
        Self { out, encoding }
    }

    /// Tag, VR and length. `None` is the undefined length.
    pub(crate) fn header(&mut self, tag: Tag, vr: VR, length: Option<u32>) -> io::Result<()> {
        self.short(tag.group())?;
        self.short(tag.element())?;
        let length = length.unwrap_or(UNDEFINED_LENGTH);
        if tag.group() == 0xFFFE || !self.encoding.explicit {
            return self.long(length);
        }
        // A value too long for its VR's length field is written as UN (PS3.5 section 6.2.2, note 8).
        let (vr, short) = match u16::try_from(length) {
            _ if walk::has_long_form(vr) => (vr, None),
            Ok(short) => (vr, Some(short)),
            Err(_) => (VR::UN, None),
        };
        self.out.write_all(&vr.to_bytes())?;
        match short {
            Some(short) => self.short(short),
            None => {
                self.short(0)?;
                self.long(length)
            }
        }
    }

    /// An element whose numbers are little endian.
    pub(crate) fn element(&mut self, tag: Tag, vr: VR, value: &[u8]) -> io::Result<()> {
        let odd = value.len() % 2;
        let length = u32::try_from(value.len() + odd).map_err(io::Error::other)?;
        self.header(tag, vr, Some(length))?;
        self.numbers(value, walk::unit(vr))?;
        self.out.write_all(&padding(vr)[..odd])
    }

    /// Numbers of `unit` bytes in little endian.
    pub(crate) fn numbers(&mut self, bytes: &[u8], unit: usize) -> io::Result<()> {
        if !self.encoding.big_endian || unit == 1 {
            return self.out.write_all(bytes);
        }
        let mut turned = bytes.to_vec();
        turned.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
        self.out.write_all(&turned)
    }

    /// An element with what is read from `content`.
    pub(crate) fn copied(
        &mut self,
        tag: Tag,
        vr: VR,
        content: Content,
        unit: usize,
    ) -> io::Result<()> {
        let odd = content.length() % 2;
        let length = u32::try_from(content.length() + odd).map_err(io::Error::other)?;
        self.header(tag, vr, Some(length))?;
        content.pieces(|piece| self.numbers(piece, unit))?;
        self.out.write_all(&padding(vr)[..odd as usize])
    }

    pub(crate) fn begin_item(&mut self) -> io::Result<()> {
        self.header(ITEM, VR::UN, None)
    }

    pub(crate) fn end_item(&mut self) -> io::Result<()> {
        self.header(ITEM_DELIMITATION, VR::UN, Some(0))
    }

    /// The end of a sequence, or of encapsulated pixel data.
    pub(crate) fn end_sequence(&mut self) -> io::Result<()> {
        self.header(SEQUENCE_DELIMITATION, VR::UN, Some(0))
    }

    /// A fragment of encapsulated pixel data.
    pub(crate) fn fragment(&mut self, bytes: &[u8]) -> io::Result<()> {
        let odd = bytes.len() % 2;
        let length = u32::try_from(bytes.len() + odd).map_err(io::Error::other)?;
        self.header(ITEM, VR::UN, Some(length))?;
        self.out.write_all(bytes)?;
        self.out.write_all(&[0][..odd])
    }

    fn short(&mut self, number: u16) -> io::Result<()> {
        self.out.write_all(&match self.encoding.big_endian {
            true => number.to_be_bytes(),
            false => number.to_le_bytes(),
        })
    }

    fn long(&mut self, number: u32) -> io::Result<()> {
        self.out.write_all(&match self.encoding.big_endian {
            true => number.to_be_bytes(),
            false => number.to_le_bytes(),
        })
    }
}

/// What a file says before its data set: preamble and file meta information. The same arguments always
/// give the same bytes, so an object that is sent twice becomes the same file.
pub fn beginning(sop_class: &str, sop_instance: &str, transfer_syntax: &str) -> Vec<u8> {
    let text = |vr, text: &str| (vr, text.as_bytes().to_vec());
    let meta = [
        (tags::FILE_META_INFORMATION_VERSION, (VR::OB, vec![0, 1])),
        (tags::MEDIA_STORAGE_SOP_CLASS_UID, text(VR::UI, sop_class)),
        (
            tags::MEDIA_STORAGE_SOP_INSTANCE_UID,
            text(VR::UI, sop_instance),
        ),
        (tags::TRANSFER_SYNTAX_UID, text(VR::UI, transfer_syntax)),
        (
            tags::IMPLEMENTATION_CLASS_UID,
            text(VR::UI, IMPLEMENTATION_CLASS_UID),
        ),
        (
            tags::IMPLEMENTATION_VERSION_NAME,
            text(VR::SH, IMPLEMENTATION_VERSION_NAME),
        ),
    ];
    let mut file = Vec::with_capacity(512);
    // Memory takes what is written.
    let _ = head(&mut file, &BTreeMap::from(meta));
    file
}

/// Values have even lengths (PS3.5 section 7.1.1).
fn padding(vr: VR) -> &'static [u8; 1] {
    match vr {
        VR::UI => b"\0",
        vr if walk::unit(vr) > 1 => b"\0",
        VR::OB | VR::UN => b"\0",
        _ => b" ",
    }
}

/// Preamble, mark and file meta information: that of the file, with another transfer syntax, and with
/// us as the one who wrote it.
pub(crate) fn file_meta(out: &mut dyn Write, file: &Part10, to: &str) -> io::Result<()> {
    let mut changed = BTreeMap::new();
    let text = |text: &str| (VR::UI, text.as_bytes().to_vec());
    changed.insert(
        tags::FILE_META_INFORMATION_VERSION,
        (VR::OB, vec![0x00, 0x01]),
    );
    for (meta, data) in [
        (tags::MEDIA_STORAGE_SOP_CLASS_UID, tags::SOP_CLASS_UID),
        (tags::MEDIA_STORAGE_SOP_INSTANCE_UID, tags::SOP_INSTANCE_UID),
    ] {
        if let Some(uid) = file.data.ascii(data) {
            changed.insert(meta, text(&uid));
        }
    }
    for (tag, vr, value) in file.meta.elements() {
        if let Value::Bytes(bytes) = value {
            changed.entry(tag).or_insert_with(|| (vr, bytes.clone()));
        }
    }
    changed.remove(&tags::FILE_META_INFORMATION_GROUP_LENGTH);
    changed.insert(tags::TRANSFER_SYNTAX_UID, text(to));
    changed.insert(
        tags::IMPLEMENTATION_CLASS_UID,
        text(IMPLEMENTATION_CLASS_UID),
    );
    changed.insert(
        tags::IMPLEMENTATION_VERSION_NAME,
        (VR::SH, IMPLEMENTATION_VERSION_NAME.as_bytes().to_vec()),
    );
    head(out, &changed)
}

/// Preamble, mark and these elements of group 0002.
fn head(out: &mut dyn Write, meta: &BTreeMap<Tag, (VR, Vec<u8>)>) -> io::Result<()> {
    let encoding = Encoding {
        explicit: true,
        big_endian: false,
    };
    let mut group = Vec::new();
    let mut writer = Writer::new(&mut group, encoding);
    for (tag, (vr, bytes)) in meta {
        writer.element(*tag, *vr, bytes)?;
    }
    let length = u32::try_from(group.len()).map_err(io::Error::other)?;
    out.write_all(&[0; 128])?;
    out.write_all(b"DICM")?;
    Writer::new(out, encoding).element(
        tags::FILE_META_INFORMATION_GROUP_LENGTH,
        VR::UL,
        &length.to_le_bytes(),
    )?;
    out.write_all(&group)
}

/// An element as it is to be written.
pub(crate) enum Written<'a> {
    /// As in the file.
    Kept(&'a Value),
    /// As it was changed to.
    Changed(&'a [u8]),
}

/// The elements of a data set with their changes, by tag. Group lengths are left out: they are
/// retired, and would be wrong.
pub(crate) fn elements<'a>(data: &'a DataSet, changes: &'a Changes) -> Vec<(Tag, VR, Written<'a>)> {
    let kept = data
        .elements()
        .filter(|(tag, ..)| tag.element() != 0 && !changes.contains_key(tag))
        .map(|(tag, vr, value)| (tag, vr, Written::Kept(value)));
    let changed = changes.iter().filter_map(|(tag, change)| {
        let (vr, bytes) = change.as_ref()?;
        Some((*tag, *vr, Written::Changed(bytes)))
    });
    let mut elements: Vec<_> = kept.chain(changed).collect();
    elements.sort_by_key(|(tag, ..)| *tag);
    elements.dedup_by_key(|(tag, ..)| *tag);
    elements
}

/// Writes a value as the file has it, except sequences and fragments.
pub(crate) fn plain(
    writer: &mut Writer<'_>,
    (path, file): (&Path, &Part10),
    (tag, vr): (Tag, VR),
    value: &Value,
) -> io::Result<()> {
    match value {
        Value::Bytes(bytes) => writer.element(tag, vr, bytes),
        Value::Apart(apart) => {
            let content = Content::open(path, file, vec![*apart], walk::unit(vr))?;
            writer.copied(tag, vr, content, walk::unit(vr))
        }
        Value::Items(_) | Value::Fragments(_) => Ok(()),
    }
}

/// The VR with which an element of `file` is written in explicit VR.
pub(crate) fn written_vr(file: &Part10, tag: Tag, vr: VR, signed: bool) -> VR {
    if file.transfer_syntax_uid == walk::IMPLICIT_VR_LITTLE_ENDIAN {
        known(tag, vr, true, signed)
    } else {
        vr
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk;

    #[test]
    fn it_can_be_read() {
        let mut file = beginning("1.2.840.10008.5.1.4.1.1.2", "2.25.1", "1.2.840.10008.1.2.1");
        let length = file.len() as u64;
        file.extend([8, 0, 0x60, 0, b'C', b'S', 2, 0, b'C', b'T']);
        let read = walk::whole(&file).unwrap();
        assert_eq!(read.transfer_syntax_uid, "1.2.840.10008.1.2.1");
        assert_eq!(read.data_offset, length);
        assert_eq!(read.data.elements().count(), 1);
    }
}
