//! A connection that acknowledges what it reads at once.
//!
//! Many programs of DICOM write a message in several pieces and hold back the last, short one until
//! the ones before are acknowledged (Nagle's algorithm). The system in turn delays acknowledgements, to
//! send them along with an answer that cannot come yet. Each object costs 40 milliseconds so.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP connection without delayed acknowledgements, where the system can do without.
pub(crate) struct Prompt(TcpStream);

impl Prompt {
    pub(crate) const fn new(stream: TcpStream) -> Self {
        Self(stream)
    }
}

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.0).poll_read(context, buffer));
        // The system forgets it after a while. Without it, the connection is only slower.
        #[cfg(target_os = "linux")]
        let _ = self.0.set_quickack(true);
        Poll::Ready(read)
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A peer that holds back short pieces: with delayed acknowledgements, fifty exchanges take two
    /// seconds at least.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn short_pieces_do_not_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(false).unwrap();
            for _ in 0..50 {
                stream.write_all(&[1; 12]).await.unwrap();
                stream.write_all(&[2; 100]).await.unwrap();
                stream.read_exact(&mut [0; 10]).await.unwrap();
            }
        });
        let mut here = Prompt::new(listener.accept().await.unwrap().0);
        let begun = Instant::now();
        for _ in 0..50 {
            here.read_exact(&mut [0; 112]).await.unwrap();
            here.write_all(&[3; 10]).await.unwrap();
        }
        peer.await.unwrap();
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(1500), "{took:?}");
    }
}
