//! How the source calls its objects, for errors of a registry that knows them by names of ours.

use uuid::Uuid;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{EntryUuid, Submission};

/// The names that we chose, each with the source's own.
#[derive(Debug)]
pub(super) struct Names(Vec<(EntryUuid, EntryUuid)>);

impl Names {
    /// Gives every object that has only a symbolic name a UUID (ITI TF-3 4.2.1.5).
    pub(super) fn choose(submission: &mut Submission) -> Self {
        let called = submission.entry_uuids();
        submission.resolve(&mut || EntryUuid(Uuid::now_v7().urn().to_string()));
        let chosen = submission.entry_uuids().into_iter().zip(called);
        let symbolic = |called: &EntryUuid| called.is_symbolic() && !called.as_str().is_empty();
        Self(chosen.filter(|(_, called)| symbolic(called)).collect())
    }

    /// A name of nothing, for something that the source must not find.
    pub(super) fn stand_in(&mut self, called: &EntryUuid) -> EntryUuid {
        let nothing = EntryUuid(Uuid::now_v7().urn().to_string());
        self.0.push((nothing.clone(), called.clone()));
        nothing
    }

    /// Errors and warnings as the source understands them.
    pub(super) fn told(&self, mut errors: Vec<RegistryError>) -> Vec<RegistryError> {
        for error in &mut errors {
            for (chosen, called) in &self.0 {
                let texts = std::iter::once(&mut error.context).chain(&mut error.location);
                for text in texts.filter(|text| text.contains(chosen.as_str())) {
                    *text = text.replace(chosen.as_str(), called.as_str());
                }
            }
        }
        errors
    }
}
