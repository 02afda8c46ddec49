//! Answers that come by themselves: which of our requests each of them answers.
//!
//! Who asks asynchronously (ITI TF-2 V.5.2) should be able to match answers to requests, and not
//! wait for ever. [`Client::send_asynchronously`](crate::Client::send_asynchronously) says here
//! what it waits for; a room that [`serve`](crate::serve())s the address hands in what arrives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout;
use xds_schemas::soap::{Fault, Header};
use xds_schemas::wsa;

use crate::call::Call;
use crate::mtom_stream::Attachments;
use crate::reply::Reply;

/// Answers that may be waited for at one time.
pub const EXPECTED: usize = 1024;
/// Seconds that one answer is waited for.
pub const PATIENCE_SECONDS: u64 = 300;

/// What answers are waited for at one address. Clones share it.
#[derive(Debug, Clone)]
pub struct Correlation {
    reply_to: String,
    patience: Duration,
    expected: usize,
    waiting: Arc<Mutex<HashMap<String, Waiting>>>,
}

#[derive(Debug)]
struct Waiting {
    action: &'static str,
    tell: oneshot::Sender<Arrived>,
}

/// An answer that arrived, its attachments still on the wire.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) root: Bytes,
    pub(crate) attachments: Attachments,
}

impl Correlation {
    /// Answers are received at the URL `reply_to`: at most [`EXPECTED`] are waited for, and each
    /// for [`PATIENCE_SECONDS`].
    pub fn new(reply_to: impl Into<String>) -> Self {
        Self {
            reply_to: reply_to.into(),
            patience: Duration::from_secs(PATIENCE_SECONDS),
            expected: EXPECTED,
            waiting: Arc::default(),
        }
    }

    /// The same, but only so many answers are waited for, and each only so long.
    #[must_use]
    pub const fn within(mut self, expected: usize, patience: Duration) -> Self {
        self.expected = expected;
        self.patience = patience;
        self
    }

    /// Where answers are received.
    pub fn reply_to(&self) -> &str {
        &self.reply_to
    }

    /// How long an answer is waited for.
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// Waits for the answer to a request, with this action or as a fault. Nothing if too many are
    /// waited for.
    pub(crate) fn expect(&self, message_id: &str, action: &'static str) -> Option<Expected> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= self.expected {
            return None;
        }
        waiting.insert(message_id.to_owned(), Waiting { action, tell });
        drop(waiting);
        Some(Expected {
            correlation: self.clone(),
            message_id: message_id.to_owned(),
            told,
        })
    }

    /// Hands in a call that should be an answer. Whoever waits for it gets it; the reply is ready
    /// when they have taken all of it.
    ///
    /// # Errors
    /// A fault if nobody waits for it, any more or at all.
    pub async fn receive(&self, call: Call) -> Result<Reply, Fault> {
        let (header, root, attachments, taken) = call.into_message();
        let waiting = self.find(&header)?;
        let told = waiting.tell.send(Arrived { root, attachments });
        if told.is_err() {
            return Err(nobody_waits());
        }
        // It ends in either case.
        let _ = taken.await;
        Ok(Reply::accepted())
    }

    fn find(&self, header: &Header) -> Result<Waiting, Fault> {
        let relates_to = header.relates_to.as_deref();
        let relates_to = relates_to.ok_or_else(|| wsa::header_required("RelatesTo"))?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.get(relates_to).ok_or_else(nobody_waits)?;
        let faults = [wsa::FAULT_ACTION, wsa::SOAP_FAULT_ACTION];
        if header.action != found.action && !faults.contains(&header.action.as_str()) {
            return Err(Fault::action_not_supported(&header.action));
        }
        waiting.remove(relates_to).ok_or_else(nobody_waits)
    }

    fn forget(&self, message_id: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(message_id);
    }
}

fn nobody_waits() -> Fault {
    Fault::sender("nobody here waits for an answer to the message that wsa:RelatesTo names")
}

/// An answer that is waited for. It is forgotten with this.
#[derive(Debug)]
pub(crate) struct Expected {
    correlation: Correlation,
    message_id: String,
    told: oneshot::Receiver<Arrived>,
}

impl Expected {
    /// The answer, if it comes in time.
    pub(crate) async fn arrived(mut self) -> Option<Arrived> {
        let arrived = timeout(self.correlation.patience, &mut self.told).await;
        arrived.ok()?.ok()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.correlation.forget(&self.message_id);
    }
}
