//! The Audit Record Repository: receives what others record (ITI-20), keeps every byte of it in a
//! [`Log`] that shows when it was touched, and answers questions about it.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-20.html>

pub mod log;
pub mod proof;
pub mod received;
pub mod tree;

use hilum_transport::{Incoming, Reply};

use crate::{Audit, Event};

pub use log::{Log, LogConfig, LogError, NotKept};
pub use received::{Form, Received, Via};

/// The first segments of the paths that are not asked with SOAP.
pub const REST: [&str; 4] = ["audit", "fhir", "syslog", "syslogsearch"];

/// How to receive and keep.
#[derive(Debug, Clone)]
pub struct RecordRepositoryConfig {
    /// Where the log is.
    pub log: LogConfig,
}

/// The Audit Record Repository. Clones share it.
#[derive(Debug, Clone)]
pub struct RecordRepository {
    log: Log,
    audit: Audit,
}

impl RecordRepository {
    /// Opens the repository. What others ask it is recorded in `audit`.
    ///
    /// # Errors
    /// If its log cannot be opened.
    pub fn open(config: &RecordRepositoryConfig, audit: Audit) -> Result<Self, LogError> {
        let log = Log::open(&config.log)?;
        Ok(Self { log, audit })
    }

    /// What was received.
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// As whom this node records what it is asked.
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Takes everything that comes over HTTP.
    pub async fn serve(&self, incoming: Incoming) -> Reply {
        match incoming {
            Incoming::Refused(refusal) => {
                let reply = refusal.reply();
                self.audit.refuse(Event::from(&refusal), reply).await
            }
            _ => Reply::plain(404, "text/plain; charset=utf-8", "there is nothing here\n"),
        }
    }
}
