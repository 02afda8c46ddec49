//! The ledger: what happened to whose data, at whose wish (ATNA).
//!
//! A room says what happened with an [`Event`] and hands it to [`Audit::record`] together with its
//! outcome. The outcome comes back as a [`Recorded`] when the record is on disk, and a room sends
//! nothing else. Records are DICOM audit messages in RFC 5424 syslog frames ([`syslog`]), kept in
//! the [`spool`], from which `hilum audit list` and the [`sender`] read them.
//!
//! If a record cannot be written, the call is answered with a SOAP Receiver fault
//! ([`NotRecorded`]): a peer is never told that something was done which nobody can trace later.
//! Submissions may then have been done all the same; their unique IDs make a repetition harmless.

pub mod at_rest;
pub mod event;
mod fhir;
pub mod moment;
pub mod record_repository;
mod recorded;
pub mod sender;
pub mod spool;
pub mod summary;
pub mod syslog;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use hilum_security::User;
use hilum_security::at_rest::Vault;
use hilum_transport::Reply;
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::watch;
use xds_schemas::soap::Fault;

pub use event::{
    AboutPatients, AuditLogUse, ConsentUse, Decided, Document, Event, ImagesRetrieved, InboxUse,
    Medium, Notified, NotifiedKind, Outcome, Parties, PatientFeed, PatientQuery, PatientQueryKind,
    Query, Source, Study, Subject, SubmissionSet, Subscribing, Transaction,
};
pub use recorded::Recorded;
pub use spool::SpoolError;

use crate::moment::Moment;
use crate::spool::{Position, SEGMENT_BYTES, Spool};

/// Where and as whom to record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// The folder of the spool. One process at a time writes there.
    pub spool: PathBuf,
    /// `AuditSourceID`: how this node is called in its records.
    pub source_id: String,
    /// `AuditEnterpriseSiteID`: the site the node belongs to.
    #[serde(default)]
    pub enterprise_site: Option<String>,
    /// The name or address of this machine.
    pub host: String,
    /// Bytes after which a new segment of the spool is begun.
    #[serde(default = "segment_bytes")]
    pub segment_bytes: u64,
}

const fn segment_bytes() -> u64 {
    SEGMENT_BYTES
}

/// The record could not be made durable, so the call must not be answered as done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the audit record could not be written")]
pub struct NotRecorded;

impl From<NotRecorded> for Fault {
    fn from(error: NotRecorded) -> Self {
        Self::receiver(format!(
            "{error}: nothing is answered that cannot be traced; please try again later"
        ))
    }
}

/// The ledger of one process. Clones share it.
#[derive(Debug, Clone)]
pub struct Audit {
    source: Arc<Source>,
    spool: Spool,
    recorded: Arc<AtomicU64>,
    /// For whom everything is done that is recorded, if it is always the same person.
    person: Option<Arc<User>>,
}

impl Audit {
    /// Opens the ledger, mending what an earlier process could not finish.
    pub fn open(config: AuditConfig) -> Result<Self, SpoolError> {
        Self::open_in(config, &Vault::default())
    }

    /// The same; what is recorded is kept as the vault says.
    pub fn open_in(config: AuditConfig, vault: &Vault) -> Result<Self, SpoolError> {
        let source = Source {
            id: config.source_id,
            enterprise_site: config.enterprise_site,
            host: config.host,
            process: std::process::id().to_string(),
        };
        Ok(Self {
            source: Arc::new(source),
            person: None,
            spool: Spool::open_with(&config.spool, config.segment_bytes, vault.ring())?,
            recorded: Arc::default(),
        })
    }

    /// The same ledger, where everything is recorded as done for this person: that of a program
    /// which a person runs (ITI-40, 3.40.4.1.2).
    #[must_use]
    pub fn on_behalf_of(mut self, person: Option<Arc<User>>) -> Self {
        self.person = person;
        self
    }

    /// Records what happened and gives back the outcome once the record is on disk.
    ///
    /// An event of several messages (several patients, a partial success) is recorded whole or,
    /// as far as the caller can tell, not at all.
    pub async fn record<T>(&self, event: Event, outcome: T) -> Result<Recorded<T>, NotRecorded> {
        self.record_at(Moment::of(SystemTime::now()), event, outcome)
            .await
    }

    /// The same for something that happened at `moment`.
    pub async fn record_at<T>(
        &self,
        moment: Moment,
        event: Event,
        outcome: T,
    ) -> Result<Recorded<T>, NotRecorded> {
        let event = match &self.person {
            Some(person) => event.on_behalf_of(person),
            None => event,
        };
        let frames = syslog::frames(&event, &self.source, moment);
        match self.spool.append(frames).await {
            Ok(()) => {
                let messages = event.messages.len() as u64;
                self.recorded.fetch_add(messages, Ordering::Relaxed);
                Ok(Recorded::new(outcome))
            }
            // The reason is logged once, where the write failed.
            Err(_) => Err(NotRecorded),
        }
    }

    /// Records that something was refused, and gives the reply that says so; if that cannot be
    /// recorded, the reply says this.
    pub async fn refuse(&self, alert: Event, reply: Reply) -> Reply {
        match self.record(alert, reply).await {
            Ok(reply) => reply.into_inner(),
            Err(error) => Reply::fault(&error.into()),
        }
    }

    /// Waits until nothing else records, and closes the spool, so that it can be opened again. Whether that
    /// was so within this time: if not, it is closed when the last clone goes.
    pub async fn close(self, within: Duration) -> bool {
        self.spool.close(within).await
    }

    /// How many records were made since it was opened.
    pub fn count(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// Up to where its records are on disk, for the [`sender`].
    pub fn durable(&self) -> watch::Receiver<Position> {
        self.spool.durable()
    }

    /// As whom this ledger records.
    pub fn source(&self) -> &Source {
        &self.source
    }
}
