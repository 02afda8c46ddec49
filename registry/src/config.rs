//! What a registry is told when it is opened.

use std::time::Duration;

use hilum_security::access::Access;
use hilum_security::at_rest::Vault;
use xds_schemas::affinity_codes::AffinityCodes;
use xds_schemas::hl7v2::PatientDomain;
use xds_schemas::metadata::HomeCommunityId;

use crate::destination::Destinations;

/// Objects that one answer may hold. Consumers that want more ask for ObjectRefs of shorter times.
pub const MAX_RESULTS: usize = 10_000;
/// Connections to the database: on SQLite those that read.
pub const CONNECTIONS: usize = 16;

/// What a feed is told if nobody said whose patients they are.
pub(crate) const NO_DOMAIN: &str =
    "the patient identification domain of the affinity domain is not configured";

/// What a registry is told when it is opened.
#[derive(Clone)]
pub struct RegistryConfig {
    /// `sqlite:PATH`, `postgres://…` or `postgresql://…`.
    pub database: String,
    /// The codes that documents may have; without them all codes are good.
    pub affinity_codes: Option<AffinityCodes>,
    /// What to do with submissions for patients that no feed has announced.
    pub unknown_patients: UnknownPatients,
    /// The same for queries: [`Accept`](UnknownPatients::Accept) answers that there is nothing, as
    /// ITI TF-2 3.18.4.1.3 leaves it to the affinity domain.
    pub queries_for_unknown_patients: UnknownPatients,
    /// What feeds of patients must agree with.
    pub feed: FeedConfig,
    /// The community of everything that is registered here.
    pub home_community_id: HomeCommunityId,
    /// Objects that one answer may hold; queries that find more are answered with
    /// XDSTooManyResults. [`MAX_RESULTS`] is a good value.
    pub max_results: usize,
    /// Connections to the database. [`CONNECTIONS`] is a good value.
    pub connections: usize,
    /// What becomes of slots that IHE does not define.
    pub extra_metadata: ExtraMetadata,
    /// How others reach this registry: subscriptions and pull points have addresses below. Without
    /// it, they are below the address under which they are asked for.
    pub url: Option<String>,
    /// Who is told of what is registered (DSUB).
    pub subscriptions: SubscriptionConfig,
    /// Who may have which documents.
    pub access: Access,
    /// How what identifies patients is kept in the database.
    pub vault: Vault,
    /// Whether what feeds say of patients is kept, and ITI-45 and ITI-47 are answered from it. If not,
    /// what was kept before is removed.
    pub demographics: bool,
}

/// The URL of a database may hold a password, so it is not shown.
impl std::fmt::Debug for RegistryConfig {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RegistryConfig")
            .field("home_community_id", &self.home_community_id)
            .finish_non_exhaustive()
    }
}

impl RegistryConfig {
    /// A registry as the framework describes it, with all codes allowed.
    pub fn new(database: impl Into<String>, home_community_id: HomeCommunityId) -> Self {
        Self {
            database: database.into(),
            affinity_codes: None,
            unknown_patients: UnknownPatients::Refuse,
            queries_for_unknown_patients: UnknownPatients::Accept,
            feed: FeedConfig::default(),
            home_community_id,
            max_results: MAX_RESULTS,
            connections: CONNECTIONS,
            extra_metadata: ExtraMetadata::Keep,
            url: None,
            subscriptions: SubscriptionConfig::default(),
            access: Access::everything(),
            vault: Vault::default(),
            demographics: false,
        }
    }
}

/// What subscriptions there may be, and how hard it is tried to tell their consumers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionConfig {
    /// Who may be told: `https://HOST:PORT/` each. Nobody is told who is not named here, because
    /// an address comes from whoever subscribes; this machine itself is allowed if nobody is named.
    pub notify: Vec<String>,
    /// How long a subscription lasts if its subscriber does not say.
    pub usual_lifetime: Duration,
    /// How long it lasts at most.
    pub longest_lifetime: Duration,
    /// How many there may be, and how many pull points.
    pub most: usize,
    /// How long a consumer may take to take a notification.
    pub answer: Duration,
    /// How long to wait before it is tried again; longer each time…
    pub first_pause: Duration,
    /// …up to this.
    pub longest_pause: Duration,
    /// When a notification could not be delivered for so long, its subscription is given up.
    pub give_up: Duration,
    /// Notifications that may wait for one consumer; with more, its subscription is given up.
    pub backlog: usize,
    /// Notifications that a pull point keeps; of more, the oldest are lost.
    pub pull_point_messages: usize,
    /// A pull point to which nobody came for so long is removed.
    pub pull_point_idle: Duration,
}

impl SubscriptionConfig {
    /// Whether everything in it means something.
    ///
    /// # Errors
    /// Says what does not.
    pub fn check(&self) -> anyhow::Result<()> {
        Destinations::of(&self.notify).map(drop)
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for SubscriptionConfig {
    fn default() -> Self {
        Self {
            notify: Vec::new(),
            usual_lifetime: 30 * DAY,
            longest_lifetime: 366 * DAY,
            most: 10_000,
            answer: Duration::from_secs(15),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(900),
            give_up: 7 * DAY,
            backlog: 10_000,
            pull_point_messages: 1_000,
            pull_point_idle: 30 * DAY,
        }
    }
}

/// What feeds of patients must agree with (ITI-8, ITI-44).
#[derive(Debug, Clone, Default)]
pub struct FeedConfig {
    /// Whose identifiers are taken; without it, no feed is.
    pub domain: Option<PatientDomain>,
    /// Who answers messages of HL7 v2: they must name it in MSH-5, if it is given.
    pub application: Option<String>,
    /// The same for MSH-6.
    pub facility: Option<String>,
}

/// What to do about patients that no feed has announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownPatients {
    /// XDSUnknownPatientId.
    #[default]
    Refuse,
    /// A patient becomes known with the first submission, and before that has nothing.
    Accept,
}

/// What becomes of slots that IHE does not define (ITI TF-3 4.2.3.1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExtraMetadata {
    /// They are kept and given back.
    #[default]
    Keep,
    /// They are dropped, which the submitter is told by XDSExtraMetadataNotSaved.
    Drop,
}
