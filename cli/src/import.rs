//! `hilum import`: makes folders of DICOM files findable by a manifest for each study (RAD-68).
//! The images stay where they are. Volumes of NIfTI and Analyze among them become documents (ITI-41).

pub(crate) mod volumes;
mod whose;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use clap::Args;
use hilum_repository::imaging::{
    Fate, Imported, Importing, Progress, Report, VolumeFate, import_with_volumes,
};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use thiserror::Error;

use crate::client::Node;
use crate::domain::Domain;
use crate::refusal::{self, Refused};
use crate::rooms;
use crate::status::Usage;
use crate::terminal::{Table, count_bar, printable, say, say_json, tell};

#[derive(Debug, Args)]
#[command(after_help = "\
A folder may be imported again at any time: studies that have not changed are left alone, and the
manifests of those that have are replaced.

Volumes of NIfTI and Analyze in the folder are handed in as documents. They do not say whose they are,
so say it: --patient names the patient of all of them, --patient-map a file with lines of
`subject,patient ID` for folders named sub-SUBJECT, as BIDS has them.

Examples:
  hilum import /data/dicom --config node/hilum.toml
  hilum import /data/volumes --patient P-1
  hilum import /data/bids --patient-map subjects.csv")]
pub(crate) struct Arguments {
    /// Folders of DICOM files and volumes, or single files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Whose the volumes are that are no DICOM: ID, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID", conflicts_with = "patient_map")]
    patient: Option<String>,
    /// Whose they are by subject: lines of a subject, a comma and a patient ID
    #[arg(long, value_name = "FILE")]
    patient_map: Option<PathBuf>,
    /// The node whose imaging source they become part of
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    /// What became of each study as JSON
    #[arg(long)]
    json: bool,
}

/// Some studies or volumes could not be registered; the lines before say why.
#[derive(Debug, Error)]
#[error("{0} of {1} {2} are not registered")]
struct Incomplete(usize, usize, &'static str);

/// Nobody knows what some files hold.
#[derive(Debug, Error)]
#[error("{0} files or folders could not be read")]
struct Unread(usize);

/// The repository gave no answer.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Unanswered(pub(crate) String);

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?;
    if let Some(missing) = arguments.paths.iter().find(|path| !path.exists()) {
        return Err(Usage(format!(
            "{}: there is no such file or folder",
            missing.display()
        ))
        .into());
    }
    let codes = rooms::affinity_codes(&node.config)?;
    let config = rooms::imaging_config(&node.config, &codes)?;
    let map = arguments.patient_map.as_deref();
    let domain = Domain::of(&node.config)?;
    let whose = whose::whose(&domain, arguments.patient.as_deref(), map)?;
    let ledger = node.ledger()?;
    let registry = node.config.registry_url();
    let importing = Importing {
        config: &config,
        codes: &codes,
        repository: &node.repository()?,
        registry: registry.as_deref(),
        client: &node.client,
        audit: &ledger,
        now: SystemTime::now(),
    };
    let bar = count_bar(0, "reading files");
    let shown = bar.clone();
    let progress = move |progress| show_progress(&shown, progress);
    let progress = Arc::new(progress);
    let report = import_with_volumes(&importing, &arguments.paths, &whose, progress).await;
    bar.finish_and_clear();
    let report = report?;
    match arguments.json {
        true => say_json(&json(&report))?,
        false => show(&report)?,
    }
    judge(&report)
}

fn show_progress(bar: &ProgressBar, progress: Progress) {
    let (message, done, of) = match progress {
        Progress::Reading { done, of } => ("reading files", done, of),
        Progress::Registering { done, of } => ("registering studies", done, of),
        Progress::Volumes { done, of } => ("handing in volumes", done, of),
    };
    bar.set_length(of as u64);
    bar.set_position(done as u64);
    bar.set_message(message);
}

/// What became of a study in a word, and its manifest.
fn fate(fate: &Fate) -> (&'static str, Option<&str>) {
    match fate {
        Fate::Registered { manifest } => ("Registered", Some(manifest.as_str())),
        Fate::Replaced { manifest, .. } => ("Replaced", Some(manifest.as_str())),
        Fate::Unchanged { manifest } => ("Unchanged", Some(manifest.as_str())),
        Fate::Withdrawn { manifest } => ("Withdrawn", Some(manifest.as_str())),
        Fate::KeptBack(_) => ("Kept back", None),
        Fate::Unsuitable(_) => ("Unsuitable", None),
        Fate::Refused(_) => ("Refused", None),
        Fate::Unanswered(_) => ("Unanswered", None),
    }
}

