//! How long one is waited for, how many calls run at a time, and when somebody who never answers is left
//! alone for a while.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hilum_transport::ClientError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::circles;
use crate::watching::{Breaker, Counts, TransactionHealth};

/// Calls of a gateway at a time, whoever is asked.
pub const ALL_CALLS: usize = 512;
/// Calls that may wait for their turn, for each that there may be at a time: a few kilobytes each.
const WAITING: usize = 16;
/// Failures in a row after which nobody is asked for [`REST_SECONDS`].
pub const FAILURES: u32 = 5;
/// Seconds after which one call tries whether somebody answers again.
pub const REST_SECONDS: u64 = 30;

/// How long who is asked is waited for when this node is being stopped, whatever the deadline is: who waits for us
/// gets what the others gave.
pub const LAST_WAIT: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Silence {
    /// It did not begin in time.
    Late(Duration),
    /// It failed.
    Failed(ClientError),
    /// It failed so often that it was not asked.
    Resting,
    /// Too many others were asking, it or anybody, for too long.
    Crowded,
    /// Its answer broke off.
    BrokenOff,
    /// Nobody could say for whom it was to be asked.
    Unsigned,
    /// Whoever wanted the answer left before it came.
    Unwanted,
    /// This node is being stopped, so it was not waited for.
    Stopping,
    /// Everything was handed over to it, and this node is being stopped before it said what became of that.
    Unsettled,
}

impl Silence {
    /// In a few words for the one who asked. The details are in the log.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Late(deadline) => format!("it gave no answer within {} ms", deadline.as_millis()),
            Self::Failed(error) if circles::is_circle(error) => {
                "gateways ask each other in a circle".to_owned()
            }
            Self::Failed(ClientError::Fault { fault, .. }) => {
                format!("it answered with the fault {}", fault.code.as_str())
            }
            Self::Failed(ClientError::Garbled { .. }) => {
                "it answered something that cannot be read".to_owned()
            }
            Self::Failed(_) => "it cannot be reached".to_owned(),
            Self::Resting => "it failed repeatedly and is not asked for a while".to_owned(),
            Self::Crowded => "too many calls wait, so it was not asked".to_owned(),
            Self::BrokenOff => "its answer broke off".to_owned(),
            Self::Unsigned => "no assertion could be issued for it".to_owned(),
            Self::Unwanted => "whoever asked left before it answered".to_owned(),
            Self::Stopping | Self::Unsettled => {
                "it was not waited for, as the gateway is being stopped".to_owned()
            }
        }
    }
}

/// All calls of a gateway.
#[derive(Debug)]
pub(crate) struct Crowd {
    calls: Arc<Semaphore>,
    most: usize,
    waiting: AtomicUsize,
    /// Whether the node is being stopped.
    stopping: watch::Sender<bool>,
}

impl Crowd {
    pub(crate) fn of(calls: usize) -> Arc<Self> {
        Arc::new(Self {
            calls: Arc::new(Semaphore::new(calls)),
            most: calls,
            waiting: AtomicUsize::new(0),
            stopping: watch::Sender::new(false),
        })
    }

    /// Others, as many, that are stopped with these.
    pub(crate) fn beside(&self) -> Arc<Self> {
        Arc::new(Self {
            calls: Arc::new(Semaphore::new(self.most)),
            most: self.most,
            waiting: AtomicUsize::new(0),
            stopping: self.stopping.clone(),
        })
    }

    /// From now on nobody is waited for longer than [`LAST_WAIT`].
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Ends when there is no time to wait any more.
    async fn given_up(&self) {
        // Its sender is our own.
        let _ = self.stopping.subscribe().wait_for(|it| *it).await;
        sleep(LAST_WAIT).await;
    }

    /// Calls that there may be at a time.
    pub(crate) const fn calls(&self) -> usize {
        self.most
    }

    fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= self.most.saturating_mul(WAITING)
    }
}

/// A place among the calls, as long as it is held: until all of an answer has come.
#[derive(Debug)]
pub(crate) struct Permit {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// One that counts as long as it is held.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn among(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The line to somebody.
#[derive(Debug)]
pub(crate) struct Line {
    deadline: Duration,
    calls: Arc<Semaphore>,
    most: usize,
    waiting: AtomicUsize,
    crowd: Arc<Crowd>,
    counts: Arc<Counts>,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    /// Until when nobody is asked.
    resting: Option<Instant>,
    /// When somebody was answered last.
    answered: Option<Instant>,
}

impl Line {
    /// A line that is counted with `counts`.
    pub(crate) fn new(
        deadline: Duration,
        calls: usize,
        crowd: &Arc<Crowd>,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            deadline,
            calls: Arc::new(Semaphore::new(calls)),
            most: calls,
            waiting: AtomicUsize::new(0),
            crowd: Arc::clone(crowd),
            counts,
            health: Mutex::default(),
        }
    }

    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Calls that there may be at a time.
    pub(crate) const fn calls(&self) -> usize {
        self.most
    }

