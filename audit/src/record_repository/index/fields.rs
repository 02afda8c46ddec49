//! Values that identify patients and users: how the index keeps them (`docs/at-rest.md`).
//!
//! An index is made anew from the log, so one that is not as the site wants it is not changed but made
//! anew.

use std::io;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use hilum_security::at_rest::fields::database::{self, Database};
use hilum_security::at_rest::fields::{Fields, Place};
use hilum_security::at_rest::{KeyId, KeyRing};

use super::connection::{Connections, IndexError};
use super::schema::at_rest;
use super::words::Text;

/// The database, for those who keep its data key.
const INDEX: Database = Database {
    name: "audit",
    called: "the index of the audit log",
};
/// The number of the only row.
const ONLY: i32 = 1;
/// What makes words, of which there is a pseudonym.
const SALT: &str = "position.salt";
/// Values, in the row of kind and word.
const VALUE: &str = "strings.value";

fn wrapped(connection: &mut SqliteConnection) -> QueryResult<Option<String>> {
    let row = at_rest::table.find(ONLY).select(at_rest::wrapped);
    row.first(connection).optional()
}

/// How the values of an index are kept. With a ring, one that has not been begun is given a key.
///
/// # Errors
/// If it is not as the site wants it, or its key is not there: then it is made anew.
pub(super) fn judged(
    connections: &Connections,
    is_begun: bool,
    ring: Option<&KeyRing>,
) -> Result<Fields, IndexError> {
    let said = connections.read(|connection| Ok(wrapped(connection)?))?;
    match (said, ring) {
        (None, None) => Ok(Fields::default()),
        (Some(_), None) => Err(IndexError::Kept("it is encrypted".to_owned())),
        (None, Some(_)) if is_begun => Err(IndexError::Kept("it is not encrypted".to_owned())),
        (None, Some(ring)) => {
            let (fields, wrapped) = database::new(INDEX, ring).map_err(kept)?;
            connections.write(|connection| {
                diesel::insert_into(at_rest::table)
                    .values((at_rest::number.eq(ONLY), at_rest::wrapped.eq(wrapped)))
                    .execute(connection)?;
                Ok(())
            })?;
            Ok(fields)
        }
        (Some(wrapped), Some(_)) => database::unwrap(INDEX, &wrapped).map_err(kept),
    }
}

pub(super) fn kept(error: impl std::fmt::Display) -> IndexError {
    IndexError::Kept(error.to_string())
}

/// What words are made with: if values are encrypted, nobody finds out whose words they are who has not
/// the key.
pub(super) fn secret(fields: &Fields, salt: &[u8]) -> io::Result<Vec<u8>> {
    if !fields.are_sealed() {
        return Ok(salt.to_vec());
    }
    let salt: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(fields.pseudonym(SALT, &salt)?.into_bytes())
}

/// A value as it is kept: what tells it from others of its kind, and its sealed text.
pub(super) fn sealed(fields: &Fields, text: &Text) -> io::Result<(String, Option<String>)> {
    if !fields.are_sealed() {
        return Ok((text.value.clone(), None));
    }
    let place = format!("{}/{}", text.kind, text.word);
    let sealed = fields.seal(Place::of(VALUE, &place), &text.value)?;
    Ok((format!("{:016x}", text.word), Some(sealed.into_owned())))
}

/// The value that was kept so.
pub(super) fn opened(
    fields: &Fields,
    kind: i32,
    word: i64,
    (value, sealed): (String, Option<String>),
) -> io::Result<String> {
    match sealed {
        Some(sealed) if fields.are_sealed() => {
            let place = format!("{kind}/{word}");
            fields.open(Place::of(VALUE, &place), sealed)
        }
        _ => Ok(value),
    }
}

/// A connection to an index that is there and has a table for its key.
fn existing(path: &Path) -> Result<Option<SqliteConnection>, IndexError> {
    if !path.exists() {
        return Ok(None);
    }
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
    connection.batch_execute("PRAGMA busy_timeout = 20000;")?;
    let count = "(SELECT COUNT(*) FROM sqlite_master WHERE name = 'at_rest')";
    let count: i64 =
        diesel::select(diesel::dsl::sql::<BigInt>(count)).get_result(&mut connection)?;
    Ok((count > 0).then_some(connection))
}

/// The key that an index needs, if it is encrypted.
pub(crate) fn key(path: &Path) -> Result<Option<KeyId>, IndexError> {
    let Some(mut connection) = existing(path)? else {
        return Ok(None);
    };
    let wrapped = wrapped(&mut connection)?;
    Ok(wrapped.and_then(|wrapped| database::key_of(&wrapped)))
}

/// Wraps the data key with the ring's current key; says whether it was another one, or nothing if there
/// is none.
pub(crate) fn rotate(path: &Path, ring: &KeyRing) -> Result<Option<bool>, IndexError> {
    let Some(mut connection) = existing(path)? else {
        return Ok(None);
    };
    let Some(known) = wrapped(&mut connection)? else {
        return Ok(None);
    };
    let Some(wrapped) = database::rewrap(INDEX, &known, ring).map_err(kept)? else {
        return Ok(Some(false));
    };
    let row = at_rest::table.find(ONLY);
    diesel::update(row.filter(at_rest::wrapped.eq(&known)))
        .set(at_rest::wrapped.eq(wrapped))
        .execute(&mut connection)?;
    Ok(Some(true))
}
