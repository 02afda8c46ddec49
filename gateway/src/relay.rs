//! What comes from one connection and goes on to another, without being held.
//!
//! Attachments come in the order in which their sender sends them, and go on in the order in which their
//! receiver was promised them. Usually these are the same; what comes too early waits in a file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hilum_transport::{Attachment, Attachments, Stream};
use tokio::sync::{Mutex, mpsc};
use xds_schemas::soap::Fault;

/// Chunks that wait for who takes them.
const CHUNKS: usize = 2;
/// Bytes that are read at once from what waited.
const CHUNK: usize = 192 * 1024;
/// Bytes that may wait.
const ASIDE_BYTES: u64 = 1024 * 1024 * 1024;

/// The attachments of one answer, still on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Relay(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    attachments: Attachments,
    /// What came before its turn, by its name.
    aside: HashMap<String, File>,
    aside_bytes: u64,
    problem: Option<Problem>,
}

/// Why attachments are not those that were announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// One of this name did not come.
    Missing(String),
    /// One of this name belongs to nothing.
    LeftOver(String),
    /// They broke off, or exceeded a limit.
    BrokeOff,
}

type Chunks = mpsc::Sender<io::Result<Bytes>>;

impl Relay {
    pub(crate) fn of(attachments: Attachments) -> Self {
        Self(Arc::new(Mutex::new(State {
            attachments,
            aside: HashMap::new(),
            aside_bytes: 0,
            problem: None,
        })))
    }

    /// All attachments, which have these names. With the last of them, everything must have come: if
    /// something is left over, it breaks off, so that who takes them does not keep them.
    pub(crate) fn streams(&self, content_ids: Vec<String>) -> Vec<Stream> {
        let last = content_ids.len();
        let numbered = (1..).zip(content_ids);
        let stream = |(number, content_id)| self.stream_of(content_id, number == last);
        numbered.map(stream).collect()
    }

    /// What was found to be wrong with the attachments, if anything was.
    pub(crate) async fn problem(&self) -> Option<Problem> {
        self.0.lock().await.problem.clone()
    }

    /// The attachment with this name, when its turn comes. If it does not come, or its receiver goes,
    /// the connection from which it comes is given up.
    pub(crate) fn stream(&self, content_id: String) -> Stream {
        self.stream_of(content_id, false)
    }

    fn stream_of(&self, content_id: String, is_last: bool) -> Stream {
        let relay = self.clone();
        Stream::of_unknown_length(move || {
            let (sender, receiver) = mpsc::channel(CHUNKS);
            tokio::spawn(async move {
                let mut state = relay.0.lock().await;
                let mut forwarded = state.forward(&content_id, &sender).await;
                if forwarded.is_ok() && is_last {
                    forwarded = state.end().await;
                }
                if let Err(error) = forwarded {
                    // That nobody takes them is no fault of theirs.
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        state.problem.get_or_insert(Problem::BrokeOff);
                    }
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
        if let Some(file) = self.aside.remove(content_id) {
            return from_file(file, to).await;
        }
        loop {
            let attachment = self.attachments.next().await.map_err(broken)?;
            let Some(mut attachment) = attachment else {
                self.problem = Some(Problem::Missing(content_id.to_owned()));
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the answer refers to an attachment that did not come",
                ));
            };
            if attachment.content_id() == content_id {
                return pass(&mut attachment, to).await;
            }
            let name = attachment.content_id().to_owned();
            let left = ASIDE_BYTES.saturating_sub(self.aside_bytes);
            let (file, length) = put_aside(&mut attachment, left).await?;
            self.aside_bytes += length;
            self.aside.insert(name, file);
        }
    }

    /// Nothing may be left over.
    async fn end(&mut self) -> io::Result<()> {
        let waits = self.aside.keys().next().cloned();
        let left_over = match waits {
            Some(name) => Some(name),
            None => {
                let next = self.attachments.next().await.map_err(broken)?;
                next.map(|attachment| attachment.content_id().to_owned())
            }
        };
        match left_over {
            None => Ok(()),
            Some(name) => {
                self.problem = Some(Problem::LeftOver(name));
                Err(io::Error::other(
                    "an attachment came that belongs to nothing",
                ))
            }
        }
    }
}

/// Hands chunks on, each but the last a multiple of three bytes long.
async fn pass(attachment: &mut Attachment<'_>, to: &Chunks) -> io::Result<()> {
    let mut rest = Bytes::new();
    loop {
        let chunk = tokio::select! {
            chunk = attachment.chunk() => chunk.map_err(broken)?,
            () = to.closed() => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        let Some(chunk) = chunk else { break };
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

async fn put_aside(attachment: &mut Attachment<'_>, limit: u64) -> io::Result<(File, u64)> {
    let mut file = blocking(tempfile::tempfile).await?;
    let mut length = 0;
    while let Some(chunk) = attachment.chunk().await.map_err(broken)? {
        length += chunk.len() as u64;
        if length > limit {
            let problem = "too much comes in another order than it was promised";
            return Err(io::Error::other(problem));
        }
        file = blocking(move || {
            file.write_all(&chunk)?;
            Ok(file)
        })
        .await?;
    }
    let file = blocking(move || {
        file.rewind()?;
        Ok(file)
    });
    Ok((file.await?, length))
}

async fn from_file(mut file: File, to: &Chunks) -> io::Result<()> {
    loop {
        let (back, chunk) = blocking(move || {
            let mut chunk = Vec::with_capacity(CHUNK);
            (&file).take(CHUNK as u64).read_to_end(&mut chunk)?;
            Ok((file, chunk))
        })
        .await?;
        if chunk.is_empty() {
            return Ok(());
        }
        send(to, chunk.into()).await?;
        file = back;
    }
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
