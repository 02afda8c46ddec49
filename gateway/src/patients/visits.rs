//! How often a caller asked about patients: who asks for everybody finds out who is there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hilum_security::Caller;

const MINUTE: Duration = Duration::from_secs(60);
/// Callers who are counted apart. The others are one.
const MOST: usize = 10_000;

/// Who asked how often in the minute that began when.
#[derive(Debug)]
pub(crate) struct Visits {
    per_minute: u32,
    callers: Mutex<HashMap<String, (Instant, u32)>>,
}

impl Visits {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            callers: Mutex::default(),
        }
    }

    /// Counts a question. Says whether it may be answered.
    pub(crate) fn may_ask(&self, caller: &Caller) -> bool {
        let who = match &caller.node {
            // Two nodes may have the same subject.
            Some(node) => node.fingerprint.clone(),
            None => caller.address.ip().to_canonical().to_string(),
        };
        self.counts(who, Instant::now())
    }

    fn counts(&self, who: String, now: Instant) -> bool {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |began: Instant| now.saturating_duration_since(began) >= MINUTE;
        if callers.len() >= MOST {
            callers.retain(|_, (began, _)| !is_over(*began));
        }
        let who = match callers.len() >= MOST && !callers.contains_key(&who) {
            true => String::new(),
            false => who,
        };
        let (began, count) = callers.entry(who).or_insert((now, 0));
        if is_over(*began) {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use hilum_security::{NodeName, Shown};

    use super::*;

    #[test]
    fn so_many_in_a_minute_for_each() {
        let visits = Visits::new(2);
        let now = Instant::now();
        let ask = |who: &str, at| visits.counts(who.to_owned(), at);
        assert!(ask("A", now) && ask("A", now));
        assert!(!ask("A", now));
        assert!(ask("B", now), "another one");
        assert!(ask("A", now + MINUTE), "another minute");
    }

    #[test]
    fn nodes_of_the_same_name_are_counted_apart() {
        let visits = Visits::new(1);
        let mut caller = Caller::unknown(([127, 0, 0, 1], 1).into());
        let mut ask = |fingerprint: &str| {
            caller.node = Some(NodeName {
                subject: "CN=node".to_owned(),
                fingerprint: fingerprint.to_owned(),
                certificate: Shown::default(),
            });
            visits.may_ask(&caller)
        };
        assert!(ask("aa") && !ask("aa"));
        assert!(ask("bb"), "another certificate");
    }

    #[test]
    fn strangers_without_end_are_one() {
        let visits = Visits::new(1);
        let now = Instant::now();
        for at in 0..MOST {
            assert!(visits.counts(at.to_string(), now));
        }
        assert!(visits.counts("X".to_owned(), now));
        assert!(!visits.counts("Y".to_owned(), now));
    }
}
