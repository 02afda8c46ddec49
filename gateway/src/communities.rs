//! Who can be asked, and where: nobody else is, whatever a message says.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;
use xds_schemas::metadata::{HomeCommunityId, RepositoryUniqueId};

use crate::asking::Line;
use crate::patients::PatientsThere;

/// Seconds within which a community must have begun its answer.
pub const DEADLINE_SECONDS: u64 = 30;
/// Calls to one community at a time; others wait, and their waiting counts.
pub const CALLS: usize = 32;

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
    /// Within which its systems must have begun their answers.
    pub deadline: Duration,
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
    /// Within which it must have begun an answer.
    pub deadline: Duration,
    /// Calls to it at a time.
    pub calls: usize,
    /// What its patients are called.
    pub patients: PatientsThere,
}

/// Two communities have the same identifier.
#[derive(Debug, Error)]
#[error("{0} is the identifier of two communities")]
pub struct Ambiguous(HomeCommunityId);

/// A community and the line to it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) community: Community,
    pub(crate) line: Line,
}

/// All that are known.
#[derive(Debug)]
pub(crate) struct Communities {
    pub(crate) own: Own,
    /// The line to the own community's systems.
    pub(crate) own_line: Line,
    pub(crate) others: Vec<Arc<Known>>,
}

impl Communities {
    pub(crate) fn of(own: Own, others: Vec<Community>) -> Result<Self, Ambiguous> {
        let mut seen = vec![own.home.clone()];
        for community in &others {
            if seen.contains(&community.home) {
                return Err(Ambiguous(community.home.clone()));
            }
            seen.push(community.home.clone());
        }
        let known = |community: Community| {
            let line = Line::new(community.deadline, community.calls);
            Arc::new(Known { community, line })
        };
        Ok(Self {
            own_line: Line::new(own.deadline, Semaphore::MAX_PERMITS),
            own,
            others: others.into_iter().map(known).collect(),
        })
    }

    pub(crate) fn is_own(&self, home: &str) -> bool {
        self.own.home.as_str() == home
    }

    /// Another community with this identifier.
    pub(crate) fn other(&self, home: &str) -> Option<&Arc<Known>> {
        let mut others = self.others.iter();
        others.find(|known| known.community.home.as_str() == home)
    }
}
