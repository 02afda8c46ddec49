//! Measured values in DICOM objects: structured reports (TID 1500 and others), radiation dose
//! reports, segmentations and parametric maps, and on what they were measured.
//!
//! A file is read alone; what it says of itself is enough. Values that are texts are not read:
//! whoever wants them reads the report.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part16.html#chapter_A>

mod codes;
mod content;
mod dose;
mod inherited;
mod parametric_map;
mod report;
mod segmentation;
mod snomed;
mod sources;
#[cfg(test)]
mod tests;

use dicom_dictionary_std::{tags, uids};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xds_schemas::imaging::measurement::{MAX_MEASUREMENTS, Measurement};

pub use sources::{MAX_SOURCES, SourceSeries};

use self::content::Item;
use self::sources::{Evidence, Sources, uid};
use crate::text::CharacterSet;
use crate::walk::Part10;

/// Which kind of object says something measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A structured report.
    Report,
    /// A radiation dose report.
    Dose,
    /// A segmentation.
    Segmentation,
    /// A parametric map.
    ParametricMap,
}

/// What one object says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Which kind of object it is.
    pub kind: Kind,
    /// Template Identifier of a report (0040,DB00), such as `1500`.
    pub template: Option<String>,
    /// Its values, in its order; at most [`MAX_MEASUREMENTS`]. Serialised as the lines of their slots.
    #[serde(serialize_with = "as_lines", deserialize_with = "of_lines")]
    pub measurements: Vec<Measurement>,
    /// How many values there were beyond those.
    pub left_out: usize,
    /// The series that it was made from, without those of reports and segmentations.
    pub sources: Vec<SourceSeries>,
}

/// Reports that may hold numbers. Key object selections and procedure logs do not.
const REPORTS: [&str; 14] = [
    uids::BASIC_TEXT_SR_STORAGE,
    uids::ENHANCED_SR_STORAGE,
    uids::COMPREHENSIVE_SR_STORAGE,
    uids::COMPREHENSIVE3_DSR_STORAGE,
    uids::EXTENSIBLE_SR_STORAGE,
    uids::MAMMOGRAPHY_CADSR_STORAGE,
    uids::CHEST_CADSR_STORAGE,
    uids::COLON_CADSR_STORAGE,
    uids::X_RAY_RADIATION_DOSE_SR_STORAGE,
    uids::RADIOPHARMACEUTICAL_RADIATION_DOSE_SR_STORAGE,
    uids::SIMPLIFIED_ADULT_ECHO_SR_STORAGE,
    uids::PATIENT_RADIATION_DOSE_SR_STORAGE,
    uids::PERFORMED_IMAGING_AGENT_ADMINISTRATION_SR_STORAGE,
    uids::ENHANCED_X_RAY_RADIATION_DOSE_SR_STORAGE,
];

const SEGMENTATIONS: [&str; 4] = [
    uids::SEGMENTATION_STORAGE,
    uids::LABEL_MAP_SEGMENTATION_STORAGE,
    uids::SURFACE_SEGMENTATION_STORAGE,
    uids::HEIGHT_MAP_SEGMENTATION_STORAGE,
];

/// What a file says that was walked whole. `None` if it is of no class that says something measured;
/// a report without a number is one without values.
pub fn read(file: &Part10) -> Option<Measured> {
    let data = &file.data;
    let set = CharacterSet::of(data);
    let class = data.ascii(tags::SOP_CLASS_UID)?;
    let said_in = uid(data, tags::SOP_INSTANCE_UID)?;
    let root = Item::new(data, &set);
    let (kind, evidence) = if REPORTS.contains(&class.as_str()) {
        let kind = match dose::is_report(root) {
            true => Kind::Dose,
            false => Kind::Report,
        };
        (kind, Evidence::of_report(data))
    } else if SEGMENTATIONS.contains(&class.as_str()) {
        (Kind::Segmentation, Evidence::of_image(data))
    } else if class == uids::PARAMETRIC_MAP_STORAGE {
        (Kind::ParametricMap, Evidence::of_image(data))
    } else {
        return None;
    };
    let mut values = Values::new(said_in.clone(), evidence.whole());
    match kind {
        Kind::Report => report::read(root, &evidence, &mut values),
        Kind::Dose => dose::read(root, &mut values),
        Kind::Segmentation => segmentation::read(data, &set, &said_in, &mut values),
        Kind::ParametricMap => parametric_map::read(data, &set, &mut values),
    }
    let template = data.items(tags::CONTENT_TEMPLATE_SEQUENCE).first();
    let template = template.and_then(|it| it.ascii(tags::TEMPLATE_IDENTIFIER));
    Some(Measured {
        kind,
        template: template.filter(|it| !it.is_empty()),
        measurements: values.found,
        left_out: values.left_out,
        sources: evidence.series,
    })
}

/// Values as they are found in one object.
struct Values {
    found: Vec<Measurement>,
    left_out: usize,
    said_in: String,
    /// All that the object was made from.
    evidence: Sources,
}

impl Values {
    fn new(said_in: String, evidence: Sources) -> Self {
        Self {
            found: Vec::new(),
            left_out: 0,
            said_in,
            evidence,
        }
    }

    fn add(&mut self, measurement: Measurement) {
        if self.found.len() >= MAX_MEASUREMENTS {
            self.left_out += 1;
            return;
        }
        self.found.push(Measurement {
            said_in: Some(self.said_in.clone()),
            ..measurement
        });
    }
}

fn as_lines<S: Serializer>(them: &[Measurement], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(them.iter().map(Measurement::to_values))
}

fn of_lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Measurement>, D::Error> {
    let lines = Vec::<Vec<String>>::deserialize(deserializer)?;
    let read = lines.iter();
    Ok(read
        .filter_map(|lines| Measurement::from_values(lines))
        .collect())
}
