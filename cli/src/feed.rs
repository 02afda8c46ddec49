//! `hilum feed`: tells the registry which patients there are, by ITI-8 Patient Identity Feed over
//! MLLP or ITI-44 Patient Identity Feed HL7 V3 over SOAP.

mod hl7v2;
mod hl7v3;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use hilum_audit::Outcome;
use serde_json::{Value, json};
use thiserror::Error;
use xds_schemas::iti8_patient_identity_feed::Announcement;
use xds_schemas::metadata::{PatientId, Timestamp};

use crate::client::{ForUser, Node};
use crate::domain::Domain;
use crate::status::Usage;
use crate::terminal::{printable, say, say_json};

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make patients known (ADT^A04, or PRPA_IN201301UV02)
    #[command(after_help = "\
Examples:
  hilum feed add P-1
  hilum feed add P-1 P-2 --hl7v3")]
    Add {
        /// Patients: IDs of the affinity domain, or ID^^^&OID&ISO
        #[arg(required = true, value_name = "PATIENT")]
        patients: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Say that two patients are one (ADT^A40, or PRPA_IN201304UV02); this cannot be taken back
    #[command(after_help = "Example: hilum feed merge P-2 P-1")]
    Merge {
        /// The patient whose ID is not used any more
        subsumed: String,
        /// The patient who stands for both
        survivor: String,
        #[command(flatten)]
        how: How,
    },
    /// Send an HL7 v2 message as it is; its line ends become carriage returns
    #[command(after_help = "Example: hilum feed send admission.hl7")]
    Send {
        /// The message
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct How {
    /// Say it in HL7 v3 (ITI-44) at the registry's address, not in HL7 v2 (ITI-8)
    #[arg(long)]
    hl7v3: bool,
    #[command(flatten)]
    common: Common,
}

impl How {
    fn check(&self) -> Result<(), Usage> {
        match self.hl7v3 {
            true => Ok(()),
            false => nobody_in_hl7v2(&self.common.user),
        }
    }
}

/// Messages of HL7 v2 have no place for it.
fn nobody_in_hl7v2(user: &ForUser) -> Result<(), Usage> {
    match user.assertion {
        None => Ok(()),
        Some(_) => Err(Usage(
            "--assertion goes with --hl7v3: HL7 v2 does not say for whom".to_owned(),
        )),
    }
}

#[derive(Debug, Args)]
struct Common {
    /// The node whose registry is told
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What became of one message.
struct Told {
    transaction: &'static str,
    /// What was said, for people.
    said: String,
    /// AA, AE, CA and so on.
    code: String,
    accepted: bool,
    reasons: Vec<String>,
}

/// The registry did not take all of it.
#[derive(Debug, Error)]
#[error("{0}")]
struct NotTaken(String);

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (told, json) = match &arguments.command {
        Command::Send { file, common } => {
            nobody_in_hl7v2(&common.user)?;
            let node = Node::open(&common.config)?;
            let message = std::fs::read(file);
            let message = message
                .map_err(|error| Usage(format!("{}: cannot be read: {error}", file.display())))?;
            let message = hl7v2::with_carriage_returns(&message);
            (hl7v2::send_raw(&node, &message).await?, common.json)
        }
        Command::Add { patients, how } => {
            how.check()?;
            let node = Node::open(&how.common.config)?.for_user(&how.common.user)?;
            let domain = Domain::of(&node.config)?;
            // One message for each patient.
            let add = |text: &String| {
                let patient = domain.patient(text)?;
                Ok(Announcement::Add(vec![patient]))
            };
            let said: Result<Vec<_>, anyhow::Error> = patients.iter().map(add).collect();
            (announce(&node, &said?, how.hl7v3).await?, how.common.json)
        }
        Command::Merge {
            subsumed,
            survivor,
            how,
        } => {
            how.check()?;
            let node = Node::open(&how.common.config)?.for_user(&how.common.user)?;
            let domain = Domain::of(&node.config)?;
            let merge = Announcement::Merge {
                subsumed: domain.patient(subsumed)?,
                survivor: domain.patient(survivor)?,
            };
            (announce(&node, &[merge], how.hl7v3).await?, how.common.json)
        }
    };
    show(&told, json)
}

async fn announce(
    node: &Node,
    announcements: &[Announcement],
    hl7v3: bool,
) -> anyhow::Result<Vec<Told>> {
    match hl7v3 {
        true => hl7v3::send(node, announcements).await,
        false => hl7v2::send(node, announcements).await,
    }
}

fn show(told: &[Told], json: bool) -> anyhow::Result<()> {
    if json {
        let messages: Vec<Value> = told.iter().map(Told::json).collect();
        say_json(&json!({ "messages": messages }))?;
    }
    let mut refused = Vec::new();
    for one in told {
        if one.accepted && !json {
            say(&printable(&one.said))?;
        } else if !one.accepted {
            let why = match one.reasons.is_empty() {
                true => "it does not say why".to_owned(),
                false => one.reasons.join("; "),
            };
            let line = format!("{} ({}): {why}", one.said, one.code);
            refused.push(printable(&line));
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => {
            let what = "the registry did not take what it was told";
            Err(NotTaken(format!("{what}\n  {}", refused.join("\n  "))).into())
        }
    }
}

impl Told {
    fn json(&self) -> Value {
        json!({
            "transaction": self.transaction,
            "said": self.said,
            "accepted": self.accepted,
            "acknowledgement": self.code,
            "reasons": self.reasons,
        })
    }

    /// How it ended, for the audit record.
    fn outcome(&self) -> Outcome {
        match self.accepted {
            true => Outcome::Success,
            false => Outcome::Failure(self.reasons.join("; ")),
        }
    }
}

/// What an announcement says, for people.
fn said(announcement: &Announcement) -> String {
    let ids = |patients: &[PatientId]| -> Vec<String> {
        patients.iter().map(ToString::to_string).collect()
    };
    match announcement {
        Announcement::Add(patients) => format!("{} is a patient", ids(patients).join(", ")),
        Announcement::Revise(patients) => format!("{} was updated", ids(patients).join(", ")),
        Announcement::Merge { subsumed, survivor } => {
            format!("{subsumed} was merged into {survivor}")
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_unix(since.unwrap_or_default().as_secs())
}
