//! What a patient wished.
//!
//! A consent says something of a document for a caller, or nothing. If several of a patient's consents
//! say something, what was wished of this very document counts more than what was wished in general;
//! then the newest counts, and of equally new ones, the one that denies.

use std::time::SystemTime;

use super::codes::{self, Name};
use super::{Asking, Described};

/// To permit or to deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wish {
    /// The patient wants it to be given.
    Permit,
    /// The patient does not.
    Deny,
}

/// What became of a consent (FHIR `Consent.status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Not yet valid.
    Draft,
    /// Not yet valid.
    Proposed,
    /// Valid.
    Active,
    /// Somebody was asked and did not agree.
    Rejected,
    /// Withdrawn or replaced.
    Inactive,
    /// Never meant.
    EnteredInError,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Draft,
        Self::Proposed,
        Self::Active,
        Self::Rejected,
        Self::Inactive,
        Self::EnteredInError,
    ];

    /// As FHIR writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Proposed => "proposed",
            Self::Active => "active",
            Self::Rejected => "rejected",
            Self::Inactive => "inactive",
            Self::EnteredInError => "entered-in-error",
        }
    }
}

/// A time from when and until when something is valid; open where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// The first moment.
    pub from: Option<SystemTime>,
    /// The first moment after it.
    pub until: Option<SystemTime>,
}

impl Period {
    /// Whether a moment is within.
    pub fn contains(&self, moment: SystemTime) -> bool {
        self.from.is_none_or(|from| from <= moment) && self.until.is_none_or(|end| moment < end)
    }
}

/// What a patient wished (BPPC, FHIR Consent).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// What it is called where it is kept.
    pub id: String,
    /// Whose it is, as CX.
    pub patient_id: String,
    /// What became of it. Only active ones count, and rejected ones deny what they would permit.
    pub status: Status,
    /// When it was given: newer ones count more.
    pub given: Option<SystemTime>,
    /// When it is valid.
    pub period: Period,
    /// What is wished where no provision says otherwise. `None` if the patient said nothing of it.
    pub base: Option<Wish>,
    /// Exceptions to the base.
    pub provisions: Vec<Provision>,
}

/// A wish for certain callers and documents. Every list that is not empty must have what is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provision {
    /// What is wished.
    pub wish: Wish,
    /// When it is valid.
    pub period: Period,
    /// Of users of these organisations: `organization_id`s or names.
    pub organisations: Vec<String>,
    /// Of these persons, programs and nodes: names, `issuer|name`, provider identifiers, `client_id`s
    /// or subjects of certificates.
    pub actors: Vec<String>,
    /// Of users in these roles: `code` or `code^^system`.
    pub roles: Vec<String>,
    /// For these purposes: `code` or `code^^system`.
    pub purposes: Vec<String>,
    /// Of documents that have one of these confidentiality codes.
    pub confidentiality_codes: Vec<String>,
    /// Of documents whose class, type or format this is.
    pub class_codes: Vec<String>,
    /// Of these documents: unique ids.
    pub documents: Vec<String>,
    /// Exceptions to this.
    pub provisions: Vec<Self>,
}

impl Provision {
    /// A wish for everything.
    pub const fn of(wish: Wish) -> Self {
        Self {
            wish,
            period: Period {
                from: None,
                until: None,
            },
            organisations: Vec::new(),
            actors: Vec::new(),
            roles: Vec::new(),
            purposes: Vec::new(),
            confidentiality_codes: Vec::new(),
            class_codes: Vec::new(),
            documents: Vec::new(),
            provisions: Vec::new(),
        }
    }

    /// What is wished, and whether of this very document.
    fn says(&self, asking: &Asking<'_>, document: &Described) -> Option<(Wish, bool)> {
        if !self.is_about(asking, document) {
            return None;
        }
        let named = !self.documents.is_empty();
        let (wish, named_within) =
            of_exceptions(&self.provisions, asking, document).unwrap_or((self.wish, false));
        Some((wish, named || named_within))
    }

