//! The server: takes connections, knows their nodes, and brings each request to a room.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming as HttpBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use openssl::error::ErrorStack;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;
use tokio_openssl::SslStream;

use hilum_security::iti19_authenticate_node::{NotAuthenticated, ServerTls};
use hilum_security::{Caller, Vouched};

use crate::asynchronous::{Accepted, Destination, Replies};
use crate::beginning::First;
use crate::body::Body;
use crate::call::{self, Incoming, Received, Refusal};
use crate::heads::{self, Heads};
use crate::limits::Limits;
use crate::noticed::Noticed;
use crate::patient::Patient;
use crate::presence::Presence;
use crate::refused_connections::RefusedConnections;
use crate::reply::{Asked, Reply};
use crate::rest::Rest;
use crate::trusted::Trusted;
use crate::users::Doorway;

/// How long to wait when the system has no connection to give: it is out of descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long whoever has begun to ask may take, once the node is stopped, until it is known what is asked.
const HEAD: Duration = Duration::from_secs(2);
/// Bytes that a connection may buffer in either direction.
const BUFFER: usize = 64 * 1024;

/// What all connections of one listener share.
struct Door<R> {
    tls: Option<ServerTls>,
    limits: Limits,
    replies: Replies,
    doorway: Doorway,
    routes: R,
    refused: RefusedConnections,
    /// Whether it is stopped.
    closed: watch::Sender<bool>,
}

/// Serves connections until `stop`, then lets calls that have begun finish within
/// [`Limits::drain_seconds`]. Says whether all of them did.
///
/// Without `tls`, connections are plain and their callers unknown. Every call runs in a task of
/// its own: if it panics, that call is lost and no other, and the room is told, as it is told of
/// everything else that was refused here. All answers go on the connections of their calls.
pub async fn serve<R, F>(
    listener: TcpListener,
    tls: Option<ServerTls>,
    limits: Limits,
    routes: R,
    stop: impl Future<Output = ()>,
) -> bool
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let (nobody, nothing) = (Replies::nobody(), Rest::nothing());
    serve_with(listener, tls, limits, nobody, nothing, routes, stop).await
}

/// The same, but answers may go elsewhere too, to whom `replies` sends them. Those that wait when
/// `stop` comes are sent within the same time. `doorway` says what is not asked with SOAP, and
/// whether users are known: a [`Rest`] where nobody says for whom they call.
pub async fn serve_with<R, F>(
    listener: TcpListener,
    tls: Option<ServerTls>,
    limits: Limits,
    replies: Replies,
    doorway: impl Into<Doorway>,
    routes: R,
    stop: impl Future<Output = ()>,
) -> bool
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let connections = Arc::new(Semaphore::new(limits.connections));
    let drain = limits.drain();
    let door = Arc::new(Door {
        tls,
        refused: RefusedConnections::new(limits.refused()),
        limits,
        replies,
        doorway: doorway.into(),
        routes,
        closed: watch::Sender::new(false),
    });
    let graceful = GracefulShutdown::new();
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
                let (door, watcher) = (Arc::clone(&door), graceful.watcher());
                tokio::spawn(async move {
                    connection(&door, stream, address, watcher).await;
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
    door.closed.send_replace(true);
    door.replies.stop();
    let finished = async {
        graceful.shutdown().await;
        door.replies.all_sent().await;
    };
    let finished = timeout(drain, finished).await.is_ok();
    door.refused.stop(told(&door)).await;
    let unsent = door.replies.count();
    if !finished && unsent > 0 {
        tracing::warn!(unsent, "answers were not sent before the stop");
    }
    finished
}

async fn connection<R, F>(
    door: &Arc<Door<R>>,
    stream: TcpStream,
    address: SocketAddr,
    watcher: Watcher,
) where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let mut caller = Caller::unknown(address);
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was closed at once");
        return;
    }
    let Some(acceptor) = &door.tls else {
        let begins = First::default();
        let stream = Noticed::new(stream, begins.clone());
        talk(door, stream, caller.clone(), "http", watcher).await;
        if begins.is_tls() {
            let why = "TLS was spoken to a port without TLS";
            refuse(door, caller, &NotAuthenticated::because(why)).await;
        }
        return;
    };
    let mut closed = door.closed.subscribe();
    let shaken = tokio::select! {
        biased;
        shaken = handshake(acceptor, stream, door.limits.handshake()) => shaken,
        // Nothing was asked on it, so there is nothing to finish.
        _ = closed.wait_for(|closed| *closed) => Err(Unshaken::Gone),
    };
    match shaken {
        Ok(stream) => match acceptor.admit(stream.ssl()) {
            Ok(node) => {
                caller.node = node;
                let standing = acceptor.standing(stream.ssl());
                let (stream, lost) = Trusted::new(stream, standing);
                talk(door, stream, caller.clone(), "https", watcher).await;
                if let Some(why) = lost.why() {
                    refuse(door, caller, &no_longer(why)).await;
                }
            }
            Err(refused) => refuse(door, caller, &refused).await,
        },
        Err(Unshaken::Gone) => tracing::debug!(%address, "gone before the TLS handshake"),
        Err(Unshaken::Refused(why)) => refuse(door, caller, &why).await,
    }
}

