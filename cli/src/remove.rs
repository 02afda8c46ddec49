//! `hilum remove`: removes documents for good, in the order of the RMD supplement: first what the
//! registry knows of them (ITI-62 Remove Metadata), so that nobody finds what is gone, and then the
//! documents themselves (ITI-86 Remove Documents).

mod documents;
mod metadata;
mod study;

use std::path::PathBuf;

use clap::Args;
use hilum_audit::Audit;
use serde_json::{Value, json};
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::iti43_retrieve_document_set::DocumentRequest;
use xds_schemas::metadata::{DocumentEntry, DocumentEntryType, UniqueId};

use crate::client::{ForUser, Node};
use crate::config::ConfigError;
use crate::query::{self, Question};
use crate::refusal::{self, Refused};
use crate::terminal::{Table, say, say_json};

const NOTES: &str = "\
With a document go all versions of its entry, its memberships in folders and submission sets, its
relations to other documents, and submission sets that would be left empty. Nothing can be taken back.

If a removal was cut short, say it again: what is gone already is not missed.

Examples:
  hilum remove 2.25.1
  hilum remove 2.25.1 2.25.2 --metadata-only
  hilum remove 2.25.1 --documents-only
  hilum remove --study 1.2.840.99.5";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    /// uniqueIds of documents
    #[arg(value_name = "UNIQUE_ID", required_unless_present = "study")]
    unique_ids: Vec<String>,
    /// Study Instance UIDs of studies of the node's imaging source, which go with their manifests
    #[arg(long, value_name = "UID", conflicts_with_all = ["unique_ids", "repository", "metadata_only", "documents_only"])]
    study: Vec<String>,
    /// The node whose registry and repository are asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// The repository of documents that the registry does not know [default: that of the node]
    #[arg(long, value_name = "OID")]
    repository: Option<String>,
    /// Leave the documents where they are
    #[arg(long, conflicts_with = "documents_only")]
    metadata_only: bool,
    /// Leave the metadata in the registry, where it then leads to nothing
    #[arg(long)]
    documents_only: bool,
    /// What was removed as JSON
    #[arg(long)]
    json: bool,
}

/// What became of one document.
#[derive(Debug)]
struct Removal {
    unique_id: UniqueId,
    /// Objects that the registry has forgotten; none if it was not asked.
    objects: Option<usize>,
    /// Documents that the repository has removed; none if it was not asked.
    documents: Option<usize>,
    errors: Vec<RegistryError>,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let ledger = node.ledger()?;
    if !arguments.study.is_empty() {
        return studies(arguments, &node, &ledger).await;
    }
    let mut ids: Vec<&str> = arguments.unique_ids.iter().map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut removals = Vec::new();
    let mut broken = None;
    for id in ids {
        let mut removal = Removal {
            unique_id: UniqueId::from(id),
            objects: None,
            documents: None,
            errors: Vec::new(),
        };
        let removed = remove(arguments, &node, &ledger, &mut removal).await;
        removals.push(removal);
        if let Err(error) = removed {
            // What was done until then is told all the same.
            broken = Some(error);
            break;
        }
    }
    match arguments.json {
        true => say_json(&json!(
            removals.iter().map(Removal::json).collect::<Vec<_>>()
        ))?,
        false => say(&table(&removals).text())?,
    }
    if let Some(error) = broken {
        return Err(error);
    }
    let errors = removals.into_iter().flat_map(|removal| removal.errors);
    complete(errors.collect())
}

/// Whether everything was removed.
fn complete(errors: Vec<RegistryError>) -> anyhow::Result<()> {
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Refused::new("not everything was removed", errors).into()),
    }
}

