//! Certificates, trust and revocation lists change while a node runs.

use hilum_audit::{Audit, Event};
use hilum_security::iti19_authenticate_node::{NodeTls, Reloaded};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::watching::Watching;
use crate::config::Config;

/// Looks at the files of `[tls]` from time to time, and with SIGHUP at once, as long as it is held. What
/// changes is logged and recorded. Nobody, if there is no TLS.
pub(super) fn watch(config: &Config, audit: &Audit) -> Option<Watching> {
    if config.opened_tls().is_empty() {
        return None;
    }
    let config = config.clone();
    let (every, audit) = (config.reload_every(), audit.clone());
    Some(Watching::start(|mut held| async move {
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => hangups,
            Err(error) => return tracing::error!(%error, "[tls]: files are not looked at"),
        };
        loop {
            let asked = tokio::select! {
                () = held.let_go() => return,
                _ = ticks.tick() => false,
                _ = hangups.recv() => true,
            };
            // Communities that are added bring theirs.
            for tls in config.opened_tls() {
                look(tls, &audit, asked).await;
            }
        }
    }))
}

/// Looks at the files of one; who asks is told that nothing changed, too.
async fn look(tls: NodeTls, audit: &Audit, asked: bool) {
    // Long revocation lists take a while.
    let reloaded = tokio::task::spawn_blocking(move || tls.reload()).await;
    match reloaded {
        Ok(Reloaded::Unchanged) if asked => tracing::info!("[tls]: nothing changed"),
        Ok(Reloaded::Unchanged) => {}
        Ok(Reloaded::Changed(what)) => {
            tracing::info!("[tls]: {what}");
            let event = Event::configuration_changed(true, &format!("[tls]: {what}"));
            match audit.record(event, ()).await {
                Ok(recorded) => recorded.into_inner(),
                Err(error) => tracing::error!(%error, "[tls]: a change was not recorded"),
            }
        }
        Ok(Reloaded::Refused(error)) => {
            tracing::error!("[tls]: {error}; what was used before is used on");
        }
        Err(error) => tracing::error!(%error, "[tls]: files were not looked at"),
    }
}
