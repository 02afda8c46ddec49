//! Fields that identify patients: how this database keeps them (`docs/at-rest.md`).
//!
//! The table `at_rest` has one row if they are encrypted: the wrapped data key, and how far an older
//! database has been encrypted. A registry opens a database only if it is as the site wants it.

use std::io;

use anyhow::bail;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{Bool, Integer};
use hilum_security::at_rest::fields::Fields;
use hilum_security::at_rest::fields::database::{self, Database, Judged, Kept};
use hilum_security::at_rest::{KeyId, KeyRing};

use super::schema::{at_rest, consents, notifications, patients, registry_objects, subscriptions};
use super::{Connection, Either, on};

/// The database, for those who keep its data key.
pub(super) const DATABASE: Database = Database {
    name: "registry",
    called: CALLED,
};
const CALLED: &str = "the registry's database";
/// The number of the only row.
pub(super) const ONLY: i32 = 1;
/// What PostgreSQL calls the lock that registries share, and that is of those alone who encrypt.
const IN_USE: i32 = 0x4849_4c55;

/// A field cannot be sealed or opened.
pub(crate) fn broken(error: io::Error) -> DieselError {
    DieselError::DeserializationError(Box::new(error))
}

/// What the database says of its fields.
pub(super) fn kept(conn: &mut Connection) -> QueryResult<Option<Kept>> {
    let row: Option<(String, Option<String>)> = on!(conn, |c| at_rest::table
        .find(ONLY)
        .select((at_rest::wrapped, at_rest::progress))
        .first(c)
        .optional())?;
    Ok(row.map(|(wrapped, progress)| Kept { wrapped, progress }))
}

/// Writes what the database says, if it says nothing yet; whether it was written.
pub(super) fn tell(conn: &mut Connection, kept: &Kept) -> QueryResult<bool> {
    let values = (
        at_rest::number.eq(ONLY),
        at_rest::wrapped.eq(&kept.wrapped),
        at_rest::progress.eq(&kept.progress),
    );
    let told = on!(conn, |c| diesel::insert_into(at_rest::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(told > 0)
}

/// Whether there is anything that could identify a patient.
pub(super) fn has_data(conn: &mut Connection) -> QueryResult<bool> {
    on!(conn, |c| Ok(diesel::select(exists(
        patients::table.select(patients::number)
    ))
    .get_result(c)?
        || diesel::select(exists(
            registry_objects::table.select(registry_objects::key)
        ))
        .get_result(c)?
        || diesel::select(exists(
            subscriptions::table.select(subscriptions::number)
        ))
        .get_result(c)?
        || diesel::select(exists(
            notifications::table.select(notifications::number)
        ))
        .get_result(c)?
        || diesel::select(exists(
            consents::table.select(consents::number)
        ))
        .get_result(c)?))
}

/// How the fields of this database are kept, which has its tables. With a ring, a new database is
/// given a key.
pub(super) fn judged(conn: &mut Connection, ring: Option<&KeyRing>) -> anyhow::Result<Fields> {
    // Whoever is second finds what the first one has told.
    for _ in 0..2 {
        let said = kept(conn)?;
        let has_data = said.is_none() && has_data(conn)?;
        let (fields, wrapped) = match database::judge(DATABASE, said.as_ref(), has_data, ring)? {
            Judged::Known(fields) => return Ok(fields),
            Judged::New(fields, wrapped) => (fields, wrapped),
        };
        let progress = None;
        if tell(conn, &Kept { wrapped, progress })? {
            return Ok(fields);
        }
    }
    bail!("{CALLED} has a key that nobody can read")
}

/// Where connections come from, and how fields are kept there.
#[derive(Clone)]
pub(crate) struct Source {
    pub(super) url: String,
    pub(super) fields: Fields,
}

impl Source {
    /// Another connection. A database that is being encrypted, or was since it was opened, has none.
    pub(super) fn connect(&self) -> anyhow::Result<Connection> {
        let mut connection = Connection::open(&self.url)?;
        hold(&mut connection)?;
        let sealed = kept(&mut connection)?.is_some();
        if sealed != self.fields.are_sealed() {
            bail!("{CALLED} was encrypted meanwhile: start the node again");
        }
        connection.keep_fields(self.fields.clone());
        Ok(connection)
    }
}

/// Takes part in using the database until the connection ends. SQLite sees that by itself.
pub(super) fn hold(conn: &mut Connection) -> anyhow::Result<()> {
    let held = lock(
        conn,
        "SELECT pg_try_advisory_lock_shared($1, hashtext(current_schema())) AS held",
    )?;
    match held {
        true => Ok(()),
        false => bail!("{CALLED} is being encrypted"),
    }
}

/// Has the database alone, until the connection ends.
pub(super) fn hold_alone(conn: &mut Connection) -> anyhow::Result<()> {
    let held = lock(
        conn,
        "SELECT pg_try_advisory_lock($1, hashtext(current_schema())) AS held",
    )?;
    match held {
        true => Ok(()),
        false => bail!("the node must be stopped: {CALLED} is in use"),
    }
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Bool)]
    held: bool,
}

fn lock(conn: &mut Connection, statement: &str) -> QueryResult<bool> {
    match conn.engine() {
        Either::Sqlite(_) => Ok(true),
        Either::Postgres(c) => {
            let query = diesel::sql_query(statement).bind::<Integer, _>(IN_USE);
            Ok(query.get_result::<Held>(c)?.held)
        }
    }
}

/// The key that the database needs, if it is encrypted; nothing of one that has no such tables yet.
pub(crate) fn key(url: &str) -> anyhow::Result<Option<KeyId>> {
    let Some(mut conn) = existing(url)? else {
        return Ok(None);
    };
    let kept = kept(&mut conn)?;
    Ok(kept.and_then(|kept| database::key_of(&kept.wrapped)))
}

/// A connection to a database that has a table for its key.
pub(super) fn existing(url: &str) -> anyhow::Result<Option<Connection>> {
    if let Some(path) = url.strip_prefix("sqlite:")
        && !std::path::Path::new(path).exists()
    {
        return Ok(None);
    }
    let mut conn = Connection::open(url)?;
    let version = conn.version()?;
    let first = "20261127045000";
    Ok(version.filter(|it| it.as_str() >= first).map(|_| conn))
}

/// Wraps the data key with the ring's current key; says whether it was another one, or nothing if there
/// is none.
pub(crate) fn rotate(url: &str, ring: &KeyRing) -> anyhow::Result<Option<bool>> {
    let Some(mut conn) = existing(url)? else {
        return Ok(None);
    };
    let Some(said) = kept(&mut conn)? else {
        return Ok(None);
    };
    let Some(wrapped) = database::rewrap(DATABASE, &said.wrapped, ring)? else {
        return Ok(Some(false));
    };
    on!(&mut conn, |c| diesel::update(
        at_rest::table
            .find(ONLY)
            .filter(at_rest::wrapped.eq(&said.wrapped))
    )
    .set(at_rest::wrapped.eq(wrapped))
    .execute(c))?;
    Ok(Some(true))
}

/// Whether a registry with this ring could use the database; says how its fields are kept, if it has
/// tables.
pub(crate) fn check(url: &str, ring: Option<&KeyRing>) -> anyhow::Result<Option<Fields>> {
    let Some(mut conn) = existing(url)? else {
        return Ok(None);
    };
    let said = kept(&mut conn)?;
    let has_data = said.is_none() && has_data(&mut conn)?;
    Ok(
        match database::judge(DATABASE, said.as_ref(), has_data, ring)? {
            Judged::Known(fields) | Judged::New(fields, _) => Some(fields),
        },
    )
}
