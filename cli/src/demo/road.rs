//! The road: import, find, retrieve, compare. Each step is a command that a user could type.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use sha1::{Digest, Sha1};
use tokio::process::Command;

use super::nodes::Nodes;
use crate::config::Config;
use crate::domain::Domain;
use crate::terminal::Table;

/// A patient whom the drawn studies are about.
pub(super) const SHOWN_PATIENT: &str = "HIL-1001";

/// Where the road leads.
pub(super) struct Road {
    registry: PathBuf,
    centre: PathBuf,
    images: PathBuf,
    retrieved: PathBuf,
}

/// What became of the studies.
pub(super) struct Travelled {
    studies: Vec<Journey>,
    left_out: usize,
    /// Audit records of both nodes, and of the commands.
    records: usize,
    took: Duration,
    /// Studies that a second import found changed.
    changed: usize,
    /// Of how many studies of one patient a summary tells that was made on demand, and how many
    /// there are.
    summarised: (usize, usize),
}

/// What became of one study.
struct Journey {
    patient: String,
    description: String,
    fate: String,
    instances: u64,
    found: bool,
    retrieved: u64,
    bytes: u64,
    /// Files that are, byte for byte, what was imported.
    identical: u64,
}

impl Journey {
    fn arrived(&self) -> bool {
        self.fate == "Registered"
            && self.found
            && self.retrieved == self.instances
            && self.identical == self.instances
    }
}

impl Road {
    pub(super) fn new(nodes: &Nodes, images: &Path, dir: &Path) -> Self {
        Self {
            registry: nodes.registry.clone(),
            centre: nodes.centre.clone(),
            images: images.to_owned(),
            retrieved: dir.join("retrieved"),
        }
    }

    /// Takes every study along it.
    pub(super) async fn travel(&self) -> anyhow::Result<Travelled> {
        let began = Instant::now();
        let images = self.images.display().to_string();
        let imported = self.command("import", &[&images]).await?;
        let originals = hashes(&self.images)?;
        let mut travelled = Travelled {
            studies: Vec::new(),
            left_out: imported["leftOut"].as_array().map_or(0, Vec::len),
            records: 0,
            took: Duration::ZERO,
            changed: 0,
            summarised: (0, 0),
        };
        for study in imported["studies"].as_array().context("no studies")? {
            let journey = self.journey(study, &originals).await?;
            travelled.studies.push(journey);
        }
        if let Some(patient) = travelled.patient() {
            let of_patient = imported["studies"].as_array().into_iter().flatten();
            let of_patient = of_patient
                .filter(|study| study["patientId"] == patient && study["fate"] == "Registered")
                .filter_map(|study| study["studyInstanceUID"].as_str());
            let studies: Vec<&str> = of_patient.collect();
            travelled.summarised = self.summarised(&patient, &studies).await?;
        }
        let again = self.command("import", &[&images]).await?;
        let again = again["studies"].as_array().context("no studies")?;
        // What could not be registered is nothing new.
        let fates = again.iter().map(|study| study["fate"].as_str());
        let changed = fates.filter(|fate| !matches!(fate, Some("Unchanged" | "Unsuitable")));
        travelled.changed = changed.count();
        travelled.records = self.records().await?;
        travelled.took = began.elapsed();
        Ok(travelled)
    }

    async fn journey(&self, study: &Value, originals: &HashSet<String>) -> anyhow::Result<Journey> {
        let text = |key: &str| study[key].as_str().unwrap_or_default().to_owned();
        let mut journey = Journey {
            patient: text("patientId"),
            description: text("description"),
            fate: text("fate"),
            instances: study["instances"].as_u64().unwrap_or_default(),
            found: false,
            retrieved: 0,
            bytes: 0,
            identical: 0,
        };
        let Some(manifest) = study["manifest"].as_str() else {
            return Ok(journey);
        };
        let domain = Domain::of(&Config::load(&self.centre)?)?;
        let patient = domain.written(&journey.patient);
        let found = self.command("query", &["--patient", &patient]).await?;
        let mut documents = found["documents"].as_array().into_iter().flatten();
        journey.found = documents.any(|document| document["uniqueId"] == manifest);
        let out = self.retrieved.display().to_string();
        let got = self
            .command("retrieve", &["--manifest", manifest, "--out", &out])
            .await?;
        for got in got["studies"].as_array().into_iter().flatten() {
            journey.retrieved += got["instances"].as_u64().unwrap_or_default();
            journey.bytes += got["bytes"].as_u64().unwrap_or_default();
            let folder = got["folder"].as_str().context("no folder")?;
            let copies = hashes(Path::new(folder))?;
            journey.identical += copies.intersection(originals).count() as u64;
        }
        Ok(journey)
    }

