//! What was shown before: assertions and tokens that somebody may try to use again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::sha::sha256;
use serde::Deserialize;

/// How many are remembered at one time. Each takes about 60 bytes, until it has expired.
pub const REMEMBERED: usize = 200_000;

/// What becomes of an assertion or a token that was shown before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// Each is taken once.
    Refuse,
    /// Each is taken again only from the node that showed it first. One that says of itself that it
    /// is for one use is taken once.
    #[default]
    OtherNodes,
    /// One that says of itself that it is for one use is taken once; others are taken until they
    /// expire.
    OneTimeUse,
    /// All are taken until they expire.
    Allow,
}

/// Something that was shown.
pub(crate) struct Shown<'a> {
    /// Who issued it.
    pub(crate) issuer: &'a str,
    /// How its issuer calls it.
    pub(crate) id: &'a str,
    /// By which node, if it matters.
    pub(crate) by: Option<&'a str>,
    /// Whether it says of itself that it is for one use.
    pub(crate) one_time: bool,
    /// When nobody takes it any more.
    pub(crate) until: SystemTime,
}

/// Remembers what was shown, until it has expired anyway.
#[derive(Debug)]
pub(crate) struct Seen {
    replay: Replay,
    most: usize,
    shown: Mutex<HashMap<[u8; 32], Once>>,
}

#[derive(Debug, Clone, Copy)]
struct Once {
    until: u64,
    by: u128,
}

impl Seen {
    pub(crate) fn new(replay: Replay, most: usize) -> Self {
        let shown = Mutex::default();
        Self {
            replay,
            most,
            shown,
        }
    }

    /// Takes something that was shown, or says why not.
    pub(crate) fn take(&self, shown: &Shown<'_>, now: SystemTime) -> Result<(), &'static str> {
        let once = match self.replay {
            Replay::Refuse => true,
            Replay::OtherNodes | Replay::OneTimeUse => shown.one_time,
            Replay::Allow => return Ok(()),
        };
        let by = match self.replay {
            Replay::OtherNodes => shown.by,
            _ => None,
        };
        if !once && by.is_none() {
            return Ok(());
        }
        let by = by.map_or(0, |by| digest(&[by]));
        let key =
            sha256(format!("{} {} {}", shown.issuer.len(), shown.issuer, shown.id).as_bytes());
        let now = seconds(now);
        let mut all = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(&key) {
            Some(before) if before.until > now => {
                return match !once && before.by == by {
                    true => Ok(()),
                    false if once => Err("it was shown before"),
                    false => Err("it was shown before by another node"),
                };
            }
            _ => {}
        }
        if all.len() >= self.most {
            all.retain(|_, before| before.until > now);
        }
        if all.len() >= self.most {
            return Err("too many others must be remembered");
        }
        let until = seconds(shown.until).saturating_add(1);
        all.insert(key, Once { until, by });
        Ok(())
    }
}

fn digest(parts: &[&str]) -> u128 {
    let digest = sha256(parts.join(" ").as_bytes());
    let half = digest.first_chunk().copied().unwrap_or_default();
    u128::from_be_bytes(half)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: SystemTime = UNIX_EPOCH;

    fn shown<'a>(id: &'a str, by: &'a str, one_time: bool) -> Shown<'a> {
        Shown {
            issuer: "idp",
            id,
            by: Some(by),
            one_time,
            until: NOW + Duration::from_secs(60),
        }
    }

    #[test]
    fn what_counts_as_shown_before() {
        // Shown twice by one node, then by another; and the same of what is for one use.
        for (replay, again, other, again_one_time) in [
            (Replay::Refuse, false, false, false),
            (Replay::OtherNodes, true, false, false),
            (Replay::OneTimeUse, true, true, false),
            (Replay::Allow, true, true, true),
        ] {
            let seen = Seen::new(replay, 10);
            let take = |id, by, once| seen.take(&shown(id, by, once), NOW).is_ok();
            assert!(take("1", "a", false) && take("2", "a", true), "{replay:?}");
            assert_eq!(take("1", "a", false), again, "{replay:?}");
            assert_eq!(take("1", "b", false), other, "{replay:?}");
            assert_eq!(take("2", "a", true), again_one_time, "{replay:?}");
        }
    }

    #[test]
    fn memory_is_bounded_and_forgets_what_has_expired() {
        let seen = Seen::new(Replay::Refuse, 100);
        for number in 0..100 {
            let id = number.to_string();
            assert_eq!(seen.take(&shown(&id, "a", false), NOW), Ok(()));
        }
        assert!(seen.take(&shown("new", "a", false), NOW).is_err());
        let later = NOW + Duration::from_secs(62);
        assert_eq!(seen.take(&shown("new", "a", false), later), Ok(()));
        let remembered = seen.shown.lock().unwrap().len();
        assert_eq!(remembered, 1);
    }
}
