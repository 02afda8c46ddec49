//! `hilum demo`: the whole road on one machine, from a folder of images to the same images
//! retrieved by somebody else, in the steps that a user would take.
//!
//! Two nodes are set up as `hilum init` does it and run as `hilum serve` does: a network's registry,
//! and an imaging centre with a repository and an imaging source. Two more countries have a node each.
//! The steps are commands, run in processes of their own, which know the nodes only by their addresses.

mod abroad;
mod centre;
mod errands;
mod guard;
mod nodes;
mod road;
mod travelled;

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::Context;
use clap::Args;
use hilum_dicom::phantoms::{self, Detail};
use hilum_transport::Client;
use thiserror::Error;

use crate::config::Config;
use crate::serve::{Running, signals};
use crate::status::Usage;
use crate::terminal::say;

use abroad::Abroad;
use nodes::Nodes;
use road::Road;
use travelled::Travelled;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hilum demo --once
  hilum demo --dir ~/hilum-demo
  hilum demo --dicom /data/dicom")]
pub(crate) struct Arguments {
    /// End after the table, with exit status 0 if every step succeeded
    #[arg(long)]
    once: bool,
    /// Keep everything in this folder, which is made or must be empty [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Take your own DICOM files; nothing leaves this machine [default: studies that are drawn]
    #[arg(long, value_name = "DIR")]
    dicom: Option<PathBuf>,
    /// The registry listens on N+1, repository and imaging source on N+2, other countries
    /// from N+11 on [default: from 18400 on,
    /// the first that are free]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..65505))]
    port_base: Option<u16>,
}

/// The road was travelled, and not everything arrived.
#[derive(Debug, Error)]
#[error("{0}")]
struct Failed(String);

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(missing) = arguments.dicom.as_ref().filter(|dir| !dir.exists()) {
        let problem = format!("{}: there is no such folder", missing.display());
        return Err(Usage(problem).into());
    }
    let mut stop = signals()?;
    let temporary;
    let dir = match &arguments.dir {
        // The nodes' configurations name folders from their own places.
        Some(dir) => std::path::absolute(dir)?,
        None => {
            temporary = tempfile::Builder::new().prefix("hilum-demo-").tempdir()?;
            temporary.path().to_owned()
        }
    };
    let dir = dir.as_path();
    let nodes = Nodes::write(dir, arguments.port_base)?;
    say(&format!("certificates and four nodes in {}", dir.display()))?;
    let registry = start(&nodes.registry).await?;
    let centre = start(&nodes.centre).await?;
    let mut abroad = match &arguments.dicom {
        Some(_) => None,
        None => Some(Abroad::start(dir).await?),
    };
    let images = match &arguments.dicom {
        Some(dir) => dir.clone(),
        None => draw(dir)?,
    };
    let road = Road::new(&nodes, &images, arguments.dicom.is_some(), dir);
    let travelled = tokio::select! {
        travelled = everywhere(&road, abroad.as_mut()) => Some(travelled),
        // Whoever stops it has seen enough.
        _ = stop.wait_for(|stopping| *stopping) => None,
    };
    let mut asked_for = None;
    let result = match travelled {
        Some(Ok(travelled)) => {
            asked_for = travelled.across.as_ref().map(|it| it.patient.clone());
            shown(&travelled)
        }
        Some(Err(error)) => Err(error),
        None => Ok(()),
    };
    if result.is_ok() && !arguments.once && !*stop.borrow() {
        look_around(&nodes, asked_for.as_deref()).await?;
        // The sender lives as long as the process, so this ends with a signal.
        let _ = stop.wait_for(|stopping| *stopping).await;
    }
    if let Some(abroad) = abroad {
        abroad.stop().await?;
    }
    centre.stop().await?;
    registry.stop().await?;
    result
}

/// Travels the road, and then into other countries.
async fn everywhere(road: &Road, abroad: Option<&mut Abroad>) -> anyhow::Result<Travelled> {
    let mut travelled = road.travel().await?;
    // Both are of the same study, whose patient is the one who survived a merge.
    let of = travelled.patient().zip(travelled.manifest());
    if let Some((abroad, (patient, manifest))) = abroad.zip(of) {
        travelled.across = Some(road.across(abroad, &patient, &manifest).await?);
    }
    Ok(travelled)
}

async fn start(file: &Path) -> anyhow::Result<Running> {
    let running = Running::start(&Config::load(file)?).await;
    let running = running.with_context(|| file.display().to_string())?;
    for line in &running.lines {
        say(line)?;
    }
    Ok(running)
}

/// Writes studies of people who do not exist.
fn draw(dir: &Path) -> anyhow::Result<PathBuf> {
    let began = Instant::now();
    let images = dir.join("images");
    let seed = uuid::Uuid::new_v4().to_string();
    let drawn = phantoms::write(&images, &seed, SystemTime::now(), Detail::Full);
    let drawn = drawn.with_context(|| format!("{}: cannot be written", images.display()))?;
    let files: usize = drawn.iter().map(|study| study.instances).sum();
    say(&format!(
        "drew {} studies of people who do not exist: {files} files in {:.1} s\n\n",
        drawn.len(),
        began.elapsed().as_secs_f64()
    ))?;
    Ok(images)
}

/// Prints what happened; fails if anything did not arrive.
fn shown(travelled: &Travelled) -> anyhow::Result<()> {
    say(&format!("\n{}", travelled.table()))?;
    say(&format!("\n{}", travelled.summary()))?;
    if let Some(across) = &travelled.across {
        say(&format!("\n{}\n{}\n", across.table(), across.summary()))?;
    }
    let failures = travelled.failures();
    match failures.is_empty() {
        true => Ok(()),
        false => Err(Failed(failures.join("; ")).into()),
    }
}

/// Says where to look, and that it is there; whom other countries were asked for, if they were.
async fn look_around(nodes: &Nodes, asked_for: Option<&str>) -> anyhow::Result<()> {
    let config = Config::load(&nodes.centre)?;
    let client: Client = crate::client::client(&config)?;
    say("\nStill running; stop with Ctrl-C. Look around:")?;
    for url in [
        config.registry_url(),
        config.repository_url(),
        config.imaging_url(),
    ] {
        let url = format!("{}?wsdl", url.unwrap_or_default());
        let (status, _) = client.fetch(&url).await?;
        say(&format!("  {url}  (answers {status})"))?;
    }
    let (centre, registry) = (nodes.centre.display(), nodes.registry.display());
    say(&format!(
        "  hilum query --config {centre} --patient {}",
        road::SHOWN_PATIENT
    ))?;
    if let Some(patient) = asked_for {
        let clinician = nodes.registry.with_file_name(abroad::CLINICIAN);
        say(&format!(
            "  hilum query --config {registry} --patient {patient} --communities --assertion {}",
            clinician.display()
        ))?;
    }
    say(&format!("  hilum audit list --config {centre} --last 20"))?;
    say(&format!(
        "  hilum audit search --config {registry} --user curie"
    ))?;
    say(&format!("  hilum audit verify --config {registry}"))?;
    let certificates = nodes.centre.with_file_name("certs");
    say(&format!(
        "  curl --cacert {0}/ca.pem --cert {0}/client.pem --key {0}/client.key {1}?wsdl",
        certificates.display(),
        config.registry_url().unwrap_or_default()
    ))?;
    Ok(())
}
