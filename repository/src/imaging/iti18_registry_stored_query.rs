//! ITI-18 Registry Stored Query: whether a manifest is registered already.
//!
//! Asked by this source when an earlier attempt to hand a manifest in was cut short; answered by
//! the Document Registry. The query is GetDocuments, by uniqueId.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-18.html>

use hilum_audit::{Event, Outcome, Parties, Query};
use hilum_dicom::Uid;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, ReturnType};
use xds_schemas::iti18_registry_stored_query::{Names, RegistryStoredQuery, StoredQuery};
use xds_schemas::metadata::{DocumentEntry, UniqueId};
use xds_schemas::xml::{ToXml, Writer};

use super::import::Importing;
use super::manifest::Manifest;
use crate::iti18_registry_stored_query::EVERYTHING;
use crate::iti42_register_document_set::outcome;

/// What the registry knows of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is registered and in force.
    Approved,
    /// It was registered and replaced by another since.
    Deprecated,
    /// It is not registered.
    No,
}

/// Asks the registry at `url` for a manifest. The inner error says why it gave no answer.
pub(super) async fn send(
    importing: &Importing<'_>,
    url: &str,
    manifest: &Manifest,
) -> anyhow::Result<Result<Known, String>> {
    let entries = entries(importing, url, manifest).await?;
    Ok(entries.map(|entries| judged(&entries, manifest)))
}

/// The version of a manifest's document entry that is in force now: whoever corrects its metadata
/// (ITI-57, ITI-92) makes another. The inner error says why the registry gave no answer.
pub(super) async fn current(
    importing: &Importing<'_>,
    url: &str,
    manifest: &Manifest,
) -> anyhow::Result<Result<Option<String>, String>> {
    let entries = entries(importing, url, manifest).await?;
    Ok(entries.map(|entries| {
        let mut versions = versions(&entries, manifest);
        let current = versions.find(|it| in_force(it));
        current.map(|entry| entry.entry_uuid.as_str().to_owned())
    }))
}

/// What the registry has under the name of a manifest, of whatever version and status.
async fn entries(
    importing: &Importing<'_>,
    url: &str,
    manifest: &Manifest,
) -> anyhow::Result<Result<Vec<DocumentEntry>, String>> {
    documents(importing, url, &manifest.sop_instance_uid).await
}

/// What the registry has under a uniqueId, of whatever version and status. The inner error says why
/// it gave no answer.
pub(super) async fn documents(
    importing: &Importing<'_>,
    url: &str,
    document: &Uid,
) -> anyhow::Result<Result<Vec<DocumentEntry>, String>> {
    let unique_id = UniqueId::from(document.as_str());
    let query = StoredQuery::GetDocuments(Names::UniqueIds(vec![unique_id]));
    let request = query.to_visible_request(ReturnType::LeafClass, &EVERYTHING);
    let sent = importing
        .client
        .send::<RegistryStoredQuery>(url, &request, Vec::new());
    let (answer, how) = match sent.await {
        Ok(answer) => {
            let how = outcome(answer.response.status, &answer.response.errors);
            (read(&answer.response, document), how)
        }
        Err(error) => (Err(error.to_string()), Outcome::Failure(error.to_string())),
    };
    let event = event(url, &request, &how);
    Ok(importing.audit.record(event, answer).await?.into_inner())
}

fn read(response: &AdhocQueryResponse, document: &Uid) -> Result<Vec<DocumentEntry>, String> {
    if response.status != ResponseStatus::Success {
        let codes: Vec<&str> = response.errors.iter().map(|it| it.code.as_str()).collect();
        return Err(format!(
            "the registry does not say whether document {document} is registered: {}",
            codes.join(" ")
        ));
    }
    let entries = response.objects.iter();
    let entries = entries.filter_map(|object| DocumentEntry::from_ebrim(object).ok());
    Ok(entries.collect())
}

/// The document entry that was handed in with a manifest, and its later versions: a first version's
/// logicalID is its `entryUUID`.
fn versions<'e>(
    entries: &'e [DocumentEntry],
    manifest: &'e Manifest,
) -> impl Iterator<Item = &'e DocumentEntry> {
    let ours = manifest.entry_uuid.as_str();
    entries.iter().filter(move |entry| {
        let first = entry.logical_id.as_ref().map(|it| it.as_str());
        entry.entry_uuid.as_str() == ours || first == Some(ours)
    })
}

/// A registry that gives no status means that it is approved.
pub(super) fn in_force(entry: &DocumentEntry) -> bool {
    entry.availability_status != Some(AvailabilityStatus::Deprecated)
}

fn judged(entries: &[DocumentEntry], manifest: &Manifest) -> Known {
    let mut versions = versions(entries, manifest).peekable();
    if versions.peek().is_none() {
        return Known::No;
    }
    match versions.any(in_force) {
        true => Known::Approved,
        false => Known::Deprecated,
    }
}

fn event(url: &str, request: &AdhocQueryRequest, how: &Outcome) -> Event {
    let mut text = Writer::default();
    request.to_xml(&mut text);
    let text = text.finish();
    let query = Query {
        id: &request.id,
        request: &text,
        patients: &[],
        home_community_id: request.home.as_deref(),
    };
    Event::queried(&Parties::asked(url), query, how)
}