/// Removes studies of the imaging source.
async fn studies(arguments: &Arguments, node: &Node, ledger: &Audit) -> anyhow::Result<()> {
    let mut removals = Vec::new();
    let mut broken = None;
    for uid in &arguments.study {
        match study::remove(node, ledger, uid).await {
            Ok(removal) => removals.push(removal),
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    if arguments.json {
        let shown: Vec<_> = removals.iter().map(study::StudyRemoval::json).collect();
        say_json(&json!(shown))?;
    } else {
        let mut table = Table::new(&["STUDY", "METADATA", "REMOVED"]);
        removals.iter().for_each(|it| table.row(it.row()));
        say(&table.text())?;
    }
    if let Some(error) = broken {
        return Err(error);
    }
    let errors = removals.into_iter().flat_map(|it| it.errors);
    complete(errors.collect())
}

/// Removes one document. The repository is asked only when the registry has forgotten it.
async fn remove(
    arguments: &Arguments,
    node: &Node,
    ledger: &Audit,
    removal: &mut Removal,
) -> anyhow::Result<()> {
    let entries = entries(node, ledger, &removal.unique_id).await?;
    if !arguments.documents_only && !entries.is_empty() {
        let forgotten = metadata::remove(node, ledger, &entries).await?;
        match forgotten {
            Ok(objects) => removal.objects = Some(objects),
            Err(errors) => {
                removal.errors = errors;
                return Ok(());
            }
        }
    }
    if arguments.metadata_only {
        return Ok(());
    }
    let (documents, patient) = documents_of(arguments, node, &removal.unique_id, &entries)?;
    if documents.is_empty() {
        return Ok(());
    }
    let asked = documents.len();
    let errors = documents::remove(node, ledger, documents, patient.as_deref()).await?;
    removal.documents = Some(asked.saturating_sub(errors.len()));
    removal.errors = errors;
    Ok(())
}

/// All versions of all entries of the document.
async fn entries(
    node: &Node,
    ledger: &Audit,
    unique_id: &UniqueId,
) -> anyhow::Result<Vec<DocumentEntry>> {
    let query = StoredQuery::GetDocuments(Names::UniqueIds(vec![unique_id.clone()]));
    let question = Question::from(&query).with_versions();
    Ok(query::find(node, ledger, &question).await?.documents)
}

/// Where the document is, and whose it is. What is made on demand is nowhere.
fn documents_of(
    arguments: &Arguments,
    node: &Node,
    unique_id: &UniqueId,
    entries: &[DocumentEntry],
) -> anyhow::Result<(Vec<DocumentRequest>, Option<String>)> {
    let patient = entries.iter().find_map(|entry| entry.patient_id.as_ref());
    let patient = patient.map(ToString::to_string);
    let stable = entries
        .iter()
        .filter(|entry| entry.entry_type == DocumentEntryType::Stable);
    let mut documents: Vec<DocumentRequest> = Vec::new();
    for entry in stable {
        let Some(repository) = entry.repository_unique_id.clone() else {
            continue;
        };
        if documents
            .iter()
            .all(|it| it.repository_unique_id != repository)
        {
            documents.push(DocumentRequest {
                home_community_id: entry.home_community_id.clone(),
                repository_unique_id: repository,
                document_unique_id: unique_id.clone(),
            });
        }
    }
    if entries.is_empty() {
        let given = arguments.repository.as_deref();
        let repository = given.or_else(|| node.config.repository_unique_id());
        let repository = repository.ok_or_else(|| {
            let problem = "repository.unique_id: it is needed, or --repository OID";
            ConfigError(problem.to_owned())
        })?;
        documents.push(DocumentRequest {
            home_community_id: None,
            repository_unique_id: repository.into(),
            document_unique_id: unique_id.clone(),
        });
    }
    Ok((documents, patient))
}

impl Removal {
    fn json(&self) -> Value {
        json!({
            "uniqueId": self.unique_id.as_str(),
            "objects": self.objects,
            "documents": self.documents,
            "errors": refusal::json(&self.errors),
        })
    }
}

fn table(removals: &[Removal]) -> Table {
    let mut table = Table::new(&["UNIQUE ID", "METADATA", "DOCUMENT"]);
    for removal in removals {
        let metadata = match removal.objects {
            Some(objects) => format!("{objects} objects removed"),
            None => String::new(),
        };
        let document = match removal.documents {
            Some(0) => "not removed",
            Some(_) => "removed",
            None => "",
        };
        let id = removal.unique_id.to_string();
        table.row(vec![id, metadata, document.to_owned()]);
    }
    table
}
