//! A connection that ends when its other end is no longer accepted: its certificate was revoked, has
//! expired, or is not trusted any more.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use hilum_security::iti19_authenticate_node::{NotAuthenticated, Standing};

use crate::ended::Ending;

/// A connection and whether its other end is still accepted.
pub(crate) struct Trusted<S> {
    stream: S,
    lost: Option<Pin<Box<dyn Future<Output = NotAuthenticated> + Send>>>,
    why: Lost,
    ending: Ending,
    /// Whether the other end has said anything.
    heard: bool,
    /// That the other end is gone, once the system has noted it when something was written.
    gone: Option<io::ErrorKind>,
}

/// Why the connection ended, if it is because its other end is no longer accepted. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Lost(Arc<OnceLock<NotAuthenticated>>);

impl Lost {
    pub(crate) fn why(&self) -> Option<&NotAuthenticated> {
        self.0.get()
    }
}

impl<S> Trusted<S> {
    pub(crate) fn new(stream: S, standing: Option<Standing>) -> (Self, Lost) {
        let why = Lost::default();
        let lost =
            standing.map(|it| Box::pin(it.lost()) as Pin<Box<dyn Future<Output = _> + Send>>);
        let trusted = Self {
            stream,
            lost,
            why: why.clone(),
            ending: Ending::default(),
            heard: false,
            gone: None,
        };
        (trusted, why)
    }

    /// Tells later why TLS ended.
    pub(crate) fn ending(&self) -> Ending {
        self.ending.clone()
    }

    /// Whoever reads or writes is woken when the other end is no longer accepted.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(lost) = &mut self.lost
            && let Poll::Ready(why) = lost.as_mut().poll(context)
        {
            self.lost = None;
            // It ends once.
            let _ = self.why.0.set(why);
        }
        match self.why.why() {
            None => Ok(()),
            Some(why) => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                format!("no longer accepted: {why}"),
            )),
        }
    }
}

impl<S: AsyncRead + Unpin> Trusted<S> {
    /// What was done, or why it cannot be. Who refuses our certificate says so and is gone, and the system may note
    /// first that it is gone: then what it said is waited for, which has come or never will.
    fn with_last_word<T>(
        &mut self,
        done: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        match done {
            Poll::Ready(Err(error)) if is_gone(&error) && !self.heard => {
                self.gone = Some(error.kind());
                let mut ignored = [0; 64];
                let mut ignored = ReadBuf::new(&mut ignored);
                match Pin::new(&mut self.stream).poll_read(context, &mut ignored) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Ok(())) => Poll::Ready(Err(error)),
                    Poll::Ready(Err(said)) => Poll::Ready(Err(self.ending.in_words(said))),
                }
            }
            done => done.map_err(|error| self.ending.in_words(error)),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

impl<S: AsyncRead + Unpin> AsyncRead for Trusted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.heard |= buffer.filled().len() > before;
        read.map_err(|error| self.ending.in_words(error))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Trusted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let written = match self.gone {
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
            Some(kind) => Poll::Ready(Err(kind.into())),
        };
        self.with_last_word(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let written = match self.gone {
            None => Pin::new(&mut self.stream).poll_write_vectored(context, slices),
            Some(kind) => Poll::Ready(Err(kind.into())),
        };
        self.with_last_word(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match self.gone {
            None => Pin::new(&mut self.stream).poll_flush(context),
            Some(kind) => Poll::Ready(Err(kind.into())),
        };
        self.with_last_word(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = match self.gone {
            None => Pin::new(&mut self.stream).poll_shutdown(context),
            Some(kind) => Poll::Ready(Err(kind.into())),
        };
        self.with_last_word(shut, context)
    }
}
