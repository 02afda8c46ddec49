//! `hilum keys`: the keys with which what is stored is encrypted.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use hilum_audit::{Event, Outcome, SpoolError};
use hilum_repository::at_rest::{Survey, Worked};
use hilum_security::at_rest::{KeyId, KeyRing, Vault};
use indicatif::ProgressBar;
use serde_json::json;

use crate::client::Node;
use crate::config::ConfigError;
use crate::stored::Stored;
use crate::terminal::{Table, say, say_json, waiting};

const NOTES: &str = "\
Whoever loses the keys loses what is encrypted: keep copies of the folder of the keys, apart from those
of the data.

Examples:
  hilum keys list
  hilum keys new && hilum keys rotate
  hilum keys encrypt";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new key, which encrypts from now on
    #[command(after_help = "Example: hilum keys new --config node/hilum.toml")]
    New(Common),
    /// List the keys, and how much needs each of them
    #[command(after_help = "Example: hilum keys list --json")]
    List(Common),
    /// Give everything that is stored the current key; the node may run
    #[command(after_help = "Example: hilum keys rotate --config node/hilum.toml")]
    Rotate(Common),
    /// Encrypt what is stored plain, and what identifies patients in databases; the node must be stopped
    #[command(after_help = "Example: hilum keys encrypt --config node/hilum.toml")]
    Encrypt(Common),
    /// Remove a key that nothing needs any more, for good
    #[command(after_help = "Example: hilum keys remove 0f8e3c…")]
    Remove(Remove),
}

#[derive(Debug, Args)]
struct Common {
    /// The node
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    /// The outcome as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Remove {
    /// The name of the key
    #[arg(value_name = "KEY")]
    key: KeyId,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Command::New(common) => new(common).await,
        Command::List(common) => list(common).await,
        Command::Rotate(common) => rotate(common).await,
        Command::Encrypt(common) => encrypt(common).await,
        Command::Remove(remove) => self::remove(remove).await,
    }
}

async fn new(common: &Common) -> anyhow::Result<()> {
    let node = Node::open(&common.config)?;
    let section = &node.config.at_rest;
    let missing = || ConfigError("at_rest.keys: it is needed to know where keys are".to_owned());
    let folder = section.keys.clone().ok_or_else(missing)?;
    let command = section.command();
    let made = move || KeyRing::generate(&folder, command.as_ref());
    let made = tokio::task::spawn_blocking(made).await?;
    record(&node, "a new key is made", &made).await?;
    let made = made?;
    match common.json {
        true => say_json(&json!({ "made": made.to_string() })),
        false => Ok(say(&format!(
            "made {made}; what is stored from now on is encrypted with it\n\
             keep a copy of the folder of the keys elsewhere: what is encrypted is lost with them"
        ))?),
    }
}

/// Looks what is stored, and how many files of spools are plain.
async fn surveyed(node: &Node) -> anyhow::Result<(KeyRing, Survey, u64)> {
    let vault = node.config.vault()?;
    let missing = || ConfigError("at_rest.keys: nothing is encrypted without it".to_owned());
    let ring = vault.ring().cloned().ok_or_else(missing)?;
    let stored = Stored::of(&node.config)?;
    let found = tokio::task::spawn_blocking(move || stored.survey(&vault)).await??;
    let (survey, plain_spool) = found;
    Ok((ring, survey, plain_spool))
}

async fn list(common: &Common) -> anyhow::Result<()> {
    let node = Node::open(&common.config)?;
    let (ring, survey, plain_spool) = surveyed(&node).await?;
    let needs = |id: &KeyId| survey.keys.get(id).copied().unwrap_or_default();
    let keys = ring.list()?;
    if common.json {
        let key = |it: &hilum_security::at_rest::KeyUse| json!({ "key": it.id.to_string(), "current": it.is_current, "objects": needs(&it.id) });
        return say_json(&json!({
            "keys": keys.iter().map(key).collect::<Vec<_>>(),
            "plain": survey.plain,
            "plainSpool": plain_spool,
            "arriving": survey.arriving,
            "failures": survey.failures,
        }));
    }
    let mut table = Table::new(&["KEY", "CURRENT", "OBJECTS"]);
    for key in &keys {
        let current = if key.is_current { "yes" } else { "" };
        let objects = needs(&key.id).to_string();
        table.row(vec![key.id.to_string(), current.to_owned(), objects]);
    }
    let missing = survey.keys.iter().filter(|(id, _)| !ring.has(id));
    for (id, objects) in missing {
        table.row(vec![
            id.to_string(),
            "MISSING".to_owned(),
            objects.to_string(),
        ]);
    }
    say(&table.text())?;
    say(&format!("{} objects are not encrypted", survey.plain))?;
    if plain_spool > 0 {
        say(&format!(
            "{plain_spool} files of audit records that wait are not encrypted: they go when they are sent and \
             their time is over"
        ))?;
    }
    survey
        .failures
        .iter()
        .try_for_each(|failure| say(failure))?;
    Ok(())
}

