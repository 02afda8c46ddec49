//! Why there is no connection, for programs: an operator mends each in another place.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};

use super::chain;
use crate::ended::Ending;

/// Why a peer was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unreached {
    /// Nobody knows the address of its name.
    Name,
    /// Nobody takes connections there.
    Refused,
    /// No TLS came about: a certificate is not trusted, has another name or expired.
    Tls,
    /// It did not answer in time, or there was no connection in time.
    Late,
    /// The connection broke.
    Broken,
}

/// Why there is no connection.
pub(super) struct NoConnection {
    pub(super) kind: Unreached,
    pub(super) reason: String,
}

impl NoConnection {
    pub(super) const fn broken(reason: String) -> Self {
        let kind = Unreached::Broken;
        Self { kind, reason }
    }

    /// There was a connection, and no answer on it. Who sends a request on one that has just ended is told only
    /// that it is gone, so how it ended says more.
    pub(super) fn broke(ending: &Ending, error: &hyper::Error) -> Self {
        match ending.why() {
            Some(why) if why.is_of_ours() => Self::not_trusted(format!("TLS: {why}")),
            Some(why) => Self::broken(format!("TLS: {why}")),
            None => Self::broken(chain(error)),
        }
    }

    pub(super) const fn not_trusted(reason: String) -> Self {
        let kind = Unreached::Tls;
        Self { kind, reason }
    }

    pub(super) fn late(limit: Duration) -> Self {
        Self {
            kind: Unreached::Late,
            reason: format!("no connection within {} seconds", limit.as_secs()),
        }
    }
}

/// Connects to a host, whose name is looked up first.
pub(super) async fn dial(address: (&str, u16)) -> Result<TcpStream, NoConnection> {
    let looked_up = lookup_host(address).await;
    let addresses: Vec<_> = looked_up
        .map_err(|error| NoConnection {
            kind: Unreached::Name,
            reason: error.to_string(),
        })?
        .collect();
    let connected = TcpStream::connect(addresses.as_slice()).await;
    connected.map_err(|error| NoConnection {
        kind: match error.kind() {
            io::ErrorKind::ConnectionRefused => Unreached::Refused,
            io::ErrorKind::TimedOut => Unreached::Late,
            _ => Unreached::Broken,
        },
        reason: error.to_string(),
    })
}
