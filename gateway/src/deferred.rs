//! Answers to ITI-55 that a community wants later (Deferred Response Option, ITI TF-2 3.55.6.2).
//!
//! They are found at once and kept; then they go, one after the other, to the address that is configured for
//! the community, until it has taken them. An address that only a message names is never called.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;
use xds_schemas::hl7v3::find_candidates::FindCandidatesQuery;
use xds_schemas::hl7v3::{AcceptAcknowledgement, Verdict};
use xds_schemas::iti55_cross_gateway_patient_discovery::DeferredAnswer;
use xds_schemas::metadata::HomeCommunityId;
use xds_schemas::transaction::Transaction;
use xds_schemas::xcpd;
use xds_schemas::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError};

use hilum_security::Caller;

use crate::Room;
use crate::communities::Known;
use crate::correlations::deferred::Later;

/// For how long it is tried to send an answer: a weekend, and a day to mend what is broken.
pub(crate) const TRIED_SECONDS: i64 = 3 * 24 * 60 * 60;
/// The pause after the first failure; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// How often it is looked for what waits when nothing is known to.
const IDLE: Duration = Duration::from_secs(5);

/// Why a question is not answered later.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotLater {
    /// Nobody is, or not this community; nothing more is said.
    Unsupported,
    /// The message does not say what it has to.
    Wrong(&'static str),
}

/// The community that asks, if it is answered later where it wants.
pub(crate) fn asker(
    room: &Room,
    caller: &Caller,
    question: &FindCandidatesQuery,
) -> Result<Arc<Known>, NotLater> {
    let oid = question.transmission.sender_organization.as_deref();
    let oid = oid.ok_or(NotLater::Unsupported)?;
    let home = format!("urn:oid:{}", oid.trim_start_matches("urn:oid:"));
    let known = room.communities.other(&home);
    let known = known.ok_or(NotLater::Unsupported)?;
    let patients = &known.community.patients;
    let configured = patients.deferred.as_deref();
    let configured = configured.ok_or(NotLater::Unsupported)?;
    if !patients.speaker.is(caller) {
        let name = &known.community.name;
        tracing::warn!(name, %caller.address, "a node that does not speak for a community wants an answer later");
        return Err(NotLater::Unsupported);
    }
    let wanted = question.transmission.respond_to.as_deref().map(str::trim);
    match wanted {
        None | Some("") => Err(NotLater::Wrong(
            "respondTo does not say where the answer is to be sent",
        )),
        Some(wanted) if wanted == configured => Ok(Arc::clone(known)),
        Some(_) => {
            let name = &known.community.name;
            tracing::warn!(
                name,
                "an answer is wanted at another address than deferred_url"
            );
            Err(NotLater::Wrong(
                "respondTo is not the address that is configured here for this community",
            ))
        }
    }
}

/// That something waits, or nobody is there any more for whom it is sent.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    wake: Notify,
    closing: AtomicBool,
}

/// As long as this is there, what waits is sent: it belongs to the gateway, not to the task that sends.
#[derive(Debug)]
pub(crate) struct Sending(pub(crate) Arc<Outbox>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.closing.store(true, Ordering::Release);
        self.0.wake.notify_one();
    }
}

