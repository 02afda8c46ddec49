//! What comes from one connection and goes on to another, without being held.
//!
//! Attachments come in the order in which their sender sends them, and go on in the order in which their
//! receiver was promised them. Usually these are the same; what comes too early waits in a file, and what
//! nobody was promised is passed over.
//!
//! While those of another community go by, nobody takes these for as long as that lasts, and their sender
//! would give up. So a little of them is taken from time to time, and waits in a file too.

mod aside;

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hilum_transport::{Attachment, Attachments, Stream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use xds_schemas::soap::Fault;

use aside::Aside;

pub(crate) use aside::Budget;

/// Chunks that wait for who takes them.
const CHUNKS: usize = 2;
/// Bytes of the answers to one caller that may wait.
pub const ASIDE_BYTES: u64 = 1024 * 1024 * 1024;
/// How often something is taken of what nobody wants yet. Who sends to us waits at least for half a minute.
const PAUSE: Duration = Duration::from_secs(5);
/// And how much: less would not be noticed behind the buffers of both systems. Linux wakes whoever sends when
/// a third of up to 4 MiB is free.
const SIP_BYTES: u64 = 2 * 1024 * 1024;
/// Room for that, and for what comes with its last byte.
const SIP_ROOM: u64 = SIP_BYTES + 1024 * 1024;
/// How long the end of an answer is waited for of which nothing more is wanted.
const END: Duration = Duration::from_secs(1);

/// The attachments of one answer, still on the wire.
///
/// When nothing is wanted of them any more, or whoever took them goes, the connection from which they come
/// is given up.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    orders: mpsc::UnboundedSender<Order>,
    problem: Arc<OnceLock<Problem>>,
    /// Whether the last of them was taken.
    taken: watch::Sender<bool>,
}

/// What is wanted now.
#[derive(Debug)]
enum Order {
    One(Wanted),
    /// Everything that was promised is to be taken from the wire.
    All(oneshot::Sender<io::Result<()>>),
}

/// An attachment that is wanted.
#[derive(Debug)]
struct Wanted {
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
    /// They broke off, or exceeded a limit.
    BrokeOff,
}

type Chunks = mpsc::Sender<io::Result<Bytes>>;

impl Relay {
    /// Of those attachments that are `promised` to somebody; others are passed over. What waits is taken
    /// from the `budget`. `hold` is kept until all of them have come.
    pub(crate) fn of(
        attachments: Attachments,
        promised: HashSet<String>,
        hold: impl Send + Sync + 'static,
        budget: Budget,
    ) -> Self {
        // Whoever is promised an attachment asks for it once, so there are no more orders than attachments.
        let (orders, wanted) = mpsc::unbounded_channel();
        let problem = Arc::<OnceLock<Problem>>::default();
        let taken = watch::Sender::new(false);
        let hold: Box<dyn Send + Sync> = Box::new(hold);
        let passing = Passing {
            attachments,
            orders: wanted,
            hold: (!promised.is_empty()).then_some(hold),
            promised,
            aside: Aside::of(budget),
            left_over: None,
            is_over: false,
            problem: Arc::clone(&problem),
            taken: taken.clone(),
        };
        tokio::spawn(passing.run());
        Self {
            orders,
            problem,
            taken,
        }
    }

    /// Takes everything from the wire now, so that others may ask the one who sends it.
    ///
    /// # Errors
    /// If it breaks off, or is more than may wait.
    pub(crate) async fn put_aside(&self) -> io::Result<()> {
        let (done, is_done) = oneshot::channel();
        // If nobody takes the order, nobody says that it is done.
        let _ = self.orders.send(Order::All(done));
        match is_done.await {
            Ok(done) => done,
            Err(_) => Err(io::Error::other("what comes broke off")),
        }
    }

    /// The attachment with this name, when its turn comes.
    pub(crate) fn stream(&self, content_id: String) -> Stream {
        self.stream_of(content_id, false)
    }

    /// All attachments, which have these names. With the last of them, everything must have come: if
    /// something is left over, it breaks off, so that who takes them does not keep them.
    pub(crate) fn streams(&self, content_ids: Vec<String>) -> Vec<Stream> {
        let last = content_ids.len();
        if last == 0 {
            self.taken.send_replace(true);
        }
        let numbered = (1..).zip(content_ids);
        let stream = |(number, content_id)| self.stream_of(content_id, number == last);
        numbered.map(stream).collect()
    }

    /// Ends when all [`streams`](Self::streams) were taken to their end; never, if one of them breaks off.
    pub(crate) async fn are_taken(&self) {
        // Its sender is our own.
        let _ = self.taken.subscribe().wait_for(|it| *it).await;
    }

