//! `hilum access`: looks over the rules of access, and says who gets what, and why.

mod explain;
mod hypothesis;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hilum_security::Permission;
use hilum_security::access::{Policy, Vocabulary};
use serde_json::json;

use crate::config::{Config, ConfigError, closed_doors};
use crate::terminal::{printable, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look over a file of rules, and say in words what is in it
    #[command(after_help = "\
Example:
  hilum access check access.toml --config node/hilum.toml")]
    Check(Check),
    /// Say what somebody gets of a document, and which rule decides
    #[command(after_help = explain::NOTES)]
    Explain(Box<explain::Arguments>),
}

#[derive(Debug, Args)]
struct Check {
    /// The rules
    #[arg(value_name = "FILE")]
    rules: PathBuf,
    /// The node whose codes and collections they may name; without it these are not checked
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The rules as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Command::Check(arguments) => check(arguments),
        Command::Explain(arguments) => explain::run(arguments).await,
    }
}

fn check(arguments: &Check) -> anyhow::Result<()> {
    let shown = arguments.rules.display();
    let wrong = |problem: &dyn std::fmt::Display| ConfigError(format!("{shown}: {problem}"));
    let config = arguments.config.as_deref().map(Config::load);
    let config = config.transpose()?;
    let known = match &config {
        Some(config) => config.known_to_rules()?,
        None => Vocabulary::default(),
    };
    let text = std::fs::read_to_string(&arguments.rules).map_err(|error| wrong(&error))?;
    let policy = Policy::parse(&text, &known).map_err(|error| wrong(&error))?;
    let warning = match &config {
        Some(config) => config.closed_doors(&policy),
        None => closed_doors(&policy),
    };
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let rules = policy.in_words();
    let handing_in = [
        ("provide", Permission::Provide),
        ("register", Permission::Register),
    ];
    let granting = |permission| policy.granting(permission).collect::<Vec<_>>();
    if arguments.json {
        let granting = handing_in.map(|(word, it)| (word.to_owned(), json!(granting(it))));
        let granting = serde_json::Map::from_iter(granting);
        return say_json(&json!({ "rules": rules, "handingIn": granting }));
    }
    for (number, rule) in rules.iter().enumerate() {
        say(&format!("{:>3}. {}", number + 1, printable(rule)))?;
    }
    say("     Whoever is in none of them gets nothing.")?;
    for (word, permission) in handing_in {
        let rules = granting(permission);
        let by = match rules.is_empty() {
            true => "nobody but the infrastructure".to_owned(),
            false => format!("who is in: {}", printable(&rules.join(", "))),
        };
        say(&format!("     To {word}: {by}."))?;
    }
    if arguments.config.is_none() {
        say("     Codes and collections were not checked; with --config they are.")?;
    }
    Ok(())
}
