//! Who was not known elsewhere a moment ago, or was asked for: a community is not asked again for every
//! question of a consumer. It is not kept on disk, and not for long, since people move.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use xds_schemas::metadata::{HomeCommunityId, PatientId};

/// How many are remembered; when there are more, all are forgotten.
const MOST: usize = 100_000;

/// A patient and a community.
type Both = (String, String);

#[derive(Debug)]
pub(super) struct Absent {
    /// For how long it counts.
    lasts: Duration,
    known: Mutex<HashMap<Both, Instant>>,
}

fn both(own: &PatientId, home: &HomeCommunityId) -> Both {
    (own.to_string(), home.0.clone())
}

impl Absent {
    pub(super) fn of(lasts: Duration) -> Self {
        Self {
            lasts,
            known: Mutex::default(),
        }
    }

    pub(super) fn has(&self, own: &PatientId, home: &HomeCommunityId) -> bool {
        self.lasts_for(self.known().get(&both(own, home)))
    }

    /// Notes it, if it does not count already. Says whether it did not.
    pub(super) fn note(&self, own: &PatientId, home: &HomeCommunityId) -> bool {
        let mut known = self.known();
        if self.lasts_for(known.get(&both(own, home))) {
            return false;
        }
        if known.len() >= MOST {
            known.retain(|_, since| since.elapsed() < self.lasts);
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(both(own, home), Instant::now());
        true
    }

    fn lasts_for(&self, since: Option<&Instant>) -> bool {
        since.is_some_and(|since| since.elapsed() < self.lasts)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Both, Instant>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget(&self, own: &PatientId, home: &HomeCommunityId) {
        self.known().remove(&both(own, home));
    }
}