/// What is said when a connection ends because of the certificate at its other end.
pub(crate) fn no_longer(why: &NotAuthenticated) -> NotAuthenticated {
    NotAuthenticated {
        library: why.library.clone(),
        ..NotAuthenticated::because(format!("it was connected and is no longer accepted: {why}"))
    }
}

/// Lets the room record that a node could not be authenticated.
async fn refuse<R, F>(door: &Arc<Door<R>>, caller: Caller, why: &NotAuthenticated)
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    door.refused.refuse(caller, why, told(door)).await;
}

/// Tells the room of a connection.
fn told<R, F>(
    door: &Arc<Door<R>>,
) -> impl FnOnce(Refusal) -> Pin<Box<dyn Future<Output = ()> + Send>> + Clone + Send + 'static + use<R, F>
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let routes = door.routes.clone();
    move |refusal| Box::pin(async move { drop(routes(Incoming::Refused(refusal)).await) })
}

/// Why there is no TLS connection.
pub(crate) enum Unshaken {
    /// Whoever it was closed the connection without a word, as port scanners and load balancers
    /// do: nothing was attempted, so there is nothing to record.
    Gone,
    /// The node was not authenticated, or did not finish.
    Refused(NotAuthenticated),
}

/// The server's side of the TLS handshake.
pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    tls: &ServerTls,
    stream: S,
    limit: Duration,
) -> Result<SslStream<S>, Unshaken> {
    let failed = |error: ErrorStack| {
        Unshaken::Refused(NotAuthenticated {
            library: Some(error.to_string()),
            ..NotAuthenticated::because("the TLS handshake failed")
        })
    };
    let session = tls.session().map_err(failed)?;
    let mut stream = SslStream::new(session, stream).map_err(failed)?;
    match timeout(limit, Pin::new(&mut stream).accept()).await {
        Ok(Ok(())) => Ok(stream),
        Ok(Err(error)) => {
            let why = tls.refusal(stream.ssl(), &error);
            let is_known = why.subject.is_some() || error.ssl_error().is_some();
            if !is_known && stream.ssl().version2().is_none() {
                return Err(Unshaken::Gone);
            }
            Err(Unshaken::Refused(why))
        }
        Err(_) => {
            let why = NotAuthenticated::because("the TLS handshake took too long");
            Err(Unshaken::Refused(why))
        }
    }
}

/// Answers the requests of one connection.
async fn talk<R, F, S>(
    door: &Arc<Door<R>>,
    stream: S,
    caller: Caller,
    scheme: &'static str,
    watcher: Watcher,
) where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let heads = Heads::default();
    let service = service_fn(|request| {
        let answering = heads.whole();
        let answered = answer(door, request, caller.clone(), scheme);
        async move {
            let response = answered.await?;
            Ok::<_, Infallible>(response.map(|body| heads::Answer::new(body, answering)))
        }
    });
    let stream = Noticed::new(stream, heads.clone());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(door.limits.idle())
        .max_header_size(door.limits.header_bytes)
        .max_buf_size(BUFFER.max(door.limits.header_bytes))
        .serve_connection(
            TokioIo::new(Patient::new(stream, door.limits.progress())),
            service,
        );
    let mut closed = door.closed.subscribe();
    let nothing_asked = async {
        let stopped = closed.wait_for(|closed| *closed).await.is_ok();
        tokio::time::sleep(HEAD).await;
        // Of what was asked, this connection waits for the answer, and takes nothing more after it.
        if !stopped || !heads.are_awaited() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = watcher.watch(connection) => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        }
        () = nothing_asked => tracing::debug!("a connection was closed on which nothing was asked"),
    }
}

async fn answer<R, F>(
    door: &Arc<Door<R>>,
    request: Request<HttpBody>,
    caller: Caller,
    scheme: &'static str,
) -> Result<Response<Body>, Infallible>
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let (limits, replies) = ((&door.limits, &door.doorway), &door.replies);
    let received = call::receive(request, caller, scheme, limits, replies).await;
    let Received {
        incoming,
        caller,
        asked,
        accepted,
        waits,
    } = received;
    let (here, presence) = Presence::of_somebody();
    let incoming = match accepted {
        None => incoming.attended(presence),
        Some(_) => incoming,
    };
    let finished = finish(Arc::clone(door), incoming, caller.clone());
    let reply = match accepted {
        None => {
            let reply = finished.await;
            drop(here);
            reply
        }
        Some(accepted) => {
            // In a task of its own: the answer is sent on even if the caller goes away.
            let (door, origin) = (Arc::clone(door), (asked.clone(), caller.clone()));
            let task = asynchronously(door, finished, accepted, origin);
            let task = tokio::spawn(task).await;
            task.unwrap_or_else(|_| Refusal::lost(caller, false).reply())
        }
    };
    drop(waits);
    Ok(reply.into_response(&asked))
}

