//! ITI-53 Document Metadata Notify: tell those who have subscribed, and be told for a pull point.
//!
//! Sent by this registry as by the Document Metadata Notification Broker, one way; taken here only
//! by pull points, as by a Document Metadata Notification Recipient.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-53.html>

mod delivery;
mod reception;
mod schedule;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use hilum_audit::Audit;
use hilum_security::access::Access;
use hilum_transport::Client;
use tokio::sync::Notify as Wake;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use xds_schemas::metadata::HomeCommunityId;

use crate::Registry;
use crate::config::SubscriptionConfig;
use crate::db::subscriptions::{self, Due};
use crate::db::{Connection, Database, Either};
use crate::destination::Destinations;
use crate::failure::Failure;
use crate::iti52_document_metadata_subscribe::{incident, milliseconds};

pub(crate) use reception::{notified, objects, receive};

/// Consumers that are told at a time.
const CONSUMERS: usize = 64;
/// Notifications on their way to one destination at a time: one that is slow is nobody else's
/// trouble.
const OF_ONE_DESTINATION: usize = 2;
/// How long to sleep when there is nothing to tell, as far as is known: other processes may have
/// registered something in the same database.
const IDLE: Duration = Duration::from_secs(5);
/// How often what has ended is removed.
const PURGE: Duration = Duration::from_secs(60);
/// How long notifications on their way may still take when the registry is closed.
const DRAIN: Duration = Duration::from_secs(5);

/// The task that tells; it ends when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    wake: Wake,
    closing: AtomicBool,
}

impl Shared {
    fn closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

impl Deliveries {
    /// There are so many more notifications to send.
    pub(crate) fn hurry(&self, notifications: usize) {
        if notifications > 0 {
            self.shared.wake.notify_one();
        }
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.wake.notify_one();
    }
}

/// What it takes to tell.
struct Room {
    db: Arc<Database>,
    audit: Audit,
    client: Client,
    config: SubscriptionConfig,
    destinations: Arc<Destinations>,
    access: Access,
    home: HomeCommunityId,
    shared: Arc<Shared>,
}

/// Begins to tell.
pub(crate) fn start(registry: &Registry, client: Client) {
    let room = Room {
        db: Arc::clone(&registry.db),
        audit: registry.audit.clone(),
        client,
        config: registry.config.subscriptions.clone(),
        destinations: Arc::clone(&registry.destinations),
        access: registry.config.access.clone(),
        home: registry.config.home_community_id.clone(),
        shared: Arc::clone(&registry.deliveries.shared),
    };
    tokio::spawn(run(Arc::new(room)));
}

/// Consumers that are being told: which subscriptions, and where they are.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    whose: HashMap<Id, (i64, String)>,
}

impl Running {
    fn is_told(&self, number: i64) -> bool {
        self.whose.values().any(|(other, _)| *other == number)
    }

    fn is_busy(&self, destination: &str) -> bool {
        let same = self.whose.values().filter(|(_, it)| it == destination);
        same.count() >= OF_ONE_DESTINATION
    }

    fn busy(&self) -> Vec<String> {
        let destinations = self.whose.values().map(|(_, destination)| destination);
        let mut busy: Vec<String> = destinations
            .filter(|it| self.is_busy(it))
            .cloned()
            .collect();
        busy.sort_unstable();
        busy.dedup();
        busy
    }

    fn begin(&mut self, room: &Arc<Room>, due: Due) {
        let whose = (due.number, due.destination.clone());
        let task = self.tasks.spawn(delivery::deliver(Arc::clone(room), due));
        self.whose.insert(task.id(), whose);
    }

    /// Waits until one has ended; for ever if there is none.
    async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => _ = self.whose.remove(&id),
            Some(Err(error)) => {
                tracing::error!(%error, "a delivery was lost");
                self.whose.remove(&error.id());
            }
            None => std::future::pending().await,
        }
    }
}

async fn run(room: Arc<Room>) {
    let mut running = Running::default();
    if let Err(failure) = room.db.write(release_all).await {
        tracing::error!("notifications wait: {}", incident(failure));
    }
    let mut next_purge = Instant::now();
    while !room.shared.closing() {
        if next_purge <= Instant::now() {
            delivery::purge(&room).await;
            next_purge = Instant::now() + PURGE;
        }
        let pause = match begin(&room, &mut running).await {
            Ok(pause) => pause,
            Err(failure) => {
                tracing::error!("notifications wait: {}", incident(failure));
                IDLE
            }
        };
        tokio::select! {
            () = room.shared.wake.notified() => {}
            () = running.ended() => {}
            () = sleep(pause) => {}
        }
    }
    let rest = async { while running.tasks.join_next().await.is_some() {} };
    // What is not told by then is told again by the next process.
    let _ = timeout(DRAIN, rest).await;
}

/// SQLite's database is of one process: what an earlier one was at is free.
fn release_all(conn: &mut Connection) -> Result<(), Failure> {
    match conn.engine() {
        Either::Sqlite(_) => Ok(subscriptions::release_all(conn)?),
        Either::Postgres(_) => Ok(()),
    }
}

/// Begins to tell everybody whose turn it is and for whom there is room. Says how long there is
/// nothing to begin.
async fn begin(room: &Arc<Room>, running: &mut Running) -> Result<Duration, Failure> {
    loop {
        let room_for = CONSUMERS.saturating_sub(running.whose.len());
        if room_for == 0 {
            return Ok(IDLE);
        }
        let now = milliseconds(SystemTime::now());
        let busy = running.busy();
        // Those that are being told may not have been claimed yet.
        let limit = room_for + running.whose.len();
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let work = move |conn: &mut _| Ok(subscriptions::due(conn, now, &busy, rows)?);
        let due = room.db.read(work).await?;
        let (found, mut begun) = (due.len(), 0);
        for due in due {
            if due.next_attempt > now {
                let wait = u64::try_from(due.next_attempt - now).unwrap_or_default();
                return Ok(Duration::from_millis(wait).min(IDLE));
            }
            let told = running.is_told(due.number) || running.is_busy(&due.destination);
            if !told && running.whose.len() < CONSUMERS {
                running.begin(room, due);
                begun += 1;
            }
        }
        if begun == 0 || found < limit {
            return Ok(IDLE);
        }
    }
}
