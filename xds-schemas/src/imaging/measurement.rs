//! Measured values (imaging biomarkers): what was measured, how much, where, how, by what.
//!
//! One slot for each value; in it, one line `name=value` for each thing that is said. Lines are the
//! values of the slot, of at most 256 characters each. What the names mean is written in
//! `docs/imaging-measurements.md`.

mod lines;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::ebrim::Slot;
use crate::metadata::Code;

/// The slots of measured values: this, `:`, and a number from 1 on.
pub const SLOT: &str = "urn:hilum:measurement:2026";
/// The slot that says how many measured values a document entry leaves out.
pub const LEFT_OUT: &str = "urn:hilum:measurement:2026:left-out";
/// A document entry carries this many measured values; those beyond are only counted.
pub const MAX_MEASUREMENTS: usize = 2000;

/// A measured or judged value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measurement {
    /// What was measured: volume, mean attenuation, CTDIvol.
    pub concept: Option<Code>,
    /// How much it is. Finite.
    pub value: Option<f64>,
    /// In which unit of UCUM.
    pub unit: Option<Code>,
    /// What it is, if it is a judgement.
    pub coded_value: Option<Code>,
    /// There is a value for every pixel: `said_in` is a parametric map.
    pub per_pixel: bool,
    /// Why there is no value, or what is remarkable about it (CID 42).
    pub qualifier: Option<Code>,
    /// What was found there.
    pub finding: Option<Code>,
    /// Where.
    pub site: Option<Code>,
    /// On which side.
    pub laterality: Option<Code>,
    /// How it was measured.
    pub method: Option<Code>,
    /// Mean, maximum, standard deviation.
    pub derivation: Option<Code>,
    /// The program that measured it: name and version.
    pub algorithm: Option<(String, String)>,
    /// Tracking Identifier: the same lesion at other times has the same.
    pub tracking_identifier: Option<String>,
    /// Tracking Unique Identifier.
    pub tracking_uid: Option<String>,
    /// Irradiation Event UID, of a dose.
    pub irradiation_event_uid: Option<String>,
    /// What else is said of it: the phantom of a CTDI, the phase of the heart, the fetus.
    pub context: Vec<(Code, ContextValue)>,
    /// SOP Instance UID of the object that says so.
    pub said_in: Option<String>,
    /// The segment that was measured: SOP Instance UID of the segmentation, number of the segment.
    pub segment: Option<(String, u32)>,
    /// Series Instance UIDs of what it was measured on.
    pub source_series: Vec<String>,
    /// SOP Instance UIDs of what it was measured on, if those are few.
    pub source_instances: Vec<String>,
}

/// The value of something that is said beside a measured value.
#[derive(Debug, Clone, PartialEq)]
pub enum ContextValue {
    /// A code.
    Code(Code),
    /// Text.
    Text(String),
}

impl Measurement {
    /// What is said, in lines: the values of one slot. They may be kept and given to [`numbered`]
    /// later.
    pub fn to_values(&self) -> Vec<String> {
        lines::of(self)
    }

    /// What these lines say; lines that are not understood are passed over. `None` if there is
    /// no other.
    pub fn from_values(values: &[String]) -> Option<Self> {
        lines::read(values)
    }
}

/// The slots that say this.
pub fn to_slots(measurements: &[Measurement]) -> Vec<Slot> {
    numbered(measurements.iter().map(Measurement::to_values), 0)
}

/// The slots of measured values whose lines are known already: the first [`MAX_MEASUREMENTS`] of
/// them. Those beyond are counted, together with `left_out` others that somebody left out before.
pub fn numbered(values: impl IntoIterator<Item = Vec<String>>, left_out: usize) -> Vec<Slot> {
    let mut left_out = left_out;
    let mut slots = Vec::new();
    for values in values.into_iter().filter(|values| !values.is_empty()) {
        if slots.len() < MAX_MEASUREMENTS {
            slots.push(Slot {
                name: format!("{SLOT}:{}", slots.len() + 1),
                slot_type: None,
                values,
            });
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        slots.push(Slot::single(LEFT_OUT, left_out.to_string()));
    }
    slots
}

/// What the slots of a document entry say, in the order of their numbers and not more than
/// [`MAX_MEASUREMENTS`]. What is not understood is left out.
pub fn from_slots(slots: &[Slot]) -> Vec<Measurement> {
    let numbered: BTreeMap<u32, &Slot> = slots
        .iter()
        .filter_map(|slot| Some((number(&slot.name)?, slot)))
        .collect();
    numbered
        .into_values()
        .take(MAX_MEASUREMENTS)
        .filter_map(|slot| Measurement::from_values(&slot.values))
        .collect()
}

/// How many measured values the document entry leaves out.
pub fn left_out(slots: &[Slot]) -> usize {
    let slot = slots.iter().find(|slot| slot.name == LEFT_OUT);
    let count = slot.and_then(|slot| slot.values.first()?.parse().ok());
    count.unwrap_or(0)
}

/// The number of a slot of measured values.
fn number(name: &str) -> Option<u32> {
    name.strip_prefix(SLOT)?.strip_prefix(':')?.parse().ok()
}