impl Outbox {
    /// Something waits.
    pub(crate) fn hurry(&self) {
        self.wake.notify_one();
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

/// Sends what waits until the gateway is closed. What is on its way then is sent again by the next process.
pub(crate) async fn run(room: Room) {
    let room = Arc::new(room);
    let mut sending = JoinSet::new();
    let mut busy: HashSet<HomeCommunityId> = HashSet::new();
    let mut pauses: HashMap<HomeCommunityId, (Duration, Instant)> = HashMap::new();
    while !room.patients.outbox.is_closing() {
        let waiting = match room.patients.correlations.waited_for().await {
            Ok((waiting, removed)) => {
                if removed > 0 {
                    tracing::warn!(
                        removed,
                        "deferred answers were never taken and are given up"
                    );
                }
                waiting
            }
            Err(error) => {
                tracing::error!("deferred answers cannot be looked for: {error:#}");
                Vec::new()
            }
        };
        pauses.retain(|home, _| waiting.contains(home));
        for home in waiting {
            let rests = pauses.get(&home);
            let rests = rests.is_some_and(|(_, until)| *until > Instant::now());
            if !rests && busy.insert(home.clone()) {
                let room = Arc::clone(&room);
                sending.spawn(async move {
                    let sent = send_all(&room, &home).await;
                    (home, sent)
                });
            }
        }
        tokio::select! {
            () = room.patients.outbox.wake.notified() => {}
            () = sleep(IDLE) => {}
            Some(ended) = sending.join_next() => match ended {
                Ok((home, sent)) => {
                    busy.remove(&home);
                    match sent {
                        true => _ = pauses.remove(&home),
                        false => {
                            let pause = pauses.get(&home);
                            let pause = pause.map_or(PAUSE, |(before, _)| (*before * 2).min(LONGEST_PAUSE));
                            pauses.insert(home, (pause, Instant::now() + pause));
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "a deferred answer was lost on its way");
                    // Nobody knows whose it was: what waits is sent again, which does no harm.
                    busy.clear();
                }
            },
        }
    }
}

/// Sends everything that waits for a community. Says whether there is a point in going on at once.
async fn send_all(room: &Room, home: &HomeCommunityId) -> bool {
    let correlations = &room.patients.correlations;
    loop {
        let next = match correlations.next_for(home).await {
            Ok(None) => return true,
            Ok(Some(next)) => next,
            Err(error) => {
                tracing::error!(%home, "a deferred answer cannot be read: {error:#}");
                return false;
            }
        };
        let (number, later) = next;
        if !is_done(room, &later).await {
            return false;
        }
        if let Err(error) = correlations.is_settled(number).await {
            tracing::error!("a deferred answer is not forgotten: {error:#}");
            return false;
        }
    }
}

/// Sends an answer. Says whether it need not be sent again.
async fn is_done(room: &Room, later: &Later) -> bool {
    let communities = room.known_now();
    let known = communities.other(later.home.as_str());
    let deferred = known.and_then(|it| Some((it, it.community.patients.deferred.as_deref()?)));
    let Some((known, url)) = deferred else {
        tracing::warn!(home = %later.home, "a deferred answer is given up: there is no deferred_url any more");
        return true;
    };
    let name = &known.community.name;
    let client = match room.client_of(known) {
        Ok(client) => client.relating_to(&later.relates_to),
        Err(silence) => {
            tracing::warn!(name, why = silence.told(), "a deferred answer waits");
            return false;
        }
    };
    let client = match later.lives {
        0 => client,
        seconds => client.with_blocks(&xcpd::time_to_live(seconds)),
    };
    let message = Written(later.message.clone());
    let sending = client.send::<Kept>(url, &message, Vec::new());
    match known.line.ask("ITI-55", sending).await {
        Ok((answer, _)) if answer.response.verdict == Verdict::Accepted => true,
        // It would say the same of the same message again.
        Ok(_) => {
            tracing::warn!(name, "a deferred answer is refused, and given up");
            true
        }
        Err(silence) => {
            tracing::warn!(name, why = silence.told(), "a deferred answer waits");
            false
        }
    }
}

/// [`DeferredAnswer`] as it was kept.
#[derive(Debug)]
enum Kept {}

impl Transaction for Kept {
    const ACTION: &'static str = DeferredAnswer::ACTION;
    const RESPONSE_ACTION: &'static str = DeferredAnswer::RESPONSE_ACTION;
    const MTOM: bool = DeferredAnswer::MTOM;
    type Request = Written;
    type Response = AcceptAcknowledgement;
}

/// A message that is written already.
#[derive(Debug)]
struct Written(String);

impl ToXml for Written {
    fn to_xml(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }
}

impl FromXml for Written {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        Err(reader.unexpected(element, "nothing: it is only sent"))
    }
}
