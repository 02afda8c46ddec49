//! `hilum audit index`: makes the index of the audit log anew. The node must not run.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use hilum_audit::record_repository::{Log, LogConfig, rebuild};

use crate::config::Config;
use crate::terminal;

#[derive(Debug, Args)]
#[command(after_help = "Example: hilum audit index --rebuild --config node/hilum.toml")]
pub(super) struct Arguments {
    /// The node
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    /// Make it anew from the log
    #[arg(long, required = true)]
    rebuild: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config)?;
    let store = config.audit_store();
    anyhow::ensure!(store.is_dir(), "{}: there is no audit log", store.display());
    let vault = config.vault()?;
    let wanted = LogConfig {
        vault,
        ..LogConfig::new(store)
    };
    let log = Log::open(&wanted).context("[audit]")?;
    rebuild(&log, |done, all| tracing::info!("{done} of {all} records"))?;
    Ok(terminal::say(&format!(
        "{} records are indexed",
        log.end() - log.begin()
    ))?)
}