/// One line for each study on standard output; what is wrong on standard error.
fn show(report: &Report) -> std::io::Result<()> {
    let head = [
        "STUDY IS",
        "PATIENT",
        "DESCRIPTION",
        "SERIES",
        "IMAGES",
        "MANIFEST",
        "STUDY",
    ];
    let mut table = Table::new(&head);
    for study in &report.studies {
        let (word, manifest) = fate(&study.fate);
        table.row(vec![
            word.to_owned(),
            study.patient_id.clone().unwrap_or_default(),
            study.description.clone().unwrap_or_default(),
            study.series.to_string(),
            study.instances.to_string(),
            manifest.unwrap_or_default().to_owned(),
            study.study_instance_uid.to_string(),
        ]);
    }
    if !report.studies.is_empty() || report.volumes.is_empty() {
        say(&table.text())?;
    }
    volumes::show(&report.volumes)?;
    for study in &report.studies {
        for line in remarks(study) {
            tell(&format!("study {}: {}", study.study_instance_uid, line));
        }
    }
    for file in &report.kept_back {
        let path = printable(&file.path.display().to_string());
        for reason in &file.reasons {
            tell(&format!("{path} is kept back: {}", printable(reason)));
        }
    }
    if !report.kept_back.is_empty() {
        tell("see `hilum quarantine list` for what is kept back");
    }
    for file in &report.left_out {
        let path = printable(&file.path.display().to_string());
        tell(&format!("{path} is left out: {}", printable(&file.reason)));
    }
    for note in &report.notes {
        tell(&printable(note));
    }
    Ok(())
}

/// What is worth saying about a study.
fn remarks(study: &Imported) -> Vec<String> {
    let mut remarks: Vec<String> = study
        .remarks
        .iter()
        .map(|remark| printable(remark))
        .collect();
    match &study.fate {
        Fate::Unsuitable(why) | Fate::Unanswered(why) => remarks.push(printable(why)),
        Fate::KeptBack(reasons) => {
            remarks.extend(
                reasons
                    .iter()
                    .map(|why| format!("kept back: {}", printable(why))),
            );
        }
        Fate::Refused(errors) => {
            let refused = Refused::new("its manifest was refused", errors.clone());
            remarks.push(refused.to_string());
        }
        Fate::Registered { .. }
        | Fate::Replaced { .. }
        | Fate::Withdrawn { .. }
        | Fate::Unchanged { .. } => {}
    }
    remarks
}

fn json(report: &Report) -> Value {
    let study = |study: &Imported| {
        let (word, manifest) = fate(&study.fate);
        let mut json = json!({
            "studyInstanceUID": study.study_instance_uid.as_str(),
            "patientId": study.patient_id,
            "description": study.description,
            "series": study.series,
            "instances": study.instances,
            "fate": word,
            "manifest": manifest,
            "remarks": study.remarks,
        });
        match &study.fate {
            Fate::Replaced { replaced, .. } => json["replaced"] = json!(replaced),
            Fate::Unsuitable(why) | Fate::Unanswered(why) => json["reason"] = json!(why),
            Fate::KeptBack(reasons) => json["reasons"] = json!(reasons),
            Fate::Refused(errors) => json["errors"] = refusal::json(errors),
            Fate::Registered { .. } | Fate::Withdrawn { .. } | Fate::Unchanged { .. } => {}
        }
        json
    };
    let left_out = report.left_out.iter();
    let left_out = left_out.map(|file| json!({ "file": file.path, "reason": file.reason }));
    let kept_back = report.kept_back.iter();
    let kept_back = kept_back.map(|it| json!({ "file": it.path, "reasons": it.reasons }));
    json!({
        "keptBack": kept_back.collect::<Vec<_>>(),
        "volumes": report.volumes.iter().map(volumes::json).collect::<Vec<_>>(),
        "studies": report.studies.iter().map(study).collect::<Vec<_>>(),
        "leftOut": left_out.collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

/// Fails if a study or volume is not registered, or a file could not be read. Files that are no images are no failure,
/// nor are those that are kept back: somebody decides about these.
fn judge(report: &Report) -> anyhow::Result<()> {
    let studies = report.studies.iter().find_map(|study| match &study.fate {
        Fate::Unanswered(why) => Some(why.clone()),
        _ => None,
    });
    let volumes = report.volumes.iter().find_map(|volume| match &volume.fate {
        VolumeFate::Unanswered(why) => Some(why.clone()),
        _ => None,
    });
    if let Some(why) = studies.or(volumes) {
        return Err(Unanswered(why).into());
    }
    if report.studies.is_empty() && report.volumes.is_empty() && report.kept_back.is_empty() {
        return Err(
            Usage::new("there is no DICOM study in it, and no volume that can be taken").into(),
        );
    }
    let registered = |study: &&Imported| fate(&study.fate).1.is_some();
    let good = report.studies.iter().filter(registered).count();
    complete(good, report.studies.len(), "studies")?;
    let volumes = report.volumes.iter();
    let good = volumes
        .filter(|it| volumes::is_registered(&it.fate))
        .count();
    complete(good, report.volumes.len(), "volumes")?;
    let unreadable = report.left_out.iter().filter(|it| it.is_unreadable());
    match unreadable.count() {
        0 => Ok(()),
        many => Err(Unread(many)).context("the import is incomplete"),
    }
}

fn complete(good: usize, of: usize, what: &'static str) -> anyhow::Result<()> {
    match of - good {
        0 => Ok(()),
        bad => Err(Incomplete(bad, of, what)).context("the import is incomplete"),
    }
}
