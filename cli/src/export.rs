//! `hilum export`: writes documents on a medium (ITI-32 Distribute Document Set on Media), with the
//! submission sets in which they were submitted.

mod documents;
mod gather;
mod parts;
mod writing;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use clap::Args;
use hilum_audit::{Audit, Event, Outcome, SubmissionSet};
use serde_json::json;
use xds_schemas::ebrim::InternationalString;
use xds_schemas::iti32_distribute_document_set_on_media::Creator;
use xds_schemas::metadata::{Submission, Timestamp};

use crate::client::{ForUser, Node};
use crate::config::Config;
use crate::domain::Domain;
use crate::media::Kind;
use crate::terminal::{Table, printable, say, say_json, tell};

pub(crate) use writing::OnMedium;

const NOTES: &str = "\
The documents come from this node's repository (ITI-43), with what its registry says of them. What was
replaced is left out. A folder must be empty or not be there; a ZIP file must not be there.

Examples:
  hilum export --patient P-1 --out /media/usb/P-1
  hilum export --document 2.25.1 2.25.2 --out letters.zip";

/// How this program is called in audit records.
const PROGRAM: &str = "hilum export";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    /// All documents of a patient: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID", required_unless_present = "document")]
    patient: Option<String>,
    /// uniqueIds of documents
    #[arg(long, value_name = "UNIQUE_ID", num_args = 1.., conflicts_with = "patient")]
    document: Vec<String>,
    /// The medium: a folder, or a ZIP file if the name ends so
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// The node whose registry and repository are asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// The kind of medium, for the audit [default: usb, or email for a ZIP file]
    #[arg(long, value_name = "KIND")]
    medium_kind: Option<Kind>,
    /// What was written as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let domain = Domain::of(&node.config)?;
    writing::is_free(&arguments.out)?;
    let ledger = node.ledger()?;
    let patient = arguments.patient.as_deref();
    let patient = patient.map(|patient| domain.patient(patient)).transpose()?;
    let gathered = gather::gather(&node, &ledger, patient, &arguments.document).await?;
    for remark in &gathered.remarks {
        tell(&format!("remark: {}", printable(remark)));
    }
    if gathered.sets.is_empty() {
        bail!("there are no documents that could be written");
    }
    let staging = tempfile::tempdir()?;
    let sets = documents::retrieve(&node, &ledger, gathered.sets, staging.path()).await?;
    let creator = creator(&node.config);
    let ready = writing::prepare(&arguments.out, &creator, &now(), sets)?;
    let kind = Kind::or_usual(arguments.medium_kind, &arguments.out);
    record(&ledger, kind, ready.submissions()).await?;
    let submissions = ready.finish()?;
    show(arguments, &submissions)
}

/// Who makes media here.
fn creator(config: &Config) -> Creator {
    let media = &config.media;
    let institution = media.institution.clone();
    Creator {
        institution: institution.unwrap_or_else(|| config.home_community_id.clone()),
        contact: media.contact.clone(),
        application: format!("Hilum {}", env!("CARGO_PKG_VERSION")),
        vendor: "Hilum is open source; those who run it here support it".to_owned(),
    }
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_unix(now.unwrap_or_default().as_secs())
}

/// ITI TF-2 3.32.5.1.1: an export, for each submission set, before anybody can see the medium.
async fn record<'a>(
    ledger: &Audit,
    kind: hilum_audit::Medium,
    submissions: impl Iterator<Item = &'a Submission>,
) -> anyhow::Result<()> {
    let event = submissions.map(|submission| {
        let set = &submission.submission_set;
        let patient = set.patient_id.as_ref().map(ToString::to_string);
        let set = SubmissionSet {
            unique_id: set.unique_id.as_str(),
            patient: patient.as_deref(),
        };
        Event::media_written(PROGRAM, kind, set, &Outcome::Success)
    });
    if let Some(event) = event.reduce(Event::and) {
        ledger.record(event, ()).await?.into_inner();
    }
    Ok(())
}

fn show(arguments: &Arguments, submissions: &[(String, Submission)]) -> anyhow::Result<()> {
    let text = |text: Option<&InternationalString>| {
        text.and_then(InternationalString::first).map(str::to_owned)
    };
    if arguments.json {
        let set = |(directory, submission): &(String, Submission)| {
            let documents = submission.document_entries.iter().map(|entry| {
                json!({
                    "uniqueId": entry.unique_id.as_str(),
                    "uri": entry.uri,
                    "mimeType": entry.mime_type,
                    "title": text(entry.title.as_ref()),
                })
            });
            json!({
                "directory": directory,
                "uniqueId": submission.submission_set.unique_id.as_str(),
                "documents": documents.collect::<Vec<_>>(),
            })
        };
        let sets: Vec<_> = submissions.iter().map(set).collect();
        return say_json(&json!({ "medium": arguments.out, "submissionSets": sets }));
    }
    let mut table = Table::new(&[
        "TITLE",
        "MIME TYPE",
        "SIZE",
        "DIRECTORY",
        "FILE",
        "UNIQUE ID",
    ]);
    for (directory, submission) in submissions {
        for entry in &submission.document_entries {
            table.row(vec![
                text(entry.title.as_ref()).unwrap_or_default(),
                entry.mime_type.clone(),
                entry.size.map(|size| size.to_string()).unwrap_or_default(),
                directory.clone(),
                entry.uri.clone().unwrap_or_default(),
                entry.unique_id.to_string(),
            ]);
        }
    }
    Ok(say(&table.text())?)
}

/// Writes submissions that are here already, such as those of an inbox, on a medium.
pub(crate) async fn export(
    node: &Node,
    ledger: &Audit,
    out: &Path,
    sets: Vec<OnMedium>,
) -> anyhow::Result<()> {
    let ready = writing::prepare(out, &creator(&node.config), &now(), sets)?;
    record(ledger, Kind::or_usual(None, out), ready.submissions()).await?;
    ready.finish()?;
    Ok(())
}
