//! The documents of the submission sets, from the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hilum_audit::Audit;
use xds_schemas::metadata::{EntryUuid, Submission};

use super::writing::OnMedium;
use crate::client::Node;
use crate::refusal::Refused;
use crate::retrieve::documents::fetch;
use crate::retrieve::wanted::Wanted;

/// Documents that are retrieved at once.
const AT_ONCE: usize = 200;

/// A document that came: its file, its length, its hash.
type Came = (PathBuf, u64, String);

/// Retrieves every document into `staging`. A medium that lacks one would not be what it says it is,
/// so that all of them must come.
pub(super) async fn retrieve(
    node: &Node,
    ledger: &Audit,
    sets: Vec<Submission>,
    staging: &Path,
) -> anyhow::Result<Vec<OnMedium>> {
    // One answer concerns one patient.
    let mut by_patient: BTreeMap<Option<String>, Vec<(EntryUuid, Wanted)>> = BTreeMap::new();
    for entry in sets.iter().flat_map(|set| &set.document_entries) {
        let wanted = Wanted::registered(entry)
            .with_context(|| format!("the registry does not say where {} is", entry.unique_id))?;
        let of_patient = by_patient.entry(wanted.patient.clone()).or_default();
        of_patient.push((entry.entry_uuid.clone(), wanted));
    }
    let mut came: BTreeMap<EntryUuid, Came> = BTreeMap::new();
    for chunk in by_patient
        .values()
        .flat_map(|wanted| wanted.chunks(AT_ONCE))
    {
        let wanted: Vec<Wanted> = chunk.iter().map(|(_, wanted)| wanted.clone()).collect();
        let delivery = fetch(node, ledger, &wanted, staging).await?;
        if let Some(broken) = delivery.broken {
            return Err(broken);
        }
        if delivery.received.len() < wanted.len() {
            let missing = wanted.len() - delivery.received.len();
            return Err(Refused::new(
                format!("{missing} documents were not retrieved, so nothing is written"),
                delivery.errors,
            )
            .into());
        }
        for received in delivery.received {
            let (uuid, wanted) = &chunk[received.place];
            if wanted.differs(&received) {
                let id = &wanted.request.document_unique_id;
                bail!("document {id} is not what was registered: its hash or size differs");
            }
            let (size, hash) = (received.size, received.hash.clone());
            let path = staging.join(came.len().to_string());
            received.keep(&path)?;
            came.insert(uuid.clone(), (path, size, hash));
        }
    }
    let mut ready = Vec::new();
    for mut submission in sets {
        let mut files = Vec::new();
        for entry in &mut submission.document_entries {
            let (path, size, hash) = came
                .get(&entry.entry_uuid)
                .with_context(|| format!("document {} did not come", entry.unique_id))?;
            entry.hash = Some(hash.clone());
            entry.size = Some(*size);
            files.push(path.clone());
        }
        ready.push(OnMedium { submission, files });
    }
    Ok(ready)
}
