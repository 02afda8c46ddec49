//! The later versions of document entries and folders, by their logicalID. The first version is not
//! here: its entryUUID is the logicalID.

use diesel::prelude::*;
use uuid::Uuid;

use super::schema::versions;
use super::{Connection, on};

/// Gives a version number to an object; says whether it was free.
pub(crate) fn claim(
    conn: &mut Connection,
    logical_uuid: Uuid,
    version: i32,
    key: i64,
) -> QueryResult<bool> {
    let values = (
        versions::logical_uuid.eq(logical_uuid.as_bytes().as_slice()),
        versions::version.eq(version),
        versions::key.eq(key),
    );
    let claimed = on!(conn, |c| diesel::insert_into(versions::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(claimed > 0)
}

/// The keys of the later versions of these objects.
pub(crate) fn find(conn: &mut Connection, logical_uuids: &[Uuid]) -> QueryResult<Vec<i64>> {
    let uuids = logical_uuids.iter().map(|uuid| uuid.as_bytes().to_vec());
    let uuids: Vec<Vec<u8>> = uuids.collect();
    on!(conn, |c| versions::table
        .filter(versions::logical_uuid.eq_any(uuids))
        .select(versions::key)
        .load(c))
}

/// Forgets a version. Its number is not given again while there is a later one.
pub(crate) fn remove(conn: &mut Connection, logical_uuid: Uuid, version: i32) -> QueryResult<()> {
    let logical_uuid = logical_uuid.as_bytes().to_vec();
    let query = diesel::delete(versions::table.find((logical_uuid, version)));
    on!(conn, |c| query.execute(c)).map(drop)
}
