//! `hilum summary`: makes a patient's imaging summary known (ITI-61 Register On-Demand Document
//! Entry).
//!
//! Like `hilum import`, it does a part of what a source does: it registers. The repository of the
//! node makes the summary when somebody retrieves it.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use hilum_repository::on_demand::{Fate, Registering, register};
use serde_json::json;
use xds_schemas::affinity_codes::CodeKind;
use xds_schemas::metadata::{Code, RepositoryUniqueId};

use crate::client::{ForUser, Node};
use crate::config::{ConfigError, OnDemand};
use crate::domain::Domain;
use crate::refusal::Refused;
use crate::rooms;
use crate::status::Usage;
use crate::terminal::{say, say_json};

/// The code system of IHE's classCodes in codes.xml.
const CLASSES: &str = "1.3.6.1.4.1.19376.1.2.6.1";
/// IHE's format codes.
const FORMATS: &str = "1.3.6.1.4.1.19376.1.2.3";

#[derive(Debug, Args)]
#[command(after_help = "\
The summary lists every imaging study and report that the registry knows when it is retrieved, as a
FHIR document (application/fhir+json). A patient has one; asking again tells its uniqueId.

Example:
  hilum summary --patient P-1
  hilum query --patient P-1 --type on-demand
  hilum retrieve UNIQUE_ID --out got/")]
pub(crate) struct Arguments {
    /// Whose summary: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID")]
    patient: String,
    /// What the summary is called [default: Imaging summary]
    #[arg(long)]
    title: Option<String>,
    /// The node whose repository makes it
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// What became of it as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let config = &node.config;
    if config.repository.on_demand == OnDemand::Off {
        let problem = "repository.on_demand is \"off\": nobody could retrieve the summary";
        return Err(ConfigError(problem.to_owned()).into());
    }
    let longest = 127;
    let title = arguments.title.as_deref();
    if title.is_some_and(|title| title.chars().count() > longest) {
        return Err(Usage(format!("--title: it has more than {longest} characters")).into());
    }
    let patient = Domain::of(config)?.patient(&arguments.patient)?;
    let codes = rooms::affinity_codes(config)?;
    let mut department = rooms::department(&codes);
    let summaries = Code::new("SUMMARIES", CLASSES, "Summaries");
    department.class_code = rooms::known(&codes, CodeKind::ClassCode, summaries);
    let format = Code::new(
        "urn:ihe:iti:xds:2017:mimeTypeSufficient",
        FORMATS,
        "mimeType sufficient",
    );
    let repository = config.repository_unique_id().ok_or_else(|| {
        ConfigError("repository.unique_id: it is needed to say where the summary is".to_owned())
    })?;
    let ledger = node.ledger()?;
    let registering = Registering {
        repository_unique_id: &RepositoryUniqueId::from(repository),
        department: &department,
        format_code: &rooms::known(&codes, CodeKind::FormatCode, format),
        registry: &node.registry()?,
        client: &node.client,
        audit: &ledger,
        now: SystemTime::now(),
    };
    match register(&registering, &patient, title).await? {
        Fate::Registered(unique_id) => told(arguments, "Registered", unique_id.as_str()),
        Fate::Known(unique_id) => told(arguments, "Known", unique_id.as_str()),
        Fate::Refused(errors) => {
            Err(Refused::new("the registry refused the summary", errors).into())
        }
    }
}

fn told(arguments: &Arguments, fate: &str, unique_id: &str) -> anyhow::Result<()> {
    match arguments.json {
        true => say_json(&json!({ "fate": fate, "uniqueId": unique_id }))?,
        false => say(unique_id)?,
    }
    Ok(())
}
