//! Connections that are kept, and used on threads that may block.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use tokio::sync::Semaphore;

use super::Connection;
use super::fields::Source;
use crate::failure::Failure;

/// A connection that was idle longer is tried before it is used: the server may have restarted.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// How often a transaction is begun anew when it lost a race against others.
const ATTEMPTS: u32 = 10;

/// A bounded number of connections to one database.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    source: Source,
    idle: Mutex<Vec<(Connection, Instant)>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    /// A pool of at most `connections`, none of which is open yet.
    pub(crate) fn new(source: Source, connections: usize) -> Self {
        let shared = Shared {
            source,
            idle: Mutex::new(Vec::with_capacity(connections)),
            permits: Arc::new(Semaphore::new(connections)),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The same with a connection that is open: while there is one, nobody takes the database away.
    pub(crate) fn with(self, connection: Connection) -> Self {
        self.shared.idle().push((connection, Instant::now()));
        self
    }

    /// Does `work` in a transaction of its own. A race that was lost is run again.
    pub(crate) async fn transaction<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.work(move |connection| {
            let mut attempt = 1;
            loop {
                match connection.transaction(&work) {
                    Err(Failure::Internal(error)) if attempt < ATTEMPTS && is_lost_race(&error) => {
                        attempt += 1;
                        std::thread::sleep(Duration::from_millis(u64::from(attempt)));
                    }
                    done => return done,
                }
            }
        })
        .await
    }

    /// Does `work`, which only reads, in a transaction that sees one state of things.
    pub(crate) async fn reading<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.work(move |connection| connection.reading(work)).await
    }

    /// Does `work` with a connection, on a thread that may block.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let permits = Arc::clone(&self.shared.permits);
        let permit = permits.acquire_owned().await;
        let permit = permit
            .context("the pool is closed")
            .map_err(Failure::Internal)?;
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || {
            let mut connection = shared.take().map_err(Failure::Internal)?;
            let done = work(&mut connection);
            // After an internal failure nobody knows in what state the connection is.
            if !matches!(done, Err(Failure::Internal(_))) {
                shared.idle().push((connection, Instant::now()));
            }
            drop(permit);
            done
        });
        done.await
            .unwrap_or_else(|error| Err(Failure::Internal(anyhow!(error))))
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> anyhow::Result<Connection> {
        loop {
            let Some((mut connection, since)) = self.idle().pop() else {
                return self.source.connect();
            };
            if since.elapsed() < TRUSTED_IDLE || connection.ping().is_ok() {
                return Ok(connection);
            }
        }
    }
}

/// Whether a transaction failed only because of what others did at the same time. Nothing in this
/// program violates a unique key unless somebody else took it a moment before.
fn is_lost_race(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<DieselError>() {
        Some(DieselError::DatabaseError(kind, info)) => match kind {
            DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::UniqueViolation => true,
            // PostgreSQL's 40P01 has no kind of its own.
            DatabaseErrorKind::Unknown => info.message().contains("deadlock detected"),
            _ => false,
        },
        _ => false,
    }
}
