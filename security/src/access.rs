//! Who may have which documents, and how much of them: decided here, enforced by every room.
//!
//! A [`Policy`] is data, and a decision depends on nothing but its arguments: who asks for what
//! ([`Asking`]), what the document is ([`Described`]), what its patient wished ([`Consent`]), and
//! the time. Rooms hold an [`Access`], from which they take the policy of the moment for each call.
//! What a caller may not have is answered as what is not there.

use std::sync::Arc;
use std::time::SystemTime;

use crate::caller::Caller;
use crate::permission::Permission;

/// How much of a document a caller may have. Each level holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing: for this caller there is no such document.
    Nothing,
    /// That it exists: references to objects (`ObjectRef`), counts.
    Existence,
    /// What the registry says of it.
    Metadata,
    /// Its content without what identifies the patient.
    Deidentified,
    /// All of it.
    Full,
}

/// Who asks, for what, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// For what.
    pub permission: Permission,
    /// When.
    pub now: SystemTime,
}

/// A document as rules look at it: what its metadata say. Codes are `code^^scheme`, as stored
/// queries write them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// CX of the affinity domain.
    pub patient_id: Option<String>,
    /// The document's uniqueId; for images, the Study Instance UID.
    pub unique_id: Option<String>,
    /// `confidentialityCode`s.
    pub confidentiality_codes: Vec<String>,
    /// `classCode`
    pub class_code: Option<String>,
    /// `typeCode`
    pub type_code: Option<String>,
    /// `formatCode`
    pub format_code: Option<String>,
    /// `practiceSettingCode`
    pub practice_setting_code: Option<String>,
    /// `healthcareFacilityTypeCode`
    pub healthcare_facility_type_code: Option<String>,
    /// Institutions of the authors: XON as it stands in `authorInstitution`.
    pub author_institutions: Vec<String>,
    /// The collection of the imaging source to which it belongs.
    pub collection: Option<String>,
    /// The community where it lies.
    pub home_community_id: Option<String>,
}

/// What a patient wished (BPPC, FHIR Consent).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {}

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How much the caller may have.
    pub level: Level,
    /// The rule that decided.
    pub rule: String,
}

/// The rules.
#[derive(Debug, Clone, Default)]
pub struct Policy {}

impl Policy {
    /// How much of a document the caller may have.
    pub fn decide(
        &self,
        _asking: &Asking<'_>,
        _document: &Described,
        _consents: &[Consent],
    ) -> Decision {
        Decision {
            level: Level::Full,
            rule: "everybody who is let in".to_owned(),
        }
    }
}

/// What rooms hold: the policy of the moment. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Access {
    policy: Option<Arc<Policy>>,
}

impl Access {
    /// There are no rules: whoever is let in may have everything.
    pub const fn everything() -> Self {
        Self { policy: None }
    }

    /// The policy of this moment, or `None` if there are no rules, so that nothing need be looked
    /// up to decide.
    pub fn policy(&self) -> Option<Arc<Policy>> {
        self.policy.clone()
    }
}
