//! The one that writes to SQLite: a thread that commits submissions in groups.
//!
//! While one group is made durable, the next queues up, so that under load one `fsync` serves many
//! submissions and a single caller never waits for company.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::anyhow;
use tokio::sync::{mpsc, oneshot};

use super::Connection;
use super::checkpoint::Checkpoints;
use super::connection::Unsound;
use super::fields::Source;
use crate::failure::Failure;

/// Submissions that may wait; more callers wait before they queue up.
const QUEUE: usize = 1024;
/// Submissions of one group: so many that the commit hardly counts any more.
const GROUP: usize = 64;

/// What is left to do when it is known whether the group was committed.
type Settle = Box<dyn FnOnce(Result<(), String>) + Send>;
/// One submission: what it does in the group's transaction, if that could be begun. Says whether
/// the transaction goes on.
type Job = Box<dyn FnOnce(Result<&mut Connection, String>) -> (Settle, bool) + Send>;

/// The handle of the thread.
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(
        source: Source,
        connection: Connection,
        checkpoints: Arc<Checkpoints>,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("registry-writer".to_owned())
            .spawn(move || run(&source, connection, jobs, &checkpoints))?;
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
            let goes_on = !matches!(&done, Err(Failure::Internal(error)) if error.is::<Unsound>());
            let settle: Settle = Box::new(move |committed| {
                let done = match (done, committed) {
                    (Ok(_), Err(reason)) => Err(Failure::Internal(anyhow!(reason))),
                    (done, _) => done,
                };
                // Nobody is told if the caller has gone; it is done all the same.
                drop(answer.send(done));
            });
            (settle, goes_on)
        });
        let gone = |_| Failure::Internal(anyhow!("the writer of the database was interrupted"));
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
    source: &Source,
    mut connection: Connection,
    mut jobs: mpsc::Receiver<Job>,
    checkpoints: &Checkpoints,
) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut settles = Vec::with_capacity(group.len());
        // The thread is the only one that writes: whatever happens to a group, the next is served.
        let together = AssertUnwindSafe(|| commit(&mut connection, &mut group, &mut settles));
        let committed = catch_unwind(together)
            .unwrap_or_else(|_| Err("a panic while a group of submissions was written".to_owned()));
        if committed.is_err() {
            renew(source, &mut connection);
        }
        checkpoints.committed();
        for settle in settles {
            settle(committed.clone());
        }
    }
}

/// Does the jobs of a group in one transaction. When that is lost, those that come after do
/// nothing, because what they did would not be undone any more.
fn commit(
    connection: &mut Connection,
    group: &mut Vec<Job>,
    settles: &mut Vec<Settle>,
) -> Result<(), String> {
    let mut begun = connection
        .begin_writing()
        .map_err(|error| format!("nothing can be written: {error}"));
    for job in group.drain(..) {
        let (settle, goes_on) = match &begun {
            Ok(()) => job(Ok(connection)),
            Err(reason) => job(Err(reason.clone())),
        };
        settles.push(settle);
        if begun.is_ok() && !goes_on {
            begun = Err("a group of submissions was lost with one of them".to_owned());
        }
    }
    begun?;
    connection
        .commit()
        .map_err(|error| format!("a group of submissions was not committed: {error}"))
}

/// After a failure nobody knows in what state the connection is. If there is no other, the next
/// group cannot be begun, and another is tried then.
fn renew(source: &Source, connection: &mut Connection) {
    // What is left of the transaction must not hold up the new connection.
    drop(connection.roll_back());
    match source.connect() {
        Ok(opened) => *connection = opened,
        Err(error) => tracing::error!("the database cannot be opened again: {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use hilum_security::at_rest::fields::Fields;

    use super::*;
    use crate::db::{on, patients};

    fn open() -> (tempfile::TempDir, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("registry.db").display());
        let mut connection = Connection::open(&url).unwrap();
        connection.migrate().unwrap();
        let source = Source {
            url,
            fields: Fields::default(),
        };
        let writer = Writer::start(source, connection, Arc::default()).unwrap();
        (folder, writer)
    }

    fn add(id: &'static str) -> impl FnOnce(&mut Connection) -> Result<bool, Failure> + Send {
        move |conn| Ok(patients::add(conn, id, 0)?)
    }

    async fn is_there(writer: &Writer, id: &'static str) -> bool {
        let find = move |conn: &mut Connection| Ok(patients::find(conn, id)?);
        writer.write(find).await.unwrap().is_some()
    }

    /// Three submissions that are written as one group: A, what `between` does, and C.
    async fn group(
        writer: &Writer,
        between: fn(&mut Connection) -> Result<bool, Failure>,
    ) -> [Result<bool, Failure>; 3] {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (_, one, two, three, ()) = tokio::join!(
            // The writer is kept busy until all of them have queued up.
            writer.write(move |_| Ok(wait.recv().is_ok())),
            writer.write(add("A")),
            writer.write(between),
            writer.write(add("C")),
            async move { go.send(()).unwrap() },
        );
        [one, two, three]
    }

    #[tokio::test]
    async fn a_panic_costs_one_submission() {
        let (_folder, writer) = open();
        let [one, two, three] = group(&writer, |conn| {
            patients::add(conn, "B", 0)?;
            panic!("on purpose")
        })
        .await;
        assert!(one.is_ok() && two.is_err() && three.is_ok());
        assert!(is_there(&writer, "A").await && is_there(&writer, "C").await);
        assert!(!is_there(&writer, "B").await);
    }

    /// As SQLite does when the disk is full: the whole transaction is gone.
    #[tokio::test]
    async fn a_lost_transaction_costs_its_group_and_no_other() {
        let (_folder, writer) = open();
        let [one, two, three] = group(&writer, |conn| {
            patients::add(conn, "B", 0)?;
            on!(conn, |it| it.batch_execute("ROLLBACK"))?;
            Err(Failure::Internal(anyhow!("the disk is full")))
        })
        .await;
        assert!(one.is_err() && two.is_err() && three.is_err());
        for id in ["A", "B", "C"] {
            assert!(!is_there(&writer, id).await, "{id}");
        }
        assert!(writer.write(add("D")).await.unwrap());
        assert!(is_there(&writer, "D").await);
    }
}
