//! Answers that are wanted elsewhere: to whom they may be sent, and how they get there.
//!
//! A call whose `wsa:ReplyTo` names an address of its own (ITI TF-2 V.5, WS-Addressing 1.0) is
//! carried out like any other. As soon as the room has read the request and everything that came
//! with it has been taken, its connection is answered with HTTP status 202 and nothing else; the
//! answer follows as a request of our own to that address. Until then a refusal is still given on
//! the connection, where whoever called is sure to see it; afterwards a fault goes where
//! `wsa:FaultTo` says, or else where the answer would have gone.
//!
//! Whoever can call us could make us call others. So answers go only to servers that the operator
//! has named, compared by scheme, host and port after parsing; and for each of them only so many
//! calls may wait. A server that cannot be reached is tried again a few times, but only as long as
//! nothing was sent to it: nobody gets an answer twice.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use xds_schemas::soap::{Fault, Header};
use xds_schemas::wsa::{self, ANONYMOUS, EndpointReference, NONE};

use crate::client::Client;
use crate::limits::Limits;
use crate::reply::{Asked, Reply};
use crate::target::{Origin, Target};

/// Calls that may wait at one time until one server has got their answers: being answered, queued,
/// or tried again. What each of them holds is its metadata; documents stay in their files.
pub const WAITING: usize = 256;
/// Answers that are on their way to one server at one time.
pub const SENDING: usize = 16;
/// How often a server that cannot be reached is tried for one answer.
pub const ATTEMPTS: u32 = 6;
/// Seconds between the first two attempts; each further pause is twice as long.
pub const PAUSE_SECONDS: u64 = 1;
/// The longest pause, however many attempts there are.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// To whom answers may be sent that are not wanted on the connection of their call, and how much is
/// given to them. The numbers are the constants of this module, which say why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asynchronous {
    /// The servers. Without any, nobody is answered elsewhere.
    pub reply_to: Vec<Origin>,
    /// [`WAITING`]
    pub waiting: usize,
    /// [`SENDING`]
    pub sending: usize,
    /// [`ATTEMPTS`]
    pub attempts: u32,
    /// [`PAUSE_SECONDS`]
    pub pause_seconds: u64,
}

impl Default for Asynchronous {
    fn default() -> Self {
        Self {
            reply_to: Vec::new(),
            waiting: WAITING,
            sending: SENDING,
            attempts: ATTEMPTS,
            pause_seconds: PAUSE_SECONDS,
        }
    }
}

/// The answers of one listener that are sent elsewhere.
#[derive(Debug)]
pub struct Replies {
    client: Client,
    peers: Vec<Arc<Peer>>,
    waiting: u32,
    attempts: u32,
    pause: Duration,
    stopping: watch::Sender<bool>,
}

/// A server that answers may be sent to.
#[derive(Debug)]
struct Peer {
    origin: Origin,
    waiting: Arc<Semaphore>,
    sending: Semaphore,
}

impl Replies {
    /// Sends answers with `client` to whom `allowed` names.
    pub fn new(allowed: &Asynchronous, client: Client) -> Self {
        // At least one, and not more than a semaphore can count.
        let count = |wanted: usize| wanted.clamp(1, u32::MAX as usize >> 3);
        let (waiting, sending) = (count(allowed.waiting), count(allowed.sending));
        let peer = |origin: &Origin| {
            Arc::new(Peer {
                origin: origin.clone(),
                waiting: Arc::new(Semaphore::new(waiting)),
                sending: Semaphore::new(sending),
            })
        };
        Self {
            client,
            peers: allowed.reply_to.iter().map(peer).collect(),
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
            attempts: allowed.attempts.max(1),
            pause: Duration::from_secs(allowed.pause_seconds).min(LONGEST_PAUSE),
            stopping: watch::Sender::new(false),
        }
    }

    /// Nobody is answered elsewhere.
    pub fn nobody() -> Self {
        let client = Client::new(None, Limits::default());
        Self::new(&Asynchronous::default(), client)
    }

