//! What is known of how a community answers: nothing of patients, and nothing secret.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hilum_transport::{ClientError, Unreached};

use crate::asking::Silence;

/// Answers of which the time is remembered, for each transaction.
pub const REMEMBERED: usize = 512;

/// How somebody who is asked answers.
#[derive(Debug, Clone)]
pub struct CommunityHealth {
    /// `homeCommunityId`
    pub home: String,
    /// How people call it.
    pub name: String,
    /// Whether it is asked at the moment.
    pub breaker: Breaker,
    /// Calls that failed in a row.
    pub failures_in_a_row: u32,
    /// Calls to it at this moment, answers that are still coming included.
    pub in_flight: usize,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// Calls to it that there may be at a time.
    pub calls: usize,
    /// Each transaction that it was asked for.
    pub transactions: Vec<TransactionHealth>,
}

/// Whether a community is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// It is.
    Closed,
    /// It failed so often that it is not, until one call tries again.
    Open,
}

/// How somebody answers one transaction.
#[derive(Debug, Clone, Default)]
pub struct TransactionHealth {
    /// As the framework calls it: `ITI-38`.
    pub transaction: &'static str,
    /// Calls that were answered, whatever the answer was.
    pub answered: u64,
    /// How long all of those took until the answer began.
    pub seconds: f64,
    /// The time within which half, 95 and 99 of a hundred of the last [`REMEMBERED`] answers began.
    pub percentiles: Option<[Duration; 3]>,
    /// Calls that failed, by class.
    pub failures: Vec<(&'static str, u64)>,
    /// When it answered last.
    pub last_success: Option<SystemTime>,
}

/// Counts calls.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<&'static str, Count>>);

#[derive(Debug, Default)]
struct Count {
    answered: u64,
    seconds: f64,
    recent: VecDeque<Duration>,
    failures: BTreeMap<&'static str, u64>,
    last_success: Option<SystemTime>,
}

impl Counts {
    /// A call ended; `took` says after which time it was answered, or why it was not.
    pub(crate) fn ended(&self, transaction: &'static str, took: Result<Duration, &Silence>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(transaction).or_default();
        match took {
            Ok(took) => {
                count.answered += 1;
                count.seconds += took.as_secs_f64();
                count.last_success = Some(SystemTime::now());
                if count.recent.len() == REMEMBERED {
                    count.recent.pop_front();
                }
                count.recent.push_back(took);
            }
            Err(silence) => {
                if let Some(class) = class(silence) {
                    *count.failures.entry(class).or_default() += 1;
                }
            }
        }
    }

    pub(crate) fn health(&self) -> Vec<TransactionHealth> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = |(transaction, count): (&&'static str, &Count)| TransactionHealth {
            transaction,
            answered: count.answered,
            seconds: count.seconds,
            percentiles: percentiles(count.recent.iter().copied().collect()),
            failures: count.failures.iter().map(|(it, n)| (*it, *n)).collect(),
            last_success: count.last_success,
        };
        counts.iter().map(of_one).collect()
    }
}

/// The nearest rank of each.
fn percentiles(mut times: Vec<Duration>) -> Option<[Duration; 3]> {
    times.sort_unstable();
    let rank = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100);
        times.get(rank.saturating_sub(1)).copied()
    };
    Some([rank(50)?, rank(95)?, rank(99)?])
}

/// Why there was no answer, in one word. Nothing if nobody waited for it, so that nobody knows how it would have
/// ended.
fn class(silence: &Silence) -> Option<&'static str> {
    Some(match silence {
        Silence::Late(_) => "late",
        Silence::Resting => "resting",
        Silence::Crowded => "crowded",
        Silence::BrokenOff => "broken",
        Silence::Unsigned => "identity",
        Silence::Unwanted => return None,
        Silence::Stopping | Silence::Unsettled => "stopped",
        Silence::Failed(ClientError::Url { .. }) => "url",
        Silence::Failed(ClientError::Fault { .. }) => "fault",
        Silence::Failed(ClientError::Garbled { .. }) => "unreadable",
        Silence::Failed(ClientError::Unreachable { kind, .. }) => match kind {
            Unreached::Name => "name",
            Unreached::Refused => "refused",
            Unreached::Tls => "tls",
            Unreached::Late => "late",
            Unreached::Broken => "broken",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_last_answers_only() {
        let counts = Counts::default();
        for _ in 0..REMEMBERED {
            counts.ended("ITI-38", Ok(Duration::from_secs(60)));
        }
        for milliseconds in 1..=REMEMBERED as u64 {
            counts.ended("ITI-38", Ok(Duration::from_millis(milliseconds)));
        }
        counts.ended("ITI-38", Err(&Silence::Resting));
        counts.ended("ITI-38", Err(&Silence::Unwanted));
        let health = counts.health();
        let [count] = &health[..] else {
            panic!("one transaction, not {health:?}");
        };
        assert_eq!(count.answered, 2 * REMEMBERED as u64);
        let milliseconds = count.percentiles.unwrap().map(|it| it.as_millis());
        assert_eq!(milliseconds, [256, 487, 507]);
        assert_eq!(count.failures, [("resting", 1)]);
        assert!(count.last_success.is_some());
        assert_eq!(percentiles(Vec::new()), None);
    }
}
