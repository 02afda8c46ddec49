//! What ends TLS after the handshake, in an operator's words instead of OpenSSL's, which the log has.
//!
//! With TLS 1.3 a client learns there, and not in the handshake, that its certificate is not accepted.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use hilum_security::iti19_authenticate_node::NotAuthenticated;
use openssl::ssl;

/// Why TLS ended on a connection, once it has. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending(Arc<OnceLock<NotAuthenticated>>);

impl Ending {
    pub(crate) fn why(&self) -> Option<&NotAuthenticated> {
        self.0.get()
    }

    /// The error of the connection in an operator's words; one that is not of TLS stays as it is. Whatever is done
    /// after TLS has ended fails because of that.
    pub(crate) fn in_words(&self, error: io::Error) -> io::Error {
        let kind = error.kind();
        match error.downcast::<ssl::Error>() {
            Ok(error) => {
                let why = NotAuthenticated::afterwards(&error);
                let library = why.library.as_deref().unwrap_or_default();
                tracing::debug!(library, "TLS ended after the handshake");
                let why = self.0.get_or_init(|| why).clone();
                io::Error::new(kind, Ended { why, error })
            }
            Err(other) => other,
        }
    }
}

/// Why TLS ended, which is what the [`io::Error`] of the connection holds.
#[derive(Debug)]
struct Ended {
    why: NotAuthenticated,
    error: ssl::Error,
}

impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TLS: {}", self.why)
    }
}

/// Without a source, since that has the words of the library.
impl Error for Ended {}

/// Whether it is the end of the connection, only not that of TLS, which OpenSSL calls an error. A connection
/// that was reset, or that failed, is another one.
pub(crate) fn is_mere_end(error: &io::Error) -> bool {
    let ended: Option<&Ended> = error.get_ref().and_then(|inner| inner.downcast_ref());
    let stack = ended.and_then(|ended| ended.error.ssl_error());
    stack.is_some_and(|stack| {
        let reasons = stack.errors().iter().filter_map(|error| error.reason());
        let mut reasons = reasons.map(str::to_ascii_lowercase);
        reasons.any(|reason| reason.contains("unexpected eof"))
    })
}