    /// From now on, servers that cannot be reached are not waited for.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Ends when no answer waits any more.
    pub(crate) async fn all_sent(&self) {
        for peer in &self.peers {
            // It is never closed.
            let _ = peer.waiting.acquire_many(self.waiting).await;
        }
    }

    /// How many answers wait.
    pub(crate) fn count(&self) -> usize {
        let waiting = |peer: &Arc<Peer>| self.waiting as usize - peer.waiting.available_permits();
        self.peers.iter().map(waiting).sum()
    }

    /// Where the answer to a message should go, and where a fault should.
    fn destinations(&self, header: &Header) -> Result<(Destination, Destination), Fault> {
        let reply = self.destination("ReplyTo", header.reply_to.as_ref())?;
        let fault = match &header.fault_to {
            None => reply.clone(),
            endpoint => self.destination("FaultTo", endpoint.as_ref())?,
        };
        Ok((reply, fault))
    }

    fn destination(
        &self,
        header: &str,
        endpoint: Option<&EndpointReference>,
    ) -> Result<Destination, Fault> {
        let endpoint = match endpoint {
            None => return Ok(Destination::Here),
            Some(endpoint) if endpoint.address == ANONYMOUS => return Ok(Destination::Here),
            Some(endpoint) if endpoint.address == NONE => return Ok(Destination::Nowhere),
            Some(endpoint) => endpoint,
        };
        let target = Target::parse(&endpoint.address)
            .map_err(|problem| wsa::invalid_address(header, problem))?;
        let mut peers = self.peers.iter();
        let peer = peers.find(|peer| peer.origin == target.origin);
        let peer = peer.ok_or_else(|| wsa::only_anonymous(header, NOT_ALLOWED))?;
        Ok(Destination::There(Box::new(There {
            endpoint: endpoint.clone(),
            target,
            peer: Arc::clone(peer),
        })))
    }

    /// Sends an answer to where it is wanted, or says why it did not get there.
    pub(crate) async fn deliver(
        &self,
        there: &There,
        reply: Reply,
        asked: &Asked,
    ) -> Result<(), String> {
        let Some(message) = reply.into_message(asked, &there.endpoint) else {
            return Err("it is no SOAP message".to_owned());
        };
        let kind = Some(message.content_type);
        let mut request = there.target.request("POST", kind, message.body);
        // It is never closed.
        let _sending = there.peer.sending.acquire().await;
        let mut pause = self.pause;
        for attempt in 1.. {
            let stopping = *self.stopping.borrow();
            let failed = match self.client.deliver(&there.target, request).await {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            let last = attempt >= self.attempts || stopping;
            request = match failed.unsent {
                Some(unsent) if !last => *unsent,
                _ => return Err(failed.error.to_string()),
            };
            tracing::info!(to = %there.peer.origin, reason = %failed.error, "an answer waits");
            let mut stop = self.stopping.subscribe();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // The sender is ours, so this ends only with a stop.
                _ = stop.wait_for(|stopping| *stopping) => {}
            }
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
        unreachable!("the last attempt returns")
    }
}

/// What whoever wants an answer elsewhere is told, and their operator should tell ours.
const NOT_ALLOWED: &str = "answers are not sent to this server; whoever runs this node can allow it \
                           by its scheme, host and port, as reply_to in [asynchronous]";

/// Where an answer or a fault should go.
#[derive(Debug, Clone)]
pub(crate) enum Destination {
    /// On the connection of the call.
    Here,
    /// Nobody wants to know.
    Nowhere,
    /// To an address.
    There(Box<There>),
}

/// An address that answers may be sent to.
#[derive(Debug, Clone)]
pub(crate) struct There {
    endpoint: EndpointReference,
    target: Target,
    peer: Arc<Peer>,
}

impl There {
    /// The server, for people.
    pub(crate) fn server(&self) -> &Origin {
        &self.peer.origin
    }
}

impl Destination {
    fn there(&self) -> Option<&There> {
        match self {
            Self::There(there) => Some(there),
            Self::Here | Self::Nowhere => None,
        }
    }
}

/// A call that does not want all it may be answered on its connection.
#[derive(Debug)]
pub(crate) struct Wanted {
    destinations: Result<(Destination, Destination), Fault>,
    /// The first header that names an address.
    elsewhere: Option<&'static str>,
    has_message_id: bool,
    told: oneshot::Sender<Accepted>,
}

impl Wanted {
    /// What a message wants that is not simply answered on its connection; and who is told when it
    /// is accepted.
    pub(crate) fn of(
        header: &Header,
        replies: &Replies,
    ) -> Option<(Self, oneshot::Receiver<Accepted>)> {
        let endpoints = [("ReplyTo", &header.reply_to), ("FaultTo", &header.fault_to)];
        let mut unusual = endpoints
            .into_iter()
            .filter_map(|(name, endpoint)| Some((name, endpoint.as_ref()?.address.as_str())))
            .filter(|(_, address)| *address != ANONYMOUS)
            .peekable();
        unusual.peek()?;
        let mut elsewhere = unusual.filter(|(_, address)| *address != NONE);
        let (told, accepted) = oneshot::channel();
        let wanted = Self {
            destinations: replies.destinations(header),
            elsewhere: elsewhere.next().map(|(name, _)| name),
            has_message_id: header.message_id.is_some(),
            told,
        };
        Some((wanted, accepted))
    }

