//! The communities of a gateway are read anew when the configuration file changes, or with SIGHUP.

use std::time::Duration;

use anyhow::Context;
use hilum_audit::{Audit, Event};
use hilum_gateway::{Changes, Community, Gateway, Own};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::watching::{Held, Watching};
use crate::config::Config;

/// How often the file is looked at.
const PAUSE: Duration = Duration::from_secs(1);

/// Replaces the communities of a gateway when there are others in the file. Nobody, if there is no
/// gateway.
pub(super) fn watch(
    config: &Config,
    gateway: Option<&Gateway>,
    audit: &Audit,
) -> anyhow::Result<Option<Watching>> {
    let Some(gateway) = gateway else {
        return Ok(None);
    };
    let hangup = signal(SignalKind::hangup())?;
    let now = std::fs::read(config.file()).ok();
    let watched = Watched {
        seen: now.clone(),
        known: now,
        config: config.clone(),
        gateway: gateway.clone(),
        audit: audit.clone(),
    };
    Ok(Some(Watching::start(|held| watched.run(hangup, held))))
}

/// What is looked at, and who is concerned.
struct Watched {
    config: Config,
    /// What the file held when it was looked at last.
    seen: Option<Vec<u8>>,
    /// And when it was read.
    known: Option<Vec<u8>>,
    gateway: Gateway,
    audit: Audit,
}

impl Watched {
    async fn run(mut self, mut hangup: Signal, mut held: Held) {
        while let Some(asked) = held.next_look(PAUSE, &mut hangup).await {
            let (config, audit) = (self.config.clone(), self.audit.clone());
            let (seen, known) = (self.seen.take(), self.known.take());
            let looked = tokio::task::spawn_blocking(move || {
                let now = std::fs::read(config.file()).ok();
                // A file that is being written is not read before it stays as it is. What is said of a
                // file once need not be said every second.
                let is_new = now == seen && now != known;
                match asked || is_new {
                    true => (now.clone(), now, Some(read(&config, &audit))),
                    false => (now, known, None),
                }
            });
            let Ok((seen, known, read)) = looked.await else {
                return tracing::error!("[gateway]: the file is not looked at any more");
            };
            (self.seen, self.known) = (seen, known);
            match read {
                None => {}
                Some(Ok((own, communities))) => match self.gateway.replace(own, communities) {
                    Ok(changes) if changes.is_empty() && asked => {
                        tracing::info!(
                            "[gateway]: the communities and repositories are as they were; \
                             what else changed needs a restart"
                        );
                    }
                    Ok(changes) if changes.is_empty() => {}
                    Ok(changes) => self.changed(&changes).await,
                    Err(error) => refused(&error.to_string()),
                },
                Some(Err(error)) => refused(&format!("{error:#}")),
            }
        }
    }

    async fn changed(&self, changes: &Changes) {
        let told = told(changes);
        tracing::info!("[gateway]: {told}");
        let event = Event::configuration_changed(true, &format!("[gateway]: {told}"));
        if let Err(error) = self.audit.record(event, ()).await {
            tracing::error!(%error, "[gateway]: a change was not recorded");
        }
    }
}

fn refused(error: &str) {
    tracing::error!(
        error,
        "[gateway]: the communities cannot be used, so the old stay"
    );
}

/// The communities of the file as it is now.
fn read(config: &Config, audit: &Audit) -> anyhow::Result<(Own, Vec<Community>)> {
    let file = config.file();
    let now = Config::load(file).map_err(|error| at_its_line(file, error))?;
    // The rest is as it was when the node started.
    let config = config.with_communities_of(&now);
    let communities = config.communities(Some(audit));
    let communities = communities.with_context(|| file.display().to_string())?;
    Ok((config.own_community(), communities))
}

/// Says where in the file a community stands that cannot be used.
fn at_its_line(file: &std::path::Path, error: crate::config::ConfigError) -> anyhow::Error {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    match line(&text, &error.0) {
        Some(line) => anyhow::anyhow!("line {line}: {error}"),
        None => error.into(),
    }
}

/// The number of the line with what an error names: a community, and of it a key if it has that.
fn line(text: &str, error: &str) -> Option<usize> {
    let (_, rest) = error.split_once("gateway.community \"")?;
    let (name, rest) = rest.split_once("\": ")?;
    let key = rest.split(':').next()?;
    let quoted = format!("\"{name}\"");
    let lines: Vec<&str> = text.lines().collect();
    let named = lines.iter().position(|line| line.contains(&quoted))?;
    let begins = |line: &&str| line.trim_start().starts_with('[');
    let first = lines
        .get(..=named)?
        .iter()
        .rposition(begins)
        .unwrap_or(named);
    let own = lines.iter().enumerate().skip(first + 1);
    let mut own = own.take_while(|(_, line)| !begins(line));
    let has_key = |line: &str| line.split('=').next().is_some_and(|it| it.trim() == key);
    let found = own.find(|(_, line)| has_key(line));
    Some(found.map_or(named, |(at, _)| at) + 1)
}

/// What changed, for people.
fn told(changes: &Changes) -> String {
    let mut told = Vec::new();
    for (what, names) in [
        ("new", &changes.added),
        ("changed", &changes.changed),
        ("gone", &changes.removed),
    ] {
        if !names.is_empty() {
            told.push(format!("{what}: {}", names.join(", ")));
        }
    }
    if changes.own {
        told.push("other repositories of this community".to_owned());
    }
    format!("the communities were read anew: {}", told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_where_its_key_is() {
        let text = "[gateway]\nlisten = \"x\"\n\n[[gateway.community]]\nname = \"A\"\nurl = \"1\"\n\n\
                    [[gateway.community]]\nurl = \"2\"\nname = \"B\"\n";
        let at = |error: &str| line(text, error);
        assert_eq!(
            at("hilum.toml: gateway.community \"A\": url: wrong"),
            Some(6)
        );
        assert_eq!(at("gateway.community \"B\": url: wrong"), Some(9));
        assert_eq!(at("gateway.community \"B\": audience: missing"), Some(10));
        assert_eq!(at("registry.listen: wrong"), None);
    }

    #[test]
    fn changes_are_told_by_name() {
        let changes = Changes {
            added: vec!["North".to_owned()],
            removed: vec!["South".to_owned(), "West".to_owned()],
            ..Changes::default()
        };
        let told = told(&changes);
        assert!(told.ends_with("new: North; gone: South, West"), "{told}");
    }
}
