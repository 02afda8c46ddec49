//! Answers to ITI-55 that a community wants later (Deferred Response Option, ITI TF-2 3.55.6.2).
//!
//! They are found at once and kept; then they go, one after the other, to the address that is configured for
//! the community, until it has taken them. An address that only a message names is never called.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use xds_schemas::hl7v3::find_candidates::FindCandidatesQuery;
use xds_schemas::hl7v3::{AcceptAcknowledgement, Verdict};
use xds_schemas::iti55_cross_gateway_patient_discovery::DeferredAnswer;
use xds_schemas::metadata::HomeCommunityId;
use xds_schemas::transaction::Transaction;
use xds_schemas::xcpd;
use xds_schemas::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError};

use hilum_security::Caller;
use hilum_transport::ClientError;

use crate::Room;
use crate::asking::Silence;
use crate::communities::Known;
use crate::correlations::deferred::Later;

/// For how long it is tried to send an answer: a weekend, and a day to mend what is broken.
pub(crate) const TRIED_SECONDS: i64 = 3 * 24 * 60 * 60;
/// What it is called where it is counted how a community answers.
const DELIVERY: &str = "ITI-55 deferred";
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

/// The pause after so many failures in a row, the last one included.
fn pause(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

/// Sends what waits until the gateway is closed. What is on its way then is sent again by the next process.
pub(crate) async fn run(room: Room) {
    let room = Arc::new(room);
    let mut sending = JoinSet::new();
    let mut busy: HashMap<Id, HomeCommunityId> = HashMap::new();
    // How often nobody was there in a row, and until when it is not tried again.
    let mut pauses: HashMap<HomeCommunityId, (u32, Instant)> = HashMap::new();
    while !room.patients.outbox.is_closing() {
        let waiting = match room.patients.correlations.waited_for().await {
            Ok((waiting, removed)) => {
                if removed > 0 {
                    tracing::warn!(
                        removed,
                        "deferred answers were never taken and are given up"
                    );
                }
                pauses.retain(|home, _| waiting.contains(home));
                waiting
            }
            Err(error) => {
                tracing::error!("deferred answers cannot be looked for: {error:#}");
                Vec::new()
            }
        };
        for home in waiting {
            let rests = pauses.get(&home);
            let rests = rests.is_some_and(|(_, until)| *until > Instant::now());
            if !rests && busy.values().all(|other| *other != home) {
                let (room, to) = (Arc::clone(&room), home.clone());
                let task = sending.spawn(async move { send_all(&room, &to).await });
                busy.insert(task.id(), home);
            }
        }
        tokio::select! {
            () = room.patients.outbox.wake.notified() => {}
            () = sleep(IDLE) => {}
            Some(ended) = sending.join_next_with_id() => {
                let (task, is_there) = match ended {
                    Ok(ended) => ended,
                    Err(error) => {
                        tracing::error!(%error, "a deferred answer was lost on its way");
                        (error.id(), false)
                    }
                };
                let Some(home) = busy.remove(&task) else { continue };
                if is_there {
                    pauses.remove(&home);
                } else {
                    let failures = pauses.get(&home).map_or(1, |(before, _)| before.saturating_add(1));
                    pauses.insert(home, (failures, Instant::now() + pause(failures)));
                }
            }
        }
    }
}

/// Sends everything that waits for a community. Says whether there is a point in going on at once.
async fn send_all(room: &Room, home: &HomeCommunityId) -> bool {
    let correlations = &room.patients.correlations;
    loop {
        let (number, later) = match correlations.next_for(home).await {
            Ok(None) => return true,
            Ok(Some(next)) => next,
            Err(error) => {
                tracing::error!(%home, "deferred answers cannot be looked for: {error:#}");
                return false;
            }
        };
        let sent = match later {
            Ok(later) => send(room, &later).await,
            // Its key may come back.
            Err(error) => {
                tracing::error!(%home, number, "a deferred answer cannot be read, and waits: {error:#}");
                Sent::NotTaken
            }
        };
        let noted = match sent {
            Sent::Settled => correlations.is_settled(number).await,
            Sent::NotTaken => correlations.put_off(number, pause).await,
            Sent::Away => return false,
        };
        if let Err(error) = noted {
            tracing::error!("it is not noted what became of a deferred answer: {error:#}");
            return false;
        }
    }
}

/// What became of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Sent {
    /// It need not be sent again.
    Settled,
    /// It cannot be read, or was sent and not taken, which need not be so with others: it is sent again later.
    NotTaken,
    /// It was not sent, and others would not be either.
    Away,
}

/// Sends an answer.
async fn send(room: &Room, later: &Later) -> Sent {
    let communities = room.known_now();
    let known = communities.other(later.home.as_str());
    let deferred = known.and_then(|it| Some((it, it.community.patients.deferred.as_deref()?)));
    let Some((known, url)) = deferred else {
        tracing::warn!(home = %later.home, "a deferred answer is given up: there is no deferred_url any more");
        return Sent::Settled;
    };
    let name = &known.community.name;
    let client = match room.client_of(known) {
        Ok(client) => client.relating_to(&later.relates_to),
        Err(silence) => {
            tracing::warn!(name, why = silence.told(), "a deferred answer waits");
            return Sent::Away;
        }
    };
    let client = match later.lives {
        0 => client,
        seconds => client.with_blocks(&xcpd::time_to_live(seconds)),
    };
    let message = Written(later.message.clone());
    let sending = client.send::<Kept>(url, &message, Vec::new());
    match known.deliveries.ask(DELIVERY, sending).await {
        Ok((answer, _)) if answer.response.verdict == Verdict::Accepted => Sent::Settled,
        // It would say the same of the same message again.
        Ok(_) => {
            tracing::warn!(name, "a deferred answer is refused, and given up");
            Sent::Settled
        }
        Err(silence) => {
            tracing::warn!(name, why = silence.told(), "a deferred answer waits");
            match may_be_its_fault(&silence) {
                true => Sent::NotTaken,
                false => Sent::Away,
            }
        }
    }
}

/// Whether it may be this answer that is not taken, and not every one.
fn may_be_its_fault(silence: &Silence) -> bool {
    match silence {
        Silence::Late(_) => true,
        Silence::Failed(error) => match error {
            ClientError::Fault { .. } | ClientError::Garbled { .. } => true,
            ClientError::Unreachable { sent, .. } => *sent,
            ClientError::Url { .. } => false,
        },
        _ => false,
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
