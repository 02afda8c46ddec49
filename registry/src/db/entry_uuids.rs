//! Which object has which entryUUID.

use diesel::prelude::*;
use uuid::Uuid;

use super::schema::entry_uuids;
use super::{Connection, Either, on};

/// Gives an entryUUID to an object; says whether it was free.
pub(crate) fn claim(conn: &mut Connection, uuid: Uuid, key: i64) -> QueryResult<bool> {
    let values = (
        entry_uuids::uuid.eq(uuid.as_bytes().as_slice()),
        entry_uuids::key.eq(key),
    );
    let claimed = on!(conn, |c| diesel::insert_into(entry_uuids::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(claimed > 0)
}

/// The keys of these objects, as far as there are such.
pub(crate) fn find(conn: &mut Connection, uuids: &[Uuid]) -> QueryResult<Vec<i64>> {
    let query = |uuid: &Uuid| entry_uuids::table.find(uuid.as_bytes().to_vec());
    match conn.engine() {
        Either::Sqlite(c) => uuids
            .iter()
            .filter_map(|uuid| {
                let key = query(uuid).select(entry_uuids::key).first(c);
                key.optional().transpose()
            })
            .collect(),
        Either::Postgres(c) => entry_uuids::table
            .filter(entry_uuids::uuid.eq_any(uuids.iter().map(|uuid| uuid.as_bytes().to_vec())))
            .select(entry_uuids::key)
            .load(c),
    }
}

/// Takes an entryUUID away, for somebody else to have.
pub(crate) fn remove(conn: &mut Connection, uuid: Uuid) -> QueryResult<()> {
    let query = diesel::delete(entry_uuids::table.find(uuid.as_bytes().to_vec()));
    on!(conn, |c| query.execute(c)).map(drop)
}
