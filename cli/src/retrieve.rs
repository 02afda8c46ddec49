//! `hilum retrieve`: gets documents by ITI-43 Retrieve Document Set, and studies by RAD-69
//! Retrieve Imaging Document Set.

pub(crate) mod documents;
pub(crate) mod fetch;
mod images;
mod names;
pub(crate) mod receive;
mod study;
pub(crate) mod wanted;

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use xds_schemas::ebrs::RegistryError;

use crate::client::{Asked, ForUser, Node};
use crate::refusal::{By, Refused};
use crate::status::Usage;

const NOTES: &str = "\
Documents are written to DIR/UNIQUE_ID.EXTENSION, images to DIR/STUDY/SERIES/INSTANCE.dcm. Hash and
size are compared with what the registry says; what differs is kept aside as NAME.rejected.

Examples:
  hilum retrieve 2.25.1 2.25.2 --out got/
  hilum retrieve 2.25.1 --repository 1.2.3
  hilum retrieve --manifest 2.25.7 --out study/
  hilum retrieve --manifest 2.25.7 --communities --home urn:oid:1.2.3.5 --out study/
  hilum retrieve --study 1.2.840.1 --patient P-1 --out study/";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    /// uniqueIds of documents
    #[arg(value_name = "UNIQUE_ID", required_unless_present_any = ["manifest", "study"])]
    unique_ids: Vec<String>,
    /// The node whose registry, repository and imaging source are asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    #[command(flatten)]
    asked: Asked,
    /// The folder to write into; it is made if need be
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// The repository of the documents; without it, the registry is asked
    #[arg(long, value_name = "OID", conflicts_with_all = ["manifest", "study"])]
    repository: Option<String>,
    /// The community of the documents (urn:oid:…)
    #[arg(long, value_name = "URN")]
    home: Option<String>,
    /// The images that the manifest with this uniqueId lists
    #[arg(long, value_name = "UNIQUE_ID", conflicts_with_all = ["unique_ids", "study"])]
    manifest: Option<String>,
    /// The images of the study with this Study Instance UID, found by its manifest
    #[arg(
        long,
        value_name = "UID",
        conflicts_with = "unique_ids",
        requires = "patient"
    )]
    study: Option<String>,
    /// Whose study it is: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID", requires = "study")]
    patient: Option<String>,
    /// A transfer syntax in which images may come [default: every one that DICOM has]
    #[arg(long, value_name = "UID", conflicts_with = "unique_ids")]
    transfer_syntax: Vec<String>,
    /// What came as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let node = node.asking(&arguments.asked);
    let out = &arguments.out;
    std::fs::create_dir_all(out)
        .map_err(|error| Usage(format!("{}: cannot be made: {error}", out.display())))?;
    let ledger = node.ledger()?;
    let work = async {
        match arguments.unique_ids.is_empty() {
            false => documents::run(arguments, &node, &ledger).await,
            true => study::run(arguments, &node, &ledger).await,
        }
    };
    tokio::select! {
        done = work => done,
        // Ending here removes the files that are not whole.
        _ = tokio::signal::ctrl_c() => bail!("interrupted; nothing that is not whole was kept"),
    }
}

/// Fails if anything is missing or wrong.
fn complete(what: String, errors: Vec<RegistryError>, by: By, whole: bool) -> anyhow::Result<()> {
    match whole {
        true => Ok(()),
        false => Err(Refused::new(what, errors).by(by).into()),
    }
}
