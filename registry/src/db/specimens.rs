//! Which documents are about which specimens.

use diesel::prelude::*;

use super::counting::count as count_of;
use super::schema::specimens;
use super::{Connection, on};

/// A document is about a specimen.
#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = specimens)]
pub(crate) struct Specimen {
    pub(crate) specimen: String,
    pub(crate) key: i64,
}

/// Adds what documents are about.
pub(crate) fn insert(conn: &mut Connection, specimens: &[Specimen]) -> QueryResult<()> {
    on!(conn, |c| specimens.iter().try_for_each(|specimen| {
        diesel::insert_into(specimens::table)
            .values(specimen)
            .execute(c)
            .map(drop)
    }))
}

/// Removes these.
pub(crate) fn remove(conn: &mut Connection, specimens: &[Specimen]) -> QueryResult<()> {
    on!(conn, |c| specimens.iter().try_for_each(|it| {
        let row = specimens::table.find((&it.specimen, it.key));
        diesel::delete(row).execute(c).map(drop)
    }))
}

/// The documents about specimens of these names, both bounds included, some of them several times,
/// at most `limit`.
pub(crate) fn keys(
    conn: &mut Connection,
    (from, to): (&str, &str),
    limit: i64,
) -> QueryResult<Vec<i64>> {
    on!(conn, |c| specimens::table
        .filter(specimens::specimen.between(from, to))
        .limit(limit)
        .select(specimens::key)
        .load(c))
}

/// How many there are, counted up to `limit`.
pub(crate) fn count(
    conn: &mut Connection,
    (from, to): (&str, &str),
    limit: i64,
) -> QueryResult<i64> {
    on!(conn, |c| {
        let query = specimens::table
            .filter(specimens::specimen.between(from, to))
            .limit(limit)
            .select(specimens::key);
        count_of(query).get_result(c)
    })
}
