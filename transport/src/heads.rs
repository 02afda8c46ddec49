//! Whether a connection waits for a request whose head has not come whole. Whoever has not asked anything yet is
//! not waited for when a node is stopped.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::body::Body;

/// No request has come whole since the last one was answered, or at all. At most a part of its head is there.
const HEAD: u8 = 0;
/// A request is there, and its answer has not been taken.
const CALL: u8 = 1;
/// The last answer was taken, and nothing has come since.
const ANSWERED: u8 = 2;

/// What a connection does. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heads(Arc<AtomicU8>);

impl Heads {
    /// Whether nobody has asked anything that is not answered.
    pub(crate) fn are_awaited(&self) -> bool {
        self.0.load(Ordering::Relaxed) == HEAD
    }

    /// A request has come: the head is whole. It is answered when this is dropped.
    pub(crate) fn whole(&self) -> Answering {
        self.0.store(CALL, Ordering::Relaxed);
        Answering(self.clone())
    }

    fn heard(&self) {
        let order = Ordering::Relaxed;
        let _ = self.0.compare_exchange(ANSWERED, HEAD, order, order);
    }
}

/// A request is being answered as long as this is.
#[derive(Debug)]
pub(crate) struct Answering(Heads);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.store(ANSWERED, Ordering::Relaxed);
    }
}

/// The body of an answer.
pub(crate) struct Answer {
    body: Body,
    _answering: Answering,
}

impl Answer {
    pub(crate) const fn new(body: Body, answering: Answering) -> Self {
        Self {
            body,
            _answering: answering,
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection of which it is noticed when something comes.
pub(crate) struct Heard<S> {
    stream: S,
    heads: Heads,
}

impl<S> Heard<S> {
    pub(crate) const fn new(stream: S, heads: Heads) -> Self {
        Self { stream, heads }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.heads.heard();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