    fn is_about(&self, asking: &Asking<'_>, document: &Described) -> bool {
        let user = asking.caller.user.as_deref();
        let coded = |wanted: &[String], codes: Option<&Vec<crate::UserCode>>| {
            wanted.is_empty() || codes.is_some_and(|codes| codes::any_of_user(wanted, codes))
        };
        let of_document = |wanted: &[String], codes: &[&String]| {
            wanted.is_empty() || codes.iter().any(|code| codes::any(wanted, code))
        };
        let classes = [
            &document.class_code,
            &document.type_code,
            &document.format_code,
        ];
        let classes: Vec<&String> = classes.into_iter().flatten().collect();
        let confidentiality: Vec<&String> = document.confidentiality_codes.iter().collect();
        self.period.contains(asking.now)
            && coded(&self.roles, user.map(|user| &user.roles))
            && coded(&self.purposes, user.map(|user| &user.purposes))
            && (self.organisations.is_empty()
                || user.is_some_and(|user| {
                    let mut wanted = self.organisations.iter();
                    wanted.any(|name| Name::of(name).is_organisation_of(user))
                }))
            && (self.actors.is_empty()
                || (self.actors.iter()).any(|name| Name::of(name).is_of(asking.caller)))
            && of_document(&self.confidentiality_codes, &confidentiality)
            && of_document(&self.class_codes, &classes)
            && (self.documents.is_empty()
                || (document.unique_id.as_ref()).is_some_and(|id| self.documents.contains(id)))
    }
}

/// Of exceptions at the same depth, those that deny count more.
fn of_exceptions(
    provisions: &[Provision],
    asking: &Asking<'_>,
    document: &Described,
) -> Option<(Wish, bool)> {
    let said = provisions.iter().filter_map(|it| it.says(asking, document));
    said.max_by_key(|(wish, named)| (*named, *wish))
}

impl Consent {
    /// A consent that says the same of everything, valid from when it was given.
    pub fn of(id: impl Into<String>, patient_id: impl Into<String>, wish: Wish) -> Self {
        Self {
            id: id.into(),
            patient_id: patient_id.into(),
            status: Status::Active,
            given: None,
            period: Period::default(),
            base: Some(wish),
            provisions: Vec::new(),
        }
    }

    /// What it says of a document for a caller, and whether of this very document. Whose it is, is not
    /// looked at.
    fn says(&self, asking: &Asking<'_>, document: &Described) -> Option<(Wish, bool)> {
        if !self.period.contains(asking.now) {
            return None;
        }
        let said = of_exceptions(&self.provisions, asking, document);
        let said = said.or(self.base.map(|wish| (wish, false)));
        match self.status {
            Status::Active => said,
            // Who did not agree to a permission has denied it; who did not agree to a denial has not.
            Status::Rejected => said
                .filter(|(wish, _)| *wish == Wish::Permit)
                .map(|(_, named)| (Wish::Deny, named)),
            Status::Draft | Status::Proposed | Status::Inactive | Status::EnteredInError => None,
        }
    }
}

/// What the patient of a document wished of it for a caller, and which consent says so. Consents of
/// other patients are not looked at.
pub(super) fn wished<'a>(
    consents: &'a [Consent],
    asking: &Asking<'_>,
    document: &Described,
) -> Option<(Wish, &'a Consent)> {
    let patient = document.patient_id.as_deref()?;
    let said = consents.iter().filter_map(|consent| {
        let (wish, named) = consent.says(asking, document)?;
        codes::same_patient(&consent.patient_id, patient).then_some((wish, named, consent))
    });
    let strongest = said.max_by_key(|(wish, named, consent)| (*named, consent.given, *wish));
    strongest.map(|(wish, _, consent)| (wish, consent))
}

#[cfg(test)]
mod tests;
