//! The data key of a database, which is kept in it: wrapped by a key of the site's ring, as the keys of
//! objects are.

use std::io;

use super::Fields;
use crate::at_rest::frames::{DataKey, damaged};
use crate::at_rest::header::{self, Header, WRITTEN};
use crate::at_rest::key::{KeyId, from_hex, to_hex};
use crate::at_rest::ring::KeyRing;

/// A database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Database {
    /// What its data key is bound to: it stays for ever.
    pub name: &'static str,
    /// What it is called in errors.
    pub called: &'static str,
}

/// What a database says of its fields: its only row in the table `at_rest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The data key, wrapped.
    pub wrapped: String,
    /// How far it has been encrypted; nothing when that is done.
    pub progress: Option<String>,
}

/// How the fields of a database are to be treated.
#[derive(Debug)]
pub enum Judged {
    /// Like this.
    Known(Fields),
    /// Like this, when the database has been told its wrapped key.
    New(Fields, String),
}

/// Why a database is not opened.
#[derive(Debug, thiserror::Error)]
pub enum FieldsError {
    /// It is encrypted, and the site wants it plain.
    #[error("identifiers in {0} are encrypted: at_rest.identifiers must be \"encrypted\"")]
    Sealed(&'static str),
    /// It is plain, and the site wants it encrypted.
    #[error(
        "identifiers in {0} are plain, and at_rest.identifiers is \"encrypted\": \
         stop the node and run `hilum keys encrypt`"
    )]
    Plain(&'static str),
    /// It is half of both.
    #[error("identifiers in {0} are encrypted in part: run `hilum keys encrypt` again")]
    Unfinished(&'static str),
    /// The key is not there, or another one.
    #[error("identifiers in {0} are encrypted: {1}")]
    Locked(&'static str, io::Error),
    /// There is no randomness.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl FieldsError {
    /// Whether the database is not as the configuration and its keys have it.
    pub const fn is_of_keys(&self) -> bool {
        !matches!(self, Self::Io(_))
    }
}

/// How a database is to be treated that says this of itself; `has_data` is
/// whether anything is in it, and the ring is there if fields are to be encrypted.
///
/// # Errors
/// If it is not as the site wants it, or its key is not there.
pub fn judge(
    of: Database,
    kept: Option<&Kept>,
    has_data: bool,
    ring: Option<&KeyRing>,
) -> Result<Judged, FieldsError> {
    match (kept, ring) {
        (None, None) => Ok(Judged::Known(Fields::default())),
        (Some(_), None) => Err(FieldsError::Sealed(of.called)),
        (None, Some(_)) if has_data => Err(FieldsError::Plain(of.called)),
        (None, Some(ring)) => {
            let (fields, wrapped) = new(of, ring)?;
            Ok(Judged::New(fields, wrapped))
        }
        (Some(kept), Some(_)) if kept.progress.is_some() => Err(FieldsError::Unfinished(of.called)),
        (Some(kept), Some(_)) => Ok(Judged::Known(unwrap(of, &kept.wrapped)?)),
    }
}

/// A new data key for a database, and the same wrapped.
///
/// # Errors
/// If there is no randomness.
pub fn new(of: Database, ring: &KeyRing) -> io::Result<(Fields, String)> {
    let key = DataKey::random()?;
    let slot = header::slot(ring, &key, 0, &name(of), 1)?;
    Ok((Fields::with(&key)?, to_hex(&slot[..WRITTEN])))
}

/// The fields of a database, from its wrapped data key.
///
/// # Errors
/// If no key of this process unwraps it.
pub fn unwrap(of: Database, wrapped: &str) -> Result<Fields, FieldsError> {
    let locked = |error| FieldsError::Locked(of.called, error);
    let header = header_of(wrapped).map_err(locked)?;
    let unwrapped = header.unwrap(&name(of)).map_err(|error| {
        // A name that is there, and a key that does not fit.
        let other = |id: KeyId| format!("the key {id} in the key ring is another one of this name");
        let id = key_of(wrapped).filter(|_| error.kind() == io::ErrorKind::InvalidData);
        locked(id.map_or(error, |id| damaged_by(&other(id))))
    })?;
    Ok(Fields::with(&unwrapped.key)?)
}

/// Wraps a data key with the ring's current key; nothing if it is already.
///
/// # Errors
/// If no key of this process unwraps it.
pub fn rewrap(of: Database, wrapped: &str, ring: &KeyRing) -> Result<Option<String>, FieldsError> {
    if key_of(wrapped) == Some(ring.current_id()) {
        return Ok(None);
    }
    let locked = |error| FieldsError::Locked(of.called, error);
    let header = header_of(wrapped).map_err(locked)?;
    let known = header.unwrap(&name(of)).map_err(locked)?;
    let slot = header::written(ring, &known.key, &known.said, &name(of))?;
    Ok(Some(to_hex(&slot[..WRITTEN])))
}

/// The key that wraps a data key.
pub fn key_of(wrapped: &str) -> Option<KeyId> {
    let header = header_of(wrapped).ok()?;
    header.said().next().map(|(_, said)| said.key)
}

/// What a wrap is bound to.
fn name(of: Database) -> String {
    format!("database/{}", of.name)
}

fn damaged_by(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn header_of(wrapped: &str) -> io::Result<Header> {
    let bytes = from_hex(wrapped).filter(|bytes| bytes.len() == WRITTEN);
    let bytes = bytes.ok_or_else(|| damaged("its wrapped key is damaged"))?;
    let mut header = Header::empty();
    let mut slot = [0; header::SLOT];
    slot[..WRITTEN].copy_from_slice(&bytes);
    header.put(0, &slot);
    Ok(header)
}
