//! Measured values (imaging biomarkers): what was measured, how much, where, how, by what.
//!
//! One slot for each value; in it, one `name=value` for each thing that is said.

use crate::ebrim::Slot;
use crate::metadata::Code;

/// The slots of measured values: this, `:`, and a number.
pub const SLOT: &str = "urn:hilum:measurement:2026";

/// A measured or judged value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measurement {
    /// What was measured: volume, mean attenuation, CTDIvol.
    pub concept: Option<Code>,
    /// How much it is.
    pub value: Option<f64>,
    /// In which unit of UCUM.
    pub unit: Option<Code>,
    /// What it is, if it is a judgement.
    pub coded_value: Option<Code>,
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
    /// SOP Instance UID of the object that says so.
    pub said_in: Option<String>,
    /// Series Instance UIDs of what it was measured on.
    pub source_series: Vec<String>,
    /// SOP Instance UIDs of what it was measured on, if those are few.
    pub source_instances: Vec<String>,
}

/// The slots that say this.
pub fn to_slots(measurements: &[Measurement]) -> Vec<Slot> {
    let _ = measurements;
    Vec::new()
}

/// What the slots of a document entry say. What is not understood is left out.
pub fn from_slots(slots: &[Slot]) -> Vec<Measurement> {
    let _ = slots;
    Vec::new()
}
