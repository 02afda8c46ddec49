//! Documents of which it is being decided whether they are registered.
//!
//! The registry makes a document known in the very moment in which it accepts it, which is before
//! we know. Whoever asks for the document then waits until we do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Documents by uniqueId, and how many submissions of each are undecided.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pending {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    undecided: Mutex<HashMap<String, usize>>,
    decided: Notify,
}

/// Until this is dropped, a document is undecided.
#[derive(Debug)]
pub(crate) struct Undecided {
    shared: Arc<Shared>,
    unique_id: String,
}

impl Pending {
    /// Says that the document is undecided.
    pub(crate) fn begin(&self, unique_id: &str) -> Undecided {
        *self.shared.lock().entry(unique_id.to_owned()).or_default() += 1;
        Undecided {
            shared: Arc::clone(&self.shared),
            unique_id: unique_id.to_owned(),
        }
    }

    /// Whether the document is undecided.
    pub(crate) fn has(&self, unique_id: &str) -> bool {
        self.shared.lock().contains_key(unique_id)
    }

    /// Waits until the document is decided, but not beyond `deadline`.
    pub(crate) async fn decided(&self, unique_id: &str, deadline: Instant) {
        loop {
            // Listens before it looks, so that nothing happens between the two.
            let decided = self.shared.decided.notified();
            if !self.shared.lock().contains_key(unique_id) {
                return;
            }
            if timeout_at(deadline, decided).await.is_err() {
                return;
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.undecided
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        let mut undecided = self.shared.lock();
        if let Some(count) = undecided.get_mut(&self.unique_id) {
            *count -= 1;
            if *count == 0 {
                undecided.remove(&self.unique_id);
            }
        }
        drop(undecided);
        self.shared.decided.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn waits_for_the_last_submission_and_not_for_ever() {
        let pending = Pending::default();
        let soon = || Instant::now() + Duration::from_millis(20);
        let late = Instant::now() + Duration::from_secs(60);
        pending.decided("1.2", late).await;
        let (one, two) = (pending.begin("1.2"), pending.begin("1.2"));
        pending.decided("1.3", late).await;
        drop(one);
        let before = Instant::now();
        pending.decided("1.2", soon()).await;
        assert!(before.elapsed() >= Duration::from_millis(20));
        let waiting = tokio::spawn(async move { pending.decided("1.2", late).await });
        tokio::task::yield_now().await;
        drop(two);
        waiting.await.unwrap();
        assert!(before.elapsed() < Duration::from_secs(30));
    }
}
