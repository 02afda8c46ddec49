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
pub mod correlations;
mod discovery;
mod iti38_cross_gateway_query;
mod iti55_cross_gateway_patient_discovery;
mod iti56_patient_location_query;
mod outcome;
pub mod patients;
mod relay;
mod retrieval;
mod revocation;
pub mod routes;

use std::sync::Arc;
use std::time::SystemTime;

use hilum_audit::Audit;
use hilum_security::access::{Access, Asking};
use hilum_security::{Caller, Permission, User};
use hilum_transport::{Call, Client};
use xds_schemas::soap::Fault;

pub use communities::{Community, Own};

use communities::Communities;
use patients::{Patients, PatientsConfig};

/// What a gateway needs to know.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The community it belongs to.
    pub own: Own,
    /// The other communities.
    pub communities: Vec<Community>,
    /// What patients are called elsewhere.
    pub patients: PatientsConfig,
    /// The rules by which those who are asked decide. What this gateway asks for itself, it gets; so
    /// with rules it asks for users only.
    pub access: Access,
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
    pub(crate) patients: Arc<Patients>,
    pub(crate) audit: Audit,
    pub(crate) client: Client,
    /// For whom it asks.
    pub(crate) user: Option<Arc<User>>,
    access: Access,
}

impl Room {
    /// The same room for one call: what it asks, it asks for the user for whom the call is.
    ///
    /// # Errors
    /// If there must be one and there is none.
    pub(crate) fn for_call(&self, call: &Call) -> Result<Arc<Self>, Fault> {
        let client = match call.assertion() {
            Some(assertion) => self.client.for_user(assertion),
            None if self.access.policy().is_some() => {
                let reason = "across communities, an assertion must say for whom it is asked";
                return Err(Fault::not_permitted(reason));
            }
            None => self.client.clone(),
        };
        // Whoever is asked sees this node instead of the one that asks.
        if self
            .access
            .policy()
            .is_some_and(|policy| policy.heeds_nodes())
        {
            tracing::warn!(
                "nothing is asked across communities: rules of [access] name nodes (who.node)"
            );
            let reason = "across communities, nothing is asked here";
            return Err(Fault::not_permitted(reason));
        }
        Ok(Arc::new(Self {
            client,
            user: call.caller().user.clone(),
            ..self.clone()
        }))
    }
}

impl Room {
    /// Whether the caller may have what the gateway answers by itself, so that nobody else decides it. With
    /// rules, one of them has to name it.
    ///
    /// # Errors
    /// If it may not.
    pub(crate) fn decide(&self, caller: &Caller, permission: Permission) -> Result<(), Fault> {
        let asking = Asking {
            caller,
            permission,
            now: SystemTime::now(),
        };
        match self.access.policy() {
            Some(policy) if !policy.grants(&asking) => {
                let reason = "no rule lets this caller do this here";
                Err(Fault::not_permitted(reason))
            }
            _ => Ok(()),
        }
    }
}

impl Gateway {
    /// A gateway that asks with `client`.
    ///
    /// # Errors
    /// If two communities have the same identifier, or its database cannot be opened.
    pub fn open(config: GatewayConfig, audit: Audit, client: Client) -> anyhow::Result<Self> {
        let room = Room {
            patients: Arc::new(Patients::open(config.patients)?),
            communities: Arc::new(Communities::of(config.own, config.communities)?),
            audit,
            client,
            user: None,
            access: config.access,
        };
        Ok(Self { room })
    }
}
