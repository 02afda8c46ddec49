//! Whether a connection waits for a request whose head has not come whole. Whoever has not asked anything yet is
//! not waited for when a node is stopped.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::body::Body;
use crate::noticed::Notice;

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
}

impl Notice for Heads {
    fn came(&self, _bytes: &[u8]) {
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
