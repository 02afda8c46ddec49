//! `hilum subscriptions`: what there is, which of it is not delivered and why; and what waits in a
//! pull point.

mod pull;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{ForUser, Node};
use crate::terminal::{Table, say, say_json, tell};

/// Parts in which a list may come.
const PARTS: usize = 10_000;

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the subscriptions of the registry
    #[command(after_help = "Example: hilum subscriptions list")]
    List(List),
    /// Get what waits in a pull point (ITI-70)
    #[command(
        after_help = "Example: hilum subscriptions pull https://localhost:18401/registry/pull-points/…"
    )]
    Pull(pull::Arguments),
    /// Remove a pull point with all that waits in it (ITI-69)
    #[command(
        after_help = "Example: hilum subscriptions discard https://localhost:18401/registry/pull-points/…"
    )]
    Discard(pull::Arguments),
}

#[derive(Debug, Args)]
struct List {
    /// The node
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// Everything that is known, as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Command::List(arguments) => list(arguments).await,
        Command::Pull(arguments) => pull::pull(arguments).await,
        Command::Discard(arguments) => pull::discard(arguments).await,
    }
}

async fn list(arguments: &List) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let subscriptions = all(&node).await?;
    if arguments.json {
        return say_json(&json!({ "subscriptions": subscriptions }));
    }
    let mut table = Table::new(&[
        "STATE",
        "TOPIC",
        "WAIT",
        "CONSUMER",
        "NEXT ATTEMPT",
        "LAST ERROR",
    ]);
    for it in &subscriptions {
        let text = |key: &str| match &it[key] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let keys = [
            "state",
            "topic",
            "backlog",
            "consumer",
            "next_attempt",
            "last_error",
        ];
        table.row(keys.map(text).to_vec());
    }
    if table.is_empty() {
        tell("there are no subscriptions");
        return Ok(());
    }
    Ok(say(&table.text())?)
}

/// All of them, part by part.
async fn all(node: &Node) -> anyhow::Result<Vec<Value>> {
    let url = format!("{}/subscriptions", node.registry()?);
    let mut all = Vec::new();
    let mut next = url.clone();
    for _ in 0..PARTS {
        let (status, content) = node.client.fetch(&next).await?;
        if status != 200 {
            let said = String::from_utf8_lossy(&content);
            bail!("{url} answered with HTTP status {status}: {}", said.trim());
        }
        let mut part: Value =
            serde_json::from_slice(&content).with_context(|| format!("{url} answered no JSON"))?;
        if let Some(Value::Array(more)) = part.get_mut("subscriptions").map(Value::take) {
            all.extend(more);
        }
        match part["next"].as_i64() {
            Some(after) => next = format!("{url}?after={after}"),
            None => return Ok(all),
        }
    }
    bail!("{url} has no end")
}
