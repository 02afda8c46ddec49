//! `[[volume]]`: what a volume that is no DICOM object should be, such as a NIfTI file.

use serde::{Deserialize, Serialize};

use super::finding::{Finding, MANNER, Manner, Place};
use super::reader::{CardError, Section};

/// What is known of a volume. Whoever reads the format fills it in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// How many voxels along each dimension: columns, rows, slices, then time and others.
    pub dimensions: Vec<u64>,
    /// Edges of a voxel in millimetres. `None` if the file does not say in which unit they are.
    pub voxel_mm: Option<[f64; 3]>,
    /// Why it is not certain how the volume lies in the patient, in words; none if it is.
    pub doubts: Vec<String>,
}

const KEYS: [&str; 7] = [
    "dimensions_at_least",
    "dimensions_at_most",
    "size_at_least",
    "size_at_most",
    "voxel_mm_at_least",
    "voxel_mm_at_most",
    "orientation_certain",
];

#[derive(Debug, Clone)]
pub(super) struct VolumeRule {
    dimensions: (Option<u64>, Option<u64>),
    size: (Option<u64>, Option<u64>),
    voxel_mm: (Option<f64>, Option<f64>),
    orientation_certain: bool,
    manner: Manner,
}

impl VolumeRule {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, CardError> {
        section.only(&[&KEYS, &MANNER])?;
        if !KEYS.iter().any(|key| section.has(key)) {
            let keys = KEYS.join(", ");
            return Err(section.error(format!(
                "nothing is wanted of the volume: say one of {keys}"
            )));
        }
        Ok(Self {
            dimensions: section.counts("dimensions_at_least", "dimensions_at_most")?,
            size: section.counts("size_at_least", "size_at_most")?,
            voxel_mm: section.range("voxel_mm_at_least", "voxel_mm_at_most")?,
            orientation_certain: section.flag("orientation_certain")?,
            manner: Manner::read(section)?,
        })
    }

    pub(super) fn judge(&self, volume: &VolumeFacts) -> Vec<Finding> {
        let mut findings = Vec::new();
        // Dimensions of one voxel at the end say nothing.
        let dimensions = volume.dimensions.iter().rposition(|size| *size > 1);
        let dimensions = dimensions.map_or(0.0, |at| at as f64 + 1.0);
        let float = |(least, most): (Option<u64>, Option<u64>)| {
            let float = |count: u64| count as f64;
            (least.map(float), most.map(float))
        };
        findings.extend(self.number("dimensions", &[dimensions], float(self.dimensions)));
        let size = volume.dimensions.iter().take(3);
        let size: Vec<_> = size.map(|size| *size as f64).collect();
        findings.extend(self.number("voxels along each edge", &size, float(self.size)));
        match &volume.voxel_mm {
            Some(edges) => {
                findings.extend(self.number("millimetres of a voxel", edges, self.voxel_mm))
            }
            None if self.voxel_mm != (None, None) => {
                let says = "The file does not say how large a voxel is.";
                findings.push(self.finding("millimetres of a voxel", "a unit", says.to_owned()));
            }
            None => {}
        }
        if self.orientation_certain && !volume.doubts.is_empty() {
            let says = format!(
                "It is not certain how the volume lies in the patient: {}.",
                volume.doubts.join("; ")
            );
            findings.push(self.finding("orientation", "certain", says));
        }
        findings
    }

    fn number(
        &self,
        what: &str,
        values: &[f64],
        (least, most): (Option<f64>, Option<f64>),
    ) -> Option<Finding> {
        let fits = |value: &f64| {
            least.is_none_or(|least| *value >= least) && most.is_none_or(|most| *value <= most)
        };
        if values.iter().all(fits) {
            return None;
        }
        let expected = match (least, most) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, most) => format!("at most {}", most.unwrap_or_default()),
        };
        let found: Vec<_> = values.iter().map(f64::to_string).collect();
        let found = found.join(" x ");
        let says = format!("The {what}: {found}; expected {expected}.");
        let finding = self.finding(what, &expected, says);
        Some(Finding {
            found: vec![found],
            ..finding
        })
    }

    fn finding(&self, what: &str, expected: &str, says: String) -> Finding {
        let where_set = "It is set by the program that made the file.";
        let place = Place::default();
        self.manner
            .finding(format!("volume {what}"), place, expected, says, where_set)
    }
}
