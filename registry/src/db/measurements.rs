//! Measured values of documents.

use diesel::prelude::*;

use super::counting::count as count_of;
use super::schema::measurements;
use super::{Connection, Either, SEQ_BITS, on};

/// Rows of one INSERT on PostgreSQL, which takes 65,535 values.
const ROWS: usize = 1000;

/// A measured value.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = measurements, treat_none_as_default_value = false)]
pub(crate) struct MeasuredValue {
    pub(crate) key: i64,
    /// Which one of the document's it is.
    pub(crate) place: i32,
    /// Codes are written `code^^scheme`.
    pub(crate) concept: String,
    /// In the base unit of its dimension.
    pub(crate) number: Option<f64>,
    /// What it measures: [`xds_schemas::imaging::unit::Unit::dimension`].
    pub(crate) dimension: String,
    /// As it was measured.
    pub(crate) value: Option<f64>,
    pub(crate) unit: Option<String>,
    pub(crate) coded_value: Option<String>,
    pub(crate) qualifier: Option<String>,
    pub(crate) finding: Option<String>,
    pub(crate) site: Option<String>,
    pub(crate) laterality: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) derivation: Option<String>,
    pub(crate) algorithm: Option<String>,
    pub(crate) algorithm_version: Option<String>,
    pub(crate) tracking_identifier: Option<String>,
    pub(crate) tracking_uid: Option<String>,
    pub(crate) said_in: Option<String>,
    /// As [`super::registry_objects::join`] writes them.
    pub(crate) source_series: Option<String>,
}

/// Adds measured values.
pub(crate) fn insert(conn: &mut Connection, values: &[MeasuredValue]) -> QueryResult<()> {
    match conn.engine() {
        Either::Sqlite(c) => values.iter().try_for_each(|value| {
            diesel::insert_into(measurements::table)
                .values(value)
                .execute(c)
                .map(drop)
        }),
        Either::Postgres(c) => values.chunks(ROWS).try_for_each(|values| {
            diesel::insert_into(measurements::table)
                .values(values)
                .execute(c)
                .map(drop)
        }),
    }
}

/// Removes those of a document.
pub(crate) fn remove(conn: &mut Connection, key: i64) -> QueryResult<()> {
    let query = diesel::delete(measurements::table.filter(measurements::key.eq(key)));
    on!(conn, |c| query.execute(c)).map(drop)
}

/// The measured values of these concepts in these documents, in the order of their keys.
pub(crate) fn by_keys(
    conn: &mut Connection,
    keys: &[i64],
    concepts: &[&str],
) -> QueryResult<Vec<MeasuredValue>> {
    // The index of concepts has far more rows than these documents: it must not be taken.
    let concept = measurements::concept.concat("");
    on!(conn, |c| measurements::table
        .filter(measurements::key.eq_any(keys))
        .filter(concept.eq_any(concepts))
        .order((measurements::key, measurements::place))
        .select(MeasuredValue::as_select())
        .load(c))
}

/// The documents of a patient that have measured values.
pub(crate) fn of_patient(conn: &mut Connection, patient: i64, limit: i64) -> QueryResult<Vec<i64>> {
    let (from, to) = (patient << SEQ_BITS, (patient + 1) << SEQ_BITS);
    on!(conn, |c| measurements::table
        .filter(measurements::key.ge(from))
        .filter(measurements::key.lt(to))
        .order(measurements::key)
        .limit(limit)
        .select(measurements::key)
        .distinct()
        .load(c))
}

/// Measured values of a concept: all, or those from one number to another, bounds included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) concept: String,
    pub(crate) range: Option<(f64, f64)>,
}

/// Asks for the keys of a span, at most `$limit` times, and does something with the question.
macro_rules! with_keys {
    ($conn:ident, $span:ident, $limit:ident, |$query:ident, $c:ident| $body:expr) => {
        on!($conn, |$c| {
            let all = measurements::table
                .filter(measurements::concept.eq(&$span.concept))
                .limit($limit)
                .select(measurements::key);
            match $span.range {
                Some((from, to)) => {
                    let $query = all.filter(measurements::number.between(from, to));
                    $body
                }
                None => {
                    let $query = all;
                    $body
                }
            }
        })
    };
}

/// The documents of a span, some of them several times, at most `limit`.
pub(crate) fn keys(conn: &mut Connection, span: &Span, limit: i64) -> QueryResult<Vec<i64>> {
    with_keys!(conn, span, limit, |query, c| query.load(c))
}

/// How many there are, counted up to `limit`.
pub(crate) fn count(conn: &mut Connection, span: &Span, limit: i64) -> QueryResult<i64> {
    with_keys!(conn, span, limit, |query, c| count_of(query).get_result(c))
}
