//! Who can be asked, and where: nobody else is, whatever a message says.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use xds_schemas::metadata::{HomeCommunityId, RepositoryUniqueId};

use crate::asking::{Crowd, Line};
use crate::circles::Deadlines;
use crate::partner::Partner;
use crate::patients::PatientsThere;
use crate::watching::{CommunityHealth, Counts};

/// Seconds within which a community must have begun its answer.
pub const DEADLINE_SECONDS: u64 = 30;
/// Calls to one community at a time; others wait, and their waiting counts.
pub const CALLS: usize = 32;

/// Answers that are sent to it later at a time (ITI-55): they are sent one after the other.
const DELIVERIES: usize = 1;

/// The community of this gateway.
#[derive(Debug, Clone)]
pub struct Own {
    /// `homeCommunityId`
    pub home: HomeCommunityId,
    /// The URL of its registry (ITI-18).
    pub registry: Option<String>,
    /// Its repositories (ITI-43).
    pub repositories: Vec<(RepositoryUniqueId, String)>,
    /// Its imaging sources (RAD-69).
    pub imaging: Vec<(RepositoryUniqueId, String)>,
    /// Where it takes documents: its repository or recipient (ITI-41).
    pub provide: Option<String>,
    /// WADO-RS of its imaging sources (RAD-107), without what follows `/studies`.
    pub wado: Vec<(RepositoryUniqueId, String)>,
    /// How much one fetch gives (ITI-63).
    pub fetch: FetchLimits,
    /// Within which its systems must have begun their answers.
    pub deadline: Duration,
}

/// How much one fetch gives.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// Documents.
    pub documents: usize,
    /// Bytes of all of them, as their entries say.
    pub bytes: u64,
}

/// Another community.
#[derive(Debug, Clone)]
pub struct Community {
    /// `homeCommunityId`
    pub home: HomeCommunityId,
    /// How people call it.
    pub name: String,
    /// The URL of its Responding Gateway for ITI-38.
    pub query: Option<String>,
    /// The same for ITI-39.
    pub retrieve: Option<String>,
    /// The same for RAD-75.
    pub imaging: Option<String>,
    /// The same for ITI-63.
    pub fetch: Option<String>,
    /// The same for ITI-80.
    pub provide: Option<String>,
    /// The same for RAD-160: what stands before `/homeCommunityId`.
    pub wado: Option<String>,
    /// Whether it gets the bearer tokens of those for whom it is asked.
    pub pass_tokens: bool,
    /// Within which it must have begun an answer.
    pub deadline: Duration,
    /// Calls to it at a time.
    pub calls: usize,
    /// How it is spoken to.
    pub partner: Partner,
    /// What its patients are called.
    pub patients: PatientsThere,
}

/// Two communities have the same identifier.
#[derive(Debug, Error)]
#[error("{0} is the identifier of two communities")]
pub struct Ambiguous(HomeCommunityId);

/// A community and the lines to it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) community: Community,
    pub(crate) line: Line,
    /// The line to where it wants answers later, which may be another system: whether that is there says nothing
    /// of its gateway.
    pub(crate) deliveries: Line,
}

impl Known {
    pub(crate) fn new(community: Community, crowd: &Arc<Crowd>, counts: Arc<Counts>) -> Self {
        let line = |calls, counts| Line::new(community.deadline, calls, crowd, counts);
        Self {
            deliveries: line(DELIVERIES, Arc::clone(&counts)),
            line: line(community.calls, counts),
            community,
        }
    }

    fn health(&self) -> CommunityHealth {
        health_of(&self.community.home, &self.community.name, &self.line)
    }
}

/// What changed when others took the place of communities: their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that were not known before.
    pub added: Vec<String>,
    /// Those of which something is not as it was.
    pub changed: Vec<String>,
    /// Those that are not known any more.
    pub removed: Vec<String>,
    /// Whether the own repositories and imaging sources are others.
    pub own: bool,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// All that are known.
#[derive(Debug)]
pub(crate) struct Communities {
    pub(crate) own: Own,
    /// The line to the own community's systems.
    pub(crate) own_line: Arc<Line>,
    pub(crate) others: Vec<Arc<Known>>,
}

