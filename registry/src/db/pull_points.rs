//! Pull points: where notifications wait until somebody comes for them.

use diesel::prelude::*;

use super::schema::pull_points;
use super::{Connection, notifications, on, subscriptions};

/// A pull point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = pull_points)]
pub(crate) struct PullPoint {
    pub(crate) number: i64,
    /// How many notifications it keeps.
    pub(crate) capacity: i64,
    /// How many it could not keep.
    pub(crate) lost: i64,
}

/// How many there are.
pub(crate) fn count(conn: &mut Connection) -> QueryResult<i64> {
    on!(conn, |c| pull_points::table.count().get_result(c))
}

/// Makes one.
pub(crate) fn insert(
    conn: &mut Connection,
    reference: &str,
    capacity: i64,
    now: i64,
) -> QueryResult<()> {
    let values = (
        pull_points::reference.eq(reference),
        pull_points::capacity.eq(capacity),
        pull_points::lost.eq(0),
        pull_points::created.eq(now),
        pull_points::used.eq(now),
    );
    on!(conn, |c| diesel::insert_into(pull_points::table)
        .values(values)
        .execute(c)
        .map(drop))
}

/// The one with this reference.
pub(crate) fn find(conn: &mut Connection, reference: &str) -> QueryResult<Option<PullPoint>> {
    on!(conn, |c| pull_points::table
        .filter(pull_points::reference.eq(reference))
        .select(PullPoint::as_select())
        .first(c)
        .optional())
}

/// The one with this number.
pub(crate) fn get(conn: &mut Connection, number: i64) -> QueryResult<Option<PullPoint>> {
    on!(conn, |c| pull_points::table
        .find(number)
        .select(PullPoint::as_select())
        .first(c)
        .optional())
}

/// Somebody came.
pub(crate) fn used(conn: &mut Connection, number: i64, now: i64) -> QueryResult<()> {
    on!(conn, |c| diesel::update(pull_points::table.find(number))
        .set(pull_points::used.eq(now))
        .execute(c)
        .map(drop))
}

/// So many more could not be kept.
pub(crate) fn lost(conn: &mut Connection, number: i64, count: i64) -> QueryResult<()> {
    on!(conn, |c| diesel::update(pull_points::table.find(number))
        .set(pull_points::lost.eq(pull_points::lost + count))
        .execute(c)
        .map(drop))
}

/// Removes it, with what waits in it and the subscriptions that deliver into it.
pub(crate) fn destroy(conn: &mut Connection, number: i64) -> QueryResult<()> {
    notifications::drop_all(conn, number)?;
    subscriptions::delete_of_pull_point(conn, number)?;
    on!(conn, |c| diesel::delete(pull_points::table.find(number))
        .execute(c)
        .map(drop))
}

/// Those to which nobody has come since a moment.
pub(crate) fn forgotten(conn: &mut Connection, since: i64) -> QueryResult<Vec<i64>> {
    on!(conn, |c| pull_points::table
        .filter(pull_points::used.lt(since))
        .select(pull_points::number)
        .load(c))
}
