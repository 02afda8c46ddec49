//! `hilum reject`: takes instances of the node's imaging source back, by a rejection note (IHE Imaging
//! Object Change Management).

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use hilum_audit::{Decided, Event, Outcome, Study, Subject};
use hilum_dicom::rejection::Title;
use hilum_repository::imaging::reject::{Wanted, reject};
use serde_json::json;

use crate::client::{ForUser, Node};
use crate::rooms;
use crate::terminal::{say, say_json};

const NOTES: &str = "\
What is rejected is not given out any more from now on. The node, or the next import, replaces the
study's manifest, or withdraws it if nothing is left. Rejection cannot be taken back, except that of
images that were rejected for quality: if they are sent again, `hilum quarantine release` takes them.

With retention-expired, files that were sent to the node are removed; those in folders that were
imported stay. What else follows from the reasons: docs/manifests.md.

Examples:
  hilum reject --study 1.2.840.99.5 --reason patient-safety --comment \"images of somebody else\"
  hilum reject --study 1.2.840.99.5 --series 1.2.840.99.5.2 --reason quality
  hilum reject --study 1.2.840.99.5 --instance 1.2.840.99.5.2.7 --reason quality";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    /// Study Instance UID
    #[arg(long, value_name = "UID")]
    study: String,
    /// Only of these series
    #[arg(long, value_name = "UID")]
    series: Vec<String>,
    /// Only these instances
    #[arg(long, value_name = "UID", num_args = 1..)]
    instance: Vec<String>,
    /// Why: quality, patient-safety, incorrect-worklist-entry or retention-expired
    #[arg(long, value_name = "WHY")]
    reason: Title,
    /// Why in words, for people
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// The node whose imaging source it is
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// The outcome as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let codes = rooms::affinity_codes(&node.config)?;
    let config = rooms::imaging_config(&node.config, &codes)?;
    let wanted = Wanted {
        study: &arguments.study,
        series: &arguments.series,
        instances: &arguments.instance,
        title: arguments.reason,
        comment: arguments.comment.as_deref(),
    };
    let ledger = node.ledger()?;
    let rejected = reject(&config, wanted, SystemTime::now()).await;
    let outcome = match &rejected {
        Ok(_) => Outcome::Success,
        Err(error) => Outcome::Failure(format!("{error:#}")),
    };
    let done = rejected.as_ref().ok();
    let study = Study {
        instance_uid: arguments.study.clone(),
        sop_classes: done.map(|it| it.sop_classes.clone()).unwrap_or_default(),
        repository_unique_id: node.config.imaging_unique_id(),
        home_community_id: None,
    };
    let named: Vec<&str> = arguments.instance.iter().map(String::as_str).collect();
    let event = Event::images_decided(
        Decided::Rejected(arguments.reason.word()),
        "hilum reject",
        done.and_then(|it| it.patient_id.as_deref()),
        Subject::Study(&study, &named),
        &outcome,
    );
    let rejected = ledger.record(event, rejected).await?.into_inner()?;
    if arguments.json {
        return say_json(&json!({
            "studyInstanceUID": arguments.study,
            "note": rejected.note,
            "reason": arguments.reason.word(),
            "instances": rejected.instances,
            "left": rejected.left,
        }));
    }
    Ok(say(&format!(
        "rejected {} instances of study {}; {} are left",
        rejected.instances, arguments.study, rejected.left
    ))?)
}