async fn rotate(common: &Common) -> anyhow::Result<()> {
    let node = Node::open(&common.config)?;
    let (ring, ..) = surveyed(&node).await?;
    let stored = Stored::of(&node.config)?;
    let bar = waiting("rotating");
    let (work, shown) = (ring.clone(), bar.clone());
    let worked = tokio::task::spawn_blocking(move || {
        stored.rotate(&work, &mut |worked| show(&shown, worked))
    });
    let worked = worked.await.map_err(anyhow::Error::from).and_then(|it| it);
    bar.finish_and_clear();
    record(&node, "stored objects are given the current key", &worked).await?;
    let worked = worked?;
    let (_, survey, _) = surveyed(&node).await?;
    let current = ring.current_id();
    let old = survey.keys.iter().filter(|(id, _)| **id != current);
    let old: Vec<(String, u64)> = old
        .map(|(id, objects)| (id.to_string(), *objects))
        .collect();
    if common.json {
        let mut told = told(&worked);
        told["current"] = json!(current.to_string());
        told["oldKeys"] = json!(
            old.iter()
                .cloned()
                .collect::<std::collections::BTreeMap<_, _>>()
        );
        say_json(&told)?;
    } else {
        say(&format!(
            "{} objects have been given the key {current}, {} had it, {} are not encrypted",
            worked.done, worked.already, worked.passed_over
        ))?;
        for (key, objects) in &old {
            say(&format!("{objects} objects still need the key {key}"))?;
        }
        worked
            .failures
            .iter()
            .try_for_each(|failure| say(failure))?;
    }
    ended(&worked)
}

async fn encrypt(common: &Common) -> anyhow::Result<()> {
    let node = Node::open(&common.config)?;
    for (room, address) in node.config.listeners() {
        if let Err(error) = std::net::TcpListener::bind(address) {
            bail!("the node must be stopped, but {room} {address}: {error}");
        }
    }
    let vault: Vault = node.config.vault()?;
    if !vault.is_on() {
        let problem = "at_rest.keys: nothing is encrypted without it";
        return Err(ConfigError(problem.to_owned()).into());
    }
    let stored = Stored::of(&node.config)?;
    let bar = waiting("encrypting");
    let shown = bar.clone();
    let identifiers = vault.ring_of_fields().is_some();
    let worked = tokio::task::spawn_blocking(move || {
        stored.encrypt(&vault, &|said| shown.set_message(said))
    });
    let worked = worked.await.map_err(anyhow::Error::from).and_then(|it| it);
    bar.finish_and_clear();
    record(&node, "stored objects are encrypted", &worked).await?;
    let worked = worked?;
    match common.json {
        true => say_json(&told(&worked))?,
        false => {
            say(&format!(
                "{} objects have been encrypted, {} were before",
                worked.done, worked.already
            ))?;
            if !identifiers {
                say(
                    "identifiers in databases stay plain: at_rest.identifiers is not \"encrypted\"",
                )?;
            }
            worked
                .failures
                .iter()
                .try_for_each(|failure| say(failure))?;
            if worked.failed == 0 {
                say("plain objects can be refused from now on: at_rest.plain = \"refuse\"")?;
            }
        }
    }
    ended(&worked)
}

async fn remove(remove: &Remove) -> anyhow::Result<()> {
    let node = Node::open(&remove.common.config)?;
    let key = remove.key;
    // Whoever wrote with it when another one became current has finished by then.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let removed = removed(&node, key).await;
    record(&node, &format!("the key {key} is removed"), &removed).await?;
    removed?;
    match remove.common.json {
        true => say_json(&json!({ "removed": key.to_string() })),
        false => Ok(say(&format!("removed {key}"))?),
    }
}

async fn removed(node: &Node, key: KeyId) -> anyhow::Result<()> {
    let (ring, survey, _) = surveyed(node).await?;
    if let Some(objects) = survey.keys.get(&key) {
        bail!(
            "{objects} objects need the key {key}; `hilum keys rotate` gives them the current one"
        );
    }
    if let Some(failure) = survey.failures.first() {
        bail!("what cannot be read may need the key {key}: {failure}");
    }
    Ok(ring.remove(key)?)
}

fn show(bar: &ProgressBar, worked: &Worked) {
    bar.set_message(format!("{} objects", worked.done + worked.already));
}

fn told(worked: &Worked) -> serde_json::Value {
    json!({
        "done": worked.done,
        "already": worked.already,
        "passedOver": worked.passed_over,
        "failed": worked.failed,
        "failures": worked.failures,
    })
}

fn ended(worked: &Worked) -> anyhow::Result<()> {
    match worked.failed {
        0 => Ok(()),
        failed => bail!("{failed} objects have stayed as they were"),
    }
}

/// Whether nothing can be recorded because keys are missing.
fn is_locked(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let spool = cause.downcast_ref();
        cause.is::<ConfigError>() || matches!(spool, Some(SpoolError::Locked { .. }))
    })
}

/// Keys are changed only with a record of it.
async fn record<T, E: std::fmt::Display>(
    node: &Node,
    what: &str,
    done: &Result<T, E>,
) -> anyhow::Result<()> {
    let user = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    let outcome = match done {
        Ok(_) => Outcome::Success,
        Err(error) => Outcome::Failure(format!("{error:#}")),
    };
    let event = Event::keys_changed(&user, what, &outcome);
    let recorded = match node.ledger() {
        // Without keys, nothing was changed, and nothing can be recorded.
        Err(error) if done.is_err() && is_locked(&error) => return Ok(()),
        Err(error) => Err(error),
        Ok(ledger) => match ledger.record(event, ()).await {
            Ok(recorded) => {
                recorded.into_inner();
                Ok(())
            }
            Err(error) => Err(anyhow::Error::from(error).context("it must be recorded")),
        },
    };
    match done {
        Ok(_) => recorded,
        Err(failed) => recorded.with_context(|| format!("{failed:#}; nor is that recorded")),
    }
}
