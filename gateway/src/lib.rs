//! The gateways of a community: what is asked here is asked everywhere, and what others ask is
//! answered for the community.
//!
//! Read [`routes`] first. An **Initiating Gateway** answers its own community's consumers as if it were
//! registry, repository and imaging source; it asks these and the gateways of other communities, all at
//! the same time, and puts together what they say. A **Responding Gateway** answers other communities for
//! its own. [`communities`] says who is asked where, and [`asking`] how long and how often: a community
//! that does not answer costs a bounded time and leaves one error beside what the others gave.

pub mod asking;
pub mod at_rest;
pub mod circles;
pub mod communities;
pub mod correlations;
mod deferred;
mod discovery;
mod iti38_cross_gateway_query;
mod iti51_multi_patient_stored_query;
mod iti55_cross_gateway_patient_discovery;
mod iti56_patient_location_query;
pub mod iti63_cross_gateway_fetch;
mod iti80_cross_gateway_document_provide;
mod outcome;
pub mod partner;
pub mod patients;
pub mod rad160_cross_community_wado_rs;
pub mod relay;
mod retrieval;
mod revocation;
pub mod routes;
pub mod watching;

use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use hilum_audit::Audit;
use hilum_security::access::Access;
use hilum_security::{Caller, Permission, User};
use hilum_transport::{Call, Client, Request};
use xds_schemas::soap::Fault;

pub use communities::{Changes, Community, FetchLimits, Own};
pub use partner::{Identity, Partner, Vouching};

use asking::{Crowd, Silence};
use circles::{Asked, Asker, Circles};
use communities::{Communities, Known};
use deferred::Sending;
use discovery::Registered;
use patients::{Patients, PatientsConfig};
use routes::Side;
use watching::CommunityHealth;

/// What whoever is asked by a gateway decides in any case.
const FOUND_AND_GOT: [Permission; 2] = [Permission::Query, Permission::Retrieve];

/// What a gateway needs to know.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The community it belongs to.
    pub own: Own,
    /// The other communities.
    pub communities: Vec<Community>,
    /// Calls to all of them at a time, and as many to the own community's systems.
    pub calls: usize,
    /// Bytes of an answer that may wait in a file because they came in another order than announced.
    pub aside_bytes: u64,
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
    /// Answers are sent later until this goes with the last clone.
    _sending: Arc<Sending>,
}

/// What every transaction needs.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// Those that are known now. A call goes on with those that were known when it came.
    now: Arc<RwLock<Arc<Communities>>>,
    pub(crate) communities: Arc<Communities>,
    crowd: Arc<Crowd>,
    circles: Arc<Circles>,
    /// Who asks.
    asker: Asker,
    /// Whom our registry knows, as far as the call needs it.
    registered: Arc<Registered>,
    pub(crate) aside_bytes: u64,
    pub(crate) patients: Arc<Patients>,
    pub(crate) audit: Audit,
    pub(crate) client: Client,
    /// For whom it asks.
    pub(crate) user: Option<Arc<User>>,
    access: Access,
    /// The assertion of the user for whom it is asked.
    assertion: Option<Arc<str>>,
    /// The header block that names the gateways that were passed.
    via: Arc<str>,
}

impl Room {
    /// The same room for one call: what it asks, it asks for the user for whom the call is.
    ///
    /// # Errors
    /// If there must be one and there is none, or the question has been here before.
    pub(crate) fn for_call(&self, call: &Call) -> Result<Arc<Self>, Fault> {
        let communities = self.known_now();
        let via = circles::via(communities.own.home.as_str(), &call.header().via)?;
        let client = self.client.with_blocks(&via);
        let client = match call.assertion() {
            Some(assertion) => client.for_user(assertion),
            None if self.access.policy().is_some() => {
                let reason = "across communities, an assertion must say for whom it is asked";
                return Err(Fault::not_permitted(reason));
            }
            None => client,
        };
        self.may_hide_nodes(&FOUND_AND_GOT)?;
        Ok(Arc::new(Self {
            communities,
            client,
            asker: Asker::of(call.caller(), call.presence()),
            registered: Arc::default(),
            user: call.caller().user.clone(),
            assertion: call.assertion().map(Into::into),
            via: via.into(),
            ..self.clone()
        }))
    }

