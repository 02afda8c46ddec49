//! Notices what is said first on a connection without TLS: many who call speak TLS there, and the reader
//! of HTTP only finds that it is no HTTP.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The first byte of a TLS record with a handshake in it (RFC 8446, section 5.1). No request of HTTP
/// begins with it.
const HANDSHAKE: u8 = 22;

/// A connection whose first byte is noticed.
pub(crate) struct Beginning<S> {
    stream: S,
    first: First,
}

/// The first byte, when it has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct First(Arc<AtomicU8>);

impl First {
    /// Whether what came first is the beginning of TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.0.load(Ordering::Relaxed) == HANDSHAKE
    }
}

impl<S> Beginning<S> {
    pub(crate) fn new(stream: S) -> (Self, First) {
        let first = First::default();
        let beginning = Self {
            stream,
            first: first.clone(),
        };
        (beginning, first)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Beginning<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if let Some(first) = buffer.filled().get(before) {
            // Nothing that is of interest begins with a zero; whatever comes later changes nothing.
            let (first, order) = ((*first).max(1), Ordering::Relaxed);
            let _ = self.first.0.compare_exchange(0, first, order, order);
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Beginning<S> {
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
