//! What came of a request: what is on its way, what is missing and why, and what is recorded of it.

use std::collections::{HashMap, HashSet, VecDeque};

use hilum_audit::{Event, Outcome, Parties};
use hilum_transport::PartSource;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{RegistryError, RegistryResponse};
use xds_schemas::iti43_retrieve_document_set::{DocumentResponse, RetrieveDocumentSetResponse};
use xds_schemas::metadata::HomeCommunityId;
use xds_schemas::mtom::Content;

use super::destination::Destination;
use super::records;
use super::wanted::{Item, Wanted};
use crate::asking::Silence;
use crate::communities::Communities;
use crate::outcome::{misdirected, outcome, status, unexplained};
use crate::relay::Relay;

/// What one destination answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) destination: Destination,
    pub(super) wanted: Wanted,
    pub(super) parties: Parties,
    pub(super) answer: Result<(RetrieveDocumentSetResponse, Relay), Silence>,
}

/// Documents of one destination, and from where each comes.
type Coming = VecDeque<(DocumentResponse, PartSource)>;

/// What came of a request.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    is_images: bool,
    coming: Vec<Coming>,
    given: Vec<Item>,
    missing: Vec<Item>,
    /// Why something is missing.
    pub(super) errors: Vec<RegistryError>,
    /// What was asked of whom.
    pub(super) events: Vec<Event>,
}

impl Gathered {
    pub(super) fn of(wanted: &Wanted) -> Self {
        Self {
            is_images: wanted.is_images(),
            ..Self::default()
        }
    }

    /// Whether anything is on its way.
    pub(super) fn any(&self) -> bool {
        !self.given.is_empty()
    }

    /// Something for which nobody was asked.
    pub(super) fn missing(&mut self, item: Item, error: RegistryError) {
        let location = item.document.document_unique_id.as_str();
        self.errors.push(error.at(location));
        self.missing.push(item);
    }

    /// What one destination answered.
    pub(super) fn take(&mut self, communities: &Communities, answered: Answered) {
        let Answered {
            destination,
            wanted,
            parties,
            answer,
        } = answered;
        let across = matches!(destination, Destination::Other { .. });
        let kind = records::Kind::of(self.is_images, across);
        let items = wanted.items();
        let (given, missing, ended) = match answer {
            Err(silence) => {
                let error = silent(communities, &destination, &silence);
                // A community that was asked in several requests is named once.
                if !self.errors.contains(&error) {
                    self.errors.push(error);
                }
                (Vec::new(), items, Outcome::Failure(silence.told()))
            }
            Ok(answer) => {
                let mut sorting = Sorting::of(items);
                sorting.take(communities, &destination, answer);
                let ended = outcome(
                    status(!sorting.given.is_empty(), &sorting.errors),
                    &sorting.errors,
                );
                self.errors.extend(sorting.errors);
                self.coming.push(sorting.coming);
                (sorting.given, sorting.missing, ended)
            }
        };
        let event = records::event(kind, &parties, (&given, &missing), &ended);
        self.events.push(event);
        self.given.extend(given);
        self.missing.extend(missing);
    }

    /// What is recorded of the request as a whole.
    pub(super) fn event(&self, parties: &Parties, across: bool) -> Event {
        let kind = records::Kind::of(self.is_images, across);
        let failed = outcome(ResponseStatus::Failure, &self.errors);
        records::event(kind, parties, (&self.given, &self.missing), &failed)
    }

    /// Everything that comes, in turn from each of those who send it, so that none of them waits until
    /// all of another's has gone by.
    pub(super) fn interleaved(mut self) -> Vec<(DocumentResponse, PartSource)> {
        let mut all = Vec::with_capacity(self.given.len());
        while self.coming.iter().any(|coming| !coming.is_empty()) {
            all.extend(self.coming.iter_mut().filter_map(VecDeque::pop_front));
        }
        all
    }
}

