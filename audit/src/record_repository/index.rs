//! The index: by what is searched, and which events have it.
//!
//! It follows the log and says nothing that the log does not: if it is lost, or of another edition, it
//! is made anew. Events lie in batches in the order in which they came. A word has, for each batch, the
//! places of the events that have it; so a search goes through the batches in which all of its words
//! are, and holds no more than one of them.

mod connection;
pub(crate) mod fields;
mod following;
mod schema;
mod search;
#[cfg(test)]
mod tests;
mod words;
mod writing;

pub use connection::IndexError;
pub(crate) use following::Following;
pub(crate) use search::{DateTest, Found, Hit, Search, Times};
pub(crate) use words::{Kind, Word, Words};

use std::path::Path;
use std::sync::Arc;

use diesel::prelude::*;
use hilum_security::at_rest::KeyRing;
use hilum_security::at_rest::fields::Fields;
use uuid::Uuid;

use super::log::Log;
use connection::Connections;
use schema::{position, strings};
use words::SHAPE;
use writing::Writer;

/// The index of one log, to be read. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    connections: Arc<Connections>,
    /// How values are kept.
    fields: Fields,
}

/// How far the log was followed.
#[derive(Debug, Clone, Queryable)]
struct Position {
    _id: i32,
    next: i64,
    log: Option<String>,
    shape: i32,
    salt: Vec<u8>,
}

impl Index {
    /// Opens the index at `path`, with what writes it. One that is damaged, of another edition, or not
    /// encrypted as the ring wants it, is made anew: the log has everything still.
    pub(crate) fn open(path: &Path, ring: Option<&KeyRing>) -> Result<(Self, Writer), IndexError> {
        let opened = Self::open_as_it_is(path, ring).or_else(|error| {
            tracing::warn!("the index of the audit log is made anew: {error}");
            remove(path)?;
            Self::open_as_it_is(path, ring)
        });
        let index = opened?;
        let writer = Writer::new(&index)?;
        Ok((index, writer))
    }

    fn open_as_it_is(path: &Path, ring: Option<&KeyRing>) -> Result<Self, IndexError> {
        let connections = Arc::new(Connections::open(path)?);
        let known = connections.read(|connection| Ok(place(connection)?))?;
        let fields = fields::judged(&connections, known.is_some(), ring)?;
        if known.is_none_or(|known| known.shape != SHAPE) {
            let salt = Uuid::new_v4().into_bytes();
            connections.write(|connection| writing::begin(connection, &salt))?;
        }
        Ok(Self {
            connections,
            fields,
        })
    }

    /// What makes words of it.
    pub(crate) fn words(&self) -> Result<Words, IndexError> {
        let place = self.connections.read(|connection| Ok(place(connection)?))?;
        let salt = place.map(|place| place.salt).unwrap_or_default();
        Ok(Words::new(&fields::secret(&self.fields, &salt)?))
    }

    /// The words of all values of a kind that fit, if they are not more than `most`.
    pub(crate) fn fitting(
        &self,
        kind: Kind,
        most: usize,
        fits: impl Fn(&str) -> bool,
    ) -> Result<Option<Vec<Word>>, IndexError> {
        self.connections.read(|connection| {
            let all = strings::table
                .filter(strings::kind.eq(kind as i32))
                .select((strings::value, strings::sealed, strings::word));
            let mut words = Vec::new();
            for row in all.load_iter::<(String, Option<String>, Word), _>(connection)? {
                let (value, sealed, word) = row?;
                let value = fields::opened(&self.fields, kind as i32, word, (value, sealed))?;
                if fits(&value) {
                    if words.len() >= most {
                        return Ok(None);
                    }
                    words.push(word);
                }
            }
            Ok(Some(words))
        })
    }
}

/// Makes the index of the log in the folder `store` anew. Nobody else may have it open.
///
/// # Errors
/// If the log cannot be read or the index not be written.
pub fn rebuild(log: &Log, mut told: impl FnMut(u64, u64)) -> anyhow::Result<()> {
    let path = log.store().join(super::INDEX_FILE);
    remove(&path)?;
    let (_, mut writer) = Index::open(&path, log.vault().ring_of_fields())?;
    while following::step(log, &mut writer)? {
        told(writer.next(), log.end());
    }
    Ok(())
}

/// Removes the files of a database.
pub(crate) fn remove(path: &Path) -> Result<(), IndexError> {
    for end in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        match std::fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(IndexError::File(error)),
        }
    }
    Ok(())
}

fn place(connection: &mut SqliteConnection) -> QueryResult<Option<Position>> {
    position::table.first(connection).optional()
}
