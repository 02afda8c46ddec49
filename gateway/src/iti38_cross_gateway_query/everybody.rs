//! One question of ITI-18 or ITI-51, and everybody who is asked it at the same time.

use std::future::Future;
use std::sync::Arc;

use hilum_audit::{Event, Outcome, Parties};
use hilum_security::Caller;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, RegistryError};
use xds_schemas::iti18_registry_stored_query::StoredQuery;
use xds_schemas::metadata::PatientId;

use super::merging::{self, Taken};
use super::targets::{self, Chosen};
use super::{Asked, Asker, ask_other, ask_own, event, patients, several};
use crate::Room;
use crate::asking::Silence;
use crate::circles;
use crate::communities::Communities;

/// Which transaction asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ITI-18: about one patient.
    OfOne,
    /// ITI-51: about several.
    OfSeveral,
}

/// A question, and who asks it.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) kind: Kind,
    request: AdhocQueryRequest,
    patients: Vec<String>,
    parties: Parties,
}

/// Whom a question concerns, and what other communities are asked instead.
type Addressed = (Chosen, Vec<About>);

/// A question to other communities, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct About {
    request: AdhocQueryRequest,
    patients: Arc<[PatientId]>,
}

impl About {
    /// About all patients of a query.
    pub(super) fn all_of(request: &AdhocQueryRequest, query: &StoredQuery) -> Self {
        Self {
            request: request.clone(),
            patients: query.patients().into(),
        }
    }
}

impl Question {
    /// Reads a question. Beside it, whom it concerns, or why nobody is asked.
    pub(super) fn read(
        communities: &Communities,
        kind: Kind,
        request: AdhocQueryRequest,
        parties: Parties,
    ) -> (Self, Result<Addressed, Vec<RegistryError>>) {
        let query = match kind {
            Kind::OfOne => StoredQuery::read(&request),
            Kind::OfSeveral => StoredQuery::read_of_several_patients(&request),
        };
        let patients = patients(&query);
        let addressed = query.and_then(|query| {
            let one_by_one = match kind {
                Kind::OfOne => Ok(vec![About::all_of(&request, &query)]),
                Kind::OfSeveral => several::divided(&request, &query),
            };
            let one_by_one = one_by_one.map_err(|error| vec![error])?;
            let chosen = targets::choose(communities, &request, &query);
            let chosen = chosen.map_err(|error| vec![error])?;
            Ok((chosen, one_by_one))
        });
        let question = Self {
            kind,
            request,
            patients,
            parties,
        };
        (question, addressed)
    }

    /// What is recorded of it, and how it ended.
    pub(super) fn event(&self, ended: &Outcome) -> Event {
        let recorded = match self.kind {
            Kind::OfOne => Event::queried,
            Kind::OfSeveral => Event::queried_for_several_patients,
        };
        event(
            recorded,
            &self.parties,
            &self.request,
            &self.patients,
            ended,
        )
    }
}

/// The place of a question among those of one call: that of who is asked, the own registry first, and that of
/// the patient.
type Place = (usize, usize);

/// Everybody who is being asked, and what was said so far.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) room: Arc<Room>,
    waiting: JoinSet<(Place, Arc<[String]>, Asked)>,
    leaving: watch::Sender<bool>,
    /// Why some are not asked.
    errors: Vec<RegistryError>,
    said: Vec<(Place, Result<Taken, RegistryError>)>,
}

/// Something that was said.
#[derive(Debug)]
pub(super) struct Heard {
    place: Place,
    /// Who said it: `homeCommunityId`.
    pub(super) home: String,
    /// What is recorded of it.
    pub(super) event: Event,
    pub(super) taken: Taken,
}

