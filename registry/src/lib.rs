//! The Document Registry of an XDS affinity domain: what documents there are, and where.
//!
//! [`routes`] is the table of contents: every transaction that is answered, but for those that come
//! over MLLP, which are in [`feed`]. A submission goes
//! through `iti42_register_document_set` and `submission` into the database, a query through
//! `iti18_registry_stored_query` and `stored_queries` out of it. Objects are kept in the ebRIM
//! in which they are answered, beside the columns that queries ask for (`db`).

mod admission;
pub mod at_rest;
pub mod config;
mod consents;
mod db;
mod demographics;
mod destination;
mod failure;
pub mod feed;
#[cfg(test)]
mod figures;
mod imaging;
pub mod iti108_access_consent;
mod iti18_registry_stored_query;
mod iti42_register_document_set;
mod iti44_patient_identity_feed_hl7v3;
mod iti45_pixv3_query;
mod iti47_patient_demographics_query_hl7v3;
mod iti51_multi_patient_stored_query;
mod iti52_document_metadata_subscribe;
mod iti53_document_metadata_notify;
mod iti54_document_metadata_publish;
mod iti57_update_document_set;
mod iti61_register_on_demand_document_entry;
mod iti62_remove_metadata;
mod iti64_notify_xad_pid_link_change;
mod iti69_create_destroy_pull_point;
mod iti70_pull_notification;
mod iti8_patient_identity_feed;
mod iti92_restricted_update_document_set;
mod patients;
mod removal;
pub mod routes;
mod sight;
mod stored_queries;
mod submission;
mod subscriptions;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use hilum_audit::Audit;
use hilum_transport::Client;
use xds_schemas::metadata::PatientId;

pub use config::{ExtraMetadata, FeedConfig, RegistryConfig, SubscriptionConfig, UnknownPatients};
pub use db::DatabaseUnreachable;

use db::Database;
use demographics::continuations::Continuations;
use destination::Destinations;
use failure::Failure;
use iti53_document_metadata_notify::Deliveries;

/// An open registry. Clones share it; the last one to go closes it.
#[derive(Clone)]
pub struct Registry {
    db: Arc<Database>,
    audit: Audit,
    config: Arc<RegistryConfig>,
    destinations: Arc<Destinations>,
    deliveries: Arc<Deliveries>,
    continuations: Arc<Continuations>,
}

impl Registry {
    /// Opens the database, bringing its tables up to date.
    ///
    /// # Errors
    /// If the database cannot be opened or changed. The text never holds the URL of a server,
    /// which may contain a password.
    pub fn open(config: RegistryConfig, audit: Audit) -> anyhow::Result<Self> {
        let destinations = Destinations::of(&config.subscriptions.notify);
        let destinations = destinations.context("the addresses that may be notified")?;
        let ring = config.vault.ring_of_fields();
        let db = Database::open(&config.database, config.connections, ring)?;
        if !config.demographics {
            let forgotten = Database::forget_demographics(&config.database)?;
            if forgotten > 0 {
                tracing::info!(
                    patients = forgotten,
                    "demographics are not kept any more and were removed"
                );
            }
        }
        Ok(Self {
            db: Arc::new(db),
            audit,
            config: Arc::new(config),
            destinations: Arc::new(destinations),
            deliveries: Arc::default(),
            continuations: Arc::default(),
        })
    }

    /// Begins to tell subscribers what is registered, with this client, until the registry is
    /// closed. Without it, what there is to tell waits. Must be called in a tokio runtime.
    pub fn notify_with(&self, client: Client) {
        iti53_document_metadata_notify::start(self, client);
    }

    /// The address below which subscriptions and pull points get theirs, when they are asked for at
    /// `endpoint`.
    fn known_as<'a>(&'a self, endpoint: &'a str) -> &'a str {
        self.config.url.as_deref().unwrap_or(endpoint)
    }

    /// Makes a patient known, as a Patient Identity Feed does. Says whether it was not known before.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn add_patient(&self, patient: &PatientId) -> anyhow::Result<bool> {
        let patient_id = patient.to_string();
        let now = seconds(SystemTime::now());
        let known_since = i64::try_from(now).unwrap_or(i64::MAX);
        let work = move |conn: &mut _| Ok(db::patients::add(conn, &patient_id, known_since)?);
        self.db.write(work).await.map_err(|failure| match failure {
            Failure::Internal(error) => error,
            Failure::Refused(errors) => anyhow::anyhow!("refused: {errors:?}"),
        })
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// Whether a registry could use its database: gives the version of its tables, or nothing if there
/// are none yet, since opening the registry makes them.
///
/// # Errors
/// Says what is wrong: the database cannot be opened, or is that of a newer program.
pub fn check_database(url: &str) -> anyhow::Result<Option<String>> {
    db::version(url)
}

/// Whether `url` can be that of a database: `sqlite:PATH`, `postgres://…` or `postgresql://…`. Nobody
/// is asked.
///
/// # Errors
/// Says what is wrong with it, and repeats nothing of it, since a password may stand anywhere in it.
pub fn check_database_url(url: &str) -> Result<(), &'static str> {
    db::check_url(url)
}

/// Seconds since 1970; moments before are 1970.
fn seconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
