//! ITI-18 Registry Stored Query: whether a manifest is registered already.
//!
//! Asked by this source when an earlier attempt to hand a manifest in was cut short; answered by
//! the Document Registry. The query is GetDocuments, by uniqueId.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-18.html>

use hilum_audit::{Event, Outcome, Parties, Query};
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
    let unique_id = UniqueId::from(manifest.sop_instance_uid.as_str());
    let query = StoredQuery::GetDocuments(Names::UniqueIds(vec![unique_id]));
    let request = query.to_visible_request(ReturnType::LeafClass, &EVERYTHING);
    let sent = importing
        .client
        .send::<RegistryStoredQuery>(url, &request, Vec::new());
    let (answer, how) = match sent.await {
        Ok(answer) => {
            let how = outcome(answer.response.status, &answer.response.errors);
            (judged(&answer.response, manifest), how)
        }
        Err(error) => (Err(error.to_string()), Outcome::Failure(error.to_string())),
    };
    let event = event(url, &request, &how);
    Ok(importing.audit.record(event, answer).await?.into_inner())
}

fn judged(response: &AdhocQueryResponse, manifest: &Manifest) -> Result<Known, String> {
    if response.status != ResponseStatus::Success {
        let codes: Vec<&str> = response.errors.iter().map(|it| it.code.as_str()).collect();
        return Err(format!(
            "the registry does not say whether manifest {} is registered: {}",
            manifest.sop_instance_uid,
            codes.join(" ")
        ));
    }
    let entries = response.objects.iter();
    let mut entries = entries.filter_map(|object| DocumentEntry::from_ebrim(object).ok());
    let ours = entries.find(|it| it.entry_uuid.as_str() == manifest.entry_uuid);
    Ok(match ours.map(|entry| entry.availability_status) {
        None => Known::No,
        Some(Some(AvailabilityStatus::Deprecated)) => Known::Deprecated,
        Some(_) => Known::Approved,
    })
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
