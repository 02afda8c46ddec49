//! The database: SQLite or PostgreSQL, by URL, from one source.
//!
//! [`connection`] hides which of the two it is, [`pool`] and [`writer`] decide on which thread it
//! is asked. There is one module for each table; all of them are plain functions that take the
//! connection first and never begin a transaction: callers do, with [`Database::read`] and
//! [`Database::write`].

pub(crate) mod acquisitions;
mod checkpoint;
mod cleaning;
mod connection;
pub(crate) mod consents;
mod counting;
pub(crate) mod demographics;
pub(crate) mod encrypting;
pub(crate) mod entry_uuids;
pub(crate) mod fields;
pub(crate) mod links;
pub(crate) mod measurements;
pub(crate) mod notifications;
pub(crate) mod patients;
mod pool;
pub(crate) mod pull_points;
pub(crate) mod registry_objects;
mod schema;
pub(crate) mod specimens;
pub(crate) mod subscriptions;
#[cfg(test)]
mod tests;
pub(crate) mod unique_ids;
mod url;
pub(crate) mod versions;
mod writer;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use anyhow::Context;

use crate::failure::Failure;
use checkpoint::{Checkpointer, Checkpoints};
pub use connection::DatabaseUnreachable;
use connection::on;
pub(crate) use connection::{Connection, Either};
use fields::Source;
use hilum_security::at_rest::KeyRing;
use pool::Pool;
use writer::Writer;

/// How many bits of a key number what belongs to one patient.
const SEQ_BITS: u32 = 24;

/// The number of the patient whose object has this key.
pub(crate) const fn patient_of(key: i64) -> i64 {
    key >> SEQ_BITS
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        Self::Internal(error.into())
    }
}

/// An open database.
pub(crate) struct Database {
    engine: Engine,
}

enum Engine {
    Sqlite {
        writer: Writer,
        readers: Pool,
        _checkpointer: Checkpointer,
    },
    Postgres {
        pool: Pool,
    },
}

impl Database {
    /// Opens the database and brings its tables up to date; refuses those of a newer program. With a
    /// ring, what identifies patients is encrypted in it, and without one it is not.
    pub(crate) fn open(
        url: &str,
        connections: usize,
        ring: Option<&KeyRing>,
    ) -> anyhow::Result<Self> {
        if let Some(folder) = folder_of(url) {
            // What is registered concerns nobody else on this machine.
            let mut private = DirBuilder::new();
            let made = private.recursive(true).mode(0o700).create(folder);
            made.with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        }
        let mut connection = Connection::open(url)?;
        fields::hold(&mut connection)?;
        connection.migrate()?;
        connection.version()?;
        let source = Source {
            url: url.to_owned(),
            fields: fields::judged(&mut connection, ring)?,
        };
        connection.keep_fields(source.fields.clone());
        let engine = match connection.engine() {
            Either::Sqlite(_) => {
                let checkpoints = Arc::new(Checkpoints::default());
                let second = source.connect()?;
                let writer = Writer::start(source.clone(), connection, Arc::clone(&checkpoints));
                Engine::Sqlite {
                    writer: writer?,
                    readers: Pool::new(source, connections),
                    _checkpointer: Checkpointer::start(second, checkpoints)?,
                }
            }
            Either::Postgres(_) => Engine::Postgres {
                pool: Pool::new(source, connections).with(connection),
            },
        };
        Ok(Self { engine })
    }

    /// Forgets what feeds said of patients; says of how many. For when the database is opened.
    pub(crate) fn forget_demographics(url: &str) -> anyhow::Result<usize> {
        let mut connection = Connection::open(url)?;
        Ok(demographics::remove_all(&mut connection)?)
    }

    /// Asks, in one transaction that sees one state of things.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        match &self.engine {
            Engine::Sqlite { readers: pool, .. } | Engine::Postgres { pool } => {
                pool.reading(work).await
            }
        }
    }

    /// Changes something, whole or not at all; when this returns, it is durable. The work may be
    /// begun anew.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        match &self.engine {
            Engine::Sqlite { writer, .. } => writer.write(work).await,
            Engine::Postgres { pool } => pool.transaction(work).await,
        }
    }
}

/// Whether a URL can be that of a database, without looking whether there is one.
pub(crate) fn check_url(url: &str) -> Result<(), &'static str> {
    match url.strip_prefix("sqlite:") {
        Some(path) if path.starts_with("//") && path.contains('@') => {
            Err("a file is given as sqlite:PATH, without user and host")
        }
        Some(_) => Ok(()),
        None => url::PostgresUrl::read(url).map(drop),
    }
}

/// The version of the tables; nothing if there are none yet.
pub(crate) fn version(url: &str) -> anyhow::Result<Option<String>> {
    match url.strip_prefix("sqlite:") {
        Some(path) if !std::path::Path::new(path).exists() => Ok(None),
        _ => Connection::open(url)?.version(),
    }
}

/// The folder of an SQLite database.
fn folder_of(url: &str) -> Option<&std::path::Path> {
    let path = std::path::Path::new(url.strip_prefix("sqlite:")?);
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}
