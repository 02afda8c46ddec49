//! `hilum audit status` and `hilum audit send`: what receivers have of the audit trail.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use hilum_audit::moment::Moment;
use hilum_audit::sender::{Backlog, Target, send_once};
use serde_json::json;

use crate::client::Node;
use crate::config::{Config, ConfigError};
use crate::terminal::{Table, say, say_json};

pub(super) const NOTES: &str = "\
A node that runs sends by itself, the records of commands such as `hilum submit` too. This is for
machines on which only commands run.

Example: hilum audit send --once";

#[derive(Debug, Args)]
pub(super) struct Status {
    /// The node
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    /// The same as JSON
    #[arg(long)]
    json: bool,
}

/// Receivers could not be reached, or were lost on the way; lines before say why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotSent(String);

#[derive(Debug, Args)]
pub(super) struct Send {
    /// The node
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    /// End when everything is sent
    #[arg(long, required = true)]
    once: bool,
}

pub(super) fn status(arguments: &Status) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config)?;
    // What is encrypted can be read with them.
    config.vault()?;
    let now = SystemTime::now();
    let mut table = Table::new(&["RECEIVER", "RECORDS", "BYTES", "OLDEST", "CONFIRMED"]);
    let mut receivers = Vec::new();
    for target in config.audit_targets() {
        let backlog = Backlog::of(&config.spool(), &config.client_spools(), &target)?;
        let confirmed = backlog.confirmed.map(|when| Moment::of(when).to_string());
        receivers.push(json!({
            "receiver": target.to_string(),
            "records": backlog.records,
            "bytes": backlog.bytes,
            "oldestSeconds": backlog.age(now).map(|age| age.as_secs()),
            "confirmed": confirmed,
        }));
        table.row(vec![
            target.to_string(),
            backlog.records.to_string(),
            backlog.bytes.to_string(),
            backlog.age(now).map(ago).unwrap_or_default(),
            confirmed.unwrap_or_else(|| "never".to_owned()),
        ]);
    }
    match arguments.json {
        true => say_json(&json!(receivers)),
        false if receivers.is_empty() => Ok(say("no [[audit.send]]: nobody is sent records\n")?),
        false => Ok(say(&table.text())?),
    }
}

/// A duration for people.
fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

pub(super) async fn send(arguments: &Send) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?;
    let ledger = node.ledger()?;
    let Some(sender) = node.config.sender(Some(&ledger))? else {
        let problem = "audit.send: nobody is named who gets records";
        return Err(ConfigError(problem.to_owned()).into());
    };
    let mut gone: Vec<Target> = Vec::new();
    for (target, sent) in send_once(sender).await? {
        match sent {
            Ok(records) => say(&format!("{target}: {records} records sent\n"))?,
            Err(why) => {
                say(&format!("{target}: {why}\n"))?;
                gone.push(target);
            }
        }
    }
    match gone.len() {
        0 => Ok(()),
        1 => Err(NotSent(format!("{} has not got everything", gone[0])).into()),
        several => Err(NotSent(format!("{several} receivers have not got everything")).into()),
    }
}
