//! What a registry should know of a volume: media type, format code, modality, parameters.

use super::{Format, Layout, NiftiFacts, Parameter, Role, Sidecar};

/// The coding scheme of our format codes: they are URNs.
pub const FORMAT_CODE_SCHEME: &str = "urn:hilum:format:2026";

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
