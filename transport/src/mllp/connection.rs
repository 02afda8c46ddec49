//! The sender's side.

use bytes::Bytes;
use http::Uri;

use hilum_security::iti19_authenticate_node::ClientTls;

use super::frame::{Frames, Next};
use crate::client::{ClientError, Unreached};
use crate::limits::Limits;
use crate::streams::{self, Duplex};

/// The port that HL7 over MLLP is registered for with IANA.
const DEFAULT_PORT: u16 = 2575;

/// A connection to a receiver of messages, on which one follows the other.
pub struct Connection<'l> {
    url: String,
    frames: Frames<'l, Box<dyn Duplex>>,
    limits: &'l Limits,
}

impl<'l> Connection<'l> {
    /// Connects to `mllp://HOST:PORT`, or with TLS to `mllps://HOST:PORT`.
    ///
    /// # Errors
    /// If the URL cannot be used, or nobody is reached there in time.
    pub async fn open(
        url: &str,
        tls: Option<&ClientTls>,
        limits: &'l Limits,
    ) -> Result<Self, ClientError> {
        let (is_secure, host, port) = target(url)?;
        let secured = tls.filter(|_| is_secure);
        let stream = match (is_secure, secured) {
            (true, None) => Err("no certificates are configured for TLS".to_owned()),
            _ => streams::connect(&host, port, secured, limits).await,
        };
        let stream = stream.map_err(|reason| unreachable(url, reason, false))?;
        Ok(Self {
            url: url.to_owned(),
            frames: Frames::new(stream, limits, limits.answer()),
            limits,
        })
    }

    /// Closes the connection, so that the receiver does not take it for one that broke within the handshake
    /// of TLS, as it does if nothing was said on it and it is gone at once.
    pub async fn close(mut self) {
        self.frames.end().await;
    }

    /// Sends a message and waits for its answer.
    ///
    /// # Errors
    /// If the connection breaks before the answer has come, or it does not come in time; the
    /// receiver may have done what it was told all the same.
    pub async fn exchange(&mut self, message: &[u8]) -> Result<Bytes, ClientError> {
        let sent = self.frames.answer(message).await;
        sent.map_err(|error| unreachable(&self.url, error.to_string(), true))?;
        let reason = match self.frames.next().await {
            Next::Message(answer) => return Ok(answer),
            Next::End => "it closed the connection instead of an answer".to_owned(),
            Next::Silence => format!("no answer within {} seconds", self.limits.answer_seconds),
            Next::Wrong(reason) => reason,
        };
        Err(unreachable(&self.url, reason, true))
    }
}

impl std::fmt::Debug for Connection<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Connection")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

fn unreachable(url: &str, reason: String, sent: bool) -> ClientError {
    ClientError::Unreachable {
        url: url.to_owned(),
        reason,
        sent,
        kind: Unreached::Broken,
    }
}

/// Whether with TLS, and where to.
fn target(url: &str) -> Result<(bool, String, u16), ClientError> {
    let wrong = |reason| ClientError::Url {
        url: url.to_owned(),
        reason,
    };
    let uri: Uri = url.parse().map_err(|_| wrong("this is not a URL"))?;
    let is_secure = match uri.scheme_str() {
        Some("mllps") => true,
        Some("mllp") => false,
        _ => return Err(wrong("messages go to mllps and mllp URLs only")),
    };
    let host = uri.host().ok_or_else(|| wrong("the URL names no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((
        is_secure,
        host.to_owned(),
        uri.port_u16().unwrap_or(DEFAULT_PORT),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let all = |url| target(url).map_err(|error| error.to_string());
        assert_eq!(all("mllp://h:1"), Ok((false, "h".to_owned(), 1)));
        assert_eq!(all("mllps://[::1]/"), Ok((true, "::1".to_owned(), 2575)));
        assert!(all("https://h").unwrap_err().contains("mllps"));
        assert!(all("mllp").is_err());
    }
}
