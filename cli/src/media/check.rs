//! `hilum media check`: what is on a medium, and what is wrong with it.

use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::{Value, json};
use xds_schemas::iti32_distribute_document_set_on_media::{
    INDEX, MediaPath, README, ROOT, is_media_name,
};

use super::Where;
use super::inspection::{Inspected, inspect};
use super::medium::Medium;
use crate::terminal::{Table, count_bar, printable, say, say_json, tell};

/// Names that are pointed out one by one; of the rest, only the number is told.
const MOST_NAMES: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    medium: Where,
    /// What was found as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut medium = Medium::open(&arguments.medium.path)?;
    let metadata = medium.metadata()?;
    let mut remarks = layout(&medium, &metadata);
    let progress = count_bar(metadata.len() as u64, "reading submission sets");
    let sets = metadata.iter().map(|metadata| {
        progress.inc(1);
        inspect(&mut medium, metadata)
    });
    let sets: Vec<Inspected> = sets.collect();
    progress.finish_and_clear();
    remarks.extend(times(&sets));
    match arguments.json {
        true => say_json(&json(&sets, &remarks))?,
        false => show(&sets, &remarks)?,
    }
    match sets.iter().filter(|set| set.sound.is_none()).count() {
        0 => Ok(()),
        wrong => bail!(
            "{wrong} of {} submission sets cannot be taken over",
            sets.len()
        ),
    }
}

/// How the medium differs from what its maker should have done (ITI TF-2 3.32.4.1.2). Nothing of it
/// keeps the documents from being taken over.
fn layout(medium: &Medium, metadata: &[MediaPath]) -> Vec<String> {
    let mut remarks = Vec::new();
    let root = metadata.first().map(|path| path.parent().parent());
    let root = root.unwrap_or_default();
    if root.name() == ROOT {
        let top = root.parent();
        for name in [INDEX, README] {
            if medium.find(&top.join(name)).is_err() {
                remarks.push(format!("{name} is missing beside {ROOT}"));
            }
        }
    } else {
        remarks.push(format!("submission sets should lie in a directory {ROOT}"));
    }
    let starts_itself = medium.entries().find(|entry| {
        entry.path.names().len() == 1 && entry.path.name().eq_ignore_ascii_case("AUTORUN.INF")
    });
    if let Some(entry) = starts_itself {
        remarks.push(format!(
            "{} must not be there: nothing may start by itself",
            entry.path
        ));
    }
    let odd = medium
        .entries()
        .filter(|entry| !entry.path.names().iter().all(|name| is_media_name(name)));
    let odd: Vec<String> = odd.map(|entry| entry.path.to_string()).collect();
    for path in odd.iter().take(MOST_NAMES) {
        remarks.push(format!("{path} is no name of ISO 9660 level 1"));
    }
    if odd.len() > MOST_NAMES {
        remarks.push(format!("so are {} more", odd.len() - MOST_NAMES));
    }
    for (name, reason) in &medium.left_out {
        remarks.push(format!("{name} is left out: {reason}"));
    }
    remarks
}

/// ITI TF-2 3.32.4.1.2.2: submission sets on one medium have different submissionTimes.
fn times(sets: &[Inspected]) -> Vec<String> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for set in sets.iter().filter(|set| !set.about.time.is_empty()) {
        *seen.entry(&set.about.time).or_default() += 1;
    }
    let several = seen.into_iter().filter(|(_, sets)| *sets > 1);
    let remark = |(time, sets)| format!("{sets} submission sets have the submissionTime {time}");
    several.map(remark).collect()
}

fn show(sets: &[Inspected], remarks: &[String]) -> std::io::Result<()> {
    let mut table = Table::new(&[
        "SET IS",
        "DOCUMENTS",
        "PATIENT",
        "TITLE",
        "DIRECTORY",
        "UNIQUE ID",
    ]);
    for set in sets {
        let about = &set.about;
        table.row(vec![
            word(set).to_owned(),
            about.documents.to_string(),
            about.patient.clone().unwrap_or_default(),
            about.title.clone(),
            set.directory.to_string(),
            about.unique_id.clone(),
        ]);
    }
    say(&table.text())?;
    for set in sets {
        for problem in &set.problems {
            let line = format!("{}: {problem}", set.directory);
            tell(&printable(&line));
        }
    }
    for remark in remarks {
        tell(&format!("remark: {}", printable(remark)));
    }
    Ok(())
}

fn word(set: &Inspected) -> &'static str {
    match set.sound {
        Some(_) => "Sound",
        None => "Damaged",
    }
}

fn json(sets: &[Inspected], remarks: &[String]) -> Value {
    let set = |set: &Inspected| {
        json!({
            "directory": set.directory.to_string(),
            "verdict": word(set),
            "uniqueId": set.about.unique_id,
            "patientId": set.about.patient,
            "title": set.about.title,
            "submissionTime": set.about.time,
            "documents": set.about.documents,
            "problems": set.problems,
        })
    };
    json!({
        "submissionSets": sets.iter().map(set).collect::<Vec<_>>(),
        "remarks": remarks,
    })
}
