//! Extra metadata: slots that IHE does not define (ITI TF-3 4.2.3.1.6).

use std::collections::BTreeSet;

use super::Submission;
use crate::codes::ebrim_uuids::{document_entry, folder, submission_set};
use crate::ebrim::RegistryObjectList;
use crate::metadata::formats;

impl Submission {
    /// Drops the slots that IHE does not define, as a registry may that does not keep them (ITI
    /// TF-2 3.42.4.1.3). Gives their names, each once.
    pub fn drop_extra_metadata(&mut self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for extra in self.extras() {
            // Names without `urn:` and those of IHE are not ours to drop: updates have some.
            extra.slots.retain(|slot| {
                let is_extra = formats::is_urn(&slot.name) && !slot.name.starts_with("urn:ihe:");
                if is_extra {
                    names.insert(slot.name.clone());
                }
                !is_extra
            });
        }
        names
    }
}

/// Whether anything in a submission says of itself that it has limited metadata.
pub fn is_limited(objects: &RegistryObjectList) -> bool {
    let flags = [
        document_entry::LIMITED_METADATA,
        submission_set::LIMITED_METADATA,
        folder::LIMITED_METADATA,
    ];
    let mut objects = objects.objects.iter();
    objects.any(|object| flags.iter().any(|flag| object.is_classified_as(flag)))
}
