//! What is recorded of a retrieval: what was given, and what was not.

use std::collections::BTreeSet;

use hilum_audit::{Document, Event, ImagesRetrieved, Outcome, Parties, Study};

use super::wanted::Item;

/// Which transaction it was.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// ITI-43.
    Documents,
    /// ITI-39.
    DocumentsAcross,
    /// RAD-69.
    Images,
    /// RAD-75.
    ImagesAcross,
}

impl Kind {
    pub(super) const fn of(is_images: bool, across: bool) -> Self {
        match (is_images, across) {
            (false, false) => Self::Documents,
            (false, true) => Self::DocumentsAcross,
            (true, false) => Self::Images,
            (true, true) => Self::ImagesAcross,
        }
    }
}

/// One success for what was given and one failure, `failed`, for what is missing. Whose they are, a gateway
/// does not know.
pub(super) fn event(
    kind: Kind,
    parties: &Parties,
    (given, missing): (&[Item], &[Item]),
    failed: &Outcome,
) -> Event {
    let given = (!given.is_empty()).then(|| of(kind, parties, given, &Outcome::Success));
    let missing = (!missing.is_empty()).then(|| of(kind, parties, missing, failed));
    let all = given.into_iter().chain(missing).reduce(Event::and);
    all.unwrap_or_else(|| of(kind, parties, &[], failed))
}

fn of(kind: Kind, parties: &Parties, items: &[Item], outcome: &Outcome) -> Event {
    match kind {
        Kind::Documents => Event::retrieved(parties, None, &documents(items), outcome),
        Kind::DocumentsAcross => Event::retrieved_across(parties, None, &documents(items), outcome),
        Kind::Images => {
            let how = ImagesRetrieved::DocumentSet;
            Event::images_retrieved(how, parties, None, &studies(items), outcome)
        }
        Kind::ImagesAcross => {
            let how = ImagesRetrieved::CrossGateway;
            Event::images_retrieved(how, parties, None, &studies(items), outcome)
        }
    }
}

fn documents(items: &[Item]) -> Vec<Document> {
    let document = |item: &Item| Document {
        unique_id: item.document.document_unique_id.0.clone(),
        repository_unique_id: item.document.repository_unique_id.0.clone(),
        home_community_id: item.document.home_community_id.clone().map(|home| home.0),
    };
    items.iter().map(document).collect()
}

/// Each study once.
fn studies(items: &[Item]) -> Vec<Study> {
    let named = |item: &Item| {
        let (study, _) = item.series.clone()?;
        let home = item.document.home_community_id.clone().map(|home| home.0);
        Some((study, item.document.repository_unique_id.0.clone(), home))
    };
    let studies: BTreeSet<_> = items.iter().filter_map(named).collect();
    let study = |(instance_uid, repository, home_community_id)| Study {
        instance_uid,
        sop_classes: Vec::new(),
        repository_unique_id: Some(repository),
        home_community_id,
    };
    studies.into_iter().map(study).collect()
}
