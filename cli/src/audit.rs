//! `hilum audit`: looks at what was recorded, also while the node runs.

mod head;
mod index;
mod search;
mod sending;
mod verify;

use std::collections::VecDeque;
use std::io::Write;
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hilum_audit::spool::{Record, Records, SpoolError, records};
use hilum_audit::summary::Summary;
use hilum_audit::syslog;

use crate::config::Config;
use crate::terminal::output;

pub(crate) use head::new_key;
pub(crate) use sending::NotSent;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the records of the node and of its commands, oldest first
    #[command(after_help = "Example: hilum audit list --last 10")]
    List(List),
    /// Ask the Audit Record Repository for events (ITI-81)
    Search(search::Arguments),
    /// Make the index of the Audit Record Repository anew
    Index(index::Arguments),
    /// Prove that the log of the Audit Record Repository is what was signed for
    Verify(verify::Arguments),
    /// Fetch the signed head of the log of the Audit Record Repository, to keep it elsewhere
    Head(head::Arguments),
    /// Show the public half of the key that signs the log of the Audit Record Repository
    Key(head::KeyArguments),
    /// Tell what receivers do not have yet, also while the node runs
    #[command(after_help = "Example: hilum audit status --json")]
    Status(sending::Status),
    /// Send to receivers what they do not have yet, while the node does not run
    #[command(after_help = sending::NOTES)]
    Send(sending::Send),
}

#[derive(Debug, Args)]
struct List {
    /// The node
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    /// Only the last N records
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// One JSON object a line
    #[arg(long, conflicts_with = "xml")]
    json: bool,
    /// The messages themselves, one a line
    #[arg(long)]
    xml: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Command::Search(arguments) => search::run(arguments).await,
        Command::Index(arguments) => index::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Head(arguments) => head::run(arguments).await,
        Command::Key(arguments) => head::key(arguments),
        Command::List(arguments) => list(arguments),
        Command::Status(arguments) => sending::status(arguments),
        Command::Send(arguments) => sending::send(arguments).await,
    }
}

fn list(list: &List) -> anyhow::Result<()> {
    let config = Config::load(&list.config)?;
    // What is encrypted can be read with them.
    config.vault()?;
    let mut out = output();
    let mut found = ByTime::of(&config)?;
    match list.last {
        None => found.try_for_each(|record| print(&mut out, &record?, list))?,
        Some(last) => {
            let mut kept: VecDeque<Record> = VecDeque::new();
            for record in found {
                kept.push_back(record?);
                if kept.len() > last {
                    kept.pop_front();
                }
            }
            kept.iter()
                .try_for_each(|record| print(&mut out, record, list))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// The records of several spools, oldest first.
struct ByTime {
    spools: Vec<Peekable<Records>>,
}

impl ByTime {
    /// Those of the node and of the commands that were run for it. Where nothing was recorded yet,
    /// there is no spool.
    fn of(config: &Config) -> anyhow::Result<Self> {
        let mut folders = vec![config.spool()];
        folders.extend(folders_in(&config.client_spools())?);
        let spools = folders
            .iter()
            .filter(|folder| folder.exists())
            .map(|folder| records(folder).map(Iterator::peekable))
            .collect::<Result<_, _>>()?;
        Ok(Self { spools })
    }
}

impl Iterator for ByTime {
    type Item = Result<Record, SpoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        // An error comes first, because it says that something is missing.
        let time = |record: &Result<Record, SpoolError>| {
            record
                .as_ref()
                .map_or_else(|_| Vec::new(), |record| timestamp(record).to_vec())
        };
        let first = self
            .spools
            .iter_mut()
            .enumerate()
            .filter_map(|(place, spool)| spool.peek().map(|record| (time(record), place)))
            .min()?;
        self.spools[first.1].next()
    }
}

/// When it was recorded: the second word of an RFC 5424 message. All are in UTC and of one length.
fn timestamp(record: &Record) -> &[u8] {
    let mut words = record.message.split(|&byte| byte == b' ');
    words.nth(1).unwrap_or_default()
}

fn folders_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn print(out: &mut impl Write, record: &Record, list: &List) -> anyhow::Result<()> {
    let xml = syslog::xml(&record.message).unwrap_or_default();
    if list.xml {
        out.write_all(xml)?;
        return Ok(writeln!(out)?);
    }
    let summary = Summary::read(xml)?;
    if list.json {
        return Ok(writeln!(out, "{}", serde_json::to_string(&summary)?)?);
    }
    writeln!(
        out,
        "{}  {:>2}  {:<8} {:<26} {}  {}",
        summary.time,
        summary.outcome,
        summary.transaction.as_deref().unwrap_or("-"),
        format!("{} {}", summary.event, summary.action),
        summary.patient.as_deref().unwrap_or("-"),
        summary.participants.join(" > "),
    )?;
    Ok(())
}
