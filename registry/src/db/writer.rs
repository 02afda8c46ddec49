//! The one that writes to SQLite: a thread that commits submissions in groups.
//!
//! While one group is made durable, the next queues up, so that under load one `fsync` serves many
//! submissions and a single caller never waits for company.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::anyhow;
use tokio::sync::{mpsc, oneshot};

use super::Connection;
use super::checkpoint::Checkpoints;
use crate::failure::Failure;

/// Submissions that may wait; more callers wait before they queue up.
const QUEUE: usize = 1024;
/// Submissions of one group: so many that the commit hardly counts any more.
const GROUP: usize = 64;

/// What is left to do when it is known whether the group was committed.
type Settle = Box<dyn FnOnce(Result<(), String>) + Send>;
/// One submission: what it does in the group's transaction, if that could be begun.
type Job = Box<dyn FnOnce(Result<&mut Connection, String>) -> Settle + Send>;

/// The handle of the thread.
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(
        url: &str,
        connection: Connection,
        checkpoints: Arc<Checkpoints>,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let url = url.to_owned();
        let thread = std::thread::Builder::new()
            .name("registry-writer".to_owned())
            .spawn(move || run(&url, connection, jobs, &checkpoints))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Does `work` whole or not at all, and returns when it is durable.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = connection
                .map_err(|reason| Failure::Internal(anyhow!(reason)))
                .and_then(|connection| connection.transaction(work));
            Box::new(move |committed| {
                let done = match (done, committed) {
                    (Ok(_), Err(reason)) => Err(Failure::Internal(anyhow!(reason))),
                    (done, _) => done,
                };
                // Nobody is told if the caller has gone; it is done all the same.
                drop(answer.send(done));
            })
        });
        let gone = |_| Failure::Internal(anyhow!("the writer of the database has ended"));
        let queue = self.queue.as_ref().expect("there is a queue until the end");
        queue.send(job).await.map_err(|_| gone(()))?;
        answered.await.unwrap_or_else(|_| Err(gone(())))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn run(
    url: &str,
    mut connection: Connection,
    mut jobs: mpsc::Receiver<Job>,
    checkpoints: &Checkpoints,
) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let begun = connection
            .begin_writing()
            .map_err(|error| format!("nothing can be written: {error}"));
        let settles: Vec<Settle> = group
            .drain(..)
            .map(|job| match &begun {
                Ok(()) => job(Ok(&mut connection)),
                Err(reason) => job(Err(reason.clone())),
            })
            .collect();
        let committed = begun.and_then(|()| {
            connection
                .commit()
                .map_err(|error| format!("a group of submissions was not committed: {error}"))
        });
        if committed.is_err() {
            renew(url, &mut connection);
        }
        checkpoints.committed();
        for settle in settles {
            settle(committed.clone());
        }
    }
}

/// After a failure nobody knows in what state the connection is. If there is no other, the next
/// group cannot be begun, and another is tried then.
fn renew(url: &str, connection: &mut Connection) {
    // What is left of the transaction must not hold up the new connection.
    drop(connection.roll_back());
    match Connection::open(url) {
        Ok(opened) => *connection = opened,
        Err(error) => tracing::error!("the database cannot be opened again: {error:#}"),
    }
}
