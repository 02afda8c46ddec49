//! Which associations touch which objects. The objects may be of other patients than the
//! association, which is kept with its submission set.

use diesel::prelude::*;

use super::schema::links;
use super::{Connection, Either, on};

/// Rows of one INSERT on PostgreSQL, which takes 65,535 values.
const ROWS: usize = 10_000;

/// One end of an association.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Insertable)]
#[diesel(table_name = links)]
pub(crate) struct Link {
    /// Key of the object.
    pub(crate) object: i64,
    /// Key of the association.
    pub(crate) association: i64,
}

/// Adds a link; an association of an object with itself has only one.
pub(crate) fn insert(conn: &mut Connection, links: &[Link]) -> QueryResult<()> {
    match conn.engine() {
        Either::Sqlite(c) => links.iter().try_for_each(|link| {
            diesel::insert_into(links::table)
                .values(link)
                .on_conflict_do_nothing()
                .execute(c)
                .map(drop)
        }),
        Either::Postgres(c) => links.chunks(ROWS).try_for_each(|links| {
            diesel::insert_into(links::table)
                .values(links)
                .on_conflict_do_nothing()
                .execute(c)
                .map(drop)
        }),
    }
}

/// The keys of the associations that touch one of these objects.
pub(crate) fn associations_of(conn: &mut Connection, objects: &[i64]) -> QueryResult<Vec<i64>> {
    let mut associations = match conn.engine() {
        Either::Sqlite(c) => {
            let mut associations = Vec::new();
            for object in objects {
                let found = links::table
                    .filter(links::object.eq(object))
                    .select(links::association);
                associations.extend(found.load::<i64>(c)?);
            }
            associations
        }
        Either::Postgres(c) => links::table
            .filter(links::object.eq_any(objects))
            .select(links::association)
            .load(c)?,
    };
    associations.sort_unstable();
    associations.dedup();
    Ok(associations)
}

/// Removes links.
pub(crate) fn remove(conn: &mut Connection, links: &[Link]) -> QueryResult<()> {
    links.iter().try_for_each(|link| {
        let query = diesel::delete(links::table.find((link.object, link.association)));
        on!(&mut *conn, |c| query.execute(c)).map(drop)
    })
}
