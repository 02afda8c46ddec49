//! Connections that speak neither HTTP nor MLLP: accepted, with mutual TLS if there is any, and handed
//! on as streams of bytes. The other end connects with [`connect`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use hilum_security::Caller;
use hilum_security::iti19_authenticate_node::{ClientTls, NotAuthenticated, ServerTls};

use crate::call::Refusal;
use crate::client::secure;
use crate::limits::Limits;
use crate::patient::Patient;
use crate::prompt::Prompt;
use crate::refused_connections::RefusedConnections;
use crate::serve::{ACCEPT_PAUSE, Unshaken, handshake, no_longer};
use crate::trusted::{Lost, Trusted};

/// What a connection is underneath.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// What comes to who serves.
pub enum Incoming {
    /// A connection.
    Connection(Connection),
    /// A node that was not authenticated: to be recorded.
    Refused(Refusal),
}

/// A connection that was accepted.
pub struct Connection {
    /// Its bytes. Writing that makes no progress for too long fails.
    pub stream: Box<dyn Duplex>,
    /// Who is at the other end.
    pub caller: Caller,
    /// Becomes true when what is not begun yet shall not begin.
    pub stopping: watch::Receiver<bool>,
}

/// Serves connections until `stop`, then waits for them within [`Limits::drain_seconds`]. Says whether
/// all of them ended. At most `most` connections are open at one time; others wait.
pub async fn serve<H, F>(
    listener: TcpListener,
    tls: Option<ServerTls>,
    limits: Limits,
    most: usize,
    handle: H,
    stop: impl Future<Output = ()>,
) -> bool
where
    H: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let connections = Arc::new(Semaphore::new(most));
    let refused = RefusedConnections::new(limits.refused());
    let (stopped, stopping) = watch::channel(false);
    let tls = Arc::new(tls);
    let drain = limits.drain();
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
                let (tls, limits, stopping) = (Arc::clone(&tls), limits.clone(), stopping.clone());
                let (handle, refused) = (handle.clone(), refused.clone());
                tokio::spawn(async move {
                    let tls = (*tls).as_ref();
                    let tell = told(&handle);
                    let caller = Caller::unknown(address);
                    match accept(stream, caller.clone(), tls, &limits, stopping).await {
                        Some(Ok((connection, lost))) => {
                            let caller = connection.caller.clone();
                            handle(Incoming::Connection(connection)).await;
                            if let Some(why) = lost.why() {
                                refused.refuse(caller, &no_longer(why), tell).await;
                            }
                        }
                        Some(Err(why)) => refused.refuse(caller, &why, tell).await,
                        None => {}
                    }
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
    let finished = timeout(drain, connections.acquire_many(all)).await.is_ok();
    refused.stop(told(&handle)).await;
    finished
}

/// Tells whoever serves of a connection that was refused.
fn told<H, F>(
    handle: &H,
) -> impl FnOnce(Refusal) -> Pin<Box<dyn Future<Output = ()> + Send>> + Clone + Send + 'static + use<H, F>
where
    H: Fn(Incoming) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let handle = handle.clone();
    move |refusal| Box::pin(async move { handle(Incoming::Refused(refusal)).await })
}

/// The connection, or why it is refused; nothing if nobody is there any more.
async fn accept(
    stream: TcpStream,
    mut caller: Caller,
    tls: Option<&ServerTls>,
    limits: &Limits,
    stopping: watch::Receiver<bool>,
) -> Option<Result<(Connection, Lost), NotAuthenticated>> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was closed at once");
        return None;
    }
    let stream = Prompt::new(stream);
    let Some(acceptor) = tls else {
        let connection = Connection {
            stream: Box::new(Patient::new(stream, limits.progress())),
            caller,
            stopping,
        };
        return Some(Ok((connection, Lost::default())));
    };
    let mut stopped = stopping.clone();
    let shaken = tokio::select! {
        biased;
        shaken = handshake(acceptor, stream, limits.handshake()) => shaken,
        // Nothing was said on it, so there is nothing to finish.
        _ = stopped.wait_for(|stopped| *stopped) => Err(Unshaken::Gone),
    };
    Some(match shaken {
        Ok(stream) => match acceptor.admit(stream.ssl()) {
            Ok(node) => {
                caller.node = node;
                let standing = acceptor.standing(stream.ssl());
                let (stream, lost) = Trusted::new(stream, standing);
                let connection = Connection {
                    stream: Box::new(Patient::new(stream, limits.progress())),
                    caller,
                    stopping,
                };
                Ok((connection, lost))
            }
            Err(refused) => Err(refused),
        },
        Err(Unshaken::Gone) => {
            tracing::debug!(address = %caller.address, "gone before the TLS handshake");
            return None;
        }
        Err(Unshaken::Refused(why)) => Err(why),
    })
}

/// Connects to a host and port, with TLS if `tls` is given.
///
/// # Errors
/// Says in a sentence why nobody is reached there in time.
pub async fn connect(
    host: &str,
    port: u16,
    tls: Option<&ClientTls>,
    limits: &Limits,
) -> Result<Box<dyn Duplex>, String> {
    let connected = async {
        let stream = TcpStream::connect((host, port)).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let nodelay = stream.set_nodelay(true);
        nodelay.map_err(|error| error.to_string())?;
        let (stream, progress) = (Prompt::new(stream), limits.progress());
        let stream: Box<dyn Duplex> = match tls {
            Some(_) => Box::new(Patient::new(secure(tls, host, stream).await?, progress)),
            None => Box::new(Patient::new(stream, progress)),
        };
        Ok(stream)
    };
    let limit = limits.connect();
    let too_long = || format!("no connection within {} seconds", limit.as_secs());
    timeout(limit, connected)
        .await
        .unwrap_or_else(|_| Err(too_long()))
}
