//! The JSON file beside a volume that says how it was acquired, as BIDS names things.
//!
//! BIDS: <https://bids-specification.readthedocs.io/en/stable/modality-specific-files/magnetic-resonance-imaging-data.html>.
//! Times are in seconds there and in milliseconds in DICOM, so every value comes with its unit.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{NiftiFacts, TimeUnit};
use crate::opened;

/// Longer ones are refused. Slice timing and the like are some kilobytes.
const MAX_BYTES: u64 = 4 << 20;
/// Values of one field beyond this are left out.
const MAX_VALUES: usize = 64;

/// What a sidecar says, as far as it is understood. Texts that may name people are not read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sidecar {
    /// `Modality`, if it is an acquisition modality of DICOM (CID 29).
    pub modality: Option<String>,
    /// Parameters by DICOM's keywords, in the units that DICOM has for them.
    pub parameters: Vec<Parameter>,
    /// `RepetitionTime` in seconds.
    pub repetition_time_s: Option<f64>,
    /// What could not be understood, a sentence each.
    pub problems: Vec<String>,
}

/// One value of an acquisition parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// A number in a unit of UCUM.
    Number {
        /// Keyword of DICOM PS3.6.
        keyword: &'static str,
        /// In `unit`.
        value: f64,
        /// The unit that DICOM has for the keyword; `1` if none.
        unit: &'static str,
    },
    /// A word of a device.
    Text {
        /// Keyword of DICOM PS3.6.
        keyword: &'static str,
        /// As written.
        value: String,
    },
}

/// Fields of numbers: name in BIDS, keyword in DICOM, what makes DICOM's number of it, DICOM's unit.
const NUMBERS: [(&str, &str, f64, &str); 20] = [
    ("MagneticFieldStrength", "MagneticFieldStrength", 1.0, "T"),
    ("RepetitionTime", "RepetitionTime", 1e3, "ms"),
    ("RepetitionTimeExcitation", "RepetitionTime", 1e3, "ms"),
    ("EchoTime", "EchoTime", 1e3, "ms"),
    ("InversionTime", "InversionTime", 1e3, "ms"),
    ("FlipAngle", "FlipAngle", 1.0, "deg"),
    ("ImagingFrequency", "ImagingFrequency", 1.0, "MHz"),
    ("PixelBandwidth", "PixelBandwidth", 1.0, "Hz"),
    ("EchoTrainLength", "EchoTrainLength", 1.0, "1"),
    ("NumberOfAverages", "NumberOfAverages", 1.0, "1"),
    ("PercentPhaseFOV", "PercentPhaseFieldOfView", 1.0, "%"),
    ("PercentSampling", "PercentSampling", 1.0, "%"),
    ("SAR", "SAR", 1.0, "W/kg"),
    ("SliceThickness", "SliceThickness", 1.0, "mm"),
    ("SpacingBetweenSlices", "SpacingBetweenSlices", 1.0, "mm"),
    ("EchoNumber", "EchoNumbers", 1.0, "1"),
    ("KVP", "KVP", 1.0, "kV"),
    ("XRayTubeCurrent", "XRayTubeCurrent", 1.0, "mA"),
    ("XRayExposure", "Exposure", 1.0, "mA.s"),
    ("ExposureTime", "ExposureTime", 1e3, "ms"),
];

/// Fields of text: name in BIDS, keyword in DICOM.
const TEXTS: [(&str, &str); 14] = [
    ("Manufacturer", "Manufacturer"),
    ("ManufacturersModelName", "ManufacturerModelName"),
    ("SoftwareVersions", "SoftwareVersions"),
    ("BodyPartExamined", "BodyPartExamined"),
    ("BodyPart", "BodyPartExamined"),
    ("PatientPosition", "PatientPosition"),
    ("MRAcquisitionType", "MRAcquisitionType"),
    ("ScanningSequence", "ScanningSequence"),
    ("SequenceVariant", "SequenceVariant"),
    ("ScanOptions", "ScanOptions"),
    ("SequenceName", "SequenceName"),
    ("ReceiveCoilName", "ReceiveCoilName"),
    ("ConvolutionKernel", "ConvolutionKernel"),
    ("ReconMethodName", "ReconstructionMethod"),
];

