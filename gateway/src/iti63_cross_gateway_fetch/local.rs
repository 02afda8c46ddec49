//! What the own community has: its registry is asked, and its repositories for what that found.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hilum_security::Caller;
use xds_schemas::codes::ebrim_uuids::document_entry;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::{AdhocQueryRequest, RegistryError, ReturnType};
use xds_schemas::iti18_registry_stored_query::StoredQuery;
use xds_schemas::iti43_retrieve_document_set::DocumentRequest;
use xds_schemas::iti63_cross_gateway_fetch::to_find;
use xds_schemas::metadata::{AssociationType, EntryUuid};

use super::Collected;
use crate::Room;
use crate::iti38_cross_gateway_query as iti38;
use crate::retrieval;

/// An entry that was found, by repository and document.
type Found = HashMap<(String, String), RegistryObject>;

pub(super) async fn collect(
    room: &Arc<Room>,
    caller: &Caller,
    request: &AdhocQueryRequest,
) -> Collected {
    let find = match to_find(request) {
        Ok(find) => find,
        Err(error) => return Collected::refused(error),
    };
    let mut collected = Collected::default();
    let query = match StoredQuery::read(&find) {
        Ok(query) => query,
        Err(errors) => {
            collected.errors = errors;
            return collected;
        }
    };
    let patients = query.patients().iter().map(ToString::to_string).collect();
    let (response, event) = iti38::ask_here(room, caller, find, patients).await;
    collected.events.push(event);
    collected.answered = true;
    collected.errors = response.errors;
    let entries = response.objects.into_iter();
    let entries = entries.filter(|it| matches!(it.body, Body::ExtrinsicObject { .. }));
    let entries: Vec<RegistryObject> = entries.collect();
    if let Some(error) = too_much(room, &entries) {
        collected.errors.push(error);
        return collected;
    }
    // Documents that have begun to come keep their place among the calls, so nobody is asked after them.
    let related = associations(room, caller, &entries, &mut collected).await;
    documents(room, caller, entries, &mut collected).await;
    let ids = collected.objects.iter().map(|(entry, _)| entry.id.clone());
    let ids: HashSet<String> = ids.collect();
    let related = related.into_iter().filter(|it| are_both_in(it, &ids));
    collected
        .objects
        .extend(related.map(|object| (object, None)));
    collected
}

/// Whether what was found is more than one answer holds. Then nothing of it is given.
fn too_much(room: &Room, entries: &[RegistryObject]) -> Option<RegistryError> {
    let limits = &room.communities.own.fetch;
    let size = |entry: &RegistryObject| {
        let slot = entry.slot("size");
        let value = slot.and_then(|slot| slot.values.first());
        value.and_then(|value| value.parse().ok()).unwrap_or(0_u64)
    };
    let bytes = entries.iter().map(size).fold(0, u64::saturating_add);
    if entries.len() <= limits.documents && bytes <= limits.bytes {
        return None;
    }
    let context = format!(
        "{} documents of {bytes} bytes were found, and one fetch gives {} of {} bytes: narrow it down, \
         or query and retrieve",
        entries.len(),
        limits.documents,
        limits.bytes
    );
    Some(RegistryError::error(ErrorCode::TooManyResults, context))
}

/// Adds the entries whose documents come.
async fn documents(
    room: &Arc<Room>,
    caller: &Caller,
    entries: Vec<RegistryObject>,
    collected: &mut Collected,
) {
    let home = &room.communities.own.home;
    let mut found = Found::new();
    let mut wanted = Vec::new();
    for entry in entries {
        let repository = entry.slot("repositoryUniqueId");
        let repository = repository.and_then(|slot| slot.values.first()).cloned();
        let document = entry.external_identifier(document_entry::UNIQUE_ID);
        let (Some(repository), Some(document)) = (repository, document.map(str::to_owned)) else {
            let context = "an entry does not say where its document is";
            let error = RegistryError::error(ErrorCode::RegistryMetadataError, context);
            collected.errors.push(error.at(&entry.id));
            continue;
        };
        let name = (repository, document);
        // Two entries of one document cannot have it twice: the first that was found does.
        if found.contains_key(&name) {
            continue;
        }
        wanted.push(DocumentRequest {
            home_community_id: Some(home.clone()),
            repository_unique_id: name.0.as_str().into(),
            document_unique_id: name.1.as_str().into(),
        });
        found.insert(name, entry);
    }
    if wanted.is_empty() {
        return;
    }
    let got = retrieval::from_own(room, caller, wanted).await;
    collected.errors.extend(got.errors);
    collected.events.extend(got.events);
    for (document, source) in got.documents {
        let name = (
            document.repository_unique_id.0,
            document.document_unique_id.0,
        );
        if let Some(entry) = found.remove(&name) {
            collected.objects.push((entry, Some(source)));
        }
    }
}

/// How these entries are related to others.
async fn associations(
    room: &Arc<Room>,
    caller: &Caller,
    entries: &[RegistryObject],
    collected: &mut Collected,
) -> Vec<RegistryObject> {
    if entries.len() < 2 {
        return Vec::new();
    }
    let uuids = entries.iter().map(|it| EntryUuid::from(it.id.as_str()));
    let query = StoredQuery::GetAssociations(uuids.collect()).to_request(ReturnType::LeafClass);
    let (response, event) = iti38::ask_here(room, caller, query, Vec::new()).await;
    collected.events.push(event);
    collected.errors.extend(response.errors);
    response.objects
}

/// Whether both ends of what is said are documents of the answer.
fn are_both_in(object: &RegistryObject, ids: &HashSet<String>) -> bool {
    match &object.body {
        Body::Association {
            association_type,
            source,
            target,
        } => {
            *association_type != AssociationType::HasMember.as_str()
                && ids.contains(source)
                && ids.contains(target)
        }
        _ => false,
    }
}