    /// Calls that there are, and that wait for their turn.
    pub(crate) fn in_flight(&self) -> (usize, usize) {
        let free = self.calls.available_permits();
        let waiting = self.waiting.load(Ordering::Relaxed);
        (self.most.saturating_sub(free), waiting)
    }

    pub(crate) fn transactions(&self) -> Vec<TransactionHealth> {
        self.counts.health()
    }

    /// Whether somebody is asked at the moment, and how often it failed in a row.
    pub(crate) fn breaker(&self) -> (Breaker, u32) {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let breaker = match health.resting {
            Some(_) => Breaker::Open,
            None => Breaker::Closed,
        };
        (breaker, health.failures)
    }

    /// Waits for what `asking` gives, within the deadline. The call counts until its permit goes.
    pub(crate) async fn ask<T>(
        &self,
        transaction: &'static str,
        asking: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<(T, Permit), Silence> {
        let asked = self
            .unless_resting(self.try_to_ask(transaction, asking))
            .await;
        if let Err(silence) = &asked {
            self.counts.ended(transaction, Err(silence));
        }
        asked
    }

    async fn try_to_ask<T>(
        &self,
        transaction: &'static str,
        asking: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<(T, Permit), Silence> {
        let began = Instant::now();
        let mut given_up = std::pin::pin!(self.crowd.given_up());
        let permit = self.turn(given_up.as_mut()).await?;
        let waited = began.elapsed();
        let asked = Instant::now();
        let answer = tokio::select! {
            biased;
            answer = timeout(self.deadline.saturating_sub(waited), asking) => answer,
            () = given_up => return Err(Silence::Stopping),
        };
        let answer = match answer {
            Ok(answer) => answer.map_err(Silence::Failed),
            Err(_) => Err(Silence::Late(self.deadline)),
        };
        // That others were served first is not the fault of who is asked.
        let had_time = waited <= self.deadline / 2;
        let tells_of_it = match &answer {
            // Who answers others meanwhile is there: it was the question that took so long.
            Err(Silence::Late(_)) => had_time && !self.answered_since(asked),
            // What cannot be sent is the fault of who wants it.
            Err(Silence::Failed(ClientError::Url { .. })) => false,
            _ => true,
        };
        if tells_of_it {
            self.learn(is_there(&answer), Instant::now());
        }
        let answer = answer?;
        self.counts.ended(transaction, Ok(asked.elapsed()));
        Ok((answer, permit))
    }

    /// The same for what is handed over, which may take as long as it comes on: the client gives up when
    /// nothing is taken any more. If it fails, `is_to_blame` says whether that is because of what was handed
    /// over, and not of who was to take it: who sends nonsense must not have others left alone. `is_over` ends when
    /// everything was handed over: from then on, nobody waits for long when this node is being stopped.
    pub(crate) async fn hand_over<T>(
        &self,
        transaction: &'static str,
        handing: impl Future<Output = Result<T, ClientError>>,
        is_over: impl Future<Output = ()>,
        is_to_blame: impl Future<Output = bool>,
    ) -> Result<T, Silence> {
        let handing = self.try_to_hand_over(handing, is_over, is_to_blame);
        let answer = self.unless_resting(handing).await;
        let ended = answer.as_ref().map(|(_, took)| *took);
        self.counts.ended(transaction, ended);
        Ok(answer?.0)
    }

    async fn try_to_hand_over<T>(
        &self,
        handing: impl Future<Output = Result<T, ClientError>>,
        is_over: impl Future<Output = ()>,
        is_to_blame: impl Future<Output = bool>,
    ) -> Result<(T, Duration), Silence> {
        let _permit = self.turn(self.crowd.given_up()).await?;
        let began = Instant::now();
        let given_up = async {
            is_over.await;
            self.crowd.given_up().await;
        };
        let answer = tokio::select! {
            biased;
            answer = handing => answer.map_err(Silence::Failed),
            () = given_up => return Err(Silence::Unsettled),
        };
        let is_there = is_there(&answer);
        if is_there || !is_to_blame.await {
            self.learn(is_there, Instant::now());
        }
        Ok((answer?, began.elapsed()))
    }

    /// What `asking` gives, unless there is no point in asking.
    async fn unless_resting<T>(
        &self,
        asking: impl Future<Output = Result<T, Silence>>,
    ) -> Result<T, Silence> {
        let trial = self.may_ask(Instant::now())?;
        let mut unheard = Unheard { line: self, trial };
        let asked = asking.await;
        unheard.trial = None;
        asked
    }

    /// Waits for a place, but no longer than until it is `given_up`, as the node is being stopped.
    async fn turn(&self, given_up: impl Future<Output = ()>) -> Result<Permit, Silence> {
        let permit = tokio::select! {
            biased;
            permit = timeout(self.patience(), self.permit()) => permit,
            () = given_up => return Err(Silence::Stopping),
        };
        permit.ok().flatten().ok_or(Silence::Crowded)
    }

    /// For how long one may wait for a place. In a circle all places are held by those who wait, and each of
    /// them is answered before its own time is over.
    fn patience(&self) -> Duration {
        self.deadline * 3 / 4
    }

    /// A place among the calls to this one and among all, unless too many wait already.
    async fn permit(&self) -> Option<Permit> {
        if self.crowd.is_full() {
            return None;
        }
        let _waits = (
            Counted::among(&self.waiting),
            Counted::among(&self.crowd.waiting),
        );
        // First the own, so that nobody who waits for a slow one has a place that others could have.
        let own = Arc::clone(&self.calls).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.crowd.calls).acquire_owned().await.ok()?;
        Some(Permit {
            _own: own,
            _all: all,
        })
    }

    /// When the rest is over, one caller finds out whether somebody answers again: that one is told until when the
    /// others rest meanwhile.
    ///
    /// # Errors
    /// If there is no point in asking.
    fn may_ask(&self, now: Instant) -> Result<Option<Instant>, Silence> {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match health.resting {
            Some(until) if now < until => Err(Silence::Resting),
            Some(_) => {
                health.resting = Some(now + Duration::from_secs(REST_SECONDS));
                Ok(health.resting)
            }
            None => Ok(None),
        }
    }

    fn answered_since(&self, then: Instant) -> bool {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.answered.is_some_and(|answered| answered >= then)
    }

    fn learn(&self, is_there: bool, now: Instant) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if is_there {
            *health = Health {
                answered: Some(now),
                ..Health::default()
            };
            return;
        }
        health.failures = health.failures.saturating_add(1);
        if health.failures >= FAILURES {
            health.resting = Some(now + Duration::from_secs(REST_SECONDS));
        }
    }
}

