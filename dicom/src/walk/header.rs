//! How the header of one element is written: tag, value representation, length (PS3.5 section 7.1).

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::{
    EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, MAX_ELEMENTS, Scope, Walk, WalkError,
};
use crate::bytes::UNDEFINED_LENGTH;

/// How elements are written in this part of the file.
#[derive(Clone, Copy)]
pub(super) struct Encoding {
    pub(super) explicit: bool,
    pub(super) big_endian: bool,
}

impl Encoding {
    /// That of a transfer syntax.
    pub(super) fn of(transfer_syntax_uid: &str) -> Self {
        Self {
            explicit: transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN,
            big_endian: transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN,
        }
    }
}

/// Tag, value representation and length of an element.
pub(super) struct Header {
    pub(super) tag: Tag,
    pub(super) vr: VR,
    /// `None` is the undefined length.
    pub(super) length: Option<u64>,
}

impl Walk<'_> {
    /// Reads the next header; its length is one that can be true.
    pub(super) fn header(&mut self, encoding: Encoding, scope: Scope) -> Result<Header, WalkError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(WalkError::TooMany);
        }
        let [a, b, c, d] = self.source.array::<4>()?;
        let tag = match encoding.big_endian {
            true => Tag(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
            false => Tag(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])),
        };
        let (vr, length) = if tag.group() == 0xFFFE {
            (VR::UN, self.long(encoding)?)
        } else if encoding.explicit {
            self.explicit(encoding)?
        } else {
            (dictionary_vr(tag), self.long(encoding)?)
        };
        let header = Header {
            tag,
            vr,
            length: (length != UNDEFINED_LENGTH).then_some(length.into()),
        };
        let left = scope
            .limit
            .saturating_sub(self.source.position())
            .min(self.source.left());
        match header.length {
            Some(declared) if declared > left => Err(WalkError::TooLong {
                tag,
                declared,
                left,
            }),
            _ => Ok(header),
        }
    }

    /// VR and length as written in explicit VR. An unknown VR has the long form (PS3.5 section 7.1.2).
    fn explicit(&mut self, encoding: Encoding) -> Result<(VR, u32), WalkError> {
        let vr = self.source.array::<2>()?;
        if !vr.iter().all(u8::is_ascii_uppercase) {
            return Err(self.garbled("no value representation where there must be one"));
        }
        let [a, b] = self.source.array::<2>()?;
        let vr = VR::from_binary(vr).unwrap_or(VR::UN);
        if has_long_form(vr) {
            return Ok((vr, self.long(encoding)?));
        }
        let length = match encoding.big_endian {
            true => u16::from_be_bytes([a, b]),
            false => u16::from_le_bytes([a, b]),
        };
        Ok((vr, length.into()))
    }

    fn long(&mut self, encoding: Encoding) -> Result<u32, WalkError> {
        let bytes = self.source.array::<4>()?;
        Ok(if encoding.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }
}

/// In implicit VR only the dictionary knows what is a sequence. A private one of undefined length can
/// be nothing else; a private one with a length is stepped over.
fn dictionary_vr(tag: Tag) -> VR {
    match StandardDataDictionary.by_tag(tag).map(|entry| entry.vr()) {
        Some(VirtualVr::Exact(vr)) => vr,
        Some(_) => VR::OW,
        None => VR::UN,
    }
}

pub(crate) fn has_long_form(vr: VR) -> bool {
    use VR::*;
    matches!(
        vr,
        OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV
    )
}
