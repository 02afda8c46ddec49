//! Checkpoints of SQLite's write-ahead log, in a thread of their own: a submission never waits
//! while the log is carried over into the database.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::sql_types::Integer;
use diesel::{QueryResult, QueryableByName, RunQueryDsl};

use super::{Connection, on};

/// How long commits are gathered before they are carried over.
const PAUSE: Duration = Duration::from_millis(200);
/// Pages of the log at which writers and readers must wait once, so that it begins anew: 256 MiB.
const LONGEST_LOG: i32 = 65_536;

/// What the thread waits for.
#[derive(Default)]
pub(crate) struct Checkpoints {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    committed: bool,
    closing: bool,
}

impl Checkpoints {
    /// Something was committed.
    pub(crate) fn committed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.committed {
            state.committed = true;
            self.wake.notify_one();
        }
    }

    /// Waits for commits; says whether to go on.
    fn wait(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self
            .wake
            .wait_while(state, |state| !state.committed && !state.closing);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.committed = false;
        !state.closing
    }

    fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closing = true;
        self.wake.notify_one();
    }
}

/// The thread; it ends when this is dropped.
pub(crate) struct Checkpointer {
    checkpoints: Arc<Checkpoints>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread with a connection of its own.
    pub(crate) fn start(
        mut connection: Connection,
        checkpoints: Arc<Checkpoints>,
    ) -> std::io::Result<Self> {
        let waiting = Arc::clone(&checkpoints);
        let thread = std::thread::Builder::new()
            .name("registry-checkpoint".to_owned())
            .spawn(move || {
                while waiting.wait() {
                    std::thread::sleep(PAUSE);
                    if let Err(error) = checkpoint(&mut connection) {
                        tracing::warn!(%error, "the write-ahead log was not carried over");
                    }
                }
            })?;
        Ok(Self {
            checkpoints,
            thread: Some(thread),
        })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.checkpoints.close();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The answer of `PRAGMA wal_checkpoint`.
#[derive(QueryableByName)]
struct Log {
    /// Pages in the log, -1 if there is none.
    #[diesel(sql_type = Integer)]
    log: i32,
}

fn checkpoint(connection: &mut Connection) -> QueryResult<()> {
    let passive = diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)");
    let log: Log = on!(connection, |c| passive.get_result(c))?;
    if log.log > LONGEST_LOG {
        on!(connection, |c| c
            .batch_execute("PRAGMA wal_checkpoint(RESTART)"))?;
    }
    Ok(())
}
