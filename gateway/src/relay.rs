//! What comes from one connection and goes on to another, without being held.
//!
//! Attachments come in the order in which their sender sends them, and go on in the order in which their
//! receiver was promised them. Usually these are the same; what comes too early waits in a file.
//!
//! While those of another community go by, nobody takes these for as long as that lasts, and their sender
//! would give up. So a little of them is taken from time to time, and waits in a file too.

mod aside;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hilum_transport::{Attachment, Attachments, Stream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use xds_schemas::soap::Fault;

use aside::Aside;

/// Chunks that wait for who takes them.
const CHUNKS: usize = 2;
/// Bytes that may wait in files.
const ASIDE_BYTES: u64 = 1024 * 1024 * 1024;
/// How often something is taken of what nobody wants yet. Who sends to us waits at least for half a minute.
const PAUSE: Duration = Duration::from_secs(5);
/// And how much: less would not be noticed behind the buffers of both systems.
const SIP_BYTES: u64 = 1024 * 1024;

/// The attachments of one answer, still on the wire.
///
/// When nothing is wanted of them any more, or whoever took them goes, the connection from which they come
/// is given up.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    orders: mpsc::UnboundedSender<Order>,
    problem: Arc<OnceLock<Problem>>,
}

/// An attachment that is wanted now.
#[derive(Debug)]
struct Order {
    content_id: String,
    /// Whether nothing may come after it.
    is_last: bool,
    to: Chunks,
}

/// Why attachments are not those that were announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// One of this name did not come.
    Missing(String),
    /// One of this name belongs to nothing.
    LeftOver(String),
}

type Chunks = mpsc::Sender<io::Result<Bytes>>;

impl Relay {
    /// `hold` is kept for as long as something comes.
    pub(crate) fn of(attachments: Attachments, hold: impl Send + 'static) -> Self {
        // Whoever is promised an attachment asks for it once, so there are no more orders than attachments.
        let (orders, wanted) = mpsc::unbounded_channel();
        let problem = Arc::<OnceLock<Problem>>::default();
        let passing = Passing {
            attachments,
            orders: wanted,
            aside: HashMap::new(),
            aside_bytes: 0,
            is_over: false,
            problem: Arc::clone(&problem),
        };
        tokio::spawn(async move {
            passing.run().await;
            drop(hold);
        });
        Self { orders, problem }
    }

    /// The attachment with this name, when its turn comes.
    pub(crate) fn stream(&self, content_id: String) -> Stream {
        self.stream_of(content_id, false)
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
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.problem.get().cloned()
    }

    fn stream_of(&self, content_id: String, is_last: bool) -> Stream {
        let orders = self.orders.clone();
        Stream::of_unknown_length(move || {
            let (to, receiver) = mpsc::channel(CHUNKS);
            let order = Order {
                content_id,
                is_last,
                to,
            };
            if let Err(mpsc::error::SendError(order)) = orders.send(order) {
                let gone = io::Error::other("what came before it broke off");
                // There is room for it.
                let _ = order.to.try_send(Err(gone));
            }
            receiver
        })
    }
}

/// Passes attachments on to those who want them.
struct Passing {
    attachments: Attachments,
    orders: mpsc::UnboundedReceiver<Order>,
    /// What came before its turn, by its name.
    aside: HashMap<String, Aside>,
    aside_bytes: u64,
    /// Whether nothing more comes.
    is_over: bool,
    /// The first thing that was found to be wrong.
    problem: Arc<OnceLock<Problem>>,
}

impl Passing {
    async fn run(mut self) {
        let mut order = None;
        loop {
            if order.is_none() {
                order = tokio::select! {
                    wanted = self.orders.recv() => match wanted {
                        Some(wanted) => Some(wanted),
                        None => return,
                    },
                    () = sleep(PAUSE), if !self.is_over => None,
                };
            }
            let done = match order.take() {
                Some(wanted) => match self.serve(&wanted).await {
                    Ok(()) => Ok(None),
                    Err(error) => Err((Some(wanted), error)),
                },
                None => self.sip().await.map_err(|error| (None, error)),
            };
            match done {
                Ok(next) => order = next,
                Err((wanted, error)) => {
                    tracing::warn!(%error, "a document broke off on its way");
                    if let Some(wanted) = wanted {
                        // Whoever took it may have gone, which is why it broke off.
                        let _ = wanted.to.send(Err(error)).await;
                    }
                    return;
                }
            }
        }
    }