    /// What was found to be wrong with the attachments, if anything was.
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.problem.get().cloned()
    }

    fn stream_of(&self, content_id: String, is_last: bool) -> Stream {
        let orders = self.orders.clone();
        Stream::of_unknown_length(move || {
            let (to, receiver) = mpsc::channel(CHUNKS);
            let wanted = Wanted {
                content_id,
                is_last,
                to: to.clone(),
            };
            if orders.send(Order::One(wanted)).is_err() {
                let gone = io::Error::other("what came before it broke off");
                // There is room for it.
                let _ = to.try_send(Err(gone));
            }
            receiver
        })
    }
}

/// Passes attachments on to those who want them.
struct Passing {
    attachments: Attachments,
    orders: mpsc::UnboundedReceiver<Order>,
    /// Those that somebody was promised and that have not come yet.
    promised: HashSet<String>,
    hold: Option<Box<dyn Send + Sync>>,
    /// What came before its turn.
    aside: Aside,
    /// The first that nobody was promised.
    left_over: Option<String>,
    /// Whether nothing more comes.
    is_over: bool,
    /// The first thing that was found to be wrong.
    problem: Arc<OnceLock<Problem>>,
    taken: watch::Sender<bool>,
}

impl Passing {
    async fn run(mut self) {
        let mut order = None;
        loop {
            if order.is_none() {
                let may_sip = !self.is_over && !self.promised.is_empty();
                order = tokio::select! {
                    wanted = self.orders.recv() => match wanted {
                        Some(wanted) => Some(wanted),
                        None => return,
                    },
                    () = sleep(PAUSE), if may_sip => None,
                };
            }
            let done = match order.take() {
                Some(Order::One(wanted)) => {
                    let served = self.serve(&wanted).await;
                    self.told(served, &wanted.to).await.map(|()| None)
                }
                Some(Order::All(done)) => {
                    let taken = self.take_all().await;
                    let broke_off = taken.as_ref().err().map(copy);
                    // Whoever wanted it may have gone.
                    let _ = done.send(taken);
                    broke_off.map_or(Ok(None), Err)
                }
                None => self.sip().await,
            };
            match done {
                Ok(next) => {
                    order = next;
                    self.let_go().await;
                }
                Err(error) => {
                    self.broke_off(&error);
                    tracing::warn!(%error, "a document broke off on its way");
                    return;
                }
            }
        }
    }

    /// Hands on what is wanted now; what comes before it is put aside.
    async fn serve(&mut self, wanted: &Wanted) -> io::Result<()> {
        if let Some(place) = self.aside.find(&wanted.content_id) {
            let mut even = Even::default();
            pour(&mut self.aside, place, &mut even, &wanted.to).await?;
            finish(even, &wanted.to).await?;
            return self.ended(wanted).await;
        }
        loop {
            let Some(mut attachment) = self.attachments.next().await.map_err(broken)? else {
                return Err(self.missing(&wanted.content_id));
            };
            let name = attachment.content_id().to_owned();
            if name == wanted.content_id {
                pass(&mut attachment, Even::default(), &wanted.to).await?;
                self.has_come(&name);
                return self.ended(wanted).await;
            }
            if !self.promised.contains(&name) {
                // What is not taken of it is passed over.
                self.left_over.get_or_insert(name);
                continue;
            }
            let since = self.aside.end();
            fill(&mut attachment, &mut self.aside, u64::MAX).await?;
            self.has_come(&name);
            self.aside.keep(name, since);
        }
    }

    /// Puts everything aside that was promised and has not come.
    async fn take_all(&mut self) -> io::Result<()> {
        while let Some(any) = self.promised.iter().next().cloned() {
            let Some(mut attachment) = self.attachments.next().await.map_err(broken)? else {
                return Err(self.missing(&any));
            };
            let name = attachment.content_id().to_owned();
            if !self.promised.contains(&name) {
                self.left_over.get_or_insert(name);
                continue;
            }
            let since = self.aside.end();
            fill(&mut attachment, &mut self.aside, u64::MAX).await?;
            self.has_come(&name);
            self.aside.keep(name, since);
        }
        Ok(())
    }

    /// Takes a little of what comes, and goes on with it from time to time until its end, or until something
    /// is wanted: if it is this, it is handed on; if it is something else, that is given back. When there is
    /// no room for it, nothing is taken, since that breaks nothing off yet.
    async fn sip(&mut self) -> io::Result<Option<Order>> {
        if !self.aside.reserve(SIP_ROOM) {
            return Ok(None);
        }
        let sipped = self.sip_some().await;
        self.aside.give_up_reserve();
        sipped
    }

