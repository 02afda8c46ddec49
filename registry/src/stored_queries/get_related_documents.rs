//! GetRelatedDocuments: what a document was made from, replaced by, appended to and so on.

use xds_schemas::iti18_registry_stored_query::GetRelatedDocuments;
use xds_schemas::metadata::AssociationType;

use super::{Search, filter, get_documents, in_order, keys_of};
use crate::db::Connection;
use crate::db::registry_objects::Found;
use crate::failure::Failure;

/// Nothing at all if the document is not related in one of the ways asked for.
pub(super) fn find(
    conn: &mut Connection,
    query: &GetRelatedDocuments,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let given = get_documents::find(conn, &query.of, search)?;
    let given_keys = keys_of(&given);
    let mut associations = search.touching(conn, &given_keys)?;
    associations.retain(|found| {
        let urn = found.row.association_type.as_deref().unwrap_or_default();
        query
            .association_types
            .contains(&AssociationType::parse(urn))
    });
    let ends = |found: &Found| [found.row.source_key, found.row.target_key];
    let others: Vec<i64> = associations
        .iter()
        .flat_map(ends)
        .flatten()
        .filter(|end| !given_keys.contains(end))
        .collect();
    let types = &query.entry_types;
    let others = search.with_keys(conn, &others, |row| filter::is_of_type(row, types))?;
    // Both ends are documents that are returned.
    let is_returned =
        |key: &i64| given_keys.contains(key) || others.iter().any(|found| found.row.key == *key);
    associations.retain(|found| ends(found).iter().flatten().all(is_returned));
    if associations.is_empty() {
        return Ok(Vec::new());
    }
    let connected: Vec<i64> = associations.iter().flat_map(ends).flatten().collect();
    let mut documents = in_order([given, others]);
    documents.retain(|found| connected.contains(&found.row.key));
    Ok(in_order([documents, associations]))
}
