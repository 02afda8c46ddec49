//! Connections to the database of the index: several that read, one that writes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

pub(super) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// FULL: what was acknowledged survives a power cut. Commands write beside a node that runs, so
/// whoever comes second waits, from the first statement on: the last one who leaves locks it too. What
/// is deleted is not left in the file: it names patients.
pub(super) const SETTINGS: &str = "
    PRAGMA busy_timeout = 20000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -8192;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 1073741824;
    PRAGMA foreign_keys = ON;
    PRAGMA secure_delete = ON;
";
/// Readers that are kept open.
const IDLE: usize = 8;

/// The connections to one database. Clones share them.
#[derive(Clone)]
pub(super) struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    idle: Mutex<Vec<SqliteConnection>>,
    writer: Mutex<Option<SqliteConnection>>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Connections")
            .field(&self.shared.path)
            .finish()
    }
}

impl Connections {
    /// Opens the database, and makes its tables if they are not there.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut writer = connect(path)?;
        writer
            .run_pending_migrations(MIGRATIONS)
            .map_err(|error| anyhow!("{}: {error}", path.display()))?;
        let shared = Shared {
            path: path.to_owned(),
            idle: Mutex::default(),
            writer: Mutex::new(Some(writer)),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Does `work`, which only reads, on one state of things.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let idle = self.idle().pop();
        let mut connection = idle.map_or_else(|| connect(&self.shared.path), Ok)?;
        let done = connection.transaction(work)?;
        let mut idle = self.idle();
        if idle.len() < IDLE {
            idle.push(connection);
        }
        Ok(done)
    }

    /// Does `work` in a transaction, alone.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let writer = self.shared.writer.lock();
        let mut writer = writer.unwrap_or_else(PoisonError::into_inner);
        let mut connection = match writer.take() {
            Some(connection) => connection,
            None => connect(&self.shared.path)?,
        };
        let done = connection.immediate_transaction(work)?;
        // After a failure nobody knows in what state a connection is: then another is opened.
        *writer = Some(connection);
        Ok(done)
    }

    /// Does `work` outside of a transaction, alone in this process.
    pub(super) fn alone<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let writer = self.shared.writer.lock();
        let mut writer = writer.unwrap_or_else(PoisonError::into_inner);
        let mut connection = match writer.take() {
            Some(connection) => connection,
            None => connect(&self.shared.path)?,
        };
        let done = work(&mut connection)?;
        *writer = Some(connection);
        Ok(done)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.shared
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn connect(path: &Path) -> anyhow::Result<SqliteConnection> {
    let shown = path.display();
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())
        .with_context(|| format!("{shown} cannot be opened"))?;
    connection
        .batch_execute(SETTINGS)
        .with_context(|| format!("{shown} cannot be used"))?;
    Ok(connection)
}
