//! The rules of access are read anew when their file changes, or with SIGHUP.

use std::time::Duration;

use anyhow::Context;
use hilum_audit::{Audit, Event};
use hilum_security::access::{Access, Policy};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::watching::{Held, Watching};
use crate::config::{Config, RulesFile};

/// How often the file is looked at.
const PAUSE: Duration = Duration::from_secs(1);

/// Replaces the rules of the rooms when there are others in the file, or the node has another
/// certificate, by which its rooms know each other. Nobody, if there are no rules.
pub(super) fn watch(
    config: &Config,
    access: &Access,
    audit: &Audit,
) -> anyhow::Result<Option<Watching>> {
    let Some(file) = config.rules_file()? else {
        return Ok(None);
    };
    let hangup = signal(SignalKind::hangup())?;
    let watched = Watched {
        known: content(config, &file),
        config: config.clone(),
        file,
        access: access.clone(),
        audit: audit.clone(),
    };
    Ok(Some(Watching::start(|held| watched.run(hangup, held))))
}

/// What is looked at, and who is concerned.
struct Watched {
    config: Config,
    file: RulesFile,
    known: Content,
    access: Access,
    audit: Audit,
}

/// What the files hold on which the rules depend, as far as they can be read.
type Content = (Option<String>, Option<Vec<u8>>);

fn content(config: &Config, file: &RulesFile) -> Content {
    let certificate = config.tls_files().map(|files| files.certificate);
    let certificate = certificate.and_then(|path| std::fs::read(path).ok());
    (file.text().ok(), certificate)
}

impl Watched {
    async fn run(mut self, mut hangup: Signal, mut held: Held) {
        while let Some(asked) = held.next_look(PAUSE, &mut hangup).await {
            let (config, file) = (self.config.clone(), self.file.clone());
            let known = std::mem::take(&mut self.known);
            let looked = tokio::task::spawn_blocking(move || {
                let now = content(&config, &file);
                // What is said of a file once need not be said every second.
                let read = (asked || now != known).then(|| read(&config));
                (now, read)
            });
            let Ok((now, read)) = looked.await else {
                return;
            };
            self.known = now;
            match read {
                None => {}
                Some(Ok((file, policy))) => {
                    self.file = file;
                    let rules = policy.in_words().len();
                    self.config.warn_of_closed_doors(&policy);
                    if self.access.replace(policy) {
                        self.changed(rules).await;
                    }
                }
                Some(Err(error)) => {
                    let error = format!("{error:#}");
                    tracing::error!(error, "the rules of access cannot be used, so the old stay");
                }
            }
        }
    }

    async fn changed(&self, rules: usize) {
        let file = self.file.path.display();
        tracing::info!(%file, rules, "the rules of access have changed");
        let description = format!("the rules of access were read anew: {rules} rules");
        let resource = format!("file://{file}");
        let event = Event::permissions_changed(None, &resource, &description);
        if let Err(error) = self.audit.record(event, ()).await {
            tracing::error!(%error, "that the rules of access have changed");
        }
    }
}

fn read(config: &Config) -> anyhow::Result<(RulesFile, Policy)> {
    let file = config.rules_file()?.context("there are none")?;
    let policy = file.read()?;
    Ok((file, policy))
}
