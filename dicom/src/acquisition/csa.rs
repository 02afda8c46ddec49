//! Siemens' CSA header: an element of bytes that holds elements of its own.
//!
//! It is not documented by Siemens; what is known of it was found out by others
//! (<https://nipy.org/nibabel/dicom/siemens_csa.html>). Read is the form that begins with `SV10`,
//! which all devices write since the middle of the 2000s.

use xds_schemas::imaging::acquisition::Kind;

use super::derived::parameter;
use super::elements::Element;
use super::{Acquired, reading};

/// Elements of a header that are looked at; one of an image has about 100.
const MAX_ELEMENTS: u32 = 256;
/// Values of an element that are stepped over; matrices have nine.
const MAX_VALUES: u32 = 256;

/// Its place in the private block.
pub(super) const ELEMENT: u8 = 0x10;

/// Names of its elements, and what they say.
const ELEMENTS: [(&str, &str); 5] = [
    ("B_value", "diffusionBValue"),
    ("DiffusionDirectionality", "DiffusionDirectionality"),
    ("BandwidthPerPixelPhaseEncode", "pixelBandwidthPhaseEncode"),
    ("NumberOfImagesInMosaic", "sliceCount"),
    ("ImaCoilString", "ReceiveCoilName"),
];

/// Whether this private element is the header of an image.
pub(super) fn is_header(creator: &str, group: u16, element: u8) -> bool {
    (creator, group, element) == ("SIEMENS CSA HEADER", 0x0029, ELEMENT)
}

/// Adds what the header says. What is garbled ends the reading.
pub(super) fn add(acquired: &mut Acquired, header: &[u8]) {
    let Some(header) = header.strip_prefix(b"SV10") else {
        return;
    };
    let mut bytes = Bytes(header);
    bytes.take(4);
    let Some(count) = bytes.number() else {
        return;
    };
    bytes.take(4);
    for _ in 0..count.min(MAX_ELEMENTS) {
        if element(acquired, &mut bytes).is_none() {
            return;
        }
    }
}

/// Name, multiplicity, VR, syngo's type, number of values, a mark; then the values.
fn element(acquired: &mut Acquired, bytes: &mut Bytes<'_>) -> Option<()> {
    let name = text(bytes.take(64)?);
    bytes.take(12)?;
    let count = bytes.number()?;
    bytes.take(4)?;
    if count > MAX_VALUES {
        return None;
    }
    let known = ELEMENTS.iter().find(|(known, _)| *known == name);
    for index in 0..count {
        // Four lengths, of which the second is that of the value.
        bytes.take(4)?;
        let length = bytes.number()?;
        bytes.take(8)?;
        let value = bytes.take(usize::try_from(length).ok()?)?;
        bytes.take((4 - value.len() % 4) % 4)?;
        if let (0, Some((_, keyword))) = (index, known) {
            keep(acquired, keyword, &text(value));
        }
    }
    Some(())
}

fn keep(acquired: &mut Acquired, keyword: &str, value: &str) {
    let Some(parameter) = parameter(keyword) else {
        return;
    };
    if parameter.kind == Kind::Text {
        acquired.text(parameter, value);
    } else if let Ok(number) = value.parse()
        && (keyword != "sliceCount" || number > 1.0)
    {
        let element = Element {
            parameter,
            factor: 1.0,
        };
        reading::number_of(acquired, element, number);
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    let text = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]);
    text.trim().to_owned()
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    }
}
