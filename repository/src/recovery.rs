//! What became of documents of which nobody knows whether they are registered.
//!
//! The connection to the registry may break before its answer comes, and this process may end at
//! any moment. Such documents stay in `incoming` until the registry was asked (ITI-18, by the
//! entryUUIDs that were chosen here). What it knows is kept. What it does not know is removed, but
//! only when it has had enough time to carry out what it was asked.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::metadata::DocumentEntry;

use crate::Room;
use crate::blob_store::{Arrival, Label};
use crate::iti18_registry_stored_query::{self as iti18, Silence};
use crate::pending::{Pending, Undecided};

/// Documents that are asked for at once.
const ASKED: usize = 50;
/// The shortest time between two attempts to ask the registry.
const SHORT_PAUSE: Duration = Duration::from_millis(100);
/// The longest. A registry that is away comes back some time.
const LONG_PAUSE: Duration = Duration::from_secs(30);

/// A document of which nobody knows whether it is registered.
#[derive(Debug)]
struct Unknown {
    arrival: Arrival,
    /// Lets those who ask for the document wait.
    _undecided: Undecided,
}

impl Unknown {
    fn new(arrival: Arrival, pending: &Pending) -> Self {
        Self {
            _undecided: pending.begin(&arrival.label.unique_id),
            arrival,
        }
    }
}

/// The documents that are to be decided.
#[derive(Debug)]
pub(crate) struct Recovery {
    unknown: Mutex<Vec<Unknown>>,
    wake: Notify,
}

impl Recovery {
    /// Begins with what an earlier process left behind.
    pub(crate) fn of(left_behind: Vec<Arrival>, pending: &Pending) -> Self {
        let unknown = left_behind.into_iter();
        let unknown = unknown.map(|arrival| Unknown::new(arrival, pending));
        Self {
            unknown: Mutex::new(unknown.collect()),
            wake: Notify::new(),
        }
    }

    /// Somebody waits, or the room is closed: do not sleep.
    pub(crate) fn hurry(&self) {
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Unknown>> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The documents of a submission that the registry is being told of. If this ends before they are
/// decided, the registry is asked later.
#[derive(Debug)]
pub(crate) struct Submitted<'a> {
    room: &'a Room,
    unknown: Vec<Unknown>,
}

impl<'a> Submitted<'a> {
    /// From now on the registry may know these documents.
    pub(crate) fn new(room: &'a Room, arrivals: Vec<Arrival>) -> Self {
        let begin = |mut arrival: Arrival| {
            arrival.is_sent();
            Unknown::new(arrival, &room.pending)
        };
        Self {
            room,
            unknown: arrivals.into_iter().map(begin).collect(),
        }
    }

    /// The registry has accepted them.
    pub(crate) async fn keep(mut self) -> io::Result<()> {
        keep(self.room, &self.unknown).await?;
        self.unknown.clear();
        Ok(())
    }

    /// The registry has refused them.
    pub(crate) fn discard(mut self) {
        for unknown in self.unknown.drain(..) {
            unknown.arrival.discard();
        }
    }

    /// Asks the registry at once whether it has accepted them; if so, keeps them. The source
    /// waits, so that there is not much time for it.
    pub(crate) async fn ask(self) -> bool {
        let within = self.room.config.decision;
        timeout(within, self.ask_now()).await.unwrap_or(false)
    }

    async fn ask_now(self) -> bool {
        let mut known = HashSet::new();
        for asked in self.unknown.chunks(ASKED) {
            match ask(self.room, asked).await {
                Ok(found) => known.extend(found),
                Err(_) => return false,
            }
        }
        // A submission without documents leaves nothing to recognise it by.
        if self.unknown.is_empty() {
            return false;
        }
        let accepted = |unknown: &Unknown| known.contains(&unknown.arrival.label.entry_uuid);
        if !self.unknown.iter().all(accepted) {
            return false;
        }
        match self.keep().await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "registered documents cannot be kept yet");
                false
            }
        }
    }
}

impl Drop for Submitted<'_> {
    fn drop(&mut self) {
        if !self.unknown.is_empty() {
            self.room.recovery.lock().append(&mut self.unknown);
            self.room.recovery.hurry();
        }
    }
}

async fn keep(room: &Room, unknown: &[Unknown]) -> io::Result<()> {
    let arrivals = unknown.iter().map(|unknown| &unknown.arrival);
    room.store.keep(arrivals).await
}

/// Decides about documents for as long as the room is open.
pub(crate) async fn run(recovery: Arc<Recovery>, room: Weak<Room>) {
    let mut pause = SHORT_PAUSE;
    loop {
        let Some(open) = room.upgrade() else {
            return;
        };
        let mut unknown = std::mem::take(&mut *recovery.lock());
        if unknown.is_empty() {
            drop(open);
            recovery.wake.notified().await;
            pause = SHORT_PAUSE;
            continue;
        }
        decide(&open, &mut unknown).await;
        drop(open);
        recovery.lock().append(&mut unknown);
        sleep(SHORT_PAUSE).await;
        pause = match timeout(pause, recovery.wake.notified()).await {
            Ok(()) => SHORT_PAUSE,
            Err(_) => LONG_PAUSE.min(2 * pause),
        };
    }
}

