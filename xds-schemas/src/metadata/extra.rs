//! What an object carries beyond the attributes that the framework names.

use crate::ebrim::{Classification, ExternalIdentifier, Slot};

/// Slots, classifications and external identifiers that no attribute claims (ITI TF-3 4.2.3.1.6),
/// or whose value could not be read. They are kept and given back as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extra {
    /// Slots of other names.
    pub slots: Vec<Slot>,
    /// Classifications of other schemes and nodes.
    pub classifications: Vec<Classification>,
    /// External identifiers of other schemes.
    pub external_identifiers: Vec<ExternalIdentifier>,
    /// The UUIDs that a sender gave to the external identifiers which attributes claim, by scheme.
    pub identifier_uuids: Vec<(String, String)>,
}

impl Extra {
    /// The slot with this name.
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    /// Forgets the ids that were valid in the submission only; writing makes others.
    pub(super) fn forget_symbolic_ids(&mut self) {
        let classifications = self.classifications.iter_mut().map(|it| &mut it.id);
        let identifiers = self.external_identifiers.iter_mut().map(|it| &mut it.id);
        for id in classifications.chain(identifiers) {
            if !id.starts_with("urn:uuid:") {
                id.clear();
            }
        }
    }
}
