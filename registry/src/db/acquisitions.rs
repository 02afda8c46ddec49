//! How the series of documents were made: what each document says, and which documents say it.

use diesel::dsl::{max, min};
use diesel::prelude::*;

use super::counting::count as count_of;
use super::schema::{acquisition_numbers, acquisition_words, acquisitions};
use super::{Connection, Either, SEQ_BITS, on};

/// Rows of one INSERT on PostgreSQL, which takes 65,535 values.
const ROWS: usize = 10_000;

/// What one document says of its series.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = acquisitions)]
pub(crate) struct Acquisition {
    pub(crate) key: i64,
    pub(crate) series: i32,
    /// As [`crate::imaging::facts`] writes them.
    pub(crate) facts: String,
}

/// A document has a series with this number.
#[derive(Debug, Clone, PartialEq, Insertable)]
#[diesel(table_name = acquisition_numbers)]
pub(crate) struct Number {
    pub(crate) keyword: String,
    pub(crate) number: f64,
    pub(crate) key: i64,
}

/// A document has a series with this text or code.
#[derive(Debug, Clone, PartialEq, Insertable)]
#[diesel(table_name = acquisition_words)]
pub(crate) struct Word {
    pub(crate) keyword: String,
    pub(crate) word: String,
    pub(crate) key: i64,
}

/// Adds what a document says.
pub(crate) fn insert(
    conn: &mut Connection,
    acquisition: &Acquisition,
    numbers: &[Number],
    words: &[Word],
) -> QueryResult<()> {
    on!(&mut *conn, |c| diesel::insert_into(acquisitions::table)
        .values(acquisition)
        .execute(c))?;
    match conn.engine() {
        Either::Sqlite(c) => {
            for number in numbers {
                diesel::insert_into(acquisition_numbers::table)
                    .values(number)
                    .execute(c)?;
            }
            for word in words {
                diesel::insert_into(acquisition_words::table)
                    .values(word)
                    .execute(c)?;
            }
        }
        Either::Postgres(c) => {
            for numbers in numbers.chunks(ROWS) {
                diesel::insert_into(acquisition_numbers::table)
                    .values(numbers)
                    .execute(c)?;
            }
            for words in words.chunks(ROWS) {
                diesel::insert_into(acquisition_words::table)
                    .values(words)
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

/// Removes what a document said: these numbers and words.
pub(crate) fn remove(
    conn: &mut Connection,
    key: i64,
    numbers: &[Number],
    words: &[Word],
) -> QueryResult<()> {
    on!(conn, |c| {
        for Number {
            keyword, number, ..
        } in numbers
        {
            let row = acquisition_numbers::table.find((keyword, number, key));
            diesel::delete(row).execute(c)?;
        }
        for Word { keyword, word, .. } in words {
            let row = acquisition_words::table.find((keyword, word, key));
            diesel::delete(row).execute(c)?;
        }
        diesel::delete(acquisitions::table.find(key)).execute(c)
    })
    .map(drop)
}

/// What these documents say, in the order of their keys.
pub(crate) fn by_keys(conn: &mut Connection, keys: &[i64]) -> QueryResult<Vec<Acquisition>> {
    on!(conn, |c| acquisitions::table
        .filter(acquisitions::key.eq_any(keys))
        .order(acquisitions::key)
        .select(Acquisition::as_select())
        .load(c))
}

/// What so many documents say, from all over the registry.
pub(crate) fn sample(conn: &mut Connection, count: i64) -> QueryResult<Vec<Acquisition>> {
    // Asked for together, SQLite would read the whole table.
    let keys = acquisitions::table;
    let first: Option<i64> = on!(&mut *conn, |c| keys.select(min(acquisitions::key)).first(c))?;
    let last: Option<i64> = on!(&mut *conn, |c| keys.select(max(acquisitions::key)).first(c))?;
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(Vec::new());
    };
    let step = ((last - first) / count).max(1);
    let mut sample: Vec<Acquisition> = Vec::new();
    for at in 0..count {
        let from = first.saturating_add(at * step);
        let next = on!(&mut *conn, |c| acquisitions::table
            .filter(acquisitions::key.ge(from))
            .order(acquisitions::key)
            .select(Acquisition::as_select())
            .first(c)
            .optional())?;
        // There may be nothing between two places.
        sample.extend(next.filter(|next| sample.last().is_none_or(|it| it.key < next.key)));
    }
    Ok(sample)
}

/// The documents of a patient that say something, or everybody's.
pub(crate) fn all(
    conn: &mut Connection,
    patient: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<i64>> {
    let (from, to) = patient.map_or((0, i64::MAX), |patient| {
        (patient << SEQ_BITS, (patient + 1) << SEQ_BITS)
    });
    on!(conn, |c| acquisitions::table
        .filter(acquisitions::key.ge(from))
        .filter(acquisitions::key.lt(to))
        .order(acquisitions::key)
        .limit(limit)
        .select(acquisitions::key)
        .load(c))
}

/// Documents that have something: of these words from one to another, or of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Span {
    /// Numbers of a parameter, both bounds included.
    Numbers(&'static str, f64, f64),
    /// Words of a parameter, both bounds included.
    Words(&'static str, String, String),
}

/// Asks for the keys of a span, at most `$limit` times, and does something with the question.
macro_rules! with_keys {
    ($conn:ident, $span:ident, $limit:ident, |$query:ident, $c:ident| $body:expr) => {
        match $span {
            Span::Numbers(keyword, from, to) => on!($conn, |$c| {
                let $query = acquisition_numbers::table
                    .filter(acquisition_numbers::keyword.eq(keyword))
                    .filter(acquisition_numbers::number.between(from, to))
                    .limit($limit)
                    .select(acquisition_numbers::key);
                $body
            }),
            Span::Words(keyword, from, to) => on!($conn, |$c| {
                let $query = acquisition_words::table
                    .filter(acquisition_words::keyword.eq(keyword))
                    .filter(acquisition_words::word.between(from, to))
                    .limit($limit)
                    .select(acquisition_words::key);
                $body
            }),
        }
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
