//! `hilum quarantine`: what did not pass at the door of the imaging source, in the hands of a person.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hilum_audit::{Decided, Event, Outcome, Study, Subject};
use hilum_repository::imaging::Quarantined;
use hilum_repository::imaging::quarantine::{HeldStudy, Quarantine};
use serde_json::json;

use crate::client::Node;
use crate::rooms;
use crate::terminal::{Table, printable, say, say_json};

/// How it is called in records.
const PROGRAM: &str = "hilum quarantine";

const NOTES: &str = "\
Objects are released and discarded by their numbers, studies that are kept back as a whole by their
Study Instance UIDs. What is released is published by the node, or by the next import; volumes that are
no DICOM objects by the next import of their files.

Examples:
  hilum quarantine list
  hilum quarantine release 7 1.2.840.99.5
  hilum quarantine discard 8";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what is kept back, and why
    #[command(after_help = "Example: hilum quarantine list --study 1.2.840.99.5")]
    List(List),
    /// Let objects and studies go, whatever the rules say
    #[command(after_help = "Example: hilum quarantine release 7")]
    Release(Chosen),
    /// Remove objects for good
    #[command(after_help = "Example: hilum quarantine discard 7")]
    Discard(Chosen),
}

#[derive(Debug, Args)]
struct Common {
    /// The node whose imaging source it is
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    /// The outcome as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct List {
    /// Only of this study
    #[arg(long, value_name = "UID")]
    study: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Chosen {
    /// Numbers of objects, Study Instance UIDs of studies
    #[arg(required = true, value_name = "WHICH")]
    which: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Command::List(arguments) => list(arguments),
        Command::Release(arguments) => release(arguments).await,
        Command::Discard(arguments) => discard(arguments).await,
    }
}

fn open(common: &Common) -> anyhow::Result<(Node, Quarantine)> {
    let node = Node::open(&common.config)?;
    let codes = rooms::affinity_codes(&node.config)?;
    let quarantine = Quarantine::open(&rooms::imaging_config(&node.config, &codes)?)?;
    Ok((node, quarantine))
}

fn list(arguments: &List) -> anyhow::Result<()> {
    let (_, quarantine) = open(&arguments.common)?;
    let objects = quarantine.objects(arguments.study.as_deref())?;
    let mut studies = quarantine.studies()?;
    if let Some(study) = &arguments.study {
        studies.retain(|it| it.study_instance_uid == *study);
    }
    if arguments.common.json {
        let study = |study: &HeldStudy| {
            json!({
                "studyInstanceUID": study.study_instance_uid,
                "reasons": study.reasons,
            })
        };
        let studies: Vec<_> = studies.iter().map(study).collect();
        let objects: Vec<_> = objects.iter().map(object).collect();
        return say_json(&json!({ "studies": studies, "objects": objects }));
    }
    let mut table = Table::new(&["WHICH", "STUDY", "FROM", "WHY"]);
    for study in &studies {
        let uid = study.study_instance_uid.clone();
        let why = printable(&study.reasons.join("; "));
        table.row(vec![uid.clone(), uid, String::new(), why]);
    }
    for object in &objects {
        table.row(vec![
            object.number.to_string(),
            match object.volume {
                true => "a volume".to_owned(),
                false => object.study_instance_uid.clone(),
            },
            printable(&object.origin),
            printable(&object.reasons.join("; ")),
        ]);
    }
    Ok(say(&table.text())?)
}

fn object(object: &Quarantined) -> serde_json::Value {
    if object.volume {
        return json!({
            "number": object.number,
            "volume": true,
            "document": object.sop_instance_uid,
            "patientId": object.patient_id,
            "arrived": object.arrived,
            "origin": object.origin,
            "reasons": object.reasons,
            "file": object.path,
        });
    }
    json!({
        "number": object.number,
        "studyInstanceUID": object.study_instance_uid,
        "seriesInstanceUID": object.series_instance_uid,
        "sopInstanceUID": object.sop_instance_uid,
        "patientId": object.patient_id,
        "arrived": object.arrived,
        "origin": object.origin,
        "reasons": object.reasons,
        "file": object.path,
    })
}

async fn release(arguments: &Chosen) -> anyhow::Result<()> {
    let (node, quarantine) = open(&arguments.common)?;
    let ledger = node.ledger()?;
    for which in &arguments.which {
        let event = match which.parse() {
            Ok(number) => {
                let released = quarantine.release_object(number).await?;
                decided(&node, Decided::Released, &released)
            }
            Err(_) => {
                quarantine.release_study(which)?;
                let (study, done) = (study(&node, which), &Outcome::Success);
                let subject = Subject::Study(&study, &[]);
                Event::images_decided(Decided::Released, PROGRAM, None, subject, done)
            }
        };
        ledger.record(event, ()).await?.into_inner();
        told(&arguments.common, which, "released")?;
    }
    Ok(())
}

async fn discard(arguments: &Chosen) -> anyhow::Result<()> {
    let (node, quarantine) = open(&arguments.common)?;
    let ledger = node.ledger()?;
    for which in &arguments.which {
        let number = which.parse().map_err(|_| {
            let problem = format!("{which} is no number of an object");
            crate::status::Usage(problem)
        })?;
        let discarded = quarantine.discard_object(number)?;
        let event = decided(&node, Decided::Discarded, &discarded);
        ledger.record(event, ()).await?.into_inner();
        told(&arguments.common, which, "discarded")?;
    }
    Ok(())
}

/// What is recorded of a decision about an object. Its patient is as the object names it, which need
/// not be known in the affinity domain.
fn decided(node: &Node, what: Decided<'_>, object: &Quarantined) -> Event {
    let patient = Some(object.patient_id.as_str()).filter(|id| !id.is_empty());
    let study = study(node, &object.study_instance_uid);
    let instance = [object.sop_instance_uid.as_str()];
    let subject = match object.volume {
        true => Subject::Document(&object.sop_instance_uid),
        false => Subject::Study(&study, &instance),
    };
    Event::images_decided(what, PROGRAM, patient, subject, &Outcome::Success)
}

fn study(node: &Node, uid: &str) -> Study {
    Study {
        instance_uid: uid.to_owned(),
        sop_classes: Vec::new(),
        repository_unique_id: node.config.imaging_unique_id(),
        home_community_id: None,
    }
}

fn told(common: &Common, which: &str, what: &str) -> anyhow::Result<()> {
    match common.json {
        true => say_json(&json!({ what: which })),
        false => Ok(say(&format!("{what} {which}\n"))?),
    }
}
