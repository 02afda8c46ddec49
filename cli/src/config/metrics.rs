//! `[metrics]`: where the state of the node is told to machines.

use std::net::SocketAddr;

use serde::Deserialize;

use super::{Config, ConfigError};

/// `[metrics]`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct MetricsSection {
    /// On addresses of this machine in plain HTTP; on others as the rooms, with TLS.
    pub(crate) listen: Option<SocketAddr>,
}

impl MetricsSection {
    /// Whether it speaks plain HTTP.
    pub(crate) fn is_plain(&self) -> bool {
        self.listen
            .is_some_and(|address| address.ip().is_loopback())
    }

    pub(super) fn check(&self, others: &[(&str, SocketAddr)]) -> Result<(), ConfigError> {
        let other = others
            .iter()
            .find(|(_, address)| Some(*address) == self.listen);
        match other {
            None => Ok(()),
            Some((room, address)) => Err(ConfigError(format!(
                "metrics.listen: {address} is the address of the {room}"
            ))),
        }
    }
}

impl Config {
    /// Where the state of the node is asked for.
    pub(crate) fn metrics_url(&self) -> Option<String> {
        let scheme = match self.metrics.is_plain() || self.tls.is_none() {
            true => "http",
            false => "https",
        };
        let listen = self.metrics.listen;
        listen.map(|address| format!("{scheme}://{address}/metrics"))
    }
}
