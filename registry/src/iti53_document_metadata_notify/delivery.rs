//! Telling one consumer: in order, at least once, and not for ever.

use std::sync::Arc;
use std::time::SystemTime;

use hilum_audit::{Event, Outcome, Parties};
use hilum_transport::ClientError;
use tokio::time::timeout;
use uuid::Uuid;
use xds_schemas::iti53_document_metadata_notify::{DocumentMetadataNotify, WrittenNotify};

use super::{Room, schedule};
use crate::db::notifications::{self, Notification};
use crate::db::pull_points;
use crate::db::subscriptions::{self, Due};
use crate::failure::Failure;
use crate::iti52_document_metadata_subscribe::{incident, milliseconds};
use crate::seconds;
use crate::subscriptions::place;
use crate::subscriptions::record::notified;
use crate::subscriptions::telling::Teller;

/// Notifications that one subscription may send before it is another's turn.
const BATCH: usize = 32;
/// Attempts before a subscription is given up, however old a notification is: this registry may have
/// been closed meanwhile.
const FEWEST_ATTEMPTS: i32 = 3;
/// How much longer than an answer may take a subscription is kept from others: time for the record
/// and the database.
const MARGIN_MILLIS: i64 = 30_000;
/// Characters of an error that are kept for the operator.
const ERROR_CHARACTERS: usize = 400;

/// Why a consumer was not told.
struct Trouble {
    reason: String,
    /// Whether it may have got the notification all the same.
    sent: bool,
}

impl Trouble {
    fn unsent(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            sent: false,
        }
    }
}

/// Tells the consumer of a subscription what there is to tell, as long as it takes it.
pub(super) async fn deliver(room: Arc<Room>, due: Due) {
    let number = due.number;
    if let Err(failure) = deliver_all(&room, due).await {
        // The claim ends by itself, and it is tried again.
        tracing::error!(number, "a subscription waits: {}", incident(failure));
    }
}

async fn deliver_all(room: &Room, due: Due) -> Result<(), Failure> {
    let number = due.number;
    let (now, until) = claim_times(room);
    let claim = move |conn: &mut _| Ok(subscriptions::claim(conn, number, now, until)?);
    if !room.db.write(claim).await? {
        return Ok(());
    }
    let mut attempts = due.attempts;
    for _ in 0..BATCH {
        if room.shared.closing() {
            break;
        }
        let Some((oldest, notification)) = oldest(room, number).await? else {
            break;
        };
        let Some(notification) = notification else {
            // Its subscriber may not be told any of it.
            let work = move |conn: &mut _| Ok(notifications::delete(conn, oldest)?);
            room.db.write(work).await?;
            continue;
        };
        match send(room, &due, attempts, &notification).await {
            Ok(()) => {
                delivered(room, number, notification.number).await?;
                if attempts > 0 {
                    tracing::info!(number, destination = %due.destination, "a subscription is delivered again");
                }
                attempts = 0;
            }
            Err(trouble) => return failed(room, &due, attempts, &notification, trouble).await,
        }
    }
    let most = i64::try_from(room.config.backlog).unwrap_or(i64::MAX);
    let work = move |conn: &mut _| {
        let backlog = notifications::backlog(conn, number)?;
        match backlog > most {
            true => subscriptions::give_up(conn, number, TOO_MUCH)?,
            false => subscriptions::release(conn, number)?,
        }
        Ok(backlog > most)
    };
    if room.db.write(work).await? {
        tracing::error!(number, destination = %due.destination, "a subscription was given up: {TOO_MUCH}");
    }
    Ok(())
}

/// The oldest notification of a subscription: its number, and as much of it as may be told now.
async fn oldest(room: &Room, number: i64) -> Result<Option<(i64, Option<Notification>)>, Failure> {
    let policy = room.access.policy();
    let (home, now) = (room.home.clone(), SystemTime::now());
    let work = move |conn: &mut _| {
        let Some(oldest) = notifications::oldest(conn, number)? else {
            return Ok(None);
        };
        let oldest_number = oldest.number;
        let Some(policy) = policy else {
            return Ok(Some((oldest_number, Some(oldest))));
        };
        let teller = Teller {
            policy,
            puller: None,
            home: &home,
            now,
        };
        Ok(Some((oldest_number, teller.tellable(conn, oldest)?)))
    };
    room.db.read(work).await
}

const TOO_MUCH: &str = "more waited for its consumer than may wait";

/// Now, and until when a subscription is kept from others, in milliseconds.
fn claim_times(room: &Room) -> (i64, i64) {
    let now = milliseconds(SystemTime::now());
    let answer = i64::try_from(room.config.answer.as_millis()).unwrap_or(i64::MAX);
    (
        now,
        now.saturating_add(answer).saturating_add(MARGIN_MILLIS),
    )
}

