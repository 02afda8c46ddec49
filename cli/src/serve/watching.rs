//! What looks at files while a node runs.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Looks as long as it is held.
pub(super) struct Watching {
    held: watch::Sender<()>,
    task: JoinHandle<()>,
}

/// Ends the waiting of a task when nobody holds its [`Watching`] any more.
pub(super) struct Held(watch::Receiver<()>);

impl Watching {
    /// Runs `looking`, which is to return when it is [let go](Held::let_go).
    pub(super) fn start<F>(looking: impl FnOnce(Held) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (held, receiver) = watch::channel(());
        let task = tokio::spawn(looking(Held(receiver)));
        Self { held, task }
    }

    /// Waits until nothing is looked at any more: until then, what it records with is in use.
    pub(super) async fn stop(self) {
        drop(self.held);
        // If it panicked, it does not look any more either.
        let _ = self.task.await;
    }
}

impl Held {
    /// Waits until it is time to look again: after a pause, or because of SIGHUP, which is `true`. There is no next
    /// time when nobody holds it.
    pub(super) async fn next_look(&mut self, pause: Duration, hangup: &mut Signal) -> Option<bool> {
        tokio::select! {
            () = self.let_go() => None,
            _ = hangup.recv() => Some(true),
            () = tokio::time::sleep(pause) => Some(false),
        }
    }

    /// Waits until nobody holds it.
    pub(super) async fn let_go(&mut self) {
        // Nothing is ever sent.
        while self.0.changed().await.is_ok() {}
    }
}
