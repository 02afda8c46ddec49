//! Whether identifiers are encrypted, and with which key (`docs/at-rest.md`).
//!
//! The table `at_rest` has one row if they are: the wrapped data key, and that an older database has not
//! been encrypted to its end.

use std::path::Path;

use anyhow::bail;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use hilum_security::at_rest::fields::Fields;
use hilum_security::at_rest::fields::database::{self, Database as Keyed, Judged, Kept};
use hilum_security::at_rest::{KeyId, KeyRing};

use super::database::{Database, connect};
use super::schema::{at_rest, correlations};

/// The database, for those who keep its data key.
pub(super) const GATEWAY: Keyed = Keyed {
    name: "gateway",
    called: CALLED,
};
const CALLED: &str = "the gateway's database";
/// The number of the only row.
pub(super) const ONLY: i32 = 1;

pub(super) fn kept(connection: &mut SqliteConnection) -> QueryResult<Option<Kept>> {
    let row: Option<(String, Option<String>)> = at_rest::table
        .find(ONLY)
        .select((at_rest::wrapped, at_rest::progress))
        .first(connection)
        .optional()?;
    Ok(row.map(|(wrapped, progress)| Kept { wrapped, progress }))
}

/// What a database says that may have no tables yet.
fn said(connection: &mut SqliteConnection) -> QueryResult<Option<Kept>> {
    match has(connection, "at_rest")? {
        true => kept(connection),
        false => Ok(None),
    }
}

/// Writes what the database says, if it says nothing yet; whether it was written.
pub(super) fn tell(connection: &mut SqliteConnection, kept: &Kept) -> QueryResult<bool> {
    let told = diesel::insert_into(at_rest::table)
        .values((
            at_rest::number.eq(ONLY),
            at_rest::wrapped.eq(&kept.wrapped),
            at_rest::progress.eq(&kept.progress),
        ))
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(told > 0)
}

fn has_data(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let any = exists(correlations::table.select(correlations::home));
    diesel::select(any).get_result(connection)
}

/// How the identifiers of a database are kept. With a ring, a new one is given a key.
pub(super) fn judged(database: &Database, ring: Option<&KeyRing>) -> anyhow::Result<Fields> {
    let (said, data) = database.run(|connection| Ok((kept(connection)?, has_data(connection)?)))?;
    let (fields, wrapped) = match database::judge(GATEWAY, said.as_ref(), data, ring)? {
        Judged::Known(fields) => return Ok(fields),
        Judged::New(fields, wrapped) => (fields, wrapped),
    };
    let progress = None;
    let new = Kept { wrapped, progress };
    if database.run(|connection| tell(connection, &new))? {
        return Ok(fields);
    }
    // Another process was faster.
    match database.run(kept)? {
        Some(said) => Ok(database::unwrap(GATEWAY, &said.wrapped)?),
        None => bail!("{CALLED} has a key that nobody can read"),
    }
}

/// A connection to a database, if that is there.
pub(super) fn existing(path: &Path) -> anyhow::Result<Option<SqliteConnection>> {
    match path.exists() {
        true => Ok(Some(connect(path)?)),
        false => Ok(None),
    }
}

/// Whether a table is there.
pub(super) fn has(connection: &mut SqliteConnection, table: &str) -> QueryResult<bool> {
    let count = format!("(SELECT COUNT(*) FROM sqlite_master WHERE name = '{table}')");
    let count: i64 = diesel::select(diesel::dsl::sql::<BigInt>(&count)).get_result(connection)?;
    Ok(count > 0)
}

/// Whether a database with this ring could be used, and how it keeps identifiers; nothing of one that is
/// not there.
pub(crate) fn check(path: &Path, ring: Option<&KeyRing>) -> anyhow::Result<Option<Fields>> {
    let Some(mut connection) = existing(path)? else {
        return Ok(None);
    };
    let said = said(&mut connection)?;
    let data = has(&mut connection, "correlations")? && has_data(&mut connection)?;
    Ok(match database::judge(GATEWAY, said.as_ref(), data, ring)? {
        Judged::Known(fields) | Judged::New(fields, _) => Some(fields),
    })
}

/// The key that a database needs, if it is encrypted.
pub(crate) fn key(path: &Path) -> anyhow::Result<Option<KeyId>> {
    let Some(mut connection) = existing(path)? else {
        return Ok(None);
    };
    let kept = said(&mut connection)?;
    Ok(kept.and_then(|kept| database::key_of(&kept.wrapped)))
}

/// Wraps the data key with the ring's current key; says whether it was another one, or nothing if there
/// is none.
pub(crate) fn rotate(path: &Path, ring: &KeyRing) -> anyhow::Result<Option<bool>> {
    let Some(mut connection) = existing(path)? else {
        return Ok(None);
    };
    let Some(said) = said(&mut connection)? else {
        return Ok(None);
    };
    let Some(wrapped) = database::rewrap(GATEWAY, &said.wrapped, ring)? else {
        return Ok(Some(false));
    };
    let row = at_rest::table.find(ONLY);
    diesel::update(row.filter(at_rest::wrapped.eq(&said.wrapped)))
        .set(at_rest::wrapped.eq(wrapped))
        .execute(&mut connection)?;
    Ok(Some(true))
}
