//! One connection to either database.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, anyhow, bail};
use diesel::backend::Backend;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::sqlite::Sqlite;
use diesel::{Connection as _, PgConnection, QueryResult, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use hilum_security::at_rest::fields::Fields;
use thiserror::Error;

use super::url::PostgresUrl;
use crate::failure::Failure;

const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// What every SQLite connection is told. It waits from the first statement on: the last one who leaves
/// locks the database for a moment. FULL: what was answered survives a power cut. What
/// is removed is not left in the file: it names patients. Checkpoints
/// have a thread of their own ([`checkpoint`](super::checkpoint)). What is in the file is read
/// where the system has it in memory, without copies and whatever is written meanwhile; SQLite
/// takes at most 2 GiB this way and reads the rest as usual, with 8 MiB of memory for each connection.
const SQLITE_SETTINGS: &str = "
    PRAGMA busy_timeout = 10000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA secure_delete = ON;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA cache_size = -8192;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 2147418112;
";

/// Does the same on either database: `on!(conn, |c| query.load(c))`.
macro_rules! on {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $crate::db::Connection::engine($conn) {
            $crate::db::Either::Sqlite($c) => $body,
            $crate::db::Either::Postgres($c) => $body,
        }
    };
}
pub(crate) use on;

/// The database did not begin, commit or undo what it was told to, so that nobody knows what
/// became of the transaction around it: SQLite gives up all of it when a disk fails or is full.
#[derive(Debug, Error)]
#[error("the transaction was lost")]
pub(crate) struct Unsound;

/// There is no connection to the server of the database. The text says why, without its URL.
#[derive(Debug, Error)]
#[error("PostgreSQL cannot be reached: {0}")]
pub struct DatabaseUnreachable(String);

/// One of the two databases.
pub(crate) enum Either {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Either {
    fn open(url: &str) -> anyhow::Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let mut connection = SqliteConnection::establish(path)
                .with_context(|| format!("the database {path} cannot be opened"))?;
            connection.batch_execute(SQLITE_SETTINGS)?;
            return Ok(Self::Sqlite(connection));
        }
        let read = PostgresUrl::read(url);
        let read = read.map_err(|problem| anyhow!("the URL of the database: {problem}"))?;
        // The URL may hold a password, so it is not repeated, and neither is libpq where it does so.
        let connection =
            PgConnection::establish(url).map_err(|error| DatabaseUnreachable(read.told(error)))?;
        Ok(Self::Postgres(connection))
    }
}

/// A connection to one of the two databases.
pub(crate) struct Connection {
    engine: Either,
    fields: Fields,
}

impl Connection {
    /// Opens `sqlite:PATH`, `postgres://…` or `postgresql://…`. Fields are plain until it is said
    /// how they are kept.
    pub(crate) fn open(url: &str) -> anyhow::Result<Self> {
        Ok(Self {
            engine: Either::open(url)?,
            fields: Fields::default(),
        })
    }

    /// The same, if nobody else has it open: of SQLite, which then lets nobody in. What PostgreSQL has
    /// for this is [`hold_alone`](super::fields::hold_alone).
    pub(crate) fn open_alone(url: &str) -> anyhow::Result<Self> {
        const ALONE: &str = "PRAGMA busy_timeout = 1000; PRAGMA locking_mode = EXCLUSIVE; \
                             PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; COMMIT";
        let Some(path) = url.strip_prefix("sqlite:") else {
            return Self::open(url);
        };
        let mut connection = SqliteConnection::establish(path)
            .with_context(|| format!("the database {path} cannot be opened"))?;
        let alone = connection.batch_execute(ALONE);
        alone.with_context(|| format!("the node must be stopped: {path} cannot be had alone"))?;
        connection.batch_execute(SQLITE_SETTINGS)?;
        Ok(Self {
            engine: Either::Sqlite(connection),
            fields: Fields::default(),
        })
    }

    /// The database.
    pub(crate) const fn engine(&mut self) -> &mut Either {
        &mut self.engine
    }

    /// How fields that identify patients are kept.
    pub(crate) fn fields(&self) -> Fields {
        self.fields.clone()
    }

    /// From now on, they are kept so.
    pub(crate) fn keep_fields(&mut self, fields: Fields) {
        self.fields = fields;
    }

