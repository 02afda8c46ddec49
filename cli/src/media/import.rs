//! `hilum media import`: hands in what is on a medium to the node's repository, one submission set
//! after the other.

use std::path::PathBuf;

use hilum_audit::{Audit, Event, Outcome, SubmissionSet};
use serde_json::{Value, json};
use xds_schemas::iti32_distribute_document_set_on_media::MediaPath;

use super::inspection::{About, inspect, submission_time};
use super::medium::Medium;
use super::{Kind, Where};
use crate::client::{ForUser, Node};
use crate::domain::Domain;
use crate::filing::{Case, Filed, Filing};
use crate::terminal::{Table, printable, say, say_json, tell};

pub(super) const NOTES: &str = "\
Each submission set is handed in as it is, with its documents, if hash and size of all of them are what
the medium says. What is registered already is left alone, so that a medium may be imported twice.

Patients have other IDs elsewhere: --patient says whose documents these are here; the ID on the medium
is kept as sourcePatientId.

Examples:
  hilum media import /media/usb --patient P-1
  hilum media import letter.zip --patient P-1 --complete";

/// How this program is called in audit records.
const PROGRAM: &str = "hilum media import";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    medium: Where,
    /// The node whose repository takes the documents
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// Whose they are here: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Take codes that the medium lacks from the affinity domain
    #[arg(long)]
    complete: bool,
    /// The kind of medium, for the audit [default: usb, or email for a ZIP file]
    #[arg(long, value_name = "KIND")]
    medium_kind: Option<Kind>,
    /// What became of each submission set as JSON
    #[arg(long)]
    json: bool,
}

/// What became of a submission set.
struct Imported {
    directory: MediaPath,
    about: About,
    filed: Filed,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let path = &arguments.medium.path;
    let mut medium = Medium::open(path)?;
    let metadata = medium.metadata()?;
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let domain = Domain::of(&node.config)?;
    let patient = arguments.patient.as_deref();
    let patient = patient.map(|patient| domain.patient(patient)).transpose()?;
    let ledger = node.ledger()?;
    let mut filing = Filing {
        node: &node,
        ledger: &ledger,
        domain: &domain,
        patient,
        complete: arguments.complete,
        assumed: Vec::new(),
    };
    let kind = Kind::or_usual(arguments.medium_kind, path);
    let mut imported = Vec::new();
    let mut broken = None;
    for place in order(&mut medium, &metadata) {
        let (set, error) = import(&mut medium, &place, &mut filing).await;
        record(&ledger, kind, &set).await?;
        imported.push(set);
        // Without a repository or registry, the rest fails as well.
        if error.is_some() {
            broken = error;
            break;
        }
    }
    match arguments.json {
        true => say_json(&json(&imported, &filing.assumed))?,
        false => show(&imported, &filing.assumed)?,
    }
    if let Some(error) = broken {
        return Err(error);
    }
    let bad = imported.iter().filter(|set| !set.filed.is_registered());
    match bad.count() {
        0 => Ok(()),
        bad => anyhow::bail!(
            "{bad} of {} submission sets are not registered",
            imported.len()
        ),
    }
}

/// The submission sets in the order in which they were submitted, because later ones may refer to
/// earlier ones.
fn order(medium: &mut Medium, metadata: &[MediaPath]) -> Vec<MediaPath> {
    let mut times = Vec::new();
    for place in metadata {
        let time = submission_time(medium, place);
        times.push((time, place.clone()));
    }
    times.sort();
    times.into_iter().map(|(_, place)| place).collect()
}

/// What became of a submission set, and why nobody knows if nobody does.
async fn import(
    medium: &mut Medium,
    metadata: &MediaPath,
    filing: &mut Filing<'_>,
) -> (Imported, Option<anyhow::Error>) {
    let inspected = inspect(medium, metadata);
    let filed = match inspected.sound {
        Some(sound) => {
            let files = sound.contents.iter();
            let files = files.map(|content| (content.path.clone(), content.length));
            let case = Case {
                submission: sound.submission,
                files: files.collect(),
            };
            // The contents, of which some are copies, must last until they are sent.
            let filed = filing.file(case).await;
            drop(sound.contents);
            filed
        }
        None => Ok(Filed::Unsuitable(inspected.problems)),
    };
    let (filed, error) = match filed {
        Ok(filed) => (filed, None),
        Err(error) => (Filed::Unsuitable(vec![format!("{error:#}")]), Some(error)),
    };
    let imported = Imported {
        directory: inspected.directory,
        about: inspected.about,
        filed,
    };
    (imported, error)
}

/// ITI TF-2 3.32.5.1.2: an import, for each submission set.
async fn record(ledger: &Audit, kind: hilum_audit::Medium, set: &Imported) -> anyhow::Result<()> {
    let outcome = match set.filed.is_registered() {
        true => Outcome::Success,
        false => Outcome::Failure(set.filed.word().to_owned()),
    };
    let set = SubmissionSet {
        unique_id: match set.about.unique_id.as_str() {
            "" => "none",
            unique_id => unique_id,
        },
        patient: set.about.patient.as_deref(),
    };
    let event = Event::media_read(PROGRAM, kind, set, &outcome);
    ledger.record(event, ()).await?.into_inner();
    Ok(())
}

fn show(imported: &[Imported], assumed: &[String]) -> std::io::Result<()> {
    let mut table = Table::new(&["SET IS", "DOCUMENTS", "TITLE", "DIRECTORY", "UNIQUE ID"]);
    for set in imported {
        table.row(vec![
            set.filed.word().to_owned(),
            set.about.documents.to_string(),
            set.about.title.clone(),
            set.directory.to_string(),
            set.about.unique_id.clone(),
        ]);
    }
    say(&table.text())?;
    for set in imported {
        for reason in set.filed.reasons() {
            let line = format!("{}: {}", set.directory, reason.trim_start());
            tell(&printable(&line));
        }
    }
    if !assumed.is_empty() {
        let assumed = assumed.join(", ");
        tell(&format!(
            "not on the medium, so the affinity domain's: {assumed}"
        ));
    }
    Ok(())
}

fn json(imported: &[Imported], assumed: &[String]) -> Value {
    let set = |set: &Imported| {
        let mut json = set.filed.json();
        json["directory"] = json!(set.directory.to_string());
        json["uniqueId"] = json!(set.about.unique_id);
        json["title"] = json!(set.about.title);
        json["documents"] = json!(set.about.documents);
        json["fate"] = json!(set.filed.word());
        json
    };
    json!({
        "submissionSets": imported.iter().map(set).collect::<Vec<_>>(),
        "assumed": assumed,
    })
}
