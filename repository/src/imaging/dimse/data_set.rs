//! Short data sets that are carried by messages: identifiers, and what is said of a storage
//! commitment. They come without file meta information (PS3.7 section 6.3.2).

use std::collections::BTreeMap;

use anyhow::Context;
use bytes::Bytes;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::uids;
use hilum_dicom::{part10, walk};

const ITEM: Tag = Tag(0xFFFE, 0xE000);

/// A data set that is being written. Its elements are brought into their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct DataSet(BTreeMap<Tag, (VR, Content)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Bytes(Vec<u8>),
    Items(Vec<DataSet>),
}

impl DataSet {
    /// Text, padded to an even length.
    pub(super) fn text(mut self, tag: Tag, vr: VR, text: &str) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(if vr == VR::UI { 0 } else { b' ' });
        }
        self.0.insert(tag, (vr, Content::Bytes(bytes)));
        self
    }

    /// A number of VR US.
    pub(super) fn number(mut self, tag: Tag, number: u16) -> Self {
        let bytes = number.to_le_bytes().to_vec();
        self.0.insert(tag, (VR::US, Content::Bytes(bytes)));
        self
    }

    /// A sequence.
    pub(super) fn items(mut self, tag: Tag, items: Vec<Self>) -> Self {
        self.0.insert(tag, (VR::SQ, Content::Items(items)));
        self
    }

    /// Its bytes in implicit or explicit VR little endian.
    ///
    /// # Errors
    /// If a value is too long for what stands before it.
    pub(super) fn write(&self, transfer_syntax: &str) -> anyhow::Result<Bytes> {
        let mut out = Vec::with_capacity(256);
        self.put(&mut out, transfer_syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN)?;
        Ok(out.into())
    }

    fn put(&self, out: &mut Vec<u8>, explicit: bool) -> anyhow::Result<()> {
        for (tag, (vr, content)) in &self.0 {
            let mut nested = Vec::new();
            let value = match content {
                Content::Bytes(bytes) => bytes,
                Content::Items(items) => {
                    for item in items {
                        let mut bytes = Vec::new();
                        item.put(&mut bytes, explicit)?;
                        put_tag(&mut nested, ITEM);
                        nested.extend(u32::try_from(bytes.len())?.to_le_bytes());
                        nested.extend(bytes);
                    }
                    &nested
                }
            };
            put_tag(out, *tag);
            match explicit {
                false => out.extend(u32::try_from(value.len())?.to_le_bytes()),
                true => put_vr(out, *vr, value.len())?,
            }
            out.extend(value);
        }
        Ok(())
    }
}

fn put_tag(out: &mut Vec<u8>, Tag(group, element): Tag) {
    out.extend(group.to_le_bytes());
    out.extend(element.to_le_bytes());
}

/// VR and length (PS3.5 section 7.1.2); of those with the long form, only sequences are written here.
fn put_vr(out: &mut Vec<u8>, vr: VR, length: usize) -> anyhow::Result<()> {
    out.extend(vr.to_bytes());
    if vr == VR::SQ {
        out.extend([0, 0]);
        out.extend(u32::try_from(length)?.to_le_bytes());
    } else {
        let length = u16::try_from(length).context("a value is too long")?;
        out.extend(length.to_le_bytes());
    }
    Ok(())
}

/// Reads a data set that came in a message of this class.
pub(super) fn read(
    class: &str,
    transfer_syntax: &str,
    bytes: &[u8],
) -> Result<walk::DataSet, walk::WalkError> {
    let mut file = part10::beginning(class, "2.25.0", transfer_syntax);
    file.extend(bytes);
    Ok(walk::whole(&file)?.data)
}

#[cfg(test)]
mod tests {
    use dicom_dictionary_std::tags;

    use super::*;

    #[test]
    fn there_and_back() {
        let item = DataSet::default()
            .text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, "2.25.1")
            .number(tags::FAILURE_REASON, 0x0112);
        let written = DataSet::default()
            .items(tags::FAILED_SOP_SEQUENCE, vec![item])
            .items(tags::REFERENCED_SOP_SEQUENCE, Vec::new())
            .text(tags::PATIENT_NAME, VR::PN, "A^B ")
            .text(tags::STUDY_DATE, VR::DA, "20260101-");
        for syntax in [
            uids::IMPLICIT_VR_LITTLE_ENDIAN,
            uids::EXPLICIT_VR_LITTLE_ENDIAN,
        ] {
            let read = read(uids::VERIFICATION, syntax, &written.write(syntax).unwrap()).unwrap();
            let failed = read.items(tags::FAILED_SOP_SEQUENCE);
            assert_eq!(failed.len(), 1, "{syntax}");
            assert_eq!(failed[0].number(tags::FAILURE_REASON), Some(274.0));
            assert_eq!(
                failed[0]
                    .ascii(tags::REFERENCED_SOP_INSTANCE_UID)
                    .as_deref(),
                Some("2.25.1")
            );
            assert!(read.items(tags::REFERENCED_SOP_SEQUENCE).is_empty());
            let date = read.ascii(tags::STUDY_DATE);
            assert_eq!(date.as_deref(), Some("20260101-"));
        }
        let long = DataSet::default().text(tags::PATIENT_NAME, VR::PN, &"x".repeat(70_000));
        assert!(long.write(uids::EXPLICIT_VR_LITTLE_ENDIAN).is_err());
    }
}
