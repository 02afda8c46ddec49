//! What a call wants that is not an answer on its connection, and whether it can have it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use xds_schemas::soap::{Fault, Header};
use xds_schemas::wsa::{self, ANONYMOUS, EndpointReference, NONE};

use super::{Peer, Replies};
use crate::reply::Reply;
use crate::target::{Origin, Target};

/// What whoever wants an answer elsewhere is told, and their operator should tell ours.
const NOT_ALLOWED: &str = "answers are not sent to this server; whoever runs this node can allow it \
                           by its scheme, host and port, as reply_to in [asynchronous]";

impl Replies {
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
}

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
    pub(super) endpoint: EndpointReference,
    pub(super) target: Target,
    pub(super) peer: Arc<Peer>,
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