    /// Brings the tables up to date.
    pub(crate) fn migrate(&mut self) -> anyhow::Result<()> {
        match &mut self.engine {
            Either::Sqlite(c) => c.run_pending_migrations(SQLITE_MIGRATIONS).map(drop),
            Either::Postgres(c) => c.run_pending_migrations(POSTGRES_MIGRATIONS).map(drop),
        }
        .map_err(|error| anyhow!("the tables cannot be made: {error}"))
    }

    /// Undoes every migration: the data is gone.
    #[cfg(test)]
    pub(crate) fn unmigrate(&mut self) -> anyhow::Result<()> {
        match &mut self.engine {
            Either::Sqlite(c) => c.revert_all_migrations(SQLITE_MIGRATIONS).map(drop),
            Either::Postgres(c) => c.revert_all_migrations(POSTGRES_MIGRATIONS).map(drop),
        }
        .map_err(|error| anyhow!("{error}"))
    }

    /// The newest migration that the tables have; nothing if there are none.
    ///
    /// # Errors
    /// If the database cannot be asked, or was changed by a newer program.
    pub(crate) fn version(&mut self) -> anyhow::Result<Option<String>> {
        let ours = match &self.engine {
            Either::Sqlite(_) => newest::<Sqlite>(&SQLITE_MIGRATIONS),
            Either::Postgres(_) => newest::<Pg>(&POSTGRES_MIGRATIONS),
        };
        let applied = on!(self, |c| c.applied_migrations()).map_err(|error| anyhow!("{error}"))?;
        let version = applied.iter().map(ToString::to_string).max();
        if version > ours {
            bail!("the tables are of a newer version than this program");
        }
        Ok(version)
    }

    /// Does `work` whole or not at all. Inside another transaction it is a savepoint of it. A
    /// panic is a failure like others; a failure that is [`Unsound`] concerns what is around it.
    pub(crate) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        on!(&mut *self, |c| AnsiTransactionManager::begin_transaction(c)).map_err(unsound)?;
        self.finish(work)
    }

    /// The same for work that only reads, and sees one state of things from its first question to
    /// its last, whatever others commit meanwhile.
    pub(crate) fn reading<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        match &mut self.engine {
            // A transaction of SQLite always is one state.
            Either::Sqlite(c) => AnsiTransactionManager::begin_transaction(c),
            Either::Postgres(c) => AnsiTransactionManager::begin_transaction_sql(c, SNAPSHOT),
        }
        .map_err(unsound)?;
        self.finish(work)
    }

    /// Does the work of a transaction that has begun, and ends it.
    fn finish<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)))
            .unwrap_or_else(|_| Err(Failure::Internal(anyhow!("a panic in a transaction"))));
        match done {
            Ok(done) => {
                self.commit().map_err(unsound)?;
                Ok(done)
            }
            Err(failure) => match (self.roll_back(), failure) {
                (Ok(()), failure) => Err(failure),
                (Err(_), Failure::Internal(error)) => {
                    Err(Failure::Internal(error.context(Unsound)))
                }
                (Err(error), Failure::Refused(_)) => Err(unsound(error)),
            },
        }
    }

    /// Begins the transaction of a group of submissions: nobody else may write from now on.
    pub(crate) fn begin_writing(&mut self) -> QueryResult<()> {
        match &mut self.engine {
            Either::Sqlite(c) => {
                AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE")
            }
            Either::Postgres(c) => AnsiTransactionManager::begin_transaction(c),
        }
    }

    pub(crate) fn commit(&mut self) -> QueryResult<()> {
        on!(self, |c| AnsiTransactionManager::commit_transaction(c))
    }

    pub(crate) fn roll_back(&mut self) -> QueryResult<()> {
        on!(self, |c| AnsiTransactionManager::rollback_transaction(c))
    }

    /// Whether somebody answers.
    pub(crate) fn ping(&mut self) -> QueryResult<()> {
        on!(self, |c| c.batch_execute("SELECT 1"))
    }
}

fn unsound(error: diesel::result::Error) -> Failure {
    Failure::Internal(anyhow::Error::from(error).context(Unsound))
}

fn newest<DB: Backend>(migrations: &impl MigrationSource<DB>) -> Option<String> {
    let migrations = migrations.migrations().unwrap_or_default();
    let versions = migrations.iter().map(|it| it.name().version().to_string());
    versions.max()
}
