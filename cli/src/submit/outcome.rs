//! What became of a submission, as it is shown.

use serde_json::{Value, json};
use xds_schemas::codes::ebrim_uuids;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::RegistryResponse;

use crate::refusal;
use crate::terminal::Table;

/// The document entries with their uniqueIds.
pub(super) fn entries(objects: &[RegistryObject]) -> impl Iterator<Item = (&RegistryObject, &str)> {
    let entry = |object: &&RegistryObject| matches!(object.body, Body::ExtrinsicObject { .. });
    let unique_id = ebrim_uuids::document_entry::UNIQUE_ID;
    let unique_id = |object| RegistryObject::external_identifier(object, unique_id);
    let objects = objects.iter().filter(entry);
    objects.map(move |object| (object, unique_id(object).unwrap_or_default()))
}

/// Where a document is now, as far as that is known: where the metadata says, or else in the repository of this
/// node.
fn repository_of(object: &RegistryObject, repository: Option<&str>) -> String {
    let said = object.slot("repositoryUniqueId");
    let said = said
        .and_then(|slot| slot.values.first())
        .map(String::as_str);
    said.or(repository).unwrap_or_default().to_owned()
}

/// A line for each document.
pub(super) fn table(objects: &[RegistryObject], repository: Option<&str>) -> Table {
    let mut table = Table::new(&["STATUS", "TITLE", "REPOSITORY", "UNIQUE ID", "ENTRY UUID"]);
    for (object, unique_id) in entries(objects) {
        let title = object.name.as_ref().and_then(|name| name.first());
        table.row(vec![
            refusal::word(ResponseStatus::Success).to_owned(),
            title.unwrap_or_default().to_owned(),
            repository_of(object, repository),
            unique_id.to_owned(),
            object.id.clone(),
        ]);
    }
    table
}

/// The outcome for machines.
pub(super) fn json(
    objects: &[RegistryObject],
    response: &RegistryResponse,
    repository: Option<&str>,
) -> Value {
    let document = |(object, unique_id): (&RegistryObject, &str)| {
        json!({
            "uniqueId": unique_id,
            "entryUUID": object.id,
            "repositoryUniqueId": Some(repository_of(object, repository)).filter(|it| !it.is_empty()),
            "title": object.name.as_ref().and_then(|name| name.first()),
        })
    };
    let unique_id = ebrim_uuids::submission_set::UNIQUE_ID;
    let set = objects
        .iter()
        .find_map(|object| object.external_identifier(unique_id));
    json!({
        "status": refusal::word(response.status),
        "errors": refusal::json(&response.errors),
        "submissionSet": set,
        "documents": entries(objects).map(document).collect::<Vec<_>>(),
    })
}