    /// The address that the answer will go to, if it is one that may be sent to.
    pub(crate) fn reply_to(&self) -> Option<&str> {
        let (reply, _) = self.destinations.as_ref().ok()?;
        Some(&reply.there()?.endpoint.address)
    }

    /// Whether it can be had, of a transaction that may be asynchronous or not. If so, a place
    /// among those who wait is taken.
    pub(crate) fn judge(self, asynchronous: bool) -> Result<Accepting, Fault> {
        if let Some(header) = self.elsewhere.filter(|_| !asynchronous) {
            let why = "this transaction is answered on the connection of its request";
            return Err(wsa::only_anonymous(header, why));
        }
        let (reply, fault) = self.destinations?;
        let place = match reply.there().or(fault.there()) {
            None => None,
            // WS-Addressing 1.0 Core, section 3.4: the answer relates to it.
            Some(_) if !self.has_message_id => return Err(wsa::header_required("MessageID")),
            Some(there) => {
                let place = Arc::clone(&there.peer.waiting).try_acquire_owned();
                let why = "too many answers to this server wait already; please try again later";
                Some(place.map_err(|_| wsa::endpoint_unavailable(why))?)
            }
        };
        let told = self.told;
        Ok(Accepting {
            reply,
            fault,
            place,
            told,
        })
    }
}

/// A call that may be accepted as soon as its request has been read.
#[derive(Debug)]
pub(crate) struct Accepting {
    reply: Destination,
    fault: Destination,
    place: Option<OwnedSemaphorePermit>,
    told: oneshot::Sender<Accepted>,
}

impl Accepting {
    /// The request was read; `received` ends when the rest of the message was taken too.
    pub(crate) fn accept(self, received: oneshot::Receiver<()>) {
        // If nobody waits for it any more, the connection is gone; the call goes on.
        let _ = self.told.send(Accepted {
            reply: self.reply,
            fault: self.fault,
            received,
            place: self.place,
        });
    }
}

/// A call that was accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    reply: Destination,
    fault: Destination,
    /// Ends when the rest of the message was taken.
    pub(crate) received: oneshot::Receiver<()>,
    /// Its place among those who wait for one server.
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

impl Accepted {
    /// Whether its connection is not needed to answer it, so that it need not wait for the room.
    /// Who wants no answer at all has no place among those who wait, and so waits here.
    pub(crate) fn leaves_the_connection(&self) -> bool {
        let here = |destination| matches!(destination, &Destination::Here);
        self.place.is_some() && !here(&self.reply) && !here(&self.fault)
    }

    /// Where this reply goes.
    pub(crate) fn destination(&self, reply: &Reply) -> Destination {
        match reply.is_fault() {
            true => self.fault.clone(),
            false => self.reply.clone(),
        }
    }
}