/// Lets the room answer, and if it fails to, tells it so.
async fn finish<R, F>(door: Arc<Door<R>>, incoming: Incoming, caller: Caller) -> Reply
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let plain = matches!(incoming, Incoming::Request(_));
    let asked = match &incoming {
        Incoming::Request(request) => format!("{} {}", request.method(), begins(request.path())),
        _ => String::new(),
    };
    let user = caller.user.as_ref().filter(|_| plain);
    let has_token = user.is_some_and(|user| user.vouched == Vouched::Token);
    match in_task(&door, incoming).await {
        Some(reply) if has_token => {
            let reply = reply.for_bearer();
            if reply.is_insufficient_scope() {
                not_allowed(&caller, &asked);
            }
            reply
        }
        Some(reply) => reply,
        None => {
            let lost = Refusal::lost(caller, plain);
            let reply = lost.reply();
            in_task(&door, Incoming::Refused(lost))
                .await
                .unwrap_or(reply)
        }
    }
}

/// The first part of a path, which says what of a door is meant. The rest may name a patient's study.
fn begins(path: &str) -> &str {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let end = rest.find('/').map_or(path.len(), |at| at + 1);
    path.get(..end).unwrap_or(path)
}

/// Tells the operator of a token that is believed, and not for what was asked.
fn not_allowed(caller: &Caller, asked: &str) {
    let node = caller.node.as_ref().map(|node| node.short());
    let user = caller.user.as_ref();
    let program = user.and_then(|user| user.client_id.as_deref());
    let scopes = user.map(|user| user.scopes.join(" "));
    tracing::warn!(
        address = %caller.address, node, program, scopes, asked,
        "a call was refused: the token does not allow it (insufficient_scope)"
    );
}

/// Gives the reply for the connection of a call whose answer may be wanted elsewhere: as soon as the
/// call is accepted and all of it has come, if the connection is not needed any more.
async fn asynchronously<R, F>(
    door: Arc<Door<R>>,
    finished: impl Future<Output = Reply> + Send + 'static,
    mut accepted: oneshot::Receiver<Accepted>,
    origin: (Asked, Caller),
) -> Reply
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let mut finished = Box::pin(finished);
    let mut accepted = tokio::select! {
        biased;
        reply = &mut finished => return match accepted.try_recv() {
            Ok(accepted) => send_on(&door, reply, accepted, origin),
            // It was refused before it was accepted.
            Err(_) => reply,
        },
        Ok(accepted) = &mut accepted => accepted,
    };
    if !accepted.leaves_the_connection() {
        let reply = finished.await;
        return send_on(&door, reply, accepted, origin);
    }
    tokio::select! {
        biased;
        reply = &mut finished => return send_on(&door, reply, accepted, origin),
        _ = &mut accepted.received => {}
    }
    tokio::spawn(async move {
        let reply = finished.await;
        drop(send_on(&door, reply, accepted, origin));
    });
    Reply::accepted()
}

/// Sends a reply to where it is wanted. Gives what is left for the connection.
fn send_on<R, F>(
    door: &Arc<Door<R>>,
    reply: Reply,
    accepted: Accepted,
    (asked, caller): (Asked, Caller),
) -> Reply
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let there = match accepted.destination(&reply) {
        Destination::Here => return reply,
        Destination::Nowhere => return Reply::accepted(),
        Destination::There(there) => there,
    };
    let door = Arc::clone(door);
    tokio::spawn(async move {
        if let Err(reason) = door.replies.deliver(&there, reply, &asked).await {
            tracing::warn!(to = %there.server(), reason, "an answer was not delivered");
            let refusal = Refusal::answer(caller, &reason);
            drop(in_task(&door, Incoming::Refused(refusal)).await);
        }
        // Whoever stops waits until its place is free, and so until this is recorded.
        drop(accepted.place);
    });
    Reply::accepted()
}

/// Lets the room answer in a task of its own. A call that was begun is finished even if the
/// caller goes away.
async fn in_task<R, F>(door: &Arc<Door<R>>, incoming: Incoming) -> Option<Reply>
where
    R: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let door = Arc::clone(door);
    match tokio::spawn(async move { (door.routes)(incoming).await }).await {
        Ok(reply) => Some(reply),
        Err(error) => {
            tracing::error!(%error, "a call was lost");
            None
        }
    }
}
