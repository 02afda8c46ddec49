//! What comes from one connection and goes on to another, without being held.
//!
//! Attachments come in the order in which their sender sends them, and go on in the order in which their
//! receiver was promised them. Usually these are the same; what comes too early waits in a file, of which
//! nobody but this process can read anything. What nobody was promised is passed over.

mod aside;

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hilum_transport::{Attachment, Attachments, Stream};
use tokio::sync::{Mutex, mpsc};
use xds_schemas::soap::Fault;

use crate::asking::Permit;
use aside::Aside;

pub(crate) use aside::Budget;

/// Chunks that wait for who takes them.
const CHUNKS: usize = 2;
/// Bytes that are read at once from what waited.
const CHUNK: usize = 192 * 1024;
/// Bytes of one answer to a caller that may wait.
pub const ASIDE_BYTES: u64 = 1024 * 1024 * 1024;

/// The attachments of one answer, still on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Relay(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    attachments: Attachments,
    /// Those that somebody was promised and that have not come yet.
    promised: HashSet<String>,
    /// What came before its turn.
    aside: Aside,
    /// The call counts until all of its answer has come.
    permit: Option<Permit>,
}

type Chunks = mpsc::Sender<io::Result<Bytes>>;

impl Relay {
    /// Of those attachments that are `promised` to somebody. What waits is taken from the `budget`.
    pub(crate) fn of(
        attachments: Attachments,
        promised: HashSet<String>,
        permit: Permit,
        budget: Budget,
    ) -> Self {
        Self(Arc::new(Mutex::new(State {
            permit: (!promised.is_empty()).then_some(permit),
            attachments,
            promised,
            aside: Aside::of(budget),
        })))
    }

    /// Takes everything from the wire now, so that others may ask the one who sends it.
    ///
    /// # Errors
    /// If it breaks off, or is more than may wait.
    pub(crate) async fn put_aside(&self) -> io::Result<()> {
        let mut state = self.0.lock().await;
        while !state.promised.is_empty() {
            state.take_one(None).await?;
        }
        Ok(())
    }

    /// The attachment with this name, when its turn comes. If it does not come, or its receiver goes,
    /// the connection from which it comes is given up.
    pub(crate) fn stream(&self, content_id: String) -> Stream {
        let relay = self.clone();
        Stream::of_unknown_length(move || {
            let (sender, receiver) = mpsc::channel(CHUNKS);
            tokio::spawn(async move {
                let mut state = relay.0.lock().await;
                if let Err(error) = state.forward(&content_id, &sender).await {
                    tracing::warn!(%error, "a document broke off on its way");
                    // Whoever took it may have gone, which is why it broke off.
                    let _ = sender.send(Err(error)).await;
                }
            });
            receiver
        })
    }
}

impl State {
    async fn forward(&mut self, content_id: &str, to: &Chunks) -> io::Result<()> {
        loop {
            if let Some(place) = self.aside.find(content_id) {
                return self.aside.pass(place, to).await;
            }
            if self.take_one(Some((content_id, to))).await? {
                return Ok(());
            }
        }
    }

    /// Takes the next attachment from the wire: passes it on if it is the one that is wanted, and says
    /// so; puts it aside if somebody else was promised it.
    async fn take_one(&mut self, wanted: Option<(&str, &Chunks)>) -> io::Result<bool> {
        let attachment = self.attachments.next().await.map_err(broken)?;
        let Some(mut attachment) = attachment else {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the answer refers to an attachment that did not come",
            ));
        };
        let name = attachment.content_id().to_owned();
        if !self.promised.remove(&name) {
            // What is not taken of it is passed over.
            return Ok(false);
        }
        let passed = match wanted {
            Some((content_id, to)) if content_id == name => {
                pass(&mut attachment, to).await?;
                true
            }
            _ => {
                self.aside.put(name, &mut attachment).await?;
                false
            }
        };
        if self.promised.is_empty() {
            self.permit = None;
        }
        Ok(passed)
    }
}

/// Hands chunks on, each but the last a multiple of three bytes long.
async fn pass(attachment: &mut Attachment<'_>, to: &Chunks) -> io::Result<()> {
    let mut rest = Bytes::new();
    while let Some(chunk) = attachment.chunk().await.map_err(broken)? {
        let whole = joined(rest, chunk);
        let even = whole.len() - whole.len() % 3;
        rest = whole.slice(even..);
        if even > 0 {
            send(to, whole.slice(..even)).await?;
        }
    }
    match rest.is_empty() {
        true => Ok(()),
        false => send(to, rest).await,
    }
}

fn joined(rest: Bytes, chunk: Bytes) -> Bytes {
    if rest.is_empty() {
        return chunk;
    }
    let mut whole = BytesMut::with_capacity(rest.len() + chunk.len());
    whole.extend_from_slice(&rest);
    whole.extend_from_slice(&chunk);
    whole.freeze()
}

async fn send(to: &Chunks, chunk: Bytes) -> io::Result<()> {
    let sent = to.send(Ok(chunk)).await;
    sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?
}

fn broken(fault: Fault) -> io::Error {
    io::Error::other(fault.reason)
}