impl Asking {
    /// Asks all of them at the same time, each about as many patients as it may be asked, so that each question
    /// waits for its turn before its time begins. It is `asked` until everybody has answered, however long it
    /// takes to tell.
    pub(super) fn begin(
        room: &Arc<Room>,
        caller: &Caller,
        question: &Question,
        (chosen, one_by_one): Addressed,
        asked: circles::Asked,
    ) -> Self {
        let (leaving, left) = watch::channel(false);
        let asked = Arc::new(asked);
        let asker = Asker::of(room, caller, Leaving(left));
        let mut waiting = JoinSet::new();
        if chosen.own {
            let (asker, request) = (asker.clone(), question.request.clone());
            let named = question.patients.as_slice().into();
            let asked = Arc::clone(&asked);
            waiting.spawn(async move {
                let _asked = asked;
                let answered = ask_own(asker, request).await;
                ((0, 0), named, Asked::Answered(Box::new(answered)))
            });
        }
        for (at, (known, url)) in chosen.others.into_iter().enumerate() {
            let lanes = Arc::new(Semaphore::new(known.community.calls));
            for (number, about) in one_by_one.iter().cloned().enumerate() {
                let asker = asker.clone();
                let (known, url) = (Arc::clone(&known), url.clone());
                let (lanes, asked) = (Arc::clone(&lanes), Arc::clone(&asked));
                waiting.spawn(async move {
                    let _asked = asked;
                    let ids = about.patients;
                    let named = ids.iter().map(ToString::to_string).collect();
                    // It is never closed.
                    let _lane = lanes.acquire().await.ok();
                    let asked = ask_other(asker, about.request, (known, url), &ids).await;
                    ((at + 1, number), named, asked)
                });
            }
        }
        Self {
            room: Arc::clone(room),
            waiting,
            leaving,
            errors: chosen.errors,
            said: Vec::new(),
        }
    }

    /// What is said next, or nothing when everybody has said something. Who could not be asked is passed over.
    /// What was not heard when this is given up is heard the next time.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        while let Some(joined) = self.waiting.join_next().await {
            match joined {
                Ok((place, patients, Asked::Answered(answered))) => {
                    let own = &self.room.communities.own.home;
                    return Some(Heard {
                        place,
                        home: answered.whose.home(own).0.clone(),
                        event: answered.event(&patients),
                        taken: Taken::of(own, *answered),
                    });
                }
                Ok((place, _, Asked::Failed(error))) => self.said.push((place, Err(error))),
                Ok((_, _, Asked::Nobody)) => {}
                Err(error) => tracing::error!(%error, "a question to a community was lost"),
            }
        }
        None
    }

    /// Keeps what was said, for the end.
    pub(super) fn keep(&mut self, heard: Heard) {
        self.said.push((heard.place, Ok(heard.taken)));
    }

    /// Nobody waits for answers any more: those who have not answered yet are let go.
    pub(super) fn leave(&self) {
        self.leaving.send_replace(true);
    }

    /// What everybody said, in the order of the question.
    pub(super) fn response(&mut self, kind: Kind) -> AdhocQueryResponse {
        let mut said = std::mem::take(&mut self.said);
        said.sort_by_key(|(place, _)| *place);
        let mut errors = std::mem::take(&mut self.errors);
        let mut taken = Vec::with_capacity(said.len());
        for (_, said) in said {
            match said {
                Ok(one) => taken.push(one),
                Err(error) => errors.push(error),
            }
        }
        let response = merging::merge(taken, errors);
        match kind {
            Kind::OfOne => response,
            Kind::OfSeveral => several::settled(response),
        }
    }

    /// Waits for everybody. What they say, and what is recorded of it.
    pub(super) async fn whole(mut self, kind: Kind) -> (AdhocQueryResponse, Vec<Event>) {
        let mut events = Vec::new();
        while let Some(heard) = self.next().await {
            events.push((heard.place, heard.event.clone()));
            self.keep(heard);
        }
        events.sort_by_key(|(place, _)| *place);
        let events = events.into_iter().map(|(_, event)| event).collect();
        (self.response(kind), events)
    }
}

/// That whoever asked may leave before everybody has answered.
#[derive(Debug, Clone)]
pub(super) struct Leaving(watch::Receiver<bool>);

impl Leaving {
    /// What was begun is waited for.
    pub(super) fn never() -> Self {
        Self(watch::channel(false).1)
    }

    pub(super) fn has_left(&self) -> bool {
        *self.0.borrow()
    }

    /// What `asking` gives, unless whoever asked leaves before.
    pub(super) async fn unless_left<T>(
        &self,
        asking: impl Future<Output = Result<T, Silence>>,
    ) -> Result<T, Silence> {
        let mut leaving = self.0.clone();
        let left = async {
            if leaving.wait_for(|left| *left).await.is_err() {
                // There is nobody left who could say so.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            answer = asking => answer,
            () = left => Err(Silence::Unwanted),
        }
    }
}
