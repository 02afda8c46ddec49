//! Who may have which documents, and how much of them: decided here, enforced by every room.
//!
//! A [`Policy`] is data, and a decision depends on nothing but its arguments: who asks for what
//! ([`Asking`]), what the document is ([`Described`]), what its patient wished ([`Consent`]), and
//! the time. Rooms hold an [`Access`], from which they take the policy of the moment for each call.
//! What a caller may not have is answered as what is not there.
//!
//! [`rules`](Policy::parse) are read from a file of their own (`docs/access.md`). Consents come as
//! FHIR Consent ([`Consent::from_fhir`]) or as acknowledgements of privacy policies
//! ([`Policy::acknowledged`], BPPC).

mod acknowledged;
mod admission;
mod certificate_word;
mod codes;
mod consent;
mod described;
mod fhir;
mod infrastructure;
mod moment;
mod policy;
mod rules;
mod who;
mod words;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use thiserror::Error;

use crate::caller::Caller;
use crate::permission::Permission;

pub use acknowledged::{Acknowledgement, BPPC_FORMATS};
pub use admission::NotAdmitted;
pub use certificate_word::CertificateWord;
pub use consent::{Consent, Period, Provision, Status, Wish};
pub use described::Described;
pub use fhir::{
    CONSENT_PATH, Known, NotAConsent, consents_of, consents_url, search_of, searched_patient,
};
pub use infrastructure::Infrastructure;
pub use moment::fhir as span_of_fhir;
pub use policy::{Considered, Explained, Policy, Vocabulary};
pub use rules::RulesError;

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

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Existence,
        Self::Metadata,
        Self::Deidentified,
        Self::Full,
    ];

    /// As rules write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Existence => "existence",
            Self::Metadata => "metadata",
            Self::Deidentified => "deidentified",
            Self::Full => "full",
        }
    }
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

/// No rule names what is wanted for the one who wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no rule lets this caller {} here", .0.as_str())]
pub struct NotGranted(Permission);

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How much the caller may have.
    pub level: Level,
    /// The rule that decided.
    pub rule: Arc<str>,
    /// Whether it was a rule for emergencies: whoever gives something by such a decision raises an
    /// alert.
    pub glass_broken: bool,
}

impl Decision {
    pub(crate) fn new(level: Level, rule: &Arc<str>) -> Self {
        Self {
            level,
            rule: Arc::clone(rule),
            glass_broken: false,
        }
    }
}

/// What rooms hold: the policy of the moment. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Access {
    policy: Option<Arc<RwLock<Arc<Policy>>>>,
}

impl Access {
    /// There are no rules: whoever is let in may have everything.
    pub const fn everything() -> Self {
        Self { policy: None }
    }

    /// There are these rules, until they are [replaced](Self::replace).
    pub fn by(policy: Policy) -> Self {
        Self {
            policy: Some(Arc::new(RwLock::new(Arc::new(policy)))),
        }
    }

    /// From now on these rules are valid, for every room that has a clone of this. Whether anything
    /// changed; without rules from the beginning, there is nothing to replace.
    pub fn replace(&self, policy: Policy) -> bool {
        let Some(shared) = &self.policy else {
            return false;
        };
        let mut current = shared.write().unwrap_or_else(PoisonError::into_inner);
        let changed = **current != policy;
        *current = Arc::new(policy);
        changed
    }

    /// Lets a caller do what is not about documents and a rule has to name: without rules, everybody may.
    ///
    /// # Errors
    /// If there are rules, and none lets it.
    pub fn grant(
        &self,
        caller: &Caller,
        permission: Permission,
        now: SystemTime,
    ) -> Result<(), NotGranted> {
        let asking = Asking {
            caller,
            permission,
            now,
        };
        match self.policy() {
            Some(policy) if !policy.grants(&asking) => Err(NotGranted(permission)),
            _ => Ok(()),
        }
    }

    /// The policy of this moment, or `None` if there are no rules, so that nothing need be looked
    /// up to decide. A room takes it once for a call.
    pub fn policy(&self) -> Option<Arc<Policy>> {
        let shared = self.policy.as_ref()?;
        Some(Arc::clone(
            &shared.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}
