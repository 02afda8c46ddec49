//! What a registry should know of a volume: media type, format code, modality, parameters, and what
//! its header says.

use serde::Serialize;
use serde_json::Value;

use super::{Flag, Format, Layout, NiftiFacts, Parameter, Role, Sidecar, SpaceUnit};
use crate::quality::VolumeFacts;

/// The coding scheme of our format codes: they are URNs.
pub const FORMAT_CODE_SCHEME: &str = "urn:hilum:format:2026";

/// The slot of a document entry that says what a volume's header says; its values are
/// [`slot_values`].
pub const SLOT: &str = "urn:hilum:nifti:2026";
/// A value of a slot is a LongName of ebRIM.
const MAX_CHARACTERS: usize = 256;

/// What a document entry says of a volume. The document is a file exactly as it is stored, or for a
/// pair, whatever holds both.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentWords {
    /// `mimeType`. No media type is registered with IANA for any of the three formats;
    /// `docs/nifti.md` says why these.
    pub mime_type: &'static str,
    /// `formatCode`, of [`FORMAT_CODE_SCHEME`].
    pub format_code: &'static str,
    /// Its display name.
    pub format_name: &'static str,
    /// An event code of CID 29 (scheme `DCM`), only if the sidecar states the modality.
    pub modality: Option<String>,
    /// Acquisition parameters of the sidecar.
    pub parameters: Vec<Parameter>,
    /// What a person who looks for volumes should read first, a sentence each: the flags.
    pub remarks: Vec<String>,
}

/// The words for a volume and, if there is one, its sidecar.
pub fn document_words(facts: &NiftiFacts, sidecar: Option<&Sidecar>) -> DocumentWords {
    let gzip = facts
        .files
        .iter()
        .any(|file| file.gzip && file.role == Role::Whole);
    let (format_code, format_name) = match facts.format {
        Format::Nifti1 => ("urn:hilum:nifti-1:2026", "NIfTI-1"),
        Format::Nifti2 => ("urn:hilum:nifti-2:2026", "NIfTI-2"),
        Format::Analyze75 => ("urn:hilum:analyze-7.5:2026", "Analyze 7.5"),
    };
    let mime_type = match (facts.layout, gzip) {
        (Layout::Single, false) => "application/x-nifti",
        (Layout::Single, true) => "application/x-nifti+gzip",
        (Layout::Pair, _) => "application/zip",
    };
    DocumentWords {
        mime_type,
        format_code,
        format_name,
        modality: sidecar.and_then(|it| it.modality.clone()),
        parameters: sidecar.map(|it| it.parameters.clone()).unwrap_or_default(),
        remarks: facts.flags.iter().map(ToString::to_string).collect(),
    }
}

/// The values of [`SLOT`], each `word=value`: what is certain about the volume, then a `flag` for all
/// that is doubtful, a `problem` for all that is wrong, and the SHA-1 of each file of a pair.
/// `docs/nifti.md` lists the words. No text of the header is among them.
pub fn slot_values(facts: &NiftiFacts) -> Vec<String> {
    let by = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>();
    let size = facts.voxel_size.map(|size| size.to_string()).join("x");
    let orientation = facts.orientation.axes.as_deref().unwrap_or("unknown");
    let mut values = vec![
        format!("format={}", word(&facts.format)),
        format!("byteOrder={}", word(&facts.byte_order)),
        format!("dimensions={}", by(&facts.dimensions).join("x")),
        format!("voxelSize={size} {}", word(&facts.space_unit)),
        format!("dataType={}", facts.datatype.name),
        format!("orientation={orientation}"),
        format!("orientationFrom={}", word(&facts.orientation.source)),
        format!("sform={}", facts.orientation.sform.name),
        format!("qform={}", facts.orientation.qform.name),
        format!("intent={}", facts.intent.name),
    ];
    if let Some(time) = &facts.time {
        let step = format!("{} {}", time.step, word(&time.unit));
        values.push(format!("volumes={}", time.volumes));
        values.push(format!("step={step}"));
    }
    if let Some(scaling) = &facts.scaling {
        values.push(format!("slope={}", scaling.slope));
        values.push(format!("intercept={}", scaling.intercept));
    }
    values.extend(
        facts
            .flags
            .iter()
            .map(|flag| format!("flag={}", flag.word())),
    );
    let problems = facts.problems.iter();
    values.extend(problems.map(|problem| format!("problem={problem}")));
    if facts.layout == Layout::Pair {
        let hashed = facts.files.iter().filter_map(|file| {
            let sha1 = file.sha1.as_ref()?;
            Some(format!("sha1={} {sha1}", word(&file.role)))
        });
        values.extend(hashed);
    }
    let cut = |value: String| value.chars().take(MAX_CHARACTERS).collect();
    values.into_iter().map(cut).collect()
}

/// As it stands in JSON.
fn word(it: &impl Serialize) -> String {
    match serde_json::to_value(it) {
        Ok(Value::String(word)) => word,
        // A flag with details is an object of one field.
        Ok(Value::Object(fields)) => fields
            .into_iter()
            .next()
            .map_or_else(String::new, |it| it.0),
        _ => String::new(),
    }
}

impl Flag {
    /// In a word, such as `left_right_unknown`.
    pub fn word(&self) -> String {
        word(self)
    }

    /// Whether it leaves open how the volume lies in the patient.
    const fn is_of_orientation(&self) -> bool {
        match self {
            Self::NoOrientation
            | Self::AnalyzeWithoutOrientation
            | Self::AnalyzeOrient(_)
            | Self::SpmOrigin(_)
            | Self::LeftRightUnknown
            | Self::SformAndQformDisagree { .. }
            | Self::DeterminantZero => true,
            Self::VoxelSizesDisagree
            | Self::SpaceUnitUnknown
            | Self::TimeUnitUnknown
            | Self::TimeStepImplausible
            | Self::SpmScaling => false,
        }
    }
}

impl NiftiFacts {
    /// Edges of a voxel in millimetres, if the header says in which unit they are.
    pub fn voxel_mm(&self) -> Option<[f64; 3]> {
        let factor = match self.space_unit {
            SpaceUnit::Metre => 1e3,
            SpaceUnit::Millimetre => 1.0,
            SpaceUnit::Micrometre => 1e-3,
            SpaceUnit::Unknown => return None,
        };
        Some(self.voxel_size.map(|size| size * factor))
    }

    /// What a rule card judges.
    pub fn for_rules(&self) -> VolumeFacts {
        let doubts = self.flags.iter().filter(|flag| flag.is_of_orientation());
        let sentence = |flag: &Flag| flag.to_string().trim_end_matches('.').to_owned();
        VolumeFacts {
            dimensions: self.dimensions.clone(),
            voxel_mm: self.voxel_mm(),
            doubts: doubts.map(sentence).collect(),
        }
    }
}
