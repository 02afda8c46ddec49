//! Whether the one who asks is still there. A call that was begun is finished even if nobody waits for its
//! answer any more; one that has not begun anything need not begin.

use tokio::sync::watch;

/// The one who asks, on the connection on which the answer is to go.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    /// Nobody sends anything: its end is what counts. Without it, nobody leaves.
    here: Option<watch::Receiver<()>>,
}

/// Whoever asks is there as long as this is.
#[derive(Debug)]
pub(crate) struct Here {
    _here: watch::Sender<()>,
}

impl Presence {
    pub(crate) fn of_somebody() -> (Here, Self) {
        let (sender, receiver) = watch::channel(());
        let presence = Self {
            here: Some(receiver),
        };
        (Here { _here: sender }, presence)
    }

    /// Comes when the connection is closed before there is an answer. Who wants the answer elsewhere does not
    /// leave.
    pub async fn left(&self) {
        match self.here.clone() {
            Some(mut here) => while here.changed().await.is_ok() {},
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn who_is_there_has_not_left() {
        let (here, presence) = Presence::of_somebody();
        let moment = Duration::from_millis(10);
        assert!(timeout(moment, presence.left()).await.is_err());
        drop(here);
        presence.left().await;
        let elsewhere = Presence::default();
        assert!(timeout(moment, elsewhere.left()).await.is_err());
    }
}