    /// Registers a patient's imaging summary, has it made, and looks for the studies in it.
    async fn summarised(&self, patient: &str, studies: &[&str]) -> anyhow::Result<(usize, usize)> {
        let domain = Domain::of(&Config::load(&self.centre)?)?;
        let patient = domain.written(patient);
        let registered = self.command("summary", &["--patient", &patient]).await?;
        let unique_id = registered["uniqueId"].as_str().context("no summary")?;
        let out = self.retrieved.display().to_string();
        let got = self
            .command("retrieve", &[unique_id, "--out", &out])
            .await?;
        let file = got["documents"][0]["file"].as_str();
        let summary = std::fs::read_to_string(file.context("no summary came")?)?;
        let told = |study: &&&str| summary.contains(&format!("\"urn:oid:{study}\""));
        Ok((studies.iter().filter(told).count(), studies.len()))
    }

    /// Runs a command of this program as the imaging centre, and reads its JSON.
    async fn command(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Value> {
        let program = std::env::current_exe()?;
        println!("$ hilum {name} {}", arguments.join(" "));
        let output = Command::new(program)
            .arg(name)
            .args(arguments)
            .arg("--json")
            .arg("--config")
            .arg(&self.centre)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr);
        // A refusal is for the table to tell, if the command could say anything at all.
        match serde_json::from_slice(&output.stdout) {
            Ok(json) => Ok(json),
            Err(_) => bail!("hilum {name} failed: {}", said.trim()),
        }
    }

    /// How many audit records there are by now.
    async fn records(&self) -> anyhow::Result<usize> {
        let mut records = 0;
        for config in [&self.registry, &self.centre] {
            let output = Command::new(std::env::current_exe()?)
                .args(["audit", "list", "--json", "--config"])
                .arg(config)
                .output()
                .await?;
            records += String::from_utf8_lossy(&output.stdout).lines().count();
        }
        Ok(records)
    }
}

impl Travelled {
    /// The patient of the first study that is registered.
    fn patient(&self) -> Option<String> {
        let mut studies = self.studies.iter();
        let registered = studies.find(|study| study.fate == "Registered");
        registered.map(|study| study.patient.clone())
    }

    /// A row for each study.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new(&[
            "PATIENT",
            "STUDY",
            "MANIFEST",
            "FOUND",
            "IMAGES",
            "BYTES",
            "IDENTICAL",
        ]);
        let yes = |yes: bool| if yes { "yes" } else { "NO" }.to_owned();
        for study in &self.studies {
            table.row(vec![
                study.patient.clone(),
                study.description.clone(),
                study.fate.to_lowercase(),
                yes(study.found),
                format!("{} of {}", study.retrieved, study.instances),
                study.bytes.to_string(),
                yes(study.identical == study.instances && study.instances > 0),
            ]);
        }
        table.text()
    }

    pub(super) fn summary(&self) -> String {
        let images: u64 = self.studies.iter().map(|study| study.identical).sum();
        let mut text = format!(
            "{} studies registered (RAD-68, ITI-42), found (ITI-18) and retrieved (ITI-43, RAD-69) \
             in {:.1} s: {images} images, byte for byte. A second import changed {}. {} audit records.",
            self.studies.iter().filter(|study| study.arrived()).count(),
            self.took.as_secs_f64(),
            self.changed,
            self.records,
        );
        let (told, studies) = self.summarised;
        if studies > 0 {
            text.push_str(&format!(
                " A summary made on demand (ITI-61) tells of {told} of {studies} studies of its patient."
            ));
        }
        if self.left_out > 0 {
            text.push_str(&format!(" {} files were left out.", self.left_out));
        }
        text
    }

    /// What did not go as it should.
    pub(super) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let lost = self.studies.iter().filter(|study| !study.arrived()).count();
        if self.studies.is_empty() {
            failures.push("there was no study to travel".to_owned());
        }
        if lost > 0 {
            failures.push(format!(
                "{lost} of {} studies did not arrive whole",
                self.studies.len()
            ));
        }
        if self.changed > 0 {
            failures.push("a second import found changes where there were none".to_owned());
        }
        if self.summarised.0 < self.summarised.1 {
            failures.push("a summary did not tell of every study".to_owned());
        }
        if self.records == 0 {
            failures.push("nothing was audited".to_owned());
        }
        failures
    }
}

/// The SHA-1 of every file below a folder.
fn hashes(folder: &Path) -> anyhow::Result<HashSet<String>> {
    let mut hashes = HashSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if folder.is_file() {
            hashes.insert(hash(&folder)?);
            continue;
        }
        let entries = std::fs::read_dir(&folder);
        for entry in entries.with_context(|| folder.display().to_string())? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                // A link may lead anywhere, but it was imported as what it leads to.
                false if entry.path().is_file() => _ = hashes.insert(hash(&entry.path())?),
                false => {}
            }
        }
    }
    Ok(hashes)
}

fn hash(file: &Path) -> anyhow::Result<String> {
    let mut content = std::fs::File::open(file).with_context(|| file.display().to_string())?;
    let mut hash = Sha1::new();
    std::io::copy(&mut content, &mut hash).with_context(|| file.display().to_string())?;
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