/// The error that stands for everything a destination did not give.
fn silent(
    communities: &Communities,
    destination: &Destination,
    silence: &Silence,
) -> RegistryError {
    let (name, told) = (destination.name(communities), silence.told());
    match silence {
        Silence::Failed(error) => tracing::warn!(name, %error, "no answer to a retrieval"),
        _ => tracing::warn!(name, told, "no answer to a retrieval"),
    }
    let code = match destination {
        Destination::Own { .. } => ErrorCode::RepositoryError,
        Destination::Other { .. } => ErrorCode::UnavailableCommunity,
    };
    let error = RegistryError::error(code, format!("{name}: {told}"));
    error.at(destination.home(communities))
}

/// Finds what was wanted in what came.
struct Sorting {
    wanted: HashMap<(String, String), Item>,
    coming: Coming,
    given: Vec<Item>,
    missing: Vec<Item>,
    errors: Vec<RegistryError>,
}

impl Sorting {
    fn of(items: Vec<Item>) -> Self {
        let named = |item: Item| {
            let document = &item.document;
            let repository = document.repository_unique_id.0.clone();
            ((repository, document.document_unique_id.0.clone()), item)
        };
        Self {
            wanted: items.into_iter().map(named).collect(),
            coming: Coming::new(),
            given: Vec::new(),
            missing: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn take(
        &mut self,
        communities: &Communities,
        destination: &Destination,
        (response, relay): (RetrieveDocumentSetResponse, Relay),
    ) {
        let RetrieveDocumentSetResponse {
            registry_response: RegistryResponse { errors, status },
            documents,
        } = response;
        let home = destination.home(communities);
        let mut unwanted = 0;
        for mut document in documents {
            let repository = document.repository_unique_id.0.clone();
            let name = (repository, document.document_unique_id.0.clone());
            let Some(item) = self.wanted.remove(&name) else {
                unwanted += 1;
                continue;
            };
            let nothing = Content::Inline(Vec::new());
            let source = match std::mem::replace(&mut document.content, nothing) {
                Content::Include(id) => PartSource::Stream(relay.stream(id)),
                Content::Inline(bytes) => PartSource::Bytes(bytes.into()),
            };
            document.home_community_id = Some(HomeCommunityId::from(home));
            self.given.push(item);
            self.coming.push_back((document, source));
        }
        let name = destination.name(communities);
        if unwanted > 0 {
            tracing::warn!(name, unwanted, "documents came that nobody asked for");
        }
        let is_own = matches!(destination, Destination::Own { .. });
        self.errors
            .extend(errors.into_iter().map(|error| match is_own {
                true => error,
                false => misdirected(error, &name, home),
            }));
        self.missing = self.wanted.drain().map(|(_, item)| item).collect();
        let unexplained = unexplained(status, &self.errors, ErrorCode::RepositoryError, &name);
        let all_failed = status == ResponseStatus::Failure && unexplained.is_none();
        let named = words(&self.errors);
        for item in self.missing.iter().filter(|_| !all_failed) {
            let id = item.document.document_unique_id.as_str();
            if !named.contains(id) {
                let context = match &unexplained {
                    Some(error) => format!("{}: {id}", error.context),
                    None => format!("{name} said nothing of {id}"),
                };
                let error = RegistryError::error(ErrorCode::RepositoryError, context);
                self.errors.push(error.at(id));
            }
        }
        // Nothing that is missing stands for it.
        if let (true, Some(error)) = (self.missing.is_empty(), unexplained) {
            self.errors.push(error.at(home));
        }
    }
}

/// What errors name, among everything else that they say. There may be thousands, each of a document.
fn words(errors: &[RegistryError]) -> HashSet<String> {
    let texts = errors.iter().flat_map(|error| {
        let location = error.location.as_deref().unwrap_or_default();
        [location, &error.context]
    });
    let ends = |it: char| it.is_whitespace() || "\"'()[]<>,;=".contains(it);
    let words = texts.flat_map(|text| text.split(ends));
    let words = words.map(|word| word.trim_end_matches(['.', ':']).to_owned());
    words.collect()
}
