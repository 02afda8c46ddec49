//! Storage commitments that could not be answered on the association on which they were asked for.

use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Context;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{end, message};
use crate::imaging::dimse::provider::Shared;
use crate::imaging::index::commitments::Commitment;
use crate::imaging::index::work::now;

/// Answers that are looked up at one time, and how long to sleep if nobody rings.
const TOGETHER: i64 = 16;
const PAUSE: Duration = Duration::from_secs(5);
/// The first pause after an answer could not be given; each further one is twice as long.
const FIRST_PAUSE_MILLISECONDS: i64 = 10_000;
const LONGEST_PAUSE_MILLISECONDS: i64 = 3_600_000;
/// Two weeks. Who has not been there for so long has asked again or will.
const GIVE_UP_MILLISECONDS: i64 = 14 * 24 * 3_600_000;

/// Answers what could not be answered on the same association, until the provider is gone.
pub(in crate::imaging::dimse) async fn run(shared: Weak<Shared>) {
    if let Some(here) = shared.upgrade() {
        let index = here.index();
        let due = spawn_blocking(move || index.all_commitments_due(now())).await;
        if let Err(error) = due.map_err(anyhow::Error::from).flatten() {
            // Then each is answered when its pause is over.
            tracing::error!(error = format!("{error:#}"), "the index fails");
        }
    }
    loop {
        let Some(here) = shared.upgrade() else {
            return;
        };
        match round(&here).await {
            // There may be more.
            Ok(answered) if answered > 0 => continue,
            Ok(_) => {}
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "storage commitments cannot be answered");
            }
        }
        let owed = Arc::clone(&here.owed);
        drop(here);
        // Whether somebody rings or not: then it is time to look.
        let _ = timeout(PAUSE, owed.notified()).await;
    }
}

/// Answers what is due, and says how many were answered.
async fn round(shared: &Shared) -> anyhow::Result<usize> {
    let index = shared.index();
    let due = spawn_blocking(move || index.due_commitments(now(), TOGETHER)).await??;
    let mut answered = 0;
    for commitment in due {
        let Err(error) = deliver(shared, &commitment).await else {
            answered += 1;
            continue;
        };
        let (calling, error) = (&commitment.calling, format!("{error:#}"));
        let (index, number) = (shared.index(), commitment.number);
        if now() - commitment.asked > GIVE_UP_MILLISECONDS {
            tracing::error!(calling, error, "a storage commitment is given up");
            spawn_blocking(move || index.end_commitment(number)).await??;
            continue;
        }
        let attempts = u32::try_from(commitment.attempts).unwrap_or(0).min(20);
        let pause = (FIRST_PAUSE_MILLISECONDS << attempts).min(LONGEST_PAUSE_MILLISECONDS);
        tracing::warn!(
            calling,
            error,
            pause,
            "a storage commitment is not answered yet"
        );
        let due = now() + pause;
        spawn_blocking(move || index.put_off_commitment(number, due, true)).await??;
    }
    Ok(answered)
}

/// Sends a report over a new association, on which we are the provider who calls.
async fn deliver(shared: &Shared, commitment: &Commitment) -> anyhow::Result<()> {
    let mut nodes = shared.config.nodes.iter();
    let peer = nodes.find(|peer| peer.ae_title == commitment.calling);
    let peer = peer.context("[dicom] has no node of this AE title")?;
    let mut requested = shared.requestor.as_provider(peer).await?;
    let room = Arc::clone(&shared.room);
    let command = |message_id, syntax| message(room, commitment.clone(), message_id, syntax);
    let answer = requested.report(command).await?;
    end(shared, commitment, &answer).await?;
    // It has the answer.
    if let Err(error) = requested.release().await {
        tracing::debug!(%error, "an association did not end in order");
    }
    Ok(())
}
