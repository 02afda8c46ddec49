//! Which instance a file is, read from its first bytes while the rest is still on its way.

use dicom_dictionary_std::tags;

use super::{DEFLATED, Encoding, Keep, Scope, TRANSFER_SYNTAX_UID, Walk, WalkError};
use crate::bytes::Source;
use crate::uid::Uid;

/// The names of an instance, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Transfer syntax (0002,0010).
    pub transfer_syntax_uid: Uid,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: Uid,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: Uid,
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: Uid,
}

/// Reads the beginning of a Part 10 file. `None` if more of it is needed: pixels never are.
///
/// # Errors
/// If it is no such file, or does not say what it is. Whoever gives more and more of a hostile file
/// must stop somewhere.
pub fn beginning(bytes: &[u8]) -> Result<Option<Beginning>, WalkError> {
    if bytes.len() < 132 {
        return Ok(None);
    }
    let mut walk = Walk {
        source: Source::bytes(bytes),
        keep: Keep::Whole,
        elements: 0,
        kept: 0,
    };
    match names(&mut walk) {
        Ok(found) => Ok(found),
        // The bytes end here, not the file.
        Err(WalkError::Truncated(_) | WalkError::TooLong { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn names(walk: &mut Walk<'_>) -> Result<Option<Beginning>, WalkError> {
    walk.magic()?;
    let meta = walk.file_meta()?;
    if walk.source.at_end()? {
        return Ok(None);
    }
    let uid = |text: Option<String>| {
        let uid = text.and_then(|text| Uid::parse(&text).ok());
        uid.ok_or(WalkError::Garbled(132, "no names that are UIDs"))
    };
    let transfer_syntax_uid = uid(meta.ascii(TRANSFER_SYNTAX_UID))?;
    let deflated = DEFLATED.contains(&transfer_syntax_uid.as_str());
    if deflated {
        walk.source = std::mem::replace(&mut walk.source, Source::bytes(&[])).inflated();
    }
    let encoding = Encoding::of(transfer_syntax_uid.as_str());
    let mut data = super::DataSet::default();
    loop {
        // Series Instance UID is the last of the names; elements are in the order of their tags.
        let read = walk.header(encoding, Scope::TOP).and_then(|header| {
            let passed = header.tag > tags::SERIES_INSTANCE_UID;
            let value = match passed {
                true => None,
                false => walk.value(&header, Scope::TOP, encoding, true)?,
            };
            Ok((header, passed, value))
        });
        let (header, passed, value) = match read {
            Ok(read) => read,
            // A stream that is cut off looks like one that is wrong.
            Err(WalkError::Garbled(..) | WalkError::InflatesTooFar(_)) if deflated => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let last = header.tag == tags::SERIES_INSTANCE_UID;
        data.0
            .extend(value.map(|value| (header.tag, header.vr, value)));
        if passed || last {
            return Ok(Some(Beginning {
                sop_instance_uid: uid(data.ascii(tags::SOP_INSTANCE_UID))?,
                study_instance_uid: uid(data.ascii(tags::STUDY_INSTANCE_UID))?,
                series_instance_uid: uid(data.ascii(tags::SERIES_INSTANCE_UID))?,
                transfer_syntax_uid,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantoms;
    use crate::{instance, scan};

    #[test]
    fn the_names_are_found_as_soon_as_they_have_come() {
        let folder = tempfile::tempdir().unwrap();
        let now = std::time::UNIX_EPOCH;
        let studies = phantoms::write(folder.path(), "names", now, phantoms::Detail::Small);
        for study in studies.unwrap() {
            let path = &scan::files_below(&study.folder).unwrap()[0];
            let expected = instance::read(path).unwrap();
            let bytes = std::fs::read(path).unwrap();
            let needed = (0..bytes.len()).find_map(|length| {
                let found = beginning(&bytes[..length]).unwrap()?;
                Some((length, found))
            });
            let (length, found) = needed.unwrap();
            assert!(length < 4096, "{length}");
            assert_eq!(found.sop_instance_uid, expected.sop_instance_uid);
            assert_eq!(found.study_instance_uid, expected.study_instance_uid);
            assert_eq!(found.series_instance_uid, expected.series_instance_uid);
            assert_eq!(found.transfer_syntax_uid, expected.transfer_syntax_uid);
        }
    }

    #[test]
    fn a_deflated_file_says_it_too() {
        use std::io::Write;
        let mut file = crate::part10::beginning("1.2.3", "1.2.4", DEFLATED[0]);
        let mut data = Vec::new();
        for (group, element, value) in [
            (0x0008_u16, 0x0018_u16, "1.2.4\0"),
            (0x0020, 0x000D, "1.25"),
            (0x0020, 0x000E, "1.26"),
        ] {
            data.extend(group.to_le_bytes());
            data.extend(element.to_le_bytes());
            data.extend(b"UI");
            data.extend((value.len() as u16).to_le_bytes());
            data.extend(value.as_bytes());
        }
        data.extend(vec![0; 50_000]);
        let mut deflated =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        deflated.write_all(&data).unwrap();
        file.extend(deflated.finish().unwrap());
        let found = (0..=file.len()).find_map(|length| beginning(&file[..length]).unwrap());
        assert_eq!(found.unwrap().series_instance_uid.as_str(), "1.26");
    }

    #[test]
    fn what_is_no_instance_is_refused() {
        assert!(beginning(&[0; 200]).is_err());
        let mut nameless = crate::part10::beginning("1.2.3", "1.2.4", "1.2.840.10008.1.2.1");
        nameless.extend([0x28, 0, 0x10, 0, b'U', b'S', 2, 0, 0, 1]);
        assert!(beginning(&nameless).is_err());
    }
}
