//! Which documents are about which specimens.

use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use hilum_security::at_rest::fields::{Fields, Named, Place};

use super::counting::count as count_of;
use super::fields::broken;
use super::schema::specimens;
use super::{Connection, on};

/// A document is about a specimen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Specimen {
    pub(crate) specimen: String,
    pub(crate) key: i64,
}

/// Adds what documents are about.
pub(crate) fn insert(conn: &mut Connection, specimens: &[Specimen]) -> QueryResult<()> {
    let fields = conn.fields();
    on!(conn, |c| specimens.iter().try_for_each(|specimen| {
        let Named { name, sealed } = kept(&fields, specimen)?;
        let values = (
            specimens::specimen.eq(name),
            specimens::key.eq(specimen.key),
            specimens::sealed.eq(sealed),
        );
        diesel::insert_into(specimens::table)
            .values(values)
            .execute(c)
            .map(drop)
    }))
}

/// The name of a specimen, where it is kept.
pub(super) const SPECIMEN: &str = "specimens.specimen";

fn kept(fields: &Fields, specimen: &Specimen) -> QueryResult<Named> {
    let place = Place::of(SPECIMEN, &specimen.key);
    fields.name(place, &specimen.specimen).map_err(broken)
}

fn name(fields: &Fields, specimen: &str) -> QueryResult<String> {
    fields.pseudonym(SPECIMEN, specimen).map_err(broken)
}

/// Removes these.
pub(crate) fn remove(conn: &mut Connection, specimens: &[Specimen]) -> QueryResult<()> {
    let fields = conn.fields();
    on!(conn, |c| specimens.iter().try_for_each(|it| {
        let row = specimens::table.find((name(&fields, &it.specimen)?, it.key));
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
    let fields = conn.fields();
    if fields.are_sealed() && from != to {
        return sealed_keys(conn, &fields, (from, to), limit);
    }
    let (from, to) = (name(&fields, from)?, name(&fields, to)?);
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
    let fields = conn.fields();
    if fields.are_sealed() && from != to {
        let found = sealed_keys(conn, &fields, (from, to), limit)?;
        return Ok(i64::try_from(found.len()).unwrap_or(i64::MAX));
    }
    let (from, to) = (name(&fields, from)?, name(&fields, to)?);
    on!(conn, |c| {
        let query = specimens::table
            .filter(specimens::specimen.between(from, to))
            .limit(limit)
            .select(specimens::key);
        count_of(query).get_result(c)
    })
}

/// The same where they are sealed: pseudonyms have no order, so that all of them are opened, until
/// there are enough.
fn sealed_keys(
    conn: &mut Connection,
    fields: &Fields,
    (from, to): (&str, &str),
    limit: i64,
) -> QueryResult<Vec<i64>> {
    let limit = usize::try_from(limit).unwrap_or_default();
    on!(conn, |c| {
        let rows = specimens::table
            .select((specimens::specimen, specimens::sealed, specimens::key))
            .load_iter::<(String, Option<String>, i64), DefaultLoadingMode>(c)?;
        let opened = rows.map(|row| {
            let (name, sealed, key) = row?;
            let place = Place::of(SPECIMEN, &key);
            let text = fields.reveal(place, Named { name, sealed });
            let text = text.map_err(broken)?;
            Ok((from <= text.as_str() && text.as_str() <= to).then_some(key))
        });
        let found = opened.filter_map(Result::transpose);
        found.take(limit).collect()
    })
}
