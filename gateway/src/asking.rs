//! How long one is waited for, how many calls run at a time, and when somebody who never answers is left
//! alone for a while.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hilum_transport::ClientError;
use tokio::sync::Semaphore;
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

/// The line to somebody.
#[derive(Debug)]
pub(crate) struct Line {
    deadline: Duration,
    calls: Semaphore,
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
            calls: Semaphore::new(calls),
            health: Mutex::default(),
        }
    }

    /// Waits for what `asking` gives, within the deadline.
    pub(crate) async fn ask<T>(
        &self,
        asking: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, Silence> {
        if !self.may_ask(Instant::now()) {
            return Err(Silence::Resting);
        }
        let call = async {
            // It is never closed.
            let _permit = self.calls.acquire().await;
            asking.await
        };
        let answer = timeout(self.deadline, call).await;
        let answer = match answer {
            Ok(answer) => answer.map_err(Silence::Failed),
            Err(_) => Err(Silence::Late(self.deadline)),
        };
        // Whoever answers with a fault is there.
        let is_there = matches!(
            answer,
            Ok(_) | Err(Silence::Failed(ClientError::Fault { .. }))
        );
        self.learn(is_there, Instant::now());
        answer
    }

    /// The same for what is handed over, which may take as long as it comes on: the client gives up when
    /// nothing is taken any more. If it fails, `is_to_blame` says whether that is because of what was handed
    /// over, and not of who was to take it: who sends nonsense must not have others left alone.
    pub(crate) async fn hand_over<T>(
        &self,
        handing: impl Future<Output = Result<T, ClientError>>,
        is_to_blame: impl Future<Output = bool>,
    ) -> Result<T, Silence> {
        if !self.may_ask(Instant::now()) {
            return Err(Silence::Resting);
        }
        // It is never closed.
        let _permit = self.calls.acquire().await;
        let answer = handing.await.map_err(Silence::Failed);
        let is_there = matches!(
            answer,
            Ok(_) | Err(Silence::Failed(ClientError::Fault { .. }))
        );
        if is_there || !is_to_blame.await {
            self.learn(is_there, Instant::now());
        }
        answer
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
    async fn nobody_is_left_alone_for_what_others_send() {
        let line = Line::new(Duration::from_secs(5), 1);
        for _ in 0..2 * FAILURES {
            let handing = async { Err::<(), _>(away()) };
            let answer = line.hand_over(handing, async { true }).await;
            assert!(matches!(answer, Err(Silence::Failed(_))));
        }
        for _ in 0..FAILURES {
            let handing = async { Err::<(), _>(away()) };
            let answer = line.hand_over(handing, async { false }).await;
            assert!(matches!(answer, Err(Silence::Failed(_))));
        }
        let answer = line.ask(async { Ok(()) }).await;
        assert!(matches!(answer, Err(Silence::Resting)));
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