async fn delivered(room: &Room, number: i64, notification: i64) -> Result<(), Failure> {
    let (_, until) = claim_times(room);
    let now = i64::try_from(seconds(SystemTime::now())).unwrap_or(i64::MAX);
    let work = move |conn: &mut _| {
        notifications::delete(conn, notification)?;
        Ok(subscriptions::delivered(conn, number, now, until)?)
    };
    room.db.write(work).await
}

/// Sends one notification and records it. What could not be recorded counts as not sent: it is
/// sent again.
async fn send(
    room: &Room,
    due: &Due,
    attempts: i32,
    notification: &Notification,
) -> Result<(), Trouble> {
    // What may be notified can have been changed since the subscription was made.
    let allowed = room.destinations.allow(&due.consumer);
    allowed.map_err(Trouble::unsent)?;
    let from = place::registry_of(&due.address);
    let message = WrittenNotify(&notification.message);
    let sending =
        room.client
            .send_one_way::<DocumentMetadataNotify>(&due.consumer, Some(from), &message);
    let sent = match timeout(room.config.answer, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Trouble {
            sent: !matches!(
                error,
                ClientError::Unreachable { sent: false, .. } | ClientError::Url { .. }
            ),
            reason: error.to_string(),
        }),
        Err(_) => Err(Trouble {
            reason: format!("no answer within {} seconds", room.config.answer.as_secs()),
            sent: true,
        }),
    };
    let outcome = match &sent {
        Ok(()) => Outcome::Success,
        // Nobody was told anything; that this is so is recorded once.
        Err(trouble) if !trouble.sent && attempts > 0 => return sent,
        Err(trouble) => Outcome::Failure(trouble.reason.clone()),
    };
    let parties = Parties::asked(&due.consumer).reply_to(from);
    let event = Event::notified(&parties, None, &notified(&notification.objects), &outcome);
    match room.audit.record(event, sent).await {
        Ok(recorded) => recorded.into_inner(),
        Err(error) => Err(Trouble::unsent(error.to_string())),
    }
}

/// The consumer could not be told: it is tried later, or given up.
async fn failed(
    room: &Room,
    due: &Due,
    attempts: i32,
    notification: &Notification,
    trouble: Trouble,
) -> Result<(), Failure> {
    let now = SystemTime::now();
    let since = i64::try_from(seconds(now)).unwrap_or(i64::MAX) - notification.created;
    let patience = i64::try_from(room.config.give_up.as_secs()).unwrap_or(i64::MAX);
    let reason: String = trouble.reason.chars().take(ERROR_CHARACTERS).collect();
    let number = due.number;
    let attempts_made = attempts.saturating_add(1);
    if since >= patience && attempts_made >= FEWEST_ATTEMPTS {
        let why = format!("given up after {since} seconds: {reason}");
        tracing::error!(number, destination = %due.destination, "a subscription was {why}");
        let work = move |conn: &mut _| Ok(subscriptions::give_up(conn, number, &why)?);
        return room.db.write(work).await;
    }
    if attempts == 0 {
        tracing::warn!(number, destination = %due.destination, reason, "a subscription cannot be delivered and is tried again");
    }
    let pause = schedule::pause(
        attempts_made.unsigned_abs(),
        room.config.first_pause,
        room.config.longest_pause,
        Uuid::new_v4().as_u64_pair().0,
    );
    let next = milliseconds(now + pause);
    let most = i64::try_from(room.config.backlog).unwrap_or(i64::MAX);
    let work = move |conn: &mut _| {
        if notifications::backlog(conn, number)? > most {
            subscriptions::give_up(conn, number, TOO_MUCH)?;
            return Ok(true);
        }
        subscriptions::delayed(conn, number, attempts_made, next, &reason)?;
        Ok(false)
    };
    if room.db.write(work).await? {
        tracing::error!(number, destination = %due.destination, "a subscription was given up: {TOO_MUCH}");
    }
    Ok(())
}

/// Removes what has ended, and what nobody comes for.
pub(super) async fn purge(room: &Room) {
    let now = i64::try_from(seconds(SystemTime::now())).unwrap_or(i64::MAX);
    let before = |age: std::time::Duration| {
        now.saturating_sub(i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
    };
    let long_ago = before(room.config.give_up);
    let forgotten = before(room.config.pull_point_idle);
    let work = move |conn: &mut _| {
        let ended = subscriptions::purge(conn, now, long_ago)?;
        for pull_point in pull_points::forgotten(conn, forgotten)? {
            tracing::warn!(pull_point, "a pull point to which nobody came was removed");
            pull_points::destroy(conn, pull_point)?;
        }
        notifications::drop_stale(conn, long_ago)?;
        Ok(ended)
    };
    match room.db.write(work).await {
        Ok(0) => {}
        Ok(ended) => tracing::info!(ended, "subscriptions have ended"),
        Err(failure) => tracing::error!("nothing is removed: {}", incident(failure)),
    }
}
