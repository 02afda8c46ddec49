//! GetAssociations: the associations that touch objects.

use xds_schemas::metadata::EntryUuid;

use super::{Search, keys};
use crate::db::Connection;
use crate::db::registry_objects::Found;
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    uuids: &[EntryUuid],
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let objects = keys(conn, uuids)?;
    search.touching(conn, &objects)
}
