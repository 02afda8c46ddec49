//! How often the same is asked at one time: in a circle none of it is answered, since each waits for the next,
//! so that after a while whoever waits is refused, and with that all are answered.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, RandomState};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hilum_security::Caller;
use hilum_transport::Presence;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use xds_schemas::soap::Fault;

use super::circle;

/// How often one caller asks the same at one time; more wait.
pub const SAME_AT_A_TIME: usize = 16;
/// How often all callers together do.
pub const SAME_BY_ALL: usize = 256;
/// After so many in a row that took as long as somebody is waited for, nobody waits any more: in a circle in
/// which one is waited for less long than the others, places become free without an answer.
const LONG_IN_A_ROW: usize = 64;

/// For how long those are waited for who may be asked: for the one for whom it is least long, and longest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
}

impl Deadlines {
    /// For how long the oldest of the same may be unanswered: less than it is waited for, so that the circle
    /// ends before somebody in it is taken for one who does not answer.
    fn patience(self) -> Duration {
        self.longest * 3 / 4
    }
}

/// Who asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asker {
    /// The node or, without certificates, the address; and the user.
    who: (String, Option<String>),
    presence: Presence,
}

impl Asker {
    pub(crate) fn of(caller: &Caller, presence: Presence) -> Self {
        let node = match &caller.node {
            Some(node) => node.fingerprint.clone(),
            None => caller.address.ip().to_canonical().to_string(),
        };
        let user = caller.user.as_ref().map(|user| user.name.clone());
        Self {
            who: (node, user),
            presence,
        }
    }
}

/// What is asked at the moment.
#[derive(Debug, Default)]
pub(crate) struct Circles {
    hasher: RandomState,
    asked: Mutex<HashMap<u64, Same>>,
}

/// Those who ask the same.
#[derive(Debug)]
struct Same {
    /// All of them.
    askers: usize,
    places: Arc<Semaphore>,
    /// Those who have a place, in the order in which they got it, and since when.
    since: BTreeMap<u64, Instant>,
    next: u64,
    /// How many of those before took as long as somebody is waited for.
    long: usize,
}

/// Something that is being asked, as long as this is held.
#[derive(Debug)]
pub(crate) struct Asked {
    _by_one: Place,
    _by_all: Place,
}

/// A place among those who ask the same, as long as it is held.
#[derive(Debug)]
struct Place {
    // The order counts: who gets the place looks at those who have one.
    _asking: Asking,
    _permit: OwnedSemaphorePermit,
}

/// One of those who ask the same, as long as this is held.
#[derive(Debug)]
struct Asking {
    circles: Arc<Circles>,
    what: u64,
    shortest: Duration,
    /// Which of them it is, once it has a place.
    place: Option<u64>,
}

impl Circles {
    /// That `what` is asked.
    ///
    /// # Errors
    /// If it is asked too often, or nobody waits for it any more.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        what: &impl Hash,
        asker: &Asker,
        deadlines: Deadlines,
    ) -> Result<Asked, Fault> {
        let by_one = self.hasher.hash_one((what, &asker.who));
        let by_all = self.hasher.hash_one(what);
        let presence = &asker.presence;
        // Nobody waits for longer than the deadline, for whatever it is.
        let until = Instant::now() + deadlines.longest;
        Ok(Asked {
            _by_one: self
                .place(by_one, SAME_AT_A_TIME, presence, deadlines, until)
                .await?,
            _by_all: self
                .place(by_all, SAME_BY_ALL, presence, deadlines, until)
                .await?,
        })
    }

    /// A place among those who ask `what`. Who has none at the time `busy` gets none.
    async fn place(
        self: &Arc<Self>,
        what: u64,
        most: usize,
        presence: &Presence,
        deadlines: Deadlines,
        busy: Instant,
    ) -> Result<Place, Fault> {
        let (places, mut asking) = self.among(what, most, deadlines);
        if let Ok(permit) = Arc::clone(&places).try_acquire_owned() {
            asking.begin();
            return Ok(asking.at(permit));
        }
        let mut turn = pin!(places.acquire_owned());
        loop {
            let oldest = asking.oldest().unwrap_or_else(Instant::now);
            let circling = oldest + deadlines.patience();
            tokio::select! {
                biased;
                permit = &mut turn => {
                    let permit = permit.map_err(|_| too_busy())?;
                    if asking.long() >= LONG_IN_A_ROW {
                        return Err(circling_perhaps());
                    }
                    asking.begin();
                    return Ok(asking.at(permit));
                }
                () = presence.left() => {
                    return Err(Fault::sender("nobody waits for the answer any more"));
                }
                () = sleep_until(circling.min(busy)) => {}
            }
            if Instant::now() >= busy {
                return Err(too_busy());
            }
            // Another one may be the oldest now.
            if asking.oldest().is_some_and(|it| it <= oldest) {
                return Err(circling_perhaps());
            }
        }
    }

    /// One more who asks this.
    fn among(
        self: &Arc<Self>,
        what: u64,
        most: usize,
        deadlines: Deadlines,
    ) -> (Arc<Semaphore>, Asking) {
        let mut asked = self.asked();
        let same = asked.entry(what).or_insert_with(|| Same {
            askers: 0,
            places: Arc::new(Semaphore::new(most)),
            since: BTreeMap::new(),
            next: 0,
            long: 0,
        });
        same.askers += 1;
        let asking = Asking {
            circles: Arc::clone(self),
            what,
            shortest: deadlines.shortest,
            place: None,
        };
        (Arc::clone(&same.places), asking)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<u64, Same>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asking {
    fn at(self, permit: OwnedSemaphorePermit) -> Place {
        Place {
            _asking: self,
            _permit: permit,
        }
    }

    /// It has a place from now on.
    fn begin(&mut self) {
        if let Some(same) = self.circles.asked().get_mut(&self.what) {
            self.place = Some(same.next);
            same.since.insert(same.next, Instant::now());
            same.next += 1;
        }
    }

    /// Since when the oldest of those has its place who have one.
    fn oldest(&self) -> Option<Instant> {
        let asked = self.circles.asked();
        let same = asked.get(&self.what)?;
        same.since.first_key_value().map(|(_, since)| *since)
    }

    fn long(&self) -> usize {
        self.circles.asked().get(&self.what).map_or(0, |it| it.long)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut asked = self.circles.asked();
        let Some(same) = asked.get_mut(&self.what) else {
            return;
        };
        let since = self.place.and_then(|place| same.since.remove(&place));
        if let Some(since) = since {
            same.long = match since.elapsed() >= self.shortest {
                true => same.long + 1,
                false => 0,
            };
        }
        same.askers -= 1;
        if same.askers == 0 {
            asked.remove(&self.what);
        }
    }
}

fn circling_perhaps() -> Fault {
    circle("the same is asked too often and not answered; perhaps gateways ask in a circle")
}

fn too_busy() -> Fault {
    Fault::receiver("the same is asked too often at one time")
}

#[cfg(test)]
mod tests;
