//! How long one is waited for, how many calls run at a time, and when somebody who never answers is left
//! alone for a while.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hilum_transport::ClientError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Failures in a row after which nobody is asked for [`REST_SECONDS`].
pub const FAILURES: u32 = 5;
/// Seconds after which one call tries whether somebody answers again.
pub const REST_SECONDS: u64 = 30;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Silence {
    /// It did not begin in time.
    Late(Duration),
    /// It failed.
    Failed(ClientError),
    /// It failed so often that it was not asked.
    Resting,
}

impl Silence {
    /// In a few words for the one who asked. The details are in the log.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Late(deadline) => format!("it gave no answer within {} ms", deadline.as_millis()),
            Self::Failed(ClientError::Fault { fault, .. }) => {
                format!("it answered with the fault {}", fault.code.as_str())
            }
            Self::Failed(ClientError::Garbled { .. }) => {
                "it answered something that cannot be read".to_owned()
            }
            Self::Failed(_) => "it cannot be reached".to_owned(),
            Self::Resting => "it failed repeatedly and is not asked for a while".to_owned(),
        }
    }
}

/// A call that has not ended.
#[derive(Debug)]
pub(crate) struct Underway(
    #[expect(dead_code, reason = "it counts while it is there")] OwnedSemaphorePermit,
);

/// The line to somebody.
#[derive(Debug)]
pub(crate) struct Line {
    deadline: Duration,
    calls: Arc<Semaphore>,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    /// Until when nobody is asked.
    resting: Option<Instant>,
}

impl Line {
    pub(crate) fn new(deadline: Duration, calls: usize) -> Self {
        Self {
            deadline,
            calls: Arc::new(Semaphore::new(calls)),
            health: Mutex::default(),
        }
    }

    /// Waits for what `asking` gives, within the deadline.
    pub(crate) async fn ask<T>(
        &self,
        asking: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, Silence> {
        Ok(self.begin(asking).await?.0)
    }

    /// The same for an answer that goes on: the call has ended when what comes with it is dropped.
    pub(crate) async fn begin<T>(
        &self,
        asking: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<(T, Underway), Silence> {
        if !self.may_ask(Instant::now()) {
            return Err(Silence::Resting);
        }
        let began = Instant::now();
        let permit = timeout(self.deadline, Arc::clone(&self.calls).acquire_owned()).await;
        // The semaphore is never closed.
        let Ok(Ok(permit)) = permit else {
            return Err(Silence::Late(self.deadline));
        };
        let left = self.deadline.saturating_sub(began.elapsed());
        let answer = timeout(left, asking).await;
        let answer = match answer {
            Ok(answer) => answer.map_err(Silence::Failed),
            Err(_) => Err(Silence::Late(self.deadline)),
        };
        // Whoever answers with a fault is there.
        let is_there = matches!(
            answer,
            Ok(_) | Err(Silence::Failed(ClientError::Fault { .. }))
        );
        // That others were served first is not the fault of who is asked.
        let had_time = left >= self.deadline / 2;
        if had_time || !matches!(answer, Err(Silence::Late(_))) {
            self.learn(is_there, Instant::now());
        }
        answer.map(|answer| (answer, Underway(permit)))
    }

    /// Whether there is a point in asking. When the rest is over, one caller finds out.
    fn may_ask(&self, now: Instant) -> bool {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match health.resting {
            Some(until) if now < until => false,
            Some(_) => {
                health.resting = Some(now + Duration::from_secs(REST_SECONDS));
                true
            }
            None => true,
        }
    }

    fn learn(&self, is_there: bool, now: Instant) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if is_there {
            *health = Health::default();
            return;
        }
        health.failures = health.failures.saturating_add(1);
        if health.failures >= FAILURES {
            health.resting = Some(now + Duration::from_secs(REST_SECONDS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> ClientError {
        ClientError::Unreachable {
            url: "http://gateway.example/".to_owned(),
            reason: "nobody is there".to_owned(),
            sent: false,
        }
    }

    #[tokio::test]
    async fn who_hangs_costs_the_deadline_and_no_more() {
        let line = Line::new(Duration::from_millis(50), 1);
        let began = Instant::now();
        let answer = line.ask(std::future::pending::<Result<(), _>>()).await;
        assert!(matches!(answer, Err(Silence::Late(_))));
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn who_waits_for_others_blames_nobody() {
        let line = Line::new(Duration::from_millis(50), 1);
        let (_, underway) = line.begin(async { Ok(()) }).await.unwrap();
        for _ in 0..2 * FAILURES {
            let answer = line.ask(async { Ok(()) }).await;
            assert!(matches!(answer, Err(Silence::Late(_))));
        }
        drop(underway);
        line.ask(async { Ok(()) }).await.unwrap();
    }

    #[tokio::test]
    async fn who_fails_again_and_again_is_left_alone_and_tried_once() {
        let line = Line::new(Duration::from_secs(5), 1);
        for _ in 0..FAILURES {
            let answer = line.ask(async { Err::<(), _>(away()) }).await;
            assert!(matches!(answer, Err(Silence::Failed(_))));
        }
        let answer = line.ask(async { Ok(()) }).await;
        assert!(matches!(answer, Err(Silence::Resting)));
        let later = Instant::now() + Duration::from_secs(REST_SECONDS);
        assert!(line.may_ask(later), "one finds out");
        assert!(!line.may_ask(later), "the others do not");
        line.learn(true, later);
        assert!(line.may_ask(later), "it is back");
    }
}
