//! Which objects have which uniqueId.

use diesel::prelude::*;

use super::schema::unique_ids;
use super::{Connection, Either, on};

/// Gives a uniqueId to an object; says whether that copy was free. A submission set or folder
/// needs copy 0, and a document entry the copy after those that were found.
pub(crate) fn claim(
    conn: &mut Connection,
    unique_id: &str,
    copy: i32,
    key: i64,
) -> QueryResult<bool> {
    let values = (
        unique_ids::unique_id.eq(unique_id),
        unique_ids::copy.eq(copy),
        unique_ids::key.eq(key),
    );
    let claimed = on!(conn, |c| diesel::insert_into(unique_ids::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(claimed > 0)
}

/// The keys of the objects with one of these uniqueIds.
pub(crate) fn find(conn: &mut Connection, unique_ids: &[&str]) -> QueryResult<Vec<i64>> {
    match conn.engine() {
        Either::Sqlite(c) => {
            let mut keys = Vec::with_capacity(unique_ids.len());
            for unique_id in unique_ids {
                let found = unique_ids::table
                    .filter(unique_ids::unique_id.eq(*unique_id))
                    .select(unique_ids::key);
                keys.extend(found.load::<i64>(c)?);
            }
            Ok(keys)
        }
        Either::Postgres(c) => unique_ids::table
            .filter(unique_ids::unique_id.eq_any(unique_ids))
            .select(unique_ids::key)
            .load(c),
    }
}

/// Takes a uniqueId away from an object. Copies that stay move up, so that the first of them has
/// copy 0 again: that is where a newcomer looks whether there are others.
pub(crate) fn remove(conn: &mut Connection, unique_id: &str, key: i64) -> QueryResult<()> {
    let of_id = || unique_ids::table.filter(unique_ids::unique_id.eq(unique_id));
    let query = diesel::delete(of_id().filter(unique_ids::key.eq(key)));
    on!(&mut *conn, |c| query.execute(c))?;
    let left: Vec<i32> = on!(&mut *conn, |c| of_id()
        .order(unique_ids::copy)
        .select(unique_ids::copy)
        .load(c))?;
    for (copy, old) in (0..).zip(left).filter(|(copy, old)| copy != old) {
        let moved = diesel::update(unique_ids::table.find((unique_id, old)));
        on!(&mut *conn, |c| moved
            .set(unique_ids::copy.eq(copy))
            .execute(c))?;
    }
    Ok(())
}