/// Decides what can be decided now, and leaves the rest. One question is about one patient: to a
/// mixed one the registry does not answer (XDSResultNotSinglePatient, ITI TF-2 3.18.4.1.3).
async fn decide(room: &Room, unknown: &mut Vec<Unknown>) {
    let mut rest = Vec::new();
    while let Some(last) = unknown.last() {
        let patient = last.arrival.label.patient_id.clone();
        let of_patient = |it: &mut Unknown| it.arrival.label.patient_id == patient;
        let asked = unknown.extract_if(.., of_patient).take(ASKED);
        let mut asked: Vec<Unknown> = asked.collect();
        match ask(room, &asked).await {
            Ok(known) => rest.extend(decided(room, asked, &known).await),
            Err(Silence::Refused(_)) => rest.append(&mut asked),
            Err(Silence::Away(_)) => {
                rest.append(&mut asked);
                rest.append(unknown);
            }
        }
    }
    *unknown = rest;
}

/// Keeps documents or removes them, and gives back those for which it is too early.
async fn decided(room: &Room, asked: Vec<Unknown>, known: &HashSet<String>) -> Vec<Unknown> {
    let is_known = |unknown: &Unknown| known.contains(&unknown.arrival.label.entry_uuid);
    let (registered, others): (Vec<_>, Vec<_>) = asked.into_iter().partition(is_known);
    let mut rest: Vec<Unknown> = others
        .into_iter()
        .filter_map(|unknown| outlived(unknown, room.config.settled))
        .collect();
    if registered.is_empty() {
        return rest;
    }
    let documents = registered.len();
    match keep(room, &registered).await {
        Ok(()) => tracing::info!(
            documents,
            "documents of interrupted submissions are registered"
        ),
        Err(error) => {
            tracing::error!(%error, documents, "registered documents cannot be kept yet");
            rest.extend(registered);
        }
    }
    rest
}

/// Removes a document that the registry does not know, unless it may still be about to register it.
fn outlived(unknown: Unknown, settled: Duration) -> Option<Unknown> {
    if unknown.arrival.age(Instant::now()) < settled {
        return Some(unknown);
    }
    let entry = &unknown.arrival.label.entry_uuid;
    tracing::info!(
        entry,
        "a document of an interrupted submission was never registered"
    );
    unknown.arrival.discard();
    None
}

/// Asks the registry which of these documents it knows, by entryUUID. Why it cannot be asked is
/// logged here.
async fn ask(room: &Room, unknown: &[Unknown]) -> Result<HashSet<String>, Silence> {
    let labels: Vec<&Label> = unknown.iter().map(|it| &it.arrival.label).collect();
    let ids = labels.iter().map(|label| label.entry_uuid.as_str().into());
    let query = StoredQuery::GetDocuments(Names::EntryUuids(ids.collect()));
    let (found, event) = iti18::send(
        room.registry(),
        None,
        (&query, &iti18::EVERYTHING),
        &patients(&labels),
    )
    .await;
    // One that gives no answer is asked again and again: what it was asked is recorded when it does.
    if !matches!(found, Err(Silence::Away(_))) && room.audit.record(event, ()).await.is_err() {
        // It concerns no call, so that nobody can be told.
        tracing::error!("a query of the repository itself was not recorded");
    }
    let found = found.inspect_err(|silence| {
        let (why, documents) = (silence.told(), labels.len());
        tracing::warn!(
            why,
            documents,
            "it is not known whether documents are registered"
        );
    })?;
    let entries: Vec<DocumentEntry> = iti18::document_entries(&found).collect();
    let known = labels
        .iter()
        .filter(|label| entries.iter().any(|entry| describes(room, entry, label)));
    Ok(known.map(|label| label.entry_uuid.clone()).collect())
}

fn patients<'a>(labels: &[&'a Label]) -> Vec<&'a str> {
    let patients = labels.iter();
    let mut patients: Vec<&str> = patients
        .filter_map(|label| label.patient_id.as_deref())
        .collect();
    patients.sort_unstable();
    patients.dedup();
    patients
}

/// Whether the entry is the one that was submitted with this document. A source may have given the
/// document an entryUUID that belongs to another one.
fn describes(room: &Room, entry: &DocumentEntry, label: &Label) -> bool {
    let hash = entry.hash.as_deref().unwrap_or_default();
    entry.entry_uuid.as_str() == label.entry_uuid
        && entry.unique_id.as_str() == label.unique_id
        && entry.repository_unique_id.as_ref() == Some(&room.config.repository_unique_id)
        && hash.eq_ignore_ascii_case(&label.hash)
        && entry.size == Some(label.size)
}
