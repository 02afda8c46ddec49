//! Connections of our client that wait to be used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hyper::client::conn::http1::SendRequest;

use crate::body::Body;
use crate::limits::Limits;

/// Idle connections by peer.
pub(crate) struct Pool {
    idle: Mutex<HashMap<String, Vec<Idle>>>,
    limits: Limits,
}

struct Idle {
    sender: SendRequest<Body>,
    since: Instant,
}

impl Pool {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            idle: Mutex::default(),
            limits,
        })
    }

    /// The connection to `peer` that was used last, if one is alive.
    pub(crate) fn take(&self, peer: &str) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.get_mut(peer)?;
        while let Some(Idle { sender, since }) = waiting.pop() {
            if since.elapsed() < self.limits.pooled() && !sender.is_closed() {
                return Some(sender);
            }
        }
        idle.remove(peer);
        None
    }

    fn keep(&self, peer: String, sender: SendRequest<Body>) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.entry(peer).or_default();
        waiting.retain(|idle| idle.since.elapsed() < self.limits.pooled());
        if waiting.len() < self.limits.pooled_connections {
            waiting.push(Idle {
                sender,
                since: Instant::now(),
            });
        }
    }
}

/// A connection in use.
pub(crate) struct Lease {
    pub(crate) pool: Arc<Pool>,
    pub(crate) peer: String,
    pub(crate) sender: SendRequest<Body>,
}

impl Lease {
    /// The answer was read to its end: the connection may carry another request.
    pub(crate) fn give_back(self) {
        self.pool.keep(self.peer, self.sender);
    }
}
