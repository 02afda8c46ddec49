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

mod wanted;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{Semaphore, watch};

use crate::client::Client;
use crate::limits::Limits;
use crate::reply::{Asked, Reply};
use crate::target::Origin;

pub(crate) use wanted::{Accepted, Destination, There, Wanted};

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