    fn known_now(&self) -> Arc<Communities> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&now)
    }

    /// The same for what is not SOAP: with rules there must be a user, whose token goes on.
    ///
    /// # Errors
    /// If there must be one and there is none.
    pub(crate) fn for_request(&self, request: &Request) -> Result<Self, Fault> {
        let caller = request.caller();
        if self.access.policy().is_some() && caller.user.is_none() {
            let reason = "across communities, a token must say for whom it is asked";
            return Err(Fault::not_permitted(reason));
        }
        self.may_hide_nodes(&FOUND_AND_GOT)?;
        Ok(Self {
            communities: self.known_now(),
            asker: Asker::of(caller, request.presence()),
            registered: Arc::default(),
            ..self.clone()
        })
    }

    /// That `what` is asked at a gateway, unless that is in a circle.
    ///
    /// # Errors
    /// If it is asked too often at one time.
    pub(crate) async fn enter(&self, side: Side, what: &impl Hash) -> Result<Asked, Fault> {
        let deadlines = match side {
            Side::Initiating => self.communities.deadlines(),
            Side::Responding => self.communities.own_deadlines(),
        };
        let what = (side, what);
        self.circles.enter(&what, &self.asker, deadlines).await
    }

    /// Whoever is asked sees this node instead of the one that asks.
    ///
    /// # Errors
    /// If one of these is decided by the node that asks.
    pub(crate) fn may_hide_nodes(&self, permissions: &[Permission]) -> Result<(), Fault> {
        let policy = self.access.policy();
        let heeded =
            |it: &&Permission| policy.as_ref().is_some_and(|rules| rules.heeds_nodes(**it));
        let Some(permission) = permissions.iter().find(heeded) else {
            return Ok(());
        };
        tracing::warn!(
            permission = permission.as_str(),
            "not asked across communities: rules of [access] about it name nodes (who.node)"
        );
        let reason = "across communities, this is not asked here";
        Err(Fault::not_permitted(reason))
    }

    /// Who asks a community: as it wants to be spoken to, and for the user as far as it is to know.
    ///
    /// # Errors
    /// If nothing can be said of the user that must be.
    pub(crate) fn client_of(&self, known: &Known) -> Result<Client, Silence> {
        let partner = &known.community.partner;
        let client = match &partner.client {
            Some(client) => client.with_blocks(&self.via),
            None => self.client.for_nobody(),
        };
        let client = client.in_manner(partner.manner);
        let Some(assertion) = &self.assertion else {
            return Ok(client);
        };
        match &partner.identity {
            Identity::Pass => Ok(client.for_user(assertion)),
            Identity::Nobody => Ok(client),
            Identity::Issue(vouching) => match vouching.vouch(assertion) {
                Ok(said) => Ok(client.for_user(&said)),
                Err(why) => {
                    let name = &known.community.name;
                    tracing::warn!(name, why, "no assertion could be issued for a community");
                    Err(Silence::Unsigned)
                }
            },
        }
    }
}

impl Room {
    /// Whether the caller may have what the gateway answers by itself, so that nobody else decides it. With
    /// rules, one of them has to name it.
    ///
    /// # Errors
    /// If it may not.
    pub(crate) fn decide(&self, caller: &Caller, permission: Permission) -> Result<(), Fault> {
        let granted = self.access.grant(caller, permission, SystemTime::now());
        granted.map_err(|refused| Fault::not_permitted(refused.to_string()))
    }
}

impl Gateway {
    /// A gateway that asks with `client`.
    ///
    /// # Errors
    /// If two communities have the same identifier, or its database cannot be opened.
    pub fn open(config: GatewayConfig, audit: Audit, client: Client) -> anyhow::Result<Self> {
        let crowd = Crowd::of(config.calls);
        let communities = Communities::of(config.own, config.communities, &crowd)?;
        let communities = Arc::new(communities);
        let room = Room {
            now: Arc::new(RwLock::new(Arc::clone(&communities))),
            patients: Arc::new(Patients::open(config.patients)?),
            communities,
            crowd,
            circles: Arc::default(),
            asker: Asker::default(),
            registered: Arc::default(),
            aside_bytes: config.aside_bytes,
            audit,
            client,
            user: None,
            access: config.access,
            assertion: None,
            via: Arc::default(),
        };
        let sending = Sending(Arc::clone(&room.patients.outbox));
        Ok(Self {
            room,
            _sending: Arc::new(sending),
        })
    }

    /// From now on these communities are asked, and these repositories and imaging sources of the own
    /// one. What was begun goes on with those that were there. One that is as it was keeps what is known
    /// of it.
    ///
    /// # Errors
    /// If two communities have the same identifier: then nothing changes.
    pub fn replace(
        &self,
        own: Own,
        communities: Vec<Community>,
    ) -> Result<Changes, communities::Ambiguous> {
        let now = &self.room.now;
        let mut now = now.write().unwrap_or_else(PoisonError::into_inner);
        let (replaced, changes) = now.replaced(own, communities, &self.room.crowd)?;
        *now = Arc::new(replaced);
        Ok(changes)
    }

    /// From now on, answers that communities want later are sent, until the last clone of this is dropped.
    pub fn answer_later(&self) {
        tokio::spawn(deferred::run(self.room.clone()));
    }

    /// The node is being stopped: nobody who is asked is waited for longer than [`asking::LAST_WAIT`] any more. Who
    /// asked this gateway gets what the others gave, and an error for each that was not waited for.
    pub fn stop(&self) {
        self.room.crowd.stop();
    }

    /// How everybody answers who is asked; the own community's systems first.
    pub fn health(&self) -> Vec<CommunityHealth> {
        let now = self.room.now.read();
        let now = Arc::clone(&now.unwrap_or_else(PoisonError::into_inner));
        now.health()
    }
}
