//! `hilum audit`: looks at what was recorded, also while the node runs.

use std::collections::VecDeque;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use hilum_audit::spool::{Record, records};
use hilum_audit::summary::Summary;
use hilum_audit::syslog;

use crate::config::Config;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List records, oldest first
    List(List),
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

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Command::List(list) = &arguments.command;
    let config = Config::load(&list.config)?;
    let spool = config.spool();
    if !spool.exists() {
        // Nothing was recorded yet.
        return Ok(());
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut found = records(&spool)?;
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