    async fn sip_some(&mut self) -> io::Result<Option<Order>> {
        let mut left = SIP_BYTES;
        while left > 0 && !self.promised.is_empty() {
            let attachment = self.attachments.next().await.map_err(broken)?;
            let Some(mut attachment) = attachment else {
                self.is_over = true;
                return Ok(None);
            };
            let name = attachment.content_id().to_owned();
            if !self.promised.contains(&name) {
                self.left_over.get_or_insert(name);
                return Ok(None);
            }
            let since = self.aside.end();
            let mut order = None;
            while order.is_none() {
                if self.aside.reserve(SIP_ROOM) {
                    let before = self.aside.end();
                    if fill(&mut attachment, &mut self.aside, left).await? {
                        left = left.saturating_sub(self.aside.end() - before);
                        break;
                    }
                    // Others may have it while nothing is taken here.
                    self.aside.give_up_reserve();
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
            match order {
                Some(Order::One(wanted)) if wanted.content_id == name => {
                    let place = since..self.aside.end();
                    let mut even = Even::default();
                    let passed = async {
                        pour(&mut self.aside, place, &mut even, &wanted.to).await?;
                        pass(&mut attachment, even, &wanted.to).await
                    };
                    let mut passed = passed.await;
                    if passed.is_ok() {
                        self.has_come(&name);
                        passed = self.ended(&wanted).await;
                    }
                    return self.told(passed, &wanted.to).await.map(|()| None);
                }
                Some(other) => {
                    fill(&mut attachment, &mut self.aside, u64::MAX).await?;
                    self.has_come(&name);
                    self.aside.keep(name, since);
                    return Ok(Some(other));
                }
                None => {
                    self.has_come(&name);
                    self.aside.keep(name, since);
                }
            }
        }
        Ok(None)
    }

    /// Tells whoever takes it that it broke off, if it did.
    async fn told(&self, done: io::Result<()>, to: &Chunks) -> io::Result<()> {
        if let Err(error) = &done {
            self.broke_off(error);
            // Whoever took it may have gone, which is why it broke off.
            let _ = to.send(Err(copy(error))).await;
        }
        done
    }

    fn broke_off(&self, error: &io::Error) {
        // That nobody takes them is no fault of theirs.
        if error.kind() != io::ErrorKind::BrokenPipe {
            // What was found out before is the reason.
            let _ = self.problem.set(Problem::BrokeOff);
        }
    }

    fn has_come(&mut self, name: &str) {
        self.promised.remove(name);
    }

    /// Lets others use the connection when everything that was promised has come.
    async fn let_go(&mut self) {
        if self.hold.is_none() || !self.promised.is_empty() {
            return;
        }
        if !self.is_over {
            // It can be used again when the answer has been read to its end, which comes with the last.
            let end = timeout(END, self.attachments.next()).await;
            self.is_over = matches!(end, Ok(Ok(None)));
            if let Ok(Ok(Some(attachment))) = end {
                let name = attachment.content_id().to_owned();
                self.left_over.get_or_insert(name);
            }
        }
        self.hold = None;
    }

    /// The answer refers to what did not come.
    fn missing(&mut self, content_id: &str) -> io::Error {
        self.is_over = true;
        let _ = self.problem.set(Problem::Missing(content_id.to_owned()));
        io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the answer refers to an attachment that did not come",
        )
    }

    /// Nothing may be left over after the last that is wanted.
    async fn ended(&mut self, wanted: &Wanted) -> io::Result<()> {
        if !wanted.is_last {
            return Ok(());
        }
        if self.left_over.is_none() && !self.is_over {
            let next = self.attachments.next().await.map_err(broken)?;
            self.left_over = next.map(|attachment| attachment.content_id().to_owned());
        }
        match self.left_over.take() {
            None => {
                self.is_over = true;
                self.taken.send_replace(true);
                Ok(())
            }
            Some(name) => {
                let _ = self.problem.set(Problem::LeftOver(name));
                let problem = "an attachment came that belongs to nothing";
                Err(io::Error::other(problem))
            }
        }
    }
}

fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// Puts so many more bytes aside. Whether that was the end.
async fn fill(attachment: &mut Attachment<'_>, aside: &mut Aside, bytes: u64) -> io::Result<bool> {
    let until = aside.end().saturating_add(bytes);
    while aside.end() < until {
        let Some(chunk) = attachment.chunk().await.map_err(broken)? else {
            return Ok(true);
        };
        aside.add(chunk).await?;
    }
    Ok(false)
}

/// Hands on what waited.
async fn pour(
    aside: &mut Aside,
    mut place: Range<u64>,
    even: &mut Even,
    to: &Chunks,
) -> io::Result<()> {
    while let Some(chunk) = aside.next(&mut place).await? {
        if let Some(chunk) = even.take(chunk) {
            send(to, chunk).await?;
        }
    }
    aside.release();
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
mod tests;
