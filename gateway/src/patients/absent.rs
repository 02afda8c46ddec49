//! Who was not known elsewhere a moment ago: a community is not asked again for every question of a
//! consumer. It is not kept on disk, and not for long, since people move.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use xds_schemas::metadata::{HomeCommunityId, PatientId};

/// For how long it counts.
const WHILE: Duration = Duration::from_secs(300);
/// How many are remembered; when there are more, all are forgotten.
const MOST: usize = 100_000;

/// A patient and a community.
type Both = (String, String);

#[derive(Debug, Default)]
pub(super) struct Absent(Mutex<HashMap<Both, Instant>>);

fn both(own: &PatientId, home: &HomeCommunityId) -> Both {
    (own.to_string(), home.0.clone())
}

impl Absent {
    pub(super) fn has(&self, own: &PatientId, home: &HomeCommunityId) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = known.get(&both(own, home));
        since.is_some_and(|since| since.elapsed() < WHILE)
    }

    pub(super) fn note(&self, own: &PatientId, home: &HomeCommunityId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, since| since.elapsed() < WHILE);
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(both(own, home), Instant::now());
    }

    pub(super) fn forget(&self, own: &PatientId, home: &HomeCommunityId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&both(own, home));
    }
}
