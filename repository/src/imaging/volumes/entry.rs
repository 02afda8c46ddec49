//! DocumentEntry and SubmissionSet of a volume.

use std::collections::BTreeMap;

use hilum_dicom::Uid;
use hilum_dicom::nifti::{self, NiftiFacts, Parameter, SLOT};
use xds_schemas::ebrim::{InternationalString, Slot};
use xds_schemas::imaging::acquisition::{self, Kind, SeriesParameters, Value};
use xds_schemas::metadata::{
    Code, DocumentEntry, Extra, PatientId, Submission, SubmissionSet, UniqueId,
};

use super::{Names, PreparedDocument};
use crate::imaging::concepts;
use crate::imaging::document_entry::utc;
use crate::imaging::import::Importing;

/// A comment is a FreeFormText of ebRIM.
pub(in crate::imaging) const COMMENT_CHARACTERS: usize = 1024;

/// The document entry of a volume that came as a file.
pub(super) fn document_entry(
    importing: &Importing<'_>,
    patient: &PatientId,
    prepared: &PreparedDocument,
    names: &Names,
) -> DocumentEntry {
    let department = &importing.config.department;
    let words = &prepared.words;
    let modality = words.modality.as_deref();
    let title = prepared.title.as_deref().unwrap_or(words.format_name);
    let remarks = prepared.remarks().join(" ");
    let remarks: String = remarks.chars().take(COMMENT_CHARACTERS).collect();
    let comments = (!remarks.is_empty()).then(|| InternationalString::of(remarks));
    let made = prepared.made.unwrap_or(importing.now);
    DocumentEntry {
        title: Some(InternationalString::of(title)),
        comments,
        class_code: Some(department.class_code.clone()),
        type_code: Some(department.type_code.clone()),
        practice_setting_code: Some(department.practice_setting_code.clone()),
        healthcare_facility_type_code: Some(department.healthcare_facility_type_code.clone()),
        confidentiality_codes: vec![department.confidentiality_code.clone()],
        event_codes: modality.map_or_else(Vec::new, |modality| {
            concepts::modality_code(modality, importing.codes)
        }),
        format_code: Some(format_code(prepared)),
        creation_time: utc(made),
        hash: Some(prepared.sha1.clone()),
        size: Some(prepared.size),
        language_code: Some(department.language_code.clone()),
        patient_id: Some(patient.clone()),
        source_patient_id: Some(patient.clone()),
        extra: Extra {
            slots: slots(prepared, &parameters(prepared, &names.series)),
            ..Extra::default()
        },
        ..DocumentEntry::new(
            names.entry_uuid.as_str(),
            UniqueId::from(names.document.as_str()),
            words.mime_type,
        )
    }
}

/// `formatCode` of a volume.
pub(in crate::imaging) fn format_code(prepared: &PreparedDocument) -> Code {
    let words = &prepared.words;
    let scheme = nifti::FORMAT_CODE_SCHEME;
    Code::new(words.format_code, scheme, words.format_name)
}

/// The extra slots of a volume of which the acquisition is known.
pub(in crate::imaging) fn slots(
    prepared: &PreparedDocument,
    acquired: &SeriesParameters,
) -> Vec<Slot> {
    let mut slots = vec![Slot {
        name: SLOT.to_owned(),
        slot_type: None,
        values: nifti::slot_values(&prepared.facts),
    }];
    slots.extend(acquisition::to_slots(std::slice::from_ref(acquired)));
    slots
}

/// Acquisition parameters of the sidecar, and of the header where it states them in a known unit.
pub(in crate::imaging) fn parameters(
    prepared: &PreparedDocument,
    series: &Uid,
) -> SeriesParameters {
    let mut values: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    let mut add = |keyword: &str, unit: Option<&str>, value: Value| {
        // The sidecar's words are DICOM's; what the registry does not know by that name is left out.
        let Some(known) = acquisition::parameter(keyword) else {
            return;
        };
        let fits = match (known.kind, unit) {
            (Kind::Number(wanted), Some(unit)) => wanted == unit,
            (Kind::Text, None) => true,
            _ => false,
        };
        let of_keyword = values.entry(known.keyword).or_default();
        if fits && !of_keyword.contains(&value) {
            of_keyword.push(value);
        }
    };
    for parameter in &prepared.words.parameters {
        match parameter {
            Parameter::Number {
                keyword,
                value,
                unit,
            } => add(keyword, Some(unit), Value::Number(*value)),
            Parameter::Text { keyword, value } => add(keyword, None, Value::Text(value.clone())),
        }
    }
    if let Some(modality) = &prepared.words.modality {
        add("Modality", None, Value::Text(modality.clone()));
    }
    for (keyword, unit, number) in of_header(&prepared.facts) {
        add(keyword, Some(unit), Value::Number(number));
    }
    values.retain(|_, values| !values.is_empty());
    SeriesParameters {
        series_instance_uid: series.as_str().to_owned(),
        values,
    }
}

/// Keyword, unit and number. Axes are taken as they are stored: columns, rows, slices.
fn of_header(facts: &NiftiFacts) -> Vec<(&'static str, &'static str, f64)> {
    let lengths = ["Columns", "Rows", "sliceCount"];
    let lengths = lengths.iter().zip(&facts.dimensions);
    let mut numbers: Vec<_> = lengths.map(|(word, it)| (*word, "1", *it as f64)).collect();
    if let Some([column, row, slice]) = facts.voxel_mm() {
        numbers.push(("PixelSpacing", "mm", row));
        numbers.push(("PixelSpacing", "mm", column));
        numbers.push(("sliceSpacing", "mm", slice));
    }
    numbers
}

/// The submission with which a document is handed in.
pub(in crate::imaging) fn submission(
    importing: &Importing<'_>,
    entry: DocumentEntry,
    names: &Names,
) -> Submission {
    let config = importing.config;
    let mut submission = Submission::new(SubmissionSet {
        title: entry.title.clone(),
        authors: entry.authors.clone(),
        content_type_code: Some(config.department.content_type_code.clone()),
        patient_id: entry.patient_id.clone(),
        submission_time: utc(importing.now),
        ..SubmissionSet::new(
            "SubmissionSet",
            names.submission_set.as_str(),
            config.repository_unique_id.as_str(),
        )
    });
    submission.add_document(entry);
    submission
}
