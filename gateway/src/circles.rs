//! Gateways that ask each other in a circle, because somebody wrote the wrong address.
//!
//! Whatever a gateway asks carries a header block that names the communities whose gateways the question
//! has passed ([`xds_schemas::wsa::via`]); one that finds itself in it answers a fault. Gateways
//! of others may not pass it on. So the same question is also asked so often only at one time, and further
//! ones wait until one of those is answered. In a circle none is, since each waits for the next.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hilum_transport::ClientError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use xds_schemas::soap::{Fault, QName};
use xds_schemas::wsa;
use xds_schemas::xml::ns;

/// How often the same is asked at one time.
pub const SAME_AT_A_TIME: usize = 16;
/// How long the same waits for one of those to be answered.
pub const SAME_WAITS: Duration = Duration::from_secs(3);
/// Communities whose gateways a question may have passed.
pub const GATEWAYS: usize = 8;
/// What the fault is called.
const CIRCLE: &str = "Circle";

/// What is asked at the moment.
#[derive(Debug, Default)]
pub(crate) struct Circles {
    hasher: RandomState,
    asked: Mutex<HashMap<u64, Same>>,
}

/// Those who ask the same.
#[derive(Debug)]
struct Same {
    askers: usize,
    places: Arc<Semaphore>,
}

/// Something that is being asked, as long as this is held.
#[derive(Debug)]
pub(crate) struct Asked {
    _place: OwnedSemaphorePermit,
    _asker: Asker,
}

/// One of those who ask the same, as long as this is held.
#[derive(Debug)]
struct Asker {
    circles: Arc<Circles>,
    what: u64,
}

impl Circles {
    /// That `what` is asked.
    ///
    /// # Errors
    /// If it is asked too often.
    pub(crate) async fn enter(self: &Arc<Self>, what: &impl Hash) -> Result<Asked, Fault> {
        let what = self.hasher.hash_one(what);
        let (places, asker) = self.among(what);
        let place = timeout(SAME_WAITS, places.acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            let reason =
                "the same is asked too often at one time; perhaps gateways ask in a circle";
            return Err(circle(reason));
        };
        Ok(Asked {
            _place: place,
            _asker: asker,
        })
    }

    /// One more who asks this.
    fn among(self: &Arc<Self>, what: u64) -> (Arc<Semaphore>, Asker) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let same = asked.entry(what).or_insert_with(|| Same {
            askers: 0,
            places: Arc::new(Semaphore::new(SAME_AT_A_TIME)),
        });
        same.askers += 1;
        let asker = Asker {
            circles: Arc::clone(self),
            what,
        };
        (Arc::clone(&same.places), asker)
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let asked = self.circles.asked.lock();
        let mut asked = asked.unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = asked.get_mut(&self.what) {
            same.askers -= 1;
            if same.askers == 0 {
                asked.remove(&self.what);
            }
        }
    }
}

/// The header block of what a community's gateway asks because of something that came `via` others.
///
/// # Errors
/// If it has passed this community's gateway before, or too many.
pub(crate) fn via(home: &str, via: &[String]) -> Result<String, Fault> {
    if via.iter().any(|it| it == home) {
        return Err(circle(
            "this question was asked here before: gateways ask in a circle",
        ));
    }
    if via.len() >= GATEWAYS {
        return Err(circle("this question has passed too many gateways"));
    }
    let all = via.iter().map(String::as_str).chain([home]);
    Ok(wsa::via(all))
}

fn circle(reason: &str) -> Fault {
    Fault {
        subcodes: vec![QName {
            namespace: ns::VIA.to_owned(),
            name: CIRCLE.to_owned(),
        }],
        ..Fault::sender(reason)
    }
}

/// Whether somebody answered that gateways ask in a circle.
pub(crate) fn is_circle(error: &ClientError) -> bool {
    matches!(error, ClientError::Fault { fault, .. } if fault.is(CIRCLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_comes_back_is_not_asked_again() {
        let passed = ["urn:oid:1".to_owned(), "urn:oid:2".to_owned()];
        assert!(via("urn:oid:2", &passed).unwrap_err().is(CIRCLE));
        let block = via("urn:oid:3", &passed).unwrap();
        assert!(block.contains("urn:oid:1") && block.contains("urn:oid:3"));
        let many: Vec<String> = (0..GATEWAYS).map(|it| format!("urn:oid:9.{it}")).collect();
        assert!(via("urn:oid:3", &many).unwrap_err().is(CIRCLE));
    }

    #[tokio::test]
    async fn the_same_waits_for_one_to_be_answered_and_not_for_long() {
        let circles = Arc::new(Circles::default());
        let mut asked = Vec::new();
        for _ in 0..SAME_AT_A_TIME {
            asked.push(circles.enter(&"who").await.unwrap());
        }
        assert!(circles.enter(&"who").await.unwrap_err().is(CIRCLE));
        assert!(circles.enter(&"somebody else").await.is_ok());
        let waits = tokio::spawn({
            let circles = Arc::clone(&circles);
            async move { circles.enter(&"who").await.is_ok() }
        });
        tokio::task::yield_now().await;
        asked.pop();
        assert!(waits.await.unwrap());
        drop(asked);
        assert!(circles.asked.lock().unwrap().is_empty());
    }
}
