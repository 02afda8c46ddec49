//! What comes from one connection and goes on to another, without being held.
//!
//! Attachments come in the order in which their sender sends them, and go on in the order in which their
//! receiver was promised them. Usually these are the same; what comes too early waits in a file.
//!
//! While those of another community go by, nobody takes these for as long as that lasts, and their sender
//! would give up. So a little of them is taken from time to time, and waits in that file too.

mod aside;

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hilum_transport::{Attachment, Attachments, Stream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use xds_schemas::soap::Fault;

use aside::Aside;

/// Chunks that wait for who takes them.
const CHUNKS: usize = 2;
/// Bytes of one answer that may wait in a file.
const ASIDE_BYTES: u64 = 1024 * 1024 * 1024;
/// How often something is taken of what nobody wants yet. Who sends to us waits at least for half a minute.
const PAUSE: Duration = Duration::from_secs(5);
/// And how much: less would not be noticed behind the buffers of both systems. Linux wakes whoever sends when
/// a third of up to 4 MiB is free.
const SIP_BYTES: u64 = 2 * 1024 * 1024;

/// The attachments of one answer, still on the wire.
///
/// When nothing is wanted of them any more, or whoever took them goes, the connection from which they come
/// is given up.
#[derive(Debug, Clone)]
pub(crate) struct Relay(mpsc::UnboundedSender<Order>);

/// An attachment that is wanted now.
#[derive(Debug)]
struct Order {
    content_id: String,
    to: Chunks,
}

type Chunks = mpsc::Sender<io::Result<Bytes>>;

impl Relay {
    /// `hold` is kept for as long as something comes.
    pub(crate) fn of(attachments: Attachments, hold: impl Send + 'static) -> Self {
        // Whoever is promised an attachment asks for it once, so there are no more orders than attachments.
        let (sender, orders) = mpsc::unbounded_channel();
        let passing = Passing {
            attachments,
            orders,
            aside: Aside::new(ASIDE_BYTES),
            waiting: HashMap::new(),
            is_over: false,
        };
        tokio::spawn(async move {
            passing.run().await;
            drop(hold);
        });
        Self(sender)
    }

    /// The attachment with this name, when its turn comes.
    pub(crate) fn stream(&self, content_id: String) -> Stream {
        let orders = self.0.clone();
        Stream::of_unknown_length(move || {
            let (to, receiver) = mpsc::channel(CHUNKS);
            let order = Order { content_id, to };
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
    aside: Aside,
    /// What came before its turn: where it is, by its name.
    waiting: HashMap<String, Range<u64>>,
    /// Whether nothing more comes.
    is_over: bool,
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
        let mut even = Even::default();
        if let Some(place) = self.waiting.remove(&order.content_id) {
            pour(&self.aside, place, &mut even, &order.to).await?;
            return finish(even, &order.to).await;
        }
        loop {
            let attachment = self.attachments.next().await.map_err(broken)?;
            let Some(mut attachment) = attachment else {
                self.is_over = true;
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the answer refers to an attachment that did not come",
                ));
            };
            if attachment.content_id() == order.content_id {
                return pass(&mut attachment, even, &order.to).await;
            }
            let name = attachment.content_id().to_owned();
            let start = self.aside.length();
            fill(&mut attachment, &mut self.aside, u64::MAX).await?;
            self.waiting.insert(name, start..self.aside.length());
        }
    }

    /// Takes a little of what comes, and goes on with it from time to time until its end, or until something
    /// is wanted: if it is this, it is handed on; if it is something else, that is given back.
    async fn sip(&mut self) -> io::Result<Option<Order>> {
        let mut left = SIP_BYTES;
        while left > 0 {
            let attachment = self.attachments.next().await.map_err(broken)?;
            let Some(mut attachment) = attachment else {
                self.is_over = true;
                return Ok(None);
            };
            let name = attachment.content_id().to_owned();
            let start = self.aside.length();
            let mut order = None;
            while order.is_none() {
                let before = self.aside.length();
                if fill(&mut attachment, &mut self.aside, left).await? {
                    left = left.saturating_sub(self.aside.length() - before);
                    break;
                }
                left = SIP_BYTES;
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
                let place = start..self.aside.length();
                let passed = async {
                    pour(&self.aside, place, &mut even, &wanted.to).await?;
                    pass(&mut attachment, even, &wanted.to).await
                };
                if let Err(error) = passed.await {
                    let told = io::Error::new(error.kind(), error.to_string());
                    // Whoever took it may have gone, which is why it broke off.
                    let _ = wanted.to.send(Err(told)).await;
                    return Err(error);
                }
                return Ok(None);
            }
            if order.is_some() {
                fill(&mut attachment, &mut self.aside, u64::MAX).await?;
            }
            self.waiting.insert(name, start..self.aside.length());
            if order.is_some() {
                return Ok(order);
            }
        }
        Ok(None)
    }
}

/// Puts so many more bytes aside. Whether that was the end.
async fn fill(attachment: &mut Attachment<'_>, aside: &mut Aside, bytes: u64) -> io::Result<bool> {
    let until = aside.length().saturating_add(bytes);
    while aside.length() < until {
        let Some(chunk) = attachment.chunk().await.map_err(broken)? else {
            return Ok(true);
        };
        aside.add(chunk).await?;
    }
    Ok(false)
}

/// Hands on what waited.
async fn pour(
    aside: &Aside,
    mut place: Range<u64>,
    even: &mut Even,
    to: &Chunks,
) -> io::Result<()> {
    while let Some(chunk) = aside.next(&mut place).await? {
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
