//! Notices what is said first on a connection without TLS: many who call speak TLS there, and the reader
//! of HTTP only finds that it is no HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::noticed::Notice;

/// The first byte of a TLS record with a handshake in it (RFC 8446, section 5.1). No request of HTTP
/// begins with it.
const HANDSHAKE: u8 = 22;

/// The first byte, when it has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct First(Arc<AtomicU8>);

impl First {
    /// Whether what came first is the beginning of TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.0.load(Ordering::Relaxed) == HANDSHAKE
    }
}

impl Notice for First {
    fn came(&self, bytes: &[u8]) {
        if let Some(first) = bytes.first() {
            // Nothing that is of interest begins with a zero; whatever comes later changes nothing.
            let (first, order) = ((*first).max(1), Ordering::Relaxed);
            let _ = self.0.compare_exchange(0, first, order, order);
        }
    }
}
