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
use hilum_transport::{Call, Client};
use xds_schemas::soap::Fault;

pub use communities::{Community, Own};

use communities::Communities;

/// What a gateway needs to know.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The community it belongs to.
    pub own: Own,
    /// The other communities.
    pub communities: Vec<Community>,
    /// Whether those who are asked decide who may have what, so that nobody is asked for whom it is not
    /// said: what this gateway asks for itself, it gets.
    pub users_required: bool,
}

/// A gateway. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Gateway {
    pub(crate) room: Room,
}

/// What every transaction needs.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) communities: Arc<Communities>,
    pub(crate) audit: Audit,
    pub(crate) client: Client,
    users_required: bool,
}

impl Room {
    /// The same room for one call: what it asks, it asks for the user for whom the call is.
    ///
    /// # Errors
    /// If there must be one and there is none.
    pub(crate) fn for_call(&self, call: &Call) -> Result<Arc<Self>, Fault> {
        let client = match call.assertion() {
            Some(assertion) => self.client.for_user(assertion),
            None if self.users_required => {
                let reason = "across communities, an assertion must say for whom it is asked";
                return Err(Fault::not_permitted(reason));
            }
            None => self.client.clone(),
        };
        Ok(Arc::new(Self {
            client,
            ..self.clone()
        }))
    }
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
        let room = Room {
            communities: Arc::new(Communities::of(config.own, config.communities)?),
            audit,
            client,
            users_required: config.users_required,
        };
        Ok(Self { room })
    }
}
