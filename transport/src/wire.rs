//! What a peer sends, as it comes, with a watch on its progress.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use xds_schemas::mtom::MtomError;
use xds_schemas::soap::Fault;

use crate::limits::Limits;
use crate::pool::Lease;

/// What is still taken of a body that nobody wants, so that the peer gets to read our answer
/// instead of a broken connection.
const UNWANTED_BYTES: u64 = 16 * 1024 * 1024;
/// And for how long.
const UNWANTED_TIME: Duration = Duration::from_secs(5);

/// Why a message could not be taken.
#[derive(Debug, Clone, Error)]
#[error("{}", fault.reason)]
pub struct Trouble {
    /// What HTTP calls it.
    pub(crate) status: StatusCode,
    pub(crate) fault: Fault,
}

impl Trouble {
    /// What HTTP calls it.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            fault: Fault::sender(reason),
        }
    }

    pub(crate) fn too_large(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
    }

    pub(crate) fn bad(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }
}

impl From<MtomError> for Trouble {
    fn from(error: MtomError) -> Self {
        let status = match error {
            MtomError::HeadersTooLong { .. } | MtomError::TooManyParts(_) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

/// The body of a request or of an answer.
pub(crate) struct Wire {
    /// Until its end was seen.
    body: Option<Incoming>,
    /// The connection it comes on, if that is ours to use again.
    lease: Option<Lease>,
    /// The peer waits for our word before it sends the body.
    expects_continue: bool,
    window: Duration,
    minimum: u64,
    /// How long we have waited since the count began, and what came meanwhile.
    waited: Duration,
    received: u64,
    /// How many bytes may still come.
    left: u64,
    /// Goes when the end was seen or nobody wants more.
    ended: Option<oneshot::Sender<()>>,
}

impl Wire {
    pub(crate) const fn new(body: Incoming, lease: Option<Lease>, limits: &Limits) -> Self {
        Self {
            body: Some(body),
            lease,
            expects_continue: false,
            window: limits.progress(),
            minimum: limits.progress_bytes,
            waited: Duration::ZERO,
            received: 0,
            left: u64::MAX,
            ended: None,
        }
    }

    /// Ends when all of the body was taken, or nobody wants the rest.
    pub(crate) fn taken(&mut self) -> oneshot::Receiver<()> {
        let (ended, taken) = oneshot::channel();
        self.ended = Some(ended);
        taken
    }

    /// At most so many bytes may come.
    pub(crate) const fn limited(mut self, bytes: u64) -> Self {
        self.left = bytes;
        self
    }

    /// It comes from time to time: something within each such window.
    pub(crate) const fn now_and_then(mut self, window: Duration) -> Self {
        self.window = window;
        self.minimum = 1;
        self
    }

    pub(crate) const fn expecting_continue(mut self, expects_continue: bool) -> Self {
        self.expects_continue = expects_continue;
        self
    }

    /// The next bytes, or `None` at the end.
    pub(crate) async fn frame(&mut self) -> Result<Option<Bytes>, Trouble> {
        self.expects_continue = false;
        loop {
            let Some(body) = self.body.as_mut() else {
                return Ok(None);
            };
            let began = Instant::now();
            let frame = timeout(self.window.saturating_sub(self.waited), body.frame()).await;
            self.waited += began.elapsed();
            match frame {
                Ok(Some(Ok(frame))) => {
                    // Trailers have no meaning here.
                    let Ok(bytes) = frame.into_data() else {
                        continue;
                    };
                    self.received += bytes.len() as u64;
                    let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
                        return Err(Trouble::too_large("the body is too long"));
                    };
                    self.left = left;
                    if self.waited >= self.window {
                        self.judge_progress()?;
                    }
                    return Ok(Some(bytes));
                }
                Ok(Some(Err(error))) => {
                    self.abandon();
                    tracing::debug!(%error, "a body broke off");
                    return Err(Trouble::bad("the connection ended before the message did"));
                }
                Ok(None) => {
                    self.body = None;
                    self.ended = None;
                    if let Some(lease) = self.lease.take() {
                        lease.give_back();
                    }
                    return Ok(None);
                }
                Err(_) => self.judge_progress()?,
            }
        }
    }

    /// Takes all of it, up to `limit` bytes.
    pub(crate) async fn collect(&mut self, limit: usize) -> Result<Bytes, Trouble> {
        let mut gathered = Gathered::new(limit);
        while let Some(bytes) = self.frame().await? {
            gathered.add(bytes)?;
        }
        Ok(gathered.finish())
    }

    fn judge_progress(&mut self) -> Result<(), Trouble> {
        if self.received < self.minimum {
            self.abandon();
            return Err(Trouble::new(
                StatusCode::REQUEST_TIMEOUT,
                format!(
                    "the message comes too slowly: less than {} bytes in {} seconds",
                    self.minimum,
                    self.window.as_secs()
                ),
            ));
        }
        self.waited = Duration::ZERO;
        self.received = 0;
        Ok(())
    }

    /// Gives up on the body and its connection.
    fn abandon(&mut self) {
        self.body = None;
        self.lease = None;
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && !self.expects_continue
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(drain(body, self.lease.take()));
        }
    }
}

async fn drain(mut body: Incoming, lease: Option<Lease>) {
    let rest = async {
        let mut taken = 0;
        while let Some(Ok(frame)) = body.frame().await {
            taken += frame.data_ref().map_or(0, Bytes::len) as u64;
            if taken > UNWANTED_BYTES {
                return false;
            }
        }
        true
    };
    if matches!(timeout(UNWANTED_TIME, rest).await, Ok(true))
        && let Some(lease) = lease
    {
        lease.give_back();
    }
}

/// Bytes put together within a limit; a single piece is not copied.
pub(crate) struct Gathered {
    first: Bytes,
    all: BytesMut,
    limit: usize,
}

impl Gathered {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            first: Bytes::new(),
            all: BytesMut::new(),
            limit,
        }
    }

    pub(crate) fn add(&mut self, bytes: Bytes) -> Result<(), Trouble> {
        if self.first.len().max(self.all.len()) + bytes.len() > self.limit {
            return Err(Trouble::too_large(format!(
                "the envelope is longer than {} bytes; documents may travel as MTOM attachments",
                self.limit
            )));
        }
        if self.first.is_empty() && self.all.is_empty() {
            self.first = bytes;
            return Ok(());
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&bytes);
        Ok(())
    }

    pub(crate) fn finish(self) -> Bytes {
        if self.all.is_empty() {
            self.first
        } else {
            self.all.freeze()
        }
    }
}
