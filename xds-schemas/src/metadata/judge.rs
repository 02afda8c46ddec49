//! Who minds what, and what is said of it.

use super::DocumentEntryType;
use super::optionality::{self, Column, Optionality};
use super::submission::Rules;
use crate::codes::error_code::ErrorCode;
use crate::ebrs::RegistryError;

/// Whose business a rule is. A judge hears only what is its business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concern {
    /// Without this there is nothing to represent.
    Everybody,
    /// What the repository needs to store documents (ITI TF-2 3.41.4.1.3), or would mend without
    /// noticing when it passes the metadata on.
    Repository,
    /// That an attribute is there at all, which a Document Recipient may ask for (ITI TF-2
    /// 3.41.4.1.3.1).
    Recipient,
    /// Everything else: the registry's.
    Registry,
}

/// How many offences are kept. Whoever sends more must begin with these.
const MOST_OFFENCES: usize = 500;

/// Hears offences, and keeps those it is concerned with.
#[derive(Debug)]
pub(super) struct Judge {
    concern: Concern,
    pub(super) rules: Rules,
    code: ErrorCode,
    takes_versions: bool,
    /// The one type that document entries may have, if only one may come.
    pub(super) entry_type: Option<DocumentEntryType>,
    pub(super) offences: Vec<RegistryError>,
}

impl Judge {
    /// Hears only what cannot be represented.
    pub(super) fn lenient() -> Self {
        Self {
            concern: Concern::Everybody,
            rules: Rules::Register,
            code: ErrorCode::RegistryMetadataError,
            takes_versions: true,
            entry_type: None,
            offences: Vec::new(),
        }
    }

    pub(super) fn of(rules: Rules) -> Self {
        let (concern, entry_type) = match rules {
            Rules::Provide => (Concern::Repository, Some(DocumentEntryType::Stable)),
            Rules::Register => (Concern::Registry, Some(DocumentEntryType::Stable)),
            Rules::RegisterOnDemand => (Concern::Registry, Some(DocumentEntryType::OnDemand)),
            Rules::Update => (Concern::Registry, None),
            Rules::Media => (Concern::Registry, Some(DocumentEntryType::Stable)),
            Rules::Receive | Rules::ReceiveLimited => {
                (Concern::Recipient, Some(DocumentEntryType::Stable))
            }
        };
        Self {
            concern,
            rules,
            code: rules.metadata_error(),
            takes_versions: rules == Rules::Update,
            entry_type,
            offences: Vec::new(),
        }
    }

    /// Whether document entries and folders may be later versions.
    pub(super) fn takes_versions(&self) -> bool {
        self.takes_versions
    }

    /// What these rules ask of a sender (ITI TF-3 Table 4.3.1-3).
    pub(super) fn optionality(&self, kind: &str, attribute: &str) -> Optionality {
        let column = match self.rules {
            // ITI TF-2 3.41.4.1.3.1: who the patient is, a recipient may find out by other means.
            Rules::Receive if attribute == "patientId" => Column::LimitedSource,
            Rules::Provide => Column::DocumentSource,
            Rules::Register | Rules::Update => Column::Repository,
            Rules::RegisterOnDemand => Column::OnDemandSource,
            Rules::Media => Column::MediaCreator,
            Rules::Receive => Column::DirectSource,
            Rules::ReceiveLimited => Column::LimitedSource,
        };
        optionality::of(column, kind, attribute)
    }

    /// The metadata breaks a rule of the form.
    pub(super) fn offence(
        &mut self,
        concern: Concern,
        subject: Subject<'_>,
        attribute: &str,
        problem: &str,
    ) {
        let code = self.code.clone();
        self.coded_offence(concern, code, subject, attribute, problem);
    }

    /// The same for rules with an error code of their own.
    pub(super) fn coded_offence(
        &mut self,
        concern: Concern,
        code: ErrorCode,
        subject: Subject<'_>,
        attribute: &str,
        problem: &str,
    ) {
        if concern <= self.concern && self.offences.len() < MOST_OFFENCES {
            let context = format!("{} {}: {attribute} {problem}", subject.kind, subject.id);
            self.offences
                .push(RegistryError::error(code, context).at(subject.id));
        }
    }
}

/// The object concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) kind: &'static str,
    pub(super) id: &'a str,
}
