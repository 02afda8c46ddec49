//! The database: one connection, of which everybody waits for everybody, since nothing takes long.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// FULL: what was revoked stays revoked after a power cut. What is deleted is not left in the file: it
/// names patients.
pub(super) const SETTINGS: &str = "
    PRAGMA busy_timeout = 20000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -4096;
    PRAGMA temp_store = MEMORY;
    PRAGMA secure_delete = ON;
";

/// A database. Clones are the same one.
#[derive(Clone)]
pub(super) struct Database {
    path: PathBuf,
    connection: Arc<Mutex<Option<SqliteConnection>>>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Database").field(&self.path).finish()
    }
}

impl Database {
    /// Opens it, and makes its tables if they are not there.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let mut connection = connect(path)?;
        migrate(&mut connection, path)?;
        Ok(Self {
            path: path.to_owned(),
            connection: Arc::new(Mutex::new(Some(connection))),
        })
    }

    /// Does `work` in a transaction, alone.
    pub(super) fn run<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> diesel::QueryResult<T>,
    ) -> anyhow::Result<T> {
        let mut shared = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut connection = match shared.take() {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let done = connection.immediate_transaction(work)?;
        // After a failure nobody knows in what state a connection is: then another is opened.
        *shared = Some(connection);
        Ok(done)
    }
}

/// Makes the tables that are not there.
pub(super) fn migrate(connection: &mut SqliteConnection, path: &Path) -> anyhow::Result<()> {
    connection
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| anyhow!("{}: {error}", path.display()))?;
    Ok(())
}

pub(super) fn connect(path: &Path) -> anyhow::Result<SqliteConnection> {
    let opened = SqliteConnection::establish(&path.to_string_lossy());
    let mut connection = opened.with_context(|| format!("{} cannot be opened", path.display()))?;
    connection
        .batch_execute(SETTINGS)
        .with_context(|| format!("{} cannot be used", path.display()))?;
    Ok(connection)
}
