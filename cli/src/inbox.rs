//! `hilum inbox`: what was sent to the Document Recipient (XDR), in the hands of a person.

mod fetching;
mod listing;

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use hilum_audit::{Audit, Event, InboxUse, Parties, SubmissionSet};
use serde_json::json;
use xds_schemas::inbox::{DeleteRequest, DeleteSubmission};

use crate::client::{ForUser, Node, outcome};
use crate::domain::Domain;
use crate::export::{self, OnMedium};
use crate::filing::{Case, Filing};
use crate::refusal::judge;
use crate::status::Usage;
use crate::terminal::{printable, say, say_json, tell};

const NOTES: &str = "\
A clerk lists what came, looks at it, finds out who the patient is here, and registers it:
  hilum inbox list
  hilum inbox show 2.25.1 --out look/
  hilum inbox register 2.25.1 --patient P-1 --delete

Examples:
  hilum inbox export 2.25.1 --out letters.zip
  hilum inbox delete 2.25.1";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what is in the inbox, oldest first
    #[command(after_help = "Example: hilum inbox list")]
    List(List),
    /// Show a submission, and write its documents into a folder if one is given
    #[command(after_help = "Example: hilum inbox show 2.25.1 --out look/")]
    Show(Show),
    /// Write a submission on a medium, as hilum export does
    #[command(after_help = "Example: hilum inbox export 2.25.1 --out letters.zip")]
    Export(Export),
    /// Hand in a submission to this node's repository, for a patient whom you have matched
    #[command(after_help = "Example: hilum inbox register 2.25.1 --patient P-1 --delete")]
    Register(Register),
    /// Remove a submission from the inbox for good
    #[command(after_help = "Example: hilum inbox delete 2.25.1")]
    Delete(Delete),
}

#[derive(Debug, Args)]
struct Common {
    /// The node whose Document Recipient is asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// The outcome as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Show {
    /// uniqueId of the submission set
    #[arg(value_name = "UNIQUE_ID")]
    unique_id: String,
    /// A folder for the documents; it is made if need be
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Export {
    /// uniqueId of the submission set
    #[arg(value_name = "UNIQUE_ID")]
    unique_id: String,
    /// The medium: a folder, or a ZIP file if the name ends so
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Register {
    /// uniqueId of the submission set
    #[arg(value_name = "UNIQUE_ID")]
    unique_id: String,
    /// Who the patient is here: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID")]
    patient: String,
    /// Take codes that the submission lacks from the affinity domain
    #[arg(long)]
    complete: bool,
    /// Remove the submission from the inbox when it is registered
    #[arg(long)]
    delete: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Delete {
    /// uniqueIds of submission sets
    #[arg(value_name = "UNIQUE_ID", required = true)]
    unique_ids: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Command::List(list) => listing::run(&list.common).await,
        Command::Show(show) => listing::show(show).await,
        Command::Export(export) => self::export(export).await,
        Command::Register(register) => self::register(register).await,
        Command::Delete(arguments) => {
            let node = Node::open(&arguments.common.config)?.for_user(&arguments.common.user)?;
            let ledger = node.ledger()?;
            for unique_id in &arguments.unique_ids {
                delete(&node, &ledger, unique_id).await?;
            }
            match arguments.common.json {
                true => say_json(&json!({ "deleted": arguments.unique_ids })),
                false => Ok(say(&format!(
                    "removed {}",
                    arguments.unique_ids.join(", ")
                ))?),
            }
        }
    }
}

async fn export(arguments: &Export) -> anyhow::Result<()> {
    let node = Node::open(&arguments.common.config)?.for_user(&arguments.common.user)?;
    let ledger = node.ledger()?;
    let fetched = fetching::fetch(&node, &ledger, &arguments.unique_id).await?;
    let set = OnMedium {
        files: fetched.paths(),
        submission: fetched.sound()?,
    };
    export::export(&node, &ledger, &arguments.out, vec![set]).await?;
    match arguments.common.json {
        true => say_json(&json!({ "medium": arguments.out })),
        false => Ok(say(&format!("wrote {}", arguments.out.display()))?),
    }
}

async fn register(arguments: &Register) -> anyhow::Result<()> {
    let node = Node::open(&arguments.common.config)?.for_user(&arguments.common.user)?;
    let domain = Domain::of(&node.config)?;
    let patient = domain.patient(&arguments.patient)?;
    let ledger = node.ledger()?;
    let fetched = fetching::fetch(&node, &ledger, &arguments.unique_id).await?;
    let case = Case {
        submission: fetched.sound()?,
        files: fetched.files(),
    };
    let mut filing = Filing {
        node: &node,
        ledger: &ledger,
        domain: &domain,
        patient: Some(patient),
        complete: arguments.complete,
        assumed: Vec::new(),
    };
    let filed = filing.file(case).await?;
    if !filing.assumed.is_empty() {
        let assumed = filing.assumed.join(", ");
        tell(&format!(
            "not sent along, so the affinity domain's: {assumed}"
        ));
    }
    let registered = filed.is_registered();
    if registered && arguments.delete {
        delete(&node, &ledger, &arguments.unique_id).await?;
    }
    if arguments.common.json {
        let mut json = filed.json();
        json["uniqueId"] = json!(arguments.unique_id);
        json["fate"] = json!(filed.word());
        json["assumed"] = json!(filing.assumed);
        json["deleted"] = json!(registered && arguments.delete);
        say_json(&json)?;
    } else {
        say(&format!("{} {}", filed.word(), arguments.unique_id))?;
    }
    for reason in filed.reasons() {
        tell(&printable(reason.trim_start()));
    }
    match registered {
        true => Ok(()),
        false => bail!("the submission is not registered and stays in the inbox"),
    }
}

async fn delete(node: &Node, ledger: &Audit, unique_id: &str) -> anyhow::Result<()> {
    let url = node.recipient()?;
    let request = DeleteRequest {
        unique_id: unique_id.to_owned(),
    };
    let answer = node
        .client
        .send::<DeleteSubmission>(&url, &request, Vec::new());
    let answer = answer.await;
    let outcome = outcome(&answer, |response| (response.status, &response.errors[..]));
    let set = SubmissionSet {
        unique_id,
        patient: None,
    };
    let event = Event::inbox_used(&Parties::asked(&url), InboxUse::Deleted(set), &outcome);
    let answer = ledger.record(event, answer).await?.into_inner()?.response;
    let what = "the submission was not removed";
    Ok(judge(answer.status, &answer.errors, what)?)
}

/// A folder into which something is to be written.
fn folder(out: &std::path::Path) -> Result<(), Usage> {
    std::fs::create_dir_all(out)
        .map_err(|error| Usage(format!("{}: cannot be made: {error}", out.display())))
}
