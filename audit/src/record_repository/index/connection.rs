//! Connections to the database of the index: several that read, one that writes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use thiserror::Error;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// NORMAL: a power cut may take the last of what was indexed, and the log has it still. What is deleted
/// is not left in the file: it names patients.
const SETTINGS: &str = "
    PRAGMA busy_timeout = 20000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA cache_size = -32768;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 1073741824;
    PRAGMA secure_delete = ON;
";
/// Readers that are kept open.
const IDLE: usize = 8;

/// The index cannot be used.
#[derive(Debug, Error)]
pub enum IndexError {
    /// Its database says so.
    #[error("the index of the audit log: {0}")]
    Database(#[from] diesel::result::Error),
    /// Its database cannot be opened.
    #[error("the index of the audit log: {0}")]
    Connection(#[from] ConnectionError),
    /// It is not kept as the site wants it.
    #[error("the index of the audit log: {0}")]
    Kept(String),
    /// A value in it was changed, or cannot be encrypted.
    #[error("the index of the audit log: {0}")]
    Value(#[from] std::io::Error),
    /// Its files cannot be removed.
    #[error("the index of the audit log: {0}")]
    File(std::io::Error),
    /// Its database cannot be made ready.
    #[error("the index of the audit log: {0}")]
    Migration(String),
}

/// The connections to one database.
pub(super) struct Connections {
    path: PathBuf,
    idle: Mutex<Vec<SqliteConnection>>,
    writer: Mutex<Option<SqliteConnection>>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Connections").field(&self.path).finish()
    }
}

impl Connections {
    /// Opens the database, and makes its tables if they are not there.
    pub(super) fn open(path: &Path) -> Result<Self, IndexError> {
        let mut writer = connect(path)?;
        let made = writer.run_pending_migrations(MIGRATIONS);
        made.map_err(|error| IndexError::Migration(error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            idle: Mutex::default(),
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Does `work`, which only reads, on one state of things.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let idle = locked(&self.idle).pop();
        let mut connection = idle.map_or_else(|| connect(&self.path), Ok)?;
        let done = connection.transaction(work)?;
        let mut idle = locked(&self.idle);
        if idle.len() < IDLE {
            idle.push(connection);
        }
        Ok(done)
    }

    /// Does `work` in a transaction, alone.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let mut writer = locked(&self.writer);
        let mut connection = match writer.take() {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let done = connection.immediate_transaction(work)?;
        // After a failure nobody knows in what state a connection is: then another is opened.
        *writer = Some(connection);
        Ok(done)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path) -> Result<SqliteConnection, IndexError> {
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
    connection.batch_execute(SETTINGS)?;
    Ok(connection)
}
