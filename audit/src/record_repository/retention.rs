//! Records are removed when their time is over: whole segments, whose hashes stay, so that everything
//! that was ever signed can still be proven. What is removed is said in the log itself first.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::SystemTime;

use super::RecordRepository;
use super::received::{Form, Received, Via};
use crate::moment::Moment;
use crate::{Event, syslog};

impl RecordRepository {
    /// Removes what is over at `now`. The last segment always stays.
    pub async fn remove_what_is_over(&self, now: SystemTime) {
        let config = &self.shared.config;
        let Some(limit) = config.retention.and_then(|kept| now.checked_sub(kept)) else {
            return;
        };
        if config.legal_hold {
            return;
        }
        let log = self.log().clone();
        let over = tokio::task::spawn_blocking(move || log.over(limit)).await;
        let first = self.log().begin();
        let end = over.unwrap_or(first);
        if end <= first {
            return;
        }
        let removed = Received {
            at: now,
            via: Via::Own,
            from: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            node: None,
            form: Form::Syslog,
            cut: false,
            bytes: own_message(self, end, now),
        };
        let said = self.log().append(vec![removed]).await;
        let removed = match said {
            Ok(_) => self.log().remove_before(end).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(begin) => tracing::info!(
                first,
                last = begin.saturating_sub(1),
                "audit records were removed, as their time was over"
            ),
            Err(error) => tracing::error!(%error, "audit records were not removed"),
        }
    }
}

/// A syslog message as any other, which says what is removed.
fn own_message(repository: &RecordRepository, end: u64, now: SystemTime) -> Vec<u8> {
    // From the first that there ever was: what an earlier removal said may be removed by this one.
    let event = Event::records_removed(0, end);
    let source = repository.audit().source();
    let frame = syslog::frames(&event, source, Moment::of(now));
    // It is kept as it would be received: without its count.
    let begin = frame.iter().position(|byte| *byte == b' ');
    frame[begin.map_or(0, |begin| begin + 1)..].to_vec()
}
