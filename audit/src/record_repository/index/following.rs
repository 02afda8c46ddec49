//! Following the log: what becomes durable there is found here a moment later.

use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::writing::Writer;
use crate::record_repository::log::{Log, WeakLog};

/// Records that are taken in at once.
const RECORDS: usize = 4096;
/// How long to wait after something went wrong.
const AGAIN: Duration = Duration::from_secs(5);
/// What comes one after the other is taken in together: each time, the batch that is being filled is
/// written anew.
const TOGETHER: Duration = Duration::from_millis(100);
/// How often to look whether the time of records is over.
const OLD: Duration = Duration::from_secs(60);

/// The index on its way behind the log. It stops when this goes.
#[derive(Debug)]
pub(crate) struct Following {
    task: AbortHandle,
    next: watch::Receiver<u64>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Following {
    /// Follows `log` with what writes its index. Needs a runtime.
    pub(crate) fn start(log: &Log, writer: Writer) -> Self {
        let (progress, next) = watch::channel(writer.next());
        // Whoever lets the log go closes it, whether the task has been told so or not.
        let following = follow(log.downgrade(), log.changes(), writer, progress);
        let task = tokio::spawn(following).abort_handle();
        Self { task, next }
    }

    /// The number of the record that is taken in next.
    pub(crate) fn next(&self) -> u64 {
        *self.next.borrow()
    }

    /// Waits until everything before record `end` was taken in, or for so long. Says whether it was.
    pub(crate) async fn reached(&self, end: u64, patience: Duration) -> bool {
        let mut next = self.next.clone();
        let reached = next.wait_for(|next| *next >= end);
        matches!(timeout(patience, reached).await, Ok(Ok(_)))
    }
}

async fn follow(
    log: WeakLog,
    mut changes: watch::Receiver<u64>,
    mut writer: Writer,
    progress: watch::Sender<u64>,
) {
    loop {
        changes.mark_unchanged();
        let Some(its) = log.upgrade() else {
            return;
        };
        let step = tokio::task::spawn_blocking(move || {
            let done = step(&its, &mut writer);
            (writer, done)
        });
        let Ok((same, done)) = step.await else {
            // The defect was reported where it happened; without a writer there is nothing to do.
            return;
        };
        writer = same;
        match done {
            Ok(true) => {
                progress.send_replace(writer.next());
            }
            Ok(false) => {
                progress.send_replace(writer.next());
                if let Ok(Err(_)) = timeout(OLD, changes.changed()).await {
                    return;
                }
                sleep(TOGETHER).await;
            }
            Err(error) => {
                tracing::error!("the audit log is not indexed: {error:#}");
                sleep(AGAIN).await;
            }
        }
    }
}

/// Takes some records in. Says whether there may be more.
pub(super) fn step(log: &Log, writer: &mut Writer) -> anyhow::Result<bool> {
    let end = log.end();
    if end == 0 {
        if writer.next() > 0 {
            writer.clear()?;
        }
        return Ok(false);
    }
    let first = log.leaf(0).context("the first record of the log")?;
    let first: String = first.iter().map(|byte| format!("{byte:02x}")).collect();
    let known = writer.log().is_none_or(|log| log == first);
    if !known || writer.next() > end {
        tracing::warn!("the index is of another audit log and is made anew");
        writer.clear()?;
    }
    let begin = log.begin();
    if begin > 0 {
        writer.forget_before(begin)?;
    }
    let from = writer.next().max(begin);
    if from >= end {
        return Ok(false);
    }
    let records = log.from(from, RECORDS)?;
    // If there are none, they were damaged or their time was over; others may have come meanwhile.
    let next = records.last().map_or(end, |(number, _)| number + 1);
    writer.add(&first, &records, next)?;
    Ok(true)
}
