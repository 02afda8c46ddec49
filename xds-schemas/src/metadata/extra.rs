//! What an object carries beyond the attributes that the framework names.

use crate::ebrim::{Classification, ExternalIdentifier, Slot};

/// Slots, classifications and external identifiers that no attribute claims (ITI TF-3 4.2.3.1.6).
/// They are kept and given back as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extra {
    /// Slots of other names.
    pub slots: Vec<Slot>,
    /// Classifications of other schemes and nodes.
    pub classifications: Vec<Classification>,
    /// External identifiers of other schemes.
    pub external_identifiers: Vec<ExternalIdentifier>,
}