impl Communities {
    pub(crate) fn of(
        own: Own,
        others: Vec<Community>,
        crowd: &Arc<Crowd>,
    ) -> Result<Self, Ambiguous> {
        unambiguous(&own, &others)?;
        let known = |community| Arc::new(Known::new(community, crowd, Arc::default()));
        // Two gateways that ask each other must not wait for each other: what is asked here for others
        // does not wait for what is asked of them.
        let calls = crowd.calls();
        let own_line = Line::new(own.deadline, calls, &crowd.beside(), Arc::default());
        Ok(Self {
            own_line: Arc::new(own_line),
            own,
            others: others.into_iter().map(known).collect(),
        })
    }

    /// The same with other communities, and other repositories of the own. One that is as it was keeps
    /// its line, with what is known of it; of one that changed it is known how it answered.
    pub(crate) fn replaced(
        &self,
        own: Own,
        others: Vec<Community>,
        crowd: &Arc<Crowd>,
    ) -> Result<(Self, Changes), Ambiguous> {
        unambiguous(&own, &others)?;
        let mut changes = Changes {
            own: (&own.repositories, &own.imaging, &own.wado)
                != (&self.own.repositories, &self.own.imaging, &self.own.wado),
            ..Changes::default()
        };
        let gone = |known: &&Arc<Known>| {
            let home = &known.community.home;
            !others.iter().any(|other| other.home == *home)
        };
        let gone = self.others.iter().filter(gone);
        changes.removed = gone.map(|known| known.community.name.clone()).collect();
        let take = |community: Community| {
            let name = community.name.clone();
            match self.other(community.home.as_str()) {
                Some(known)
                    if known.community.partner.configured == community.partner.configured =>
                {
                    Arc::clone(known)
                }
                Some(known) => {
                    changes.changed.push(name);
                    Arc::new(Known::new(community, crowd, known.line.counts()))
                }
                None => {
                    changes.added.push(name);
                    Arc::new(Known::new(community, crowd, Arc::default()))
                }
            }
        };
        let others = others.into_iter().map(take).collect();
        let own = Own {
            repositories: own.repositories,
            imaging: own.imaging,
            wado: own.wado,
            ..self.own.clone()
        };
        let replaced = Self {
            own,
            own_line: Arc::clone(&self.own_line),
            others,
        };
        Ok((replaced, changes))
    }

    /// How everybody answers; the own registry, repositories and imaging sources first.
    pub(crate) fn health(&self) -> Vec<CommunityHealth> {
        let own = health_of(&self.own.home, "this community", &self.own_line);
        let others = self.others.iter().map(|known| known.health());
        std::iter::once(own).chain(others).collect()
    }

    pub(crate) fn is_own(&self, home: &str) -> bool {
        self.own.home.as_str() == home
    }

    /// For how long somebody is waited for of those whom an Initiating Gateway may ask.
    pub(crate) fn deadlines(&self) -> Deadlines {
        let own = self.own_deadlines();
        let others = self.others.iter().map(|known| known.community.deadline);
        others.fold(own, |all, deadline| Deadlines {
            shortest: all.shortest.min(deadline),
            longest: all.longest.max(deadline),
        })
    }

    /// The same of the own community's systems.
    pub(crate) const fn own_deadlines(&self) -> Deadlines {
        Deadlines {
            shortest: self.own.deadline,
            longest: self.own.deadline,
        }
    }

    /// Another community with this identifier.
    pub(crate) fn other(&self, home: &str) -> Option<&Arc<Known>> {
        let mut others = self.others.iter();
        others.find(|known| known.community.home.as_str() == home)
    }
}

fn unambiguous(own: &Own, others: &[Community]) -> Result<(), Ambiguous> {
    let mut seen = HashSet::from([own.home.as_str()]);
    match others.iter().find(|it| !seen.insert(it.home.as_str())) {
        Some(twice) => Err(Ambiguous(twice.home.clone())),
        None => Ok(()),
    }
}

fn health_of(home: &HomeCommunityId, name: &str, line: &Line) -> CommunityHealth {
    let (in_flight, waiting) = line.in_flight();
    let (breaker, failures_in_a_row) = line.breaker();
    CommunityHealth {
        home: home.0.clone(),
        name: name.to_owned(),
        breaker,
        failures_in_a_row,
        in_flight,
        waiting,
        calls: line.calls(),
        transactions: line.transactions(),
    }
}
