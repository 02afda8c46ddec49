//! Acquisition parameters: how a series was made, in stated units.
//!
//! One slot says what holds for every series of the document, and one slot for each series what is
//! different there. So a question can ask for several parameters of the same series.

use std::collections::BTreeMap;

use crate::ebrim::Slot;
use crate::metadata::Code;

/// The slot of what holds for all series; with `:` and a Series Instance UID, the slot of a series.
pub const SLOT: &str = "urn:hilum:acquisition:2026";

/// What a parameter's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Numbers, in this unit of UCUM; `1` if they have none.
    Number(&'static str),
    /// Text.
    Text,
    /// Codes with their scheme.
    Code,
}

/// A parameter that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its keyword in DICOM (PS3.6), or one of ours that begins with a small letter.
    pub keyword: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What it means, in a few words.
    pub means: &'static str,
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// In the parameter's unit.
    Number(f64),
    /// Text.
    Text(String),
    /// A code.
    Code(Code),
}

/// The parameters of a series: by keyword, the values that occur in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesParameters {
    /// Series Instance UID.
    pub series_instance_uid: String,
    /// By keyword.
    pub values: BTreeMap<&'static str, Vec<Value>>,
}

/// The parameter with this keyword.
pub fn parameter(keyword: &str) -> Option<&'static Parameter> {
    let _ = keyword;
    None
}

/// The slots that say this.
pub fn to_slots(series: &[SeriesParameters]) -> Vec<Slot> {
    let _ = series;
    Vec::new()
}

/// What the slots of a document entry say. Parameters and values that are not understood are left
/// out.
pub fn from_slots(slots: &[Slot]) -> Vec<SeriesParameters> {
    let _ = slots;
    Vec::new()
}
