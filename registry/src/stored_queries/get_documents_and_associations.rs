//! GetDocumentsAndAssociations: document entries by name, and the associations that touch them.

use xds_schemas::iti18_registry_stored_query::Names;

use super::{Search, get_documents, in_order, keys_of};
use crate::db::Connection;
use crate::db::registry_objects::Found;
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    names: &Names,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let documents = get_documents::find(conn, names, search)?;
    let associations = search.touching(conn, &keys_of(&documents))?;
    Ok(in_order([documents, associations]))
}