    /// Hands on what is wanted now; what comes before it is put aside.
    async fn serve(&mut self, order: &Order) -> io::Result<()> {
        if let Some(aside) = self.aside.remove(&order.content_id) {
            self.aside_bytes = self.aside_bytes.saturating_sub(aside.length());
            let mut even = Even::default();
            pour(aside, &mut even, &order.to).await?;
            finish(even, &order.to).await?;
            return self.ended(order).await;
        }
        loop {
            let attachment = self.attachments.next().await.map_err(broken)?;
            let Some(mut attachment) = attachment else {
                self.is_over = true;
                let missing = Problem::Missing(order.content_id.clone());
                let _ = self.problem.set(missing);
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the answer refers to an attachment that did not come",
                ));
            };
            if attachment.content_id() == order.content_id {
                pass(&mut attachment, Even::default(), &order.to).await?;
                return self.ended(order).await;
            }
            let name = attachment.content_id().to_owned();
            let mut aside = Aside::new().await?;
            let room = ASIDE_BYTES.saturating_sub(self.aside_bytes);
            fill(&mut attachment, &mut aside, u64::MAX, room).await?;
            self.aside_bytes += aside.length();
            self.aside.insert(name, aside);
        }
    }

    /// Takes a little of the next attachment from time to time, until something is wanted: if it is this one,
    /// it is handed on; if it is another one, that is given back.
    async fn sip(&mut self) -> io::Result<Option<Order>> {
        let attachment = self.attachments.next().await.map_err(broken)?;
        let Some(mut attachment) = attachment else {
            self.is_over = true;
            return Ok(None);
        };
        let name = attachment.content_id().to_owned();
        let mut aside = Aside::new().await?;
        let room = ASIDE_BYTES.saturating_sub(self.aside_bytes);
        let mut is_whole = false;
        let mut order = None;
        while !is_whole && order.is_none() {
            is_whole = fill(&mut attachment, &mut aside, SIP_BYTES, room).await?;
            order = tokio::select! {
                wanted = self.orders.recv() => match wanted {
                    Some(wanted) => Some(wanted),
                    None => return Err(io::ErrorKind::BrokenPipe.into()),
                },
                () = sleep(PAUSE) => None,
            };
        }
        if let Some(wanted) = order.take_if(|wanted| wanted.content_id == name) {
            let mut even = Even::default();
            let passed = async {
                pour(aside, &mut even, &wanted.to).await?;
                match is_whole {
                    true => finish(even, &wanted.to).await,
                    false => pass(&mut attachment, even, &wanted.to).await,
                }
            };
            let mut passed = passed.await;
            if passed.is_ok() {
                passed = self.ended(&wanted).await;
            }
            if let Err(error) = passed {
                let told = io::Error::new(error.kind(), error.to_string());
                // Whoever took it may have gone, which is why it broke off.
                let _ = wanted.to.send(Err(told)).await;
                return Err(error);
            }
            return Ok(None);
        }
        if !is_whole {
            fill(&mut attachment, &mut aside, u64::MAX, room).await?;
        }
        self.aside_bytes += aside.length();
        self.aside.insert(name, aside);
        Ok(order)
    }

    /// Nothing may be left over after the last that is wanted.
    async fn ended(&mut self, order: &Order) -> io::Result<()> {
        if !order.is_last {
            return Ok(());
        }
        let waits = self.aside.keys().next().cloned();
        let left_over = match waits {
            Some(name) => Some(name),
            None if self.is_over => None,
            None => {
                let next = self.attachments.next().await.map_err(broken)?;
                next.map(|attachment| attachment.content_id().to_owned())
            }
        };
        let Some(name) = left_over else {
            self.is_over = true;
            return Ok(());
        };
        let _ = self.problem.set(Problem::LeftOver(name));
        let problem = "an attachment came that belongs to nothing";
        Err(io::Error::other(problem))
    }
}

/// Puts so many more bytes aside, as long as all of them are at most `room`. Whether that was the end.
async fn fill(
    attachment: &mut Attachment<'_>,
    aside: &mut Aside,
    bytes: u64,
    room: u64,
) -> io::Result<bool> {
    let until = aside.length().saturating_add(bytes);
    while aside.length() < until {
        let Some(chunk) = attachment.chunk().await.map_err(broken)? else {
            return Ok(true);
        };
        if aside.length() + chunk.len() as u64 > room {
            let problem =
                "too much waits for its turn, or comes in another order than it was promised";
            return Err(io::Error::other(problem));
        }
        aside.add(chunk).await?;
    }
    Ok(false)
}

/// Hands on what waited.
async fn pour(mut aside: Aside, even: &mut Even, to: &Chunks) -> io::Result<()> {
    while let Some(chunk) = aside.next().await? {
        if let Some(chunk) = even.take(chunk) {
            send(to, chunk).await?;
        }
    }
    Ok(())
}

/// Hands on what comes, to its end or until whoever takes it goes.
async fn pass(attachment: &mut Attachment<'_>, mut even: Even, to: &Chunks) -> io::Result<()> {
    loop {
        let chunk = tokio::select! {
            chunk = attachment.chunk() => chunk.map_err(broken)?,
            () = to.closed() => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        let Some(chunk) = chunk else {
            return finish(even, to).await;
        };
        if let Some(chunk) = even.take(chunk) {
            send(to, chunk).await?;
        }
    }
}

async fn finish(even: Even, to: &Chunks) -> io::Result<()> {
    match even.0.is_empty() {
        true => Ok(()),
        false => send(to, even.0).await,
    }
}

/// What is left of a chunk when it is cut to a multiple of three bytes, which is whole in base64.
#[derive(Debug, Default)]
struct Even(Bytes);

impl Even {
    fn take(&mut self, chunk: Bytes) -> Option<Bytes> {
        let whole = joined(std::mem::take(&mut self.0), chunk);
        let even = whole.len() - whole.len() % 3;
        self.0 = whole.slice(even..);
        (even > 0).then(|| whole.slice(..even))
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

fn broken(fault: Fault) -> io::Error {
    io::Error::other(fault.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_whole_in_base64_and_nothing_is_lost() {
        let all: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let mut even = Even::default();
        let (mut passed, mut rest) = (Vec::new(), &all[..]);
        for length in [1, 1, 1, 2, 5, 100, 4096, 3, 0, 1].into_iter().cycle() {
            let (now, later) = rest.split_at(length.min(rest.len()));
            if let Some(chunk) = even.take(Bytes::copy_from_slice(now)) {
                assert_eq!(chunk.len() % 3, 0);
                passed.extend_from_slice(&chunk);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        passed.extend_from_slice(&even.0);
        assert_eq!(passed, all);
    }
}