/// Acquisition modalities (PS3.16 CID 29) that make volumes.
const MODALITIES: [&str; 10] = [
    "CT", "MR", "PT", "NM", "US", "XA", "MG", "OPT", "IVOCT", "DX",
];

/// The sidecar of a volume by its name: `.json` in place of `.nii`, `.nii.gz`, `.hdr` or `.img`.
pub fn beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    let lower = name.to_ascii_lowercase();
    let endings = [".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz"];
    let ending = endings.iter().rfind(|ending| lower.ends_with(**ending))?;
    let stem = name.get(..name.len() - ending.len())?;
    let sidecar = path.with_file_name(format!("{stem}.json"));
    sidecar.is_file().then_some(sidecar)
}

impl Sidecar {
    /// The sidecar of a volume, if it has one.
    pub fn of(volume: &Path) -> io::Result<Option<Self>> {
        let Some(path) = beside(volume) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        opened::open(&path)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)?;
        Ok(Some(Self::parse(&bytes)))
    }

    /// Reads a sidecar. What is not understood is a problem, never an error.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut sidecar = Self::default();
        if bytes.len() as u64 > MAX_BYTES {
            sidecar
                .problems
                .push(format!("The sidecar is longer than {MAX_BYTES} bytes."));
            return sidecar;
        }
        let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else {
            sidecar
                .problems
                .push("The sidecar is not a JSON object.".to_owned());
            return sidecar;
        };
        sidecar.take_modality(&fields);
        sidecar.take_numbers(&fields);
        sidecar.take_texts(&fields);
        sidecar
    }

    fn take_modality(&mut self, fields: &Map<String, Value>) {
        match fields.get("Modality").and_then(Value::as_str) {
            Some(known) if MODALITIES.contains(&known) => self.modality = Some(known.to_owned()),
            // Whatever it is, it is not repeated.
            Some(_) => self
                .problems
                .push("The modality of the sidecar is none of DICOM's.".to_owned()),
            None => {}
        }
    }

    fn take_numbers(&mut self, fields: &Map<String, Value>) {
        for (name, keyword, factor, unit) in NUMBERS {
            let Some(field) = fields.get(name) else {
                continue;
            };
            let Some(numbers) = numbers(field) else {
                self.problems
                    .push(format!("{name} of the sidecar is not a number."));
                continue;
            };
            if name == "RepetitionTime" {
                self.repetition_time_s = numbers.first().copied();
            }
            for number in numbers {
                let value = shortest(number * factor);
                self.parameters.push(Parameter::Number {
                    keyword,
                    value,
                    unit,
                });
            }
        }
    }

    fn take_texts(&mut self, fields: &Map<String, Value>) {
        for (name, keyword) in TEXTS {
            let texts: Vec<&str> = match fields.get(name) {
                Some(Value::String(text)) => vec![text],
                Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
                _ => continue,
            };
            for text in texts.iter().take(MAX_VALUES) {
                let value: String = text
                    .chars()
                    .filter(|it| !it.is_control())
                    .take(64)
                    .collect();
                let value = value.trim();
                if !value.is_empty() {
                    let value = value.to_owned();
                    self.parameters.push(Parameter::Text { keyword, value });
                }
            }
        }
    }

    /// Where sidecar and header say different things, a sentence each.
    pub fn contradictions(&self, facts: &NiftiFacts) -> Vec<String> {
        let (Some(said), Some(time)) = (self.repetition_time_s, &facts.time) else {
            return Vec::new();
        };
        let step = match time.unit {
            TimeUnit::Second => time.step,
            TimeUnit::Millisecond => time.step / 1e3,
            TimeUnit::Microsecond => time.step / 1e6,
            _ => return Vec::new(),
        };
        let differ = (said - step).abs() > 0.001 * said.abs().max(step.abs());
        let sentence = || {
            format!("The sidecar says that a volume takes {said} s, and the header says {step} s.")
        };
        differ.then(sentence).into_iter().collect()
    }
}

/// A number or an array of them.
fn numbers(field: &Value) -> Option<Vec<f64>> {
    match field {
        Value::Array(values) => values.iter().take(MAX_VALUES).map(Value::as_f64).collect(),
        value => value.as_f64().map(|it| vec![it]),
    }
}

/// Without the digits that multiplying brings: 0.00456 s are 4.56 ms.
fn shortest(number: f64) -> f64 {
    format!("{number:.12e}").parse().unwrap_or(number)
}
