//! Gateways that ask each other in a circle, because somebody wrote the wrong address.
//!
//! Whatever a gateway asks carries a header block that names the communities whose gateways the question
//! has passed ([`wsa::via`](xds_schemas::wsa::via)); one that finds itself in it answers a fault. Gateways
//! of others may not pass it on. So the same question is also asked so often only at one time.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, PoisonError};

use hilum_transport::ClientError;
use xds_schemas::soap::{Fault, QName};
use xds_schemas::wsa;
use xds_schemas::xml::ns;

/// How often the same may be asked here at one time.
pub const SAME_AT_A_TIME: usize = 128;
/// Communities whose gateways a question may have passed.
pub const GATEWAYS: usize = 8;
/// What the fault is called.
const CIRCLE: &str = "Circle";

/// What is asked at the moment.
#[derive(Debug, Default)]
pub(crate) struct Circles {
    hasher: RandomState,
    asked: Mutex<HashMap<u64, usize>>,
}

/// Something that is being asked, as long as this is held.
#[derive(Debug)]
pub(crate) struct Asked {
    circles: Arc<Circles>,
    what: u64,
}

impl Circles {
    /// That `what` is asked.
    ///
    /// # Errors
    /// If it is asked too often.
    pub(crate) fn enter(self: &Arc<Self>, what: &impl Hash) -> Result<Asked, Fault> {
        let what = self.hasher.hash_one(what);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let count = asked.entry(what).or_default();
        if *count >= SAME_AT_A_TIME {
            let reason =
                "the same is asked too often at one time; perhaps gateways ask in a circle";
            return Err(circle(reason));
        }
        *count += 1;
        Ok(Asked {
            circles: Arc::clone(self),
            what,
        })
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let asked = self.circles.asked.lock();
        let mut asked = asked.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = asked.get_mut(&self.what) {
            *count -= 1;
            if *count == 0 {
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

    #[test]
    fn the_same_is_asked_so_often_only() {
        let circles = Arc::new(Circles::default());
        let asked: Vec<_> = (0..SAME_AT_A_TIME)
            .map(|_| circles.enter(&"who").unwrap())
            .collect();
        assert!(circles.enter(&"who").unwrap_err().is(CIRCLE));
        assert!(circles.enter(&"somebody else").is_ok());
        drop(asked);
        assert!(circles.enter(&"who").is_ok());
        assert!(circles.asked.lock().unwrap().is_empty());
    }
}
