//! Acquisition parameters: how a series was made, in stated units.
//!
//! One slot says what holds for the series of the document, and one slot for each series what is
//! different there. So a question can ask for several parameters of the same series.
//!
//! ```text
//! urn:hilum:acquisition:2026             Modality=CT
//!                                        KVP=120 kV
//!                                        bodyPart=816094009^Chest^2.16.840.1.113883.6.96
//! urn:hilum:acquisition:2026:1.2.3.4     SliceThickness=1.25 mm
//!                                        ConvolutionKernel=Br40d
//! ```

mod parameters;
mod slots;
mod value;

use std::collections::BTreeMap;

use crate::metadata::Code;

pub use parameters::{parameter, parameters};
pub use slots::{from_slots, to_slots};
pub use value::CUT;

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
    /// A code with one display name.
    Code(Code),
}

/// The parameters of a series: by keyword, the values that occur in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesParameters {
    /// Series Instance UID. Empty if the document says what holds for its series, but not which
    /// they are.
    pub series_instance_uid: String,
    /// By keyword. Of numbers that take too many values, the smallest and the largest; of texts
    /// that do, some and [`CUT`].
    pub values: BTreeMap<&'static str, Vec<Value>>,
}

#[cfg(test)]
mod tests;
