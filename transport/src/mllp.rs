//! HL7 v2 over MLLP, plain or with mutual TLS (HL7 Implementation Guide, Appendix C; ITI TF-2 C.2.1).
//!
//! A message stands between a vertical tab and a file separator with a carriage return; its answer
//! comes on the same connection before the next message is read. [`serve`] is the receiver, which
//! brings each message to a room and knows nothing of what it says; [`Connection`] is the sender.

mod connection;
mod frame;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use openssl::ssl::SslAcceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use xds_schemas::soap::Fault;

use hilum_security::{Caller, Permission, iti19_authenticate_node as iti19};

use crate::call::Refusal;
use crate::limits::Limits;
use crate::patient::Patient;
use crate::serve::{ACCEPT_PAUSE, Unshaken, handshake};

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
#[derive(Debug)]
pub struct Message {
    caller: Caller,
    endpoint: String,
    bytes: Bytes,
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
    tls: Option<SslAcceptor>,
    limits: Limits,
    routes: R,
    endpoint: String,
    stopping: watch::Receiver<bool>,
}

/// Serves connections until `stop`, then lets messages that have come be answered within
/// [`Limits::drain_seconds`]. Says whether all of them were.
///
/// Without `tls`, connections are plain and their callers unknown. A room that answers nothing
/// closes the connection. Every message is answered in a task of its own: if it panics, its
/// connection is closed, and the room is told.
pub async fn serve<R, F>(
    listener: TcpListener,
    tls: Option<SslAcceptor>,
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
    let connections = Arc::new(Semaphore::new(limits.connections));
    let (most, drain) = (limits.connections, limits.drain());
    let (stopped, stopping) = watch::channel(false);
    let door = Arc::new(Door {
        tls,
        limits,
        routes,
        endpoint: format!("{scheme}://{endpoint}"),
        stopping,
    });
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let door = Arc::clone(&door);
                tokio::spawn(async move {
                    connection(&door, stream, address).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stopped.send_replace(true);
    // When every permit is back, no connection is left.
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    timeout(drain, connections.acquire_many(all)).await.is_ok()
}

async fn connection<R, F>(door: &Arc<Door<R>>, stream: TcpStream, address: SocketAddr)
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Option<Bytes>> + Send + 'static,
{
    let mut caller = Caller::unknown(address);
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was closed at once");
        return;
    }
    let Some(acceptor) = &door.tls else {
        return talk(door, stream, caller).await;
    };
    match handshake(acceptor, stream, door.limits.handshake()).await {
        Ok(stream) => match iti19::peer(stream.ssl()) {
            Ok(node) => {
                caller.node = node;
                talk(door, stream, caller).await;
            }
            Err(error) => {
                let reason = format!("the certificate is garbled: {error}");
                refuse_connection(door, caller, &reason).await;
            }
        },
        Err(Unshaken::Gone) => tracing::debug!(%address, "gone before the TLS handshake"),
        Err(Unshaken::Refused(reason)) => refuse_connection(door, caller, &reason).await,
    }
}

/// Lets the room record that a node could not be authenticated.
async fn refuse_connection<R, F>(door: &Arc<Door<R>>, caller: Caller, reason: &str)
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Option<Bytes>> + Send + 'static,
{
    tracing::info!(address = %caller.address, reason, "a connection was refused");
    let fault = Fault::not_permitted(format!("the node was not authenticated: {reason}"));
    let refusal = Refusal::connection(caller, fault);
    drop((door.routes)(Incoming::Refused(refusal)).await);
}

/// Answers the messages of one connection, one after the other.
async fn talk<R, F, S>(door: &Arc<Door<R>>, stream: S, caller: Caller)
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Option<Bytes>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = Patient::new(stream, door.limits.progress());
    let mut frames = Frames::new(stream, &door.limits, door.limits.idle());
    let mut stopping = door.stopping.clone();
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
                tracing::debug!(address = %caller.address, reason, "a connection was closed");
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
