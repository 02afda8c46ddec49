//! What key object selections refer to.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use crate::instance::{InstanceError, uid};
use crate::uid::Uid;
use crate::walk::{self, DataSet, Part10};

/// One series as a manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencedSeries {
    /// Study Instance UID.
    pub study_instance_uid: Uid,
    /// Series Instance UID.
    pub series_instance_uid: Uid,
    /// Retrieve AE Title (0008,0054).
    pub retrieve_ae_title: Option<String>,
    /// Retrieve Location UID (0040,E011): the repositoryUniqueId to ask by RAD-69.
    pub retrieve_location_uid: Option<Uid>,
    /// Retrieve URL (0008,1190).
    pub retrieve_url: Option<String>,
    /// SOP Class UID and SOP Instance UID of each instance.
    pub instances: Vec<(Uid, Uid)>,
}

pub(super) const KEEP: [Tag; 10] = [
    tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
    tags::REFERENCED_SERIES_SEQUENCE,
    tags::REFERENCED_SOP_SEQUENCE,
    tags::REFERENCED_SOP_CLASS_UID,
    tags::REFERENCED_SOP_INSTANCE_UID,
    tags::STUDY_INSTANCE_UID,
    tags::SERIES_INSTANCE_UID,
    tags::RETRIEVE_AE_TITLE,
    tags::RETRIEVE_LOCATION_UID,
    tags::RETRIEVE_URL,
];

/// Reads what a manifest, ours or another's, refers to. The evidence sequence counts, not the content
/// tree: only it says where instances are (RAD TF-2: 4.68.4.1.2).
pub fn references(bytes: &[u8]) -> Result<Vec<ReferencedSeries>, InstanceError> {
    references_of(&walk::bytes(bytes, &KEEP)?)
}

/// As [`references`], for a file that was walked.
pub(crate) fn references_of(file: &Part10) -> Result<Vec<ReferencedSeries>, InstanceError> {
    let mut found = Vec::new();
    for study in file
        .data
        .items(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE)
    {
        let study_instance_uid = uid(study, tags::STUDY_INSTANCE_UID, "Study Instance UID")?;
        for series in study.items(tags::REFERENCED_SERIES_SEQUENCE) {
            found.push(referenced_series(study_instance_uid.clone(), series)?);
        }
    }
    if found.is_empty() {
        return Err(InstanceError::Missing(
            "Current Requested Procedure Evidence Sequence",
        ));
    }
    Ok(found)
}

fn referenced_series(
    study_instance_uid: Uid,
    series: &DataSet,
) -> Result<ReferencedSeries, InstanceError> {
    let filled = |tag| series.ascii(tag).filter(|text| !text.is_empty());
    let instance = |item| -> Result<(Uid, Uid), InstanceError> {
        Ok((
            uid(
                item,
                tags::REFERENCED_SOP_CLASS_UID,
                "Referenced SOP Class UID",
            )?,
            uid(
                item,
                tags::REFERENCED_SOP_INSTANCE_UID,
                "Referenced SOP Instance UID",
            )?,
        ))
    };
    Ok(ReferencedSeries {
        study_instance_uid,
        series_instance_uid: uid(series, tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
        retrieve_ae_title: filled(tags::RETRIEVE_AE_TITLE),
        retrieve_location_uid: match filled(tags::RETRIEVE_LOCATION_UID) {
            Some(_) => Some(uid(
                series,
                tags::RETRIEVE_LOCATION_UID,
                "Retrieve Location UID",
            )?),
            None => None,
        },
        retrieve_url: filled(tags::RETRIEVE_URL),
        instances: series
            .items(tags::REFERENCED_SOP_SEQUENCE)
            .iter()
            .map(instance)
            .collect::<Result<_, _>>()?,
    })
}
