//! `[complete]`: whether a file has what every instance has, and all of its pixels.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::facts::InstanceFacts;
use super::finding::{Finding, MANNER, Manner, Place};
use super::reader::{CardError, Section};
use crate::instance::InstanceError;
use crate::walk::{DataSet, Part10, Value};

const CHECKS: [&str; 2] = ["identifiers", "pixels"];
const PIXELS: [Tag; 3] = [
    tags::PIXEL_DATA,
    tags::FLOAT_PIXEL_DATA,
    tags::DOUBLE_FLOAT_PIXEL_DATA,
];
/// Video: one stream holds all frames.
const VIDEO: &str = "1.2.840.10008.1.2.4.10";

#[derive(Debug, Clone)]
pub(super) struct Complete {
    identifiers: bool,
    pixels: bool,
    manner: Manner,
}

impl Complete {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, CardError> {
        section.only(&[&["checks"], &MANNER])?;
        let checks = section.words("checks", &CHECKS)?;
        let has = |check: &str| checks.is_empty() || checks.iter().any(|it| it == check);
        Ok(Self {
            identifiers: has("identifiers"),
            pixels: has("pixels"),
            manner: Manner::read(section)?,
        })
    }

    /// The finding about a file that cannot be told from others.
    pub(super) fn unidentified(&self, error: &InstanceError) -> Option<Finding> {
        self.identifiers.then(|| {
            let says = format!("The object cannot be identified: {error}.");
            self.finding("identifiers", Place::default(), "four identifiers", says)
        })
    }

    pub(super) fn judge(&self, file: &Part10, facts: &InstanceFacts) -> Vec<Finding> {
        let mut findings = Vec::new();
        let meta = file.meta.ascii(tags::MEDIA_STORAGE_SOP_INSTANCE_UID);
        let differs = meta.is_some_and(|uid| uid != facts.sop_instance_uid.as_str());
        if self.identifiers && differs {
            let says = "The file's header names another object than the file holds.".to_owned();
            findings.push(self.finding("identifiers", facts.place(), "one identifier", says));
        }
        if self.pixels
            && let Some((expected, says)) = wrong_pixels(file)
        {
            findings.push(self.finding("pixels", facts.place(), &expected, says));
        }
        findings
    }

    fn finding(&self, check: &str, place: Place, expected: &str, says: String) -> Finding {
        let where_set = "Send it again from where it was made.";
        self.manner.finding(
            format!("complete {check}"),
            place,
            expected,
            says,
            where_set,
        )
    }
}

/// What should be and what is, if there are fewer pixels than the header says.
fn wrong_pixels(file: &Part10) -> Option<(String, String)> {
    let data = &file.data;
    let bytes = expected_bytes(data)?;
    let frames = frames(data);
    let Some((_, value)) = PIXELS.iter().find_map(|tag| data.get(*tag)) else {
        // Pixels may lie elsewhere (JPIP), and then the object says where.
        if data.get(tags::PIXEL_DATA_PROVIDER_URL).is_some() {
            return None;
        }
        return Some(("pixels".to_owned(), "The image has no pixels.".to_owned()));
    };
    let length = match value {
        Value::Apart(apart) => apart.length,
        Value::Bytes(bytes) => bytes.len() as u64,
        Value::Items(_) => 0,
        Value::Fragments(fragments) => {
            // The first fragment is the table of offsets.
            let found = fragments.iter().skip(1).filter(|it| it.length > 0).count() as u64;
            let is_video = file.transfer_syntax_uid.starts_with(VIDEO);
            let expected = if is_video { 1 } else { frames };
            let says = format!("The image has {found} compressed frames; expected {expected}.");
            return (found < expected).then(|| (format!("{expected} frames"), says));
        }
    };
    let says = format!("The image has {length} bytes of pixels; expected {bytes}: it is cut off.");
    (length < bytes).then(|| (format!("{bytes} bytes of pixels"), says))
}

fn frames(data: &DataSet) -> u64 {
    let frames = data.number(tags::NUMBER_OF_FRAMES).unwrap_or(1.0);
    frames.clamp(1.0, f64::from(u32::MAX)) as u64
}

/// How many bytes the pixels take if they are not compressed. `None` if the object has no pixels.
fn expected_bytes(data: &DataSet) -> Option<u64> {
    let number = |tag| {
        let number = data.number(tag)?;
        (0.0..=65_535.0).contains(&number).then_some(number as u64)
    };
    let (rows, columns) = (number(tags::ROWS)?, number(tags::COLUMNS)?);
    let allocated = number(tags::BITS_ALLOCATED)?;
    let samples = number(tags::SAMPLES_PER_PIXEL).unwrap_or(1);
    let photometric = data.ascii(tags::PHOTOMETRIC_INTERPRETATION);
    let pixels = rows * columns;
    // Half of the colours are left out in one direction or in both (PS3.3 C.7.6.3.1.2).
    let values = match photometric.as_deref() {
        Some("YBR_FULL_422" | "YBR_PARTIAL_422") => pixels * 2,
        Some("YBR_PARTIAL_420") => pixels * 3 / 2,
        _ => pixels.checked_mul(samples)?,
    };
    let bits = values.checked_mul(allocated)?.checked_mul(frames(data))?;
    Some(bits.div_ceil(8))
}
