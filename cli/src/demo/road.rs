//! The road: import, find, retrieve, compare. Each step is a command that a user could type.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use sha1::{Digest, Sha1};
use tokio::process::Command;

use super::errands::Errands;
use super::nodes::Nodes;
use super::travelled::{Journey, Travelled};
use crate::config::Config;
use crate::domain::Domain;
use crate::terminal::say;

/// A patient whom the drawn studies are about.
pub(super) const SHOWN_PATIENT: &str = "HIL-1001";

/// Where the road leads.
pub(super) struct Road {
    pub(super) registry: PathBuf,
    pub(super) centre: PathBuf,
    images: PathBuf,
    pub(super) retrieved: PathBuf,
    /// Whether the images are the user's own.
    own_images: bool,
}

impl Road {
    pub(super) fn new(nodes: &Nodes, images: &Path, own_images: bool, dir: &Path) -> Self {
        Self {
            own_images,
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
            errands: Errands::default(),
            day: None,
            guard: None,
            across: None,
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
        if !self.own_images {
            travelled.day = Some(self.day().await?);
        }
        if let Some(manifest) = travelled.manifest() {
            let patients = travelled.patients();
            travelled.errands = self.errands(&manifest, &patients).await?;
            if let Some(patient) = patients.first() {
                travelled.guard = Some(self.guarded(patient).await?);
            }
        }
        travelled.records = self.records().await?;
        travelled.took = began.elapsed();
        Ok(travelled)
    }

    async fn journey(&self, study: &Value, originals: &HashSet<String>) -> anyhow::Result<Journey> {
        let text = |key: &str| study[key].as_str().unwrap_or_default().to_owned();
        let mut journey = Journey {
            patient: text("patientId"),
            manifest: study["manifest"].as_str().map(str::to_owned),
            description: text("description"),
            fate: text("fate"),
            instances: study["instances"].as_u64().unwrap_or_default(),
            found: false,
            retrieved: 0,
            bytes: 0,
            identical: 0,
        };
        let Some(manifest) = &journey.manifest else {
            return Ok(journey);
        };
        let domain = Domain::of(&Config::load(&self.centre)?)?;
        let patient = domain.written(&journey.patient);
        let found = self.command("query", &["--patient", &patient]).await?;
        let mut documents = found["documents"].as_array().into_iter().flatten();
        journey.found = documents.any(|document| document["uniqueId"] == manifest.as_str());
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
    pub(super) async fn command(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Value> {
        self.run(name, arguments, Some(&self.centre)).await
    }

    /// The same as the registry.
    pub(super) async fn as_registry(
        &self,
        name: &str,
        arguments: &[&str],
    ) -> anyhow::Result<Value> {
        self.run(name, arguments, Some(&self.registry)).await
    }

    /// The same without any node.
    pub(super) async fn anywhere(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Value> {
        self.run(name, arguments, None).await
    }

    /// The same as a node.
    pub(super) async fn run(
        &self,
        name: &str,
        arguments: &[&str],
        node: Option<&Path>,
    ) -> anyhow::Result<Value> {
        let program = std::env::current_exe()?;
        say(&format!("$ hilum {name} {}", arguments.join(" ")))?;
        let output = Command::new(program)
            .arg(name)
            .args(arguments)
            .arg("--json")
            .args(
                node.iter()
                    .flat_map(|node| ["--config".as_ref(), node.as_os_str()]),
            )
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

    /// What a command prints, as the registry.
    pub(super) async fn told(&self, name: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(std::env::current_exe()?)
            .arg(name)
            .args(arguments)
            .arg("--config")
            .arg(&self.registry)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?),
            false => bail!("hilum {name} failed: {}", said.trim()),
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
