//! The gateways of a community: what is asked here is asked everywhere, and what others ask is
//! answered for the community.
//!
//! Read [`routes`] first. An **Initiating Gateway** answers its own community's consumers as if it were
//! registry, repository and imaging source; it asks these and the gateways of other communities, all at
//! the same time, and puts together what they say. A **Responding Gateway** answers other communities for
//! its own. [`communities`] says who is asked where, and [`asking`] how long and how often: a community
//! that does not answer costs a bounded time and leaves one error beside what the others gave.

pub mod asking;
pub mod communities;
mod iti38_cross_gateway_query;
mod outcome;
mod relay;
mod retrieval;
pub mod routes;

use std::sync::Arc;

use hilum_audit::Audit;
use hilum_transport::Client;

pub use communities::{Community, Own};

use communities::Communities;

/// What a gateway needs to know.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The community it belongs to.
    pub own: Own,
    /// The other communities.
    pub communities: Vec<Community>,
}

/// A gateway. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Gateway {
    pub(crate) room: Arc<Room>,
}

/// What every transaction needs.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) communities: Communities,
    pub(crate) audit: Audit,
    pub(crate) client: Client,
}

impl Gateway {
    /// A gateway that asks with `client`.
    ///
    /// # Errors
    /// If two communities have the same identifier.
    pub fn open(
        config: GatewayConfig,
        audit: Audit,
        client: Client,
    ) -> Result<Self, communities::Ambiguous> {
        let room = Arc::new(Room {
            communities: Communities::of(config.own, config.communities)?,
            audit,
            client,
        });
        Ok(Self { room })
    }
}
