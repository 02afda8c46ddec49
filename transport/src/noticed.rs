//! A connection of which somebody is told what comes, before anybody else reads it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Who is told what comes.
pub(crate) trait Notice {
    /// These bytes have come, at least one.
    fn came(&self, bytes: &[u8]);
}

/// A connection, and who is told.
pub(crate) struct Noticed<S, N> {
    stream: S,
    notice: N,
}

impl<S, N> Noticed<S, N> {
    pub(crate) const fn new(stream: S, notice: N) -> Self {
        Self { stream, notice }
    }
}

impl<S: AsyncRead + Unpin, N: Notice + Unpin> AsyncRead for Noticed<S, N> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if let Some(came @ [_, ..]) = buffer.filled().get(before..) {
            self.notice.came(came);
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin, N: Unpin> AsyncWrite for Noticed<S, N> {
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
