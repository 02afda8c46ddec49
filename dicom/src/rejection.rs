//! Rejection notes: key object selections by which a department takes instances back
//! (IHE Imaging Object Change Management, RAD TF-2: 4.66). What they list is not to be shown again.

use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::instance::{Instance, InstanceError};
use super::manifest::{self, SOP_CLASS_UID};
use super::uid::Uid;
use super::walk::{self, Part10};

/// Titles of rejection notes (PS3.16 CID 7011): rejected for quality reasons, for reasons of the
/// patient's safety, incorrect worklist entry, retention period expired.
const TITLES: [&str; 4] = ["113001", "113037", "113038", "113039"];

const KEEP: [Tag; 9] = [
    tags::CONCEPT_NAME_CODE_SEQUENCE,
    tags::CODE_VALUE,
    tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
    tags::REFERENCED_SERIES_SEQUENCE,
    tags::REFERENCED_SOP_SEQUENCE,
    tags::REFERENCED_SOP_CLASS_UID,
    tags::REFERENCED_SOP_INSTANCE_UID,
    tags::STUDY_INSTANCE_UID,
    tags::SERIES_INSTANCE_UID,
];

/// What a rejection note takes back: Study and SOP Instance UIDs. `None` if the file, of which
/// `instance` is known, is none.
pub(super) fn rejected(
    path: &Path,
    instance: &Instance,
) -> Result<Option<Vec<(Uid, Uid)>>, InstanceError> {
    if instance.sop_class_uid.as_str() != SOP_CLASS_UID {
        return Ok(None);
    }
    taken_back(&walk::file(path, &KEEP)?, instance)
}

/// As [`rejected`], of what was read elsewhere.
///
/// # Errors
/// If what it refers to has no names.
pub fn taken_back(
    file: &Part10,
    instance: &Instance,
) -> Result<Option<Vec<(Uid, Uid)>>, InstanceError> {
    let title = file.data.items(tags::CONCEPT_NAME_CODE_SEQUENCE).first();
    let title = title.and_then(|title| title.ascii(tags::CODE_VALUE));
    let is_note = instance.sop_class_uid.as_str() == SOP_CLASS_UID
        && title.is_some_and(|title| TITLES.contains(&title.as_str()));
    if !is_note {
        return Ok(None);
    }
    let mut rejected = Vec::new();
    for series in manifest::references_of(file)? {
        let study = series.study_instance_uid;
        let instances = series.instances.into_iter();
        rejected.extend(instances.map(|(_, instance)| (study.clone(), instance)));
    }
    Ok(Some(rejected))
}