/// Whether somebody is there: whoever answers with a fault is.
const fn is_there<T>(answer: &Result<T, Silence>) -> bool {
    matches!(
        answer,
        Ok(_) | Err(Silence::Failed(ClientError::Fault { .. }))
    )
}

/// A call that nobody waits for to its end. If it was to find out whether somebody answers again, the next one
/// does.
struct Unheard<'a> {
    line: &'a Line,
    /// Until when the others rest because of it.
    trial: Option<Instant>,
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        let health = &self.line.health;
        let mut health = health.lock().unwrap_or_else(PoisonError::into_inner);
        // A rest that others earned meanwhile stays.
        if self.trial.is_some() && health.resting == self.trial {
            health.resting = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    fn away() -> ClientError {
        ClientError::Unreachable {
            url: "http://gateway.example/".to_owned(),
            reason: "nobody is there".to_owned(),
            sent: false,
            kind: hilum_transport::Unreached::Refused,
        }
    }

    fn line(deadline: Duration, calls: usize) -> Line {
        Line::new(deadline, calls, &Crowd::of(8), Arc::default())
    }

    /// Who has to wait for too long is told so, and nobody is blamed for it.
    #[tokio::test]
    async fn waiting_counts_and_is_nobodys_fault() {
        let line = line(Duration::from_millis(50), 1);
        let (_, permit) = line.ask("ITI-38", async { Ok(()) }).await.unwrap();
        for _ in 0..FAILURES {
            let answer = line.ask("ITI-38", async { Ok(()) }).await;
            assert!(matches!(answer, Err(Silence::Crowded)));
        }
        assert_eq!(line.in_flight(), (1, 0));
        drop(permit);
        assert!(line.ask("ITI-38", async { Ok(()) }).await.is_ok());
        assert_eq!(line.breaker(), (Breaker::Closed, 0));
    }

    #[tokio::test]
    async fn there_is_a_limit_for_all_calls_and_for_all_who_wait() {
        let crowd = Crowd::of(1);
        let line = |deadline| Line::new(deadline, 64, &crowd, Arc::default());
        let [one, other] = [10_000, 20].map(|it| Arc::new(line(Duration::from_millis(it))));
        let (_, permit) = one.ask("ITI-38", async { Ok(()) }).await.unwrap();
        let answer = other.ask("ITI-38", async { Ok(()) }).await;
        assert!(matches!(answer, Err(Silence::Crowded)));
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let line = Arc::clone(&one);
                tokio::spawn(async move { line.ask("ITI-38", async { Ok(()) }).await.is_ok() })
            })
            .collect();
        while one.in_flight().1 < WAITING {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        let answer = one.ask("ITI-38", async { Ok(()) }).await;
        assert!(matches!(answer, Err(Silence::Crowded)));
        assert!(began.elapsed() < Duration::from_secs(1), "at once");
        drop(permit);
        for waited in waiting {
            assert!(waited.await.unwrap(), "its turn came");
        }
    }

    #[tokio::test]
    async fn who_hangs_costs_the_deadline_and_no_more() {
        let line = line(Duration::from_millis(50), 1);
        let began = Instant::now();
        let answer = line
            .ask("ITI-38", std::future::pending::<Result<(), _>>())
            .await;
        assert!(matches!(answer, Err(Silence::Late(_))));
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    /// Questions that take too long, however many, do not tell of one that answers others.
    #[tokio::test]
    async fn who_answers_others_is_not_left_alone() {
        let line = Line::new(
            Duration::from_millis(200),
            64,
            &Crowd::of(64),
            Arc::default(),
        );
        let line = Arc::new(line);
        for others in [true, false] {
            let mut heavy = JoinSet::new();
            for _ in 0..2 * FAILURES {
                let line = Arc::clone(&line);
                let silent = std::future::pending::<Result<(), _>>();
                heavy.spawn(async move { line.ask("ITI-18", silent).await.is_err() });
            }
            sleep(Duration::from_millis(50)).await;
            if others {
                assert!(line.ask("ITI-18", async { Ok(()) }).await.is_ok());
            }
            assert!(heavy.join_all().await.into_iter().all(|late| late));
            let answer = line.ask("ITI-18", async { Ok(()) }).await;
            assert_eq!(answer.is_ok(), others);
        }
    }

    /// Neither of those who wait for an answer nor of those who wait for their turn.
    #[tokio::test]
    async fn nobody_waits_for_long_when_the_node_is_stopped() {
        let crowd = Crowd::of(1);
        let other = Line::new(Duration::from_secs(60), 1, &crowd.beside(), Arc::default());
        let line = Line::new(Duration::from_secs(60), 1, &crowd, Arc::default());
        let hangs = || line.ask("ITI-38", std::future::pending::<Result<(), _>>());
        let began = Instant::now();
        let own = other.ask("ITI-18", std::future::pending::<Result<(), _>>());
        let stopped = async {
            sleep(Duration::from_millis(100)).await;
            crowd.stop();
        };
        let (one, next, own, ()) = tokio::join!(hangs(), hangs(), own, stopped);
        for answer in [one, next, own] {
            assert!(matches!(answer, Err(Silence::Stopping)));
        }
        assert!(began.elapsed() >= LAST_WAIT && began.elapsed() < 5 * LAST_WAIT);
        let quick = line.ask("ITI-38", async { Ok(()) }).await;
        assert!(quick.is_ok(), "who answers soon is heard");
        assert_eq!(line.breaker(), (Breaker::Closed, 0));
    }

    /// What is still being handed over goes on; who took everything, and who was not begun with, is not waited for.
    #[tokio::test]
    async fn what_is_handed_over_is_not_broken_off_when_the_node_is_stopped() {
        let crowd = Crowd::of(1);
        let line = Line::new(Duration::from_secs(60), 1, &crowd, Arc::default());
        let began = Instant::now();
        let took = 2 * LAST_WAIT;
        let silent = std::future::pending::<Result<(), _>>();
        let one = line.hand_over("ITI-80", silent, sleep(took), async { false });
        let silent = std::future::pending::<Result<(), _>>();
        let next = line.hand_over("ITI-80", silent, async {}, async { false });
        let stopped = async {
            sleep(Duration::from_millis(100)).await;
            crowd.stop();
        };
        let next = async { (next.await, began.elapsed()) };
        let (one, (next, waited), ()) = tokio::join!(one, next, stopped);
        assert!(matches!(one, Err(Silence::Unsettled)), "{one:?}");
        let ended = began.elapsed();
        assert!(ended >= took + LAST_WAIT && ended < took + 5 * LAST_WAIT);
        assert!(matches!(next, Err(Silence::Stopping)), "{next:?}");
        assert!(waited >= LAST_WAIT && waited < took);
        assert_eq!(line.breaker(), (Breaker::Closed, 0));
        let quick = line.hand_over("ITI-80", async { Ok(()) }, async {}, async { false });
        assert!(quick.await.is_ok(), "who answers soon is heard");
    }

    #[tokio::test]
    async fn nobody_is_left_alone_for_what_cannot_be_asked() {
        let line = line(Duration::from_secs(5), 1);
        let unsendable = || ClientError::Url {
            url: "http://gateway.example/".to_owned(),
            reason: "the URL is too long",
        };
        for _ in 0..2 * FAILURES {
            let answer = line.ask("RAD-160", async { Err::<(), _>(unsendable()) });
            assert!(matches!(answer.await, Err(Silence::Failed(_))));
        }
        assert!(line.ask("ITI-38", async { Ok(()) }).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_is_left_alone_for_what_others_send() {
        let line = line(Duration::from_secs(5), 1);
        for _ in 0..2 * FAILURES {
            let handing = async { Err::<(), _>(away()) };
            let answer = line.hand_over("ITI-80", handing, async {}, async { true });
            let answer = answer.await;
            assert!(matches!(answer, Err(Silence::Failed(_))));
        }
        for _ in 0..FAILURES {
            let handing = async { Err::<(), _>(away()) };
            let answer = line.hand_over("ITI-80", handing, async {}, async { false });
            let answer = answer.await;
            assert!(matches!(answer, Err(Silence::Failed(_))));
        }
        let answer = line.ask("ITI-38", async { Ok(()) }).await;
        assert!(matches!(answer, Err(Silence::Resting)));
    }

    #[tokio::test]
    async fn who_fails_again_and_again_is_left_alone_and_tried_once() {
        let line = line(Duration::from_secs(5), 1);
        for _ in 0..FAILURES {
            let answer = line.ask("ITI-38", async { Err::<(), _>(away()) }).await;
            assert!(matches!(answer, Err(Silence::Failed(_))));
        }
        let answer = line.ask("ITI-38", async { Ok(()) }).await;
        assert!(matches!(answer, Err(Silence::Resting)));
        let later = Instant::now() + Duration::from_secs(REST_SECONDS);
        assert!(line.may_ask(later).is_ok(), "one finds out");
        assert!(line.may_ask(later).is_err(), "the others do not");
        line.learn(true, later);
        assert!(line.may_ask(later).is_ok(), "it is back");
    }

    /// Who asks and leaves must not keep others from finding out that somebody is back.
    #[tokio::test]
    async fn a_trial_that_is_given_up_is_made_by_the_next() {
        let line = line(Duration::from_secs(5), 1);
        for _ in 0..FAILURES {
            line.learn(false, Instant::now());
        }
        assert!(line.may_ask(Instant::now()).is_err());
        line.health.lock().unwrap().resting = Some(Instant::now());
        let asking = line.ask("ITI-38", std::future::pending::<Result<(), _>>());
        assert!(timeout(Duration::from_millis(20), asking).await.is_err());
        assert!(line.ask("ITI-38", async { Ok(()) }).await.is_ok());
        assert_eq!(line.breaker(), (Breaker::Closed, 0));
    }

    /// Whoever began before somebody was left alone, and leaves, changes nothing of that; nor does a trial after
    /// which others found out that nobody is there.
    #[tokio::test]
    async fn a_rest_that_others_earned_is_not_ended_by_who_leaves() {
        let line = line(Duration::from_secs(5), 2);
        let silent = || std::future::pending::<Result<(), _>>();
        let others = async {
            for _ in 0..FAILURES {
                line.learn(false, Instant::now());
            }
        };
        let asking = timeout(Duration::from_millis(20), line.ask("ITI-38", silent()));
        let (left, ()) = tokio::join!(asking, others);
        assert!(left.is_err());
        let answer = line.ask("ITI-38", async { Ok(()) }).await;
        assert!(matches!(answer, Err(Silence::Resting)));

        line.health.lock().unwrap().resting = Some(Instant::now());
        let others = async {
            sleep(Duration::from_millis(5)).await;
            line.learn(false, Instant::now());
        };
        let handing = line.hand_over("ITI-80", silent(), async {}, async { false });
        let handing = timeout(Duration::from_millis(20), handing);
        let (left, ()) = tokio::join!(handing, others);
        assert!(left.is_err());
        let answer = line.ask("ITI-38", async { Ok(()) }).await;
        assert!(matches!(answer, Err(Silence::Resting)));
    }
}
