//! HL7 v2 over MLLP, plain or with mutual TLS (HL7 Implementation Guide, Appendix C; ITI TF-2 C.2.1).
//!
//! A message stands between a vertical tab and a file separator with a carriage return; its answer
//! comes on the same connection before the next message is read. [`serve`] is the receiver, which
//! brings each message to a room and knows nothing of what it says; [`Connection`] is the sender.

mod connection;
mod frame;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpListener;
use xds_schemas::soap::Fault;

use hilum_security::iti19_authenticate_node::ServerTls;
use hilum_security::{Caller, Permission};

use crate::call::Refusal;
use crate::limits::Limits;
use crate::streams;

pub use connection::Connection;
use frame::{Frames, Next};

/// What comes to a room.
#[derive(Debug)]
pub enum Incoming {
    /// A message, which is to be answered.
    Message(Message),
    /// Something that was refused here already and is handed over to be recorded. An answer to it
    /// goes nowhere.
    Refused(Refusal),
}

/// A message, of which only the first segment can be read before it is permitted.
pub struct Message {
    caller: Caller,
    endpoint: String,
    bytes: Bytes,
}

/// Without what it says, which is about patients.
impl std::fmt::Debug for Message {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Message")
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

impl Message {
    /// Who sends it.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The address to which it was sent, as `mllp://…` or `mllps://…`: for the audit.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The first segment, which says who wants what, as the header of a SOAP envelope does.
    pub fn header(&self) -> &[u8] {
        let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let end = self.bytes.iter().position(ends);
        &self.bytes[..end.unwrap_or(self.bytes.len())]
    }

    /// The whole message, if the caller may send such a thing.
    ///
    /// # Errors
    /// If the caller may not.
    pub fn permitted(&self, permission: Permission) -> Result<&Bytes, Fault> {
        match self.caller.may(permission) {
            Ok(()) => Ok(&self.bytes),
            Err(refused) => Err(Fault::not_permitted(refused.to_string())),
        }
    }
}

/// What all connections of one listener share.
struct Door<R> {
    limits: Limits,
    routes: R,
    endpoint: String,
}

/// Serves connections until `stop`, then lets messages that have come be answered within
/// [`Limits::drain_seconds`]. Says whether all of them were.
///
/// Without `tls`, connections are plain and their callers unknown. A room that answers nothing
/// closes the connection. Every message is answered in a task of its own: if it panics, its
/// connection is closed, and the room is told.
pub async fn serve<R, F>(
    listener: TcpListener,
    tls: Option<ServerTls>,
    limits: Limits,
    routes: R,
    stop: impl Future<Output = ()>,
) -> bool
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Option<Bytes>> + Send + 'static,
{
    let scheme = if tls.is_some() { "mllps" } else { "mllp" };
    let address = listener.local_addr();
    let endpoint = address.map_or_else(|_| "unknown".to_owned(), |it| it.to_string());
    let most = limits.connections;
    let door = Arc::new(Door {
        limits: limits.clone(),
        routes,
        endpoint: format!("{scheme}://{endpoint}"),
    });
    let handle = move |incoming| {
        let door = Arc::clone(&door);
        async move {
            match incoming {
                streams::Incoming::Connection(connection) => talk(&door, connection).await,
                streams::Incoming::Refused(refusal) => {
                    drop((door.routes)(Incoming::Refused(refusal)).await);
                }
            }
        }
    };
    streams::serve(listener, tls, limits, most, handle, stop).await
}

/// Answers the messages of one connection, one after the other.
async fn talk<R, F>(door: &Arc<Door<R>>, connection: streams::Connection)
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Option<Bytes>> + Send + 'static,
{
    let streams::Connection {
        stream,
        caller,
        mut stopping,
    } = connection;
    let mut frames = Frames::new(stream, &door.limits, door.limits.idle());
    loop {
        let stopped = async { drop(stopping.wait_for(|stopping| *stopping).await) };
        let next = tokio::select! {
            next = frames.next() => Some(next),
            () = stopped => None,
        };
        let next = match next {
            Some(next) => next,
            // A message of which something has come is still waited for.
            None if frames.has_begun() => frames.next().await,
            None => return,
        };
        let bytes = match next {
            Next::Message(bytes) => bytes,
            Next::End | Next::Silence => return,
            Next::Wrong(reason) => {
                tracing::warn!(address = %caller.address, reason, "a connection was closed");
                let refusal = Refusal::unframed(caller, Fault::sender(reason));
                drop(in_task(door, Incoming::Refused(refusal)).await);
                return;
            }
        };
        let message = Message {
            caller: caller.clone(),
            endpoint: door.endpoint.clone(),
            bytes,
        };
        let Ok(answer) = in_task(door, Incoming::Message(message)).await else {
            let lost = Incoming::Refused(Refusal::lost(caller, false));
            drop(in_task(door, lost).await);
            return;
        };
        let Some(answer) = answer else { return };
        if let Err(error) = frames.answer(&answer).await {
            tracing::debug!(%error, "a connection ended before its answer");
            return;
        }
    }
}

/// Lets the room answer in a task of its own. What was begun is finished even if the caller goes
/// away.
async fn in_task<R, F>(
    door: &Arc<Door<R>>,
    incoming: Incoming,
) -> Result<Option<Bytes>, tokio::task::JoinError>
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Option<Bytes>> + Send + 'static,
{
    let door = Arc::clone(door);
    let answered = tokio::spawn(async move { (door.routes)(incoming).await }).await;
    answered.inspect_err(|error| tracing::error!(%error, "a message was lost"))
}
